//! Clients: they work on shared tasks, hear late or never, and try again with the same key.

use command_service::command::{Answer, Expected, Submission};
use schemas::ids::Stream;
use schemas::task::{CancelTask, FailTask, ReleaseTask, RenewLease, ReportProgress, TaskCommand, UpdateTask};

use super::history::{Attempt, Operation, is_open};
use super::world::{Event, NODES, World};
use crate::support::{self, submission};

/// Clients of a run.
pub(crate) const CLIENTS: usize = 5;
/// Tries after which a client gives up, until the weather is calm.
const TRIES: u32 = 5;
const QUEUE: &str = "default";

/// What the clients know.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    tasks: Vec<Stream>,
    /// Task, token.
    leases: Vec<(Stream, u32)>,
    keys: u64,
}

impl World {
    /// A client begins something.
    pub(crate) fn turn(&mut self, client: usize) {
        if self.calm {
            return;
        }
        if let Some(operation) = self.choose(client) {
            self.send(operation);
        }
        let delay = self.chance.within(5, 120);
        self.plan(delay, Event::Turn { client });
    }

    fn key(&mut self) -> String {
        self.clients.keys += 1;
        format!("key-{}", self.clients.keys)
    }

    fn choose(&mut self, client: usize) -> Option<usize> {
        let key = self.key();
        let command = match self.chance.below(21) {
            0..=3 => self.creation(&key),
            4..=7 => {
                let max = u32::try_from(self.chance.within(1, 3)).unwrap();
                support::claim(&[QUEUE], &key, max, std::time::Duration::ZERO)
            }
            8..=15 => self.work(&key)?,
            16 => self.update(&key)?,
            17 => submission(&self.some_task()?, &key, CancelTask { reason: None }),
            18 => return self.again(),
            19 => self.reused()?,
            _ => self.elsewhere()?,
        };
        self.history.operations.push(Operation {
            client,
            submission: command,
            tries: 0,
            waiting: 0,
            settled: None,
        });
        Some(self.history.operations.len() - 1)
    }

    fn creation(&mut self, key: &str) -> Submission {
        let mut creation = support::create(QUEUE, key);
        if self.chance.percent(3) {
            let body = serde_json::json!({ "queue": QUEUE, "type": "poison", "title": "poison" });
            let body: schemas::task::CreateTask = serde_json::from_value(body).unwrap();
            creation = submission(&creation.home, key, body);
        }
        self.clients.tasks.push(creation.home.clone());
        creation
    }

    fn some_task(&mut self) -> Option<Stream> {
        self.chance.pick(&self.clients.tasks).cloned()
    }

    /// A command of a lease holder; now and then with a token that is not the holder's.
    fn work(&mut self, key: &str) -> Option<Submission> {
        let recent = self.clients.leases.len().saturating_sub(8);
        let (task, mut token) = self.chance.pick(&self.clients.leases[recent..]).cloned()?;
        if self.chance.percent(10) {
            token = u32::try_from(self.chance.within(1, 3)).unwrap();
        }
        let fencing_token = token;
        let progress = u8::try_from(self.chance.within(1, 100)).unwrap();
        let command: TaskCommand = match self.chance.below(8) {
            0..=2 => return Some(support::start(&task, key, token)),
            3 => return Some(support::complete(&task, key, token)),
            4 => {
                let report =
                    ReportProgress { fencing_token, progress, note: None, estimated_completion: None };
                report.into()
            }
            5 => RenewLease { fencing_token }.into(),
            6 => ReleaseTask { fencing_token, reason: None }.into(),
            _ => FailTask { fencing_token, retriable: true, reason: "test".into(), error: None }.into(),
        };
        Some(submission(&task, key, command))
    }

    fn update(&mut self, key: &str) -> Option<Submission> {
        let task = self.some_task()?;
        let update = UpdateTask { title: Some(key.into()), ..UpdateTask::default() };
        let mut update = submission(&task, key, update);
        let version = self.chance.within(1, 5);
        update.expected = match self.chance.below(3) {
            0 => Some(Expected::IfMatch(version)),
            1 => Some(Expected::Body(version)),
            _ => None,
        };
        Some(update)
    }

    /// Sends a command of the past once more, settled or not.
    fn again(&mut self) -> Option<usize> {
        let count = self.history.operations.len() as u64;
        (count > 0).then(|| usize::try_from(self.chance.below(count)).unwrap())
    }

    /// Uses a key of the past for another body.
    fn reused(&mut self) -> Option<Submission> {
        let old = self.chance.pick(&self.history.operations)?.submission.clone();
        let other = CancelTask { reason: Some("another body".into()) };
        (old.home.aggregate_type() == "task").then(|| submission(&old.home, &old.command_id, other))
    }

    /// Uses a key of the past at another task: another command, which the first says nothing about.
    fn elsewhere(&mut self) -> Option<Submission> {
        let old = self.chance.pick(&self.history.operations)?.submission.clone();
        let home = self.some_task()?;
        let mut other = submission(&home, &old.command_id, CancelTask { reason: None });
        // As its body says nothing about the task, the hash may be the same as well.
        if self.chance.percent(50) {
            other.body_hash = old.body_hash;
        }
        (old.home != home).then_some(other)
    }

    /// Sends one try of an operation to some node.
    pub(crate) fn send(&mut self, operation: usize) {
        let sent = self.now;
        let owner = (0..NODES).find(|&node| self.nodes[node].is_owner());
        let anyone = usize::try_from(self.chance.below(NODES as u64)).unwrap();
        let node = if self.chance.percent(70) { owner.unwrap_or(anyone) } else { anyone };
        let copies = if self.rough(self.weather.messages) { self.chance.below(3) } else { 1 };
        let sending = u32::try_from(copies.max(1)).unwrap();
        self.history.operations[operation].tries += sending;
        self.history.operations[operation].waiting += sending;
        for _ in 0..copies.max(1) {
            let attempt = self.history.attempts.len();
            let (taken_at, answered) = (None, None);
            self.history.attempts.push(Attempt { operation, sent, taken_at, answered, over: false });
            let late = self.rough(self.weather.messages);
            let delay = if late { self.chance.within(20, 1_500) } else { self.chance.within(1, 10) };
            if copies > 0 {
                self.plan(delay, Event::Arrive { node, attempt });
            }
            let patience = self.chance.within(300, 1_200);
            self.plan(patience, Event::Heard { attempt, answer: None });
        }
    }

    /// A client hears an answer, or has waited long enough.
    pub(crate) fn heard(&mut self, attempt: usize, answer: Option<Answer>) {
        let Attempt { operation, over, .. } = &mut self.history.attempts[attempt];
        if std::mem::replace(over, true) {
            return;
        }
        let operation = *operation;
        let state = &mut self.history.operations[operation];
        state.waiting -= 1;
        match answer {
            Some(answer) if !is_open(&answer) => {
                if let Answer::Accepted(accepted) = &answer {
                    let leases = accepted.leases.iter();
                    let leases = leases.map(|lease| (lease.task.clone(), lease.fencing_token));
                    self.clients.leases.extend(leases);
                }
                state.settled.get_or_insert(answer);
            }
            _ if state.settled.is_none() && state.waiting == 0 && (self.calm || state.tries < TRIES) => {
                let delay = self.chance.within(5, 200);
                self.plan(delay, Event::Retry { operation });
            }
            _ => {}
        }
    }

    /// After the weather: everything that is open is tried until it is settled.
    pub(crate) fn settle(&mut self) {
        for operation in 0..self.history.operations.len() {
            if self.history.operations[operation].settled.is_none() {
                self.send(operation);
            }
        }
    }
}

//! Random histories that keep to M-4 and M-8: a walk over what may follow, steered by numbers.

mod files;

use chrono::{DateTime, TimeDelta, Utc};
use schemas::agent::*;
use schemas::ids::{AggregateId, Route, Stream, Tenant};
use schemas::task::*;
use serde_json::{Value, json};
use uuid::Uuid;

/// One command's events on one stream, ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) stream: Stream,
    pub(crate) tenant: Tenant,
    pub(crate) command: &'static str,
    pub(crate) events: Vec<(u64, &'static str, u32, Value)>,
    pub(crate) at: DateTime<Utc>,
}

/// An aggregate in the middle of its life.
struct Life {
    tenant: Tenant,
    id: AggregateId,
    kind: &'static str,
    version: u64,
    stage: &'static str,
    token: u32,
    attempt: u32,
    count: u32,
    /// Chunks of a source file.
    chunks: Vec<String>,
}

/// The steps of a history over `lives` aggregates.
pub(crate) fn steps(lives: usize, choices: &[u16]) -> Vec<Step> {
    let mut all: Vec<Life> = (0..lives).map(Life::new).collect();
    let mut at: DateTime<Utc> = "2026-01-02T03:04:05.678Z".parse().unwrap();
    let mut steps = Vec::new();
    for choice in choices {
        at += TimeDelta::milliseconds(i64::from(*choice % 977) + 1);
        let who = usize::from(*choice) % all.len();
        let life = &mut all[who];
        let choice = choice / 7;
        let events = match life.kind {
            "task" => life.task(choice, at),
            "agent" => life.agent(choice, at),
            "repository" => life.repository(),
            _ => life.source_file(choice),
        };
        if events.is_empty() {
            continue;
        }
        let first = life.version + 1;
        life.version += events.len() as u64;
        let number = |(n, (kind, v, data))| (first + n as u64, kind, v, data);
        steps.push(Step {
            stream: Stream::of(&life.tenant, life.kind, life.id),
            tenant: life.tenant.clone(),
            command: "some.test",
            events: events.into_iter().enumerate().map(number).collect(),
            at,
        });
    }
    steps
}

type Encoded = (&'static str, u32, Value);

fn task(event: impl Into<TaskEvent>) -> Encoded {
    let event = event.into();
    let (kind, v) = event.kind();
    (kind, v, serde_json::to_value(&event).unwrap())
}

fn agent(event: impl Into<AgentEvent>) -> Encoded {
    let event = event.into();
    let (kind, v) = event.kind();
    (kind, v, serde_json::to_value(&event).unwrap())
}

impl Life {
    fn new(n: usize) -> Self {
        let tenant = Tenant::new(["acme", "zeta"][n % 2]).unwrap();
        let kind = match n % 9 {
            2 | 5 | 8 => "agent",
            4 => "repository",
            7 => "source_file",
            _ => "task",
        };
        let route = Route::of(&tenant, ["default", "slow"][n % 4 / 2]);
        let id = AggregateId::derive(&tenant, kind, route, &format!("c-{n}"));
        Self { tenant, id, kind, version: 0, stage: "-", token: 0, attempt: 0, count: 0, chunks: vec![] }
    }

    fn go<T>(&mut self, stage: &'static str, event: T) -> T {
        self.stage = stage;
        event
    }

    fn queued(&mut self, because: QueuedBecause, at: DateTime<Utc>) -> Encoded {
        task(self.go("queued", TaskQueued { because, enqueued_at: at }))
    }

    fn created(&mut self, choice: u16, at: DateTime<Utc>) -> Vec<Encoded> {
        let held = choice.is_multiple_of(5);
        let created = self.go(
            "pending",
            TaskCreated {
                queue: if self.id.route() == Route::of(&self.tenant, "slow") { "slow" } else { "default" }
                    .into(),
                kind: "inventory".into(),
                title: format!("häkchen ✓ {choice} \0 nul").as_str().into(),
                description: choice.is_multiple_of(2).then(|| "with \"quotes\" and \\u0000".into()),
                priority: [Priority::Low, Priority::Normal, Priority::High, Priority::Critical]
                    [usize::from(choice % 4)],
                payload: json!({"n": choice, "deep": [{"x": null}, "\0", 1.5]}).as_object().unwrap().clone(),
                requirements: vec!["rust".into()],
                parent_id: choice.is_multiple_of(3).then_some(self.id),
                depends_on: if held { vec![self.id] } else { vec![] },
                hold: held,
                run_at: None,
                deadline: Some(at + TimeDelta::hours(1)),
                policy: TaskPolicy::default(),
                metadata: [("k".to_owned(), "v".to_owned())].into(),
            },
        );
        let mut events = vec![task(created)];
        if !held {
            events.push(self.queued(QueuedBecause::Created, at));
        }
        events
    }

    fn ended(&self) -> bool {
        matches!(self.stage, "discarded" | "cancelled" | "compensated" | "compensation_failed")
    }

    /// What may happen in many stages.
    fn by_the_way(&mut self, choice: u16, at: DateTime<Utc>) -> Option<Encoded> {
        let waiting = matches!(self.stage, "pending" | "queued" | "assigned" | "retry_wait");
        if self.token > 1 && choice.is_multiple_of(11) {
            let (given, current) = (self.token - 1, self.token);
            return Some(task(StaleTokenRefused { given, current, command: "task.start".into() }));
        }
        if choice.is_multiple_of(13) && waiting {
            return Some(task(self.go("cancelled", TaskCancelled { reason: None, acknowledged: false })));
        }
        let timed_out = choice.is_multiple_of(17) && (waiting || self.stage == "running");
        timed_out.then(|| task(self.go("failed", TaskTimedOut { deadline: at })))
    }

    fn task(&mut self, choice: u16, at: DateTime<Utc>) -> Vec<Encoded> {
        if let Some(event) = self.by_the_way(choice, at) {
            return vec![event];
        }
        let token = self.token;
        match (self.stage, choice % 6) {
            ("-", _) => self.created(choice, at),
            ("pending", 0) => vec![task(TaskUpdated {
                title: Some("other".into()),
                description: None,
                priority: Some(Priority::High),
                payload: None,
            })],
            ("pending", _) => vec![task(HoldLifted {}), self.queued(QueuedBecause::Enqueued, at)],
            ("queued", _) => {
                self.token += 1;
                self.attempt += 1;
                vec![task(self.go(
                    "assigned",
                    TaskAssigned {
                        worker: format!("w-{}", choice % 3),
                        lease_id: Uuid::from_u128(u128::from(choice)),
                        fencing_token: token + 1,
                        attempt: self.attempt,
                        lease_expires_at: at + TimeDelta::seconds(30),
                    },
                ))]
            }
            ("assigned", 0) => vec![
                task(TaskReleased { fencing_token: token, reason: Some("busy".into()) }),
                self.queued(QueuedBecause::Released, at),
            ],
            ("assigned", 1) => vec![
                task(LeaseExpired { fencing_token: token, worker: "w".into() }),
                self.queued(QueuedBecause::LeaseExpired, at),
            ],
            ("assigned", _) => vec![task(self.go("running", TaskStarted { fencing_token: token }))],
            ("running", _) => self.running(choice, at),
            ("retry_wait", _) => vec![self.queued(QueuedBecause::RetryDue, at)],
            _ => self.after_work(choice, at),
        }
    }

    /// What may happen once nobody works on the task any more.
    fn after_work(&mut self, choice: u16, at: DateTime<Utc>) -> Vec<Encoded> {
        match (self.stage, choice % 6) {
            ("failed", 0) | ("succeeded", _) => {
                vec![task(self.go("compensating", CompensationStarted { reason: Some("undo".into()) }))]
            }
            ("failed", _) => vec![task(self.go(
                "dead_lettered",
                TaskDeadLettered { stage: Stage::Execute, reason: "broken".into(), error: None },
            ))],
            ("dead_lettered", 0) => {
                vec![task(self.go("discarded", TaskDiscarded { reason: "enough".into() }))]
            }
            ("dead_lettered", _) => {
                (self.attempt, self.count) = (0, self.count + 1);
                let redriven = TaskRedriven { redrive_count: self.count, deadline: None, reason: None };
                vec![task(redriven), self.queued(QueuedBecause::Redriven, at)]
            }
            ("compensating", 0) => {
                vec![task(self.go("compensation_failed", CompensationFailed { error: "no".into() }))]
            }
            ("compensating", _) => vec![task(self.go("compensated", TaskCompensated {}))],
            _ => {
                assert!(self.ended(), "{}", self.stage);
                Vec::new()
            }
        }
    }

    fn running(&mut self, choice: u16, at: DateTime<Utc>) -> Vec<Encoded> {
        let (token, attempt) = (self.token, self.attempt);
        let retry = RetryScheduled {
            attempt,
            stage: Stage::Execute,
            reason: "flaky".into(),
            error: Some("boom".into()),
            next_run_at: at,
        };
        match choice % 9 {
            0 => vec![task(self.go(
                "succeeded",
                TaskSucceeded {
                    fencing_token: token,
                    result: json!({"lines": choice}).as_object().unwrap().clone(),
                },
            ))],
            1 => vec![task(self.go("retry_wait", retry))],
            2 => vec![
                task(LeaseExpired { fencing_token: token, worker: "w".into() }),
                task(self.go("retry_wait", RetryScheduled { stage: Stage::Timeout, ..retry })),
            ],
            3 => vec![task(self.go(
                "failed",
                TaskFailed { attempt, stage: Stage::Execute, reason: "bad".into(), error: None },
            ))],
            4 => vec![
                task(TaskCancelRequested {
                    reason: Some("stop".into()),
                    grace_until: at + TimeDelta::seconds(30),
                }),
                task(self.go("cancelled", TaskCancelled { reason: Some("stop".into()), acknowledged: true })),
            ],
            5 => vec![task(LeaseRenewed {
                fencing_token: token,
                lease_expires_at: at + TimeDelta::seconds(30),
            })],
            _ => vec![task(TaskProgressed {
                fencing_token: token,
                progress: u8::try_from(choice % 100).unwrap() + 1,
                note: None,
                estimated_completion: None,
            })],
        }
    }

    fn agent(&mut self, choice: u16, at: DateTime<Utc>) -> Vec<Encoded> {
        let alive_until = at + TimeDelta::seconds(30);
        let living = !matches!(self.stage, "-" | "completed" | "failed" | "killed");
        if living && choice.is_multiple_of(19) {
            return vec![agent(self.go("killed", AgentKilled { reason: Some("why not".into()) }))];
        }
        match (self.stage, choice % 8) {
            ("-", _) => vec![agent(self.go("initializing", spawned(choice)))],
            ("initializing", 0) => vec![agent(self.go("failed", WorktreeFailed { error: "disk".into() }))],
            ("initializing", _) => vec![agent(self.go("spawning", WorktreeCreated { path: "/w".into() }))],
            ("spawning", 0) => vec![agent(self.go("failed", SpawnFailed { error: "no model".into() }))],
            ("spawning", _) => {
                vec![agent(self.go("executing", SessionStarted { session_id: Some(self.id), alive_until }))]
            }
            ("executing", 0) => vec![agent(self.go(
                "waiting",
                InputAwaited { prompt: Some("?".into()), input_deadline: Some(alive_until) },
            ))],
            ("executing", 1) => vec![agent(self.go("paused", paused(ResumeTo::Executing)))],
            ("executing", 2) => vec![agent(self.go("failed", AgentFailed { error: "oops".into() }))],
            ("executing", 3) => {
                vec![agent(self.go("completing", CompletionStarted { summary: Some("done".into()) }))]
            }
            ("executing", 4) => vec![agent(DrainStarted { reason: None })],
            ("executing", 5) => vec![agent(AgentWentOffline { last_alive_until: at })],
            ("executing", _) => vec![agent(HeartbeatRecorded { alive_until })],
            ("waiting", 0) => vec![agent(self.go("failed", InputTimedOut { input_deadline: at }))],
            ("waiting", 1) => vec![agent(self.go("paused", paused(ResumeTo::Waiting)))],
            ("waiting", _) => vec![agent(self.go("executing", InputReceived { input: None }))],
            ("paused", 0) => vec![agent(self.go("completing", CompletionStarted { summary: None }))],
            ("paused", _) => vec![agent(
                self.go("executing", AgentResumed { to: ResumeTo::Executing, input_deadline: None }),
            )],
            ("completing", 0) => vec![agent(self.go("failed", CleanupFailed { error: "rm".into() }))],
            ("completing", 1) => vec![agent(self.go("completed", AgentCompleted {}))],
            ("completing", _) => {
                vec![agent(self.go("cleaning_up", ResultCommitted { commits: vec!["abc".into()] }))]
            }
            ("cleaning_up", _) => vec![agent(self.go("completed", AgentCompleted {}))],
            ("failed", 0 | 1) => {
                self.count += 1;
                vec![agent(self.go("executing", AgentRetried { retry_count: self.count, alive_until }))]
            }
            (_, 2 | 3) => {
                self.attempt += 1;
                let restarted = AgentRestarted { incarnation: self.attempt + 1, reason: None };
                vec![agent(AgentKilled { reason: None }), agent(self.go("initializing", restarted))]
            }
            (_, 4) => vec![agent(AgentArchived {})],
            _ => vec![agent(CapabilitiesDeclared {
                capabilities: vec!["go".into()],
                roles: vec!["reviewer".into()],
            })],
        }
    }
}

fn paused(resume_to: ResumeTo) -> AgentPaused {
    AgentPaused { paused_by: "user/alice".into(), resume_to, reason: None, input_left_ms: None }
}

fn spawned(choice: u16) -> AgentSpawnRequested {
    AgentSpawnRequested {
        kind: AgentKind::Executor,
        label: Some(format!("agent {choice}").as_str().into()),
        model: "none".into(),
        task: None,
        team_id: None,
        config: json!({"temperature": 0.25}).as_object().unwrap().clone(),
        context: serde_json::Map::new(),
        code: None,
        reasoning: None,
        safety_boundaries: serde_json::Map::new(),
        capabilities: vec!["rust".into()],
        roles: vec!["worker".into()],
        labels: vec![],
        max_retries: 3,
        budget_limit: Some("12.5000".into()),
        heartbeat_ms: 30_000,
        metadata: [].into(),
    }
}

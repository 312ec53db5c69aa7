//! A claim over one or several queues, with a long poll.
//!
//! The queues may lie in several shards, and no order exists between shards. So the claim first looks
//! its id up in every queue: a retry after a lost answer then returns what is leased already. Only
//! then it tries the queues in the given order and ends at the first that grants.

use std::time::Duration;

use futures_util::future::{join_all, select_all};
use schemas::ids::Stream;
use schemas::task::TaskCommand;
use tokio::time::Instant;

use super::Service;
use crate::aggregates::Refusal;
use crate::command::{Accepted, Answer, AnyCommand, Submission};
use crate::shard::Mode;
use crate::shard::dispatch::queue_stream;

/// What a claim waits for.
#[derive(Debug)]
pub(super) struct Poll {
    queues: Vec<Stream>,
    wait: Duration,
}

impl Poll {
    /// The queues of a claim, each once, in the given order.
    pub(super) fn of(submission: &Submission) -> Option<Self> {
        let AnyCommand::Task(TaskCommand::ClaimTasks(claim)) = &submission.command else { return None };
        let mut queues = Vec::new();
        for name in &claim.queues {
            if let Some(queue) = queue_stream(submission.principal.tenant.as_str(), name)
                && !queues.contains(&queue)
            {
                queues.push(queue);
            }
        }
        Some(Self { queues, wait: Duration::from_millis(claim.wait.into()) })
    }
}

/// Claims. The poll's time comes on top of `deadline`.
pub(super) async fn claim(
    service: &Service,
    submission: Submission,
    poll: Poll,
    deadline: Instant,
) -> Answer {
    let (until, deadline) = (Instant::now() + poll.wait, deadline + poll.wait);
    if poll.queues.len() > 1
        && let Some(answer) = look_up(service, &submission, &poll.queues, deadline).await
    {
        return answer;
    }
    loop {
        // Before the queues are tried, so that a task that comes in between still wakes.
        let wakeups = poll.queues.iter().map(|queue| Box::pin(service.wakeup(queue).notified_owned()));
        let mut wakeups: Vec<_> = wakeups.collect();
        for wakeup in &mut wakeups {
            wakeup.as_mut().enable();
        }
        let answer = try_queues(service, &submission, &poll.queues, deadline).await;
        let empty = matches!(&answer, Answer::Accepted(a) if a.events.is_empty());
        if !empty || submission.dry_run || Instant::now() >= until || wakeups.is_empty() {
            return answer;
        }
        tokio::select! {
            _ = select_all(wakeups) => {}
            () = tokio::time::sleep_until(until) => return answer,
            () = service.closing().cancelled() => return answer,
        }
    }
}

fn to(submission: &Submission, queue: &Stream) -> Submission {
    Submission { home: queue.clone(), ..submission.clone() }
}

/// What became of the claim in any queue; `None` when no queue knows it.
async fn look_up(
    service: &Service,
    submission: &Submission,
    queues: &[Stream],
    deadline: Instant,
) -> Option<Answer> {
    let asked = queues.iter().map(|queue| service.ask(Mode::LookUp, to(submission, queue), deadline));
    let mut found: Option<Box<Accepted>> = None;
    for answer in join_all(asked).await {
        match answer {
            Answer::Refused(Refusal::NotFound { .. }) => {}
            Answer::Accepted(accepted) => match &mut found {
                None => found = Some(accepted),
                Some(first) => join(first, *accepted),
            },
            // Whether another queue granted it is open until this one answers.
            other => return Some(other),
        }
    }
    found.map(Answer::Accepted)
}

fn join(first: &mut Accepted, other: Accepted) {
    first.events.extend(other.events);
    first.leases.extend(other.leases);
    for (shard, offset) in other.position.marks {
        first.position.raise(shard, offset);
    }
}

/// The first queue that grants, or the empty answer of all.
async fn try_queues(
    service: &Service,
    submission: &Submission,
    queues: &[Stream],
    deadline: Instant,
) -> Answer {
    let mut none: Option<Box<Accepted>> = None;
    for queue in queues {
        match service.ask(Mode::Execute, to(submission, queue), deadline).await {
            Answer::Accepted(accepted) if accepted.events.is_empty() => match &mut none {
                None => none = Some(accepted),
                Some(first) => join(first, *accepted),
            },
            answer => return answer,
        }
    }
    none.map_or(Answer::Unknown, Answer::Accepted)
}

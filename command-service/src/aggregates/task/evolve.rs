//! How events change a task: one `next` per life stage, so that each says what it can meet.

use std::sync::Arc;

use schemas::task::{Stage, TaskAssigned, TaskCreated, TaskEvent as E, TaskQueued, TaskUpdated};

use super::state::{
    Assigned, Cancel, DeadLettered, Failed, Failure, Lease, Life, Pending, Queued, RetryWait, Running, Task,
    Work,
};
use super::time_out;

impl Task {
    /// The state after the first event.
    pub(super) fn created(event: &TaskCreated) -> Self {
        let work = Arc::new(Work {
            queue: event.queue.clone(),
            kind: event.kind.clone(),
            title: event.title.clone(),
            payload: event.payload.clone(),
            priority: event.priority,
            deadline: event.deadline,
            policy: event.policy,
        });
        let held = event.hold || !event.depends_on.is_empty();
        let life = Life::Pending(Pending { work, held, run_at: event.run_at });
        Self { issued: 0, refused: Vec::new(), redrives: 0, life }
    }

    /// The state after a later event.
    pub(super) fn apply(mut self, event: &E) -> Self {
        match (&self.life, event) {
            (Life::Queued(_), E::TaskAssigned(assigned)) => self.issued = assigned.fencing_token,
            (Life::DeadLettered(_), E::TaskRedriven(redriven)) => self.redrives = redriven.redrive_count,
            (_, E::StaleTokenRefused(refused)) if !self.refused.contains(&refused.given) => {
                self.refused.push(refused.given);
            }
            _ => {}
        }
        Self { life: self.life.next(event), ..self }
    }
}

impl Life {
    fn next(self, event: &E) -> Self {
        match self {
            Self::Pending(pending) => pending.next(event),
            Self::Queued(queued) => queued.next(event),
            Self::Assigned(assigned) => assigned.next(event),
            Self::Running(running) => running.next(event),
            Self::RetryWait(waiting) => waiting.next(event),
            Self::Failed(failed) => failed.next(event),
            Self::DeadLettered(dead) => dead.next(event),
            Self::Succeeded => match event {
                E::CompensationStarted(_) => Self::Compensating,
                _ => Self::Succeeded,
            },
            Self::Compensating => match event {
                E::TaskCompensated(_) => Self::Compensated,
                E::CompensationFailed(_) => Self::CompensationFailed,
                _ => Self::Compensating,
            },
            ended => ended,
        }
    }
}

impl Pending {
    fn next(mut self, event: &E) -> Life {
        match event {
            E::TaskQueued(queued) => queue(self.work, 0, queued),
            E::TaskUpdated(updated) => {
                Arc::make_mut(&mut self.work).update(updated);
                Life::Pending(self)
            }
            E::HoldLifted(_) => Life::Pending(Self { held: false, ..self }),
            E::TaskTimedOut(_) => timed_out(self.work),
            E::TaskCancelled(_) => Life::Cancelled,
            _ => Life::Pending(self),
        }
    }
}

impl Queued {
    fn next(mut self, event: &E) -> Life {
        match event {
            E::TaskAssigned(assigned) => Life::Assigned(Assigned { work: self.work, lease: lease(assigned) }),
            E::TaskUpdated(updated) => {
                Arc::make_mut(&mut self.work).update(updated);
                Life::Queued(self)
            }
            E::TaskTimedOut(_) => timed_out(self.work),
            E::TaskCancelled(_) => Life::Cancelled,
            _ => Life::Queued(self),
        }
    }
}

impl Assigned {
    fn next(mut self, event: &E) -> Life {
        match event {
            E::TaskStarted(_) => {
                Life::Running(Running { work: self.work, lease: self.lease, progress: 0, cancel: None })
            }
            E::LeaseRenewed(renewed) => {
                self.lease.expires_at = renewed.lease_expires_at;
                Life::Assigned(self)
            }
            // Nothing was begun, so the attempt is not spent.
            E::TaskQueued(queued) => queue(self.work, self.lease.attempt.saturating_sub(1), queued),
            E::TaskTimedOut(_) => timed_out(self.work),
            E::TaskCancelled(_) => Life::Cancelled,
            // An expiry or a release changes nothing alone: the event after it in the same commit does.
            _ => Life::Assigned(self),
        }
    }
}

impl Running {
    fn next(mut self, event: &E) -> Life {
        match event {
            E::TaskProgressed(progressed) => Life::Running(Self { progress: progressed.progress, ..self }),
            E::LeaseRenewed(renewed) => {
                self.lease.expires_at = renewed.lease_expires_at;
                Life::Running(self)
            }
            E::TaskCancelRequested(request) => {
                let cancel = Cancel { reason: request.reason.clone(), grace_until: request.grace_until };
                Life::Running(Self { cancel: Some(Box::new(cancel)), ..self })
            }
            E::RetryScheduled(retry) => Life::RetryWait(RetryWait {
                work: self.work,
                attempts: retry.attempt,
                next_run_at: retry.next_run_at,
            }),
            E::TaskFailed(failed) => {
                let (stage, reason, error) = (failed.stage, failed.reason.clone(), failed.error.clone());
                fail(self.work, Failure { stage, reason, error })
            }
            E::TaskSucceeded(_) => Life::Succeeded,
            E::TaskTimedOut(_) => timed_out(self.work),
            E::TaskCancelled(_) => Life::Cancelled,
            _ => Life::Running(self),
        }
    }
}

impl RetryWait {
    fn next(self, event: &E) -> Life {
        match event {
            E::TaskQueued(queued) => queue(self.work, self.attempts, queued),
            E::TaskTimedOut(_) => timed_out(self.work),
            E::TaskCancelled(_) => Life::Cancelled,
            _ => Life::RetryWait(self),
        }
    }
}

impl Failed {
    fn next(self, event: &E) -> Life {
        match event {
            E::TaskDeadLettered(_) => Life::DeadLettered(DeadLettered { work: self.work }),
            E::CompensationStarted(_) => Life::Compensating,
            _ => Life::Failed(self),
        }
    }
}

impl DeadLettered {
    fn next(mut self, event: &E) -> Life {
        match event {
            E::TaskRedriven(redriven) => {
                Arc::make_mut(&mut self.work).deadline = redriven.deadline;
                Life::DeadLettered(self)
            }
            E::TaskQueued(queued) => queue(self.work, 0, queued),
            E::TaskDiscarded(_) => Life::Discarded,
            _ => Life::DeadLettered(self),
        }
    }
}

impl Work {
    fn update(&mut self, event: &TaskUpdated) {
        if let Some(title) = &event.title {
            self.title = title.clone();
        }
        if let Some(priority) = event.priority {
            self.priority = priority;
        }
        if let Some(payload) = &event.payload {
            self.payload = payload.clone();
        }
    }
}

fn queue(work: Arc<Work>, attempts: u32, event: &TaskQueued) -> Life {
    Life::Queued(Queued { work, attempts, enqueued_at: event.enqueued_at })
}

fn lease(event: &TaskAssigned) -> Lease {
    Lease {
        worker: event.worker.clone(),
        id: event.lease_id,
        token: event.fencing_token,
        attempt: event.attempt,
        expires_at: event.lease_expires_at,
    }
}

fn fail(work: Arc<Work>, failure: Failure) -> Life {
    Life::Failed(Failed { work, failure: Box::new(failure) })
}

fn timed_out(work: Arc<Work>) -> Life {
    fail(work, Failure { stage: Stage::Timeout, reason: time_out::REASON.to_owned(), error: None })
}

//! A unit of work under a lease (M-8).
//!
//! One file per transition in `task/`; the table of all of them is [`schemas::task::TASK_TRANSITIONS`].

mod asked;
mod assign;
mod backoff;
mod cancel;
mod compensate;
mod complete;
mod create;
mod dead_letter;
mod deadline;
mod enqueue;
mod evolve;
mod expire_lease;
mod fail;
mod make_due;
#[cfg(test)]
mod model;
mod progress;
#[cfg(test)]
pub(crate) mod properties;
mod release;
mod renew;
#[cfg(test)]
pub(crate) mod samples;
mod stale;
mod start;
mod state;
mod time_out;
mod update;
mod view;

use chrono::{DateTime, Utc};
use schemas::task::{TaskCommand, TaskEvent};

use super::{Aggregate, Context, Refusal};
use asked::Asked;
pub use state::Task;
pub use view::{LeaseView, Ready};

/// What a transition answers.
type Decision = Result<Vec<TaskEvent>, Refusal>;

impl Aggregate for Task {
    type Command = TaskCommand;
    type Event = TaskEvent;

    const TYPE: &'static str = "task";

    fn decide(state: Option<&Self>, command: &TaskCommand, context: Context<'_>) -> Decision {
        use TaskCommand as C;
        let Some(task) = state else {
            return match command {
                C::CreateTask(create) => create::create(create, context),
                _ => Err(Refusal::NotFound { aggregate: Self::TYPE }),
            };
        };
        let asked = Asked { task, command: command.name(), context };
        match command {
            C::CreateTask(_) => Err(Refusal::AlreadyExists { aggregate: Self::TYPE }),
            C::EnqueueTask(_) => enqueue::enqueue(asked),
            C::UpdateTask(update) => update::update(asked, update),
            C::ClaimTasks(claim) => assign::assign(asked, &claim.worker),
            C::AssignTask(assign) => assign::assign(asked, &assign.worker),
            C::StartTask(start) => start::start(asked, start),
            C::ReportProgress(report) => progress::report(asked, report),
            C::RenewLease(renew) => renew::renew(asked, renew),
            C::ReleaseTask(release) => release::release(asked, release),
            C::CompleteTask(complete) => complete::complete(asked, complete),
            C::FailTask(fail) => fail::fail(asked, fail),
            C::CancelTask(cancel) => cancel::cancel(asked, cancel),
            C::AcknowledgeCancel(acknowledge) => cancel::acknowledge(asked, acknowledge),
            C::ElapseGrace(_) => cancel::elapse_grace(asked),
            C::DeadLetterTask(_) => dead_letter::set_aside(asked),
            C::RedriveTask(redrive) => dead_letter::redrive(asked, redrive),
            C::DiscardTask(discard) => dead_letter::discard(asked, discard),
            C::CompensateTask(compensate) => compensate::begin(asked, compensate),
            C::CompleteCompensation(_) => compensate::complete(asked),
            C::FailCompensation(fail) => compensate::fail(asked, fail),
            C::ExpireLease(expire) => expire_lease::expire(asked, expire),
            C::MakeDue(_) => make_due::make_due(asked),
            C::TimeOutTask(_) => time_out::time_out(asked),
        }
    }

    fn evolve(state: Option<Self>, event: &TaskEvent) -> Option<Self> {
        match (state, event) {
            (None, TaskEvent::TaskCreated(created)) => Some(Self::created(created)),
            (None, _) => None,
            (Some(task), event) => Some(task.apply(event)),
        }
    }

    fn deadline(&self) -> Option<(DateTime<Utc>, TaskCommand)> {
        deadline::deadline(self)
    }

    fn stage(&self) -> &'static str {
        self.life.name()
    }
}

//! The contract of `task`, the unit of work under a lease (M-8).

mod commands;
mod events;
mod policy;
mod transitions;

pub use commands::*;
pub use events::*;
pub use policy::*;
pub use transitions::TASK_TRANSITIONS;

use crate::contract::Address::{Act, Collection, Create, Internal};
use crate::contract::contract;

contract! {
    aggregate "task" in "work" at "tasks";
    commands TaskCommand {
        CreateTask = "task.create" Create, "Creates a task; it is queued at once unless it is held or runs later.";
        EnqueueTask = "task.enqueue" Act("enqueue"), "Queues a task that was held back.";
        UpdateTask = "task.update" Act("update"), "Changes a task that no worker holds yet.";
        ClaimTasks = "task.claim" Collection("claim"), "Leases the most urgent tasks of the named queues to a worker.";
        AssignTask = "task.assign" Act("assign"), "Leases this task to the named worker.";
        StartTask = "task.start" Act("start"), "The lease holder begins to work.";
        ReportProgress = "task.progress" Act("progress"), "The lease holder reports how far it is.";
        RenewLease = "task.renew" Act("renew"), "The lease holder keeps its lease alive.";
        ReleaseTask = "task.release" Act("release"), "The lease holder gives the task back unworked.";
        CompleteTask = "task.complete" Act("complete"), "The lease holder hands in the result.";
        FailTask = "task.fail" Act("fail"), "The lease holder reports a failure.";
        CancelTask = "task.cancel" Act("cancel"), "Cancels a task; a running one gets a grace period.";
        AcknowledgeCancel = "task.acknowledge_cancel" Act("acknowledge-cancel"), "The lease holder has stopped working on a cancelled task.";
        DeadLetterTask = "task.dead_letter" Act("dead-letter"), "Sets a failed task aside for a person.";
        RedriveTask = "task.redrive" Act("redrive"), "Queues a dead-lettered task again with fresh attempts.";
        DiscardTask = "task.discard" Act("discard"), "Gives a dead-lettered task up for good.";
        CompensateTask = "task.compensate" Act("compensate"), "Begins to undo what the task did.";
        CompleteCompensation = "task.complete_compensation" Act("complete-compensation"), "The task's effects are undone.";
        FailCompensation = "task.fail_compensation" Act("fail-compensation"), "The task's effects could not be undone.";
        ExpireLease = "task.expire_lease" Internal, "The lease ran out.";
        MakeDue = "task.make_due" Internal, "The instant at which the task may be queued has come.";
        ElapseGrace = "task.elapse_grace" Internal, "The grace period of a cancelled task is over.";
        TimeOutTask = "task.time_out" Internal, "The task's deadline has passed.";
    }
    events TaskEvent {
        TaskCreated = "gesta.work.task.created.v1" rev 1;
        TaskUpdated = "gesta.work.task.updated.v1" rev 1;
        HoldLifted = "gesta.work.task.hold_lifted.v1" rev 1;
        TaskQueued = "gesta.work.task.queued.v1" rev 1;
        TaskAssigned = "gesta.work.task.assigned.v1" rev 1;
        TaskStarted = "gesta.work.task.started.v1" rev 1;
        TaskProgressed = "gesta.work.task.progressed.v1" rev 1;
        LeaseRenewed = "gesta.work.task.lease_renewed.v1" rev 1;
        LeaseExpired = "gesta.work.task.lease_expired.v1" rev 1;
        TaskReleased = "gesta.work.task.released.v1" rev 1;
        RetryScheduled = "gesta.work.task.retry_scheduled.v1" rev 1;
        TaskSucceeded = "gesta.work.task.succeeded.v1" rev 1;
        TaskFailed = "gesta.work.task.failed.v1" rev 1;
        TaskTimedOut = "gesta.work.task.timed_out.v1" rev 1;
        TaskCancelRequested = "gesta.work.task.cancel_requested.v1" rev 1;
        TaskCancelled = "gesta.work.task.cancelled.v1" rev 1;
        TaskDeadLettered = "gesta.work.task.dead_lettered.v1" rev 1;
        TaskRedriven = "gesta.work.task.redriven.v1" rev 1;
        TaskDiscarded = "gesta.work.task.discarded.v1" rev 1;
        CompensationStarted = "gesta.work.task.compensation_started.v1" rev 1;
        TaskCompensated = "gesta.work.task.compensated.v1" rev 1;
        CompensationFailed = "gesta.work.task.compensation_failed.v1" rev 1;
        StaleTokenRefused = "gesta.work.task.stale_token_refused.v1" rev 1;
    }
}

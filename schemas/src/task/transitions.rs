//! The transitions of a task as data. Documents and `allowedCommands` are made from it, and a test of the command
//! service holds it and `decide` together, in both directions.

use crate::contract::{Transition, transition as row};

const CREATED: &str = "gesta.work.task.created.v1";
const UPDATED: &str = "gesta.work.task.updated.v1";
const HOLD_LIFTED: &str = "gesta.work.task.hold_lifted.v1";
const QUEUED: &str = "gesta.work.task.queued.v1";
const ASSIGNED: &str = "gesta.work.task.assigned.v1";
const STARTED: &str = "gesta.work.task.started.v1";
const PROGRESSED: &str = "gesta.work.task.progressed.v1";
const LEASE_RENEWED: &str = "gesta.work.task.lease_renewed.v1";
const LEASE_EXPIRED: &str = "gesta.work.task.lease_expired.v1";
const RELEASED: &str = "gesta.work.task.released.v1";
const RETRY_SCHEDULED: &str = "gesta.work.task.retry_scheduled.v1";
const SUCCEEDED: &str = "gesta.work.task.succeeded.v1";
const FAILED: &str = "gesta.work.task.failed.v1";
const TIMED_OUT: &str = "gesta.work.task.timed_out.v1";
const CANCEL_REQUESTED: &str = "gesta.work.task.cancel_requested.v1";
const CANCELLED: &str = "gesta.work.task.cancelled.v1";
const DEAD_LETTERED: &str = "gesta.work.task.dead_lettered.v1";
const REDRIVEN: &str = "gesta.work.task.redriven.v1";
const DISCARDED: &str = "gesta.work.task.discarded.v1";
const COMPENSATION_STARTED: &str = "gesta.work.task.compensation_started.v1";
const COMPENSATED: &str = "gesta.work.task.compensated.v1";
const COMPENSATION_FAILED: &str = "gesta.work.task.compensation_failed.v1";

const LEASE: &str = "the token is that of the live lease";

/// Every transition of a task (M-8).
pub const TASK_TRANSITIONS: &[Transition] = &[
    row(
        "-",
        "task.create",
        &[CREATED, QUEUED],
        "queued",
        "not held, no dependencies, `runAt` absent or not in the future",
    ),
    row("-", "task.create", &[CREATED], "pending", "held, or with dependencies, or `runAt` in the future"),
    row("pending", "task.enqueue", &[QUEUED], "queued", "`runAt` absent or not in the future"),
    row("pending", "task.enqueue", &[HOLD_LIFTED], "pending", "held, and `runAt` in the future"),
    row("pending", "task.make_due", &[QUEUED], "queued", "not held, and `runAt` has come"),
    row("pending", "task.update", &[UPDATED], "pending", "at least one field is given"),
    row("pending", "task.cancel", &[CANCELLED], "cancelled", ""),
    row("pending", "task.time_out", &[TIMED_OUT], "failed", "the deadline has passed"),
    row("queued", "task.claim", &[ASSIGNED], "assigned", ""),
    row("queued", "task.assign", &[ASSIGNED], "assigned", ""),
    row("queued", "task.update", &[UPDATED], "queued", "at least one field is given"),
    row("queued", "task.cancel", &[CANCELLED], "cancelled", ""),
    row("queued", "task.time_out", &[TIMED_OUT], "failed", "the deadline has passed"),
    row("assigned", "task.start", &[STARTED], "running", LEASE),
    row("assigned", "task.renew", &[LEASE_RENEWED], "assigned", "at most half of the lease is left"),
    row("assigned", "task.renew", &[], "assigned", "more than half of the lease is left"),
    row("assigned", "task.release", &[RELEASED, QUEUED], "queued", LEASE),
    row("assigned", "task.expire_lease", &[LEASE_EXPIRED, QUEUED], "queued", "the lease has run out"),
    row("assigned", "task.cancel", &[CANCELLED], "cancelled", ""),
    row("assigned", "task.time_out", &[TIMED_OUT], "failed", "the deadline has passed"),
    row("running", "task.progress", &[PROGRESSED], "running", "it rises"),
    row("running", "task.progress", &[], "running", "it does not rise"),
    row("running", "task.renew", &[LEASE_RENEWED], "running", "at most half of the lease is left"),
    row("running", "task.renew", &[], "running", "more than half of the lease is left"),
    row("running", "task.complete", &[SUCCEEDED], "succeeded", LEASE),
    row(
        "running",
        "task.fail",
        &[RETRY_SCHEDULED],
        "retry_wait",
        "retriable, attempts are left, no cancel was requested",
    ),
    row(
        "running",
        "task.fail",
        &[FAILED],
        "failed",
        "not retriable, or attempts spent, or a cancel was requested",
    ),
    row("running", "task.expire_lease", &[LEASE_EXPIRED, RETRY_SCHEDULED], "retry_wait", "attempts are left"),
    row("running", "task.expire_lease", &[LEASE_EXPIRED, FAILED], "failed", "attempts spent"),
    row("running", "task.expire_lease", &[LEASE_EXPIRED, CANCELLED], "cancelled", "a cancel was requested"),
    row("running", "task.cancel", &[CANCEL_REQUESTED], "running", "the first request"),
    row("running", "task.cancel", &[], "running", "a cancel was requested already"),
    row("running", "task.acknowledge_cancel", &[CANCELLED], "cancelled", "a cancel was requested"),
    row(
        "running",
        "task.elapse_grace",
        &[CANCELLED],
        "cancelled",
        "a cancel was requested and its grace is over",
    ),
    row("running", "task.time_out", &[TIMED_OUT], "failed", "the deadline has passed"),
    row("retry_wait", "task.make_due", &[QUEUED], "queued", "the wait is over"),
    row("retry_wait", "task.cancel", &[CANCELLED], "cancelled", ""),
    row("retry_wait", "task.time_out", &[TIMED_OUT], "failed", "the deadline has passed"),
    row("succeeded", "task.compensate", &[COMPENSATION_STARTED], "compensating", ""),
    row("failed", "task.dead_letter", &[DEAD_LETTERED], "dead_lettered", ""),
    row("failed", "task.compensate", &[COMPENSATION_STARTED], "compensating", ""),
    row("dead_lettered", "task.redrive", &[REDRIVEN, QUEUED], "queued", ""),
    row("dead_lettered", "task.discard", &[DISCARDED], "discarded", ""),
    row("compensating", "task.complete_compensation", &[COMPENSATED], "compensated", ""),
    row("compensating", "task.fail_compensation", &[COMPENSATION_FAILED], "compensation_failed", ""),
];

//! The transitions of an agent as data. Documents and `allowedCommands` are made from it, and a test of the command
//! service holds it and `decide` together, in both directions.

use crate::contract::{Transition, transition as row};

const SPAWN_REQUESTED: &str = "gesta.fleet.agent.spawn_requested.v1";
const WORKTREE_CREATED: &str = "gesta.fleet.agent.worktree_created.v1";
const WORKTREE_FAILED: &str = "gesta.fleet.agent.worktree_failed.v1";
const SESSION_STARTED: &str = "gesta.fleet.agent.session_started.v1";
const SPAWN_FAILED: &str = "gesta.fleet.agent.spawn_failed.v1";
const INPUT_AWAITED: &str = "gesta.fleet.agent.input_awaited.v1";
const INPUT_RECEIVED: &str = "gesta.fleet.agent.input_received.v1";
const INPUT_TIMED_OUT: &str = "gesta.fleet.agent.input_timed_out.v1";
const PAUSED: &str = "gesta.fleet.agent.paused.v1";
const RESUMED: &str = "gesta.fleet.agent.resumed.v1";
const FAILED: &str = "gesta.fleet.agent.failed.v1";
const COMPLETION_STARTED: &str = "gesta.fleet.agent.completion_started.v1";
const RESULT_COMMITTED: &str = "gesta.fleet.agent.result_committed.v1";
const COMPLETED: &str = "gesta.fleet.agent.completed.v1";
const CLEANUP_FAILED: &str = "gesta.fleet.agent.cleanup_failed.v1";
const RETRIED: &str = "gesta.fleet.agent.retried.v1";
const KILLED: &str = "gesta.fleet.agent.killed.v1";
const RESTARTED: &str = "gesta.fleet.agent.restarted.v1";
const ARCHIVED: &str = "gesta.fleet.agent.archived.v1";
const HEARTBEAT_RECORDED: &str = "gesta.fleet.agent.heartbeat_recorded.v1";
const WENT_OFFLINE: &str = "gesta.fleet.agent.went_offline.v1";
const DRAIN_STARTED: &str = "gesta.fleet.agent.drain_started.v1";
const CAPABILITIES_DECLARED: &str = "gesta.fleet.agent.capabilities_declared.v1";

const NOT_ARCHIVED: &str = "not archived";
const ARCHIVED_ALREADY: &str = "archived already";
const HALF_IS_OVER: &str = "offline, or at most half of the liveness is left";
const HALF_IS_LEFT: &str = "more than half of the liveness is left";
const NOT_HEARD: &str = "its liveness has run out";
const NOT_DRAINING: &str = "not draining yet";
const DRAINING: &str = "draining already";

/// Every transition of an agent (M-4).
pub const AGENT_TRANSITIONS: &[Transition] = &[
    row("-", "agent.spawn", &[SPAWN_REQUESTED], "initializing", ""),
    row("initializing", "agent.record_worktree", &[WORKTREE_CREATED], "spawning", ""),
    row("initializing", "agent.fail_worktree", &[WORKTREE_FAILED], "failed", ""),
    row("initializing", "agent.kill", &[KILLED], "killed", ""),
    row("initializing", "agent.archive", &[KILLED, ARCHIVED], "killed", ""),
    row("initializing", "agent.drain", &[DRAIN_STARTED], "initializing", NOT_DRAINING),
    row("initializing", "agent.drain", &[], "initializing", DRAINING),
    row("initializing", "agent.declare_capabilities", &[CAPABILITIES_DECLARED], "initializing", ""),
    row("spawning", "agent.start_session", &[SESSION_STARTED], "executing", ""),
    row("spawning", "agent.fail_spawn", &[SPAWN_FAILED], "failed", ""),
    row("spawning", "agent.kill", &[KILLED], "killed", ""),
    row("spawning", "agent.archive", &[KILLED, ARCHIVED], "killed", ""),
    row("spawning", "agent.drain", &[DRAIN_STARTED], "spawning", NOT_DRAINING),
    row("spawning", "agent.drain", &[], "spawning", DRAINING),
    row("spawning", "agent.declare_capabilities", &[CAPABILITIES_DECLARED], "spawning", ""),
    row("executing", "agent.await_input", &[INPUT_AWAITED], "waiting", ""),
    row("executing", "agent.pause", &[PAUSED], "paused", ""),
    row("executing", "agent.report_error", &[FAILED], "failed", ""),
    row("executing", "agent.complete", &[COMPLETION_STARTED], "completing", ""),
    row("executing", "agent.restart", &[KILLED, RESTARTED], "initializing", ""),
    row("executing", "agent.kill", &[KILLED], "killed", ""),
    row("executing", "agent.archive", &[KILLED, ARCHIVED], "killed", ""),
    row("executing", "agent.drain", &[DRAIN_STARTED], "executing", NOT_DRAINING),
    row("executing", "agent.drain", &[], "executing", DRAINING),
    row("executing", "agent.declare_capabilities", &[CAPABILITIES_DECLARED], "executing", ""),
    row("executing", "agent.heartbeat", &[HEARTBEAT_RECORDED], "executing", HALF_IS_OVER),
    row("executing", "agent.heartbeat", &[], "executing", HALF_IS_LEFT),
    row("executing", "agent.expire_heartbeat", &[WENT_OFFLINE], "executing", NOT_HEARD),
    row("waiting", "agent.receive_input", &[INPUT_RECEIVED], "executing", ""),
    row("waiting", "agent.time_out_input", &[INPUT_TIMED_OUT], "failed", "the input did not come in time"),
    row("waiting", "agent.pause", &[PAUSED], "paused", ""),
    row("waiting", "agent.restart", &[KILLED, RESTARTED], "initializing", ""),
    row("waiting", "agent.kill", &[KILLED], "killed", ""),
    row("waiting", "agent.archive", &[KILLED, ARCHIVED], "killed", ""),
    row("waiting", "agent.drain", &[DRAIN_STARTED], "waiting", NOT_DRAINING),
    row("waiting", "agent.drain", &[], "waiting", DRAINING),
    row("waiting", "agent.declare_capabilities", &[CAPABILITIES_DECLARED], "waiting", ""),
    row("waiting", "agent.heartbeat", &[HEARTBEAT_RECORDED], "waiting", HALF_IS_OVER),
    row("waiting", "agent.heartbeat", &[], "waiting", HALF_IS_LEFT),
    row("waiting", "agent.expire_heartbeat", &[WENT_OFFLINE], "waiting", NOT_HEARD),
    row("paused", "agent.resume", &[RESUMED], "executing", "it was executing"),
    row("paused", "agent.resume", &[RESUMED], "waiting", "it was waiting"),
    row("paused", "agent.report_error", &[FAILED], "failed", ""),
    row("paused", "agent.complete", &[COMPLETION_STARTED], "completing", ""),
    row("paused", "agent.restart", &[KILLED, RESTARTED], "initializing", ""),
    row("paused", "agent.kill", &[KILLED], "killed", ""),
    row("paused", "agent.archive", &[KILLED, ARCHIVED], "killed", ""),
    row("paused", "agent.drain", &[DRAIN_STARTED], "paused", NOT_DRAINING),
    row("paused", "agent.drain", &[], "paused", DRAINING),
    row("paused", "agent.declare_capabilities", &[CAPABILITIES_DECLARED], "paused", ""),
    row("paused", "agent.heartbeat", &[HEARTBEAT_RECORDED], "paused", HALF_IS_OVER),
    row("paused", "agent.heartbeat", &[], "paused", HALF_IS_LEFT),
    row("paused", "agent.expire_heartbeat", &[WENT_OFFLINE], "paused", NOT_HEARD),
    row("completing", "agent.commit_result", &[RESULT_COMMITTED], "cleaning_up", ""),
    row("completing", "agent.finish_cleanup", &[COMPLETED], "completed", "nothing to clean"),
    row("completing", "agent.fail_cleanup", &[CLEANUP_FAILED], "failed", ""),
    row("completing", "agent.kill", &[KILLED], "killed", ""),
    row("completing", "agent.archive", &[KILLED, ARCHIVED], "killed", ""),
    row("completing", "agent.drain", &[DRAIN_STARTED], "completing", NOT_DRAINING),
    row("completing", "agent.drain", &[], "completing", DRAINING),
    row("completing", "agent.declare_capabilities", &[CAPABILITIES_DECLARED], "completing", ""),
    row("completing", "agent.heartbeat", &[HEARTBEAT_RECORDED], "completing", HALF_IS_OVER),
    row("completing", "agent.heartbeat", &[], "completing", HALF_IS_LEFT),
    row("completing", "agent.expire_heartbeat", &[WENT_OFFLINE], "completing", NOT_HEARD),
    row("cleaning_up", "agent.finish_cleanup", &[COMPLETED], "completed", ""),
    row("cleaning_up", "agent.fail_cleanup", &[CLEANUP_FAILED], "failed", ""),
    row("cleaning_up", "agent.kill", &[KILLED], "killed", ""),
    row("cleaning_up", "agent.archive", &[KILLED, ARCHIVED], "killed", ""),
    row("cleaning_up", "agent.drain", &[DRAIN_STARTED], "cleaning_up", NOT_DRAINING),
    row("cleaning_up", "agent.drain", &[], "cleaning_up", DRAINING),
    row("cleaning_up", "agent.declare_capabilities", &[CAPABILITIES_DECLARED], "cleaning_up", ""),
    row("cleaning_up", "agent.heartbeat", &[HEARTBEAT_RECORDED], "cleaning_up", HALF_IS_OVER),
    row("cleaning_up", "agent.heartbeat", &[], "cleaning_up", HALF_IS_LEFT),
    row("cleaning_up", "agent.expire_heartbeat", &[WENT_OFFLINE], "cleaning_up", NOT_HEARD),
    row("failed", "agent.retry", &[RETRIED], "executing", "retries are left, and not archived"),
    row("failed", "agent.kill", &[KILLED], "killed", NOT_ARCHIVED),
    row("completed", "agent.restart", &[RESTARTED], "initializing", NOT_ARCHIVED),
    row("completed", "agent.archive", &[ARCHIVED], "completed", NOT_ARCHIVED),
    row("completed", "agent.archive", &[], "completed", ARCHIVED_ALREADY),
    row("failed", "agent.restart", &[RESTARTED], "initializing", NOT_ARCHIVED),
    row("failed", "agent.archive", &[ARCHIVED], "failed", NOT_ARCHIVED),
    row("failed", "agent.archive", &[], "failed", ARCHIVED_ALREADY),
    row("killed", "agent.restart", &[RESTARTED], "initializing", NOT_ARCHIVED),
    row("killed", "agent.archive", &[ARCHIVED], "killed", NOT_ARCHIVED),
    row("killed", "agent.archive", &[], "killed", ARCHIVED_ALREADY),
];

//! The contract of `agent`: what works, with its lifecycle, liveness and capabilities (M-4, M-5).

mod commands;
mod events;
mod transitions;

pub use commands::*;
pub use events::*;
pub use transitions::AGENT_TRANSITIONS;

use crate::contract::Address::{Act, Create, Internal};
use crate::contract::contract;

contract! {
    aggregate "agent" in "fleet" at "agents";
    commands AgentCommand {
        SpawnAgent = "agent.spawn" Create, "Registers an agent; it is initializing until its worktree exists.";
        RecordWorktree = "agent.record_worktree" Act("worktree-created"), "The agent's worktree exists.";
        FailWorktree = "agent.fail_worktree" Act("worktree-failed"), "The agent's worktree could not be made.";
        StartSession = "agent.start_session" Act("session-started"), "The agent's session runs; it executes.";
        FailSpawn = "agent.fail_spawn" Act("spawn-failed"), "The agent's session could not be started.";
        AwaitInput = "agent.await_input" Act("await-input"), "The agent waits for input.";
        ReceiveInput = "agent.receive_input" Act("receive-input"), "The awaited input has come.";
        PauseAgent = "agent.pause" Act("pause"), "Pauses an executing or waiting agent.";
        ResumeAgent = "agent.resume" Act("resume"), "Resumes a paused agent where it was.";
        ReportError = "agent.report_error" Act("error"), "The agent met an error it cannot go on from.";
        CompleteAgent = "agent.complete" Act("complete"), "The agent's task is done.";
        CommitResult = "agent.commit_result" Act("commit-result"), "The agent's result is committed; cleaning up remains.";
        FinishCleanup = "agent.finish_cleanup" Act("finish-cleanup"), "The agent is cleaned up and completed.";
        FailCleanup = "agent.fail_cleanup" Act("fail-cleanup"), "Cleaning up failed.";
        RetryAgent = "agent.retry" Act("retry"), "Lets a failed agent execute again while retries are left.";
        KillAgent = "agent.kill" Act("kill"), "Kills the agent.";
        RestartAgent = "agent.restart" Act("restart"), "Kills the agent and begins a new incarnation of it.";
        ArchiveAgent = "agent.archive" Act("archive"), "Hides an ended agent from lists; its history stays.";
        RecordHeartbeat = "agent.heartbeat" Act("heartbeat"), "The agent is alive.";
        DrainAgent = "agent.drain" Act("drain"), "The agent takes no new work.";
        DeclareCapabilities = "agent.declare_capabilities" Act("declare-capabilities"), "Replaces the agent's capabilities and roles.";
        TimeOutInput = "agent.time_out_input" Internal, "The awaited input did not come in time.";
        ExpireHeartbeat = "agent.expire_heartbeat" Internal, "No heartbeat came in time.";
    }
    events AgentEvent {
        AgentSpawnRequested = "gesta.fleet.agent.spawn_requested.v1" rev 1;
        WorktreeCreated = "gesta.fleet.agent.worktree_created.v1" rev 1;
        WorktreeFailed = "gesta.fleet.agent.worktree_failed.v1" rev 1;
        SessionStarted = "gesta.fleet.agent.session_started.v1" rev 1;
        SpawnFailed = "gesta.fleet.agent.spawn_failed.v1" rev 1;
        InputAwaited = "gesta.fleet.agent.input_awaited.v1" rev 1;
        InputReceived = "gesta.fleet.agent.input_received.v1" rev 1;
        InputTimedOut = "gesta.fleet.agent.input_timed_out.v1" rev 1;
        AgentPaused = "gesta.fleet.agent.paused.v1" rev 1;
        AgentResumed = "gesta.fleet.agent.resumed.v1" rev 1;
        AgentFailed = "gesta.fleet.agent.failed.v1" rev 1;
        CompletionStarted = "gesta.fleet.agent.completion_started.v1" rev 1;
        ResultCommitted = "gesta.fleet.agent.result_committed.v1" rev 1;
        AgentCompleted = "gesta.fleet.agent.completed.v1" rev 1;
        CleanupFailed = "gesta.fleet.agent.cleanup_failed.v1" rev 1;
        AgentRetried = "gesta.fleet.agent.retried.v1" rev 1;
        AgentKilled = "gesta.fleet.agent.killed.v1" rev 1;
        AgentRestarted = "gesta.fleet.agent.restarted.v1" rev 1;
        AgentArchived = "gesta.fleet.agent.archived.v1" rev 1;
        HeartbeatRecorded = "gesta.fleet.agent.heartbeat_recorded.v1" rev 1;
        AgentWentOffline = "gesta.fleet.agent.went_offline.v1" rev 1;
        DrainStarted = "gesta.fleet.agent.drain_started.v1" rev 1;
        CapabilitiesDeclared = "gesta.fleet.agent.capabilities_declared.v1" rev 1;
    }
}

//! – → initializing.

use schemas::agent::{AgentSpawnRequested, SpawnAgent};

use super::Decision;
use super::asked::one;

/// Registers an agent.
pub(super) fn spawn(command: &SpawnAgent) -> Decision {
    let SpawnAgent {
        kind,
        label,
        model,
        task,
        team_id,
        config,
        context,
        code,
        reasoning,
        safety_boundaries,
        capabilities,
        roles,
        labels,
        max_retries,
        budget_limit,
        heartbeat_ms,
        metadata,
    } = command.clone();
    one(AgentSpawnRequested {
        kind,
        label,
        model,
        task,
        team_id,
        config,
        context,
        code,
        reasoning,
        safety_boundaries,
        capabilities,
        roles,
        labels,
        max_retries,
        budget_limit,
        heartbeat_ms,
        metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::agent::Agent;
    use crate::aggregates::agent::samples::{initializing, spawn as command};
    use crate::aggregates::given::given;
    use schemas::agent::{AgentEvent, AgentKind, DrainAgent};
    use schemas::problem::Code;

    /// AGENT-1, AGENT-13, M-5: everything that the client says stands in the event.
    #[test]
    fn an_agent_is_registered() {
        let then = given::<Agent>(&[]).when(0, command());
        let event = match then.decision.as_deref() {
            Ok([AgentEvent::AgentSpawnRequested(event)]) => serde_json::to_value(event).unwrap(),
            other => panic!("{other:?}"),
        };
        let expected = serde_json::json!({
            "kind": "executor", "label": "W", "model": "none", "task": "Count", "team_id": null,
            "config": {"temperature": 0.7}, "context": {}, "code": null, "reasoning": null,
            "safety_boundaries": {}, "capabilities": ["fs"], "roles": ["worker"], "labels": ["night"],
            "max_retries": 1, "budget_limit": "10.00", "heartbeat_ms": 10_000, "metadata": {"worktree": "w/1"},
        });
        assert_eq!(event, expected);
        assert_eq!(then.is("initializing").due(), None);
    }

    /// AGENT-29, M-5: what is left out has a default.
    #[test]
    fn what_is_left_out_has_a_default() {
        let command: SpawnAgent = serde_json::from_str(r#"{"model":"none"}"#).unwrap();
        assert_eq!((command.max_retries, command.heartbeat_ms), (3, 30_000));
        assert_eq!(command.kind, AgentKind::Executor);
        for kind in ["orchestrator", "codegen", "worker_manager", "indexing", "research", "knowledge"] {
            serde_json::from_str::<AgentKind>(&format!("{kind:?}")).unwrap();
        }
    }

    #[test]
    fn an_agent_is_registered_once() {
        initializing().when(1, command()).refused(Code::AlreadyExists, "this agent exists already");
        given::<Agent>(&[]).when(1, DrainAgent { reason: None }).refused(Code::NotFound, "no agent");
    }
}

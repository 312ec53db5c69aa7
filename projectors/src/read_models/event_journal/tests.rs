use crate::given::{agent, assigned, at, created, last, spawned, task};
use serde_json::json;

use super::*;

/// PLAT-23: the envelope's attributes, each in its column.
#[test]
fn an_event_has_its_attributes() {
    let events = task(vec![created().into(), assigned(1, 1).into()]);
    let row = last::<EventJournal>(&events);
    let id = events[1].aggregate_id();
    assert_eq!((row.r#type.as_str(), row.schema_version), ("gesta.work.task.assigned.v1", 1));
    assert_eq!((row.source.as_str(), row.subject), ("urn:gesta:work/task", format!("task/{id}")));
    assert_eq!((row.partition_key, row.aggregate_id, row.version), (format!("acme/task/{id}"), id, 2));
    assert_eq!(
        (row.correlation_id.as_str(), row.causation_id.as_str(), row.time),
        ("request-1", "c-0", at(1))
    );
    assert_eq!((row.command_id.as_str(), row.command_type.as_str()), ("c-1", "some.command"));
    assert_eq!(
        (row.actor_type.as_str(), row.actor_id.as_str(), row.user_id.as_deref()),
        ("user", "alice", Some("alice"))
    );
    assert_eq!(row.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!((row.agent_id.as_deref(), row.task_id, row.team_id), (Some("w-1"), Some(id), None));
    assert_eq!((row.log_generation, row.shard, row.log_offset, row.event_index), (1, 3, 11, 0));
    assert_eq!((row.position.as_str(), row.event_id), ("1.3.11.0", events[1].id()));
    assert_eq!(row.data.value()["worker"], json!("w-1"));
}

#[test]
fn an_event_of_an_agent_names_it() {
    let events = agent(vec![spawned().into()]);
    let row = last::<EventJournal>(&events);
    assert_eq!((row.agent_id, row.task_id), (Some(events[0].aggregate_id().to_string()), None));
    assert_eq!(row.source, "urn:gesta:fleet/agent");
}

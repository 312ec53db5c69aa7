use schemas::agent::{AgentKilled, AgentRestarted, WorktreeCreated};
use schemas::task::*;

use super::*;
use crate::event::Event;
use crate::given::{agent, assigned, at, created, last, rows, spawned, task};
use crate::read_models::{EventJournal, StateTransitions};

fn queued(because: QueuedBecause) -> TaskEvent {
    TaskQueued { because, enqueued_at: at(1) }.into()
}

/// Two leases, a change that changes nothing, and a failure.
fn life() -> Vec<Event> {
    let (description, priority, payload) = (None, None, None);
    let updated = TaskUpdated { title: Some("again".into()), description, priority, payload };
    let estimated_completion = None;
    let progressed = TaskProgressed { fencing_token: 2, progress: 40, note: None, estimated_completion };
    task(vec![
        created().into(),
        queued(QueuedBecause::Created),
        updated.clone().into(),
        updated.into(),
        assigned(1, 1).into(),
        TaskReleased { fencing_token: 1, reason: None }.into(),
        queued(QueuedBecause::Released),
        assigned(2, 1).into(),
        TaskStarted { fencing_token: 2 }.into(),
        progressed.into(),
        TaskFailed { attempt: 1, stage: Stage::Execute, reason: "r".into(), error: None }.into(),
    ])
}

fn journalled(event: &Event) -> EventJournalRow {
    EventJournal::fold(None, event).unwrap()
}

/// PLAT-7: every column of every row has after each event the value that the projection writes.
fn follows_the_rows<P: Projection>(events: &[Event], id: Uuid, is: impl Fn(&P::Row) -> bool) {
    for column in P::TABLE.columns {
        let mut trace = trace(P::NAME, column.name, id).unwrap();
        for (index, event) in events.iter().enumerate() {
            let stood = rows::<P>(&events[..=index]).into_iter().rfind(|row| is(row));
            let expected = stood.map(|row| column.value(&row));
            assert_eq!(trace(&journalled(event)).unwrap(), expected, "{} after event {index}", column.name);
        }
    }
}

#[test]
fn a_trace_gives_what_the_projection_writes() {
    let events = life();
    let id = events[0].aggregate_id();
    follows_the_rows::<TaskList>(&events, id, |_| true);
    for lease in [1, 2].map(Uuid::from_u128) {
        follows_the_rows::<TaskAttempts>(&events, lease, |row| row.lease_id == lease);
    }
    let moved = last::<StateTransitions>(&events).event_id;
    follows_the_rows::<StateTransitions>(&events, moved, |row| row.event_id == moved);
    let events = agent(vec![
        spawned().into(),
        WorktreeCreated { path: "/w".into() }.into(),
        AgentKilled { reason: Some("why".into()) }.into(),
        AgentRestarted { incarnation: 2, reason: None }.into(),
    ]);
    follows_the_rows::<AgentList>(&events, events[0].aggregate_id(), |_| true);
}

#[test]
fn what_has_no_stream_or_column_has_no_trace() {
    for (table, column) in [("task_list", "colour"), ("queue_depth", "queued"), ("event_journal", "data")] {
        assert!(trace(table, column, Uuid::nil()).is_none(), "{table}.{column}");
    }
}

#[test]
fn a_row_that_is_no_event_is_named() {
    let mut row = journalled(&life()[0]);
    row.r#type = "gesta.work.task.sung.v1".to_owned();
    let error = trace("task_list", "title", row.aggregate_id).unwrap()(&row).unwrap_err();
    assert!(error.to_string().contains("sung"), "{error}");
    row.position = "1.2".to_owned();
    let error = trace("task_list", "title", row.aggregate_id).unwrap()(&row).unwrap_err();
    assert!(error.to_string().contains("position"), "{error}");
}

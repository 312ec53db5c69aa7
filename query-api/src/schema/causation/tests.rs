use chrono::Utc;
use migrations::EventJournalRow;
use schemas::ids::Tenant;
use uuid::Uuid;

use super::{CausationKind, Tree};

fn event(number: u128, offset: i64, index: i32, cause: &str) -> EventJournalRow {
    EventJournalRow {
        tenant: Tenant::new("acme").unwrap(),
        aggregate_type: "task".into(),
        aggregate_id: Uuid::from_u128(1),
        version: offset,
        event_id: Uuid::from_u128(number),
        r#type: format!("e{number}"),
        schema_version: 1,
        source: String::new(),
        subject: String::new(),
        partition_key: String::new(),
        time: Utc::now(),
        correlation_id: "c".into(),
        causation_id: cause.into(),
        command_id: format!("command-{offset}"),
        command_type: String::new(),
        actor_type: "user".into(),
        actor_id: "a".into(),
        user_id: None,
        traceparent: None,
        trace_id: None,
        agent_id: None,
        team_id: None,
        task_id: None,
        session_id: None,
        data: migrations::JsonText::of(&serde_json::json!({})),
        log_generation: 1,
        shard: 0,
        log_offset: offset,
        event_index: index,
        position: String::new(),
    }
}

fn id(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

/// One letter per step in preorder, indented by depth.
fn drawn(tree: &Tree) -> Vec<String> {
    let draw = |step: &super::Step| {
        let row = &tree.rows[step.row];
        let name = if step.kind == CausationKind::Command { &row.command_id } else { &row.r#type };
        format!("{}{name}", " ".repeat(step.depth as usize))
    };
    tree.steps.iter().map(draw).collect()
}

#[test]
fn commands_stand_below_the_event_that_caused_them() {
    let tree = Tree::grow(vec![
        event(1, 1, 0, "external"),
        event(2, 1, 1, "external"),
        event(3, 2, 0, &id(1)),
        event(4, 3, 0, &id(1)),
        event(5, 4, 0, &id(4)),
    ]);
    let expected = [
        "command-1",
        " e1",
        "  command-2",
        "   e3",
        "  command-3",
        "   e4",
        "    command-4",
        "     e5",
        " e2",
    ];
    assert_eq!(drawn(&tree), expected);
    assert!(!tree.truncated);
}

/// A client names any cause it likes.
#[test]
fn a_claimed_circle_ends() {
    let tree = Tree::grow(vec![event(1, 1, 0, &id(2)), event(2, 2, 0, &id(1)), event(3, 3, 0, &id(3))]);
    assert_eq!(drawn(&tree), ["command-3", " e3", "command-1", " e1", "  command-2", "   e2"]);
}

#[test]
fn a_tree_is_bounded_and_may_be_a_long_chain() {
    let rows = (1..=1_001).map(|n| event(n, n as i64, 0, &id(n - 1))).collect();
    let tree = Tree::grow(rows);
    assert!(tree.truncated);
    assert_eq!((tree.rows.len(), tree.steps.len(), tree.steps[1_999].depth), (1_000, 2_000, 1_999));
}

//! `queue_depth`: how many tasks of a queue are in each state, per shard.

use migrations::table::Table;
use migrations::{QUEUE_DEPTH, QueueDepthRow, TaskListRow};
use schemas::ids::Tenant;
use schemas::position::Position;

use crate::event::Event;
use crate::projection::{KeyArray, Projection};

/// The read model. It is folded from the moves of tasks between states, which `task_list` yields
/// while it folds: an event of a task names neither its queue nor the state before.
#[derive(Debug)]
pub struct QueueDepth;

/// One task moved from one state to another.
#[derive(Debug, Clone)]
pub struct TaskMove {
    /// The event that moved it.
    pub event: Event,
    /// Its queue.
    pub queue: String,
    /// State before; none for a new task.
    pub from: Option<String>,
    /// State after.
    pub to: String,
}

impl TaskMove {
    /// The move between two rows of a task, if there is one.
    #[must_use]
    pub fn between(from: Option<String>, row: &TaskListRow, event: &Event) -> Option<Self> {
        let moved = from.as_deref() != Some(&row.state);
        moved.then(|| Self { event: event.clone(), queue: row.queue.clone(), from, to: row.state.clone() })
    }
}

impl Projection<TaskMove> for QueueDepth {
    type Key = (Tenant, String, i32);
    type Row = QueueDepthRow;

    const NAME: &'static str = "queue_depth";
    const READS: &'static [&'static str] = &["task"];
    const TABLE: &'static Table<QueueDepthRow> = QUEUE_DEPTH;

    fn key(moved: &TaskMove) -> Option<Self::Key> {
        let shard = moved.event.position().shard.into();
        Some((moved.event.tenant().clone(), moved.queue.clone(), shard))
    }

    fn key_of(row: &QueueDepthRow) -> Self::Key {
        (row.tenant.clone(), row.queue.clone(), row.shard)
    }

    fn arrays(keys: &[Self::Key]) -> Vec<KeyArray> {
        vec![
            KeyArray::Text(keys.iter().map(|(tenant, ..)| tenant.as_str().to_owned()).collect()),
            KeyArray::Text(keys.iter().map(|(_, queue, _)| queue.clone()).collect()),
            KeyArray::Integer(keys.iter().map(|(.., shard)| *shard).collect()),
        ]
    }

    fn is_first(_: &TaskMove) -> bool {
        false
    }

    fn fold(row: Option<QueueDepthRow>, moved: &TaskMove) -> Option<QueueDepthRow> {
        let mut row = row.unwrap_or_else(|| empty(moved));
        if let Some(from) = moved.from.as_deref().and_then(|from| counter(&mut row, from)) {
            *from -= 1;
        }
        if let Some(to) = counter(&mut row, &moved.to) {
            *to += 1;
        }
        row.version += 1;
        // What waited as a dead letter comes late: the counts commute, and the last change is the last in the log.
        let position = moved.event.position();
        if row.position.parse().is_ok_and(|last: Position| last > position) {
            return Some(row);
        }
        row.updated_at = moved.event.at();
        row.event_id = moved.event.id();
        row.position = position.to_string();
        Some(row)
    }
}

fn counter<'a>(row: &'a mut QueueDepthRow, state: &str) -> Option<&'a mut i64> {
    Some(match state {
        "pending" => &mut row.pending,
        "queued" => &mut row.queued,
        "assigned" => &mut row.assigned,
        "running" => &mut row.running,
        "retry_wait" => &mut row.retry_wait,
        "succeeded" => &mut row.succeeded,
        "failed" => &mut row.failed,
        "dead_lettered" => &mut row.dead_lettered,
        "discarded" => &mut row.discarded,
        "cancelled" => &mut row.cancelled,
        "compensating" => &mut row.compensating,
        "compensated" => &mut row.compensated,
        "compensation_failed" => &mut row.compensation_failed,
        _ => return None,
    })
}

fn empty(moved: &TaskMove) -> QueueDepthRow {
    QueueDepthRow {
        tenant: moved.event.tenant().clone(),
        queue: moved.queue.clone(),
        shard: moved.event.position().shard.into(),
        pending: 0,
        queued: 0,
        assigned: 0,
        running: 0,
        retry_wait: 0,
        succeeded: 0,
        failed: 0,
        dead_lettered: 0,
        discarded: 0,
        cancelled: 0,
        compensating: 0,
        compensated: 0,
        compensation_failed: 0,
        updated_at: moved.event.at(),
        version: 0,
        event_id: moved.event.id(),
        position: String::new(),
    }
}

#[cfg(test)]
mod tests;

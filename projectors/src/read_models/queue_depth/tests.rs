use schemas::task::*;

use super::*;
use crate::given::{assigned, at, created, task};
use crate::read_models::TaskList;

/// TASK-25: each task is counted in exactly one state; the depth is what waits.
#[test]
fn a_task_is_counted_where_it_is() {
    let events = task(vec![
        created().into(),
        TaskQueued { because: QueuedBecause::Created, enqueued_at: at(1) }.into(),
        assigned(1, 1).into(),
        TaskStarted { fencing_token: 1 }.into(),
        LeaseRenewed { fencing_token: 1, lease_expires_at: at(90) }.into(),
        TaskSucceeded { fencing_token: 1, result: serde_json::Map::new() }.into(),
    ]);
    let (mut list, mut depth) = (None, None);
    let mut seen = Vec::new();
    for event in &events {
        let from = list.as_ref().map(|row: &TaskListRow| row.state.clone());
        list = TaskList::fold(list, event);
        if let Some(moved) = TaskMove::between(from, list.as_ref().unwrap(), event) {
            depth = QueueDepth::fold(depth, &moved);
        }
        let row: &QueueDepthRow = depth.as_ref().unwrap();
        let counts = [row.pending, row.queued, row.assigned, row.running, row.succeeded];
        assert_eq!(counts.iter().sum::<i64>(), 1, "{row:?}");
        seen.push((counts.iter().position(|count| *count == 1).unwrap(), row.version));
    }
    assert_eq!(seen, [(0, 1), (1, 2), (2, 3), (3, 4), (3, 4), (4, 5)]);
    let row = depth.unwrap();
    assert_eq!((row.queue.as_str(), row.shard, row.position.as_str()), ("default", 3, "1.3.15.0"));
}

//! running: how far the work is. It never falls, and only a rise is an event (TASK-23).

use schemas::task::{ReportProgress, TaskProgressed};

use super::Decision;
use super::asked::{Asked, guard, one};
use crate::aggregates::instant;

const DONE_PERCENT: u8 = 100;

/// The lease holder reports.
pub(super) fn report(asked: Asked<'_>, command: &ReportProgress) -> Decision {
    let running = asked.running(command.fencing_token)?;
    if command.progress > DONE_PERCENT {
        return Err(guard("/progress", "is a percentage, 0 to 100"));
    }
    let estimated_completion = instant::given("/estimatedCompletion", command.estimated_completion)?;
    if command.progress <= running.progress {
        return Ok(Vec::new());
    }
    one(TaskProgressed {
        fencing_token: command.fencing_token,
        progress: command.progress,
        note: command.note.clone(),
        estimated_completion,
    })
}

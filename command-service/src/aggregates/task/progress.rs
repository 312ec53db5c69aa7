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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::second;
    use crate::aggregates::task::samples::{assigned, running};
    use schemas::problem::Code;

    fn command(progress: u8) -> ReportProgress {
        let estimated_completion = Some(second(30));
        ReportProgress { fencing_token: 1, progress, note: Some("half".into()), estimated_completion }
    }

    /// TASK-4, TASK-23: a rise is an event, with note and estimate; nothing else is.
    #[test]
    fn only_a_rise_is_an_event() {
        let events = [TaskProgressed {
            fencing_token: 1,
            progress: 50,
            note: Some("half".into()),
            estimated_completion: Some(second(30)),
        }
        .into()];
        let task = running().when(2, command(50)).then("running", &events);
        let task = task.when(3, command(50)).then("running", &[]);
        let task = task.when(3, command(49)).then("running", &[]);
        task.when(3, command(100)).is("running").when(3, command(99)).then("running", &[]);
        running().when(2, command(0)).then("running", &[]);
    }

    /// TASK-23: 0 to 100, by the holder of work that began.
    #[test]
    fn progress_is_a_percentage_of_running_work() {
        running().when(2, command(101)).refused(Code::GuardRefused, "/progress");
        assigned().when(2, command(50)).refused(Code::TransitionRefused, "while the task is assigned");
        let far = Some(chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let command = ReportProgress { estimated_completion: far, ..command(50) };
        running().when(2, command).refused(Code::GuardRefused, "/estimatedCompletion");
    }
}

//! The read models, one file each, named like its table.

mod agent_list;
mod event_journal;
mod queue_depth;
mod state_transitions;
mod task_attempts;
mod task_list;

pub use agent_list::AgentList;
pub use event_journal::EventJournal;
pub(crate) use event_journal::read_event;
pub use queue_depth::{QueueDepth, TaskMove};
pub use state_transitions::StateTransitions;
pub use task_attempts::TaskAttempts;
pub use task_list::TaskList;

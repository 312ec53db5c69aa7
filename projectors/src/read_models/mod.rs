//! The read models, one file each, named like its table.

mod agent_list;
mod code_chunks;
mod event_journal;
mod queue_depth;
mod repository_list;
mod source_file_list;
mod state_transitions;
mod task_attempts;
mod task_list;

pub use agent_list::AgentList;
pub use code_chunks::{ChunkChange, CodeChunks};
pub use event_journal::EventJournal;
pub(crate) use event_journal::read_event;
pub use queue_depth::{QueueDepth, TaskMove};
pub use repository_list::RepositoryList;
pub use source_file_list::SourceFileList;
pub use state_transitions::StateTransitions;
pub use task_attempts::TaskAttempts;
pub use task_list::TaskList;

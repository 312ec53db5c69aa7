//! The shapes of the stores: each table's SQL beside its row type, roles, generations, migrations.
//!
//! Tables of the read models live in a schema per generation (`g1`); the schema `gesta` shows the live
//! generation through views that check the reader's own rights, and holds what all generations share:
//! `projections` (how far each is), `generations` (which is live) and `dead_letters` (what was set aside).

mod agent_list;
mod code_chunks;
pub mod dead_letters;
mod event_journal;
pub mod generation;
mod json;
mod migrate;
mod projections;
mod queue_depth;
mod repository_list;
pub mod roles;
mod source_file_list;
mod state_transitions;
pub mod table;
mod task_attempts;
mod task_list;
pub mod trace;
mod transaction;
pub mod words;

pub use agent_list::{AGENT_LIST, AgentListRow};
pub use code_chunks::{CODE_CHUNKS, CodeChunksRow};
pub use dead_letters::DeadLettersRow;
pub use event_journal::{EVENT_JOURNAL, EventJournalRow};
pub use json::JsonText;
pub use migrate::{
    FIRST_GENERATION, MigrateError, NewerSchema, Report, VersionError, check_version, known_version, migrate,
};
pub use projections::{CHANNEL, ProjectionsRow};
pub use queue_depth::{QUEUE_DEPTH, QueueDepthRow};
pub use repository_list::{REPOSITORY_LIST, RepositoryListRow};
pub use roles::{projector_pool, query_pool};
pub use source_file_list::{SOURCE_FILE_LIST, SourceFileListRow};
pub use state_transitions::{STATE_TRANSITIONS, StateTransitionsRow};
pub use task_attempts::{TASK_ATTEMPTS, TaskAttemptsRow};
pub use task_list::{KEEP_FAILED, KEEP_SUCCEEDED, RECENTLY_ENDED_SQL, TASK_LIST, TaskListRow};
pub use transaction::begin;

/// Every table of a generation, in the order in which a transaction writes them.
#[must_use]
pub fn shapes(schema: &str) -> [table::Shape; 9] {
    [
        TASK_LIST.shape(schema),
        QUEUE_DEPTH.shape(schema),
        TASK_ATTEMPTS.shape(schema),
        AGENT_LIST.shape(schema),
        REPOSITORY_LIST.shape(schema),
        SOURCE_FILE_LIST.shape(schema),
        CODE_CHUNKS.shape(schema),
        STATE_TRANSITIONS.shape(schema),
        EVENT_JOURNAL.shape(schema),
    ]
}

//! The contract of `source_file`: one file of a repository and the chunks that it was split into (KNOW-1).
//!
//! A chunk is a definition, or a part of a text, with the lines where it stands. The chunks are entities of their
//! file: an index of the file says which of them changed, so that a changed file costs only itself (KNOW-7).

mod commands;
mod events;
mod transitions;

pub use commands::*;
pub use events::*;
pub use transitions::SOURCE_FILE_TRANSITIONS;

use crate::contract::Address::{Act, Create};
use crate::contract::contract;

contract! {
    aggregate "source_file" in "knowledge" at "source-files";
    commands SourceFileCommand {
        RegisterSourceFile = "source_file.register" Create, "Registers a file of a repository.";
        IndexSourceFile = "source_file.index" Act("index"), "Hands in the chunks of the file's content; what did not change costs nothing.";
        RemoveSourceFile = "source_file.remove" Act("remove"), "The file is no longer in the repository; its chunks are found no more.";
    }
    events SourceFileEvent {
        SourceFileRegistered = "gesta.knowledge.source_file.registered.v1" rev 1;
        SourceFileIndexed = "gesta.knowledge.source_file.indexed.v1" rev 1;
        SourceFileRemoved = "gesta.knowledge.source_file.removed.v1" rev 1;
    }
}

//! The transitions of a source file as data.

use crate::contract::{Transition, transition as row};

const REGISTERED: &str = "gesta.knowledge.source_file.registered.v1";
const INDEXED: &str = "gesta.knowledge.source_file.indexed.v1";
const REMOVED: &str = "gesta.knowledge.source_file.removed.v1";

const ANOTHER: &str = "another content, or split by another chunker";
const THE_SAME: &str = "the same content, split by the same chunker";

/// Every transition of a source file.
pub const SOURCE_FILE_TRANSITIONS: &[Transition] = &[
    row("-", "source_file.register", &[REGISTERED], "registered", ""),
    row("registered", "source_file.index", &[INDEXED], "indexed", ""),
    row("registered", "source_file.remove", &[REMOVED], "removed", ""),
    row("indexed", "source_file.index", &[INDEXED], "indexed", ANOTHER),
    row("indexed", "source_file.index", &[], "indexed", THE_SAME),
    row("indexed", "source_file.remove", &[REMOVED], "removed", ""),
    row("removed", "source_file.index", &[INDEXED], "indexed", ""),
    row("removed", "source_file.remove", &[], "removed", "removed already"),
];

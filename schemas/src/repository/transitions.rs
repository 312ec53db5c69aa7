//! The transitions of a repository as data.

use crate::contract::{Transition, transition as row};

const REGISTERED: &str = "gesta.knowledge.repository.registered.v1";
const RETIRED: &str = "gesta.knowledge.repository.retired.v1";

/// Every transition of a repository.
pub const REPOSITORY_TRANSITIONS: &[Transition] = &[
    row("-", "repository.register", &[REGISTERED], "registered", ""),
    row("registered", "repository.retire", &[RETIRED], "retired", ""),
    row("retired", "repository.retire", &[], "retired", "retired already"),
];

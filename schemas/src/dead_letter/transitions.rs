//! The transitions of a dead letter, as far as people decide them: parking and applying belong to the projections.

use crate::contract::{Transition, transition as row};

const DISCARDED: &str = "gesta.operations.dead_letter.discarded.v1";

/// Every transition of a dead letter.
pub const DEAD_LETTER_TRANSITIONS: &[Transition] = &[
    row("-", "dead_letter.discard", &[DISCARDED], "discarded", ""),
    row("discarded", "dead_letter.discard", &[DISCARDED], "discarded", "the projection is another one"),
];

//! Bodies of the commands on dead letters: camelCase, closed, every field described.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gives an event up for one projection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiscardDeadLetter {
    /// The projection of the letter, such as `task_list`; of another one nothing is discarded.
    #[schemars(length(min = 1, max = 64))]
    pub projection: String,
    /// Why; required, since the read model lacks the event from then on.
    #[schemars(length(min = 1, max = 2000))]
    pub reason: String,
}

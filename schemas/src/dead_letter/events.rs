//! Payloads of the events on dead letters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Somebody gave an event up for one projection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterDiscarded {
    /// The projection that goes on without it.
    pub projection: String,
    /// Why.
    pub reason: String,
}

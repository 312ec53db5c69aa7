//! Payloads of the repository events: `snake_case`, every field described.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Personal;

/// A repository shall be indexed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryRegistered {
    /// Name.
    pub name: String,
    /// Where it comes from.
    pub origin: Option<String>,
}

/// The repository is no longer searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryRetired {
    /// Why.
    pub reason: Option<Personal>,
}

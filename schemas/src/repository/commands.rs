//! Bodies of the repository commands: camelCase, closed, every field described.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Personal;

/// Registers a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterRepository {
    /// Name that people and search filters use.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Where it comes from, for example the address that it is cloned from; without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub origin: Option<String>,
}

/// Takes a repository out of every search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetireRepository {
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal>,
}

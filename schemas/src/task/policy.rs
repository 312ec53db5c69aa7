//! How long a task is leased, how often it is tried, how long it waits between tries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Urgency of a task inside its queue; waiting raises it (ageing), so that `low` is never starved.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = take_medium)]
pub enum Priority {
    /// 1.
    Low,
    /// 2; `medium` is read as `normal`.
    #[default]
    #[serde(alias = "medium")]
    Normal,
    /// 3.
    High,
    /// 4.
    Critical,
}

/// A derived schema does not know of aliases.
fn take_medium(schema: &mut schemars::Schema) {
    if let Some(choices) = schema.get_mut("oneOf").and_then(serde_json::Value::as_array_mut) {
        let description = "Read as `normal`, never written.";
        choices.push(serde_json::json!({ "const": "medium", "description": description, "deprecated": true, "type": "string" }));
    }
}

impl Priority {
    /// 1 (low) to 4 (critical).
    #[must_use]
    pub fn rank(self) -> i16 {
        match self {
            Self::Low => 1,
            Self::Normal => 2,
            Self::High => 3,
            Self::Critical => 4,
        }
    }
}

/// How the wait between two attempts grows (M-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackoffKind {
    /// Always the base.
    Constant,
    /// Base times attempt.
    Linear,
    /// Base times 2^(attempt − 1).
    #[default]
    Exponential,
}

/// What a client or a queue's configuration may say about a task's execution; what is absent is
/// filled in from the queue's configuration, then from the defaults of [`TaskPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyInput {
    /// Length of a lease in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_000, max = 86_400_000))]
    pub lease_ms: Option<u32>,
    /// Grace in milliseconds that a running task gets to stop after a cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3_600_000))]
    pub grace_ms: Option<u32>,
    /// Attempts before the task fails for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: Option<u32>,
    /// How the wait between attempts grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffKind>,
    /// First wait between attempts in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400_000))]
    pub backoff_base_ms: Option<u32>,
    /// Longest wait between attempts in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400_000))]
    pub backoff_max_ms: Option<u32>,
    /// Waiting time in milliseconds after which a queued task counts one priority higher; 0 = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86_400_000))]
    pub ageing_ms: Option<u32>,
}

impl PolicyInput {
    /// The first field that is out of its schema's range, in words: configuration has no schema check before it.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let schema = crate::json_schema::plain(crate::contract::schema_of::<Self>);
        let given = serde_json::to_value(self).ok()?;
        given.as_object()?.iter().find_map(|(name, value)| {
            let bound = |word: &str| schema["properties"][name][word].as_u64();
            let (least, most) = (bound("minimum")?, bound("maximum")?);
            let value = value.as_u64()?;
            (value < least || value > most)
                .then(|| format!("{name} is {value}; it goes from {least} to {most}"))
        })
    }

    /// Takes every field that is absent here from `fallback`.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        Self {
            lease_ms: self.lease_ms.or(fallback.lease_ms),
            grace_ms: self.grace_ms.or(fallback.grace_ms),
            max_attempts: self.max_attempts.or(fallback.max_attempts),
            backoff: self.backoff.or(fallback.backoff),
            backoff_base_ms: self.backoff_base_ms.or(fallback.backoff_base_ms),
            backoff_max_ms: self.backoff_max_ms.or(fallback.backoff_max_ms),
            ageing_ms: self.ageing_ms.or(fallback.ageing_ms),
        }
    }
}

/// The policy of one task, complete; it stands in the event, so that replay reads no configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskPolicy {
    /// Length of a lease in milliseconds.
    pub lease_ms: u32,
    /// Grace after a cancel in milliseconds.
    pub grace_ms: u32,
    /// Attempts before the task fails for good.
    pub max_attempts: u32,
    /// How the wait between attempts grows.
    pub backoff: BackoffKind,
    /// First wait in milliseconds.
    pub backoff_base_ms: u32,
    /// Longest wait in milliseconds.
    pub backoff_max_ms: u32,
    /// Waiting time per priority step in milliseconds; 0 = never.
    pub ageing_ms: u32,
}

impl Default for TaskPolicy {
    /// M-11: three attempts, exponential from one second; leases of 30 s, ageing of one minute.
    fn default() -> Self {
        Self {
            lease_ms: 30_000,
            grace_ms: 30_000,
            max_attempts: 3,
            backoff: BackoffKind::Exponential,
            backoff_base_ms: 1_000,
            backoff_max_ms: 60_000,
            ageing_ms: 60_000,
        }
    }
}

impl From<PolicyInput> for TaskPolicy {
    fn from(input: PolicyInput) -> Self {
        let default = Self::default();
        Self {
            lease_ms: input.lease_ms.unwrap_or(default.lease_ms),
            grace_ms: input.grace_ms.unwrap_or(default.grace_ms),
            max_attempts: input.max_attempts.unwrap_or(default.max_attempts),
            backoff: input.backoff.unwrap_or(default.backoff),
            backoff_base_ms: input.backoff_base_ms.unwrap_or(default.backoff_base_ms),
            backoff_max_ms: input.backoff_max_ms.unwrap_or(default.backoff_max_ms),
            ageing_ms: input.ageing_ms.unwrap_or(default.ageing_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_out_of_range_is_named() {
        assert_eq!(PolicyInput::default().fault(), None);
        let input = PolicyInput {
            lease_ms: Some(1_000),
            max_attempts: Some(100),
            backoff: Some(BackoffKind::Linear),
            ..PolicyInput::default()
        };
        assert_eq!(input.fault(), None);
        for (input, words) in [
            (PolicyInput { lease_ms: Some(999), ..input }, "leaseMs is 999; it goes from 1000 to 86400000"),
            (PolicyInput { max_attempts: Some(0), ..input }, "maxAttempts is 0; it goes from 1 to 100"),
            (
                PolicyInput { ageing_ms: Some(u32::MAX), ..input },
                "ageingMs is 4294967295; it goes from 0 to 86400000",
            ),
        ] {
            assert_eq!(input.fault().as_deref(), Some(words));
        }
    }
}

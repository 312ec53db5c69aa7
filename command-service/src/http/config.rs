//! What the edge is told by configuration.

use std::collections::BTreeMap;

use schemas::task::{DEFAULT_QUEUE, PolicyInput};
use serde::Deserialize;

/// How the edge behaves.
#[derive(Debug, Clone, Default)]
pub struct EdgeConfig {
    /// Queues and the defaults of their tasks.
    pub queues: Queues,
    /// Whether tenant and actor are taken from headers. Only where every client is trusted: on a
    /// loopback address. Otherwise every command is refused, until identities arrive.
    pub trusts_headers: bool,
}

/// The queues that tasks may name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queues {
    /// Whether every well-formed name is a queue; otherwise only `default` and the configured ones are.
    #[serde(default = "open")]
    pub open: bool,
    /// Name → what its tasks have when their creator says nothing.
    #[serde(default)]
    pub named: BTreeMap<String, PolicyInput>,
}

fn open() -> bool {
    true
}

impl Default for Queues {
    /// Every name is a queue.
    fn default() -> Self {
        Self { open: open(), named: BTreeMap::new() }
    }
}

impl Queues {
    /// The defaults of a queue; `None` when there is no such queue.
    #[must_use]
    pub fn defaults(&self, queue: &str) -> Option<PolicyInput> {
        match self.named.get(queue) {
            Some(defaults) => Some(*defaults),
            None => (self.open || queue == DEFAULT_QUEUE).then(PolicyInput::default),
        }
    }

    /// The names of the queues, for an error that has to list them.
    pub(super) fn names(&self) -> String {
        let mut names: Vec<&str> = self.named.keys().map(String::as_str).collect();
        if !names.contains(&DEFAULT_QUEUE) {
            names.insert(0, DEFAULT_QUEUE);
        }
        names.join(", ")
    }
}

//! What the shard reads of an agent.

use chrono::{DateTime, Utc};

use super::state::Agent;

impl Agent {
    /// The instant until which it counts as alive without another heartbeat.
    #[must_use]
    pub fn alive_until(&self) -> Option<DateTime<Utc>> {
        self.life.alive().map(|alive| alive.until)
    }
}

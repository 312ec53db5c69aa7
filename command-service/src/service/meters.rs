//! Metrics of one shard.

use metrics::{Counter, Gauge, counter, gauge};

use crate::shard::{Counts, Shard, Status};

/// Handles, looked up once.
pub(super) struct Meters {
    accepted: Counter,
    unchanged: Counter,
    replayed: Counter,
    refused: Counter,
    busy: Counter,
    due: Counter,
    stuck_deadlines: Counter,
    batches: Counter,
    records: Counter,
    barriers: Counter,
    recoveries: Counter,
    leases: Counter,
    lease_renewals: Counter,
    claim_conflicts: Counter,
    owner: Gauge,
    stopped: Gauge,
    waiting_commands: Gauge,
    waiting_bytes: Gauge,
    streams: Gauge,
    position: Gauge,
}

impl Meters {
    pub(super) fn of(shard: u16) -> Self {
        let shard = shard.to_string();
        let count = |name: &'static str| counter!(name, "shard" => shard.clone());
        let level = |name: &'static str| gauge!(name, "shard" => shard.clone());
        Self {
            accepted: count("gesta_commands_accepted_total"),
            unchanged: count("gesta_commands_unchanged_total"),
            replayed: count("gesta_commands_replayed_total"),
            refused: count("gesta_commands_refused_total"),
            busy: count("gesta_commands_busy_total"),
            due: count("gesta_deadlines_issued_total"),
            stuck_deadlines: count("gesta_deadlines_stuck_total"),
            batches: count("gesta_batches_total"),
            records: count("gesta_records_total"),
            barriers: count("gesta_barriers_total"),
            recoveries: count("gesta_recoveries_total"),
            leases: count("gesta_leases_total"),
            lease_renewals: count("gesta_lease_renewals_total"),
            claim_conflicts: count("gesta_claim_conflicts_total"),
            owner: level("gesta_shard_owner"),
            stopped: level("gesta_shard_stopped"),
            waiting_commands: level("gesta_shard_waiting_commands"),
            waiting_bytes: level("gesta_shard_waiting_bytes"),
            streams: level("gesta_shard_streams"),
            position: level("gesta_shard_next_offset"),
        }
    }

    /// Adds what was counted and shows what is.
    #[expect(clippy::cast_precision_loss, reason = "gauges are doubles; counts stay far below 2^53")]
    pub(super) fn publish(&self, counts: Counts, shard: &Shard) {
        let added = [
            (&self.accepted, counts.accepted),
            (&self.unchanged, counts.unchanged),
            (&self.replayed, counts.replayed),
            (&self.refused, counts.refused),
            (&self.busy, counts.busy),
            (&self.due, counts.due),
            (&self.stuck_deadlines, counts.stuck_deadlines),
            (&self.batches, counts.batches),
            (&self.records, counts.records),
            (&self.barriers, counts.barriers),
            (&self.recoveries, counts.recoveries),
            (&self.leases, counts.leases),
            (&self.lease_renewals, counts.lease_renewals),
            (&self.claim_conflicts, counts.claim_conflicts),
        ];
        for (counter, more) in added.into_iter().filter(|(_, more)| *more > 0) {
            counter.increment(more);
        }
        let (commands, bytes) = shard.load();
        let status = shard.status();
        self.owner.set(f64::from(u8::from(status == Status::Owner)));
        self.stopped.set(f64::from(u8::from(matches!(status, Status::Stopped(_)))));
        self.waiting_commands.set(commands as f64);
        self.waiting_bytes.set(bytes as f64);
        self.streams.set(shard.streams().len() as f64);
        self.position.set(shard.cursor().next_offset as f64);
    }
}

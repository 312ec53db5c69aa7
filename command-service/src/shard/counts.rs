//! What a shard counts; the task around it turns it into metrics.

/// Numbers since they were last taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands that took effect.
    pub accepted: u64,
    /// Commands that were granted without an event.
    pub unchanged: u64,
    /// Answers from the table of command ids, joined requests included.
    pub replayed: u64,
    /// Refusals.
    pub refused: u64,
    /// Commands turned away because the shard was full.
    pub busy: u64,
    /// Commands issued by deadlines.
    pub due: u64,
    /// Deadlines whose command was refused: a fault of the aggregate, set aside until the stream changes.
    pub stuck_deadlines: u64,
    /// Batches sent.
    pub batches: u64,
    /// Records sent, barriers included.
    pub records: u64,
    /// Barriers sent.
    pub barriers: u64,
    /// Broken proofs.
    pub recoveries: u64,
    /// Tasks leased.
    pub leases: u64,
    /// Leases renewed by an event.
    pub lease_renewals: u64,
    /// Leases granted on a task that was leased already; must stay 0.
    pub claim_conflicts: u64,
}

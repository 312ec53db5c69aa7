//! The scenarios of the log's law (log.md §10) that concern claims, proof and answers: each by its
//! name, in weather that brings it about again and again.

use super::check::{self, Met};
use super::faults::{Mishap, Trouble, Weather};
use super::run_in;

/// Seeds of each.
const SEEDS: u64 = 600;

/// What `SEEDS` runs in this weather meet, each of them checked.
fn met(weather: Weather) -> Met {
    let mut met = Met::default();
    for seed in 0..SEEDS {
        met.add(&check::met(&run_in(seed, Some(weather))));
    }
    met
}

/// PLAT-1, PLAT-6: only the nonce tells the two owners of one epoch apart.
#[test]
fn an_acknowledged_claim_is_lost_and_claimed_again_at_the_same_epoch() {
    let troubles = &[Trouble::Takeover, Trouble::Pause];
    let met = met(Weather { nodes: 80, troubles, claims: 80, ..Weather::CALM });
    assert!(met.lost_claims > SEEDS && met.same_epoch > SEEDS / 2 && met.stopped > 0, "{met:?}");
}

/// PLAT-1, PLAT-6: the second of two claims of one epoch does not count, and its sender knows.
#[test]
fn two_claimers_read_the_same_epoch() {
    let met = met(Weather { nodes: 90, troubles: &[Trouble::Race], ..Weather::CALM });
    assert!(met.races > SEEDS / 2, "{met:?}");
}

/// PLAT-1, PLAT-6: an owner that was claimed over proves nothing of its next batch.
#[test]
fn a_claim_between_two_batches() {
    let met = met(Weather { nodes: 90, troubles: &[Trouble::Takeover], ..Weather::CALM });
    assert!(met.void > SEEDS && met.epochs > 2 * SEEDS, "{met:?}");
}

/// PLAT-6, PLAT-11: a batch that was given up lands after another owner retried its commands.
#[test]
fn a_zombies_record_at_the_retried_commands_sequence() {
    let troubles = &[Trouble::Takeover, Trouble::Pause];
    let (batches, mishaps) = (25, &[Mishap::Late, Mishap::LateAgain][..]);
    let met = met(Weather { batches, mishaps, messages: 30, nodes: 60, troubles, ..Weather::CALM });
    assert!(met.void > SEEDS && met.replayed > SEEDS, "{met:?}");
}

/// PLAT-6, M-8: what was refused because of a record that never was is decided again.
#[test]
fn a_refusal_on_speculative_state_whose_batch_is_lost() {
    let mishaps = &[Mishap::Lost, Mishap::Torn];
    let met = met(Weather { batches: 40, mishaps, messages: 10, ..Weather::CALM });
    assert!(met.refused > SEEDS && met.epochs > SEEDS, "{met:?}");
}

/// PLAT-6, TASK-10: shard time goes on where the log stands, however wrong the new owner's clock is.
#[test]
fn a_takeover_with_a_clock_an_hour_off() {
    let troubles = &[Trouble::Clock, Trouble::Takeover, Trouble::Crash];
    let met = met(Weather { nodes: 90, troubles, ..Weather::CALM });
    assert!(met.expiries > 0 && met.epochs > 2 * SEEDS, "{met:?}");
}

/// PLAT-28, PLAT-6: two releases that write different revisions of an event take over from each other. Both read both,
/// so they answer the same, and what a lease of either promises holds for the other.
#[test]
fn a_replica_of_the_previous_release_taking_over() {
    let troubles = &[Trouble::Takeover, Trouble::Crash, Trouble::Clock];
    let met = met(Weather { nodes: 90, troubles, ..Weather::CALM });
    let older = met.leases - met.newer;
    assert!(met.epochs > 2 * SEEDS && older > SEEDS / 2 && met.newer > SEEDS / 2, "{met:?}");
    assert!(met.replayed > SEEDS && met.expiries > 0, "{met:?}");
}

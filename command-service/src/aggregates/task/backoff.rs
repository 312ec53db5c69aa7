//! The wait between two attempts (M-11): grows as the policy says, plus jitter, at most its maximum.

use schemas::ids::Stream;
use schemas::task::{BackoffKind, TaskPolicy};
use sha2::{Digest, Sha256};

/// Jitter is uniform between 0 and this many tenths of the base.
const JITTER_TENTHS: u64 = 3;

/// Milliseconds to wait after `attempt` failed. The jitter comes from stream and attempt, so that a
/// replay and every replica compute the same, and tasks that failed together do not return together.
pub(super) fn wait_ms(policy: &TaskPolicy, stream: &Stream, attempt: u32) -> u64 {
    let base = u64::from(policy.backoff_base_ms);
    let grown = match policy.backoff {
        BackoffKind::Constant => base,
        BackoffKind::Linear => base.saturating_mul(attempt.into()),
        BackoffKind::Exponential => base.saturating_mul(2_u64.saturating_pow(attempt.saturating_sub(1))),
    };
    let jitter = draw(stream, attempt) % (base * JITTER_TENTHS / 10 + 1);
    grown.saturating_add(jitter).min(policy.backoff_max_ms.into())
}

fn draw(stream: &Stream, attempt: u32) -> u64 {
    let digest = Sha256::digest(format!("{stream}#{attempt}").as_bytes());
    let mut octets = [0; 8];
    octets.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(octets)
}

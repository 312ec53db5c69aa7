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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::given::stream;
    use rstest::rstest;

    fn policy(backoff: BackoffKind, base: u32, max: u32) -> TaskPolicy {
        TaskPolicy { backoff, backoff_base_ms: base, backoff_max_ms: max, ..TaskPolicy::default() }
    }

    /// TASK-13, M-11: constant, linear, exponential; jitter of up to 0.3 of the base; the maximum holds.
    #[rstest]
    #[case(BackoffKind::Constant, 1, 1_000)]
    #[case(BackoffKind::Constant, 7, 1_000)]
    #[case(BackoffKind::Linear, 1, 1_000)]
    #[case(BackoffKind::Linear, 7, 7_000)]
    #[case(BackoffKind::Exponential, 1, 1_000)]
    #[case(BackoffKind::Exponential, 4, 8_000)]
    fn it_grows_as_the_policy_says(#[case] kind: BackoffKind, #[case] attempt: u32, #[case] grown: u64) {
        let wait = wait_ms(&policy(kind, 1_000, 60_000), &stream("task"), attempt);
        assert!((grown..=grown + 300).contains(&wait), "{wait}");
        assert_eq!(wait_ms(&policy(kind, 1_000, 500), &stream("task"), attempt), 500);
        assert_eq!(wait_ms(&policy(kind, 0, 500), &stream("task"), attempt), 0);
    }

    /// M-11: every attempt and every task draws its own, and draws it again on replay.
    #[test]
    fn jitter_is_drawn_from_stream_and_attempt() {
        let policy = policy(BackoffKind::Constant, 1_000_000, u32::MAX);
        let other = "acme/task/a-2".parse().unwrap();
        let draws: std::collections::BTreeSet<u64> = (1..=50)
            .flat_map(|n| [wait_ms(&policy, &stream("task"), n), wait_ms(&policy, &other, n)])
            .collect();
        assert!(draws.len() > 90, "{} of 100 differ", draws.len());
        assert!(draws.first().unwrap() < &1_050_000 && draws.last().unwrap() > &1_250_000);
        assert_eq!(wait_ms(&policy, &stream("task"), 3), wait_ms(&policy, &stream("task"), 3));
    }

    #[test]
    fn extremes_end_at_the_maximum() {
        for kind in [BackoffKind::Constant, BackoffKind::Linear, BackoffKind::Exponential] {
            for attempt in [0, 1, 65, u32::MAX] {
                assert!(
                    wait_ms(&policy(kind, u32::MAX, u32::MAX), &stream("task"), attempt) <= u32::MAX.into()
                );
            }
        }
    }
}

//! What the stored state was made by: other code makes other states, so it discards and replays.

use sha2::{Digest, Sha256};

/// Every source that decides what stands in the store. A test holds the list complete.
const SOURCES: &[(&str, &str)] = &[
    ("aggregates/agent.rs", include_str!("../aggregates/agent.rs")),
    ("aggregates/agent/archive.rs", include_str!("../aggregates/agent/archive.rs")),
    ("aggregates/agent/asked.rs", include_str!("../aggregates/agent/asked.rs")),
    ("aggregates/agent/capabilities.rs", include_str!("../aggregates/agent/capabilities.rs")),
    ("aggregates/agent/complete.rs", include_str!("../aggregates/agent/complete.rs")),
    ("aggregates/agent/deadline.rs", include_str!("../aggregates/agent/deadline.rs")),
    ("aggregates/agent/drain.rs", include_str!("../aggregates/agent/drain.rs")),
    ("aggregates/agent/error.rs", include_str!("../aggregates/agent/error.rs")),
    ("aggregates/agent/evolve.rs", include_str!("../aggregates/agent/evolve.rs")),
    ("aggregates/agent/heartbeat.rs", include_str!("../aggregates/agent/heartbeat.rs")),
    ("aggregates/agent/input.rs", include_str!("../aggregates/agent/input.rs")),
    ("aggregates/agent/kill.rs", include_str!("../aggregates/agent/kill.rs")),
    ("aggregates/agent/pause.rs", include_str!("../aggregates/agent/pause.rs")),
    ("aggregates/agent/properties.rs", include_str!("../aggregates/agent/properties.rs")),
    ("aggregates/agent/restart.rs", include_str!("../aggregates/agent/restart.rs")),
    ("aggregates/agent/retry.rs", include_str!("../aggregates/agent/retry.rs")),
    ("aggregates/agent/samples.rs", include_str!("../aggregates/agent/samples.rs")),
    ("aggregates/agent/session.rs", include_str!("../aggregates/agent/session.rs")),
    ("aggregates/agent/spawn.rs", include_str!("../aggregates/agent/spawn.rs")),
    ("aggregates/agent/state.rs", include_str!("../aggregates/agent/state.rs")),
    ("aggregates/agent/view.rs", include_str!("../aggregates/agent/view.rs")),
    ("aggregates/agent/worktree.rs", include_str!("../aggregates/agent/worktree.rs")),
    ("aggregates/given.rs", include_str!("../aggregates/given.rs")),
    ("aggregates/instant.rs", include_str!("../aggregates/instant.rs")),
    ("aggregates/mod.rs", include_str!("../aggregates/mod.rs")),
    ("aggregates/properties.rs", include_str!("../aggregates/properties.rs")),
    ("aggregates/refusal.rs", include_str!("../aggregates/refusal.rs")),
    ("aggregates/registry.rs", include_str!("../aggregates/registry.rs")),
    ("aggregates/dead_letter.rs", include_str!("../aggregates/dead_letter.rs")),
    ("aggregates/dead_letter/properties.rs", include_str!("../aggregates/dead_letter/properties.rs")),
    ("aggregates/repository.rs", include_str!("../aggregates/repository.rs")),
    ("aggregates/source_file.rs", include_str!("../aggregates/source_file.rs")),
    ("aggregates/source_file/index.rs", include_str!("../aggregates/source_file/index.rs")),
    ("aggregates/source_file/path.rs", include_str!("../aggregates/source_file/path.rs")),
    ("aggregates/task.rs", include_str!("../aggregates/task.rs")),
    ("aggregates/task/asked.rs", include_str!("../aggregates/task/asked.rs")),
    ("aggregates/task/assign.rs", include_str!("../aggregates/task/assign.rs")),
    ("aggregates/task/backoff.rs", include_str!("../aggregates/task/backoff.rs")),
    ("aggregates/task/cancel.rs", include_str!("../aggregates/task/cancel.rs")),
    ("aggregates/task/compensate.rs", include_str!("../aggregates/task/compensate.rs")),
    ("aggregates/task/complete.rs", include_str!("../aggregates/task/complete.rs")),
    ("aggregates/task/create.rs", include_str!("../aggregates/task/create.rs")),
    ("aggregates/task/dead_letter.rs", include_str!("../aggregates/task/dead_letter.rs")),
    ("aggregates/task/deadline.rs", include_str!("../aggregates/task/deadline.rs")),
    ("aggregates/task/enqueue.rs", include_str!("../aggregates/task/enqueue.rs")),
    ("aggregates/task/evolve.rs", include_str!("../aggregates/task/evolve.rs")),
    ("aggregates/task/expire_lease.rs", include_str!("../aggregates/task/expire_lease.rs")),
    ("aggregates/task/fail.rs", include_str!("../aggregates/task/fail.rs")),
    ("aggregates/task/make_due.rs", include_str!("../aggregates/task/make_due.rs")),
    ("aggregates/task/progress.rs", include_str!("../aggregates/task/progress.rs")),
    ("aggregates/task/properties.rs", include_str!("../aggregates/task/properties.rs")),
    ("aggregates/task/release.rs", include_str!("../aggregates/task/release.rs")),
    ("aggregates/task/renew.rs", include_str!("../aggregates/task/renew.rs")),
    ("aggregates/task/samples.rs", include_str!("../aggregates/task/samples.rs")),
    ("aggregates/task/stale.rs", include_str!("../aggregates/task/stale.rs")),
    ("aggregates/task/start.rs", include_str!("../aggregates/task/start.rs")),
    ("aggregates/task/state.rs", include_str!("../aggregates/task/state.rs")),
    ("aggregates/task/time_out.rs", include_str!("../aggregates/task/time_out.rs")),
    ("aggregates/task/update.rs", include_str!("../aggregates/task/update.rs")),
    ("aggregates/task/view.rs", include_str!("../aggregates/task/view.rs")),
    ("store/codec.rs", include_str!("../store/codec.rs")),
    ("shard/receipts.rs", include_str!("../shard/receipts.rs")),
    ("shard/streams.rs", include_str!("../shard/streams.rs")),
    ("shard/dispatch.rs", include_str!("../shard/dispatch.rs")),
    ("shard/replay.rs", include_str!("../shard/replay.rs")),
];

/// The contracts that those sources read events with.
const CONTRACTS: &[&str] = &[
    include_str!("../../../schemas/src/task/events.rs"),
    include_str!("../../../schemas/src/task/policy.rs"),
    include_str!("../../../schemas/src/agent/events.rs"),
    include_str!("../../../schemas/src/dead_letter/events.rs"),
    include_str!("../../../schemas/src/repository/events.rs"),
    include_str!("../../../schemas/src/source_file/events.rs"),
    include_str!("../../../schemas/src/upcast.rs"),
];

/// SHA-256 over all of them, hexadecimal.
pub(super) fn fingerprint() -> String {
    let mut hash = Sha256::new();
    for text in SOURCES.iter().map(|source| source.1).chain(CONTRACTS.iter().copied()) {
        hash.update(text);
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_aggregate_source_is_in_the_list() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let folders = ["", "/task", "/agent", "/dead_letter", "/source_file"];
        for folder in folders.map(|folder| format!("aggregates{folder}")) {
            for file in std::fs::read_dir(root.join(&folder)).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                let path = format!("{folder}/{name}");
                let product = name.ends_with(".rs") && name != "model.rs" && name != "tests.rs";
                let listed = SOURCES.iter().any(|source| source.0 == path);
                assert!(!product || listed, "{path} is missing: its change would not discard the store");
            }
        }
        assert_eq!(fingerprint().len(), 64);
    }
}

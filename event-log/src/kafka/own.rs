//! Shards that need not be fetched: what this process appends to them itself is all there is.

use std::collections::BTreeSet;

use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::remote::{ASK, Remote};

/// Own records between two looks, a second apart, from which on a shard is not fetched. Below that, fetching costs
/// less than beginning and ending it.
const BUSY: u64 = 100;

/// What the thread that follows knows of the shards that this process appends to.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Records of each shard at the last look that came from this process.
    seen: Vec<u64>,
    paused: BTreeSet<u16>,
}

impl Own {
    /// Stops fetching what is busy with own records, and goes on with what is not any more.
    pub(super) fn look(&mut self, remote: &Remote) {
        self.seen.resize(usize::from(remote.genesis.shards), 0);
        for shard in 0..remote.genesis.shards {
            let (own, seen) = (remote.own(shard), &mut self.seen[usize::from(shard)]);
            let busy = own - std::mem::replace(seen, own) >= BUSY;
            if busy && !self.paused.contains(&shard) {
                self.pause(remote, shard);
            } else if !busy && self.paused.contains(&shard) {
                self.resume(remote, shard);
            }
        }
    }

    /// Goes on fetching shards of which not everything came: somebody else has appended.
    pub(super) fn yield_to_others(&mut self, remote: &Remote) {
        let behind = |shard: &&u16| remote.tail().next(**shard) < remote.end(**shard);
        for shard in self.paused.iter().filter(behind).copied().collect::<Vec<_>>() {
            self.resume(remote, shard);
        }
    }

    fn pause(&mut self, remote: &Remote, shard: u16) {
        let paused = remote.clients.follower.pause(&place(remote, shard));
        match paused {
            Ok(()) => {
                self.paused.insert(shard);
                remote.fetch(shard, false);
            }
            Err(error) => tracing::warn!(shard, %error, "the shard is fetched on, beside its own appends"),
        }
    }

    /// From where the tail ends. Fetched from an earlier place, what is there already is passed over.
    fn resume(&mut self, remote: &Remote, shard: u16) {
        let next = i64::try_from(remote.tail().next(shard)).unwrap_or(i64::MAX);
        let follower = &remote.clients.follower;
        if let Err(error) = follower.seek(&remote.topic, i32::from(shard), Offset::Offset(next), ASK) {
            tracing::warn!(shard, %error, "the shard is fetched again from an earlier place");
        }
        match follower.resume(&place(remote, shard)) {
            Ok(()) => {
                self.paused.remove(&shard);
                remote.fetch(shard, true);
            }
            Err(error) => tracing::warn!(shard, %error, "the shard is not fetched yet; trying again"),
        }
    }
}

fn place(remote: &Remote, shard: u16) -> TopicPartitionList {
    let mut place = TopicPartitionList::new();
    place.add_partition(&remote.topic, i32::from(shard));
    place
}

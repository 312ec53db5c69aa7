//! Looking at a shard record by record, for tools: what counts, what is void, where a reader would stop.

use std::sync::Arc;

use schemas::commit::Commit;
use serde::Serialize;

use crate::cursor::Cursor;
use crate::embedded::ShardReport;
use crate::fence::Kind;
use crate::handle::Log;
use crate::reader::{Content, ReadError};
use crate::rule_f::{self, Header, Verdict};
use crate::source::Place;
use crate::stored::Stored;

/// A record that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VoidRecord {
    /// Shard.
    pub shard: u16,
    /// Its offset.
    pub offset: u64,
    /// Its kind, epoch and sequence; none of them when its header is not of this release.
    #[serde(flatten)]
    pub fence: Option<VoidFence>,
    /// The epoch and sequence that would have counted there.
    pub wanted: String,
    /// Bytes of its value.
    pub bytes: usize,
}

/// What the header of a void record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoidFence {
    /// GENESIS, CLAIM, COMMIT or BARRIER.
    pub kind: String,
    /// Epoch of its writer.
    pub epoch: u64,
    /// Sequence in that epoch.
    pub seq: u64,
}

impl Log {
    /// The commit at `offset` of `shard`, whether it counts or not; none where something else stands, or nothing.
    ///
    /// # Errors
    /// [`ReadError`], when the shard is damaged.
    pub async fn commit_at(&self, shard: u16, offset: u64) -> Result<Option<Arc<Commit>>, ReadError> {
        if shard >= self.genesis().shards {
            return Ok(None);
        }
        let beginning = Cursor::beginning(self.genesis(), shard);
        if offset >= self.end(shard) {
            // It may have come a moment ago.
            self.source.check(&beginning).await?;
        }
        if offset >= self.end(shard) {
            return Ok(None);
        }
        let at = Cursor { next_offset: offset, ..beginning };
        let records = self.source.step(&mut Place::default(), at).await?;
        let commit = |record: &Arc<Stored>| match &record.header {
            // Parsed once for all readers, as what its header says.
            Header::Fence(fence) if fence.kind == Kind::Commit => match record.content(Kind::Commit) {
                Ok(Content::Commit(commit)) => Some(commit),
                _ => None,
            },
            Header::Fence(_) | Header::Other(_) => None,
        };
        Ok(records.first().filter(|record| record.offset == offset).and_then(commit))
    }

    /// Reads every record of `shard`, checks the value of what counts, and hands what is void to `void`. A
    /// record that this release cannot read ends it; the report names the offset.
    ///
    /// # Errors
    /// [`ReadError`], when the shard is damaged or the log has no such shard.
    pub async fn inspect(
        &self,
        shard: u16,
        mut void: impl FnMut(VoidRecord),
    ) -> Result<ShardReport, ReadError> {
        let shards = self.genesis().shards;
        if shard >= shards {
            return Err(ReadError::NoShard { shard, shards });
        }
        let mut cursor = Cursor::beginning(self.genesis(), shard);
        let (mut place, mut counted_void, mut unreadable) = (Place::default(), 0, None);
        'reading: loop {
            let records = self.source.step(&mut place, cursor).await?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                let before = cursor.state();
                let (state, verdict) = rule_f::step(before, record.offset, &record.header);
                match verdict {
                    Verdict::Void if record.offset == 0 => return Err(ReadError::NoGenesis { shard }),
                    Verdict::Void => {
                        counted_void += 1;
                        let (offset, bytes) = (record.offset, record.value.len());
                        let wanted = format!("epoch {} sequence {}", before.epoch, before.next_seq);
                        void(VoidRecord { shard, offset, fence: fence(&record.header), wanted, bytes });
                    }
                    Verdict::Counts(kind) if record.content(kind).is_ok() => {}
                    Verdict::Counts(_) | Verdict::Unreadable => {
                        unreadable = Some(record.offset);
                        break 'reading;
                    }
                }
                cursor.pass(record.offset, state, verdict != Verdict::Void);
            }
        }
        Ok(ShardReport {
            shard,
            end: self.end(shard),
            epoch: cursor.epoch,
            next_seq: cursor.next_seq,
            last_counted: cursor.last_counted,
            void: Some(counted_void),
            unreadable,
        })
    }
}

fn fence(header: &Header) -> Option<VoidFence> {
    let Header::Fence(fence) = header else { return None };
    let kind = format!("{:?}", fence.kind).to_uppercase();
    Some(VoidFence { kind, epoch: fence.epoch, seq: fence.seq })
}

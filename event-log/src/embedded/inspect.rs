//! What `gesta log show` and `gesta log check` tell about the directory of a stopped log.

use std::path::Path;

use serde::Serialize;

use super::files;
use super::header::{Header, Mark};
use super::options::OpenError;
use super::recovery::{self, Cut, Opened};
use super::scan::Order;
use super::tracker::Tracker;
use super::walk::{Step, Walk};
use crate::fence::Kind;
use crate::reader::ReadError;
use crate::record::Genesis;
use crate::rule_f::{self, Verdict};
use crate::stored::Stored;

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which log it is.
    pub genesis: Genesis,
    /// Its segments, in order.
    pub segments: Vec<SegmentReport>,
    /// Its shards, in order.
    pub shards: Vec<ShardReport>,
    /// The torn end of the last round, if there is one; opening the log for writing cuts it.
    pub cut: Option<Cut>,
}

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentReport {
    /// Its number, from 1.
    pub number: u64,
    /// The file.
    pub file: String,
    /// Where its records end, in bytes; what stands behind never counted.
    pub end: u64,
    /// Records in it; known after a check.
    pub records: Option<u64>,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardReport {
    /// Its number, from 0.
    pub shard: u16,
    /// Offset that its next record will get.
    pub end: u64,
    /// Epoch of the last claim that counted; 0 before the first.
    pub epoch: u64,
    /// Sequence that the next record of that epoch must carry.
    pub next_seq: u64,
    /// Offset of the last record that counted.
    pub last_counted: Option<u64>,
    /// Records that do not count; known after a check.
    pub void: Option<u64>,
    /// Offset of a record that this release cannot read, where every reader stops.
    pub unreadable: Option<u64>,
}

/// Tells what a directory holds, from the headers and the last segment alone.
///
/// # Errors
/// [`OpenError`] as [`Log::open_read_only`](crate::Log::open_read_only): the log must be stopped.
pub fn show(dir: &Path) -> Result<Report, OpenError> {
    Ok(report(&recovery::open_read_only(dir)?))
}

fn report(opened: &Opened) -> Report {
    let segments = opened.segments.iter().map(|segment| SegmentReport {
        number: segment.number,
        file: segment.path.display().to_string(),
        end: segment.end(),
        records: None,
    });
    Report {
        genesis: opened.genesis.clone(),
        segments: segments.collect(),
        shards: (0..).zip(&opened.tracker.shards).map(|(shard, mark)| shard_report(shard, mark)).collect(),
        cut: opened.cut.clone(),
    }
}

/// Reads and checks every record: its checksum, its place in the shard and the round, rule F, and the
/// value of every record that counts.
///
/// # Errors
/// [`OpenError`] names the first damaged file and byte.
pub fn check(dir: &Path) -> Result<Report, OpenError> {
    // Kept to the end: it holds the lock.
    let opened = recovery::open_read_only(dir)?;
    let mut report = report(&opened);
    let chain = recovery::chain(dir)?;
    let mut tracker = Tracker::new(vec![Mark::default(); usize::from(report.genesis.shards)]);
    let mut void = vec![0; tracker.shards.len()];
    for ((header, (first, _)), segment) in chain.headers.iter().zip(&chain.lengths).zip(&mut report.segments)
    {
        if header.shards != tracker.shards {
            let problem = "the header does not describe the end of the segment before";
            return Err(files::damaged(Path::new(&segment.file), 0, problem).into());
        }
        segment.records = Some(check_segment(dir, header, *first, segment.end, &mut tracker, &mut void)?);
    }
    report.shards = (0..).zip(&tracker.shards).map(|(shard, mark)| shard_report(shard, mark)).collect();
    for (shard, void) in report.shards.iter_mut().zip(void) {
        shard.void = Some(void);
    }
    Ok(report)
}

fn shard_report(shard: u16, mark: &Mark) -> ShardReport {
    ShardReport {
        shard,
        end: mark.end,
        epoch: mark.epoch,
        next_seq: mark.next_seq,
        last_counted: mark.last_counted,
        void: None,
        unreadable: mark.unreadable,
    }
}

/// Checks the records of one segment, and counts them.
fn check_segment(
    dir: &Path,
    header: &Header,
    first: u64,
    end: u64,
    tracker: &mut Tracker,
    void: &mut [u64],
) -> Result<u64, ReadError> {
    let mut walk = Walk::open(files::segment_path(dir, header.segment), first)?;
    let mut order = Order::new(header.former_round);
    let mut records = 0;
    loop {
        let position = walk.position();
        let frame = match walk.step(end)? {
            Step::Frame(frame) if frame.is_whole() => frame,
            Step::Frame(_) => return Err(walk.damaged(position, "the checksum of the record is wrong")),
            Step::Bad(at, problem) => return Err(walk.damaged(at, problem)),
            Step::End if position >= end => return Ok(records),
            Step::End => return Err(walk.damaged(position, "nothing stands where a record must be")),
        };
        let shard = usize::from(frame.shard);
        let expected = tracker.shards.get(shard).map(|mark| mark.end);
        if let Err(problem) = order.check(&frame, expected) {
            return Err(walk.damaged(position, problem));
        }
        records += 1;
        let fence = rule_f::Header::parse(frame.fence());
        match tracker.pass(frame.shard, &fence) {
            Verdict::Void => void[shard] += 1,
            Verdict::Unreadable => {}
            Verdict::Counts(kind) => {
                let value = bytes::Bytes::copy_from_slice(frame.value());
                if let Err(problem) = check_value(kind, frame.offset, fence, value) {
                    return Err(walk.damaged(position, problem));
                }
            }
        }
    }
}

fn check_value(kind: Kind, offset: u64, header: rule_f::Header, value: bytes::Bytes) -> Result<(), String> {
    let content = Stored::new(offset, header, value).content(kind);
    content.map(|_| ()).map_err(|problem| format!("the value of the record cannot be read: {problem}"))
}

//! Scanning the last segment: where it ends, and whether what ends it is a torn round or damage.

use std::path::Path;

use super::files;
use super::frame::{Frame, highest_round};
use super::header::Header;
use super::index::Index;
use super::options::OpenError;
use super::recovery::{Cut, rest};
use super::tracker::Tracker;
use super::walk::{Step, Walk};
use crate::reader::ReadError;
use crate::rule_f;

/// A record behind the durable end.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) shard: u16,
    pub(super) offset: u64,
    pub(super) fence: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// What the last segment holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where the last whole record ends.
    pub(super) position: u64,
    /// Last round of which a record was found.
    pub(super) last_round: u64,
    /// Every shard's state at the durable end.
    pub(super) at_durable: Tracker,
    /// Every shard's state at `position`.
    pub(super) tracker: Tracker,
    pub(super) index: Index,
    pub(super) behind: Vec<Behind>,
    /// Bytes behind `position`, up to the last one that is not zero.
    junk: u64,
    /// Whether the last round is whole.
    whole: bool,
}

impl Scan {
    /// What was cut off, if anything was.
    pub(super) fn cut(&self, dir: &Path, segment: u64) -> Option<Cut> {
        if self.junk == 0 && self.whole {
            return None;
        }
        let file = files::segment_path(dir, segment).display().to_string();
        let cut = Cut { file, position: self.position, bytes: self.junk };
        tracing::warn!(
            file = cut.file,
            position = cut.position,
            bytes = cut.bytes,
            "the last round was torn and is cut; nothing of it was confirmed"
        );
        metrics::counter!("gesta_log_cut_bytes_total").increment(cut.bytes);
        Some(cut)
    }
}

/// Rounds and offsets of consecutive frames.
#[derive(Debug)]
pub(super) struct Order {
    round: u64,
    whole: bool,
    first: bool,
}

impl Order {
    pub(super) fn new(former_round: u64) -> Self {
        Self { round: former_round, whole: true, first: true }
    }

    /// Checks that `frame` may follow, `expected` being its shard's next offset.
    pub(super) fn check(&mut self, frame: &Frame<'_>, expected: Option<u64>) -> Result<(), String> {
        let follows = match (self.first, self.whole) {
            (true, _) => frame.round > self.round,
            (_, true) => frame.round == self.round + 1,
            (_, false) => frame.round == self.round,
        };
        let Some(expected) = expected else { return Err(format!("there is no shard {}", frame.shard)) };
        if !follows {
            return Err(format!("round {} cannot follow round {}", frame.round, self.round));
        }
        if frame.offset != expected {
            return Err(format!(
                "offset {} of shard {} cannot follow, {expected} must",
                frame.offset, frame.shard
            ));
        }
        (self.round, self.whole, self.first) = (frame.round, frame.last, false);
        Ok(())
    }
}

/// Scans the last segment. Everything below `durable` must be whole; behind it, a torn round may
/// end the log, if no later round stands behind that.
pub(super) fn scan(
    dir: &Path,
    header: &Header,
    first: u64,
    length: u64,
    durable: u64,
) -> Result<Scan, OpenError> {
    let path = files::segment_path(dir, header.segment);
    let tracker = Tracker::new(header.shards.clone());
    let mut found = Scan {
        position: first,
        last_round: header.former_round,
        at_durable: tracker.clone(),
        tracker,
        index: Index::new(header.genesis.shards),
        behind: Vec::new(),
        junk: 0,
        whole: true,
    };
    if durable > length {
        let problem = format!("the file ends here, but the log was durable up to byte {durable}");
        return Err(files::damaged(&path, length, problem).into());
    }
    let mut walk = Walk::open(path.clone(), first)?;
    let problem = frames(&mut walk, &mut found, length, durable)?;
    if found.position < durable {
        let why = format!("{problem}; the log was durable up to byte {durable}");
        return Err(files::damaged(&path, found.position, why).into());
    }
    let rest = rest(&path, found.position)?;
    found.junk = rest.len() as u64;
    let torn = found.last_round + u64::from(found.whole);
    if let Some(later) = highest_round(&rest, torn + 1) {
        let why = format!(
            "{problem}, and round {later} stands behind it, which was written after that was durable"
        );
        return Err(files::damaged(&path, found.position, why).into());
    }
    Ok(found)
}

/// Walks over whole frames, and tells what ended them.
fn frames(walk: &mut Walk, found: &mut Scan, length: u64, durable: u64) -> Result<&'static str, ReadError> {
    let mut order = Order::new(found.last_round);
    loop {
        let position = walk.position();
        if position == durable {
            found.at_durable = found.tracker.clone();
        }
        found.position = position;
        let frame = match walk.step(length)? {
            Step::Frame(frame) if frame.is_whole() => frame,
            Step::Frame(_) => return Ok("the checksum of the record is wrong"),
            Step::Bad(_, problem) => return Ok(problem),
            Step::End => return Ok("nothing stands where a record must be"),
        };
        let end = position + frame.len() as u64;
        if position < durable && end > durable {
            return Err(walk.damaged(position, "the `end` mark points into the middle of this record"));
        }
        let expected = found.tracker.shards.get(usize::from(frame.shard)).map(|mark| mark.end);
        if let Err(problem) = order.check(&frame, expected) {
            return Err(walk.damaged(position, problem));
        }
        if position >= durable {
            found.behind.push(Behind {
                shard: frame.shard,
                offset: frame.offset,
                fence: frame.fence().to_vec(),
                key: frame.key().to_vec(),
                value: frame.value().to_vec(),
            });
        }
        found.index.note(frame.shard, frame.offset, position);
        found.tracker.pass(frame.shard, &rule_f::Header::parse(frame.fence()));
        (found.last_round, found.whole) = (frame.round, frame.last);
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Found, Place, encode_parts};
    use super::*;

    fn check(order: &mut Order, round: u64, last: bool, offset: u64) -> Result<(), String> {
        let mut bytes = Vec::new();
        encode_parts(&mut bytes, Place { shard: 0, offset, round, last }, &[], &[], b"{}");
        let Found::Frame(frame) = Frame::find(&bytes) else { panic!("no frame") };
        order.check(&frame, Some(5))
    }

    /// PLAT-1: a round follows only a whole one, and offsets have no gap.
    #[test]
    fn rounds_and_offsets_follow_each_other() {
        let mut order = Order::new(3);
        assert!(check(&mut order, 3, true, 5).is_err(), "a round before the segment");
        assert!(check(&mut order, 6, false, 5).is_ok(), "rounds that failed left a gap before the segment");
        assert!(check(&mut order, 7, true, 5).is_err(), "round 6 is not whole");
        assert!(check(&mut order, 6, true, 5).is_ok());
        assert!(check(&mut order, 6, true, 5).is_err(), "round 6 was whole");
        assert!(check(&mut order, 8, true, 5).is_err(), "round 7 is missing");
        assert!(check(&mut order, 7, true, 6).is_err(), "offset 5 is missing");
        assert!(check(&mut order, 7, true, 5).is_ok());
    }
}

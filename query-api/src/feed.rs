//! The journal as a feed: what a subscription reads, from a cursor on, without gap or repetition.
//!
//! Rows of a shard appear in the order of the log, together with the mark that covers them. So
//! reading (cursor, mark] of each shard is complete, however long the reader was away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use migrations::EventJournalRow;
use schemas::position::{MAX_TOKEN_MARKS, Token};
use schemas::problem::Code;
use tokio::time::sleep;

use crate::limits::PROGRESS_POLL;
use crate::problem::Problem;
use crate::progress::{Look, Marks, Watch};
use crate::read_models::ReadModel;
use crate::reader::Reader;
use crate::schema::{EventFilter, events_after};

/// Index behind the last event of a commit.
const WHOLE_COMMIT: u32 = i32::MAX as u32;

/// A place in the log: per shard the last event that was passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    generation: u32,
    passed: BTreeMap<u16, (u64, u32)>,
}

impl Place {
    /// Behind everything that `models` include.
    fn at(marks: &Marks, models: &BTreeSet<ReadModel>) -> Self {
        Self::from(marks.seen_by(models))
    }

    /// The token of everything passed. The offset of a commit that is passed in part counts too: a
    /// read model shows commits whole.
    fn token(&self) -> Token {
        let marks = self.passed.iter().map(|(shard, (offset, _))| (*shard, *offset)).collect();
        Token { generation: self.generation, marks }
    }
}

impl From<Token> for Place {
    fn from(token: Token) -> Self {
        let passed = token.marks.into_iter().map(|(shard, offset)| (shard, (offset, WHOLE_COMMIT))).collect();
        Self { generation: token.generation, passed }
    }
}

/// The text is opaque and versioned, `c1.` and base64url.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut octets = self.generation.to_be_bytes().to_vec();
        for (shard, (offset, index)) in &self.passed {
            octets.extend(shard.to_be_bytes());
            octets.extend(offset.to_be_bytes());
            octets.extend(index.to_be_bytes());
        }
        write!(f, "c1.{}", URL_SAFE_NO_PAD.encode(octets))
    }
}

impl FromStr for Place {
    type Err = Problem;

    /// Reads the cursor of an item, or the `position` of any answer.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let bad = || {
            let detail = "`after` is neither the cursor of an item nor the position of an answer";
            Problem::new(Code::InvalidCursor, detail)
        };
        let Some(coded) = text.strip_prefix("c1.") else {
            return text.parse::<Token>().map(Self::from).map_err(|_| bad());
        };
        let octets = URL_SAFE_NO_PAD.decode(coded).map_err(|_| bad())?;
        let (generation, shards) = octets.split_first_chunk::<4>().ok_or_else(bad)?;
        let (shards, rest) = shards.as_chunks::<14>();
        if !rest.is_empty() || shards.len() > MAX_TOKEN_MARKS {
            return Err(bad());
        }
        let passed = shards.iter().map(|shard| {
            let [s0, s1, o0, o1, o2, o3, o4, o5, o6, o7, index @ ..] = *shard;
            let offset = u64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
            (u16::from_be_bytes([s0, s1]), (offset, u32::from_be_bytes(index)))
        });
        Ok(Self { generation: u32::from_be_bytes(*generation), passed: passed.collect() })
    }
}

/// A reader of the journal.
pub(crate) struct Feed {
    reader: Arc<Reader>,
    watch: Watch,
    models: BTreeSet<ReadModel>,
    filter: EventFilter,
    /// None until the first marks are known, for a feed that begins now.
    place: Option<Place>,
}

/// Cursor and token of an item.
pub(crate) struct Passed {
    pub(crate) cursor: String,
    pub(crate) position: String,
}

impl Feed {
    /// A feed of what fits `filter`, shown as soon as all of `models` include it; from `after` on, or
    /// from now on.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub(crate) fn new(
        reader: Arc<Reader>,
        watch: Watch,
        models: &[ReadModel],
        filter: EventFilter,
        after: Option<&str>,
    ) -> Result<Self, Problem> {
        let place = after.map(str::parse).transpose()?;
        Ok(Self { reader, watch, models: models.iter().copied().collect(), filter, place })
    }

    /// The reader, for what belongs to the events.
    pub(crate) fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// The next events of one shard, in order; waits until there are some.
    ///
    /// # Errors
    /// The cursor is of another generation of the log. An outage of the database is no error: the
    /// feed goes on after it.
    pub(crate) async fn batch(&mut self) -> Result<Vec<EventJournalRow>, Problem> {
        loop {
            let look = self.watch.borrow_and_update().clone();
            let marks = if let Look::Known(marks) = &look { Some(marks.as_ref()) } else { None };
            match self.look(marks).await {
                Ok(Some(rows)) => return Ok(rows),
                Ok(None) => {
                    if self.watch.changed().await.is_err() {
                        return Err(Problem::new(
                            Code::Unavailable,
                            "the service stops; resume with the cursor",
                        ));
                    }
                }
                Err(problem) if problem.code == Code::Unavailable => sleep(PROGRESS_POLL).await,
                Err(problem) => return Err(problem),
            }
        }
    }

    async fn look(&mut self, marks: Option<&Marks>) -> Result<Option<Vec<EventJournalRow>>, Problem> {
        let Some(marks) = marks else { return Ok(None) };
        let place = self.place.get_or_insert_with(|| Place::at(marks, &self.models));
        if place.passed.is_empty() {
            place.generation = marks.generation();
        }
        if place.generation != marks.generation() {
            let detail = "the cursor is of another generation of the log; begin without it";
            return Err(Problem::new(Code::InvalidCursor, detail));
        }
        for shard in marks.shards() {
            let end = marks.next_of(&self.models, shard);
            let from = place.passed.get(&shard).copied();
            // A commit that is passed in part has more to give, also when it is the last one.
            if from.is_some_and(|(offset, index)| {
                offset >= end || offset.saturating_add(1) == end && index == WHOLE_COMMIT
            }) {
                continue;
            }
            let from = from
                .map_or((-1, i32::MAX), |(offset, index)| (signed(offset), index.min(WHOLE_COMMIT) as i32));
            let generation = place.generation;
            let rows = events_after(&self.reader, &self.filter, generation, shard, from, signed(end)).await?;
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
            if let Some(last) = end.checked_sub(1) {
                place.passed.insert(shard, (last, WHOLE_COMMIT));
            }
        }
        Ok(None)
    }

    /// Moves behind an event; the cursor and token from there.
    pub(crate) fn pass(&mut self, row: &EventJournalRow) -> Passed {
        let place = self.place.get_or_insert_default();
        let shard = u16::try_from(row.shard).unwrap_or(u16::MAX);
        let offset = u64::try_from(row.log_offset).unwrap_or(0);
        place.passed.insert(shard, (offset, u32::try_from(row.event_index).unwrap_or(0)));
        Passed { cursor: place.to_string(), position: place.token().to_string() }
    }
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_a_position_is_one() {
        let place =
            Place { generation: 2, passed: BTreeMap::from([(0, (7, 3)), (9, (u64::MAX, WHOLE_COMMIT))]) };
        assert_eq!(place.to_string().parse::<Place>(), Ok(place.clone()));
        let token = Token { generation: 2, marks: BTreeMap::from([(1, 5)]) };
        let expected = Place { generation: 2, passed: BTreeMap::from([(1, (5, WHOLE_COMMIT))]) };
        assert_eq!(token.to_string().parse::<Place>(), Ok(expected));
        for bad in ["", "c1.", "c1.AAAA", "c1.AAAAAQAAAA", "c2.AAAAAQ", "junk"] {
            assert_eq!(bad.parse::<Place>().unwrap_err().code, Code::InvalidCursor, "{bad}");
        }
    }
}

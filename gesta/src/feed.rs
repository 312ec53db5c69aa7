//! The events of a log in one order, for `GET /events` and `gesta events --data`.
//!
//! What stood in the log when reading began comes merged by time (within a shard time never falls,
//! so a merge of all shards is a total order that is the same at every reading). What is appended
//! later follows as it comes. Postgres has no part in it.

use std::collections::VecDeque;
use std::sync::Arc;

use event_log::{Content, Log, ReadError, Reader, Start};
use futures_util::future::select_all;
use schemas::cloudevent::cloud_events;
use schemas::commit::Commit;
use schemas::position::{Position, Token};

use crate::cloud_event::{self, Resume};

/// Records of one shard that are read at once.
const READ_RECORDS: usize = 512;

/// Where the events begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// With the first one.
    Beginning,
    /// With what is appended from now on.
    End,
    /// Behind a line.
    Behind(Resume),
}

impl std::str::FromStr for From {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => Ok(Self::Beginning),
            "end" => Ok(Self::End),
            token => {
                token.parse().map(Self::Behind).map_err(|error| format!("{error}; or use beginning or end"))
            }
        }
    }
}

/// Which events are wanted; an absent part wants all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Event types; one that ends with `*` stands for all that begin so.
    pub(crate) types: Vec<String>,
    /// `<aggregate type>/<id>`.
    pub(crate) subject: Option<String>,
    /// Tenant.
    pub(crate) tenant: Option<String>,
    /// Correlation id.
    pub(crate) correlation: Option<String>,
}

impl Filter {
    fn wants(&self, commit: &Commit, event: &schemas::commit::EventRecord) -> bool {
        let kind = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => event.kind.starts_with(prefix),
            None => event.kind == *pattern,
        };
        let (stream, absent) =
            (&event.stream, |part: &Option<String>, is: &str| part.as_ref().is_none_or(|p| p == is));
        (self.types.is_empty() || self.types.iter().any(kind))
            && absent(&self.tenant, stream.tenant())
            && absent(&self.correlation, &commit.correlation)
            && self
                .subject
                .as_ref()
                .is_none_or(|subject| subject.split_once('/') == Some((stream.aggregate_type(), stream.id())))
    }
}

/// A reader of all shards.
#[derive(Debug)]
pub(crate) struct Feed {
    log: Log,
    filter: Filter,
    shards: Vec<Shard>,
    reached: Token,
}

#[derive(Debug)]
struct Shard {
    number: u16,
    reader: Reader,
    /// Where the merged part ends.
    end: u64,
    /// Offsets up to this one are passed over.
    passed: Option<u64>,
    /// So are the events of the commit at this offset, up to this index.
    inside: Option<(u64, u16)>,
    waiting: VecDeque<(u64, Arc<Commit>)>,
}

impl Feed {
    /// Begins reading.
    ///
    /// # Errors
    /// [`FeedError`] when the log is damaged or the token is of another one.
    pub(crate) async fn new(log: Log, from: From, filter: Filter) -> Result<Self, FeedError> {
        let (generation, count) = (log.genesis().generation, log.genesis().shards);
        let mut inside = None;
        let reached = match from {
            From::Beginning => Token { generation, ..Token::default() },
            From::End => {
                let last = |shard| log.end(shard).checked_sub(1).map(|offset| (shard, offset));
                Token { generation, marks: (0..count).filter_map(last).collect() }
            }
            From::Behind(resume) => {
                inside = resume.inside;
                resume.token
            }
        };
        let generations = [Some(reached.generation), inside.map(|position| position.generation)];
        if let Some(token) = generations.into_iter().flatten().find(|own| *own != generation) {
            return Err(FeedError::Generation { token, log: generation });
        }
        let mut shards = Vec::new();
        for number in 0..count {
            let passed = reached.marks.get(&number).copied();
            let start = passed.map_or(Start::Beginning(number), |mark| Start::Before {
                shard: number,
                offset: mark.saturating_add(1),
            });
            let reader = log.reader(start).await?;
            let inside = inside.filter(|position| position.shard == number);
            let inside = inside.map(|position| (position.offset, position.index));
            let end = log.end(number);
            shards.push(Shard { number, reader, end, passed, inside, waiting: VecDeque::new() });
        }
        Ok(Self { log, filter, shards, reached })
    }

    /// The lines of the next commit that stood in the log when reading began; `None` after the last.
    ///
    /// # Errors
    /// [`FeedError`] when the log cannot be read on.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<String>>, FeedError> {
        loop {
            for shard in &mut self.shards {
                shard.fill().await?;
            }
            let heads = self
                .shards
                .iter()
                .enumerate()
                .filter_map(|(at, shard)| Some((shard.waiting.front()?.1.at, at)));
            let Some((_, first)) = heads.min() else { return Ok(None) };
            let lines = self.take(first);
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
    }

    /// Waits for commits appended after those of [`next`](Self::next), and gives their lines.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) async fn follow(&mut self) -> Result<Vec<String>, FeedError> {
        loop {
            let mut lines = Vec::new();
            let mut watches: Vec<_> = self.shards.iter().map(|shard| self.log.watch(shard.number)).collect();
            for (at, watch) in watches.iter_mut().enumerate() {
                self.shards[at].end = *watch.borrow_and_update();
                self.shards[at].fill().await?;
                while !self.shards[at].waiting.is_empty() {
                    lines.extend(self.take(at));
                }
            }
            if !lines.is_empty() {
                return Ok(lines);
            }
            if self.shards.iter().any(|shard| shard.reader.cursor().next_offset < shard.end) {
                continue;
            }
            let (closed, ..) = select_all(watches.iter_mut().map(|watch| Box::pin(watch.changed()))).await;
            closed.map_err(|_| FeedError::Closed)?;
        }
    }

    /// The lines of the first waiting commit of a shard that are wanted.
    fn take(&mut self, at: usize) -> Vec<String> {
        let shard = &mut self.shards[at];
        let Some((offset, commit)) = shard.waiting.pop_front() else { return Vec::new() };
        let before = self.reached.clone();
        self.reached.raise(shard.number, offset);
        let (number, generation) = (shard.number, self.reached.generation);
        let passed = shard.inside.filter(|(inside, _)| *inside == offset).map(|(_, index)| index);
        let events = (0_u16..).zip(cloud_events(&commit, generation, number, offset));
        let wanted = events.filter(|(index, _)| {
            passed.is_none_or(|passed| *index > passed)
                && self.filter.wants(&commit, &commit.events[usize::from(*index)])
        });
        let resume = |index: u16| {
            if usize::from(index) + 1 == commit.events.len() {
                return Resume { token: self.reached.clone(), inside: None };
            }
            Resume {
                token: before.clone(),
                inside: Some(Position { generation, shard: number, offset, index }),
            }
        };
        wanted.map(|(index, event)| cloud_event::line(&event, &resume(index))).collect()
    }
}

impl Shard {
    /// Reads on until a commit waits or the end of the merged part is reached.
    async fn fill(&mut self) -> Result<(), ReadError> {
        while self.waiting.is_empty() && self.reader.cursor().next_offset < self.end {
            let counted = self.reader.next(READ_RECORDS).await?;
            if counted.is_empty() {
                return Ok(());
            }
            let passed = self.passed;
            let commits = counted.into_iter().filter(|record| passed.is_none_or(|mark| record.offset > mark));
            self.waiting.extend(commits.filter_map(|record| match record.content {
                Content::Commit(commit) => Some((record.offset, commit)),
                Content::Genesis(_) | Content::Claim(_) | Content::Barrier => None,
            }));
        }
        Ok(())
    }
}

/// Why events cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum FeedError {
    /// The log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The token is of another generation of the log.
    #[error(
        "the token is of generation {token} of the log, this one is generation {log}; begin with from=beginning"
    )]
    Generation {
        /// Generation of the token.
        token: u32,
        /// Generation of the log.
        log: u32,
    },
    /// The log was closed.
    #[error("the log was closed")]
    Closed,
}

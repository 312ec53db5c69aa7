//! The memory core behind the handle: every batch lands at once, unless a fault was ordered.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::handle::AppendError;
use crate::memory::core::{BatchId, MemoryCore};
use crate::reader::{Content, ReadError, apply};
use crate::record::{FORMAT, Genesis, Record};
use crate::stored::Stored;

/// How a log in memory is made.
#[derive(Debug, Clone)]
pub struct MemoryOptions {
    /// Name of the deployment.
    pub deployment: String,
    /// Number of shards, at least 1.
    pub shards: u16,
    /// The log's id; random unless a test needs the same one twice.
    pub log_id: Uuid,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { deployment: "memory".into(), shards: 8, log_id: Uuid::new_v4() }
    }
}

/// What happens to one append instead of landing and being reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never lands; the appender gets an error.
    Lose,
    /// It lands; the appender gets an error.
    LoseReport,
    /// It lands twice; the appender hears of the second time.
    Duplicate,
    /// It stays in flight, the appender gets an error; [`FaultHandle::land_delayed`] lands it.
    Delay,
}

/// Orders faults of a log in memory.
#[derive(Debug, Clone)]
pub struct FaultHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ends: Vec<watch::Sender<u64>>,
    genesis: Genesis,
}

#[derive(Debug)]
struct State {
    core: MemoryCore,
    faults: VecDeque<Fault>,
    delayed: Vec<(BatchId, u16)>,
}

/// The backend.
#[derive(Debug, Clone)]
pub(crate) struct Memory(Arc<Shared>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of another test thread leaves the core whole: every change of it is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, core: &MemoryCore, shard: u16) {
        self.ends[usize::from(shard)].send_replace(core.end(shard));
    }
}

impl FaultHandle {
    /// Orders a fault for the next append that has none yet.
    pub fn next_append(&self, fault: Fault) {
        self.0.lock().faults.push_back(fault);
    }

    /// Lands every delayed batch, oldest first.
    pub fn land_delayed(&self) {
        let mut state = self.0.lock();
        for (id, shard) in std::mem::take(&mut state.delayed) {
            state.core.land(id);
            self.0.publish(&state.core, shard);
        }
    }

    /// Runs `change` on the core, for example to cut a confirmed tail off.
    pub fn with_core<R>(&self, change: impl FnOnce(&mut MemoryCore) -> R) -> R {
        let mut state = self.0.lock();
        let result = change(&mut state.core);
        for shard in 0..self.0.genesis.shards {
            self.0.publish(&state.core, shard);
        }
        result
    }
}

impl Memory {
    pub(crate) fn new(options: MemoryOptions) -> (Self, FaultHandle) {
        let genesis = Genesis {
            log_id: options.log_id,
            deployment: options.deployment,
            generation: 1,
            shards: options.shards.max(1),
            format: FORMAT,
        };
        let core = MemoryCore::new(genesis.clone());
        let ends = (0..genesis.shards).map(|shard| watch::Sender::new(core.end(shard))).collect();
        let state = State { core, faults: VecDeque::new(), delayed: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), ends, genesis });
        (Self(Arc::clone(&shared)), FaultHandle(shared))
    }

    pub(crate) fn genesis(&self) -> &Genesis {
        &self.0.genesis
    }

    pub(crate) fn append(&self, shard: u16, records: Vec<Record>) -> Result<Vec<u64>, AppendError> {
        let mut state = self.0.lock();
        let fault = state.faults.pop_front();
        let id = state.core.send(shard, records);
        let unknown = |what: &str| Err(AppendError::Unconfirmed { shard, problem: what.to_owned() });
        let answer = match fault {
            None => Ok(state.core.land(id)),
            Some(Fault::Lose) => {
                state.core.lose(id);
                unknown("injected: the batch was lost")
            }
            Some(Fault::LoseReport) => {
                state.core.land(id);
                unknown("injected: the report was lost")
            }
            Some(Fault::Duplicate) => {
                state.core.land_copy(id);
                Ok(state.core.land(id))
            }
            Some(Fault::Delay) => {
                state.delayed.push((id, shard));
                unknown("injected: the batch is delayed")
            }
        };
        self.0.publish(&state.core, shard);
        answer
    }

    pub(crate) fn end(&self, shard: u16) -> u64 {
        self.0.lock().core.end(shard)
    }

    pub(crate) fn watch(&self, shard: u16) -> watch::Receiver<u64> {
        self.0.ends[usize::from(shard)].subscribe()
    }

    pub(crate) fn check(&self, cursor: &Cursor) -> Result<(), ReadError> {
        self.0.lock().core.check(cursor)
    }

    pub(crate) fn fetch(&self, cursor: &Cursor, max: usize) -> Result<Vec<Arc<Stored>>, ReadError> {
        Ok(self.0.lock().core.records(cursor, max)?.to_vec())
    }

    pub(crate) fn basis(&self, shard: u16) -> Result<(Cursor, Option<DateTime<Utc>>), ReadError> {
        let start = Cursor::beginning(&self.0.genesis, shard);
        let state = self.0.lock();
        let (mut cursor, mut counted) = (start, Vec::new());
        apply(&mut cursor, state.core.records(&start, usize::MAX)?, &mut counted)?;
        let at =
            |content: &Content| if let Content::Commit(commit) = content { Some(commit.at) } else { None };
        Ok((cursor, counted.iter().rev().find_map(|record| at(&record.content))))
    }
}

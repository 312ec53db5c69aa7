//! What became of every command id: enough to answer its repetition for ever.

use std::collections::HashMap;

use schemas::ids::Stream;
use schemas::task::TaskEvent;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::generations::Generations;
use crate::aggregates::Refusal;
use crate::aggregates::registry::AnyEvent;

/// One event that a command caused.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Stream.
    pub stream: Stream,
    /// Version in its stream.
    pub version: u64,
    /// The event.
    pub event: AnyEvent,
}

/// The scope and id of a command, 128 bits of SHA-256 over (home stream, command id); the home
/// stream names the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandKey(pub u128);

impl CommandKey {
    /// The key of a command id in the scope of its home stream.
    #[must_use]
    pub fn of(home: &Stream, command_id: &str) -> Self {
        // No stream contains a zero byte, so the two parts cannot run into each other.
        Self(digest(&[home.as_str().as_bytes(), &[0], command_id.as_bytes()]))
    }
}

fn digest(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let octets: [u8; 32] = hash.finalize().into();
    u128::from_be_bytes(*octets.first_chunk::<16>().expect("16 of 32 octets"))
}

/// A body hash as the log has it, 32 hexadecimal digits, as a number. Any other text is digested.
#[must_use]
pub fn body_number(body_hash: &str) -> u128 {
    let digits = body_hash.len() == 32 && body_hash.bytes().all(|b| b.is_ascii_hexdigit());
    let number = if digits { u128::from_str_radix(body_hash, 16).ok() } else { None };
    number.unwrap_or_else(|| digest(&[body_hash.as_bytes()]))
}

/// The hash of a body that the shard itself makes, in the form of the log.
#[must_use]
pub fn body_hash(body: &[u8]) -> String {
    format!("{:032x}", digest(&[body]))
}

/// What a counted commit says to a repetition of its command.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// Hash of the body.
    pub body: u128,
    /// Offset of the commit.
    pub offset: u64,
    /// What happened.
    pub outcome: Outcome,
}

/// What a command did, as far as its answer says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// One event of the home stream: nearly every command.
    One {
        /// Event type.
        kind: &'static str,
        /// Its version.
        version: u64,
    },
    /// Anything else.
    Many(Box<Many>),
}

/// An outcome of several events, leases or a recorded refusal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Many {
    /// Stream, version and type of every event.
    pub events: Vec<(Stream, u64, &'static str)>,
    /// Task and lease id of every lease that was granted.
    pub leases: Vec<(Stream, Uuid)>,
    /// The refusal, where the commit only records one.
    pub refusal: Option<Refusal>,
}

impl Outcome {
    /// The outcome of the facts of one commit addressed to `home`: the same for the owner that wrote
    /// them and for everyone who reads them.
    #[must_use]
    pub fn of(home: &Stream, facts: &[Fact]) -> Self {
        let mut many = Many::default();
        for fact in facts {
            if let AnyEvent::Task(TaskEvent::TaskAssigned(event)) = &fact.event {
                many.leases.push((fact.stream.clone(), event.lease_id));
            }
            many.refusal = many.refusal.or_else(|| fact.event.refusal());
        }
        let plain = many == Many::default();
        match facts {
            [fact] if plain && fact.stream == *home => {
                Self::One { kind: fact.event.kind().0, version: fact.version }
            }
            _ => {
                let summary = |fact: &Fact| (fact.stream.clone(), fact.version, fact.event.kind().0);
                many.events = facts.iter().map(summary).collect();
                Self::Many(Box::new(many))
            }
        }
    }
}

/// What the table knows of a command id.
#[derive(Debug)]
pub enum Known<'a> {
    /// Its commit counts.
    Proven(&'a Receipt),
    /// Its commit has this sequence and is not proven yet; the hash is that of its body.
    Unproven {
        /// Sequence of the record.
        seq: u64,
        /// Hash of the body.
        body: u128,
    },
}

/// The table of command ids.
#[derive(Debug, Default)]
pub struct Receipts {
    proven: Generations<CommandKey, Receipt>,
    /// Proven since the last checkpoint.
    new: Vec<(CommandKey, Receipt)>,
    /// Whether a store takes those.
    pub(super) saves: bool,
    unproven: HashMap<CommandKey, (u64, u128)>,
}

impl Receipts {
    /// Looks a command id up.
    #[must_use]
    pub fn find(&self, key: CommandKey) -> Option<Known<'_>> {
        if let Some(&(seq, body)) = self.unproven.get(&key) {
            return Some(Known::Unproven { seq, body });
        }
        self.proven.get(&key).map(Known::Proven)
    }

    /// Notes a command whose record was stamped with `seq`.
    pub fn expect(&mut self, key: CommandKey, seq: u64, body: u128) {
        self.unproven.insert(key, (seq, body));
    }

    /// Notes a commit that counts. The first one of an id stays: no later one is ever written.
    pub fn prove(&mut self, key: CommandKey, receipt: Receipt) {
        self.unproven.remove(&key);
        if !self.proven.contains(&key) {
            if self.saves {
                self.new.push((key, receipt.clone()));
            }
            self.proven.insert(key, receipt);
        }
    }

    /// Takes a receipt as it stands in the store.
    pub fn load(&mut self, key: CommandKey, receipt: Receipt) {
        if !self.proven.contains(&key) {
            self.proven.insert(key, receipt);
        }
    }

    /// Receipts that no checkpoint holds.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.new.len()
    }

    /// The receipts that no checkpoint holds; they count as saved from now on.
    pub fn take_new(&mut self) -> Vec<(CommandKey, Receipt)> {
        std::mem::take(&mut self.new)
    }

    /// What [`take_new`](Self::take_new) took and no checkpoint holds.
    pub fn new_again(&mut self, taken: Vec<(CommandKey, Receipt)>) {
        let newer = std::mem::replace(&mut self.new, taken);
        self.new.extend(newer);
    }

    /// Gives away what was not used for long. Everything but what is new must be in the store.
    pub(super) fn rotate(&mut self, limit: usize) -> HashMap<CommandKey, Receipt> {
        self.proven.rotate(limit, self.new.iter().map(|(key, _)| key))
    }

    /// Forgets every command that is not proven.
    pub fn forget_unproven(&mut self) {
        self.unproven.clear();
    }

    /// The first command, if any, that is proven here and not, or not equally, there.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let differs = |(key, receipt): (&CommandKey, &Receipt)| match other.proven.get(key) {
            Some(theirs) if theirs == receipt => None,
            theirs => Some(format!("{key:?}: {receipt:?} here, {theirs:?} there")),
        };
        self.proven.iter().filter_map(differs).min()
    }

    /// Number of proven commands in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.proven.len()
    }

    /// Whether no command is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.proven.len() == 0 && self.unproven.is_empty()
    }
}

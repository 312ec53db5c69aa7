//! One file of a repository and the chunks that its content was split into (KNOW-1, KNOW-7).

mod index;
#[cfg(test)]
pub(crate) mod model;
mod path;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemas::ids::AggregateId;
use schemas::source_file::{
    RegisterSourceFile, SourceFileCommand, SourceFileEvent, SourceFileRegistered, SourceFileRemoved,
};
use serde::{Deserialize, Serialize};

use super::{Aggregate, Context, Refusal};

/// The state of a source file: what the next content is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    repository_id: AggregateId,
    path: String,
    life: Life,
}

/// Stages of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Life {
    /// Known, its content is not.
    Registered,
    /// Its chunks are found.
    Indexed(Indexed),
    /// No longer in the repository.
    Removed,
}

/// The content that was indexed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Indexed {
    content_hash: String,
    chunker: String,
    chunks: BTreeMap<String, Place>,
}

/// What is known of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    hash: String,
    start_line: u32,
    end_line: u32,
}

type Decision = Result<Vec<SourceFileEvent>, Refusal>;

impl Aggregate for SourceFile {
    type Command = SourceFileCommand;
    type Event = SourceFileEvent;

    const TYPE: &'static str = "source_file";

    fn decide(state: Option<&Self>, command: &SourceFileCommand, _context: Context<'_>) -> Decision {
        use SourceFileCommand as C;
        match (state, command) {
            (None, C::RegisterSourceFile(register)) => self::register(register),
            (None, _) => Err(Refusal::NotFound { aggregate: Self::TYPE }),
            (Some(_), C::RegisterSourceFile(_)) => Err(Refusal::AlreadyExists { aggregate: Self::TYPE }),
            (Some(file), C::IndexSourceFile(index)) => index::index(file, index),
            (Some(file), C::RemoveSourceFile(_)) => Ok(file.remove()),
        }
    }

    fn evolve(state: Option<Self>, event: &SourceFileEvent) -> Option<Self> {
        let file = match (state, event) {
            (None, SourceFileEvent::SourceFileRegistered(registered)) => {
                let SourceFileRegistered { repository_id, path } = registered.clone();
                return Some(Self { repository_id, path, life: Life::Registered });
            }
            (state, _) => state?,
        };
        Some(match event {
            SourceFileEvent::SourceFileRegistered(_) => file,
            SourceFileEvent::SourceFileIndexed(indexed) => index::indexed(file, indexed),
            SourceFileEvent::SourceFileRemoved(_) => Self { life: Life::Removed, ..file },
        })
    }

    fn deadline(&self) -> Option<(DateTime<Utc>, SourceFileCommand)> {
        None
    }

    fn stage(&self) -> &'static str {
        match self.life {
            Life::Registered => "registered",
            Life::Indexed(_) => "indexed",
            Life::Removed => "removed",
        }
    }
}

fn register(command: &RegisterSourceFile) -> Decision {
    if let Some(reason) = path::problem(&command.path) {
        return Err(Refusal::Guard { field: "/path", reason });
    }
    let RegisterSourceFile { repository_id, path } = command.clone();
    Ok(vec![SourceFileRegistered { repository_id, path }.into()])
}

impl SourceFile {
    /// The chunks that are found now.
    fn chunks(&self) -> Option<&BTreeMap<String, Place>> {
        if let Life::Indexed(indexed) = &self.life { Some(&indexed.chunks) } else { None }
    }

    fn remove(&self) -> Vec<SourceFileEvent> {
        if self.life == Life::Removed {
            return Vec::new();
        }
        let removed = self.chunks().into_iter().flat_map(BTreeMap::keys).cloned().collect();
        let (repository_id, path) = (self.repository_id, self.path.clone());
        vec![SourceFileRemoved { repository_id, path, removed }.into()]
    }
}

//! A node's state store: what its last checkpoint said, and nothing of what came after.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use command_service::shard::receipts::{CommandKey, Receipt};
use command_service::shard::streams::Entry;
use command_service::shard::{Checkpoint, Loaded, Marks, Needs};
use event_log::Cursor;
use schemas::ids::Stream;

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) stand: Option<(Cursor, DateTime<Utc>)>,
    streams: HashMap<Stream, Entry>,
    commands: HashMap<CommandKey, Receipt>,
}

impl Disk {
    pub(crate) fn save(&mut self, checkpoint: &Checkpoint) {
        self.stand = Some((checkpoint.cursor, checkpoint.at));
        let entries =
            checkpoint.streams.iter().map(|(stream, entry)| (stream.clone(), entry.as_ref().clone()));
        self.streams.extend(entries);
        self.commands.extend(checkpoint.commands.iter().cloned());
    }

    pub(crate) fn load(&self, needs: Needs) -> Loaded {
        let stream = |stream: Stream| (stream.clone(), self.streams.get(&stream).cloned());
        let command = |key: CommandKey| (key, self.commands.get(&key).cloned());
        Loaded {
            streams: needs.streams.into_iter().map(stream).collect(),
            commands: needs.commands.into_iter().map(command).collect(),
        }
    }

    pub(crate) fn stream(&self, stream: &Stream) -> Option<&Entry> {
        self.streams.get(stream)
    }

    pub(crate) fn marks(&self) -> Vec<(Stream, Marks)> {
        let mut marks: Vec<_> = self
            .streams
            .iter()
            .map(|(stream, entry)| {
                (stream.clone(), Marks { due: entry.due(), place: entry.place().cloned() })
            })
            .collect();
        marks.sort_by(|one, other| one.0.cmp(&other.0));
        marks
    }
}

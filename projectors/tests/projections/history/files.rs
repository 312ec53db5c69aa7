//! Repositories and their files: chunks come, move, change and go, and come back.

use schemas::repository::*;
use schemas::source_file::*;

use super::{Encoded, Life};

fn repository(event: impl Into<RepositoryEvent>) -> Encoded {
    let event = event.into();
    let (kind, v) = event.kind();
    (kind, v, serde_json::to_value(&event).unwrap())
}

fn file(event: impl Into<SourceFileEvent>) -> Encoded {
    let event = event.into();
    let (kind, v) = event.kind();
    (kind, v, serde_json::to_value(&event).unwrap())
}

fn chunk(id: &str, choice: u16) -> Chunk {
    Chunk {
        id: id.to_owned(),
        hash: format!("{choice:032x}"),
        kind: ChunkKind::FunctionDef,
        name: choice.is_multiple_of(2).then(|| format!("renewLease{choice}")),
        scope: "shard::lease".into(),
        signature: format!("fn renew_lease(n: {choice})"),
        text: format!("fn renew_lease() {{ \"häkchen ✓ \0 nul, it's {choice}\" }}\n"),
        part: 0,
        start_line: 1,
        end_line: u32::from(choice) + 1,
    }
}

impl Life {
    pub(super) fn repository(&mut self) -> Vec<Encoded> {
        match self.stage {
            "-" => vec![repository(
                self.go("registered", RepositoryRegistered { name: "gesta \0".into(), origin: None }),
            )],
            "registered" => {
                vec![repository(self.go("retired", RepositoryRetired { reason: Some("old".into()) }))]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn source_file(&mut self, choice: u16) -> Vec<Encoded> {
        let (repository_id, path) = (self.id, format!("src/lease_{}.rs", self.id));
        match self.stage {
            "-" => {
                let registered = SourceFileRegistered { repository_id, path };
                vec![file(self.go("registered", registered))]
            }
            "indexed" if choice.is_multiple_of(11) => {
                let removed = std::mem::take(&mut self.chunks);
                vec![file(self.go("removed", SourceFileRemoved { repository_id, path, removed }))]
            }
            _ => vec![self.indexed(choice)],
        }
    }

    /// Chunks 0 to 7, each gone, moved, changed or left alone as two bits of the choice say.
    fn indexed(&mut self, choice: u16) -> Encoded {
        let (repository_id, path) = (self.id, format!("src/lease_{}.rs", self.id));
        let (mut upserted, mut moved, mut removed) = (vec![], vec![], vec![]);
        let mut stay = Vec::new();
        for n in 0..8_u16 {
            let id = format!("{n:032x}");
            let there = self.chunks.contains(&id);
            match (choice >> (2 * n)) & 3 {
                0 if there => removed.push(id),
                1 if there => {
                    moved.push(MovedChunk { id: id.clone(), start_line: n.into(), end_line: choice.into() });
                    stay.push(id);
                }
                2 if there => stay.push(id),
                3 => {
                    upserted.push(chunk(&id, choice));
                    stay.push(id);
                }
                _ => {}
            }
        }
        self.chunks = stay;
        let chunks = u32::try_from(self.chunks.len()).unwrap();
        file(self.go(
            "indexed",
            SourceFileIndexed {
                repository_id,
                path,
                content_hash: format!("{choice:064x}"),
                chunker: "test/1".into(),
                commit: choice.is_multiple_of(3).then(|| format!("{choice:040x}")),
                language: Some("rust".into()),
                bytes: choice.into(),
                lines: choice.into(),
                chunks,
                upserted,
                moved,
                removed,
            },
        ))
    }
}

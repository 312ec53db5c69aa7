//! How far the read models are, and waiting until they are far enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemas::position::Token;
use schemas::problem::Code;
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::limits::PROGRESS_POLL;
use crate::problem::{self, Problem};
use crate::read_models::ReadModel;

/// The cursors of the generation that is read.
const MARKS_SQL: &str = "SELECT p.name, p.log_generation, p.shard, p.next_offset
    FROM gesta.projections p JOIN gesta.generations g USING (generation) WHERE g.state = 'live'";

/// The next offset of every projection in every shard; nothing beyond it was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Generation of the log; 0 before any projection ran.
    generation: u32,
    next: BTreeMap<String, BTreeMap<u16, u64>>,
}

impl Marks {
    /// Reads the marks as the connection's transaction sees them.
    ///
    /// # Errors
    /// Those of the statement.
    pub(crate) async fn load(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let rows: Vec<(String, i64, i32, i64)> = sqlx::query_as(MARKS_SQL).fetch_all(connection).await?;
        let mut marks = Self::default();
        for (name, generation, shard, next) in rows {
            marks.generation = marks.generation.max(u32::try_from(generation).unwrap_or(0));
            let shard = u16::try_from(shard).unwrap_or(u16::MAX);
            marks.next.entry(name).or_default().insert(shard, u64::try_from(next).unwrap_or(0));
        }
        Ok(marks)
    }

    /// The next offset of one shard that all of `models` have reached.
    pub(crate) fn next_of(&self, models: &BTreeSet<ReadModel>, shard: u16) -> u64 {
        let next = |model: &ReadModel| {
            self.next.get(model.name()).and_then(|shards| shards.get(&shard)).copied().unwrap_or(0)
        };
        models.iter().filter(|model| model.follows_the_log()).map(next).min().unwrap_or(0)
    }

    /// Every shard of which any projection knows.
    pub(crate) fn shards(&self) -> BTreeSet<u16> {
        self.next.values().flat_map(BTreeMap::keys).copied().collect()
    }

    /// Generation of the log that the projections follow.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The token of what `models` include: contiguous low marks, so the least of them per shard.
    pub(crate) fn seen_by(&self, models: &BTreeSet<ReadModel>) -> Token {
        let mut token = Token { generation: self.generation, marks: BTreeMap::new() };
        for shard in self.shards() {
            if let Some(last) = self.next_of(models, shard).checked_sub(1) {
                token.raise(shard, last);
            }
        }
        token
    }

    fn include(&self, token: &Token, models: &BTreeSet<ReadModel>) -> bool {
        token.marks.iter().all(|(shard, offset)| self.next_of(models, *shard) > *offset)
    }
}

/// What is known of the marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nobody has looked yet.
    NotYet,
    /// The database did not answer the last look.
    Away,
    /// The marks of the last look.
    Known(Arc<Marks>),
}

/// What is known of the marks, whenever it changes.
pub(crate) type Watch = watch::Receiver<Look>;

/// Follows the marks in the background, from the first time that someone asks.
#[derive(Clone)]
pub(crate) struct Progress {
    pool: PgPool,
    watched: Arc<Mutex<Option<Watch>>>,
}

impl Progress {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, watched: Arc::default() }
    }

    /// The marks from now on.
    pub(crate) fn watch(&self) -> Watch {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = &*watched
            && receiver.has_changed().is_ok()
        {
            return receiver.clone();
        }
        let (sender, receiver) = watch::channel(Look::NotYet);
        tokio::spawn(follow(self.pool.clone(), sender));
        *watched = Some(receiver.clone());
        receiver
    }

    /// Waits until `models` include everything that `token` names.
    ///
    /// # Errors
    /// `token_not_reached` after `limit`, `invalid_token` for one of another generation of the log,
    /// `unavailable` while the database is away.
    pub(crate) async fn wait(
        &self,
        token: &Token,
        models: &BTreeSet<ReadModel>,
        limit: Duration,
    ) -> Result<(), Problem> {
        if token.marks.is_empty() || !models.iter().any(|model| model.follows_the_log()) {
            return Ok(());
        }
        let mut looks = self.watch();
        // The wait is for projectors; the first look has the pool's patience.
        let first = looks.wait_for(|look| *look != Look::NotYet).await;
        drop(first.map_err(|_| problem::away())?);
        let deadline = Instant::now() + limit;
        loop {
            let now = looks.borrow_and_update().clone();
            if let Look::Known(marks) = &now {
                if marks.generation != 0 && marks.generation != token.generation {
                    let detail = "the token is of another generation of the log; read again without it";
                    return Err(Problem::new(Code::InvalidToken, detail));
                }
                if marks.include(token, models) {
                    return Ok(());
                }
            }
            if let Ok(Ok(())) = timeout_at(deadline, looks.changed()).await {
                continue;
            }
            return Err(match now {
                Look::Known(_) => Problem::new(Code::TokenNotReached, behind(token, models, limit)),
                Look::NotYet | Look::Away => problem::away(),
            });
        }
    }
}

fn behind(token: &Token, models: &BTreeSet<ReadModel>, limit: Duration) -> String {
    let names: Vec<_> =
        models.iter().filter(|model| model.follows_the_log()).map(|model| model.name()).collect();
    let shards: Vec<_> = token.marks.keys().map(ToString::to_string).collect();
    format!(
        "{} did not reach the token in shard {} within {} ms",
        names.join(", "),
        shards.join(", "),
        limit.as_millis()
    )
}

/// Publishes the marks after every notification, and now and then without one, until nobody listens.
async fn follow(pool: PgPool, sender: watch::Sender<Look>) {
    let mut listener: Option<PgListener> = None;
    loop {
        if listener.is_none() {
            listener = listen(&pool).await;
        }
        publish(&pool, &sender).await;
        let next = async {
            match &mut listener {
                // A lost connection is made anew by the next round; polling goes on meanwhile.
                Some(listening) => match timeout(PROGRESS_POLL, listening.try_recv()).await {
                    Ok(Ok(Some(_))) => drain(listening),
                    Ok(_) => return false,
                    Err(_) => {}
                },
                None => sleep(PROGRESS_POLL).await,
            }
            true
        };
        tokio::select! {
            () = sender.closed() => return,
            alive = next => if !alive { listener = None },
        }
    }
}

/// One look at the marks answers all notifications that came before it.
fn drain(listener: &mut PgListener) {
    while listener.next_buffered().is_some() {}
}

async fn listen(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen(migrations::CHANNEL).await.ok()?;
    Some(listener)
}

async fn publish(pool: &PgPool, sender: &watch::Sender<Look>) {
    let loaded = match pool.acquire().await {
        Ok(mut connection) => Marks::load(&mut connection).await,
        Err(error) => Err(error),
    };
    let look = match loaded {
        Ok(marks) => Look::Known(Arc::new(marks)),
        Err(error) => {
            tracing::warn!(%error, "the marks of the projections cannot be read");
            Look::Away
        }
    };
    sender.send_if_modified(|known| {
        let changed = *known != look;
        if changed {
            *known = look;
        }
        changed
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(next: &[(&str, u16, u64)]) -> Marks {
        let mut marks = Marks { generation: 1, ..Marks::default() };
        for (name, shard, offset) in next {
            marks.next.entry((*name).to_owned()).or_default().insert(*shard, *offset);
        }
        marks
    }

    #[test]
    fn an_answer_has_the_least_mark_of_what_it_read() {
        let marks = marks(&[("task_list", 0, 10), ("task_list", 1, 5), ("event_journal", 0, 7)]);
        let tasks = BTreeSet::from([ReadModel::TaskList]);
        let both = BTreeSet::from([ReadModel::TaskList, ReadModel::EventJournal]);
        assert_eq!(marks.seen_by(&tasks).marks, BTreeMap::from([(0, 9), (1, 4)]));
        assert_eq!(marks.seen_by(&both).marks, BTreeMap::from([(0, 6)]), "shard 1 has no journal yet");
        assert!(marks.include(&Token::of(1, 0, 9), &tasks));
        assert!(!marks.include(&Token::of(1, 0, 10), &tasks), "10 is the next one, not an applied one");
        assert!(!marks.include(&Token::of(1, 0, 7), &both));
        assert!(!marks.include(&Token::of(1, 9, 0), &tasks), "an unknown shard has applied nothing");
    }
}

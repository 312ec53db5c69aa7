//! Folding a batch into one read model: the last state per key, and former rows where the table keeps
//! them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use migrations::table::{Get, Table};
use sqlx::PgConnection;

use super::cache::{Budget, Cache};
use super::failure::Failure;
use super::rows::Source;
use crate::projection::{Order, Projection};
use crate::store;

/// The rows that a batch writes, sorted by key.
pub(crate) struct Rows<R: 'static> {
    pub(crate) table: &'static Table<R>,
    pub(crate) rows: Vec<Arc<R>>,
}

/// Rows of any read model.
pub(crate) trait Writes: Send + Sync {
    fn write<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        schema: &'a str,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>>;
    fn len(&self) -> usize;
}

impl<R: Send + Sync> Writes for Rows<R> {
    fn write<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        schema: &'a str,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(store::write(conn, self.table, schema, &self.rows))
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}

/// A bigint column of a row.
type Number<R> = fn(&R) -> Option<i64>;

/// One read model in one shard.
pub(crate) struct Model<P: Projection<I>, I> {
    cache: Cache<P::Key, P::Row>,
    /// Rows of the batch that is being committed: newer than what the store shows.
    unsettled: HashMap<P::Key, Arc<P::Row>>,
    version: Number<P::Row>,
    /// The part of the key that tells rows of one fold key apart, where the table keeps former ones.
    tail: Option<Number<P::Row>>,
}

struct Slot<R> {
    row: Option<R>,
    changed: bool,
}

impl<P: Projection<I>, I> Model<P, I> {
    pub(crate) fn new(budget: Budget) -> Self {
        let number = |name: &str| {
            let column = P::TABLE.columns.iter().find(|column| column.name == name);
            match column.map(|column| &column.get) {
                Some(Get::BigInt(get)) => *get,
                _ => unreachable!("{name} of {} is a bigint column", P::NAME),
            }
        };
        let tail = P::TABLE.key.get(P::TABLE.fold_key).map(|name| number(name));
        Self { cache: Cache::new(budget), unsettled: HashMap::new(), version: number(P::TABLE.guard), tail }
    }

    /// Loads the rows of the batch's keys that are not at hand, in one query.
    async fn load(&self, source: &Source, inputs: &[I]) -> Result<HashMap<P::Key, P::Row>, Failure> {
        let mut known: HashMap<P::Key, bool> = HashMap::new();
        for input in inputs {
            let Some(key) = P::key(input) else { continue };
            if let Entry::Vacant(vacant) = known.entry(key) {
                let key = vacant.key();
                let at_hand =
                    P::is_first(input) || self.unsettled.contains_key(key) || self.cache.contains(key);
                vacant.insert(at_hand);
            }
        }
        let missing: Vec<_> = known.into_iter().filter(|(_, at_hand)| !at_hand).map(|(key, _)| key).collect();
        if P::APPENDS || missing.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = source.current(P::TABLE, P::arrays(&missing)).await?;
        Ok(rows.into_iter().map(|row| (P::key_of(&row), row)).collect())
    }

    /// Folds a batch. `observe` is told of every fold: the row before is gone by then, so `remember`
    /// first takes from it what is to be compared.
    pub(crate) async fn fold<M>(
        &mut self,
        source: &Source,
        inputs: &[I],
        remember: impl Fn(Option<&P::Row>) -> M,
        mut observe: impl FnMut(M, &P::Row, &I),
    ) -> Result<Rows<P::Row>, Failure> {
        let mut loaded = self.load(source, inputs).await?;
        let mut slots: HashMap<P::Key, Slot<P::Row>> = HashMap::with_capacity(inputs.len());
        let mut former = Vec::new();
        for input in inputs {
            let Some(key) = P::key(input) else { continue };
            let slot = match slots.entry(key) {
                Entry::Occupied(slot) => slot.into_mut(),
                Entry::Vacant(vacant) => {
                    let row = self.find(vacant.key(), &mut loaded);
                    vacant.insert(Slot { row, changed: false })
                }
            };
            match P::order(slot.row.as_ref(), input) {
                Order::Applied => continue,
                Order::Next => {}
                Order::Gap => return Err(Failure::gap(P::NAME)),
            }
            let (before, memory) = (slot.row.as_ref().and_then(self.version), remember(slot.row.as_ref()));
            let kept = if self.tail.is_some() && slot.changed { slot.row.clone() } else { None };
            slot.row = P::fold(slot.row.take(), input);
            let Some(row) = &slot.row else {
                if before.is_some() {
                    return Err(Failure::gap(P::NAME));
                }
                continue;
            };
            if (self.version)(row) == before {
                continue;
            }
            former.extend(
                kept.filter(|kept| self.tail.is_some_and(|tail| tail(kept) != tail(row))).map(Arc::new),
            );
            slot.changed = true;
            observe(memory, row, input);
        }
        Ok(self.settle(slots, former))
    }

    fn find(&mut self, key: &P::Key, loaded: &mut HashMap<P::Key, P::Row>) -> Option<P::Row> {
        if P::APPENDS {
            return None;
        }
        let cached = self.cache.take(key);
        let row = self.unsettled.get(key).cloned().or(cached);
        row.map(Arc::unwrap_or_clone).or_else(|| loaded.remove(key))
    }

    fn settle(&mut self, slots: HashMap<P::Key, Slot<P::Row>>, former: Vec<Arc<P::Row>>) -> Rows<P::Row> {
        let mut changed = Vec::with_capacity(slots.len() + former.len());
        self.unsettled.clear();
        for (key, slot) in slots {
            let Some(row) = slot.row.map(Arc::new) else { continue };
            if !P::APPENDS {
                let weight = P::TABLE.weight(&row);
                self.cache.put(key.clone(), Arc::clone(&row), weight);
                if slot.changed {
                    self.unsettled.insert(key.clone(), Arc::clone(&row));
                }
            }
            if slot.changed {
                changed.push((key, row));
            }
        }
        changed.extend(former.into_iter().map(|row| (P::key_of(&row), row)));
        changed.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| (self.version)(x).cmp(&(self.version)(y))));
        Rows { table: P::TABLE, rows: changed.into_iter().map(|(_, row)| row).collect() }
    }
}

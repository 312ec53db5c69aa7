//! Folding a batch into one read model: the last state per key, and former rows where the table keeps
//! them.

use std::collections::HashMap;
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

/// A key of a batch with its row.
struct Slot<K, R> {
    key: K,
    row: Option<R>,
    changed: bool,
}

/// The keys of a batch, each once, and for every input the place of its key among them.
struct Slots<K, R> {
    slots: Vec<Slot<K, R>>,
    places: Vec<Option<usize>>,
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

    /// The rows of the batch's keys; those that are not at hand are loaded in one query.
    async fn slots(&mut self, source: &Source, inputs: &[I]) -> Result<Slots<P::Key, P::Row>, Failure> {
        let mut slots: Vec<Slot<P::Key, P::Row>> = Vec::with_capacity(inputs.len());
        let mut places = Vec::with_capacity(inputs.len());
        let mut by_key: HashMap<P::Key, usize> = HashMap::new();
        let mut missing = Vec::new();
        for input in inputs {
            let Some(key) = P::key(input) else {
                places.push(None);
                continue;
            };
            let next = slots.len();
            let place = if P::APPENDS { next } else { *by_key.entry(key.clone()).or_insert(next) };
            places.push(Some(place));
            if place == next {
                let row = self.find(&key);
                if row.is_none() && !P::APPENDS && !P::is_first(input) {
                    missing.push(key.clone());
                }
                slots.push(Slot { key, row, changed: false });
            }
        }
        if !missing.is_empty() {
            for row in source.current(P::TABLE, P::arrays(&missing)).await? {
                if let Some(place) = by_key.get(&P::key_of(&row)) {
                    slots[*place].row = Some(row);
                }
            }
        }
        Ok(Slots { slots, places })
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
        let Slots { mut slots, places } = self.slots(source, inputs).await?;
        let mut former = Vec::new();
        for (input, place) in inputs.iter().zip(places) {
            let Some(place) = place else { continue };
            let slot = &mut slots[place];
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

    /// The row of a key that is at hand; it is taken from there.
    fn find(&mut self, key: &P::Key) -> Option<P::Row> {
        if P::APPENDS {
            return None;
        }
        let cached = self.cache.take(key);
        self.unsettled.get(key).cloned().or(cached).map(Arc::unwrap_or_clone)
    }

    fn settle(&mut self, slots: Vec<Slot<P::Key, P::Row>>, former: Vec<Arc<P::Row>>) -> Rows<P::Row> {
        let mut changed = Vec::with_capacity(slots.len() + former.len());
        self.unsettled.clear();
        for Slot { key, row, changed: new } in slots {
            let Some(row) = row.map(Arc::new) else { continue };
            if !P::APPENDS {
                let weight = P::TABLE.weight(&row);
                self.cache.put(key.clone(), Arc::clone(&row), weight);
                if new {
                    self.unsettled.insert(key.clone(), Arc::clone(&row));
                }
            }
            if new {
                changed.push((key, row));
            }
        }
        changed.extend(former.into_iter().map(|row| (P::key_of(&row), row)));
        changed.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| (self.version)(x).cmp(&(self.version)(y))));
        Rows { table: P::TABLE, rows: changed.into_iter().map(|(_, row)| row).collect() }
    }
}

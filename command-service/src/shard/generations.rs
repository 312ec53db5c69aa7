//! A bounded map over a store: two generations, of which the older is dropped whole.
//!
//! What is changed or loaded goes into the young one. When that has grown, and everything in the old
//! one is in the store, the old one is dropped and the young one becomes old. That costs nothing per
//! access and needs no order of use.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(super) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Generations<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone, V> Generations<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if !self.old.is_empty() {
            self.old.remove(&key);
        }
        self.young.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.young.iter().chain(&self.old)
    }

    /// Gives the old generation away, but for the keys in `keep`, when the young one holds `limit` or
    /// more. Everything in it must be in the store. To drop so much takes a while: not in a step.
    pub(super) fn rotate<'a>(&mut self, limit: usize, keep: impl Iterator<Item = &'a K>) -> HashMap<K, V>
    where
        K: 'a,
    {
        if self.young.len() < limit {
            return HashMap::new();
        }
        for key in keep {
            if let Some(value) = self.old.remove(key) {
                self.young.insert(key.clone(), value);
            }
        }
        std::mem::replace(&mut self.old, std::mem::take(&mut self.young))
    }
}

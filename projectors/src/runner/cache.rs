//! Rows kept at hand, so that a hot key is not loaded for every batch.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lru::LruCache;

/// Bytes that all caches of a run may hold together.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }

    fn is_spent(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit
    }
}

/// The rows of one read model in one shard, the ones used last.
#[derive(Debug)]
pub(crate) struct Cache<K: Hash + Eq, R> {
    rows: LruCache<K, (Arc<R>, usize)>,
    budget: Budget,
}

impl<K: Hash + Eq, R> Cache<K, R> {
    pub(crate) fn new(budget: Budget) -> Self {
        Self { rows: LruCache::unbounded(), budget }
    }

    /// Takes a row out; the fold puts its successor in.
    pub(crate) fn take(&mut self, key: &K) -> Option<Arc<R>> {
        let (row, weight) = self.rows.pop(key)?;
        self.budget.used.fetch_sub(weight, Ordering::Relaxed);
        Some(row)
    }

    pub(crate) fn put(&mut self, key: K, row: Arc<R>, weight: usize) {
        self.budget.used.fetch_add(weight, Ordering::Relaxed);
        if let Some((_, weight)) = self.rows.put(key, (row, weight)) {
            self.budget.used.fetch_sub(weight, Ordering::Relaxed);
        }
        while self.budget.is_spent() {
            let Some((_, (_, weight))) = self.rows.pop_lru() else { return };
            self.budget.used.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// Forgets everything: what is stored may differ by now.
    pub(crate) fn clear(&mut self) {
        while let Some((_, (_, weight))) = self.rows.pop_lru() {
            self.budget.used.fetch_sub(weight, Ordering::Relaxed);
        }
    }
}

impl<K: Hash + Eq, R> Drop for Cache<K, R> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_used_last_stay_within_the_budget_of_all_caches() {
        let budget = Budget::new(100);
        let mut cache = Cache::new(budget.clone());
        let mut other = Cache::new(budget.clone());
        for key in 0..10 {
            cache.put(key, Arc::new(key), 20);
        }
        assert!(cache.rows.contains(&9) && cache.rows.contains(&5) && !cache.rows.contains(&4));
        other.put(1, Arc::new(1), 20);
        assert!(!other.rows.contains(&1), "the budget is spent by the other cache");
        cache.clear();
        other.put(1, Arc::new(1), 20);
        assert_eq!(other.take(&1), Some(Arc::new(1)));
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}

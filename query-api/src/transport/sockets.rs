//! How many sockets there are, in all and per principal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::{MAX_SOCKETS, MAX_SOCKETS_PER_PRINCIPAL};

/// Counts the open sockets.
#[derive(Clone, Default)]
pub(crate) struct Sockets(Arc<Mutex<HashMap<String, usize>>>);

/// A place among the open sockets; given back when dropped.
pub(crate) struct Place {
    sockets: Sockets,
    principal: String,
}

/// The key under which sockets without a greeting count.
const NOT_YET_KNOWN: &str = "";

impl Sockets {
    /// A place for a socket that has not said who it is; `None` when there are [`MAX_SOCKETS`].
    pub(crate) fn enter(&self) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MAX_SOCKETS {
            return None;
        }
        *open.entry(NOT_YET_KNOWN.to_owned()).or_insert(0) += 1;
        Some(Place { sockets: self.clone(), principal: NOT_YET_KNOWN.to_owned() })
    }
}

impl Place {
    /// Moves the socket to its principal; false when that one has [`MAX_SOCKETS_PER_PRINCIPAL`].
    pub(crate) fn claim(&mut self, principal: String) -> bool {
        let mut open = self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(principal.clone()).or_insert(0);
        if *count >= MAX_SOCKETS_PER_PRINCIPAL {
            return false;
        }
        *count += 1;
        leave(&mut open, &std::mem::replace(&mut self.principal, principal));
        true
    }
}

fn leave(open: &mut HashMap<String, usize>, principal: &str) {
    if let Some(count) = open.get_mut(principal) {
        *count -= 1;
        if *count == 0 {
            open.remove(principal);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        leave(&mut self.sockets.0.lock().unwrap_or_else(PoisonError::into_inner), &self.principal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_has_five_sockets_and_gets_a_place_back() {
        let sockets = Sockets::default();
        let mut places: Vec<_> = (0..MAX_SOCKETS_PER_PRINCIPAL).map(|_| sockets.enter().unwrap()).collect();
        assert!(places.iter_mut().all(|place| place.claim("a".into())));
        let mut sixth = sockets.enter().unwrap();
        assert!(!sixth.claim("a".into()));
        assert!(sixth.claim("b".into()), "another principal has its own places");
        places.pop();
        assert!(sockets.enter().unwrap().claim("a".into()));
        drop((places, sixth));
        assert!(sockets.0.lock().unwrap().is_empty(), "nothing is left behind");
    }
}

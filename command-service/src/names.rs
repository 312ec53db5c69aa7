//! Names that live as long as the process, read from what another process of the deployment says.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer};

/// A name of the product: of an aggregate, a command, a stage of life, a field.
pub(crate) type Name = &'static str;

/// The names met: a few hundred. Bounded, lest a peer fill the memory with others.
static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
/// Most names that are kept, and the longest, in bytes.
const MAX_NAMES: (usize, usize) = (4_096, 256);

fn keep<E: serde::de::Error>(name: &str) -> Result<&'static str, E> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return Ok(known);
    }
    if names.len() >= MAX_NAMES.0 || name.len() > MAX_NAMES.1 {
        return Err(E::custom("a refusal names something that this release does not know"));
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    Ok(kept)
}

/// Reads a name that lives as long as the process.
pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    keep(&String::deserialize(deserializer)?)
}

/// Reads several.
pub(crate) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'static str>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|name| keep(name)).collect()
}

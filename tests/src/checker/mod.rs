//! Contradictions between what clients were told and what the log holds (reliability.md §5, I1–I6).

mod log_rules;
mod refusals;

#[cfg(test)]
mod damaged;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::history::{Operation, Outcome};
use crate::published::Published;

/// One contradiction, in words that name the stream, key or event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Kind, for example `lost`.
    pub kind: &'static str,
    /// Which, and why.
    pub what: String,
}

impl Violation {
    fn new(kind: &'static str, what: String) -> Self {
        Self { kind, what }
    }
}

/// Everything the checks look up, built once.
pub(crate) struct Case<'a> {
    operations: &'a [Operation],
    log: &'a [Published],
    by_id: HashMap<&'a str, &'a Published>,
    by_key: HashMap<&'a str, Vec<&'a Operation>>,
    by_subject: BTreeMap<&'a str, Vec<&'a Published>>,
}

impl<'a> Case<'a> {
    fn new(operations: &'a [Operation], log: &'a [Published]) -> Self {
        let mut by_key: HashMap<&str, Vec<&Operation>> = HashMap::new();
        for operation in operations {
            by_key.entry(&operation.key).or_default().push(operation);
        }
        let mut by_subject: BTreeMap<&str, Vec<&Published>> = BTreeMap::new();
        for event in log {
            by_subject.entry(&event.subject).or_default().push(event);
        }
        let by_id = log.iter().map(|event| (event.id.as_str(), event)).collect();
        Self { operations, log, by_id, by_key, by_subject }
    }

    /// When the command with that key was first sent; `None` for one that no client sent.
    fn first_sent(&self, key: &str) -> Option<u64> {
        self.by_key.get(key)?.iter().map(|operation| operation.start).min()
    }
}

/// Finds every contradiction; an empty list acquits.
#[must_use]
pub fn check(operations: &[Operation], log: &[Published]) -> Vec<Violation> {
    let case = Case::new(operations, log);
    let mut found = log_rules::check(&case);
    found.extend(acknowledged(&case));
    found.extend(nothing_happened(&case));
    found.extend(phantoms(&case));
    found.extend(refusals::check(&case));
    found
}

/// Finds every contradiction that the log has in itself, whoever wrote it.
#[must_use]
pub fn check_log(log: &[Published]) -> Vec<Violation> {
    log_rules::check(&Case::new(&[], log))
}

/// An acknowledged event is in the log, written by that key; every answer to a key is the same one.
fn acknowledged(case: &Case<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut first: HashMap<&str, &Vec<String>> = HashMap::new();
    for operation in case.operations {
        let Outcome::Accepted(ids) = &operation.outcome else { continue };
        let told = first.entry(&operation.key).or_insert(ids);
        if *told != ids {
            found.push(Violation::new(
                "changed_answer",
                format!("key {} was told {told:?}, then {ids:?}", operation.key),
            ));
        }
        for id in ids {
            match case.by_id.get(id.as_str()) {
                None => found.push(Violation::new("lost", format!("event {id} of key {}", operation.key))),
                Some(event) if event.key != operation.key => {
                    let what = format!(
                        "event {id} was acknowledged to {} and written by {}",
                        operation.key, event.key
                    );
                    found.push(Violation::new("foreign", what));
                }
                Some(event) => found.extend(expectation(operation, event, id == &ids[0])),
            }
        }
    }
    found
}

/// The first event of a command with an expected version comes right after that version.
fn expectation(operation: &Operation, event: &Published, first: bool) -> Option<Violation> {
    let expected = operation.expected.filter(|_| first)?;
    (event.version != expected + 1).then(|| {
        let what = format!("key {} expected {expected} and wrote {}", operation.key, event.version);
        Violation::new("expectation_ignored", what)
    })
}

/// A key whose every answer says that nothing happened has written nothing but a recorded refusal.
fn nothing_happened(case: &Case<'_>) -> Vec<Violation> {
    let refused = |key: &str| {
        let operations = case.by_key.get(key);
        operations.is_some_and(|all| all.iter().all(|operation| operation.outcome.says_nothing_happened()))
    };
    let wrote = case.log.iter().filter(|event| event.verb() != "stale_token_refused");
    wrote
        .filter(|event| refused(&event.key))
        .map(|event| Violation::new("failed_but_present", format!("{} of key {}", event.id, event.key)))
        .collect()
}

/// What nobody asked for is not in the log.
fn phantoms(case: &Case<'_>) -> Vec<Violation> {
    let unasked = case
        .log
        .iter()
        .filter(|event| !event.by_the_system() && !case.by_key.contains_key(event.key.as_str()));
    unasked.map(|event| Violation::new("phantom", format!("{} of key {}", event.id, event.key))).collect()
}

/// The kinds of `found`, each once.
#[must_use]
pub fn kinds(found: &[Violation]) -> BTreeSet<&'static str> {
    found.iter().map(|violation| violation.kind).collect()
}

//! What must hold in the log by itself.

use std::collections::{HashMap, HashSet};

use super::{Case, Violation};
use crate::published::Published;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let mut found = once_each(case);
    found.extend(in_order(case));
    for (subject, events) in &case.by_subject {
        found.extend(versions(subject, events));
        found.extend(one_lease_at_a_time(subject, events));
    }
    found
}

/// One id once; one command in one commit.
fn once_each(case: &Case<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut ids = HashSet::new();
    // A key is scoped to its home stream: only keys of clients, who never reuse one, are compared.
    let mut commits = HashMap::new();
    for event in case.log {
        if !ids.insert(event.id.as_str()) {
            found.push(Violation::new("doubled", format!("event {} stands twice", event.id)));
        }
        let first = *commits.entry(event.key.as_str()).or_insert(event.commit());
        if first != event.commit() && !event.by_the_system() {
            let what = format!("key {} took effect at {first:?} and {:?}", event.key, event.commit());
            found.push(Violation::new("doubled", what));
        }
    }
    found
}

/// Within a shard positions rise and times never fall.
fn in_order(case: &Case<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut last: HashMap<u16, &Published> = HashMap::new();
    for event in case.log {
        if let Some(before) = last.insert(event.position.shard, event) {
            if before.position >= event.position {
                found
                    .push(Violation::new("swapped", format!("{} after {}", event.position, before.position)));
            }
            if before.time > event.time {
                found.push(Violation::new("time_fell", format!("{} at {}", event.id, event.position)));
            }
        }
    }
    found
}

/// Versions are 1, 2, … n in the order of the log.
fn versions(subject: &str, events: &[&Published]) -> Vec<Violation> {
    let wrong = events.iter().zip(1_u64..).filter(|(event, due)| event.version != *due);
    wrong
        .take(1)
        .map(|(event, due)| {
            Violation::new("gap", format!("{subject}: version {} where {due} is due", event.version))
        })
        .collect()
}

/// Whether an event ends the lease that was granted before it.
pub(super) fn ends_lease(event: &Published) -> bool {
    let verb = event.verb();
    ["lease_expired", "released", "succeeded", "failed", "retry_scheduled", "cancelled", "timed_out"]
        .contains(&verb)
}

/// A task is leased again only after its former lease ended, and with a higher token.
fn one_lease_at_a_time(subject: &str, events: &[&Published]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut held = false;
    let mut token = 0;
    for event in events {
        if event.verb() == "assigned" {
            let next = event.token().unwrap_or_default();
            if held || next <= token {
                found.push(Violation::new("two_leases", format!("{subject}: token {next} after {token}")));
            }
            (held, token) = (true, next);
        }
        held &= !ends_lease(event);
    }
    found
}

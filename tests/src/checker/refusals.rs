//! A refusal must have been true at some moment between the request and its answer.

use super::log_rules::ends_lease;
use super::{Case, Violation};
use crate::history::{Operation, Outcome};
use crate::published::Published;

pub(super) fn check(case: &Case<'_>) -> Vec<Violation> {
    let judge = |operation: &Operation| match &operation.outcome {
        Outcome::WrongVersion { actual } => wrong_version(case, operation, *actual),
        Outcome::StaleToken { given, current } => stale_token(case, operation, *given, *current),
        Outcome::KeyReused => key_reused(case, operation),
        _ => None,
    };
    case.operations
        .iter()
        .filter_map(|operation| {
            let why = judge(operation)?;
            Some(Violation::new(
                "false_refusal",
                format!("{} of key {}: {why}", operation.subject, operation.key),
            ))
        })
        .collect()
}

/// Whether `event` may have been written before `operation` ended: its command was sent by then.
fn may_precede(case: &Case<'_>, event: &Published, operation: &Operation) -> bool {
    case.first_sent(&event.key).is_none_or(|sent| sent <= operation.end)
}

fn wrong_version(case: &Case<'_>, operation: &Operation, actual: u64) -> Option<String> {
    let events = case.by_subject.get(operation.subject.as_str()).map(Vec::as_slice).unwrap_or_default();
    if operation.expected == Some(actual) {
        return Some(format!("the version found, {actual}, is the expected one"));
    }
    let reached =
        actual == 0 || events.iter().any(|e| e.version == actual && may_precede(case, e, operation));
    if !reached {
        return Some(format!("version {actual} did not exist yet"));
    }
    let passed =
        |event: &&&Published| event.version > actual && acknowledged_before(case, event, operation.start);
    let passed = events.iter().find(passed)?;
    Some(format!("version {} was acknowledged before, {actual} was named", passed.version))
}

fn acknowledged_before(case: &Case<'_>, event: &Published, moment: u64) -> bool {
    let told = |o: &Operation| matches!(&o.outcome, Outcome::Accepted(ids) if ids.contains(&event.id));
    let operations = case.by_key.get(event.key.as_str()).map(Vec::as_slice).unwrap_or_default();
    operations.iter().any(|operation| operation.end < moment && told(operation))
}

fn stale_token(case: &Case<'_>, operation: &Operation, given: u32, current: u32) -> Option<String> {
    let events = case.by_subject.get(operation.subject.as_str()).map(Vec::as_slice).unwrap_or_default();
    let issued = |token: u32| events.iter().position(|e| e.verb() == "assigned" && e.token() == Some(token));
    let Some(at) = issued(current) else { return Some(format!("token {current} was never issued")) };
    if !may_precede(case, events[at], operation) {
        return Some(format!("token {current} was not issued yet"));
    }
    if given < current {
        return None;
    }
    // The newest token is stale only once its lease has ended or run out.
    let ended = events[at + 1..].iter().any(|e| ends_lease(e) && may_precede(case, e, operation));
    let ran_out = lease_end_ms(&events[at..]).is_some_and(|end| end <= operation.end_wall_ms);
    (!ended && !ran_out).then(|| format!("token {given} is the current one and its lease runs"))
}

/// The latest instant to which the lease that begins `events` was ever extended.
fn lease_end_ms(events: &[&Published]) -> Option<i64> {
    let lease = events.iter().enumerate().take_while(|(n, e)| *n == 0 || e.verb() != "assigned");
    let ends = lease.filter_map(|(_, event)| event.data["lease_expires_at"].as_str());
    ends.filter_map(|at| chrono::DateTime::parse_from_rfc3339(at).ok()).map(|at| at.timestamp_millis()).max()
}

fn key_reused(case: &Case<'_>, operation: &Operation) -> Option<String> {
    let all = case.by_key.get(operation.key.as_str()).map(Vec::as_slice).unwrap_or_default();
    let other = all.iter().any(|o| o.body != operation.body && o.start <= operation.end);
    (!other).then(|| "the key was never sent with another body".to_owned())
}

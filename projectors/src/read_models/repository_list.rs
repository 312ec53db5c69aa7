//! `repository_list`: every repository with its present state.

use migrations::table::Table;
use migrations::{REPOSITORY_LIST, RepositoryListRow};
use schemas::repository::{RepositoryEvent, RepositoryRegistered};

use crate::event::{Body, Event};
use crate::projection::{AggregateKey, KeyArray, Order, Projection, aggregate_arrays, aggregate_key};

/// The read model.
#[derive(Debug)]
pub struct RepositoryList;

impl Projection for RepositoryList {
    type Key = AggregateKey;
    type Row = RepositoryListRow;

    const NAME: &'static str = "repository_list";
    const READS: &'static [&'static str] = &["repository"];
    const TABLE: &'static Table<RepositoryListRow> = REPOSITORY_LIST;

    fn key(event: &Event) -> Option<AggregateKey> {
        matches!(event.body(), Body::Repository(_)).then(|| aggregate_key(event))
    }

    fn key_of(row: &RepositoryListRow) -> AggregateKey {
        (row.tenant.clone(), row.id)
    }

    fn arrays(keys: &[AggregateKey]) -> Vec<KeyArray> {
        aggregate_arrays(keys)
    }

    fn is_first(event: &Event) -> bool {
        event.version() == 1
    }

    fn order(row: Option<&RepositoryListRow>, event: &Event) -> Order {
        Order::of(row.map(|row| row.version), event)
    }

    fn fold(row: Option<RepositoryListRow>, event: &Event) -> Option<RepositoryListRow> {
        let Body::Repository(body) = event.body() else { return row };
        let mut row = match (row, body) {
            (None, RepositoryEvent::RepositoryRegistered(registered)) => first(event, registered),
            (Some(row), _) => row,
            (None, _) => return None,
        };
        if let RepositoryEvent::RepositoryRetired(retired) = body {
            "retired".clone_into(&mut row.state);
            row.reason = retired.reason.as_ref().map(|reason| reason.0.clone());
        }
        row.updated_at = event.at();
        row.version = event.version();
        row.event_id = event.id();
        row.position = event.position().to_string();
        Some(row)
    }
}

fn first(event: &Event, registered: &RepositoryRegistered) -> RepositoryListRow {
    RepositoryListRow {
        tenant: event.tenant().clone(),
        id: event.aggregate_id(),
        name: registered.name.clone(),
        origin: registered.origin.clone(),
        state: "registered".to_owned(),
        reason: None,
        registered_at: event.at(),
        updated_at: event.at(),
        version: event.version(),
        event_id: event.id(),
        position: event.position().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{at, last, repository};
    use schemas::repository::RepositoryRetired;

    /// KNOW-7: a repository and what became of it.
    #[test]
    fn a_repository_is_registered_and_retired() {
        let registered =
            RepositoryRegistered { name: "gesta".into(), origin: Some("https://x.test/g".into()) };
        let row = last::<RepositoryList>(&repository(vec![registered.clone().into()]));
        assert_eq!((row.name.as_str(), row.state.as_str(), row.version), ("gesta", "registered", 1));
        assert_eq!(row.origin.as_deref(), Some("https://x.test/g"));
        let retired = RepositoryRetired { reason: Some("moved".into()) };
        let row = last::<RepositoryList>(&repository(vec![registered.into(), retired.into()]));
        assert_eq!((row.state.as_str(), row.reason.as_deref()), ("retired", Some("moved")));
        assert_eq!((row.registered_at, row.updated_at, row.version), (at(0), at(1), 2));
    }
}

//! Releases that know two revisions of one event. Revision 2, which exists in these tests only, has the lease of an
//! assignment as one object.

use std::collections::BTreeMap;

use schemas::upcast::{Revisions, Step};
use serde_json::{Value, json};

/// The event of two revisions.
pub(crate) const ASSIGNED: &str = "gesta.work.task.assigned.v1";

/// What a release reads that knows both.
pub(crate) const READS: &[Step] =
    &[Step { from: ASSIGNED, from_v: 2, to: ASSIGNED, to_v: 1, change: taken_apart }];
const WRITES: &[Step] = &[Step { from: ASSIGNED, from_v: 1, to: ASSIGNED, to_v: 2, change: put_together }];

/// A release that reads both revisions, in a deployment that writes revision `v`.
pub(crate) fn writing(v: u32) -> Revisions {
    Revisions::choose(READS, WRITES, &BTreeMap::from([(ASSIGNED.to_owned(), v)])).unwrap()
}

/// The release before: it knows revision 1 alone.
pub(crate) fn before() -> Revisions {
    Revisions::choose(&[], &[], &BTreeMap::new()).unwrap()
}

fn put_together(one: Value) -> Value {
    let lease =
        json!({"id": one["lease_id"], "token": one["fencing_token"], "until": one["lease_expires_at"]});
    json!({"worker": one["worker"], "attempt": one["attempt"], "lease": lease})
}

fn taken_apart(two: Value) -> Value {
    let lease = &two["lease"];
    json!({
        "worker": two["worker"], "attempt": two["attempt"], "lease_id": lease["id"],
        "fencing_token": lease["token"], "lease_expires_at": lease["until"],
    })
}

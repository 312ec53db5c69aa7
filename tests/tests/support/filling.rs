//! Commands until a disk is full, and what must become of every one of them.

use serde_json::json;
use tests::checker;

use super::api::{Answer, Api};
use super::eventually::eventually;
use super::tasks::task;

/// Bytes of each command.
const COMMAND_BYTES: usize = 100_000;
/// Refusals after which the disk counts as full.
const REFUSALS: usize = 3;

/// What was sent, by number.
pub(crate) struct Filling {
    accepted: Vec<(usize, Answer)>,
    refused: Vec<usize>,
}

async fn send(api: &Api, n: usize) -> Answer {
    let body = task("full", json!({ "payload": { "n": n, "ballast": "x".repeat(COMMAND_BYTES) } }));
    api.command("tasks", &body).key(&format!("fill-{n}")).header("prefer", "wait=3").send().await
}

impl Filling {
    /// Sends commands until the disk is full; `most` must be more than it holds.
    pub(crate) async fn until_full(api: &Api, most: usize) -> Self {
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        for n in 0..most {
            let answer = send(api, n).await;
            match answer.status {
                201 => {
                    accepted.push((n, answer));
                    continue;
                }
                503 => assert!(answer.header("retry-after").is_some(), "{answer:#?}"),
                _ => drop(answer.is(504, "outcome_unknown")),
            }
            refused.push(n);
            if refused.len() == REFUSALS {
                break;
            }
        }
        let met = !accepted.is_empty() && refused.len() == REFUSALS;
        assert!(met, "{} accepted, refused {refused:?}", accepted.len());
        eprintln!("{} fitted; then {refused:?} were refused", accepted.len());
        Self { accepted, refused }
    }

    /// There is space again: every key resolves, and everything is there once.
    pub(crate) async fn resolve(mut self, api: &Api) {
        for n in self.refused {
            let answer =
                eventually("a disk with space", async || send(api, n).await, |seen| seen.status == 201);
            self.accepted.push((n, answer.await));
        }
        let log = api.events().await;
        assert_eq!(checker::check_log(&log), []);
        assert_eq!(log.len(), 2 * self.accepted.len(), "each key once: created and queued");
        for (n, answer) in &self.accepted {
            let again = send(api, *n).await.accepted();
            let replayed = (again.id(), again.header("idempotency-replayed"));
            assert_eq!(replayed, (answer.id(), Some("true")), "{n}");
        }
    }
}

//! One operation of a socket: a query with one result, or a subscription with many.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use futures_util::StreamExt as _;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::engine::{Answer, Engine, Prepared, Stage};
use crate::transport::{http, messages};

/// A message of an operation, on its way to the socket.
pub(crate) struct Event {
    pub(crate) id: String,
    /// Number of the operation on its socket; ids may be used again.
    pub(crate) number: u64,
    pub(crate) message: String,
    /// Whether nothing follows.
    pub(crate) last: bool,
}

/// Where an operation's messages go. The channel is bounded: a slow client slows the operation down,
/// which reads from the journal and thus loses nothing.
pub(crate) struct Sender {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Sender {
    async fn send(&self, message: String, last: bool) {
        let event = Event { id: self.id.clone(), number: self.number, message, last };
        // The socket is gone: then this task is about to be aborted.
        let _ = self.events.send(event).await;
    }

    /// Sends a result; false when the operation is over with it.
    async fn send_answer(&self, answer: Answer) -> bool {
        let encoded = match answer.stage {
            Stage::Executed => http::encode(&answer),
            Stage::Document | Stage::Service(_) => {
                self.send(messages::error(&self.id, &answer.response.errors), true).await;
                return false;
            }
        };
        let payload = encoded.and_then(|bytes| {
            let text = String::from_utf8(bytes).map_err(|error| crate::problem::internal(&error))?;
            RawValue::from_string(text).map_err(|error| crate::problem::internal(&error))
        });
        match payload {
            Ok(payload) => {
                self.send(messages::next(&self.id, &payload), false).await;
                true
            }
            Err(problem) => {
                self.send(messages::error(&self.id, &[problem.into_server_error()]), true).await;
                false
            }
        }
    }
}

/// Runs the operation to its end.
pub(crate) async fn run(engine: Arc<Engine>, prepared: Prepared, sender: Sender) {
    if prepared.kind != OperationType::Subscription {
        if sender.send_answer(engine.execute(prepared).await).await {
            sender.send(messages::complete(&sender.id), true).await;
        }
        return;
    }
    match engine.subscribe(prepared).await {
        Ok(mut items) => {
            while let Some(item) = items.next().await {
                if !sender.send_answer(item).await {
                    return;
                }
            }
            sender.send(messages::complete(&sender.id), true).await;
        }
        Err(problem) => {
            sender.send(messages::error(&sender.id, &[problem.into_server_error()]), true).await;
        }
    }
}

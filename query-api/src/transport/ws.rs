//! Subscriptions over WebSocket: the graphql-transport-ws protocol (enisdenjo/graphql-ws, PROTOCOL.md).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use schemas::problem::Code;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::engine::{Engine, Stage};
use crate::limits;
use crate::problem::Problem;
use crate::transport::caller::{self, Caller};
use crate::transport::media::Media;
use crate::transport::messages::{self, ClientMessage, Close};
use crate::transport::operation::{self, Event};
use crate::transport::sockets::{Place, Sockets};
use crate::transport::{http, params};

/// The endpoint `/graphql/ws`.
pub(crate) async fn handle(
    State((engine, sockets)): State<(Arc<Engine>, Sockets)>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let caller = match Caller::of(&headers, &uri, &engine.options) {
        Ok(caller) => caller,
        Err(problem) => return http::refuse(Media::Json, problem),
    };
    let Some(place) = sockets.enter() else {
        return http::refuse(
            Media::Json,
            Problem::new(Code::Busy, "too many sockets are open; try again later"),
        );
    };
    upgrade
        .protocols([messages::SUBPROTOCOL])
        .max_message_size(limits::MAX_BODY_BYTES)
        .max_frame_size(limits::MAX_BODY_BYTES)
        .on_upgrade(move |socket| Session::run(socket, engine, caller, place))
        .into_response()
}

/// One socket.
struct Session {
    engine: Arc<Engine>,
    caller: Caller,
    place: Place,
    greeted: bool,
    /// Live operations by id, with the number that tells them from former ones of that id.
    operations: HashMap<String, (u64, tokio::task::AbortHandle)>,
    tasks: JoinSet<()>,
    started: u64,
    events: mpsc::Sender<Event>,
}

impl Session {
    async fn run(mut socket: WebSocket, engine: Arc<Engine>, caller: Caller, place: Place) {
        let (events, mut inbox) = mpsc::channel(limits::SOCKET_BUFFER);
        let close = if socket.protocol().is_none() {
            Some(Close::wrong_subprotocol())
        } else {
            let mut session = Self {
                engine,
                caller,
                place,
                greeted: false,
                operations: HashMap::new(),
                tasks: JoinSet::new(),
                started: 0,
                events,
            };
            session.serve(&mut socket, &mut inbox).await.err()
            // Dropping the session ends its operations.
        };
        if let Some(close) = close {
            let frame = CloseFrame { code: close.code, reason: close.reason.into() };
            // The client may be gone or deaf; nothing depends on this frame.
            let _ = timeout(limits::SLOW_READER_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
        }
    }

    /// Serves until the client is gone (`Ok`) or must be closed.
    async fn serve(
        &mut self,
        socket: &mut WebSocket,
        inbox: &mut mpsc::Receiver<Event>,
    ) -> Result<(), Close> {
        let opened = Instant::now();
        let mut seen = opened;
        let mut tick = interval(limits::PING_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        let greeting = tokio::time::sleep(limits::INIT_TIMEOUT);
        tokio::pin!(greeting);
        let shutdown = self.engine.options.shutdown.clone();
        loop {
            let reply = tokio::select! {
                () = shutdown.cancelled() => return Err(Close::going_away()),
                () = &mut greeting, if !self.greeted => return Err(Close::init_timeout()),
                _ = tick.tick() => {
                    if seen.elapsed() > 3 * limits::PING_INTERVAL {
                        return Err(Close::try_later("no sign of life; connect again and resume with the last cursor"));
                    }
                    Some(Message::Ping(bytes::Bytes::new()))
                }
                Some(event) = inbox.recv() => self.forward(event).map(text),
                received = socket.recv() => match received {
                    None | Some(Err(_)) | Some(Ok(Message::Close(_))) => return Ok(()),
                    Some(Ok(message)) => {
                        seen = Instant::now();
                        self.receive(message)?.map(text)
                    }
                },
                Some(_) = self.tasks.join_next() => None,
            };
            if let Some(message) = reply {
                match timeout(limits::SLOW_READER_TIMEOUT, socket.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Ok(()),
                    Err(_) => {
                        return Err(Close::try_later(
                            "slow reader; connect again and resume with the last cursor",
                        ));
                    }
                }
            }
        }
    }

    /// The message that an event of an operation becomes; none when the operation is no longer wanted.
    fn forward(&mut self, event: Event) -> Option<String> {
        let live = self.operations.get(&event.id).is_some_and(|(number, _)| *number == event.number);
        if !live {
            return None;
        }
        // Freed before the client can hear of it: it may use the id again at once.
        if event.last {
            self.operations.remove(&event.id);
        }
        Some(event.message)
    }

    fn receive(&mut self, message: Message) -> Result<Option<String>, Close> {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close::bad_message("messages are texts, not binary")),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(None),
        };
        match messages::parse(text.as_str())? {
            ClientMessage::Init { payload } => self.greet(&payload).map(Some),
            ClientMessage::Ping { payload } => Ok(Some(messages::pong(payload.as_ref()))),
            ClientMessage::Pong => Ok(None),
            ClientMessage::Subscribe { id, payload } => self.begin(id, payload),
            ClientMessage::Complete { id } => {
                if let Some((_, task)) = self.operations.remove(&id) {
                    task.abort();
                }
                Ok(None)
            }
        }
    }

    /// A browser cannot set headers on a socket, so the greeting may name tenant and actor too.
    fn greet(&mut self, payload: &Map<String, Value>) -> Result<String, Close> {
        if self.greeted {
            return Err(Close::init_again());
        }
        let options = &self.engine.options;
        let forbidden = |problem: Problem| Close::forbidden(&problem.detail);
        if let Some(tenant) = messages::member(payload, "tenant")? {
            self.caller.tenant = caller::tenant_of(Some(tenant), options).map_err(forbidden)?;
        }
        if let Some(actor) = messages::member(payload, "actor")? {
            self.caller.actor = caller::actor_of(Some(actor)).map_err(forbidden)?;
        }
        if !self.place.claim(format!("{}/{}", self.caller.tenant, self.caller.actor)) {
            let reason = format!("at most {} sockets at a time", limits::MAX_SOCKETS_PER_PRINCIPAL);
            return Err(Close::try_later(&reason));
        }
        self.greeted = true;
        Ok(messages::ack())
    }

    fn begin(&mut self, id: String, payload: Value) -> Result<Option<String>, Close> {
        if !self.greeted {
            return Err(Close::unauthorized());
        }
        if self.operations.contains_key(&id) {
            return Err(Close::id_in_use(&id));
        }
        let refuse = |problem: Problem| Ok(Some(messages::error(&id, &[problem.into_server_error()])));
        if self.operations.len() >= limits::MAX_OPERATIONS_PER_SOCKET {
            let detail = format!("at most {} operations on one socket", limits::MAX_OPERATIONS_PER_SOCKET);
            return refuse(Problem::new(Code::Busy, detail));
        }
        let ask = match params::from_value(payload) {
            Ok(ask) => ask,
            Err(problem) => return refuse(problem),
        };
        let prepared = match self.engine.prepare(ask, &self.caller) {
            Ok(prepared) => prepared,
            Err(answer) => {
                debug_assert_eq!(answer.stage, Stage::Document);
                return Ok(Some(messages::error(&id, &answer.response.errors)));
            }
        };
        self.started += 1;
        let sender = operation::Sender { id: id.clone(), number: self.started, events: self.events.clone() };
        let task = self.tasks.spawn(operation::run(self.engine.clone(), prepared, sender));
        self.operations.insert(id, (self.started, task));
        Ok(None)
    }
}

fn text(message: String) -> Message {
    Message::Text(message.into())
}

//! Live items over graphql-transport-ws, each with a cursor that a client can come back with.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::api::Api;
use crate::support::eventually::PATIENCE;
use crate::support::shared::api;

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects, greets and is acknowledged.
    async fn open(api: &Api) -> Self {
        let address = format!("{}/graphql/ws", api.base.replace("http://", "ws://"));
        let mut request = address.into_client_request().expect("an address of a socket");
        let protocol = "graphql-transport-ws".parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (stream, _) = connect_async(request).await.expect("the socket is accepted");
        let mut socket = Self(stream);
        socket.send(&json!({ "type": "connection_init", "payload": { "tenant": api.tenant } })).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket
    }

    async fn subscribe(api: &Api, query: &str, variables: Value) -> Self {
        let mut socket = Self::open(api).await;
        let payload = json!({ "query": query, "variables": variables });
        socket.send(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
        socket
    }

    async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("the socket takes a message");
    }

    /// The next message of the protocol.
    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message in time");
            match message.expect("the socket is open").expect("a sound message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("messages are JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next item of the subscription's `field`.
    async fn item(&mut self, field: &str) -> Value {
        let mut message = self.next().await;
        assert_eq!(message["type"], "next", "{message:#}");
        let item = message["payload"]["data"][field].take();
        assert!(item.is_object(), "{message:#}");
        item
    }

    /// Waits until the subscription is live: whatever is appended from now on is an item.
    async fn settle(&mut self) {
        self.send(&json!({ "type": "ping" })).await;
        assert_eq!(self.next().await["type"], "pong");
    }
}

const EVENTS: &str = "subscription($after: String, $id: ID) {
  eventAppended(after: $after, filter: { aggregateId: $id }) { cursor position event { version type } } }";

/// PLAT-8, PLAT-10: everything behind a cursor, once and in order, however often the client comes back.
#[tokio::test]
async fn a_subscription_resumes_where_it_was() {
    let api = api().await;
    let start = api.create("before", json!({})).await.position();
    let id = api.create("followed", json!({})).await.id();
    let mut seen = Vec::new();
    let mut after = start.clone();
    let mut socket = Socket::subscribe(&api, EVENTS, json!({ "after": after, "id": id })).await;
    for round in 0..4 {
        for _ in 0..3 {
            api.act(&id, "update", json!({ "title": format!("{round}") })).await;
        }
        for _ in 0..3 {
            let item = socket.item("eventAppended").await;
            seen.push(item["event"]["version"].as_u64().unwrap());
            after = item["cursor"].as_str().unwrap().to_owned();
        }
        drop(socket);
        socket = Socket::subscribe(&api, EVENTS, json!({ "after": after, "id": id })).await;
    }
    for _ in 0..2 {
        seen.push(socket.item("eventAppended").await["event"]["version"].as_u64().unwrap());
    }
    assert_eq!(seen, (1..=14).collect::<Vec<_>>(), "no event twice, none left out");
}

/// PLAT-10, PLAT-44: a change of a task comes by itself, with the task; another tenant's does not.
#[tokio::test]
async fn a_change_comes_by_itself() {
    let api = api().await;
    let start = api.create("start", json!({})).await.position();
    let query = "subscription($after: String) { taskChanged(after: $after, filter: { queue: [\"live\"] }) {
        position task { id state } event { type } } }";
    let mut socket = Socket::subscribe(&api, query, json!({ "after": start })).await;
    api.as_tenant(&format!("{}-other", api.tenant)).create("live", json!({})).await;
    let id = api.create("live", json!({})).await.id();
    let item = socket.item("taskChanged").await;
    assert_eq!(item["task"]["id"], id, "the other tenant's task came before it");
    let position = item["position"].as_str().unwrap();
    assert_eq!(api.task(position, &id, "state").await["state"], "QUEUED", "the position includes the item");
    api.act(&id, "cancel", json!({})).await;
    assert_eq!(socket.item("taskChanged").await["task"], json!({ "id": id, "state": "CANCELLED" }));
}

/// PLAT-10: agents too; and without a cursor a subscription begins now.
#[tokio::test]
async fn an_agent_is_followed_from_now_on() {
    let api = api().await;
    let spawn = async || api.done("agents", json!({ "model": "none" })).await;
    let before = spawn().await;
    api.query(&before.position(), "{ events { nodes { id } } agents { totalCount } }", json!({})).await;
    let query = "subscription { agentChanged { agent { id state } } }";
    let mut socket = Socket::subscribe(&api, query, json!({})).await;
    socket.settle().await;
    // Whether the subscription had begun when the answer came cannot be known, so agents are spawned until it shows.
    let shown = loop {
        let spawned = spawn().await.id();
        if let Ok(item) =
            tokio::time::timeout(std::time::Duration::from_secs(1), socket.item("agentChanged")).await
        {
            break (item["agent"]["id"].clone(), spawned);
        }
    };
    assert_ne!(shown.0, json!(before.id()), "what was there before is not followed");
}

/// PLAT-10: what cannot be followed is refused, and the socket stays.
#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    let api = api().await;
    let mut socket = Socket::subscribe(&api, EVENTS, json!({ "after": "junk" })).await;
    let refused = socket.next().await;
    assert!(refused.to_string().contains("invalid_"), "{refused:#}");
    socket.send(&json!({ "type": "ping" })).await;
    while socket.next().await["type"] != "pong" {}
}

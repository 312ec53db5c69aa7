use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::api::Api;
use crate::rows::{agent, applied, event, event_id, id, insert, task};

/// A socket that speaks the protocol by hand, so that it can also break it.
pub(crate) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// How long a message that must come may take; far beyond what it does take.
const PATIENCE: Duration = Duration::from_secs(20);

impl Client {
    pub(crate) async fn connect(address: std::net::SocketAddr, subprotocol: Option<&str>) -> Self {
        let mut request = format!("ws://{address}/graphql/ws").into_client_request().unwrap();
        if let Some(subprotocol) = subprotocol {
            request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().unwrap());
        }
        Self(tokio_tungstenite::connect_async(request).await.unwrap().0)
    }

    /// A greeted socket of a tenant.
    pub(crate) async fn greeted(address: std::net::SocketAddr, tenant: &str) -> Self {
        let mut client = Self::connect(address, Some("graphql-transport-ws")).await;
        client.send(json!({"type": "connection_init", "payload": {"tenant": tenant}})).await;
        assert_eq!(client.next().await.unwrap()["type"], "connection_ack");
        client
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.raw(Message::text(message.to_string())).await;
    }

    pub(crate) async fn raw(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        self.send(
            json!({"type": "subscribe", "id": id, "payload": {"query": query, "variables": variables}}),
        )
        .await;
    }

    /// The next message, or the close frame.
    pub(crate) async fn next(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("a message or a close comes in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Err(None),
            }
        }
    }

    /// The code with which the server closes.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            if let Err(frame) = self.next().await {
                return frame.map_or(0, |frame| frame.code.into());
            }
        }
    }

    /// The data of the next item.
    async fn item(&mut self, field: &str) -> Value {
        let message = self.next().await.unwrap();
        assert_eq!(message["type"], "next", "{message}");
        assert!(message["payload"]["errors"].is_null(), "{message}");
        message["payload"]["data"][field].clone()
    }
}

const EVENTS: &str =
    "subscription($after: String) { eventAppended(after: $after) { cursor event { id position } } }";

/// PLAT-10: a subscription gives every event once; resumed behind any item it goes on with the next,
/// though several events share a commit and others came meanwhile.
#[tokio::test]
async fn a_feed_resumes_without_gap_or_repetition() {
    let api = Api::start().await;
    let address = api.serve().await;
    // Two events per commit, in two shards.
    for version in 1..=12_i64 {
        let shard = version % 2;
        let with = json!({"shard": shard, "event_index": version / 2 % 2, "log_offset": version / 4});
        insert(&api.writer, "event_journal", event("acme", 1, version, 0, with)).await;
        insert(&api.writer, "event_journal", event("other", 2, version, 50 + version, json!({}))).await;
    }
    applied(&api.writer, &["event_journal"], 0, 100).await;
    applied(&api.writer, &["event_journal"], 1, 100).await;
    let start = schemas::position::Token { generation: 1, ..Default::default() }.to_string();
    let mut client = Client::greeted(address, "acme").await;
    client.subscribe("all", EVENTS, json!({ "after": start })).await;
    let mut all = Vec::new();
    for _ in 0..12 {
        all.push(client.item("eventAppended").await);
    }
    let ids: std::collections::BTreeSet<_> = all.iter().map(|item| item["event"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 12, "each once, and none of another tenant");
    for at in [0, 1, 4, 7, 10] {
        let name = format!("from {at}");
        client.subscribe(&name, EVENTS, json!({ "after": all[at]["cursor"] })).await;
        for expected in &all[at + 1..] {
            assert_eq!(
                client.item("eventAppended").await["event"]["id"],
                expected["event"]["id"],
                "behind item {at}"
            );
        }
        client.send(json!({"type": "complete", "id": name})).await;
    }
    // Live: what comes later comes to the first subscription, which is still open.
    insert(&api.writer, "event_journal", event("acme", 1, 13, 100, json!({}))).await;
    applied(&api.writer, &["event_journal"], 0, 101).await;
    assert_eq!(client.item("eventAppended").await["event"]["id"], json!(event_id(&id(1), 13)));
}

/// PLAT-10: behind any event of the last commit there is, its others come at once, whether the client stopped
/// between them or a step of reading did: a commit has more events than one step reads.
#[tokio::test]
async fn the_last_commit_comes_whole() {
    let api = Api::start().await;
    let address = api.serve().await;
    for version in 1..=450_i64 {
        let with = json!({"event_index": version - 1});
        insert(&api.writer, "event_journal", event("acme", 1, version, 5, with)).await;
    }
    applied(&api.writer, &["event_journal"], 0, 6).await;
    let mut client = Client::greeted(address, "acme").await;
    let start = schemas::position::Token { generation: 1, ..Default::default() }.to_string();
    client.subscribe("all", EVENTS, json!({ "after": start })).await;
    let mut cursors = Vec::new();
    for version in 1..=450 {
        let item = client.item("eventAppended").await;
        assert_eq!(item["event"]["id"], json!(event_id(&id(1), version)));
        cursors.push(item["cursor"].clone());
    }
    client.send(json!({"type": "complete", "id": "all"})).await;
    for at in [0, 199, 200, 448] {
        client.subscribe(&at.to_string(), EVENTS, json!({ "after": cursors[at] })).await;
        let next = client.item("eventAppended").await;
        assert_eq!(next["event"]["id"], json!(event_id(&id(1), at as i64 + 2)), "behind item {at}");
        client.send(json!({"type": "complete", "id": at.to_string()})).await;
        // Items that were under way still come; the answer to a ping is behind them.
        client.send(json!({"type": "ping"})).await;
        while client.next().await.unwrap()["type"] != "pong" {}
    }
}

/// TASK-4: a task that changes is shown as it is, once per step, only when its row is there too.
#[tokio::test]
async fn a_changed_task_is_shown_with_its_row() {
    let api = Api::start().await;
    let address = api.serve().await;
    applied(&api.writer, &["event_journal", "task_list"], 0, 1).await;
    let mut client = Client::greeted(address, "acme").await;
    let query = "subscription($after: String, $filter: TaskChangedFilter) {
        taskChanged(after: $after, filter: $filter) { cursor position event { version } task { id queue parent { id } } } }";
    let start = schemas::position::Token::of(1, 0, 0).to_string();
    client.subscribe("mine", query, json!({"after": start, "filter": {"queue": "a"}})).await;
    for (number, queue, offset) in [(1, "a", 1), (2, "b", 2), (1, "a", 3), (3, "a", 4)] {
        if offset != 3 {
            let with = json!({"queue": queue, "parent_id": id(1)});
            insert(&api.writer, "task_list", task("acme", number, with)).await;
        }
        let version = if offset == 3 { 2 } else { 1 };
        insert(&api.writer, "event_journal", event("acme", number, version, offset, json!({}))).await;
    }
    // The journal alone is not enough: the row must be there.
    applied(&api.writer, &["event_journal"], 0, 5).await;
    applied(&api.writer, &["task_list"], 0, 5).await;
    let first = client.item("taskChanged").await;
    assert_eq!(
        (&first["task"]["id"], &first["event"]["version"]),
        (&json!(id(1)), &json!(2)),
        "the last of its changes"
    );
    assert_eq!(first["task"]["parent"]["id"], json!(id(1)), "fields that read more work in an item");
    let second = client.item("taskChanged").await;
    assert_eq!(second["task"]["id"], json!(id(3)));
    let token: schemas::position::Token = second["position"].as_str().unwrap().parse().unwrap();
    assert_eq!(token, schemas::position::Token::of(1, 0, 4));
    client.subscribe("bad", query, json!({"after": "junk"})).await;
    let message = client.next().await.unwrap();
    let code = &message["payload"]["errors"][0]["extensions"]["code"];
    assert_eq!((&message["id"], code), (&json!("bad"), &json!("invalid_cursor")), "{message}");
}

/// Postgres ends every connection and is back: a subscription goes on with the next event, queries are
/// answered again, and nobody has to connect anew.
#[tokio::test]
async fn a_feed_survives_an_outage_of_the_database() {
    let api = Api::start().await;
    let address = api.serve().await;
    applied(&api.writer, &["event_journal"], 0, 1).await;
    let mut client = Client::greeted(address, "acme").await;
    let start = schemas::position::Token::of(1, 0, 0).to_string();
    client.subscribe("1", EVENTS, json!({ "after": start })).await;
    for offset in 1..=3 {
        insert(&api.writer, "event_journal", event("acme", 1, offset, offset, json!({}))).await;
        applied(&api.writer, &["event_journal"], 0, offset + 1).await;
        let item = client.item("eventAppended").await;
        assert_eq!(item["event"]["id"], json!(event_id(&id(1), offset)));
        api.end_readers().await;
    }
    client.subscribe("2", "{ tasks { totalCount } }", json!({})).await;
    assert_eq!(client.item("tasks").await, json!({"totalCount": 0}));
}

/// AGENT-21: an agent that changes is shown as it is; other agents and other aggregates are not.
#[tokio::test]
async fn a_changed_agent_is_shown_with_its_row() {
    let api = Api::start().await;
    let address = api.serve().await;
    let about = json!({"aggregate_type": "agent"});
    for (number, offset, model) in [(1, 1, "m-1"), (2, 2, "m-2"), (3, 3, "m-2")] {
        insert(&api.writer, "agent_list", agent("acme", number, json!({"model": model}))).await;
        insert(&api.writer, "event_journal", event("acme", number, 1, offset, about.clone())).await;
    }
    insert(&api.writer, "event_journal", event("acme", 9, 1, 4, json!({}))).await;
    applied(&api.writer, &["event_journal", "agent_list"], 0, 5).await;
    let mut client = Client::greeted(address, "acme").await;
    let query = "subscription($after: String, $filter: AgentChangedFilter) {
        agentChanged(after: $after, filter: $filter) { cursor agent { id model } } }";
    let start = schemas::position::Token::of(1, 0, 0).to_string();
    client.subscribe("1", query, json!({"after": start, "filter": {"model": "m-2"}})).await;
    for number in [2, 3] {
        assert_eq!(client.item("agentChanged").await["agent"], json!({"id": id(number), "model": "m-2"}));
    }
    client.subscribe("2", query, json!({"after": start, "filter": {"id": id(1)}})).await;
    assert_eq!(client.item("agentChanged").await["agent"]["id"], json!(id(1)));
}

use query_api::QueryOptions;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::api::Api;
use crate::feeds::Client;

const PROTOCOL: Option<&str> = Some("graphql-transport-ws");
/// A subscription that stays open and silent.
const OPEN: &str = "subscription { eventAppended { cursor } }";

/// What breaks the protocol closes the socket with the protocol's code.
#[tokio::test]
async fn a_broken_protocol_has_its_close_code() {
    let api = Api::start().await;
    let address = api.serve().await;
    let mut none = Client::connect(address, None).await;
    assert_eq!(none.close_code().await, 4406, "no subprotocol");
    let mut early = Client::connect(address, PROTOCOL).await;
    early.subscribe("1", "{ __typename }", json!({})).await;
    assert_eq!(early.close_code().await, 4401, "subscribe before the acknowledgement");
    let mut twice = Client::greeted(address, "acme").await;
    twice.send(json!({"type": "connection_init"})).await;
    assert_eq!(twice.close_code().await, 4429, "two greetings");
    let mut reused = Client::greeted(address, "acme").await;
    reused.subscribe("1", OPEN, json!({})).await;
    reused.subscribe("1", OPEN, json!({})).await;
    assert_eq!(reused.close_code().await, 4409, "a live id again");
    for junk in ["junk", "{}", "[]", r#"{"type":"start"}"#, r#"{"type":"subscribe","id":"1"}"#] {
        let mut client = Client::greeted(address, "acme").await;
        client.raw(Message::text(junk)).await;
        assert_eq!(client.close_code().await, 4400, "{junk}");
    }
    let mut binary = Client::greeted(address, "acme").await;
    binary.raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(binary.close_code().await, 4400, "binary");
    let mut foreign = Client::connect(address, PROTOCOL).await;
    foreign.send(json!({"type": "connection_init", "payload": {"tenant": "NOT ONE"}})).await;
    assert_eq!(foreign.close_code().await, 4403, "no tenant");
    let mut silent = Client::connect(address, PROTOCOL).await;
    assert_eq!(silent.close_code().await, 4408, "no greeting within 5 s");
}

/// Queries, errors, pings and reuse of an id that is free again, on one socket.
#[tokio::test]
async fn operations_of_a_socket_are_answered() {
    let api = Api::start().await;
    let mut client = Client::greeted(api.serve().await, "acme").await;
    client.send(json!({"type": "ping", "payload": {"a": 1}})).await;
    assert_eq!(client.next().await.unwrap(), json!({"type": "pong", "payload": {"a": 1}}));
    for _ in 0..2 {
        client.subscribe("1", "{ tasks { totalCount } }", json!({})).await;
        let next = client.next().await.unwrap();
        assert_eq!(next["payload"]["data"], json!({"tasks": {"totalCount": 0}}), "{next}");
        assert_eq!(client.next().await.unwrap(), json!({"type": "complete", "id": "1"}));
    }
    for refused in ["{", "{ nothing }", "subscription { nothing }", "mutation { nothing }"] {
        client.subscribe("2", refused, json!({})).await;
        let error = client.next().await.unwrap();
        assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("2")), "{refused}: {error}");
        assert!(error["payload"][0]["extensions"]["code"].is_string(), "{error}");
    }
    for number in 0..50 {
        client.subscribe(&format!("open-{number}"), OPEN, json!({})).await;
    }
    client.subscribe("one too many", OPEN, json!({})).await;
    let error = client.next().await.unwrap();
    assert_eq!(
        (&error["id"], &error["payload"][0]["extensions"]["code"]),
        (&json!("one too many"), &json!("busy"))
    );
    client.send(json!({"type": "complete", "id": "open-7"})).await;
    client.subscribe("open-7", "{ __typename }", json!({})).await;
    assert_eq!(client.next().await.unwrap()["type"], "next", "a completed id is free again");
}

/// A principal has five sockets; when the service stops, every one is told so.
#[tokio::test]
async fn sockets_are_counted_and_closed() {
    let options = QueryOptions::default();
    let shutdown = options.shutdown.clone();
    let api = Api::with(options).await;
    let address = api.serve().await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::greeted(address, "acme").await);
    }
    let mut sixth = Client::connect(address, PROTOCOL).await;
    sixth.send(json!({"type": "connection_init", "payload": {"tenant": "acme"}})).await;
    assert_eq!(sixth.close_code().await, 1013);
    clients.push(Client::greeted(address, "other").await);
    shutdown.cancel();
    for client in &mut clients {
        assert_eq!(client.close_code().await, 1001);
    }
}

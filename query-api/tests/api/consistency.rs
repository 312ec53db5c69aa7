use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use query_api::QueryOptions;
use schemas::position::Token;
use serde_json::json;

use crate::api::Api;
use crate::rows::{applied, id, insert, task};

/// PLAT-26: a query with a token waits until the read models that it touches, and only those, have
/// applied it; the answer carries the token of what it saw.
#[tokio::test]
async fn a_query_waits_for_its_token() {
    let api = std::sync::Arc::new(Api::start().await);
    applied(&api.writer, &["task_list"], 0, 5).await;
    let token = Token::of(1, 0, 7).to_string();
    let query = "query($id: ID!, $token: ConsistencyToken) { task(id: $id, atLeast: $token) { id } }";
    let variables = json!({"id": id(1), "token": token});
    let waiting = tokio::spawn({
        let (api, variables) = (api.clone(), variables.clone());
        async move { api.ask("acme", query, variables).await }
    });
    // The journal is far behind all the time: this query does not read it.
    applied(&api.writer, &["event_journal"], 0, 1).await;
    // Offset 7 is the next one now, not an applied one.
    applied(&api.writer, &["task_list"], 0, 7).await;
    assert!(!waiting.is_finished());
    insert(&api.writer, "task_list", task("acme", 1, json!({}))).await;
    applied(&api.writer, &["task_list"], 0, 8).await;
    let (status, answer) = waiting.await.unwrap();
    assert_eq!((status, &answer["data"]["task"]["id"]), (StatusCode::OK, &json!(id(1))), "{answer}");
    assert_eq!(answer["extensions"]["position"], json!(token), "offset 7 is the last one below 8");
    // Its own position is at once good for the next query.
    let next = json!({"id": id(1), "token": answer["extensions"]["position"]});
    assert_eq!(api.data("acme", query, next).await["task"]["id"], json!(id(1)));
}

/// A token that is not reached in time, of another generation, or none at all is refused, as argument
/// and as header.
#[tokio::test]
async fn an_unusable_token_is_refused() {
    let api =
        Api::with(QueryOptions { token_wait: Duration::from_millis(50), ..QueryOptions::default() }).await;
    applied(&api.writer, &["task_list"], 0, 5).await;
    let ask = |token: String| json!({ "token": token });
    let query = "query($token: ConsistencyToken) { tasks(atLeast: $token) { nodes { id } } }";
    let (status, answer) = api.ask("acme", query, ask(Token::of(1, 0, 5).to_string())).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT, "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "token_not_reached");
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("task_list"), "{answer}");
    assert_eq!(api.code("acme", query, ask(Token::of(2, 0, 1).to_string())).await, "invalid_token");
    assert_eq!(api.code("acme", query, ask("junk".into())).await, "invalid_token");
    let with_header = |token: String| {
        Request::get("/graphql?query=%7Btasks%7Bnodes%7Bid%7D%7D%7D")
            .header("gesta-after", token)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(api.send(with_header(Token::of(1, 0, 4).to_string())).await.0, StatusCode::OK);
    assert_eq!(api.send(with_header(Token::of(1, 0, 9).to_string())).await.0, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(api.send(with_header("junk".into())).await.0, StatusCode::BAD_REQUEST);
    // The furthest of several tokens counts.
    let both = format!(
        "{{ a: tasks(atLeast: \"{}\") {{ nodes {{ id }} }} b: tasks(atLeast: \"{}\") {{ nodes {{ id }} }} }}",
        Token::of(1, 0, 1),
        Token::of(1, 0, 9)
    );
    assert_eq!(api.code("acme", &both, json!({})).await, "token_not_reached");
}

/// Postgres away: a clear answer with Retry-After, within the pool's patience; nothing else breaks.
#[tokio::test]
async fn without_a_database_the_answer_says_so() {
    let api = Api::without_database();
    let (status, answer) = api.ask("acme", "{ tasks { nodes { id } } }", json!({})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "unavailable");
    let text = answer.to_string();
    assert!(!text.contains("127.0.0.1") && !text.contains("refused"), "no inner detail leaves: {text}");
    assert_eq!(api.data("acme", "{ __typename }", json!({})).await["__typename"], "Query");
}

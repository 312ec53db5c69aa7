use std::path::PathBuf;

use serde_json::{Value, json};

use crate::api::Api;
use crate::rows::{applied, event, event_id, id, insert};

/// Runs a script of `tests/audit` with Node; its last line is its result.
async fn node(script: &str, arguments: &[String]) -> Value {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let installed = here.join("../.local/node");
    assert!(
        installed.join("installed-lock.json").exists(),
        "the public GraphQL clients are not installed; run query-api/tests/provision.sh (Node.js 20 or newer: \
         apt install nodejs npm, dnf install nodejs npm, brew install node)"
    );
    // Node looks for packages beside the script.
    let copy = installed.join(format!("{}-{script}", std::process::id()));
    std::fs::copy(here.join("tests/audit").join(script), &copy).unwrap();
    let output = tokio::process::Command::new("node").arg(&copy).args(arguments).output().await;
    std::fs::remove_file(&copy).unwrap();
    let output = output.expect("`node` runs; install Node.js 20 or newer: apt install nodejs (dnf, brew)");
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    result.unwrap_or_else(|| {
        panic!("{script} ended with {}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr))
    })
}

/// PLAT-5: every audit of the public GraphQL-over-HTTP suite.
#[tokio::test]
async fn the_public_audit_finds_nothing() {
    let api = Api::start().await;
    let address = api.serve().await;
    let results = node("http.mjs", &[format!("http://{address}/graphql")]).await;
    let results = results.as_array().unwrap();
    let bad: Vec<_> = results.iter().filter(|result| result["status"] != "ok").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(results.len(), 61);
}

/// PLAT-5, PLAT-10: the public client follows a subscription, loses its connection, and resumes.
#[tokio::test]
async fn the_public_client_subscribes_and_resumes() {
    let api = Api::start().await;
    let address = api.serve().await;
    for version in 1..=6 {
        insert(&api.writer, "event_journal", event("acme", 1, version, version, json!({}))).await;
    }
    applied(&api.writer, &["event_journal"], 0, 7).await;
    let start = schemas::position::Token::of(1, 0, 0).to_string();
    let result = node("subscribe.mjs", &[format!("ws://{address}/graphql/ws"), start]).await;
    let expected: Vec<_> = (1..=6).map(|version| event_id(&id(1), version)).collect();
    assert_eq!(result, json!(expected));
}

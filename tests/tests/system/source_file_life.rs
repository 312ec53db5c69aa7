//! A repository and a file of it, from their registration to the search and to their end.

use serde_json::{Value, json};

use crate::support::api::{Api, joined};
use crate::support::shared::api;

/// A content of these functions, one on a line; its hash is of their names.
fn content(names: &[&str], commit: &str) -> Value {
    let chunk = |(line, name): (usize, &&str)| {
        json!({ "id": format!("{:0>32}", hex(name)), "kind": "function_def", "name": name,
                "signature": format!("fn {name}()"), "text": format!("fn {name}() {{}}\n"),
                "startLine": line + 1, "endLine": line + 1 })
    };
    let chunks: Vec<_> = names.iter().enumerate().map(chunk).collect();
    json!({ "contentHash": format!("{:0>64}", hex(&names.concat())), "chunker": "lines/1", "commit": commit,
            "language": "rust", "bytes": 10, "lines": names.len(), "chunks": chunks })
}

/// The last octets of a text, in hexadecimal.
fn hex(text: &str) -> String {
    text.bytes().rev().take(16).map(|octet| format!("{octet:02x}")).collect()
}

/// The hits of a search: name, lines, commit.
async fn hits(api: &Api, after: &str, query: &str) -> Vec<(String, i64, String)> {
    let document = "query($q: String!) { search(query: $q) {
        hits { name citation { repository path startLine endLine commit } } } }";
    let data = api.query(after, document, json!({ "q": query })).await;
    let hit = |hit: &Value| {
        let citation = &hit["citation"];
        assert_eq!((&citation["repository"], &citation["path"]), (&json!("gesta"), &json!("src/lease.rs")));
        assert_eq!(citation["startLine"], citation["endLine"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&hit["name"]), citation["startLine"].as_i64().unwrap_or_default(), text(&citation["commit"]))
    };
    data["search"]["hits"].as_array().into_iter().flatten().map(hit).collect()
}

/// KNOW-1, KNOW-7, KNOW-30, KNOW-37, PLAT-9: what is indexed is found with a citation; a second index costs only what
/// changed; what is gone is found no more.
#[tokio::test]
async fn a_file_is_indexed_found_changed_and_removed() {
    let api = api().await;
    let repository = api.done("repositories", json!({ "name": "gesta" })).await;
    let body = json!({ "repositoryId": repository.id(), "path": "src/lease.rs" });
    let file = api.command("source-files", &body).key("file:src/lease.rs").send().await.accepted();
    assert_eq!((file.status, file.verbs().as_str()), (201, "registered"));
    let again = api.command("source-files", &body).key("file:src/lease.rs").send().await.accepted();
    assert_eq!(again.id(), file.id(), "a second registration finds the first");
    let index = format!("source-files/{}/index", file.id());
    let first = api.done(&index, content(&["checkLease", "renewLease"], "c0ffee1")).await;
    let after = joined(&[repository.position(), first.position()]);
    let found = hits(&api, &after, "check_lease").await;
    assert_eq!(found[0], ("checkLease".to_owned(), 1, "c0ffee1".to_owned()));
    assert_eq!(found.len(), 2, "both are about leases: {found:?}");

    let same = api.done(&index, content(&["checkLease", "renewLease"], "c0ffee2")).await;
    assert_eq!(same.verbs(), "", "the same content costs nothing");
    let second = api.done(&index, content(&["walk", "checkLease"], "c0ffee3")).await;
    let found = hits(&api, &joined(&[repository.position(), second.position()]), "lease walk").await;
    let names = |found: &[(String, i64, String)]| found.iter().map(|hit| hit.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), ["walk", "checkLease"], "a rarer word first; renewLease is gone");
    assert_eq!(found[1], ("checkLease".to_owned(), 2, "c0ffee3".to_owned()), "it moved");
    let events = api.events().await;
    let indexed: Vec<_> = events.iter().filter(|event| event.kind.ends_with("indexed.v1")).collect();
    assert_eq!(indexed.len(), 2, "{indexed:?}");

    let removed = api.done(&format!("source-files/{}/remove", file.id()), json!({})).await;
    assert!(hits(&api, &joined(&[repository.position(), removed.position()]), "lease walk").await.is_empty());
    let back = api.done(&index, content(&["checkLease"], "c0ffee4")).await;
    assert_eq!(hits(&api, &joined(&[repository.position(), back.position()]), "lease").await.len(), 1);
    let retired = api.done(&format!("repositories/{}/retire", repository.id()), json!({})).await;
    assert!(hits(&api, &joined(&[retired.position(), back.position()]), "lease").await.is_empty());
}

/// KNOW-1: what cannot be indexed is refused, and the field is named.
#[tokio::test]
async fn a_content_that_cannot_be_is_refused() {
    let api = api().await;
    let repository = api.done("repositories", json!({ "name": "gesta" })).await.id();
    let trick = json!({ "repositoryId": repository, "path": "../etc/passwd" });
    let refused = api.refused("source-files", trick, 409, "guard_refused").await;
    assert!(refused.body.to_string().contains("/path"), "{refused:?}");
    let file = api.done("source-files", json!({ "repositoryId": repository, "path": "a.rs" })).await.id();
    let mut twice = content(&["one", "two"], "c0ffee1");
    twice["chunks"][1]["id"] = twice["chunks"][0]["id"].clone();
    let refused = api.refused(&format!("source-files/{file}/index"), twice, 409, "guard_refused").await;
    assert!(refused.body.to_string().contains("the same id"), "{refused:?}");
    let mut wrong = content(&["one"], "c0ffee1");
    wrong["contentHash"] = json!("no hash");
    let refused = api.refused(&format!("source-files/{file}/index"), wrong, 422, "schema_violation").await;
    assert!(refused.body.to_string().contains("/contentHash"), "{refused:?}");
}

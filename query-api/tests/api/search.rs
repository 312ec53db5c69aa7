use serde_json::{Value, json};

use crate::api::Api;
use crate::rows::{chunk, id, insert, repository, source_file};

const QUERY: &str = "query($q: String!, $filter: SearchFilter, $first: Int) {
    search(query: $q, filter: $filter, first: $first) {
        words
        hits { score kind name text citation { repositoryId repository path startLine endLine commit } }
    }
}";

/// A repository with these chunks: number, name, text.
async fn indexed(chunks: &[(u64, &str, &str)]) -> Api {
    let api = Api::start().await;
    insert(&api.writer, "repository_list", repository("acme", 1, json!({"name": "gesta"}))).await;
    for (number, name, text) in chunks {
        insert(&api.writer, "source_file_list", source_file("acme", *number, json!({}))).await;
        insert(&api.writer, "code_chunks", chunk("acme", *number, name, text, json!({}))).await;
    }
    api
}

async fn names(api: &Api, query: &str, filter: Value) -> Vec<String> {
    let data = api.data("acme", QUERY, json!({"q": query, "filter": filter})).await;
    let hits = data["search"]["hits"].as_array().unwrap();
    let scores: Vec<_> = hits.iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    hits.iter().map(|hit| hit["name"].as_str().unwrap().to_owned()).collect()
}

const CHUNKS: &[(u64, &str, &str)] = &[
    (11, "checkLease", "fn checkLease(token: u32) -> bool { self.lease.token == token }"),
    (12, "renew", "fn renew() { if self.lease_is_checked() { extend() } }"),
    (13, "walk", "fn walk(files: &Path) { for file in files { read(file) } }"),
    (14, "lease", "struct Lease { token: u32 }"),
];

/// KNOW-6, KNOW-30, KNOW-37: words find identifiers by their parts, the best one first, each with its citation.
#[tokio::test]
async fn a_question_finds_code_and_cites_it() {
    let api = indexed(CHUNKS).await;
    let found = names(&api, "how are leases checked", Value::Null).await;
    assert_eq!(found[0], "checkLease");
    assert!(found.contains(&"renew".to_owned()) && !found.contains(&"walk".to_owned()), "{found:?}");
    assert_eq!(names(&api, "lease_is_checked", Value::Null).await[0], "renew", "a whole identifier");
    let data = api.data("acme", QUERY, json!({"q": "checkLease", "first": 1})).await;
    assert_eq!(data["search"]["words"], json!(["checklease", "check", "leas"]));
    let hits = data["search"]["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 1);
    let citation = json!({
        "repositoryId": id(1), "repository": "gesta", "path": "src/11.rs", "startLine": 3, "endLine": 7,
        "commit": "c0ffee1",
    });
    assert_eq!(hits[0]["citation"], citation);
    assert!(names(&api, "nothing of that kind", Value::Null).await.is_empty());
}

/// KNOW-30: a filter narrows what is found, and never the number of hits below what there is.
#[tokio::test]
async fn a_filtered_search_gives_as_many_hits_as_there_are() {
    let api = indexed(&[]).await;
    for number in 100..160 {
        let language = if number % 10 == 0 { "go" } else { "rust" };
        let text = format!("fn lease_{number}() {{ token }}");
        let row = chunk("acme", number, "lease", &text, json!({"language": language}));
        insert(&api.writer, "code_chunks", row).await;
    }
    let rare = chunk("acme", 200, "one", "unmistakable", json!({"kind": "test", "path": "tests/one.rs"}));
    insert(&api.writer, "code_chunks", rare).await;
    let count = |filter: Value| {
        let api = &api;
        async move { names(api, "unmistakable lease", filter).await.len() }
    };
    assert_eq!(count(json!({"language": "go"})).await, 6);
    assert_eq!(
        count(json!({"language": ["go", "rust"], "kind": "function_def"})).await,
        10,
        "the usual page"
    );
    assert_eq!(count(json!({"kind": "test"})).await, 1);
    assert_eq!(count(json!({"beneath": "tests/"})).await, 1);
    assert_eq!(count(json!({"repositoryId": [id(1)], "language": "go"})).await, 6);
    assert_eq!(count(json!({"repositoryId": [id(2)]})).await, 0);
}

/// The commoner words are looked for when the rarer ones do not fill the page.
#[tokio::test]
async fn common_words_fill_the_page() {
    let api = indexed(CHUNKS).await;
    let fill = "INSERT INTO g1.code_chunks (tenant, file_id, chunk_id, repository_id, path, kind, scope, signature, part, \
         start_line, end_line, hash, text, words, length, removed, updated_at, version, event_id, position) \
         SELECT tenant, gen_random_uuid(), chunk_id, repository_id, path, kind, scope, signature, part, start_line, \
         end_line, hash, 'common', $$'common':1C$$, 1, false, updated_at, version, event_id, position \
         FROM g1.code_chunks, generate_series(1, 6000) WHERE name = 'walk'";
    sqlx::query(fill).execute(&api.writer).await.unwrap();
    let data = api.data("acme", QUERY, json!({"q": "walk common", "first": 20})).await;
    let hits = data["search"]["hits"].as_array().unwrap();
    assert_eq!((hits.len(), &hits[0]["name"]), (20, &json!("walk")));
}

/// KNOW-7: what is gone and what is retired is found no more; another tenant finds nothing.
#[tokio::test]
async fn what_is_gone_is_not_found() {
    let api = indexed(CHUNKS).await;
    let other = api.data("other", QUERY, json!({"q": "lease"})).await;
    assert_eq!(other["search"]["hits"], json!([]));
    let gone =
        "UPDATE g1.code_chunks SET removed = true, text = '', words = '', length = 0 WHERE name = 'lease'";
    sqlx::query(gone).execute(&api.writer).await.unwrap();
    assert_eq!(names(&api, "struct", Value::Null).await, Vec::<String>::new());
    assert_eq!(names(&api, "checkLease", Value::Null).await[0], "checkLease");
    let retired = "UPDATE g1.repository_list SET state = 'retired'";
    sqlx::query(retired).execute(&api.writer).await.unwrap();
    assert_eq!(names(&api, "checkLease", Value::Null).await, Vec::<String>::new());
}

/// Hostile and useless queries are refused, and told why.
#[tokio::test]
async fn a_query_that_cannot_be_searched_is_refused() {
    let api = indexed(CHUNKS).await;
    for (query, first) in
        [("", 10), (" -- '\"\\ ", 10), (&"word ".repeat(10_000), 10), ("lease", 0), ("lease", 101)]
    {
        let code = api.code("acme", QUERY, json!({"q": query, "first": first})).await;
        assert_eq!(code, "invalid_query", "{} {first}", &query[..query.len().min(20)]);
    }
    let (_, answer) = api.ask("acme", QUERY, json!({"q": "x", "filter": {"repositoryId": ["no id"]}})).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("repositoryId"), "{answer}");
    let (_, answer) = api.ask("acme", QUERY, json!({"q": "x", "filter": {"kind": ["function"]}})).await;
    let words = answer["errors"][0]["message"].as_str().unwrap();
    assert!(words.contains("kind") && words.contains("function_def"), "{answer}");
    for hostile in ["lease' | 'x", "lease:*A & !b", "'; DROP TABLE g1.code_chunks; --", "\u{1}lease\u{ffff}"]
    {
        api.data("acme", QUERY, json!({"q": hostile})).await;
    }
    assert_eq!(names(&api, "lease' | !'x", Value::Null).await.len(), 3, "operators are words like any other");
}

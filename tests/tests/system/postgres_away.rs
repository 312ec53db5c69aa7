//! Postgres is a cache: without it commands go on, and the read models catch up when it is back.

use serde_json::json;

use crate::support::api::Answer;
use crate::support::database::Database;
use crate::support::eventually::eventually;
use crate::support::gesta::{Gesta, free_address};
use crate::support::proxy::{Proxy, detour};

/// PLAT-40, PLAT-42: gone in the middle of a run, and back: readiness tells, commands go on, nothing is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_on_without_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let (server, through) = detour(&Database::create().await.url);
    let proxy = Proxy::start(server).await;
    let data = folder.path().join("data");
    let mut gesta = Gesta::start_anywhere(&data, &through(proxy.address)).await;
    let api = gesta.api();
    let first = api.create("away", json!({})).await;
    assert_eq!(api.task(&first.position(), &first.id(), "state").await["state"], "QUEUED");

    proxy.cut();
    let text = gesta.wait_for("/readyz", |status, _| status == 503).await;
    assert!(text.contains("postgres") && text.contains("commands go on"), "{text}");
    assert_eq!(api.ops("/livez").await.0, 200);
    let mut last = None;
    for n in 0..200 {
        last = Some(api.create("away", json!({ "title": n.to_string() })).await);
    }
    let held = api.claim("w", "away").await;
    api.hold(&held, "start", json!({})).await;
    let done = api.hold(&held, "complete", json!({})).await;
    let asked = api.ask(None, "{ tasks { totalCount } }", json!({})).await;
    assert_eq!(asked.body["errors"][0]["extensions"]["code"], "unavailable", "{asked:#?}");

    proxy.mend();
    gesta.wait_for("/readyz", |status, _| status == 200).await;
    let look = async || api.ask(Some(&done.position()), "{ tasks { totalCount } }", json!({})).await;
    let seen = eventually("every task", look, |answer: &Answer| answer.body["errors"].is_null()).await;
    assert_eq!(seen.body["data"]["tasks"]["totalCount"], 201);
    let last = last.unwrap();
    assert_eq!(api.task(&last.position(), &last.id(), "title").await["title"], "199");
}

/// PLAT-40: missing at the start: commands are taken at once, the rest follows when it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_postgres_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (server, through) = detour(&Database::create().await.url);
    let proxy = Proxy::start(server).await;
    proxy.cut();
    let command = std::process::Command::new(crate::support::gesta::executable());
    let url = through(proxy.address);
    let mut gesta = Gesta::launch(command, &folder.path().join("data"), &url, free_address(), free_address());
    let text =
        gesta.wait_for("/readyz", |status, text| status == 503 && text.contains("does not answer")).await;
    assert!(text.contains(&proxy.address.port().to_string()), "it names what does not answer: {text}");
    let api = gesta.api();
    let look =
        async || api.command("tasks", &crate::support::tasks::task("early", json!({}))).key("k").send().await;
    let created = eventually("a shard", look, |answer| answer.status == 201).await;
    proxy.mend();
    gesta.wait_for("/readyz", |status, _| status == 200).await;
    let look = async || api.ask(Some(&created.position()), "{ tasks { totalCount } }", json!({})).await;
    eventually("the task", look, |answer| answer.body["data"]["tasks"]["totalCount"] == 1).await;
}

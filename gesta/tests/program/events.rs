//! The event stream, the same events from a stopped log, and the orderly end.

use serde_json::{Value, json};

use crate::database::Database;
use crate::gesta::{Gesta, Running, program, run, text};

fn lines(octets: &[u8]) -> Vec<Value> {
    text(octets).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// PLAT-1, PLAT-7, PLAT-10
#[tokio::test(flavor = "multi_thread")]
async fn the_stream_gives_what_a_stopped_log_gives_and_can_be_resumed() {
    let (data, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(
            gesta
                .task(json!({ "queue": format!("q{n}"), "type": "note", "title": format!("task {n}") }))
                .await,
        );
    }
    let (status, answer) = gesta.command(&format!("tasks/{}/cancel", ids[0]), json!({})).await;
    assert_eq!(status, 200, "{answer}");

    let all = run(&["events", "--url", &gesta.ops]).await.stdout;
    let events = lines(&all);
    assert_eq!(events.len(), 41, "created and queued for each, one cancelled");
    assert!(events.is_sorted_by_key(|event| event["time"].as_str().unwrap().to_owned()), "merged by time");

    let subject = format!("task/{}", ids[0]);
    let of_one = lines(&run(&["events", "--url", &gesta.ops, "--subject", &subject]).await.stdout);
    let versions: Vec<_> = of_one.iter().map(|event| event["aggregateversion"].as_u64().unwrap()).collect();
    assert_eq!(versions, [1, 2, 3]);
    let cancelled =
        lines(&run(&["events", "--url", &gesta.ops, "--type", "gesta.work.task.cancel*"]).await.stdout);
    assert_eq!(cancelled.len(), 1, "{cancelled:?}");

    // Behind the first event of a commit of two, behind the second, and behind the last of all.
    for last in [8, 9, 40] {
        let token = events[last]["resumetoken"].as_str().unwrap();
        let rest = lines(&run(&["events", "--url", &gesta.ops, "--from", token]).await.stdout);
        assert_eq!(
            rest.iter().map(|e| &e["id"]).collect::<Vec<_>>(),
            events[last + 1..].iter().map(|e| &e["id"]).collect::<Vec<_>>(),
            "behind line {last}"
        );
    }

    assert_eq!(gesta.stop().await, Some(0));
    let stopped = run(&["events", "--data", data.path().to_str().unwrap()]).await;
    assert_eq!(text(&stopped.stdout), text(&all), "the same octets from the log itself");
}

/// PLAT-10
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_what_is_written_after_it_came_and_ends_with_the_service() {
    let (data, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    gesta.task(json!({ "type": "note", "title": "before" })).await;
    let mut listener = Running::start(program(&[
        "events",
        "--url",
        &gesta.ops,
        "--follow",
        "--type",
        "gesta.work.task.created.v1",
    ]));
    let title =
        |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["data"]["title"].as_str()?.to_owned());
    assert_eq!(listener.line("the first event", title).await, "before");
    gesta.task(json!({ "type": "note", "title": "after" })).await;
    assert_eq!(listener.line("the second event", title).await, "after");
    assert_eq!(gesta.stop().await, Some(0));
    listener.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_metrics_and_version_stand_on_the_second_port() {
    let (data, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let parts = gesta.ready(true).await;
    assert_eq!(
        parts.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["commands", "log", "postgres", "projections"]
    );
    for path in ["/livez", "/startupz", "/version"] {
        assert_eq!(gesta.ops(path).await.0, 200, "{path}");
    }
    let (_, metrics) = gesta.ops("/metrics").await;
    assert!(metrics.contains("process_resident_memory_bytes"), "{metrics}");
    let (status, problem) = gesta.ops("/nothing").await;
    assert!(status == 404 && problem.contains("unknown_route"), "{problem}");
    let (status, problem) = gesta.ops("/events?from=bogus").await;
    assert!(status == 400 && problem.contains("invalid_token"), "{problem}");
    assert_eq!(gesta.stop().await, Some(0));
}

/// AGENT-13, TASK-3, TASK-4
#[tokio::test(flavor = "multi_thread")]
async fn people_create_list_and_steer_by_hand() {
    let (data, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let ndjson = ["--url", &gesta.url, "--output", "ndjson"];
    let created = run(&[
        &["task", "create", "--title", "by hand", "--type", "note", "--priority", "high"][..],
        &ndjson,
    ]
    .concat())
    .await;
    let created = &lines(&created.stdout)[0];
    let (id, position) = (created["aggregateId"].as_str().unwrap(), created["position"].as_str().unwrap());
    let listed = lines(&run(&[&["task", "list", "--position", position][..], &ndjson].concat()).await.stdout);
    assert_eq!((&listed[0]["id"], &listed[0]["priority"]), (&json!(id), &json!("HIGH")));
    let refused = run(&["task", "start", id, "--fencing-token", "7", "--url", &gesta.url]).await;
    let words = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(3) && words.contains("task.cancel"),
        "what is allowed is named: {words}"
    );
    let cancelled = lines(&run(&[&["task", "cancel", id][..], &ndjson].concat()).await.stdout);
    let position = cancelled[0]["position"].as_str().unwrap();
    let got = lines(&run(&[&["task", "get", id, "--position", position][..], &ndjson].concat()).await.stdout);
    assert_eq!(got[0]["state"], "CANCELLED");
    let agent = lines(
        &run(&[&["agent", "spawn", "--model", "none", "--label", "me"][..], &ndjson].concat()).await.stdout,
    );
    let position = agent[0]["position"].as_str().unwrap();
    let agents =
        lines(&run(&[&["agent", "list", "--position", position][..], &ndjson].concat()).await.stdout);
    assert_eq!(agents[0]["label"], "me");
    assert_eq!(gesta.stop().await, Some(0));
}

//! The events of the log's owner, as a plain HTTP client and as `gesta events` read them.

use serde_json::{Value, json};

use crate::support::gesta::run;
use crate::support::shared::api;

/// PLAT-1, PLAT-10, PLAT-16: filters, and a token behind which a listener goes on.
#[tokio::test]
async fn events_are_filtered_and_resumed() {
    let api = api().await;
    let held = api.running("stream", json!({})).await;
    let tenant = format!("/events?tenant={}", api.tenant);
    let lines = async |path: String| -> Vec<Value> {
        let (status, text) = api.ops(&path).await;
        assert_eq!(status, 200, "{text}");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let all = lines(tenant.clone()).await;
    assert_eq!(all.len(), 4);
    assert!(
        all.iter()
            .all(|event| event["specversion"] == "1.0" && event["datacontenttype"] == "application/json")
    );
    assert_eq!(lines(format!("{tenant}&type=gesta.work.task.started.v1")).await.len(), 1);
    assert_eq!(lines(format!("{tenant}&type=gesta.fleet.*")).await.len(), 0);
    assert_eq!(lines(format!("{tenant}&subject=task/{}", held.id)).await, all);
    for last in 0..4 {
        let token = all[last]["resumetoken"].as_str().unwrap();
        assert_eq!(lines(format!("{tenant}&from={token}")).await, all[last + 1..], "each behind it once");
    }
    let (status, text) = api.ops("/events?from=junk").await;
    assert_eq!((status, text.contains("invalid_token")), (400, true), "{text}");
    let (status, text) = api.ops("/events?nonsense=1").await;
    assert_eq!((status, text.contains("nonsense")), (400, true), "{text}");
}

/// PLAT-10: the command line shows the same lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_shows_the_same_events() {
    let api = api().await;
    api.create("tail", json!({})).await;
    let (_, expected) = api.ops(&format!("/events?tenant={}", api.tenant)).await;
    let arguments = ["events", "--url", &api.ops, "--tenant", &api.tenant];
    let (code, shown, error) = run(&arguments);
    assert_eq!((code, shown), (Some(0), expected), "{error}");
}

/// PLAT-20, PLAT-28: what the second port says about the process.
#[tokio::test]
async fn the_second_port_tells_how_the_process_is() {
    let api = api().await;
    for (path, part) in [
        ("/livez", "true"),
        ("/readyz", "\"ready\":true"),
        ("/startupz", "\"started\":true"),
        ("/version", "gesta"),
    ] {
        let (status, text) = api.ops(path).await;
        assert!(status == 200 && text.contains(part), "{path}: {status} {text}");
    }
    api.create("metrics", json!({})).await;
    let (status, text) = api.ops("/metrics").await;
    assert!(status == 200 && text.contains("gesta_http_requests_total"), "{text}");
}

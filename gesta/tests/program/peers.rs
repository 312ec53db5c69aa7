//! Processes that share a log but cannot pass commands on.

use serde_json::{Value, json};

use crate::database::Database;
use crate::gesta::until;
use crate::kafka::Topic;
use crate::replicas::total;

const OWNED: &str = "gesta_shard_owner";

/// PLAT-6: a process that shows another secret, or none, is refused by the owner of a shard, and says so; nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_hop_with_another_secret_is_refused() {
    let (topic, database) = (Topic::new(), Database::new().await);
    assert!(topic.log(&["init"]).await.status.success());
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut replicas = Vec::new();
    for (folder, secret) in folders.iter().zip(["right", "wrong"]) {
        let environment = [("GESTA__PEERS__SECRET", secret)];
        replicas.push(topic.role_with("command-service", folder.path(), &database.url(), &environment).await);
    }
    let shared = async || {
        let owned = (total(&replicas[0], OWNED).await, total(&replicas[1], OWNED).await);
        (owned.0 + owned.1 == 3.0 && owned.0 > 0.0 && owned.1 > 0.0).then_some(())
    };
    until("the shards shared", shared).await;
    let http = reqwest::Client::new();
    let (mut taken, mut refused) = (0, 0);
    for queue in 0..12 {
        let task = json!({ "type": "note", "title": "one", "queue": format!("q{queue}") });
        let asked =
            http.post(format!("{}/api/v1/tasks", replicas[1].url)).header("prefer", "wait=1").json(&task);
        let answer = asked.send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        if status == 201 {
            taken += 1;
            continue;
        }
        let detail = body["detail"].as_str().unwrap();
        assert_eq!(status, 503, "{body}");
        assert!(detail.contains("refuses this process; compare peers.secret"), "{body}");
        refused += 1;
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
    assert!(!replicas[0].ops("/metrics").await.1.contains("gesta_hops_served_total"), "it served none");

    let ask = format!("{}/internal/v1/ask", replicas[0].ops);
    let unsigned = http.post(&ask).header("x-gesta-hops", "1").body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert!(unsigned.text().await.unwrap().contains("peers.secret"));
    let looping = http.post(&ask).header("x-gesta-secret", "right").header("x-gesta-hops", "2").body("{}");
    let looping = looping.send().await.unwrap();
    assert_eq!(looping.status(), 400, "a command makes one hop");
    for role in replicas {
        assert_eq!(role.stop().await, Some(0));
    }
}

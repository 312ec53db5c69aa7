//! The roles apart, on a log on a real Kafka.

use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::database::Database;
use crate::gesta::{Gesta, Running, program, run, text, until};

/// A topic of its own for one test.
pub(crate) struct Topic {
    brokers: String,
    setting: String,
    publisher: String,
}

impl Topic {
    pub(crate) fn new() -> Self {
        let brokers = std::env::var("GESTA_KAFKA_BROKERS")
            .expect("GESTA_KAFKA_BROKERS names no brokers; `make test` starts some");
        let setting = format!("kafka.topic=gesta.program.{}", uuid::Uuid::new_v4().simple());
        Self { brokers, setting, publisher: "publisher.enabled=false".to_owned() }
    }

    /// With public topics whose names begin with `prefix`.
    fn published_as(prefix: &str) -> Self {
        Self { publisher: format!("publisher.prefix={prefix}"), ..Self::new() }
    }

    fn name(&self) -> &str {
        self.setting.split_once('=').unwrap().1
    }

    /// The flags of a service on this topic; three shards, so that a test is quick.
    fn flags(&self) -> Vec<&str> {
        let (brokers, topic) = (self.brokers.as_str(), self.setting.as_str());
        let own = ["log=kafka", topic, "data.shards=3", &self.publisher];
        let own = own.into_iter().flat_map(|setting| ["--set", setting]);
        own.chain(["--kafka-brokers", brokers]).collect()
    }

    /// Runs one of Kafka's own tools, with nothing to read.
    fn tool(&self, class: &str, arguments: &[&str]) {
        self.fed(class, arguments, Stdio::null());
    }

    fn fed(&self, class: &str, arguments: &[&str], input: Stdio) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local/kafka.sh");
        let mut command = std::process::Command::new(script);
        command.args(["tool", class, "--bootstrap-server", &self.brokers]).args(arguments).stdin(input);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    }

    pub(crate) async fn log(&self, what: &[&str]) -> Output {
        run(&[&["log"], what, &self.flags()].concat()).await
    }

    /// A role of its own process, with a data folder of its own; the first and the second address it tells.
    pub(crate) async fn role(&self, role: &str, data: &Path, database: &str) -> Gesta {
        self.role_with(role, data, database, &[]).await
    }

    /// The same with more in its environment.
    pub(crate) async fn role_with(
        &self,
        role: &str,
        data: &Path,
        database: &str,
        environment: &[(&str, &str)],
    ) -> Gesta {
        let fixed = [role, "--data-dir", data.to_str().unwrap(), "--ops-listen", "127.0.0.1:0"];
        let mut command = program(&[&fixed, &self.flags()[..]].concat());
        command.args(["--listen", "127.0.0.1:0", "--log-level", "info", "--log-format", "json"]);
        command.env("GESTA_POSTGRES_URL", database).envs(environment.iter().copied());
        let mut running = Running::start_by_errors(command);
        let (url, ops) = running
            .line("where it listens", |line| {
                let said = serde_json::from_str::<Value>(line).ok()?;
                let ops = said["ops"].as_str()?;
                Some((said["address"].as_str().unwrap_or(ops).to_owned(), ops.to_owned()))
            })
            .await;
        Gesta::at(running, &format!("http://{url}"), &format!("http://{ops}"))
    }
}

/// PLAT-1, PLAT-26: made by `gesta log init`, again and again; three roles apart; a query that waits for its command.
#[tokio::test(flavor = "multi_thread")]
async fn the_roles_run_apart_on_kafka() {
    let (topic, database) = (Topic::new(), Database::new().await);
    let refused = topic.log(&["check"]).await;
    let why = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(5), "{why}");
    assert!(why.contains("has no topic") && why.contains("gesta log init"), "{why}");
    for _ in 0..2 {
        let made = topic.log(&["init"]).await;
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let data = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let commands = topic.role("command-service", data[0].path(), &database.url()).await;
    let projectors = topic.role("projectors", data[1].path(), &database.url()).await;
    let queries = topic.role("query-api", data[2].path(), &database.url()).await;
    commands.ready(true).await;
    let (status, created) = commands.command("tasks", json!({ "type": "note", "title": "apart" })).await;
    assert_eq!(status, 201, "{created}");
    projectors.ready(true).await;
    queries.ready(true).await;
    let (id, position) = (created["aggregateId"].as_str().unwrap(), created["position"].as_str().unwrap());
    let query = format!("{{ task(id: \"{id}\", atLeast: \"{position}\") {{ title }} }}");
    let title = until("the task", || async {
        queries.query(&query).await["task"]["title"].take().as_str().map(str::to_owned)
    });
    assert_eq!(title.await, "apart");

    let shown = topic.log(&["show", "--output", "json"]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let ends: Vec<_> =
        shown["shards"].as_array().unwrap().iter().map(|shard| shard["end"].as_u64()).collect();
    assert_eq!(ends.iter().flatten().sum::<u64>(), 7, "three of GENESIS, three claims, one commit: {shown}");
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(b"of somebody else\n").unwrap();
    input.rewind().unwrap();
    topic.fed("org.apache.kafka.tools.ConsoleProducer", &["--topic", topic.name()], input.into());
    let void = topic.log(&["show", "--void", "--output", "json"]).await;
    let void: Value = serde_json::from_slice(&void.stdout).unwrap();
    assert_eq!((void.as_array().unwrap().len(), &void[0]["bytes"]), (1, &json!(16)), "{void}");
    assert!(void[0]["kind"].is_null() && void[0]["wanted"].is_string(), "{void}");
    until("its count", async || {
        let metrics = commands.ops("/metrics").await.1;
        let shard = format!("gesta_log_void_records_total{{shard=\"{}\"}} 1", void[0]["shard"]);
        metrics.contains(&shard).then_some(())
    })
    .await;
    let checked = topic.log(&["check"]).await;
    assert!(text(&checked.stdout).contains("the log is whole"), "{}", text(&checked.stderr));
    for role in [commands, projectors, queries] {
        assert_eq!(role.stop().await, Some(0));
    }
}

/// PLAT-1: a process of another deployment is refused by name.
#[tokio::test(flavor = "multi_thread")]
async fn another_deployment_is_refused_by_name() {
    let (topic, data) = (Topic::new(), tempfile::tempdir().unwrap());
    assert!(topic.log(&["init"]).await.status.success());
    let dir = data.path().to_str().unwrap();
    let other = ["--set", "data.deployment=other", "--data-dir", dir, "--ops-listen", "127.0.0.1:0"];
    let refused = run(&[&["command-service"], &other[..], &topic.flags()].concat()).await;
    let why = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(8), "{why}");
    assert!(why.contains("deployment of the log is dev, but other is configured"), "{why}");
}

/// PLAT-26: brokers that are away at the start are waited for, and `/readyz` says so.
#[tokio::test(flavor = "multi_thread")]
async fn brokers_missing_at_the_start_are_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ops = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (dir, brokers) = (data.path().to_str().unwrap(), free.to_string());
    let flags = ["command-service", "--set", "log=kafka", "--kafka-brokers", &brokers, "--data-dir", dir];
    let running = Running::start(program(&[&flags[..], &["--ops-listen", &ops]].concat()));
    let gesta = Gesta::at(running, "http://127.0.0.1:1", &format!("http://{ops}"));
    let reason = until("the reason", || async {
        let parts = gesta.parts().await?;
        parts["log"]["reason"].as_str().filter(|reason| reason.contains("brokers run")).map(str::to_owned)
    });
    assert!(reason.await.contains(&brokers), "it names the brokers");
    assert_eq!(gesta.stop().await, Some(0), "a signal ends the wait");
}

/// PLAT-1: the log's topic and the public ones are made together and compared whenever asked; each setting that
/// differs is refused by its name. A public topic that is gone is not made beside a log that has records: the
/// publisher would not know that it owes it everything.
#[tokio::test(flavor = "multi_thread")]
async fn topics_of_other_settings_are_refused_by_name() {
    let prefix = format!("gesta.program.{}", uuid::Uuid::new_v4().simple());
    let topic = Topic::published_as(&prefix);
    assert!(topic.log(&["init"]).await.status.success());
    let (work, fleet) = (format!("{prefix}.work.events"), format!("{prefix}.fleet.events"));
    let missing = async || {
        let checked = topic.log(&["check", "--output", "json"]).await;
        let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
        checked["missingTopics"].clone()
    };
    assert_eq!(missing().await, json!([]));
    for (name, setting, value, whole) in [
        (topic.name(), "retention.ms", "60000", "-1"),
        (work.as_str(), "cleanup.policy", "compact", "delete"),
        (fleet.as_str(), "max.message.bytes", "1000", "1048588"),
    ] {
        let alter = |how: &str, what: &str| {
            let entity = ["--entity-type", "topics", "--entity-name", name, "--alter", how, what];
            topic.tool("kafka.admin.ConfigCommand", &entity);
        };
        alter("--add-config", &format!("{setting}={value}"));
        for verb in ["check", "init"] {
            // A changed setting shows up a moment later.
            let refused = until("the refusal", async || {
                let done = topic.log(&[verb]).await;
                (!done.status.success()).then_some(done)
            });
            let refused = refused.await;
            let why = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(5), "{why}");
            let named = format!("topic {name}: {setting} is {value}, but must be {whole}");
            assert!(why.contains(&named) && why.contains("kafka-configs"), "{why}");
        }
        alter("--add-config", &format!("{setting}={whole}"));
        until("what it was", async || topic.log(&["check"]).await.status.success().then_some(())).await;
    }
    let flags = [&["log", "check"], &topic.flags()[..], &["--set", "publisher.partitions=9"]].concat();
    let why = text(&run(&flags).await.stderr);
    assert!(why.contains(&format!("topic {work}: partitions is 8, but must be 9")), "{why}");

    let data = tempfile::tempdir().unwrap();
    let commands = topic.role("command-service", data.path(), "postgres://none").await;
    commands.ready(true).await;
    assert_eq!(commands.stop().await, Some(0));
    topic.tool("org.apache.kafka.tools.TopicCommand", &["--delete", "--topic", &work]);
    until("its end", async || (missing().await == json!([work])).then_some(())).await;
    let told = topic.log(&["init"]).await;
    assert!(
        told.status.success() && text(&told.stdout).contains(&format!("public topic {work} is not there"))
    );
    assert_eq!(missing().await, json!([work]));
}

/// PLAT-1: a second deployment on the public topics of another one is refused, whether it is made or runs.
#[tokio::test(flavor = "multi_thread")]
async fn another_deployments_public_topics_are_refused() {
    let prefix = format!("gesta.program.{}", uuid::Uuid::new_v4().simple());
    let (topic, database) = (Topic::published_as(&prefix), Database::new().await);
    assert!(topic.log(&["init"]).await.status.success());
    let data = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let commands = topic.role("command-service", data[0].path(), &database.url()).await;
    let projectors = topic.role("projectors", data[1].path(), &database.url()).await;
    commands.ready(true).await;
    let (second, other) = (Topic::published_as(&prefix), Database::new().await);
    assert!(second.log(&["init"]).await.status.success(), "nothing was published yet");
    let (status, created) = commands.command("tasks", json!({ "type": "note", "title": "one" })).await;
    assert_eq!(status, 201, "{created}");
    let refused = until("the refusal", async || {
        let done = second.log(&["check"]).await;
        (!done.status.success()).then_some(done)
    });
    let refused = refused.await;
    let why = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(8), "{why}");
    assert!(why.contains("was not published from log") && why.contains("publisher.prefix"), "{why}");
    let late = second.role("projectors", data[2].path(), &other.url()).await;
    let reason = until("what it says", async || {
        let parts = late.parts().await?;
        let reason = parts["projections"]["reason"].as_str()?.to_owned();
        reason.contains("was not published from log").then_some(reason)
    });
    assert!(reason.await.contains(&format!("{prefix}.work.events")));
    assert!(topic.log(&["check"]).await.status.success(), "the first is not disturbed");
    for role in [commands, projectors, late] {
        assert_eq!(role.stop().await, Some(0));
    }
}

//! Reading the topics without any code of Gesta.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::deployment::{Deployment, Read, ids, repeats};
use crate::architecture::sources::root;
use crate::support::api::Api;

/// A little of everything: tasks that are worked on, an agent.
async fn history(api: &Api) {
    for queue in ["one", "two", "three"] {
        let held = api.running(queue, json!({ "description": "for Ada" })).await;
        api.hold(&held, "complete", json!({ "result": { "lines": 3 } })).await;
    }
    api.done("agents", json!({ "kind": "executor", "model": "none", "label": "Ada", "task": "help Ada" }))
        .await;
}

/// What stands in the log, by event id: its attributes as text, and its payload with personal fields withheld.
async fn logged(api: &Api) -> BTreeMap<String, (BTreeMap<String, String>, Value)> {
    let (status, text) = api.ops(&format!("/events?tenant={}", api.tenant)).await;
    assert_eq!(status, 200, "{text}");
    let event = |line: &str| {
        let mut event: Map<String, Value> = serde_json::from_str(line).expect("a line of JSON");
        event.remove("resumetoken");
        let data = event.remove("data").expect("a payload");
        let attributes = texts(&event);
        let shown = without_personal(&attributes["type"], data);
        (attributes["id"].clone(), (attributes, shown))
    };
    text.lines().map(event).collect()
}

fn texts(attributes: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    attributes.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Replaces what the published schema of the event type marks as personal.
fn without_personal(kind: &str, mut data: Value) -> Value {
    let path = root().join(format!("schemas/json/events/{kind}.json"));
    let schema = std::fs::read_to_string(path).expect("every event type has a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    for (name, field) in data.as_object_mut().expect("a payload is an object") {
        if schema["properties"][name]["x-personal"] == true && !field.is_null() {
            *field = json!("[withheld]");
        }
    }
    data
}

/// BUS-111, PLAT-7: a Python client, kcat, Java's console consumer and two `CloudEvents` SDKs read every event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_know_nothing_of_gesta_read_every_event() {
    let deployment = Deployment::new().await;
    let gesta = deployment.start().await;
    let api = gesta.api();
    history(&api).await;
    let python = deployment.complete(&api).await;
    let expected = logged(&api).await;
    let [work, fleet] = deployment.topics();
    for (reader, records) in [("Python", &python), ("JavaScript", &deployment.javascript())] {
        assert_eq!(repeats(records), 0, "{reader}: nothing failed, nothing comes again");
        assert_eq!(records.len(), expected.len(), "{reader}");
        for record in records {
            let (attributes, data) = &expected[record.text("id")];
            assert_eq!(&texts(&record.attributes), attributes, "{reader}");
            assert_eq!(&record.data, data, "{reader}");
            assert_eq!(record.key, record.text("partitionkey"), "{reader}");
            let context = if record.text("type").starts_with("gesta.work.") { &work } else { &fleet };
            assert_eq!(&record.topic, context, "{reader}");
        }
    }
    let texts = format!("{python:?}");
    assert!(texts.contains("[withheld]") && !texts.contains("Ada"), "personal texts stay inside");
    in_java(&deployment, &work, &python);
    let told = api.ask(None, "{ projections { name state eventsApplied } }", json!({})).await;
    let told = told.body["data"]["projections"].as_array().unwrap().clone();
    let own = told.iter().find(|projection| projection["name"] == "publisher");
    let applied = json!({ "name": "publisher", "state": "running", "eventsApplied": expected.len() });
    assert_eq!(own, Some(&applied));
}

/// Java's console consumer reads the same records, and Java's partitioner puts their keys in the same partitions.
fn in_java(deployment: &Deployment, topic: &str, records: &[Read]) {
    let own: Vec<&Read> = records.iter().filter(|record| record.topic == topic).collect();
    let count = own.len().to_string();
    let mut arguments = vec!["--topic", topic, "--from-beginning", "--max-messages", &count];
    for property in ["print.headers=true", "print.key=true", "print.partition=true"] {
        arguments.extend(["--formatter-property", property]);
    }
    let shown = deployment.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "");
    let keys: String = own.iter().map(|record| format!("{}\tx\n", record.key)).collect();
    let java = format!("{}.java", deployment.name);
    deployment.make(&java);
    let arguments = ["--topic", &java, "--reader-property", "parse.key=true"];
    deployment.tool("org.apache.kafka.tools.ConsoleProducer", &arguments, &keys);
    let placed = deployment.kcat(&java, &["-f", "%k %p\n"]);
    for record in own {
        let line = shown.lines().find(|line| line.contains(&format!("ce_id:{}", record.text("id"))));
        let line = line.unwrap_or_else(|| panic!("Java does not show {record:#?}:\n{shown}"));
        assert!(line.starts_with(&format!("Partition:{}\t", record.partition)), "{line}");
        assert!(line.contains(&format!("\t{}\t{{", record.key)), "{line}");
        assert!(placed.contains(&format!("{} {}\n", record.key, record.partition)), "{placed}\n{record:#?}");
    }
    deployment.delete(&[java]);
}

/// PLAT-1, M-8: a record that does not count in the log is no event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn void_records_are_never_published() {
    let deployment = Deployment::new().await;
    let gesta = deployment.start().await;
    let api = gesta.api();
    api.create("void", json!({})).await;
    deployment.complete(&api).await;
    let log = deployment.log();
    let stored = deployment.kcat(&log, &["-f", "%p %s\n"]);
    let record = stored.lines().find(|line| line.contains("gesta.work.task.created.v1"));
    let (shard, commit) = record.and_then(|line| line.split_once(' ')).expect("the commit of the task");
    // What a foreign writer might append: a commit like ours, of versions that nobody wrote.
    let foreign =
        commit.replace("\"version\":1", "\"version\":91").replace("\"version\":2", "\"version\":92");
    assert_ne!(foreign, commit);
    let mut producer = std::process::Command::new("kcat");
    producer.args(["-b", &deployment.brokers, "-t", &log, "-P", "-p", shard]);
    super::deployment::fed(producer, &format!("{foreign}\n"));
    for _ in 0..4 {
        api.create("void", json!({})).await;
    }
    let records = deployment.complete(&api).await;
    assert!(deployment.kcat(&log, &["-f", "%s\n"]).contains("\"version\":91"), "it stands in the log");
    assert_eq!((records.len(), ids(&records).len(), repeats(&records)), (10, 10, 0));
}

//! A deployment with a log and public topics of its own on the suite's Kafka, and the programs that read them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::consumers;
use crate::architecture::sources::root;
use crate::support::api::Api;
use crate::support::database::Database;
use crate::support::eventually::eventually;
use crate::support::gesta::{Gesta, executable, free_address};

/// Partitions of each public topic.
const PARTITIONS: &str = "8";

pub(super) struct Deployment {
    pub(super) brokers: String,
    pub(super) name: String,
    pub(super) database: Database,
    data: TempDir,
}

impl Deployment {
    /// Makes the log.
    pub(super) async fn new() -> Self {
        let brokers = std::env::var("GESTA_KAFKA_BROKERS").expect(
            "GESTA_KAFKA_BROKERS names no brokers: make test starts some; by hand: export \
             GESTA_KAFKA_BROKERS=$(infra/local/kafka.sh start NAME)",
        );
        let name = format!("gesta-{}", uuid::Uuid::new_v4().simple());
        let data = tempfile::tempdir().expect("a temporary folder");
        let deployment = Self { brokers, name, database: Database::create().await, data };
        output(deployment.program(&["log", "init"]));
        deployment
    }

    /// The executable with the settings of this deployment.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable());
        command.args(arguments).stdin(Stdio::null()).env("GESTA_KAFKA_BROKERS", &self.brokers);
        command.env("GESTA_POSTGRES_URL", &self.database.url);
        let settings = [
            ("GESTA__LOG", "kafka"),
            ("GESTA__KAFKA__TOPIC", &self.log()),
            ("GESTA__DATA__SHARDS", "3"),
            ("GESTA__PUBLISHER__PREFIX", &self.name),
        ];
        command.envs(settings);
        command
    }

    /// The topic of the log.
    pub(super) fn log(&self) -> String {
        format!("{}.log", self.name)
    }

    /// The public topics.
    pub(super) fn topics(&self) -> [String; 2] {
        ["work", "fleet"].map(|context| format!("{}.{context}.events", self.name))
    }

    /// Starts everything in one process and waits until it is ready.
    pub(super) async fn start(&self) -> Gesta {
        let (listen, ops) = (free_address(), free_address());
        let folder = self.data.path().join("first");
        let command = self.program(&[]);
        let mut gesta = Gesta::launch(command, &folder, &self.database.url, listen, ops);
        gesta.wait_for("/readyz", |status, _| status == 200).await;
        gesta
    }

    /// Starts a second process that projects and publishes.
    pub(super) fn projectors(&self) -> Projectors {
        let mut command = self.program(&["projectors", "--ops-listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(self.data.path().join("second")).stderr(Stdio::null());
        Projectors(command.spawn().expect("the executable starts"))
    }

    /// Every record of the public topics, by a Kafka client and the `CloudEvents` SDK for Python.
    pub(super) fn python(&self) -> Vec<Read> {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", consumers("python"));
        command.arg(root().join("tests/consumers/python/read.py")).arg(&self.brokers).args(self.topics());
        read(&output(command))
    }

    /// Every record of a topic as kcat prints it with `options`.
    pub(super) fn kcat(&self, topic: &str, options: &[&str]) -> String {
        let mut command = Command::new("kcat");
        command.args(["-b", &self.brokers, "-t", topic, "-C", "-q", "-e", "-o", "beginning"]).args(options);
        output(command)
    }

    /// Every record of the public topics, by kcat and the `CloudEvents` SDK for JavaScript.
    pub(super) fn javascript(&self) -> Vec<Read> {
        let records: String = self.topics().iter().map(|topic| self.kcat(topic, &["-J"])).collect();
        // Node looks for packages beside the script.
        let script = consumers("node").join(format!("{}-read.mjs", self.name));
        std::fs::copy(root().join("tests/consumers/node/read.mjs"), &script).expect("the script is there");
        let mut command = Command::new("node");
        command.arg(&script);
        let read = read(&fed(command, &records));
        std::fs::remove_file(&script).expect("the copy is there");
        read
    }

    /// Runs one of Kafka's own tools with `input`.
    pub(super) fn tool(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(root().join("infra/local/kafka.sh"));
        command.args(["tool", class, "--bootstrap-server", &self.brokers]).args(arguments);
        fed(command, input)
    }

    /// Makes a topic with as many partitions as the public ones.
    pub(super) fn make(&self, topic: &str) {
        let arguments =
            ["--create", "--topic", topic, "--partitions", PARTITIONS, "--replication-factor", "1"];
        self.tool("org.apache.kafka.tools.TopicCommand", &arguments, "");
    }

    /// Deletes topics and waits until they are gone.
    pub(super) fn delete(&self, topics: &[String]) {
        for topic in topics {
            self.tool("org.apache.kafka.tools.TopicCommand", &["--delete", "--topic", topic], "");
        }
    }

    /// The records of the public topics, once they hold every event of the log that `api` sees.
    pub(super) async fn complete(&self, api: &Api) -> Vec<Read> {
        let expected: BTreeSet<String> = api.events().await.into_iter().map(|event| event.id).collect();
        let all = |records: &Vec<Read>| expected.is_subset(&ids(records));
        eventually("every event on the public topics", async || self.python(), all).await
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.delete(&self.topics());
            self.delete(&[self.log()]);
        }
    }
}

/// A process that projects, killed when it is dropped.
pub(super) struct Projectors(Child);

impl Drop for Projectors {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A record as a program read it that knows nothing of Gesta.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Read {
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) key: String,
    /// Attributes of the event.
    pub(super) attributes: Map<String, Value>,
    pub(super) data: Value,
}

impl Read {
    /// An attribute.
    pub(super) fn text(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name}: {self:#?}"))
    }
}

/// The ids of the events.
pub(super) fn ids(records: &[Read]) -> BTreeSet<String> {
    records.iter().map(|record| record.text("id").to_owned()).collect()
}

/// Asserts that per key every version comes once, in order and without gap, after repeats are dropped; returns
/// how many records were repeats.
pub(super) fn repeats(records: &[Read]) -> usize {
    let mut ordered: Vec<&Read> = records.iter().collect();
    ordered.sort_by_key(|record| (&record.topic, record.partition, record.offset));
    let mut seen = BTreeSet::new();
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for record in &ordered {
        if !seen.insert(record.text("id")) {
            continue;
        }
        let version: u64 = record.text("aggregateversion").parse().expect("a number");
        let last = versions.insert(&record.key, version).unwrap_or(0);
        assert_eq!(version, last + 1, "{} out of order: {record:#?}", record.key);
    }
    ordered.len() - seen.len()
}

fn read(lines: &str) -> Vec<Read> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// What a program that must succeed writes.
fn output(command: Command) -> String {
    fed(command, "")
}

/// The same with standard input.
pub(super) fn fed(mut command: Command, input: &str) -> String {
    let name = PathBuf::from(command.get_program());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", name.display()));
    let (mut stdin, input) = (child.stdin.take().expect("it is piped"), input.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("a child can be waited for");
    writer.join().expect("the writer does not panic").expect("the program reads its input");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} ended with {}: {error}", name.display(), output.status);
    String::from_utf8(output.stdout).expect("it writes UTF-8")
}

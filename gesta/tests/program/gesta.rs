//! Starting the program, speaking to it, waiting for what must come.

use std::future::Future;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// Longest wait for something that must come; reaching it is a failure, never a result.
const DEADLINE: Duration = Duration::from_secs(60);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The program, without what the environment of the test would tell it.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gesta"));
    let own = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("GESTA_"));
    own.for_each(|name| {
        command.env_remove(name);
    });
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub(crate) async fn ended(command: &mut Command) -> Output {
    tokio::time::timeout(DEADLINE, command.output())
        .await
        .expect("the program ends")
        .expect("the program starts")
}

/// Runs the program with these arguments to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    ended(&mut program(arguments)).await
}

/// What an ended program wrote.
pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Waits until `look` finds something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let found = async {
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, found)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come within {DEADLINE:?}"))
}

/// The lines of a program, taken as they come, lest it wait for somebody to read them.
fn lines(output: impl AsyncRead + Send + Unpin + 'static) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            // Whoever does not ask for more lines wants none.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A running program that writes lines.
pub(crate) struct Running {
    pub(crate) process: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let lines = lines(process.stdout.take().expect("it is piped"));
        Self { process, lines }
    }

    /// The same for one that says on standard error what is of interest.
    pub(crate) fn start_by_errors(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = lines(process.stderr.take().expect("it is piped"));
        Self { process, lines }
    }

    /// The next line for which `wanted` finds something.
    pub(crate) async fn line<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        let found = async {
            while let Some(line) = self.lines.recv().await {
                if let Some(found) = wanted(&line) {
                    return found;
                }
            }
            panic!("the program ended without saying {what}");
        };
        tokio::time::timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("nothing said {what}"))
    }

    /// The next line of a worker that tells this.
    pub(crate) async fn says(&mut self, what: &str) -> Value {
        self.line(what, |line| serde_json::from_str::<Value>(line).ok().filter(|line| line["what"] == what))
            .await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs");
        kill_process(id, signal).expect("it can be signalled");
    }

    /// Waits for the end and gives the exit code.
    pub(crate) async fn end(mut self) -> Option<i32> {
        let ended = tokio::time::timeout(DEADLINE, self.process.wait()).await;
        ended.expect("the program ends").expect("it can be waited for").code()
    }
}

/// A running `gesta dev`.
pub(crate) struct Gesta {
    pub(crate) running: Running,
    pub(crate) url: String,
    pub(crate) ops: String,
    http: reqwest::Client,
}

impl Gesta {
    /// Starts it on free ports, with a database.
    pub(crate) async fn start(data: &Path, database: &str) -> Self {
        let data = data.to_str().unwrap();
        let arguments = ["dev", "--data-dir", data, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
        let mut command = program(&arguments);
        command.env("GESTA_POSTGRES_URL", database).env("GESTA_LOG_LEVEL", "warn");
        let mut running = Running::start(command);
        let urls = |line: &str| {
            let mut urls = line.split_whitespace().filter(|word| word.starts_with("http://"));
            Some((urls.next()?.to_owned(), urls.next()?.to_owned()))
        };
        let (url, ops) = running.line("its addresses", urls).await;
        let (url, ops) = (url.trim_end_matches('/').to_owned(), ops.trim_end_matches("/readyz").to_owned());
        Self::at(running, &url, &ops)
    }

    /// One that runs already.
    pub(crate) fn at(running: Running, url: &str, ops: &str) -> Self {
        Self { running, url: url.to_owned(), ops: ops.to_owned(), http: client() }
    }

    /// The parts of `/readyz`, if it answers.
    pub(crate) async fn parts(&self) -> Option<Value> {
        let answer = self.http.get(format!("{}/readyz", self.ops)).send().await.ok()?;
        Some(answer.json::<Value>().await.ok()?["parts"].take())
    }

    /// Sends a command; its status and answer.
    pub(crate) async fn command(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self
            .http
            .post(format!("{}/api/v1/{path}", self.url))
            .json(&body)
            .send()
            .await
            .expect("it answers");
        (response.status().as_u16(), response.json().await.expect("it answers in JSON"))
    }

    /// Creates a task and gives its id.
    pub(crate) async fn task(&self, body: Value) -> String {
        let (status, answer) = self.command("tasks", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["aggregateId"].as_str().unwrap().to_owned()
    }

    /// Asks a query; its data.
    pub(crate) async fn query(&self, query: &str) -> Value {
        let asked =
            self.http.post(format!("{}/graphql", self.url)).json(&json!({ "query": query })).send().await;
        asked.expect("it answers").json::<Value>().await.expect("it answers in JSON")["data"].take()
    }

    /// Waits until a task has this state, and gives it with its leases.
    pub(crate) async fn task_in(&self, id: &str, state: &str) -> Value {
        self.task_when(id, state, |task| task["state"] == state).await
    }

    /// Waits until a task shows what is wanted, and gives it with its leases.
    pub(crate) async fn task_when(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let leases = "attempts(first: 5) { fencingToken worker outcome renewals }";
        let query =
            format!("{{ task(id: \"{id}\") {{ state result worker failure {{ reason }} {leases} }} }}");
        until(&format!("task {id} {what}"), || async {
            let task = self.query(&query).await["task"].take();
            wanted(&task).then_some(task)
        })
        .await
    }

    /// `GET` on the second port; status and body.
    pub(crate) async fn ops(&self, path: &str) -> (u16, String) {
        let response = self.http.get(format!("{}{path}", self.ops)).send().await.expect("it answers");
        (response.status().as_u16(), response.text().await.expect("it answers"))
    }

    /// Waits until `/readyz` has this status, and gives its parts.
    pub(crate) async fn ready(&self, ready: bool) -> Value {
        until(&format!("readiness {ready}"), || async {
            let (status, body) = self.ops("/readyz").await;
            ((status == 200) == ready).then(|| serde_json::from_str::<Value>(&body).unwrap()["parts"].take())
        })
        .await
    }

    /// Starts a worker that tells what it does.
    pub(crate) fn worker(&self, queue: &str, more: &[&str]) -> Running {
        let fixed = ["worker", "--url", &self.url, "--queues", queue, "--output", "ndjson", "--wait", "1s"];
        let mut command = program(&[&fixed, more].concat());
        command.env("GESTA_LOG_LEVEL", "warn");
        Running::start(command)
    }

    /// Ends it as an operator does, and gives the exit code.
    pub(crate) async fn stop(self) -> Option<i32> {
        self.running.signal(Signal::TERM);
        self.running.end().await
    }
}

fn client() -> reqwest::Client {
    // Several tests of this process do it; the first one wins, all mean the same.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::new()
}

/// A folder with text files, and an inventory task over it that takes about `files / rate` seconds.
pub(crate) fn slow_inventory(folder: &Path, files: usize, rate: u32) -> Value {
    for file in 0..files {
        std::fs::write(folder.join(format!("{file:03}.txt")), "one\ntwo\n").unwrap();
    }
    json!({
        "queue": "slow",
        "type": "inventory",
        "title": "a slow inventory",
        "payload": { "repo": folder, "files": files, "maxFilesPerSecond": rate },
        "policy": { "leaseMs": 4000, "backoffBaseMs": 0 },
    })
}

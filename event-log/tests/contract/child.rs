//! A log in a process of its own, driven line by line, so that it can be killed, traced or starved.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use event_log::{Log, Ownership};

use super::support::{commits, options, record};

const DIR: &str = "GESTA_TEST_LOG_DIR";
/// Marks the child's answers among what the test harness prints.
const ANSWER: &str = "answer: ";

/// The parent's side.
pub(crate) struct Driver {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Driver {
    /// Starts a child on `dir`, as the last arguments of `wrapper` (for example `strace …`).
    pub(crate) fn start(dir: &Path, wrapper: &[&str]) -> Self {
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", "contract::child::child", "--ignored", "--nocapture"];
        let mut command = match wrapper.split_first() {
            None => Command::new(&program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&program);
                command
            }
        };
        command
            .args(arguments)
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let missing = |error| {
            panic!("{wrapper:?} cannot be started: {error}. On Debian: apt install strace util-linux")
        };
        let mut process = command.spawn().unwrap_or_else(missing);
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    /// Sends a line and waits for the answer.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.answer().unwrap_or_else(|| panic!("the child ended at {line:?}"))
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// The next answer; none when the child has ended.
    pub(crate) fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness writes `test … ... ` before the first answer, without a line end.
            if let Some((_, answer)) = line.trim_end().split_once(ANSWER) {
                return Some(answer.to_owned());
            }
        }
    }

    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Lets the child end as a crash would: nothing is closed.
    pub(crate) fn die(mut self) {
        self.tell("die");
        self.process.wait().unwrap();
    }
}

/// Numbers of the commits in an answer to `read`.
pub(crate) fn parse(answer: &str) -> Vec<u64> {
    answer.split(' ').filter(|word| !word.is_empty()).map(|word| word.parse().unwrap()).collect()
}

/// The child's side: not a test, but the program that [`Driver`] starts.
#[test]
#[ignore = "started by other tests"]
fn child() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(serve(&dir));
}

async fn serve(dir: &Path) {
    let mut log = Log::open(options(dir)).unwrap();
    let mut owner = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match word {
            "claim" => match log.claim(0, "").await {
                Ok(claimed) => {
                    owner = Some(claimed.ownership);
                    "ok".to_owned()
                }
                Err(error) => format!("failed: {error}"),
            },
            "append" => append(&log, owner.as_mut().unwrap(), rest.parse().unwrap()).await,
            "flood" => {
                flood(&log, owner.as_mut().unwrap()).await;
                continue;
            }
            "read" => commits(&log, 0).await.iter().map(|n| format!("{n} ")).collect(),
            "ballast" => format!("{:?}", std::fs::write(dir.join("ballast"), vec![1; rest.parse().unwrap()])),
            "free" => format!("{:?}", std::fs::remove_file(dir.join("ballast"))),
            "reopen" => {
                drop(log);
                log = Log::open(options(dir)).unwrap();
                "ok".to_owned()
            }
            "die" => std::process::exit(0),
            other => panic!("{other:?} is not understood"),
        };
        say(&answer);
    }
}

fn say(answer: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{ANSWER}{answer}").and_then(|()| output.flush()).unwrap();
}

/// `ok <milliseconds>`, or `failed: <why>`.
async fn append(log: &Log, owner: &mut Ownership, n: u64) -> String {
    let started = Instant::now();
    let seq = owner.next_seq();
    let record = record(owner, n);
    let appended = log.append(0, vec![record]).await;
    match appended {
        Ok(offsets) => match owner.report(seq, offsets.first().copied()) {
            Ok(()) => format!("ok {}", started.elapsed().as_millis()),
            Err(broken) => format!("failed: {broken}"),
        },
        Err(error) => {
            let _ = owner.report(seq, None);
            format!("failed: {error}")
        }
    }
}

/// Appends and acknowledges 1, 2, 3, … (after what is there) until it is killed.
async fn flood(log: &Log, owner: &mut Ownership) {
    let first = commits(log, 0).await.last().map_or(1, |last| last + 1);
    for n in first.. {
        assert!(append(log, owner, n).await.starts_with("ok"));
        say(&n.to_string());
    }
}

//! docs/writing-a-worker.md shows a worker that works.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::database::Database;
use crate::gesta::Gesta;

/// Longest worker that the page may show, in lines.
const MAX_LINES: usize = 40;

/// The page's first block of Python.
fn shown() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-a-worker.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let (_, rest) = page.split_once("```python\n").expect("the page shows Python");
    rest.split_once("```").expect("the block ends").0.to_owned()
}

/// TASK-10
#[tokio::test(flavor = "multi_thread")]
async fn the_worker_of_the_page_does_a_task() {
    let program = shown();
    assert!(program.lines().count() <= MAX_LINES, "{} lines", program.lines().count());
    let (data, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let file = data.path().join("worker.py");
    std::fs::write(&file, program).unwrap();
    let mut worker = Command::new("python3");
    worker.arg(&file).env("GESTA_URL", &gesta.url).stdin(Stdio::null()).kill_on_drop(true);
    let mut worker = worker.spawn().expect("python3 is there (`make test` names it as a prerequisite)");

    let good =
        json!({ "queue": "greetings", "type": "greet", "title": "greet Ada", "payload": { "name": "Ada" } });
    let good = gesta.task(good).await;
    let task = gesta.task_in(&good, "SUCCEEDED").await;
    assert_eq!(task["result"]["greeting"], "hello, Ada");
    assert_eq!(task["worker"], "greeter");

    let bad = json!({ "queue": "greetings", "type": "greet", "title": "greet nobody", "payload": {}, "policy": { "maxAttempts": 1 } });
    let bad = gesta.task(bad).await;
    assert_eq!(gesta.task_in(&bad, "FAILED").await["failure"]["reason"], "KeyError");
    worker.kill().await.unwrap();
    assert_eq!(gesta.stop().await, Some(0));
}

//! The main job, as `make run ONCE=1` runs it.

use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use crate::database::Database;
use crate::gesta::{Gesta, ended, program, text};

/// The demo on free ports, which ends with the job.
fn once(data: &Path, repo: &Path) -> Command {
    let mut command =
        program(&["dev", "--demo", "--once", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
    command.arg("--repo").arg(repo).arg("--data-dir").arg(data);
    command
}

/// TASK-12, TASK-10
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_counts_the_repository_though_a_worker_is_killed() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    for file in 0..40 {
        std::fs::write(repo.path().join(format!("{file:02}.rs")), "fn one() {}\n\n").unwrap();
    }
    std::fs::write(repo.path().join(".gitignore"), "ignored\n").unwrap();
    std::fs::write(repo.path().join("ignored"), "not counted").unwrap();
    let shown = ended(once(data.path(), repo.path()).env("GESTA_POSTGRES_URL", database.url())).await;
    let lines = text(&shown.stdout);
    assert_eq!(shown.status.code(), Some(0), "{lines}\n{}", text(&shown.stderr));
    assert!(lines.contains("41 files, 81 lines"), "{lines}");
    let row = |words: &[&str]| lines.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(row(&["rust", "40", "80"]), "{lines}");
    assert!(
        lines.contains("on purpose") && row(&["worker-1"]) && row(&["worker-2"]) && row(&["worker-3"]),
        "{lines}"
    );
    assert!(lines.contains("24 of 24 tasks done"), "{lines}");
    assert!(lines.contains("curl -s http://127.0.0.1:"), "{lines}");
}

/// A database that shows another log would show nothing of the job: that is said instead of waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_log_is_named_with_what_to_do() {
    let (first, other, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let gesta = Gesta::start(first.path(), &database.url()).await;
    let id = gesta.task(json!({ "type": "note", "title": "of the first log" })).await;
    gesta.task_in(&id, "QUEUED").await;
    assert_eq!(gesta.stop().await, Some(0));
    let mut command = once(other.path(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let failed = ended(command.env("GESTA_POSTGRES_URL", database.url())).await;
    let words = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{words}");
    assert!(words.contains("of another log") && words.contains("make reset"), "{words}");
    assert!(words.contains("GESTA_POSTGRES_URL") && words.contains("--data-dir"), "{words}");
    // Every shard says it once, not every projection of every shard.
    assert_eq!(words.matches("projections stopped").count(), 8, "{words}");
}

/// Before the first migration there is neither a table nor a role; nothing complains of that.
#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_start_says_nothing_that_needs_attention() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    std::fs::write(repo.path().join("one.rs"), "fn one() {}\n").unwrap();
    let shown = ended(once(data.path(), repo.path()).env("GESTA_POSTGRES_URL", database.url())).await;
    let words = text(&shown.stderr);
    assert_eq!(shown.status.code(), Some(0), "{words}");
    assert!(!words.contains("does not exist") && !words.contains("expected shape"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_none_is_named_and_everything_ends() {
    let data = tempfile::tempdir().unwrap();
    let failed = ended(&mut once(data.path(), Path::new("/nowhere/at/all"))).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stderr).contains("/nowhere/at/all"), "{}", text(&failed.stderr));
}

//! The main job, as `make run ONCE=1` runs it.

use crate::database::Database;
use crate::gesta::{ended, program, text};

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
    let (data, repo) = (data.path().to_str().unwrap(), repo.path().to_str().unwrap());
    let ports = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let mut command =
        program(&[&["dev", "--demo", "--once", "--repo", repo, "--data-dir", data][..], &ports].concat());
    let shown = ended(command.env("GESTA_POSTGRES_URL", database.url())).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_none_is_named_and_everything_ends() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let ports = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let arguments =
        [&["dev", "--demo", "--once", "--repo", "/nowhere/at/all", "--data-dir", data][..], &ports].concat();
    let failed = ended(&mut program(&arguments)).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stderr).contains("/nowhere/at/all"), "{}", text(&failed.stderr));
}

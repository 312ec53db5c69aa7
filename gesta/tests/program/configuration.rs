//! Mistakes are named with field, file or port, and each kind has its exit code.

use crate::gesta::{Running, ended, program, run, text};
use rustix::process::Signal;

#[tokio::test]
async fn an_unknown_key_and_an_impossible_value_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gesta.toml");
    std::fs::write(&file, "[data]\nshard = 3\n").unwrap();
    let refused = run(&["config", "check", "--config", file.to_str().unwrap()]).await;
    assert_eq!(refused.status.code(), Some(5));
    assert!(text(&refused.stderr).contains("shard"), "{}", text(&refused.stderr));

    let refused = ended(program(&["dev"]).env("GESTA__DATA__SHARDS", "0")).await;
    assert_eq!(refused.status.code(), Some(5));
    assert!(text(&refused.stderr).contains("data.shards = 0"), "{}", text(&refused.stderr));

    let refused = ended(program(&["config", "show"]).env("GESTA_POSTGRES_URL", "mysql://h/d")).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("postgres://"), "{}", text(&refused.stderr));
}

#[tokio::test]
async fn the_effective_configuration_is_shown_without_secrets() {
    let mut command = program(&["config", "show", "--set", "data.shards=16"]);
    let shown = ended(
        command.env("GESTA_POSTGRES_URL", "postgres://me:s3cret@h/d").env("GESTA__DATA__DEPLOYMENT", "prod"),
    )
    .await;
    let lines = text(&shown.stdout);
    assert_eq!(shown.status.code(), Some(0));
    assert!(lines.contains("data.shards = 16") && lines.contains("data.deployment = \"prod\""), "{lines}");
    assert!(lines.contains("***") && !lines.contains("s3cret"), "{lines}");
}

#[tokio::test]
async fn a_busy_asked_for_port_is_an_error_that_names_port_and_flag() {
    let holder = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let busy = holder.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for (flag, other) in [("--listen", "--ops-listen"), ("--ops-listen", "--listen")] {
        let refused = run(&["command-service", "--data-dir", data, flag, &busy, other, "127.0.0.1:0"]).await;
        let words = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(6), "{words}");
        assert!(
            words.contains(flag) && words.contains(&holder.local_addr().unwrap().port().to_string()),
            "{words}"
        );
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_a_stopped_one_leaves_them() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let arguments =
        ["command-service", "--data-dir", data, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let mut first = program(&arguments);
    first.stderr(std::process::Stdio::piped());
    let mut first = Running::start(first);
    let errors = first.process.stderr.take().expect("it is piped");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(errors));
    while !lines.next_line().await.unwrap().expect("it says that it runs").contains("commands are taken") {}
    for second in
        [&["dev", "--data-dir", data][..], &["log", "show", "--data", data], &["events", "--data", data]]
    {
        let refused = run(second).await;
        let words = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(7), "{words}");
        assert!(words.contains(data) && words.contains("in use by another process"), "{words}");
    }
    first.signal(Signal::TERM);
    assert_eq!(first.end().await, Some(0));
    let checked = run(&["log", "check", "--data", data]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("the log is whole"));
}

#[tokio::test]
async fn a_gesta_that_is_not_there_is_named_with_what_to_do() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    for arguments in [&["worker", "--patience", "100ms", "--url", &url][..], &["events", "--url", &url]] {
        let failed = run(arguments).await;
        let words = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(4), "{words}");
        assert!(words.contains(&free.port().to_string()) && words.contains("--url"), "{words}");
    }
}

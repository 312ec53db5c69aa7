//! Disks that are slow, fail or are full. Needs `strace` and `unshare`.

use std::fs;
use std::path::Path;

use event_log::Log;

use super::child::{Driver, parse};
use super::image::{copy, files, frame, read};
use super::support::options;

fn traced(inject: &str) -> [&str; 9] {
    ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", inject]
}

/// PLAT-1: nothing is acknowledged before its fdatasync has returned.
#[test]
fn no_answer_comes_before_the_fdatasync() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Driver::start(dir.path(), &traced("inject=fdatasync:delay_exit=300000"));
    assert_eq!(child.ask("claim"), "ok");
    for n in 1..=3 {
        let answer = child.ask(&format!("append {n}"));
        let millis: u64 = answer.strip_prefix("ok ").unwrap().parse().unwrap();
        assert!(millis >= 300, "append {n} was answered after {millis} ms, before the disk was");
    }
    child.die();
}

/// Claims until it is granted.
fn claim(child: &mut Driver) {
    assert!((0..20).any(|_| child.ask("claim") == "ok"), "no claim was granted");
}

/// PLAT-1: EIO on fdatasync, then a power cut: nothing of the round is acknowledged, the log
/// goes on in a new segment, and what was acknowledged before and after is there after the cut.
#[tokio::test]
async fn eio_on_fdatasync_then_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Driver::start(dir.path(), &traced("inject=fdatasync:error=EIO:when=4+7"));
    claim(&mut child);
    let (mut ok, mut failed) = (Vec::new(), Vec::new());
    for n in 1..=30 {
        let answer = child.ask(&format!("append {n}"));
        if answer.starts_with("ok") {
            ok.push(n);
        } else {
            assert!(answer.contains("did not confirm the batch"), "{answer}");
            failed.push(n);
            claim(&mut child);
        }
    }
    assert!(failed.len() >= 3 && ok.len() >= 10, "{ok:?} {failed:?}");
    let seen = parse(&child.ask("read"));
    let kept = |found: &[u64]| {
        let missing: Vec<_> = ok.iter().filter(|n| !found.contains(n)).collect();
        assert!(missing.is_empty(), "{missing:?} were acknowledged and are not in {found:?}");
        assert!(found.is_sorted_by(|a, b| a < b), "{found:?}");
    };
    kept(&seen);
    child.die();
    let segments =
        files(dir.path()).iter().filter(|path| path.extension().is_some_and(|e| e == "log")).count();
    assert!(
        segments > failed.len(),
        "after each failure the log goes on in a new segment, there are {segments}"
    );
    for lost in [false, true] {
        let cut = copy(dir.path());
        if lost {
            power_cut(cut.path(), *ok.last().unwrap());
        }
        let log = Log::open(options(cut.path())).unwrap();
        kept(&read(&log).await.unwrap()[0]);
    }
}

/// Leaves of the last segment what a power cut must leave: everything up to the last acknowledged commit.
fn power_cut(dir: &Path, last: u64) {
    let mut segments = files(dir).into_iter().filter(|path| path.extension().is_some_and(|e| e == "log"));
    let path = segments.next_back().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let text = format!("{{\"command\":{{\"id\":\"{last}\"");
    let first = 4_096;
    let end =
        if bytes.windows(text.len()).any(|w| w == text.as_bytes()) { frame(&bytes, last).end } else { first };
    bytes[end..].fill(0);
    fs::write(path, bytes).unwrap();
}

/// PLAT-1: while every fdatasync fails, nothing is acknowledged, and every answer says why.
#[test]
fn no_acknowledgement_from_a_dead_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Driver::start(dir.path(), &traced("inject=fdatasync:error=EIO:when=3+"));
    claim(&mut child);
    let answers: Vec<String> = (1..=10).map(|n| child.ask(&format!("append {n}"))).collect();
    let failed = answers.iter().skip_while(|answer| answer.starts_with("ok"));
    let failed: Vec<_> = failed.collect();
    assert!(failed.len() >= 8 && failed.iter().all(|answer| answer.starts_with("failed")), "{answers:?}");
    assert!(failed[0].contains("Input/output error"), "{answers:?}");
    assert!(child.ask("claim").starts_with("failed"));
    let logs = files(dir.path()).iter().filter(|path| path.extension().is_some_and(|e| e == "log")).count();
    assert!(logs <= 3, "{logs} segments: each failure left one");
    child.die();
}

/// PLAT-1: on a full disk nothing is acknowledged and the answer says so; when there is space again the
/// same process goes on, and everything acknowledged is there, also for the next process.
#[test]
fn a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mount = r#"mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@""#;
    let wrapper = ["unshare", "-rm", "sh", "-c", mount, dir.path().to_str().unwrap()];
    let mut child = Driver::start(dir.path(), &wrapper);
    claim(&mut child);
    let mut ok = Vec::new();
    let mut next = 1;
    for _ in 0..2 {
        assert!(child.ask("append 1000000").starts_with("ok") || next > 1);
        let _ = child.ask("ballast 3100000");
        let refused = loop {
            let answer = child.ask(&format!("append {next}"));
            next += 1;
            match answer.strip_prefix("ok") {
                Some(_) => ok.push(next - 1),
                None => break answer,
            }
        };
        assert!(refused.contains("the disk is full") && refused.contains("free some space"), "{refused}");
        for _ in 0..3 {
            assert!(child.ask("claim").contains("the disk is full"));
        }
        assert_eq!(child.ask("free"), "Ok(())");
        claim(&mut child);
        assert!(child.ask(&format!("append {next}")).starts_with("ok"), "the log goes on in this process");
        ok.push(next);
        next += 1;
        let found = parse(&child.ask("read"));
        assert!(ok.iter().all(|n| found.contains(n)), "{ok:?} were acknowledged, {found:?} are there");
    }
    assert_eq!(child.ask("reopen"), "ok");
    let found = parse(&child.ask("read"));
    assert!(ok.iter().all(|n| found.contains(n)), "{ok:?} were acknowledged, {found:?} are there");
    child.die();
}

//! Damaged files: refused by name or complete, never shorter, never a panic.

use std::fs;

use event_log::Log;

use super::image::{Image, Outcome, copy, files, frame, outcome, read, refusal, segment};
use super::support::{append, claim, numbers, options, quick_dir, small};

/// PLAT-1: each byte of one commit in the middle, changed in several ways: refused, or complete.
#[tokio::test]
async fn a_changed_byte_is_never_a_shorter_log() {
    for old_end in [false, true] {
        let image = Image::new(12, old_end).await;
        for at in image.frame(6) {
            for change in [0x01_u8, 0x80, 0xFF] {
                let dir = image.with(&segment(1), |bytes| bytes[at] ^= change);
                match outcome(dir.path()).await {
                    Outcome::Read(commits) => assert_eq!(commits, image.commits, "byte {at} xor {change:#x}"),
                    Outcome::Refused(why) => {
                        assert!(why.contains("segment-00000001.log: damaged at byte"), "{why}");
                    }
                }
            }
        }
    }
}

/// PLAT-1: the same in a sealed segment, which is not read when the log is opened.
#[tokio::test]
async fn a_changed_byte_of_a_sealed_segment_is_never_a_shorter_log() {
    let dir = quick_dir();
    let log = Log::open(small(dir.path())).unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    for n in 0..40 {
        append(&log, &mut owner, 10 * n + 1..=10 * n + 10).await;
    }
    drop(log);
    let bytes = fs::read(dir.path().join(segment(1))).unwrap();
    assert!(dir.path().join(segment(3)).exists(), "the log has three segments");
    for at in frame(&bytes, 15) {
        let copy = copy(dir.path());
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x04;
        fs::write(copy.path().join(segment(1)), bytes).unwrap();
        match outcome(copy.path()).await {
            Outcome::Read(commits) => assert_eq!(commits[0], (1..=400).collect::<Vec<_>>(), "byte {at}"),
            Outcome::Refused(why) => assert!(why.contains("segment-00000001.log: damaged at byte"), "{why}"),
        }
    }
}

/// PLAT-1: a reader hands out what stands before the damage, then names it, again and again.
#[tokio::test]
async fn what_stands_before_the_damage_is_read() {
    let dir = quick_dir();
    let log = Log::open(small(dir.path())).unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    for n in 0..40 {
        append(&log, &mut owner, 10 * n + 1..=10 * n + 10).await;
    }
    drop(log);
    let path = dir.path().join(segment(1));
    let mut bytes = fs::read(&path).unwrap();
    let place = frame(&bytes, 15);
    bytes[place.start + 100] ^= 0x04;
    fs::write(path, bytes).unwrap();
    let log = Log::open(small(dir.path())).unwrap();
    let mut reader = log.reader(event_log::Start::Beginning(0)).await.unwrap();
    let counted = reader.next(1_000).await.unwrap();
    assert_eq!(numbers(&counted), (1..=14).collect::<Vec<_>>());
    for _ in 0..2 {
        let why = reader.next(1_000).await.unwrap_err().to_string();
        assert!(why.contains(&format!("damaged at byte {}", place.start)), "{why}");
        assert_eq!(*reader.cursor(), counted.last().unwrap().cursor);
    }
}

/// PLAT-1: a last round cut at any byte, or turned to zeros from there, is cut and reported; every
/// earlier round is there, and the log goes on.
#[tokio::test]
async fn a_torn_tail_is_cut_at_every_byte() {
    let image = Image::new(7, true).await;
    let last = image.frame(7);
    let mut expected = image.commits.clone();
    expected[1].pop();
    for at in last.clone() {
        for zeros in [false, true] {
            let dir = image.with(&segment(1), |bytes| {
                bytes.truncate(at);
                bytes.resize(if zeros { last.end + 5_000 } else { at }, 0);
            });
            let log = Log::open(options(dir.path())).unwrap();
            let cut = log.cut().cloned();
            assert_eq!(cut.as_ref().map(|cut| cut.position), (at > last.start).then_some(last.start as u64));
            assert_eq!(read(&log).await.unwrap(), expected, "torn at byte {at}");
            if at % 50 == 0 {
                let mut owner = claim(&log, 1).await.ownership;
                append(&log, &mut owner, [100]).await;
                drop(log);
                let log = Log::open(options(dir.path())).unwrap();
                assert_eq!(log.cut(), None);
                assert_eq!(read(&log).await.unwrap()[1].last(), Some(&100));
            }
        }
    }
}

/// PLAT-1: what stands behind the `end` mark is copied and made durable before anyone reads it.
#[tokio::test]
async fn what_is_behind_the_end_mark_is_copied_into_a_new_segment() {
    let image = Image::new(7, true).await;
    let before = image.segment(1);
    let log = Log::open(options(image.dir.path())).unwrap();
    assert_eq!(log.cut(), None);
    assert_eq!(read(&log).await.unwrap(), image.commits);
    drop(log);
    assert_eq!(image.segment(1), before);
    let copied = image.segment(2);
    assert!((1..=7).all(|n| !frame(&copied, n).is_empty()));
    let log = Log::open(options(image.dir.path())).unwrap();
    assert!(!image.dir.path().join(segment(3)).exists(), "the `end` mark covers the copy");
    assert_eq!(read(&log).await.unwrap(), image.commits);
}

/// PLAT-1: the pages of the last round reached the disk in any order, some not at all.
#[tokio::test]
async fn a_power_cut_with_the_pages_of_a_round_out_of_order() {
    let dir = quick_dir();
    let log = Log::open(options(dir.path())).unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, 1..=20).await;
    let end = fs::read(dir.path().join("end")).unwrap();
    append(&log, &mut owner, 21..=60).await;
    drop(log);
    fs::write(dir.path().join("end"), end).unwrap();
    let good = fs::read(dir.path().join(segment(1))).unwrap();
    let last = frame(&good, 21).start..good.len();
    let pages: Vec<usize> = (last.start / 4_096..=last.end / 4_096).collect();
    assert!(pages.len() > 4);
    for lost in 1_u32..1 << pages.len().min(6) {
        let mut bytes = good.clone();
        for (i, page) in pages.iter().enumerate().filter(|(i, _)| lost & 1 << i != 0) {
            let _ = i;
            let page = (page * 4_096).max(last.start)..((page + 1) * 4_096).min(bytes.len());
            bytes[page].fill(0);
        }
        let copy = copy(dir.path());
        fs::write(copy.path().join(segment(1)), bytes).unwrap();
        let Outcome::Read(commits) = outcome(copy.path()).await else {
            panic!("lost pages {lost:b}: refused")
        };
        let whole = commits[0].len() as u64;
        assert!((20..60).contains(&whole), "lost pages {lost:b}: {whole} commits");
        assert_eq!(commits[0], (1..=whole).collect::<Vec<_>>());
    }
}

/// PLAT-1: a damaged round with later ones behind it is damage, though it is beyond the `end` mark.
#[tokio::test]
async fn damage_before_a_later_round_is_refused_with_file_and_position() {
    let image = Image::new(9, true).await;
    let frame = image.frame(5);
    for blank in [false, true] {
        let dir = image.with(&segment(1), |bytes| {
            if blank {
                bytes[frame.clone()].fill(0);
            } else {
                bytes[frame.start + 100] ^= 1;
            }
        });
        let why = refusal(dir.path());
        assert!(why.contains(&format!("segment-00000001.log: damaged at byte {}", frame.start)), "{why}");
        assert!(why.contains("stands behind it"), "{why}");
        assert_eq!(refusal(dir.path()), why, "a refused log is left as it is");
    }
}

/// PLAT-1: a log that ends before its `end` mark lost records, wherever it was cut.
#[tokio::test]
async fn an_end_before_the_end_mark_is_refused() {
    let image = Image::new(6, false).await;
    let last = image.frame(6);
    for at in [last.start, last.start + 1, last.end - 1, image.frame(2).start] {
        let dir = image.with(&segment(1), |bytes| bytes.truncate(at));
        assert!(refusal(dir.path()).contains("the log was durable up to byte"), "cut at {at}");
        let dir = image.with(&segment(1), |bytes| bytes[at..].fill(0));
        assert!(refusal(dir.path()).contains("the log was durable up to byte"), "zeros from {at}");
    }
    let dir = image.with(&segment(1), |bytes| bytes.truncate(100));
    assert!(refusal(dir.path()).contains("header of the segment is cut"));
}

/// PLAT-1: a missing or unreadable `end` file is refused; one torn copy in it is not.
#[tokio::test]
async fn the_end_file_is_needed() {
    let image = Image::new(3, false).await;
    for damage in [|b: &mut Vec<u8>| b.clear(), |b: &mut Vec<u8>| b.fill(7)] {
        let why = refusal(image.with("end", damage).path());
        assert!(why.contains("neither copy of the end mark can be read"), "{why}");
    }
    for slot in [0..512, 512..1_024] {
        let dir = image.with("end", |bytes| {
            let slot = slot.start..slot.end.min(bytes.len());
            bytes[slot].fill(0);
        });
        let Outcome::Read(commits) = outcome(dir.path()).await else { panic!("refused") };
        assert_eq!(commits, image.commits);
    }
}

/// PLAT-1: missing files of a log are named.
#[tokio::test]
async fn a_missing_segment_is_refused() {
    let dir = quick_dir();
    let log = Log::open(small(dir.path())).unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    for n in 0..30 {
        append(&log, &mut owner, 10 * n + 1..=10 * n + 10).await;
    }
    drop(log);
    let count = files(dir.path()).iter().filter(|path| path.extension().is_some_and(|e| e == "log")).count();
    for number in 1..=count as u64 {
        let copy = copy(dir.path());
        fs::remove_file(copy.path().join(segment(number))).unwrap();
        let why = refusal(copy.path());
        assert!(
            why.contains(&format!("{}: damaged", segment(number))) && why.contains("the file is gone"),
            "{why}"
        );
    }
    let shorter = copy(dir.path());
    let path = shorter.path().join(segment(1));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let why = refusal(shorter.path());
    assert!(why.contains("the file ends here, but segment 2 says that it reaches byte"), "{why}");
    let only_end = copy(dir.path());
    for path in files(only_end.path()).iter().filter(|path| path.to_string_lossy().contains("segment-")) {
        fs::remove_file(path).unwrap();
    }
    assert!(refusal(only_end.path()).contains("the file is gone, though the `end` file says"));
}

/// An index is only a help: without it, or with a damaged one, the log is the same.
#[tokio::test]
async fn an_index_can_be_missing_or_damaged() {
    let dir = quick_dir();
    let log = Log::open(small(dir.path())).unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    for n in 0..30 {
        append(&log, &mut owner, 10 * n + 1..=10 * n + 10).await;
    }
    let all = super::support::read_all(&log, event_log::Start::Beginning(0)).await;
    drop(log);
    let index = dir.path().join("segment-00000001.index");
    for damage in [None, Some(vec![1; 100]), Some(Vec::new())] {
        match damage {
            None => fs::remove_file(&index).unwrap(),
            Some(bytes) => fs::write(&index, bytes).unwrap(),
        }
        let log = Log::open(small(dir.path())).unwrap();
        for counted in all.iter().step_by(7) {
            let mut reader = log.reader(event_log::Start::Cursor(counted.cursor)).await.unwrap();
            let next = reader.next(1).await.unwrap();
            assert_eq!(next.first().map_or(log.end(0), |c| c.offset), counted.offset + 1);
        }
    }
}

//! What the tools tell about a stopped log.

use std::fs;

use event_log::{Log, OpenError, check, show};

use super::image::{Image, frame, segment};
use super::support::{append, claim, quick_dir, record, small};

/// PLAT-1: a check counts records, epochs and void records of every shard; showing does not read them.
#[tokio::test]
async fn a_report_tells_segments_shards_and_void_records() {
    let dir = quick_dir();
    let log = Log::open(small(dir.path())).unwrap();
    assert!(matches!(check(dir.path()), Err(OpenError::InUse { .. })));
    let mut zombie = claim(&log, 1).await.ownership;
    let mut owner = claim(&log, 1).await.ownership;
    for n in 0..30 {
        append(&log, &mut owner, 10 * n + 1..=10 * n + 10).await;
    }
    let late = vec![record(&mut zombie, 1), record(&mut zombie, 2)];
    log.append(1, late).await.unwrap();
    drop(log);
    let checked = check(dir.path()).unwrap();
    let shard = &checked.shards[1];
    assert_eq!((shard.end, shard.epoch, shard.next_seq), (305, 2, 301));
    assert_eq!((shard.last_counted, shard.void, shard.unreadable), (Some(302), Some(2), None));
    assert_eq!((checked.shards[0].end, checked.shards[0].epoch, checked.shards[0].void), (1, 0, Some(0)));
    let records: u64 = checked.segments.iter().map(|segment| segment.records.unwrap()).sum();
    assert_eq!(records, 305 + 2);
    assert!(checked.segments.len() > 1 && checked.cut.is_none());
    let mut shown = checked.clone();
    shown.segments.iter_mut().for_each(|segment| segment.records = None);
    shown.shards.iter_mut().for_each(|shard| shard.void = None);
    assert_eq!(show(dir.path()).unwrap(), shown);
}

/// PLAT-1: a check finds what opening does not look at, and names file and byte.
#[tokio::test]
async fn a_check_finds_damage_in_a_sealed_segment() {
    let dir = quick_dir();
    let log = Log::open(small(dir.path())).unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    for n in 0..30 {
        append(&log, &mut owner, 10 * n + 1..=10 * n + 10).await;
    }
    drop(log);
    let path = dir.path().join(segment(1));
    let good = fs::read(&path).unwrap();
    let place = frame(&good, 20);
    let mut bytes = good.clone();
    bytes[place.start + 40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(show(dir.path()).is_ok());
    let why = check(dir.path()).unwrap_err().to_string();
    assert!(why.contains(&format!("segment-00000001.log: damaged at byte {}", place.start)), "{why}");
}

/// PLAT-1: a torn last round is told, and left alone.
#[tokio::test]
async fn a_check_tells_of_a_torn_round() {
    let image = Image::new(6, true).await;
    let last = image.frame(6);
    let dir = image.with(&segment(1), |bytes| bytes.truncate(last.end - 1));
    let report = check(dir.path()).unwrap();
    let cut = report.cut.unwrap();
    assert_eq!((cut.position, cut.bytes), (last.start as u64, (last.len() - 1) as u64));
    assert_eq!(fs::read(dir.path().join(segment(1))).unwrap().len(), last.end - 1);
}

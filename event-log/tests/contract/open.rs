//! Opening: what is refused by name, and what is made whole.

use std::fs;

use event_log::{AppendError, EmbeddedOptions, Kind, Log, OpenError, Record, Start};

use super::image::{Image, copy, files, read, refusal, segment};
use super::support::{SHARDS, append, claim, cursor, options, quick_dir};

/// PLAT-1: a directory has one process at a time.
#[tokio::test]
async fn a_second_opener_is_refused() {
    let dir = quick_dir();
    let log = Log::open(options(dir.path())).unwrap();
    let why = refusal(dir.path());
    assert!(
        why.contains("is in use by another process") && why.contains(dir.path().to_str().unwrap()),
        "{why}"
    );
    assert!(matches!(Log::open_read_only(dir.path()), Err(OpenError::InUse { .. })));
    let clone = log.clone();
    drop(log);
    assert!(refusal(dir.path()).contains("in use"), "a clone still has it");
    drop(clone);
    assert!(Log::open(options(dir.path())).is_ok());
}

/// PLAT-1, PLAT-28: a log of another deployment, another number of shards or a newer format is refused, with advice.
#[tokio::test]
async fn another_log_is_refused_by_name() {
    let image = Image::new(2, false).await;
    let dir = image.dir.path();
    let refused = |options: EmbeddedOptions| Log::open(options).expect_err("it was opened").to_string();
    let why = refused(EmbeddedOptions { deployment: "production".into(), ..options(dir) });
    assert!(why.contains(r#"deployment of the log is "test", but "production" is configured"#), "{why}");
    let why = refused(EmbeddedOptions { shards: 8, ..options(dir) });
    assert!(why.contains("shards of the log is 3, but 8 is configured; the number of shards"), "{why}");
    let newer = image.with(&segment(1), |bytes| bytes[8] = 2);
    let why = refusal(newer.path());
    assert!(why.contains("format of the log is 2") && why.contains("a newer release wrote it"), "{why}");
    assert!(refused(EmbeddedOptions { shards: 0, ..options(dir) }).contains("shards = 0 is not possible"));
    assert!(refused(EmbeddedOptions { deployment: String::new(), ..options(dir) }).contains("deployment"));
    assert!(refused(EmbeddedOptions { segment_bytes: 1, ..options(dir) }).contains("segment_bytes = 1"));
    assert!(Log::open(options(dir)).is_ok());
}

/// An interrupted creation is done again; an interrupted new segment is forgotten.
#[tokio::test]
async fn an_interrupted_creation_is_repeated() {
    let image = Image::new(0, false).await;
    let fresh = copy(image.dir.path());
    fs::remove_file(fresh.path().join(segment(1))).unwrap();
    let created = quick_dir();
    drop(Log::open(options(created.path())).unwrap());
    fs::copy(created.path().join("end"), fresh.path().join("end")).unwrap();
    fs::write(fresh.path().join("segment.tmp"), b"GESTALOG").unwrap();
    let log = Log::open(options(fresh.path())).unwrap();
    assert_eq!(read(&log).await.unwrap(), vec![Vec::<u64>::new(); usize::from(SHARDS)]);
    assert!(!fresh.path().join("segment.tmp").exists());
}

/// PLAT-1: closed and opened again, a log goes on where it was, without another segment.
#[tokio::test]
async fn a_closed_log_goes_on() {
    let image = Image::new(5, false).await;
    let before = files(image.dir.path());
    for round in 0..3 {
        let log = Log::open(options(image.dir.path())).unwrap();
        let claimed = claim(&log, 0).await;
        assert_eq!(claimed.ownership.epoch(), round + 2);
        assert_eq!(claimed.last_at, Some(super::support::at(if round == 0 { 3 } else { 100 + round })));
        let mut owner = claimed.ownership;
        append(&log, &mut owner, [101 + round]).await;
    }
    assert_eq!(files(image.dir.path()), before);
    let log = Log::open(options(image.dir.path())).unwrap();
    assert_eq!(log.cut(), None);
    assert_eq!(read(&log).await.unwrap()[0], [3, 101, 102, 103]);
}

/// PLAT-1: tools read a stopped log without changing a byte of it.
#[tokio::test]
async fn a_read_only_log_is_not_changed() {
    for old_end in [false, true] {
        let image = Image::new(8, old_end).await;
        let torn = image.with(&segment(1), |bytes| {
            if old_end {
                bytes.extend([1, 2, 3])
            }
        });
        let contents = || files(torn.path()).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
        let before = contents();
        let log = Log::open_read_only(torn.path()).unwrap();
        assert_eq!(read(&log).await.unwrap(), image.commits);
        assert_eq!(log.cut().is_some(), old_end);
        let mut owner = event_log::Ownership::new(0, 9, 9, 9);
        let refused = log.append(0, vec![Record::barrier(owner.stamp(Kind::Barrier))]).await;
        assert!(matches!(refused, Err(AppendError::ReadOnly)));
        drop(log);
        assert_eq!(contents(), before);
    }
    let without_lock = copy(Image::new(4, false).await.dir.path());
    fs::remove_file(without_lock.path().join("lock")).unwrap();
    assert!(Log::open_read_only(without_lock.path()).is_ok(), "a copy may lack the lock file");
    let empty = quick_dir();
    assert!(matches!(Log::open_read_only(empty.path()), Err(OpenError::NoLog { .. })));
    assert!(files(empty.path()).is_empty());
    assert!(matches!(Log::open_read_only(&empty.path().join("none")), Err(OpenError::NoLog { .. })));
}

/// PLAT-1: a cursor beyond the end of a restored older copy is refused.
#[tokio::test]
async fn a_log_restored_from_an_older_copy_is_noticed_by_its_readers() {
    let image = Image::new(6, false).await;
    let older = copy(image.dir.path());
    let log = Log::open(options(image.dir.path())).unwrap();
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [50]).await;
    let ahead = cursor(&log, 0).await;
    let log = Log::open(options(older.path())).unwrap();
    let why = log.reader(Start::Cursor(ahead)).await.unwrap_err().to_string();
    assert!(why.contains("it lost records"), "{why}");
    let mut owner = claim(&log, 0).await.ownership;
    append(&log, &mut owner, [60, 61]).await;
    let why = log.reader(Start::Cursor(ahead)).await.unwrap_err().to_string();
    assert!(why.contains("the log was replaced or rewritten"), "{why}");
}

/// PLAT-1: records of any size are read back from the files, wherever they lie in them.
#[tokio::test]
async fn records_of_any_size_are_read_from_the_files() {
    let dir = quick_dir();
    let log = Log::open(EmbeddedOptions { tail_bytes: 1, ..options(dir.path()) }).unwrap();
    let mut owners = [claim(&log, 0).await.ownership, claim(&log, 1).await.ownership];
    let mut sizes = [Vec::new(), Vec::new()];
    for n in 0..120_usize {
        let (shard, bytes) = (n % 2, [10, 900_000, 300, 70_000, 520_000][n % 5]);
        let mut value = vec![b' '; bytes];
        value.extend_from_slice(b"{}");
        let record = Record { value: value.into(), ..Record::barrier(owners[shard].stamp(Kind::Barrier)) };
        sizes[shard].push(log.append(owners[shard].shard(), vec![record]).await.unwrap());
    }
    for (shard, offsets) in (0..).zip(sizes) {
        let counted = super::support::read_all(&log, Start::Beginning(shard)).await;
        let read: Vec<u64> = counted[2..].iter().map(|c| c.offset).collect();
        assert_eq!(read, offsets.concat());
        for from in counted.iter().step_by(9) {
            let rest = super::support::read_all(&log, Start::Cursor(from.cursor)).await;
            assert_eq!(rest.len() as u64, log.end(shard) - from.offset - 1);
        }
    }
}

//! Opening a directory: which segments there are, where what is proven ends, and what is behind it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::end_mark::{EndFile, EndMark};
use super::files;
use super::frame::{self, Place};
use super::header::{Header, Mark};
use super::index::Index;
use super::options::{EmbeddedOptions, OpenError};
use super::scan::{Scan, scan};
use super::segments::Segment;
use super::tracker::Tracker;
use super::writer::Writer;
use crate::record::{FORMAT, Genesis};

/// What opening a log had to repair: the end of a round that a power cut had torn.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// The segment file.
    pub file: String,
    /// Position of the first byte that does not belong to a whole record.
    pub position: u64,
    /// Bytes cut off. None of them was ever confirmed to anyone.
    pub bytes: u64,
}

/// An opened directory.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) lock: File,
    pub(super) genesis: Genesis,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) tracker: Tracker,
    pub(super) cut: Option<Cut>,
    /// None when it was opened for reading only.
    pub(super) writer: Option<Writer>,
}

/// The segments of a directory with their checked headers.
pub(super) struct Chain {
    pub(super) headers: Vec<Header>,
    /// Per segment the length of its header and of its file, in bytes.
    pub(super) lengths: Vec<(u64, u64)>,
}

impl Chain {
    pub(super) fn last(&self) -> (&Header, u64, u64) {
        let at = self.headers.len() - 1;
        (&self.headers[at], self.lengths[at].0, self.lengths[at].1)
    }
}

/// Opens or creates the log of `options.dir`.
pub(super) fn open(options: &EmbeddedOptions) -> Result<Opened, OpenError> {
    check_options(options)?;
    let dir = &options.dir;
    fs::create_dir_all(dir).map_err(files::failed(dir, "creating"))?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        files::sync_dir(parent).map_err(files::failed(parent, "syncing"))?;
    }
    let lock = files::lock(dir, true)?;
    files::remove_temporary(dir)?;
    let end_file = files::end_file(dir, true, true)?;
    let end_file = end_file.ok_or_else(|| OpenError::NoLog { dir: dir.display().to_string() })?;
    let (mut end_file, mut mark) =
        EndFile::open(end_file).map_err(files::failed(dir, "reading the end file of"))?;
    if files::segment_numbers(dir)?.is_empty() {
        mark = Some(create(options, &mut end_file, mark)?);
    }
    let chain = chain(dir)?;
    check_genesis(dir, options, &chain.headers[0].genesis)?;
    let durable = durable(dir, &chain, mark)?;
    let (header, first, length) = chain.last();
    let found = scan(dir, header, first, length, durable)?;
    let cut = found.cut(dir, header.segment);
    let mut segments = sealed(dir, &chain);
    let round = found.last_round;
    let state = Writer::new(options, header.genesis.clone(), end_file);
    let (writer, active, tracker) = if found.position == durable && cut.is_none() {
        let active = Segment::new(dir, header, first, durable, Some(found.index));
        let path = &active.path;
        let file =
            File::options().read(true).write(true).open(path).map_err(files::failed(path, "opening"))?;
        (state.resume(file, Arc::clone(&active), round, length), active, found.tracker)
    } else {
        let old = Segment::new(dir, header, first, durable, Some(found.index.clone()));
        old.seal();
        segments.push(old);
        let (file, active) = copy_behind(dir, header, durable, &found)?;
        (state.resume(file, Arc::clone(&active), round + 2, active.end()), active, found.tracker)
    };
    segments.push(active);
    let mut writer = writer;
    writer.mark_end().map_err(files::failed(dir, "writing the end file of"))?;
    Ok(Opened { lock, genesis: header.genesis.clone(), segments, tracker, cut, writer: Some(writer) })
}

/// Opens an existing log without changing anything.
pub(super) fn open_read_only(dir: &Path) -> Result<Opened, OpenError> {
    let lock = files::lock(dir, false)?;
    let no_log = || OpenError::NoLog { dir: dir.display().to_string() };
    let end_file = files::end_file(dir, false, false)?.ok_or_else(no_log)?;
    let (_, mark) = EndFile::open(end_file).map_err(files::failed(dir, "reading the end file of"))?;
    if files::segment_numbers(dir)?.is_empty() {
        return Err(no_log());
    }
    let chain = chain(dir)?;
    let durable = durable(dir, &chain, mark)?;
    let (header, first, length) = chain.last();
    let found = scan(dir, header, first, length, durable)?;
    let cut = found.cut(dir, header.segment);
    let mut segments = sealed(dir, &chain);
    segments.push(Segment::new(dir, header, first, found.position, Some(found.index)));
    Ok(Opened { lock, genesis: header.genesis.clone(), segments, tracker: found.tracker, cut, writer: None })
}

fn check_options(options: &EmbeddedOptions) -> Result<(), OpenError> {
    let bad = |field, value: String, problem: &str| {
        Err(OpenError::Option { field, value, problem: problem.to_owned() })
    };
    if !(1..=EmbeddedOptions::MAX_SHARDS).contains(&options.shards) {
        return bad("shards", options.shards.to_string(), "it must be 1 to 1,024");
    }
    if options.segment_bytes < EmbeddedOptions::MIN_SEGMENT_BYTES {
        return bad("segment_bytes", options.segment_bytes.to_string(), "it must be at least 65,536");
    }
    if options.deployment.is_empty() || options.deployment.len() > EmbeddedOptions::MAX_DEPLOYMENT_BYTES {
        return bad("deployment", options.deployment.clone(), "it must have 1 to 200 bytes");
    }
    Ok(())
}

/// Creates the first segment with the GENESIS records. Its `end` mark comes first: a log without
/// the mark was never whole, a mark without the log says that there was one.
fn create(options: &EmbeddedOptions, end: &mut EndFile, mark: Option<EndMark>) -> Result<EndMark, OpenError> {
    let dir = &options.dir;
    if let Some(mark) = mark.filter(|mark| mark.round > 1 || mark.segment > 1) {
        let path = files::segment_path(dir, mark.segment);
        let problem = "the file is gone, though the `end` file says that the log reaches it";
        return Err(files::damaged(&path, mark.position, problem).into());
    }
    let genesis = Genesis {
        log_id: Uuid::new_v4(),
        deployment: options.deployment.clone(),
        generation: 1,
        shards: options.shards,
        format: FORMAT,
    };
    let mut frames = Vec::new();
    for shard in 0..options.shards {
        let place = Place { shard, offset: 0, round: 1, last: shard + 1 == options.shards };
        frame::encode(&mut frames, place, &genesis.record());
    }
    let shards = vec![Mark::default(); usize::from(options.shards)];
    let proven = frames.len() as u64;
    let header = Header { genesis, segment: 1, former_end: 0, former_round: 0, proven, shards };
    let mark = EndMark { segment: 1, position: header.encode().len() as u64 + proven, round: 1 };
    end.write(mark).map_err(files::failed(dir, "writing the end file of"))?;
    files::create_segment(dir, &header, &frames)
        .map_err(files::failed(dir, "creating the first segment of"))?;
    Ok(mark)
}

/// Reads every header and checks that the segments follow each other.
pub(super) fn chain(dir: &Path) -> Result<Chain, OpenError> {
    let mut chain = Chain { headers: Vec::new(), lengths: Vec::new() };
    for (expected, number) in (1..).zip(files::segment_numbers(dir)?) {
        if number != expected {
            let path = files::segment_path(dir, expected);
            return Err(
                files::damaged(&path, 0, format!("the file is gone, but segment {number} is there")).into()
            );
        }
        let (header, first, length) = files::read_header(dir, number)?;
        if let Some(former) = chain.headers.last() {
            let path = files::segment_path(dir, number);
            let (former_first, former_length) = chain.lengths[chain.lengths.len() - 1];
            if former.genesis != header.genesis {
                return Err(files::damaged(&path, 0, "the segment belongs to another log").into());
            }
            if !(former_first..=former_length).contains(&header.former_end) {
                let path = files::segment_path(dir, number - 1);
                let problem = format!(
                    "the file ends here, but segment {number} says that it reaches byte {}",
                    header.former_end
                );
                return Err(files::damaged(&path, former_length, problem).into());
            }
        }
        chain.headers.push(header);
        chain.lengths.push((first, length));
    }
    Ok(chain)
}

/// Position in the last segment up to which the log is known to be durable.
pub(super) fn durable(dir: &Path, chain: &Chain, mark: Option<EndMark>) -> Result<u64, OpenError> {
    let (last, first, _) = chain.last();
    let proven = first + last.proven;
    let Some(mark) = mark else {
        let problem =
            "neither copy of the end mark can be read; restore the file from a copy of the directory";
        return Err(files::damaged(&dir.join("end"), 0, problem).into());
    };
    if mark.segment == last.segment {
        return Ok(proven.max(mark.position));
    }
    let path = files::segment_path(dir, mark.segment);
    let next = usize::try_from(mark.segment).ok().and_then(|next| chain.headers.get(next));
    match next {
        Some(next) if mark.position <= next.former_end => Ok(proven),
        Some(next) => {
            Err(files::damaged(&path, next.former_end, "the segment ends before the `end` mark").into())
        }
        None => Err(files::damaged(
            &path,
            0,
            "the file is gone, though the `end` file says that the log reaches it",
        )
        .into()),
    }
}

/// All segments but the last.
fn sealed(dir: &Path, chain: &Chain) -> Vec<Arc<Segment>> {
    let ends = chain.headers.iter().skip(1).map(|next| next.former_end);
    let parts = chain.headers.iter().zip(&chain.lengths).zip(ends);
    parts.map(|((header, (first, _)), end)| Segment::new(dir, header, *first, end, None)).collect()
}

/// Copies what stands behind the durable end into a new segment, as one round, before anyone reads
/// it: it may be in the page cache only, and pages of a failed fdatasync look clean.
fn copy_behind(
    dir: &Path,
    header: &Header,
    durable: u64,
    found: &Scan,
) -> Result<(File, Arc<Segment>), OpenError> {
    let round = found.last_round + 2;
    let mut frames = Vec::new();
    let mut places = Vec::new();
    for (i, record) in found.behind.iter().enumerate() {
        let last = i + 1 == found.behind.len();
        let place = Place { shard: record.shard, offset: record.offset, round, last };
        places.push((record.shard, record.offset, frames.len() as u64));
        frame::encode_parts(&mut frames, place, &record.fence, &record.key, &record.value);
    }
    let header = Header {
        genesis: header.genesis.clone(),
        segment: header.segment + 1,
        former_end: durable,
        former_round: found.last_round + 1,
        proven: frames.len() as u64,
        shards: found.at_durable.shards.clone(),
    };
    let path = files::segment_path(dir, header.segment);
    let file = files::create_segment(dir, &header, &frames).map_err(files::failed(&path, "creating"))?;
    let first = header.encode().len() as u64;
    let segment = Segment::new(dir, &header, first, first, Some(Index::new(header.genesis.shards)));
    let end = first + header.proven;
    segment.grow(end, places.into_iter().map(|(shard, offset, at)| (shard, offset, first + at)));
    Ok((file, segment))
}

/// Whether the log is the one that is configured.
fn check_genesis(dir: &Path, options: &EmbeddedOptions, genesis: &Genesis) -> Result<(), OpenError> {
    let mismatch = |field, found: String, wanted: String, advice| {
        Err(OpenError::Mismatch { dir: dir.display().to_string(), field, found, wanted, advice })
    };
    if genesis.format > FORMAT {
        let advice = "a newer release wrote it; run that release";
        return mismatch("format", genesis.format.to_string(), format!("at most {FORMAT}"), advice);
    }
    if genesis.deployment != options.deployment {
        let advice = "configure that deployment, or another directory for this one";
        return mismatch(
            "deployment",
            format!("{:?}", genesis.deployment),
            format!("{:?}", options.deployment),
            advice,
        );
    }
    if genesis.shards != options.shards {
        let advice =
            "the number of shards of a log never changes: configure that number, or another directory";
        return mismatch("shards", genesis.shards.to_string(), options.shards.to_string(), advice);
    }
    Ok(())
}

/// Position and bytes of everything in a file from `from` to its last byte that is not zero.
pub(super) fn rest(path: &Path, from: u64) -> Result<Vec<u8>, OpenError> {
    let file = File::open(path).map_err(files::failed(path, "opening"))?;
    let length = file.metadata().map_err(files::failed(path, "looking at"))?.len();
    let mut bytes = vec![0; usize::try_from(length.saturating_sub(from)).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, from).map_err(files::failed(path, "reading"))?;
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    Ok(bytes)
}

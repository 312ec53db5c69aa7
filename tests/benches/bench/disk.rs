//! What the disk itself costs, printed beside every figure.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const SAMPLES: usize = 300;

/// Median time to append 4 KiB and make it durable.
pub(crate) fn fdatasync_p50(folder: &Path) -> Duration {
    let mut file = std::fs::File::create(folder.join("fdatasync")).expect("the folder can be written");
    let block = [0_u8; 4096];
    let mut times: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&block).expect("the disk has room");
            file.sync_data().expect("the disk syncs");
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[SAMPLES / 2]
}

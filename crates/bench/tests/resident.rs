//! The memory of the process, in a process of its own: tests beside it would be seen.
#![cfg(target_os = "linux")]

use danskin_bench::resident::Watch;

#[test]
fn a_peak_is_seen_and_a_later_watch_starts_anew() {
    const BYTES: usize = 64 << 20;
    let watch = Watch::start();
    // Ones, as pages of zeros need not be there.
    drop(std::hint::black_box(vec![1_u8; BYTES]));
    let used = watch.end().expect("Linux tells");
    // The system counts a process's pages in batches, for each processor.
    assert!(used.peak_bytes >= used.before_bytes + BYTES as u64 * 9 / 10, "{used:?}");
    let later = Watch::start().end().expect("Linux tells");
    assert!(later.peak_bytes < used.peak_bytes, "{later:?}");
}

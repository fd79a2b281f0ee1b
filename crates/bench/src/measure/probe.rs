//! The read bandwidth of the machine: an array far larger than its caches, read from end to end.

use std::hint::black_box;

use danskin::ctx::bytes_of;
use rayon::prelude::*;
use thiserror::Error;

use super::machine::Machine;

/// Bytes at the least, and where the caches are unknown.
const LEAST: u64 = 128 << 20;
/// The array over all caches of the last level: what is left there of an earlier reading is a fourth at the most.
const OVER_CACHES: u64 = 4;
/// Numbers that a task reads, 1 MiB.
const PIECE: usize = 1 << 17;

/// Why there is nothing to read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{bytes} bytes to read from do not fit into memory")]
pub struct ProbeError {
    /// Bytes asked for.
    pub bytes: u64,
}

/// An array to read.
#[derive(Debug)]
pub struct Probe {
    numbers: Vec<u64>,
}

impl Probe {
    /// One that is beyond the caches of `machine`.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] where it does not fit into memory.
    pub fn beyond_caches(machine: &Machine) -> Result<Self, ProbeError> {
        let bytes = LEAST.max(machine.last_level_cache_bytes.unwrap_or(0).saturating_mul(OVER_CACHES));
        let count = usize::try_from(bytes / size_of::<u64>() as u64).map_err(|_| ProbeError { bytes })?;
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(count).map_err(|_| ProbeError { bytes })?;
        // Ones, as pages of zeros may all be the same one.
        numbers.resize(count, 1);
        Ok(Self { numbers })
    }

    /// Bytes that [`Probe::read`] reads.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        bytes_of(self.numbers.len())
    }

    /// Reads all of it, on as many threads as rayon has here.
    pub fn read(&self) {
        let sum = |piece: &[u64]| piece.iter().fold(0_u64, |sum, number| sum.wrapping_add(*number));
        black_box(self.numbers.par_chunks(PIECE).map(sum).reduce(|| 0, u64::wrapping_add));
    }
}

//! Seeded random designs and vectors, the same on every machine.

use crate::design::Design;
use crate::random::Stream;

/// `len` numbers in [-1, 1).
#[must_use]
pub fn vector(len: usize, seed: u64) -> Vec<f64> {
    let mut out = vec![0.0; len];
    Stream::new(seed).fill(&mut out);
    out
}

/// `len` labels, each -1 or +1.
#[must_use]
pub fn labels(len: usize, seed: u64) -> Vec<f64> {
    vector(len, seed).into_iter().map(|v| if v < 0.0 { -1.0 } else { 1.0 }).collect()
}

/// A sparse design, n = `rows`, m = `columns`, with at most `per_row` entries in [-1, 1) in each row; about one row in
/// eight is empty.
///
/// # Panics
///
/// Never: the structure it makes is a valid one.
#[must_use]
pub fn design(rows: usize, columns: usize, per_row: usize, seed: u64) -> Design {
    let mut random = Stream::new(seed);
    let mut triplets = Vec::new();
    for row in 0..rows {
        if columns == 0 || random.bits().is_multiple_of(8) {
            continue;
        }
        let mut taken: Vec<usize> = (0..per_row).map(|_| (random.bits() % columns as u64) as usize).collect();
        taken.sort_unstable();
        taken.dedup();
        triplets.extend(taken.into_iter().map(|column| (row, column, random.uniform())));
    }
    Design::from_triplets(rows, columns, &triplets).expect("entries are in range, distinct and finite")
}

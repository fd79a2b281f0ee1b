//! What tells one matrix from another without a copy of it.

use rayon::prelude::*;

use super::matrix::{Matrix, with_rows};
use super::storage::Rows;

/// The shape of a matrix and a hash of 64 bits of its entries, or of their places alone. Matrices that differ have the same one with
/// a probability of about 2^-64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    rows: usize,
    columns: usize,
    entries: usize,
    hash: u64,
}

impl Fingerprint {
    /// Rows, columns, stored entries.
    pub(super) fn shape(self) -> (usize, usize, usize) {
        (self.rows, self.columns, self.entries)
    }
}

/// A number mixed into a hash: the step of FNV-1a on whole numbers, and a rotation that carries high bits down.
fn step(hash: u64, number: u64) -> u64 {
    (hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29)
}

impl Matrix<'_> {
    /// That of the entries, their places and their values.
    #[must_use]
    pub fn fingerprint(self) -> Fingerprint {
        self.hashed(|hash, column, value| step(step(hash, column), value.to_bits()))
    }

    /// That of the places of the entries alone.
    #[must_use]
    pub fn pattern_fingerprint(self) -> Fingerprint {
        self.hashed(|hash, column, _| step(hash, column))
    }

    fn hashed(self, mix: impl Fn(u64, u64, f64) -> u64 + Sync) -> Fingerprint {
        const START: u64 = 0xcbf2_9ce4_8422_2325;
        let rows: Vec<u64> = with_rows!(self, rows => {
            let of = |row: usize| {
                let mut hash = START;
                rows.each(row, |column, value| hash = mix(hash, column as u64, value));
                hash
            };
            (0..self.rows()).into_par_iter().map(of).collect()
        });
        let hash = rows.into_iter().fold(START, step);
        Fingerprint { rows: self.rows(), columns: self.columns(), entries: self.entries(), hash }
    }
}

#[cfg(test)]
mod tests {
    use crate::design::Design;

    #[test]
    fn places_and_values_are_told_apart() {
        let new = |triplets: &[(usize, usize, f64)]| Design::from_triplets(3, 3, triplets).unwrap();
        let one = new(&[(0, 1, 1.0), (2, 2, -1.0)]);
        for (other, same_pattern) in [
            (new(&[(0, 1, 1.0), (2, 2, 1.0)]), true),
            (new(&[(1, 1, 1.0), (2, 2, -1.0)]), false),
            (new(&[(0, 1, 1.0), (1, 2, -1.0)]), false),
            (new(&[(0, 1, 1.0), (2, 1, -1.0)]), false),
            (new(&[(0, 1, 1.0)]), false),
        ] {
            let (one, other) = (one.matrix(), other.matrix());
            assert_ne!(one.fingerprint(), other.fingerprint());
            assert_eq!(one.pattern_fingerprint() == other.pattern_fingerprint(), same_pattern);
        }
        assert_eq!(one.matrix().fingerprint(), one.clone().matrix().fingerprint());
    }
}

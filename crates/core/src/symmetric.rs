//! Sparse symmetric matrices, by their lower triangle, and the largest eigenvalue of any.

use thiserror::Error;

pub use crate::design::spectrum::largest_eigenvalue;

/// Why arrays are no pattern of a symmetric matrix.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// Pointers do not start at 0, decrease, or do not end at the number of entries.
    #[error("column pointer {position} is {found}, expected {expected}")]
    Pointer {
        /// Which pointer, from 0.
        position: usize,
        /// What was expected, in words.
        expected: &'static str,
        /// Its value.
        found: u64,
    },
    /// The first entry of a column is not on the diagonal.
    #[error("column {column} (from 0) does not begin with its diagonal entry")]
    Diagonal {
        /// The column, from 0.
        column: usize,
    },
    /// An entry is not below the one before it, or lies outside the matrix.
    #[error("row {row} of column {column} (both from 0) is out of order, twice or outside")]
    Row {
        /// The row, from 0.
        row: u32,
        /// The column, from 0.
        column: usize,
    },
}

/// The pattern of the lower triangle of a symmetric m x m matrix, by columns; every diagonal entry is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymmetricPattern {
    pointers: Vec<u32>,
    rows: Vec<u32>,
}

impl SymmetricPattern {
    /// The pattern whose column j has the rows `rows[pointers[j]..pointers[j + 1]]`, ascending from j on.
    ///
    /// # Errors
    ///
    /// [`PatternError`].
    pub fn new(pointers: Vec<u32>, rows: Vec<u32>) -> Result<Self, PatternError> {
        let wrong = |position: usize, expected, found: u64| Err(PatternError::Pointer { position, expected, found });
        let (Some(&first), Some(&last)) = (pointers.first(), pointers.last()) else {
            return wrong(0, "one pointer more than columns", 0);
        };
        if first != 0 {
            return wrong(0, "0", first.into());
        }
        if let Some(position) = (1..pointers.len()).find(|&j| pointers[j] < pointers[j - 1]) {
            return wrong(position, "at least the one before", pointers[position].into());
        }
        if last as usize != rows.len() {
            return wrong(pointers.len() - 1, "the number of entries", last.into());
        }
        let pattern = Self { pointers, rows };
        for column in 0..pattern.len() {
            let rows = pattern.column(column);
            if rows.first().is_none_or(|&row| row as usize != column) {
                return Err(PatternError::Diagonal { column });
            }
            let outside = |row: u32| row as usize >= pattern.len();
            if let Some(pair) = rows.windows(2).find(|pair| pair[1] <= pair[0] || outside(pair[1])) {
                return Err(PatternError::Row { row: pair[1], column });
            }
        }
        Ok(pattern)
    }

    /// m.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pointers.len().saturating_sub(1)
    }

    /// Whether m = 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries of the lower triangle.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.rows.len()
    }

    /// Where each column begins among the entries, and where the last one ends: m + 1 numbers, or none where m = 0.
    #[must_use]
    pub fn pointers(&self) -> &[u32] {
        &self.pointers
    }

    /// The row of each entry, column by column.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The positions of the entries of a column among all; the first is that of the diagonal.
    ///
    /// # Panics
    ///
    /// If there is no such column.
    #[must_use]
    pub fn range(&self, column: usize) -> std::ops::Range<usize> {
        self.pointers[column] as usize..self.pointers[column + 1] as usize
    }

    /// The rows of a column, ascending from the diagonal on.
    ///
    /// # Panics
    ///
    /// If there is no such column.
    #[must_use]
    pub fn column(&self, column: usize) -> &[u32] {
        &self.rows[self.range(column)]
    }

    /// Entries of the lower triangle between the first one of each row and the diagonal: a Cholesky factor in this order has no more.
    #[must_use]
    pub fn profile(&self) -> usize {
        let mut seen = vec![false; self.len()];
        let mut profile = 0;
        for column in 0..self.len() {
            for &row in self.column(column) {
                if !std::mem::replace(&mut seen[row as usize], true) {
                    profile += row as usize - column + 1;
                }
            }
        }
        profile
    }

    /// `out = A v`, A the symmetric matrix with `values` in this pattern.
    ///
    /// # Panics
    ///
    /// If there is not one value for each entry, or `v` or `out` is not of length m.
    pub fn apply(&self, values: &[f64], v: &[f64], out: &mut [f64]) {
        assert_eq!(values.len(), self.entries(), "one value for each entry");
        assert!(v.len() == self.len() && out.len() == self.len(), "vectors of length m = {}", self.len());
        out.fill(0.0);
        for column in 0..self.len() {
            let entries = self.range(column);
            let (first, vj) = (entries.start, v[column]);
            let mut sum = values[first] * vj;
            for (&row, value) in self.rows[entries.clone()].iter().zip(&values[entries]).skip(1) {
                out[row as usize] += value * vj;
                sum += value * v[row as usize];
            }
            out[column] += sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_checked() {
        let new = |pointers: &[u32], rows: &[u32]| SymmetricPattern::new(pointers.to_vec(), rows.to_vec());
        assert_eq!(new(&[0], &[]).unwrap().len(), 0);
        let pattern = new(&[0, 2, 3], &[0, 1, 1]).unwrap();
        assert_eq!((pattern.len(), pattern.entries(), pattern.column(0)), (2, 3, &[0, 1][..]));
        assert_eq!(pattern.profile(), 3);
        assert_eq!(new(&[0, 2, 3, 4], &[0, 2, 1, 2]).unwrap().profile(), 5);
        assert!(matches!(new(&[], &[]), Err(PatternError::Pointer { position: 0, .. })));
        assert!(matches!(new(&[1, 1], &[0]), Err(PatternError::Pointer { position: 0, found: 1, .. })));
        assert!(matches!(new(&[0, 2, 1], &[0, 1]), Err(PatternError::Pointer { position: 2, found: 1, .. })));
        assert!(matches!(new(&[0, 1], &[0, 1]), Err(PatternError::Pointer { position: 1, found: 1, .. })));
        assert_eq!(new(&[0, 1, 1], &[0]), Err(PatternError::Diagonal { column: 1 }));
        assert_eq!(new(&[0, 1, 2], &[1, 1]), Err(PatternError::Diagonal { column: 0 }));
        assert_eq!(new(&[0, 3, 4], &[0, 1, 1, 1]), Err(PatternError::Row { row: 1, column: 0 }));
        assert_eq!(new(&[0, 2, 3], &[0, 5, 1]), Err(PatternError::Row { row: 5, column: 0 }));
    }

    #[test]
    fn both_triangles_count_in_a_product() {
        let pattern = SymmetricPattern::new(vec![0, 2, 3, 4], vec![0, 2, 1, 2]).unwrap();
        let mut out = [f64::NAN; 3];
        pattern.apply(&[2.0, -1.0, 3.0, 5.0], &[1.0, 10.0, 100.0], &mut out);
        assert_eq!(out, [2.0 - 100.0, 30.0, -1.0 + 500.0]);
    }
}

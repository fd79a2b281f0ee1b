//! A few rows of D at a time, for stochastic solvers: serial, as there is little to be shared out. Who calls counts what is read.

use super::matrix::{Matrix, with_rows};
use super::storage::Rows;

impl Matrix<'_> {
    /// Calls `visit(column, value)` on each stored entry of a row.
    ///
    /// # Panics
    ///
    /// If the row is not below n.
    pub fn each_of_row(self, row: usize, visit: impl FnMut(usize, f64)) {
        with_rows!(self, rows => rows.each(row, visit));
    }

    /// `out = D_B V`, `width` numbers for each of the rows B and each column of D.
    ///
    /// # Panics
    ///
    /// If a length is wrong, or a row is not below n.
    pub fn rows_apply(self, rows: &[usize], width: usize, v: &[f64], out: &mut [f64]) {
        assert_eq!(v.len(), self.columns() * width, "one number for each column");
        assert_eq!(out.len(), rows.len() * width, "one number for each row");
        with_rows!(self, of => for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
            if width == 1 { out[0] = of.dot(row, v) } else { of.dot_wide(row, v, out) }
        });
    }

    /// `out += D_B^T W`.
    ///
    /// # Panics
    ///
    /// As [`Matrix::rows_apply`].
    pub fn rows_add_transpose(self, rows: &[usize], width: usize, weights: &[f64], out: &mut [f64]) {
        assert_eq!(out.len(), self.columns() * width, "one number for each column");
        assert_eq!(weights.len(), rows.len() * width, "one number for each row");
        with_rows!(self, of => for (&row, weights) in rows.iter().zip(weights.chunks_exact(width)) {
            if width == 1 { of.axpy(row, weights[0], out) } else { of.axpy_wide(row, weights, out) }
        });
    }

    /// `out_k += w_i . f_j` at the stored entries k = (i, j) of the rows B.
    ///
    /// # Panics
    ///
    /// As [`Matrix::rows_apply`].
    pub fn rows_add_outer(self, rows: &[usize], width: usize, weights: &[f64], factor: &[f64], out: &mut [f64]) {
        assert_eq!(out.len(), self.entries(), "one number for each stored entry");
        with_rows!(self, of => for (&row, weights) in rows.iter().zip(weights.chunks_exact(width)) {
            of.add_outer(row, weights, factor, &mut out[of.entries_before(row)..of.entries_before(row + 1)]);
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::ctx::Ctx;
    use crate::design::Design;
    use crate::testing::random;

    #[test]
    fn a_few_rows_are_those_of_the_whole() {
        let sparse = random::design(9, 6, 3, 1);
        let mut values = vec![0.0; 54];
        sparse.for_each_entry(|i, j, value| values[i * 6 + j] = value);
        let dense = Design::dense(9, 6, values).unwrap();
        let rows = [4, 0, 8, 4, 7];
        for (design, width) in [(&sparse, 1), (&sparse, 3), (&dense, 1), (&dense, 3)] {
            let (v, weights) = (random::vector(6 * width, 2), random::vector(5 * width, 3));
            let (mut ctx, mut all, mut few) = (Ctx::new(), vec![0.0; 9 * width], vec![0.0; 5 * width]);
            let matrix = design.matrix();
            matrix.apply_wide(width, &v, &mut all, &mut ctx);
            matrix.rows_apply(&rows, width, &v, &mut few);
            let mut spread = vec![0.0; 9 * width];
            for (k, &row) in rows.iter().enumerate() {
                // Dense rows are summed in lanes, alone and together.
                assert!(crate::vector::distance(&few[k * width..][..width], &all[row * width..][..width]) < 1e-15);
                for c in 0..width {
                    spread[row * width + c] += weights[k * width + c];
                }
            }
            let (mut whole, mut found) = (vec![0.0; 6 * width], vec![1.0; 6 * width]);
            matrix.apply_transpose_wide(width, &spread, &mut whole, &mut ctx);
            matrix.rows_add_transpose(&rows, width, &weights, &mut found);
            assert!(found.iter().zip(&whole).all(|(found, whole)| (found - whole - 1.0).abs() < 1e-14));
            let mut outer = vec![0.0; design.entries()];
            matrix.rows_add_outer(&rows, width, &weights, &v, &mut outer);
            let mut k = 0;
            design.for_each_entry(|i, j, _| {
                let expected: f64 = (0..width).map(|c| spread[i * width + c] * v[j * width + c]).sum();
                assert!((outer[k] - expected).abs() < 1e-14);
                k += 1;
            });
        }
    }
}

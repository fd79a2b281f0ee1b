//! How D lies in memory, seen row by row.

use std::ops::Range;

use sprs::CsMatI;

use crate::vector;

/// One storage of D. Everything else reads D through these.
pub(super) trait Rows: Sync {
    fn rows(&self) -> usize;
    fn columns(&self) -> usize;
    fn entries(&self) -> usize;
    /// Stored entries of the rows before `row`, for `row` in `0..=n`.
    fn entries_before(&self, row: usize) -> usize;
    /// `d_row . v`.
    fn dot(&self, row: usize, v: &[f64]) -> f64;
    /// `d_row . v` and `d_row . w`, reading the row once; each with the bits of [`Rows::dot`].
    fn dot2(&self, row: usize, v: &[f64], w: &[f64]) -> (f64, f64);
    /// `out += a d_row`.
    fn axpy(&self, row: usize, a: f64, out: &mut [f64]);
    /// Adds the lower triangle of `sum_row weights_row d_row d_row^T`, over `rows`, to those `columns` of an m x m matrix that
    /// `out` holds.
    fn add_gram(&self, rows: Range<usize>, weights: &[f64], columns: Range<usize>, out: &mut [f64]);
    /// Calls `visit(column, value)` on each stored entry of the row.
    fn each(&self, row: usize, visit: impl FnMut(usize, f64));
}

/// Compressed rows: sorted u32 column indices, f64 values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SparseRows {
    matrix: CsMatI<f64, u32, usize>,
}

impl SparseRows {
    pub(super) fn new(matrix: CsMatI<f64, u32, usize>) -> Self {
        debug_assert!(matrix.is_csr());
        Self { matrix }
    }

    #[inline]
    pub(super) fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let entries = self.entries_before(row)..self.entries_before(row + 1);
        (&self.matrix.indices()[entries.clone()], &self.matrix.data()[entries])
    }
}

impl Rows for SparseRows {
    fn rows(&self) -> usize {
        self.matrix.rows()
    }

    fn columns(&self) -> usize {
        self.matrix.cols()
    }

    fn entries(&self) -> usize {
        self.matrix.nnz()
    }

    #[inline]
    fn entries_before(&self, row: usize) -> usize {
        self.matrix.indptr().raw_storage()[row]
    }

    #[inline]
    fn dot(&self, row: usize, v: &[f64]) -> f64 {
        let (indices, values) = self.row(row);
        indices.iter().zip(values).fold(0.0, |sum, (&j, d)| sum + d * v[j as usize])
    }

    #[inline]
    fn dot2(&self, row: usize, v: &[f64], w: &[f64]) -> (f64, f64) {
        let (indices, values) = self.row(row);
        indices
            .iter()
            .zip(values)
            .fold((0.0, 0.0), |(sum_v, sum_w), (&j, d)| (sum_v + d * v[j as usize], sum_w + d * w[j as usize]))
    }

    #[inline]
    fn axpy(&self, row: usize, a: f64, out: &mut [f64]) {
        let (indices, values) = self.row(row);
        for (&j, d) in indices.iter().zip(values) {
            out[j as usize] += a * d;
        }
    }

    fn add_gram(&self, rows: Range<usize>, weights: &[f64], columns: Range<usize>, out: &mut [f64]) {
        let m = self.columns();
        for row in rows {
            let (indices, values) = self.row(row);
            let position = |column: usize| indices.partition_point(|&j| (j as usize) < column);
            for k in position(columns.start)..position(columns.end) {
                let scaled = weights[row] * values[k];
                let column = &mut out[(indices[k] as usize - columns.start) * m..][..m];
                for (&j, d) in indices[k..].iter().zip(&values[k..]) {
                    column[j as usize] += scaled * d;
                }
            }
        }
    }

    fn each(&self, row: usize, mut visit: impl FnMut(usize, f64)) {
        let (indices, values) = self.row(row);
        for (&j, &d) in indices.iter().zip(values) {
            visit(j as usize, d);
        }
    }
}

/// All entries, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DenseRows {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
}

impl DenseRows {
    #[inline]
    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }
}

impl Rows for DenseRows {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn entries(&self) -> usize {
        self.values.len()
    }

    fn entries_before(&self, row: usize) -> usize {
        row * self.columns
    }

    #[inline]
    fn dot(&self, row: usize, v: &[f64]) -> f64 {
        vector::dot(self.row(row), v)
    }

    #[inline]
    fn dot2(&self, row: usize, v: &[f64], w: &[f64]) -> (f64, f64) {
        (self.dot(row, v), self.dot(row, w))
    }

    #[inline]
    fn axpy(&self, row: usize, a: f64, out: &mut [f64]) {
        vector::axpy(a, self.row(row), out);
    }

    fn add_gram(&self, rows: Range<usize>, weights: &[f64], columns: Range<usize>, out: &mut [f64]) {
        // Column by column: it stays in cache while the rows pass.
        for (j, column) in columns.zip(out.chunks_exact_mut(self.columns)) {
            for row in rows.clone() {
                let d = self.row(row);
                vector::axpy(weights[row] * d[j], &d[j..], &mut column[j..]);
            }
        }
    }

    fn each(&self, row: usize, mut visit: impl FnMut(usize, f64)) {
        for (j, &d) in self.row(row).iter().enumerate() {
            visit(j, d);
        }
    }
}

//! How D lies in memory, seen row by row.

use std::ops::Range;

use sprs::CsMatI;

use crate::vector;

/// One storage of D. Everything else reads D through these. Vectors of width k hold k numbers a column, one after another.
pub(super) trait Rows: Copy + Sync {
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

    /// `dots = d_row V` for V of the width of `dots`.
    fn dot_wide(&self, row: usize, v: &[f64], dots: &mut [f64]) {
        let width = dots.len();
        dots.fill(0.0);
        self.each(row, |column, d| vector::axpy(d, &v[column * width..][..width], dots));
    }

    /// `out += d_row^T weights` for out of the width of `weights`.
    fn axpy_wide(&self, row: usize, weights: &[f64], out: &mut [f64]) {
        let width = weights.len();
        self.each(row, |column, d| vector::axpy(d, weights, &mut out[column * width..][..width]));
    }

    /// `out_k += weights . factor_j` at the stored entries k = (row, j), `out` holding those of the row.
    fn add_outer(&self, row: usize, weights: &[f64], factor: &[f64], out: &mut [f64]) {
        let (width, mut k) = (weights.len(), 0);
        self.each(row, |column, _| {
            let factor = &factor[column * width..][..width];
            out[k] += weights.iter().zip(factor).fold(0.0, |sum, (a, f)| sum + a * f);
            k += 1;
        });
    }
}

/// The first stored values of a design, which own their memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Storage {
    /// Compressed rows: sorted u32 column indices, f64 values.
    Sparse(CsMatI<f64, u32, usize>),
    /// All entries, row by row.
    Dense { rows: usize, columns: usize, values: Vec<f64> },
}

/// Compressed rows, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct SparseRows<'a> {
    pub(super) columns: usize,
    pub(super) pointers: &'a [usize],
    pub(super) indices: &'a [u32],
    pub(super) values: &'a [f64],
}

impl SparseRows<'_> {
    #[inline]
    pub(super) fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let entries = self.pointers[row]..self.pointers[row + 1];
        (&self.indices[entries.clone()], &self.values[entries])
    }

    /// `d_row . v` for each v: every other entry is summed apart, as one sum would wait for its last addition.
    #[inline]
    fn dots<const K: usize>(&self, row: usize, vectors: [&[f64]; K]) -> [f64; K] {
        let (indices, values) = self.row(row);
        let (index_pairs, index_rest) = indices.as_chunks::<2>();
        let (value_pairs, value_rest) = values.as_chunks::<2>();
        let mut sums = [[0.0; 2]; K];
        for (index, d) in index_pairs.iter().zip(value_pairs) {
            for (sums, v) in sums.iter_mut().zip(vectors) {
                sums[0] += d[0] * v[index[0] as usize];
                sums[1] += d[1] * v[index[1] as usize];
            }
        }
        for (&j, d) in index_rest.iter().zip(value_rest) {
            for (sums, v) in sums.iter_mut().zip(vectors) {
                sums[0] += d * v[j as usize];
            }
        }
        sums.map(|[even, odd]| even + odd)
    }
}

impl Rows for SparseRows<'_> {
    fn rows(&self) -> usize {
        self.pointers.len() - 1
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn entries(&self) -> usize {
        self.indices.len()
    }

    #[inline]
    fn entries_before(&self, row: usize) -> usize {
        self.pointers[row]
    }

    #[inline]
    fn dot(&self, row: usize, v: &[f64]) -> f64 {
        let [sum] = self.dots(row, [v]);
        sum
    }

    #[inline]
    fn dot2(&self, row: usize, v: &[f64], w: &[f64]) -> (f64, f64) {
        let [of_v, of_w] = self.dots(row, [v, w]);
        (of_v, of_w)
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

/// All entries, row by row, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct DenseRows<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: &'a [f64],
}

impl DenseRows<'_> {
    #[inline]
    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }
}

impl Rows for DenseRows<'_> {
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

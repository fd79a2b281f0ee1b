//! `D^T diag(weights) D`, for Hessians that are factorised.
//!
//! Rows are taken a tile at a time, and the columns of the result in blocks, in parallel: each entry of the result is a
//! sum over the rows in their order, whatever the number of threads.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;

use super::matrix::{Matrix, with_rows};
use super::storage::{DenseRows, Rows};
use crate::ctx::{Ctx, Phase};
use crate::vector::axpy;

/// Entries of a tile of rows: they stay in cache while every block of columns visits them.
const TILE_ENTRIES: usize = 1 << 16;
/// Blocks of columns, or parts of rows.
const BLOCKS: usize = 16;
/// Columns of a block of sparse rows at the least: each block looks for its first entry in each row.
const MIN_COLUMNS: usize = 32;
/// Share of entries from which rows are taken for almost full.
const FULL: f64 = 0.4;
/// Entries below which a part of the rows is not worth a task.
const MIN_PART_ENTRIES: usize = 8192;

impl Matrix<'_> {
    /// `out` = the lower triangle of `D^T diag(weights) D`, m x m by columns; what is above it is 0. Ends early, with a part
    /// of the sum, where whoever watches asks to end.
    ///
    /// # Panics
    ///
    /// If `weights` is not of length n or `out` not of length m².
    pub fn weighted_gram(self, weights: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let (n, m) = (self.rows(), self.columns());
        assert_eq!(weights.len(), n, "one weight a row");
        assert_eq!(out.len(), m * m, "an m x m matrix");
        ctx.count_passes((self.gram_multiplications() / (2 * self.entries()).max(1) as f64).ceil() as u64);
        out.fill(0.0);
        if m == 0 {
            return;
        }
        let tile = (TILE_ENTRIES * n.max(1) / self.entries().max(1)).max(1);
        let columns = m.div_ceil(BLOCKS).max(if self.is_dense() { 1 } else { MIN_COLUMNS });
        // Rows that are almost full are added faster with their zeros than with their indices.
        let unpack = !self.is_dense() && self.is_almost_full();
        let mut written = ctx.take(if unpack { tile * m } else { 0 });
        for first in (0..n).step_by(tile) {
            if ctx.tick(Phase::Assembly, first, n) == ControlFlow::Break(()) {
                return;
            }
            let rows = first..n.min(first + tile);
            if unpack {
                written.fill(0.0);
                with_rows!(self, storage => for (row, out) in rows.clone().zip(written.chunks_exact_mut(m)) {
                    storage.each(row, |column, value| out[column] = value);
                });
            }
            let (written, weights_of_tile) =
                (DenseRows { rows: rows.len(), columns: m, values: &written }, &weights[rows.clone()]);
            out.par_chunks_mut(columns * m).enumerate().for_each(|(block, out)| {
                let columns = block * columns..m.min((block + 1) * columns);
                if unpack {
                    written.add_gram(0..written.rows, weights_of_tile, columns, out);
                } else {
                    with_rows!(self, storage => storage.add_gram(rows.clone(), weights, columns, out));
                }
            });
        }
        ctx.give(written);
    }

    /// `out` = the diagonal blocks of `D^T diag(weights) D`, `size` columns each and the last what is left: one after another, each
    /// by columns, its lower triangle alone and 0 above.
    ///
    /// # Panics
    ///
    /// If `size` is 0, `weights` not of length n, or `out` not of length [`blocks_len`]`(m, size)`.
    pub fn weighted_blocks(self, weights: &[f64], size: usize, out: &mut [f64], ctx: &mut Ctx) {
        let m = self.columns();
        assert_eq!(weights.len(), self.rows(), "one weight a row");
        assert_eq!(out.len(), blocks_len(m, size), "diagonal blocks of {size} of {m} columns");
        ctx.count_pass();
        // Parts of the rows are summed apart and added in their order, as many as leave their sums small beside the entries.
        let (len, entries) = (out.len().max(1), self.entries());
        let parts = (entries / len.max(MIN_PART_ENTRIES)).clamp(1, BLOCKS);
        let row = |part: usize| part * self.rows() / parts;
        let mut spare = ctx.take((parts - 1) * out.len());
        let sums: Vec<&mut [f64]> = std::iter::once(&mut *out).chain(spare.chunks_exact_mut(len)).collect();
        sums.into_par_iter().enumerate().for_each(|(part, out)| {
            out.fill(0.0);
            with_rows!(self, rows => add_blocks(rows, row(part)..row(part + 1), weights, size, out));
        });
        for part in spare.chunks_exact(len) {
            axpy(1.0, part, out);
        }
        ctx.give(spare);
    }

    /// Whether so many entries are stored that [`Matrix::weighted_gram`] takes rows as if all were: each multiplication is then about
    /// five times as fast.
    #[must_use]
    pub fn is_almost_full(self) -> bool {
        self.entries() as f64 >= FULL * self.rows() as f64 * self.columns() as f64
    }

    /// The multiplications of [`Matrix::weighted_gram`]. A product with D and one with D^T take two for each entry.
    #[must_use]
    pub fn gram_multiplications(self) -> f64 {
        if self.is_dense() {
            let m = self.columns() as f64;
            return 0.5 * m * (m + 1.0) * self.rows() as f64;
        }
        let work = |row: usize| {
            let entries = with_rows!(self, rows => rows.entries_before(row + 1) - rows.entries_before(row)) as f64;
            0.5 * entries * (entries + 1.0)
        };
        (0..self.rows()).map(work).sum()
    }
}

impl Matrix<'_> {
    /// The multiplications of [`Matrix::weighted_gram`] of the transpose, in about the time of a pass.
    #[must_use]
    pub fn transposed_gram_multiplications(self) -> f64 {
        if self.is_dense() {
            let n = self.rows() as f64;
            return 0.5 * n * (n + 1.0) * self.columns() as f64;
        }
        let mut entries = vec![0.0; self.columns()];
        with_rows!(self, rows => (0..self.rows()).for_each(|row| rows.each(row, |column, _| entries[column] += 1.0)));
        entries.iter().map(|entries| 0.5 * entries * (entries + 1.0)).sum()
    }
}

/// Adds the diagonal blocks of `sum_row weights_row d_row d_row^T` over `range`.
fn add_blocks<R: Rows>(rows: R, range: Range<usize>, weights: &[f64], size: usize, out: &mut [f64]) {
    if size == 1 {
        for row in range {
            let weight = weights[row];
            rows.each(row, |column, value| out[column] += weight * value * value);
        }
        return;
    }
    let m = rows.columns();
    let mut entries = Vec::with_capacity(m.min(size));
    let mut add = |block: usize, entries: &mut Vec<(usize, f64)>, weight: f64| {
        let (start, len) = (block * size, size.min(m - block * size));
        let out = &mut out[block * size * size..][..len * len];
        for (k, &(j, value)) in entries.iter().enumerate() {
            let scaled = weight * value;
            entries[k..].iter().for_each(|&(i, value)| out[(j - start) * len + i - start] += scaled * value);
        }
        entries.clear();
    };
    for row in range {
        let (weight, mut block) = (weights[row], 0);
        rows.each(row, |column, value| {
            if column / size != block {
                add(std::mem::replace(&mut block, column / size), &mut entries, weight);
            }
            entries.push((column, value));
        });
        add(block, &mut entries, weight);
    }
}

/// Numbers in the diagonal blocks of an m x m matrix, `size` columns each and the last what is left.
///
/// # Panics
///
/// If `size` is 0.
#[must_use]
pub fn blocks_len(m: usize, size: usize) -> usize {
    let rest = m % size;
    (m - rest) * size + rest * rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::testing::random;

    fn gram(design: &Design, weights: &[f64], threads: usize) -> Vec<f64> {
        let m = design.columns();
        let mut out = vec![f64::NAN; m * m];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| design.matrix().weighted_gram(weights, &mut out, &mut Ctx::new()));
        out
    }

    #[test]
    fn agrees_with_products_and_has_the_same_bits_at_every_thread_count() {
        // The last two take several tiles; the rows of the third are almost full.
        for (n, m, per_row) in [(7, 5, 3), (20_000, 40, 9), (20_000, 12, 11)] {
            let sparse = random::design(n, m, per_row, 1);
            let mut values = vec![0.0; n * m];
            sparse.for_each_entry(|i, j, v| values[i * m + j] = v);
            let dense = Design::dense(n, m, values).unwrap();
            let weights = random::vector(n, 2);
            for design in [&sparse, &dense] {
                let one = gram(design, &weights, 1);
                for threads in [2, 3, 8] {
                    assert_eq!(gram(design, &weights, threads), one, "{threads} threads");
                }
                let mut ctx = Ctx::new();
                let (mut u, mut column) = (vec![0.0; n], vec![0.0; m]);
                for j in 0..m {
                    let mut unit = vec![0.0; m];
                    unit[j] = 1.0;
                    design.matrix().apply(&unit, &mut u, &mut ctx);
                    u.iter_mut().zip(&weights).for_each(|(u, w)| *u *= w);
                    design.matrix().apply_transpose(&u, &mut column, &mut ctx);
                    // A sum of n products below 1 in another order.
                    let difference = crate::vector::distance(&one[j * m + j..(j + 1) * m], &column[j..]);
                    assert!(difference <= f64::EPSILON * n as f64, "{difference:e}");
                    assert!(one[j * m..j * m + j].iter().all(|v| *v == 0.0));
                }
            }
        }
    }

    #[test]
    fn diagonal_blocks_are_those_of_the_whole() {
        for (n, m, per_row) in [(60, 17, 5), (3, 2, 2), (4, 0, 1), (0, 3, 1)] {
            let design = random::design(n, m, per_row, 3);
            let weights = random::vector(n, 4);
            let mut whole = vec![0.0; m * m];
            design.matrix().weighted_gram(&weights, &mut whole, &mut Ctx::new());
            for size in [1, 2, 5, 17, 40] {
                let mut blocks = vec![f64::NAN; blocks_len(m, size)];
                design.matrix().weighted_blocks(&weights, size, &mut blocks, &mut Ctx::new());
                let mut position = 0;
                for start in (0..m).step_by(size) {
                    let end = m.min(start + size);
                    for (j, i) in (start..end).flat_map(|j| (start..end).map(move |i| (j, i))) {
                        assert_eq!(blocks[position], whole[j * m + i], "({i}, {j}) in blocks of {size}");
                        position += 1;
                    }
                }
                assert_eq!(position, blocks.len());
            }
        }
    }

    #[test]
    fn diagonal_blocks_have_the_same_bits_at_every_thread_count() {
        let (n, m) = (20_000, 200);
        let (design, weights) = (random::design(n, m, 9, 3), random::vector(n, 4));
        let mut whole = vec![0.0; m * m];
        design.matrix().weighted_gram(&weights, &mut whole, &mut Ctx::new());
        for size in [1, 7] {
            let blocks = |threads: usize| {
                let mut blocks = vec![f64::NAN; blocks_len(m, size)];
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| design.matrix().weighted_blocks(&weights, size, &mut blocks, &mut Ctx::new()));
                blocks
            };
            let one = blocks(1);
            for threads in [2, 3, 8] {
                assert_eq!(blocks(threads), one, "{threads} threads");
            }
            for j in 0..m {
                // A sum of some 900 products below 1 in another order.
                let difference = (one[j / size * size * size + (j % size) * (size.min(m - j / size * size) + 1)]
                    - whole[j * m + j])
                    .abs();
                assert!(difference <= 900.0 * f64::EPSILON * 900.0, "{difference:e}");
            }
        }
    }

    #[test]
    fn work_is_told() {
        assert_eq!(Design::dense(2, 3, vec![1.0; 6]).unwrap().matrix().gram_multiplications(), 12.0);
        assert_eq!(Design::from_triplets(2, 3, &[(0, 1, 1.0)]).unwrap().matrix().gram_multiplications(), 1.0);
        assert_eq!(Design::dense(2, 3, vec![1.0; 6]).unwrap().matrix().transposed_gram_multiplications(), 9.0);
    }
}

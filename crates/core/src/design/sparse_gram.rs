//! `D^T diag(weights) D + diag(diagonal)` where few of its entries can be other than 0: the pattern once, its values as often as
//! wanted.
//!
//! A column of the result is the sum of the rows of D that have an entry in that column. Columns are cut by the work they take,
//! and each is summed by one thread over the rows in their order: the same bits at every thread count.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;

use super::fingerprint::Fingerprint;
use super::kernel::{Index, Values};
use super::matrix::Matrix;
use super::storage::{Rows, SparseRows, Storage, with_compressed, with_indices};
use crate::ctx::{Ctx, Phase};
use crate::symmetric::SymmetricPattern;

/// Blocks of columns, each summed with a buffer of length m of its own; enough to feed as many threads.
const BLOCKS: usize = 16;
/// Turns in which the blocks are summed: whoever watches is asked between them.
const TURNS: usize = 8;

/// The pattern of `D^T diag(weights) D + diag(diagonal)`, and D seen by columns. It belongs to a pattern of D, whatever its values
/// are.
#[derive(Clone, Debug)]
pub struct GramPattern {
    lower: SymmetricPattern,
    /// Where each column of D begins in `entries`.
    pointers: Vec<usize>,
    /// Each entry of a column of D: its row, and its place among the entries of that row.
    entries: Vec<(u32, u32)>,
    /// Columns that cut the work, first 0 and last m.
    cuts: Vec<usize>,
    fingerprint: Fingerprint,
}

impl GramPattern {
    /// The pattern of the lower triangle.
    #[must_use]
    pub fn lower(&self) -> &SymmetricPattern {
        &self.lower
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let pointers = self.pointers.len() * size_of::<usize>() + size_of_val(self.lower.pointers());
        (pointers + self.entries.len() * size_of::<(u32, u32)>() + size_of_val(self.lower.rows())) as u64
    }

    /// Whether it is that of `matrix`.
    #[must_use]
    pub fn belongs_to(&self, matrix: Matrix<'_>) -> bool {
        !matrix.is_dense() && matrix.pattern_fingerprint() == self.fingerprint
    }
}

/// Runs `$body` with `$rows` bound to the rows of a sparse matrix; `None` for a dense one.
macro_rules! with_sparse {
    ($matrix:expr, $rows:ident => $body:expr) => {{
        let matrix: Matrix<'_> = $matrix;
        match (&matrix.design.storage, matrix.values) {
            (Storage::Sparse(compressed), None) => Some(with_compressed!(compressed, $rows => $body)),
            (Storage::Sparse(compressed), Some(values)) => Some(with_indices!(compressed, values, $rows => $body)),
            (Storage::Dense { .. }, _) => None,
        }
    }};
}

impl Matrix<'_> {
    /// About the entries of the lower triangle of `D^T diag(weights) D + diag(diagonal)`, from up to 32 of its columns, in about the
    /// time of a pass; m (m + 1) / 2 where D is dense.
    #[must_use]
    pub fn gram_entries(self) -> f64 {
        const SAMPLES: usize = 32;
        let (n, m) = (self.rows(), self.columns());
        let whole = 0.5 * m as f64 * (m as f64 + 1.0);
        let samples = SAMPLES.min(m);
        let mut sample_of = vec![u8::MAX; m];
        (0..samples).for_each(|k| sample_of[(2 * k + 1) * m / (2 * samples)] = k as u8);
        // The samples that reached each column, one bit for each.
        let mut reached = vec![0_u32; m];
        let counted = with_sparse!(self, rows => {
            for row in 0..n {
                let indices = rows.row(row).0;
                let samples = indices.iter().map(|j| sample_of[j.at()]).filter(|&sample| sample != u8::MAX);
                let bits = samples.fold(0, |bits, sample| bits | 1 << sample);
                if bits != 0 {
                    indices.iter().for_each(|j| reached[j.at()] |= bits);
                }
            }
            // The diagonal is there even where no row is.
            sample_of.iter().zip(&mut reached).filter(|(sample, _)| **sample != u8::MAX).for_each(|(sample, bits)| *bits |= 1 << sample);
            reached.iter().map(|bits| f64::from(bits.count_ones())).sum::<f64>()
        });
        counted.map_or(whole, |counted| 0.5 * (counted * m as f64 / samples.max(1) as f64 + m as f64))
    }

    /// The pattern of [`Matrix::sparse_gram`]; `None` where D is dense, or the lower triangle would have more than `limit`
    /// entries or more than can be named in 32 bits.
    #[must_use]
    pub fn gram_pattern(self, limit: usize) -> Option<GramPattern> {
        let (n, m) = (self.rows(), self.columns());
        let limit = limit.min(i32::MAX as usize);
        if self.is_dense() || u32::try_from(n).is_err() || m > limit {
            return None;
        }
        let fingerprint = self.pattern_fingerprint();
        let (pointers, entries) = with_sparse!(self, rows => by_columns(rows))?;
        let work: Vec<usize> = with_sparse!(self, rows => {
            let row_len = |row: u32| rows.row(row as usize).0.len();
            let of = |column: usize| {
                entries[pointers[column]..pointers[column + 1]].iter().map(|&(row, k)| row_len(row) - k as usize).sum()
            };
            (0..m).into_par_iter().map(of).collect()
        })?;
        let cuts = cut(&work);
        let blocks: Vec<Option<Vec<Vec<u32>>>> = with_sparse!(self, rows => {
            let of = |block: usize| pattern_of(rows, &pointers, &entries, cuts[block]..cuts[block + 1], limit);
            (0..cuts.len() - 1).into_par_iter().map(of).collect()
        })?;
        let columns: Vec<Vec<u32>> = blocks.into_iter().collect::<Option<Vec<_>>>()?.concat();
        let mut ends = vec![0];
        let mut total = 0;
        for column in &columns {
            total += column.len();
            if total > limit {
                return None;
            }
            ends.push(total as u32);
        }
        // Sorted, within the matrix and with their diagonals, as `pattern_of` makes them.
        let lower = SymmetricPattern::new(ends, columns.concat()).ok()?;
        Some(GramPattern { lower, pointers, entries, cuts, fingerprint })
    }

    /// `out` = the lower triangle of `D^T diag(weights) D + diag(diagonal)` in its pattern. Ends early, with anything in `out`,
    /// where whoever watches asks to end.
    ///
    /// # Panics
    ///
    /// If `pattern` is of another shape, `weights` is not of length n, `diagonal` not of length m, or `out` has not one number for
    /// each entry.
    pub fn sparse_gram(self, pattern: &GramPattern, weights: &[f64], diagonal: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let (n, m) = (self.rows(), self.columns());
        assert_eq!(pattern.fingerprint.shape(), (n, m, self.entries()), "the pattern is of this matrix");
        assert_eq!(weights.len(), n, "one weight a row");
        assert_eq!(diagonal.len(), m, "one number a column");
        assert_eq!(out.len(), pattern.lower.entries(), "one number for each entry");
        ctx.count_passes((self.gram_multiplications() / (2 * self.entries()).max(1) as f64).ceil() as u64);
        let blocks = pattern.cuts.len() - 1;
        let mut sums = ctx.take_zeroed(blocks * m);
        let mut parts = Vec::with_capacity(blocks);
        let mut rest = out;
        for (cut, sums) in pattern.cuts.windows(2).zip(sums.chunks_exact_mut(m.max(1))) {
            let entries = pattern.lower.pointers()[cut[1]] - pattern.lower.pointers()[cut[0]];
            let (part, after) = rest.split_at_mut(entries as usize);
            parts.push((cut[0]..cut[1], part, sums));
            rest = after;
        }
        with_sparse!(self, rows => {
            for turn in 0..TURNS {
                if ctx.tick(Phase::Assembly, turn * n / TURNS, n) == ControlFlow::Break(()) {
                    break;
                }
                parts.par_iter_mut().for_each(|(columns, out, sums)| {
                    let first = pattern.lower.pointers()[columns.start] as usize;
                    let at = |turn: usize| columns.start + columns.len() * turn / TURNS;
                    let turn = at(turn)..at(turn + 1);
                    for (column, diagonal) in turn.clone().zip(&diagonal[turn]) {
                        for &(row, k) in &pattern.entries[pattern.pointers[column]..pattern.pointers[column + 1]] {
                            rows.add_from(row as usize, k as usize, weights[row as usize], sums);
                        }
                        let entries = pattern.lower.range(column);
                        let out = &mut out[entries.start - first..entries.end - first];
                        for (out, &row) in out.iter_mut().zip(&pattern.lower.rows()[entries]) {
                            *out = std::mem::take(&mut sums[row as usize]);
                        }
                        out[0] += diagonal;
                    }
                });
            }
        });
        ctx.give(sums);
    }
}

/// D by columns: where each begins, and for each of its entries the row and the place in that row.
fn by_columns<I: Index, V: Values>(rows: SparseRows<'_, I, V>) -> (Vec<usize>, Vec<(u32, u32)>) {
    let (n, m) = (rows.rows(), rows.columns());
    let mut pointers = vec![0; m + 1];
    for row in 0..n {
        rows.row(row).0.iter().for_each(|j| pointers[j.at() + 1] += 1);
    }
    (0..m).for_each(|j| pointers[j + 1] += pointers[j]);
    let (mut next, mut entries) = (pointers.clone(), vec![(0, 0); pointers[m]]);
    for row in 0..n {
        for (k, j) in rows.row(row).0.iter().enumerate() {
            entries[next[j.at()]] = (row as u32, k as u32);
            next[j.at()] += 1;
        }
    }
    (pointers, entries)
}

/// Column boundaries that cut `work` into about equal parts, first 0 and last m.
fn cut(work: &[usize]) -> Vec<usize> {
    let total: usize = work.iter().map(|work| work + 1).sum();
    let (mut cuts, mut done) = (vec![0], 0);
    for (column, work) in work.iter().enumerate() {
        if done * BLOCKS >= total * cuts.len() {
            cuts.push(column);
        }
        done += work + 1;
    }
    cuts.push(work.len());
    cuts
}

/// The rows of the lower triangle in some of its columns, ascending from the diagonal on; `None` if they are more than `limit`.
fn pattern_of<I: Index, V: Values>(
    rows: SparseRows<'_, I, V>,
    pointers: &[usize],
    entries: &[(u32, u32)],
    columns: Range<usize>,
    limit: usize,
) -> Option<Vec<Vec<u32>>> {
    // The last column that reached each row, from 1; 0 for none.
    let mut seen = vec![0_u32; rows.columns()];
    let (mut out, mut total) = (Vec::with_capacity(columns.len()), 0);
    for column in columns {
        let mark = column as u32 + 1;
        let mut found = vec![column as u32];
        seen[column] = mark;
        for &(row, k) in &entries[pointers[column]..pointers[column + 1]] {
            for j in &rows.row(row as usize).0[k as usize..] {
                if std::mem::replace(&mut seen[j.at()], mark) != mark {
                    found.push(j.at() as u32);
                }
            }
        }
        total += found.len();
        if total > limit {
            return None;
        }
        found.sort_unstable();
        out.push(found);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::testing::random;

    fn sparse_gram(design: &Design, weights: &[f64], diagonal: &[f64], threads: usize) -> (GramPattern, Vec<f64>) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let pattern = design.matrix().gram_pattern(usize::MAX).unwrap();
            let mut out = vec![f64::NAN; pattern.lower().entries()];
            design.matrix().sparse_gram(&pattern, weights, diagonal, &mut out, &mut Ctx::new());
            (pattern, out)
        })
    }

    #[test]
    fn agrees_with_the_dense_one_and_has_the_same_bits_at_every_thread_count() {
        for (n, m, per_row, seed) in [(0, 3, 1, 1), (7, 5, 3, 2), (4000, 300, 9, 3), (50, 70_000, 4, 4), (3, 0, 1, 5)] {
            let design = random::design(n, m, per_row, seed);
            let (weights, diagonal) = (random::vector(n, 2), random::vector(m, 3));
            let (pattern, one) = sparse_gram(&design, &weights, &diagonal, 1);
            for threads in [2, 3, 4, 8] {
                let (again, values) = sparse_gram(&design, &weights, &diagonal, threads);
                assert_eq!((again.lower(), &values), (pattern.lower(), &one), "{threads} threads");
            }
            if m > 1000 {
                continue;
            }
            let mut dense = vec![0.0; m * m];
            design.matrix().weighted_gram(&weights, &mut dense, &mut Ctx::new());
            (0..m).for_each(|j| dense[j * m + j] += diagonal[j]);
            for j in 0..m {
                for (&i, value) in pattern.lower().column(j).iter().zip(&one[pattern.lower().range(j)]) {
                    let entry = std::mem::take(&mut dense[j * m + i as usize]);
                    assert_eq!(*value, entry, "({i}, {j})");
                }
            }
            assert!(dense.iter().all(|v| *v == 0.0), "every entry that is not 0 is in the pattern");
        }
    }

    #[test]
    fn entries_are_foretold() {
        for (n, m, per_row) in [(0, 40, 1), (300, 20, 4), (3000, 2000, 3), (5, 0, 1)] {
            let matrix = random::design(n, m, per_row, 1);
            let entries = matrix.matrix().gram_pattern(usize::MAX).unwrap().lower().entries() as f64;
            let foretold = matrix.matrix().gram_entries();
            // Up to 32 columns are all of them; of more, the mean of 32 is within a few standard deviations.
            let allowed = if m <= 32 { 0.0 } else { 0.3 };
            assert!((foretold - entries).abs() <= allowed * entries, "{foretold} of {entries}");
        }
        assert_eq!(Design::dense(3, 4, vec![1.0; 12]).unwrap().matrix().gram_entries(), 10.0);
    }

    #[test]
    fn a_pattern_knows_its_design_and_its_limit() {
        let design = random::design(200, 50, 6, 1);
        let pattern = design.matrix().gram_pattern(usize::MAX).unwrap();
        let others = vec![2.0; design.entries()];
        assert!(pattern.belongs_to(design.matrix()) && pattern.belongs_to(design.with_values(&others)));
        assert!(!pattern.belongs_to(random::design(200, 50, 6, 2).matrix()));
        assert!(pattern.bytes() > 12 * design.entries() as u64 / 2);
        let entries = pattern.lower().entries();
        assert!(design.matrix().gram_pattern(entries).is_some());
        assert!(design.matrix().gram_pattern(entries - 1).is_none());
        assert!(Design::dense(2, 2, vec![1.0; 4]).unwrap().matrix().gram_pattern(usize::MAX).is_none());
    }
}

//! `D^T diag(weights) D + diag(diagonal)` where few of its entries can be other than 0: the pattern once, its values as often as
//! wanted.
//!
//! A column of the result is the sum of the rows of D that have an entry in that column. Columns are taken in groups of four, so that
//! neighbours share the rows that both have. Groups are cut by the work they take, and each is summed by one thread over the rows in
//! their order: the same bits at every thread count.

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;

use super::fingerprint::Fingerprint;
use super::kernel::{Index, Values};
use super::matrix::Matrix;
use super::storage::{Rows, SparseRows, Storage, with_compressed, with_indices};
use crate::ctx::{Ctx, Phase, bytes_of};
use crate::simd::{Loop, widest};
use crate::symmetric::SymmetricPattern;

/// Columns that are summed together. It divides 64.
const GROUP: usize = 4;
/// Blocks of groups, each summed with a buffer of 4 m numbers of its own; enough to feed as many threads.
const BLOCKS: usize = 16;
/// Turns in which the blocks are summed: whoever watches is asked between them.
const TURNS: usize = 8;

/// The pattern of `D^T diag(weights) D + diag(diagonal)`, and D seen by columns. It belongs to a pattern of D, whatever its values
/// are.
#[derive(Clone, Debug)]
pub struct GramPattern {
    lower: SymmetricPattern,
    /// Where each group of columns begins in `entries`.
    pointers: Vec<usize>,
    /// The rows with entries in the columns of a group, and the place of the first of them among the entries of that row.
    entries: Vec<(u32, u32)>,
    /// Groups that cut the work, first 0 and last the number of groups.
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

    /// Bytes that [`Matrix::sparse_gram`] takes while it sums.
    #[must_use]
    pub fn scratch_bytes(&self) -> u64 {
        bytes_of(self.cuts.len().saturating_sub(1) * GROUP * self.lower.len())
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

/// Up to 32 of `len` columns, spread evenly: a bit for each of them, 0 for the others.
fn samples(len: usize) -> Vec<u32> {
    let samples = len.min(u32::BITS as usize);
    let mut bit_of = vec![0; len];
    (0..samples).for_each(|k| bit_of[(2 * k + 1) * len / (2 * samples)] = 1 << k);
    bit_of
}

/// Entries of the lower triangle of a symmetric matrix with `counted` entries in the columns of [`samples`]; all where none were
/// counted.
fn triangle(len: usize, counted: Option<usize>) -> f64 {
    let (len, samples) = (len as f64, len.clamp(1, u32::BITS as usize) as f64);
    0.5 * (counted.map_or(len * len, |counted| counted as f64 * len / samples) + len)
}

impl Matrix<'_> {
    /// About the entries of the lower triangle of `D^T diag(weights) D + diag(diagonal)`, from up to 32 of its columns, in about the
    /// time of a pass; m (m + 1) / 2 where D is dense.
    #[must_use]
    pub fn gram_entries(self) -> f64 {
        let (n, m) = (self.rows(), self.columns());
        let bit_of = samples(m);
        // The samples that reached each column. The diagonal is there even where no row is.
        let mut reached = bit_of.clone();
        let counted = with_sparse!(self, rows => {
            for row in 0..n {
                let indices = rows.row(row).0;
                let bits = indices.iter().fold(0, |bits, j| bits | bit_of[j.at()]);
                if bits != 0 {
                    indices.iter().for_each(|j| reached[j.at()] |= bits);
                }
            }
            reached.iter().map(|bits| bits.count_ones() as usize).sum()
        });
        triangle(m, counted)
    }

    /// The same of `D diag(weights) D^T + diag(diagonal)`, n x n.
    #[must_use]
    pub fn transposed_gram_entries(self) -> f64 {
        let (n, m) = (self.rows(), self.columns());
        let bit_of = samples(n);
        // The samples that have an entry in each column.
        let mut reached = vec![0_u32; m];
        let counted = with_sparse!(self, rows => {
            for row in (0..n).filter(|&row| bit_of[row] != 0) {
                rows.row(row).0.iter().for_each(|j| reached[j.at()] |= bit_of[row]);
            }
            let bits = |row: usize| rows.row(row).0.iter().fold(bit_of[row], |bits, j| bits | reached[j.at()]);
            (0..n).map(|row| bits(row).count_ones() as usize).sum()
        });
        triangle(n, counted)
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
        let ((pointers, entries), words) =
            with_sparse!(self, rows => rayon::join(|| by_groups(rows), || Words::of(rows)))?;
        let work: Vec<usize> = with_sparse!(self, rows => {
            let left = |&(row, k): &(u32, u32)| rows.row(row as usize).0.len() - k as usize;
            let of = |group: usize| entries[pointers[group]..pointers[group + 1]].iter().map(left).sum();
            (0..pointers.len() - 1).into_par_iter().map(of).collect()
        })?;
        let cuts = cut(&work);
        let of = |block: usize| pattern_of(&words, m, &pointers, &entries, cuts[block]..cuts[block + 1], limit);
        let blocks: Vec<Option<Vec<Vec<u32>>>> = (0..cuts.len() - 1).into_par_iter().map(of).collect();
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
        let mut sums = ctx.take_zeroed(blocks * GROUP * m);
        let mut parts = Vec::with_capacity(blocks);
        let mut rest = out;
        let first_entry = |group: usize| pattern.lower.pointers()[(group * GROUP).min(m)] as usize;
        for (cut, sums) in pattern.cuts.windows(2).zip(sums.chunks_exact_mut((GROUP * m).max(1))) {
            let (part, after) = rest.split_at_mut(first_entry(cut[1]) - first_entry(cut[0]));
            parts.push((cut[0]..cut[1], part, sums.as_chunks_mut().0));
            rest = after;
        }
        with_sparse!(self, rows => {
            for turn in 0..TURNS {
                if ctx.tick(Phase::Assembly, turn * n / TURNS, n) == ControlFlow::Break(()) {
                    break;
                }
                parts.par_iter_mut().for_each(|(groups, out, sums)| {
                    let first = first_entry(groups.start);
                    let at = |turn: usize| groups.start + groups.len() * turn / TURNS;
                    for group in at(turn)..at(turn + 1) {
                        let columns = group * GROUP..m.min((group + 1) * GROUP);
                        let entries = &pattern.entries[pattern.pointers[group]..pattern.pointers[group + 1]];
                        widest(AddGroup { rows, entries, weights, columns: columns.clone(), sums });
                        for column in columns.clone() {
                            let entries = pattern.lower.range(column);
                            let out = &mut out[entries.start - first..entries.end - first];
                            for (out, &row) in out.iter_mut().zip(&pattern.lower.rows()[entries]) {
                                *out = std::mem::take(&mut sums[row as usize][column - columns.start]);
                            }
                            out[0] += diagonal[column];
                        }
                        // What is left above the diagonal is in rows that no later group reads.
                    }
                });
            }
        });
        ctx.give(sums);
    }
}

/// `sums_j += D_ij s_i (D_ic, ..., D_{i,c+3})` for the rows i with entries in the columns c, ..., c + 3, and their entries j from c on.
struct AddGroup<'a, I, V> {
    rows: SparseRows<'a, I, V>,
    entries: &'a [(u32, u32)],
    weights: &'a [f64],
    columns: Range<usize>,
    sums: &'a mut [[f64; GROUP]],
}

impl<I: Index, V: Values> Loop for AddGroup<'_, I, V> {
    #[inline(always)]
    fn run(self) {
        let Self { rows, entries, weights, columns, sums } = self;
        for &(row, k) in entries {
            let (row, k) = (row as usize, k as usize);
            let (indices, values) = rows.row(row);
            let (indices, values) = (&indices[k..], values.slice(k..indices.len()));
            let mut scaled = [0.0; GROUP];
            for (l, j) in indices.iter().enumerate().take_while(|(_, j)| j.at() < columns.end) {
                scaled[j.at() - columns.start] = weights[row] * values.get(l);
            }
            for (l, j) in indices.iter().enumerate() {
                let value = values.get(l);
                sums[j.at()].iter_mut().zip(&scaled).for_each(|(sum, scaled)| *sum += scaled * value);
            }
        }
    }
}

/// D by groups of columns: where each begins, and the rows with entries in it, each with the place of the first of these.
fn by_groups<I: Index, V: Values>(rows: SparseRows<'_, I, V>) -> (Vec<usize>, Vec<(u32, u32)>) {
    let groups = rows.columns().div_ceil(GROUP);
    // Calls `visit(group, k)` on the first entry of a row in each group.
    let each = |row: usize, visit: &mut dyn FnMut(usize, usize)| {
        let mut before = usize::MAX;
        for (k, j) in rows.row(row).0.iter().enumerate() {
            let group = j.at() / GROUP;
            if group != before {
                visit(group, k);
                before = group;
            }
        }
    };
    let mut pointers = vec![0; groups + 1];
    for row in 0..rows.rows() {
        each(row, &mut |group, _| pointers[group + 1] += 1);
    }
    (0..groups).for_each(|group| pointers[group + 1] += pointers[group]);
    let (mut next, mut entries) = (pointers.clone(), vec![(0, 0); pointers[groups]]);
    for row in 0..rows.rows() {
        each(row, &mut |group, k| {
            entries[next[group]] = (row as u32, k as u32);
            next[group] += 1;
        });
    }
    (pointers, entries)
}

/// Boundaries that cut `work` into about equal parts, first 0 and last its length.
fn cut(work: &[usize]) -> Vec<usize> {
    let total: usize = work.iter().map(|work| work + 1).sum();
    let (mut cuts, mut done) = (vec![0], 0);
    for (group, work) in work.iter().enumerate() {
        if done * BLOCKS >= total * cuts.len() {
            cuts.push(group);
        }
        done += work + 1;
    }
    cuts.push(work.len());
    cuts
}

/// The columns of each row as bits of words of 64, those without one left out: rows of neighbouring columns take few.
struct Words {
    /// Where those of each row begin.
    pointers: Vec<usize>,
    /// Which word, and its bits.
    words: Vec<(u32, u64)>,
}

impl Words {
    fn of<I: Index, V: Values>(rows: SparseRows<'_, I, V>) -> Self {
        let (mut pointers, mut words) = (Vec::with_capacity(rows.rows() + 1), Vec::<(u32, u64)>::new());
        pointers.push(0);
        for row in 0..rows.rows() {
            let start = words.len();
            for j in rows.row(row).0 {
                let (word, bit) = ((j.at() / 64) as u32, 1 << (j.at() % 64));
                match words[start..].last_mut() {
                    Some((last, bits)) if *last == word => *bits |= bit,
                    _ => words.push((word, bit)),
                }
            }
            pointers.push(words.len());
        }
        Self { pointers, words }
    }

    /// Those of a row, from the one of `column` on.
    fn from(&self, row: usize, column: usize) -> &[(u32, u64)] {
        let words = &self.words[self.pointers[row]..self.pointers[row + 1]];
        &words[words.partition_point(|(word, _)| (*word as usize) < column / 64)..]
    }
}

/// The rows of the lower triangle in the columns of some groups, ascending from the diagonal on; `None` if they are more than `limit`.
fn pattern_of(
    words: &Words,
    m: usize,
    pointers: &[usize],
    entries: &[(u32, u32)],
    groups: Range<usize>,
    limit: usize,
) -> Option<Vec<Vec<u32>>> {
    let (mut out, mut total) = (Vec::with_capacity(groups.len() * GROUP), 0);
    // For each column of a group the bits that were found, and which words have any.
    let mut columns: [(Vec<u64>, Vec<u32>); GROUP] = std::array::from_fn(|_| (vec![0; m.div_ceil(64)], Vec::new()));
    for group in groups {
        let start = group * GROUP;
        let (own, bit) = (start / 64, start % 64);
        for &(row, _) in &entries[pointers[group]..pointers[group + 1]] {
            let row = words.from(row as usize, start);
            // A group lies within one word, of which the row has some bits.
            let which = row[0].1 >> bit;
            let those = columns.iter_mut().enumerate().filter(|(k, _)| which >> k & 1 == 1);
            for (_, (found, touched)) in those {
                for &(word, bits) in row {
                    let here = &mut found[word as usize];
                    if *here == 0 {
                        touched.push(word);
                    }
                    *here |= bits;
                }
            }
        }
        for (column, (found, touched)) in (start..m).zip(&mut columns) {
            if found[own] == 0 {
                touched.push(own as u32);
            }
            // What is above the diagonal does not count; the diagonal does, even where no row is.
            found[own] = found[own] & (u64::MAX << (column % 64)) | 1 << (column % 64);
            touched.sort_unstable();
            let len = touched.iter().map(|&word| found[word as usize].count_ones() as usize).sum();
            total += len;
            if total > limit {
                return None;
            }
            let mut rows = Vec::with_capacity(len);
            for word in touched.drain(..) {
                let mut bits = std::mem::take(&mut found[word as usize]);
                while bits != 0 {
                    rows.push(64 * word + bits.trailing_zeros());
                    bits &= bits - 1;
                }
            }
            out.push(rows);
        }
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
            assert_eq!(matrix.matrix().transposed().unwrap().matrix().transposed_gram_entries(), foretold);
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

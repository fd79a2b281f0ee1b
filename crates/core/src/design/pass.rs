//! One pass over D: `dots_k = D v_k`, a link applied row by row, `out = D^T weights`, all in one read of the entries.
//!
//! Rows are cut into pieces by the shape and pattern of D alone. Each piece accumulates into a vector of its own, and the
//! vectors are added along a fixed binary tree: the result has the same bits at every thread count.

use super::storage::Rows;
use super::{Design, with_rows};
use crate::ctx::Ctx;

/// Rows that a [`Block`] holds at the most: few enough that their entries are still in cache for the second visit.
pub const BLOCK_ROWS: usize = 32;

/// Pieces at the most; enough to feed 16 threads.
const MAX_PIECES: usize = 16;
/// Entries below which a piece is not worth a task.
const MIN_PIECE_ENTRIES: usize = 8192;
/// Entries of a piece per column: below it, clearing and adding the piece's own accumulator costs too much.
const MIN_ENTRIES_PER_COLUMN: usize = 4;

/// A few consecutive rows in the middle of a pass.
#[derive(Debug)]
pub struct Block<'a> {
    /// Index of the first of these rows.
    pub first: usize,
    /// `(D v)_i` of these rows, for the first and the second input; empty for an input that was not given.
    pub dots: [&'a [f64]; 2],
    /// These rows of the pass's row output; empty if it has none.
    pub row_output: &'a mut [f64],
    /// To be set: the weights of these rows in `out = D^T weights`.
    pub weights: &'a mut [f64],
}

/// What a pass does with a block of rows between reading and accumulating.
pub type Link<'a> = dyn Fn(Block<'_>) + Sync + 'a;

/// Everything a piece needs except what it writes.
struct Job<'a, R> {
    rows: &'a R,
    inputs: &'a [&'a [f64]],
    link: &'a Link<'a>,
    parallel: bool,
}

/// Row boundaries of the pieces, first 0 and last n.
pub(super) fn cut<R: Rows>(rows: &R) -> Vec<usize> {
    let entries = rows.entries();
    let per_piece = MIN_PIECE_ENTRIES.max(MIN_ENTRIES_PER_COLUMN * rows.columns());
    let pieces = (entries / per_piece).clamp(1, MAX_PIECES);
    let mut cuts = vec![0];
    for piece in 1..pieces {
        let target = entries / pieces * piece;
        let (mut low, mut high) = (cuts[piece - 1], rows.rows());
        while low < high {
            let middle = low + (high - low) / 2;
            if rows.entries_before(middle) < target { low = middle + 1 } else { high = middle }
        }
        cuts.push(low);
    }
    cuts.push(rows.rows());
    cuts
}

impl Design {
    /// One pass over D. For each block of rows: the dots `(D v)_i` with up to two `inputs` (each of length m), then
    /// `link`, which sees them and sets the weights and its part of `row_output` (length n, or empty for none); last,
    /// `out = D^T weights` (length m, overwritten; empty if only the dots are wanted).
    ///
    /// `link` is called from several threads, once for each row in all. The result does not depend on their number.
    ///
    /// # Panics
    ///
    /// If there are more than two inputs or a length is wrong.
    pub fn pass(&self, inputs: &[&[f64]], row_output: &mut [f64], out: &mut [f64], link: &Link<'_>, ctx: &mut Ctx) {
        let (n, m) = (self.rows(), self.columns());
        assert!(inputs.len() <= 2, "a pass takes at most two inputs, found {}", inputs.len());
        assert!(inputs.iter().all(|v| v.len() == m), "an input of a pass must have length m = {m}");
        assert!(row_output.is_empty() || row_output.len() == n, "the row output of a pass must have length n = {n}");
        assert!(out.is_empty() || out.len() == m, "the output of a pass must have length m = {m}");
        ctx.count_pass();
        let pieces = self.cuts.len() - 1;
        let mut spare = ctx.take(if out.is_empty() { 0 } else { (pieces - 1) * m });
        let parallel = pieces > 1 && rayon::current_num_threads() > 1;
        with_rows!(self, rows => Job { rows, inputs, link, parallel }.run(&self.cuts, row_output, out, &mut spare));
        ctx.give(spare);
    }

    /// `out = D v`, out of length n.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn apply(&self, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.pass(&[v], out, &mut [], &|block| block.row_output.copy_from_slice(block.dots[0]), ctx);
    }

    /// `out = D^T w`, out of length m.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn apply_transpose(&self, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        assert_eq!(w.len(), self.rows(), "one weight a row");
        let link = |block: Block<'_>| {
            let rows = block.first..block.first + block.weights.len();
            block.weights.copy_from_slice(&w[rows]);
        };
        self.pass(&[], &mut [], out, &link, ctx);
    }
}

impl<R: Rows> Job<'_, R> {
    /// The pieces between consecutive `cuts`, halved until one is left; `spare` holds an accumulator for each but the
    /// first.
    fn run(&self, cuts: &[usize], row_output: &mut [f64], out: &mut [f64], spare: &mut [f64]) {
        let pieces = cuts.len() - 1;
        if pieces == 1 {
            return self.piece(cuts[0], cuts[1], row_output, out);
        }
        let half = pieces / 2;
        let m = out.len();
        let (left_rows, right_rows) =
            row_output.split_at_mut(if row_output.is_empty() { 0 } else { cuts[half] - cuts[0] });
        let (left_spare, right_spare) = spare.split_at_mut((half - 1) * m);
        let (right_out, right_spare) = right_spare.split_at_mut(m);
        let mut left = || self.run(&cuts[..=half], left_rows, out, left_spare);
        let mut right = || self.run(&cuts[half..], right_rows, right_out, right_spare);
        if self.parallel {
            rayon::join(left, right);
        } else {
            left();
            right();
        }
        for (total, part) in out.iter_mut().zip(right_out) {
            *total += *part;
        }
    }

    fn piece(&self, start: usize, end: usize, row_output: &mut [f64], out: &mut [f64]) {
        let mut dots = [[0.0; BLOCK_ROWS]; 2];
        let mut weights = [0.0; BLOCK_ROWS];
        out.fill(0.0);
        for first in (start..end).step_by(BLOCK_ROWS) {
            let count = BLOCK_ROWS.min(end - first);
            match *self.inputs {
                [v] => {
                    for (k, dot) in dots[0][..count].iter_mut().enumerate() {
                        *dot = self.rows.dot(first + k, v);
                    }
                }
                [v, w] => {
                    let [of_v, of_w] = &mut dots;
                    for (k, (dot_v, dot_w)) in of_v.iter_mut().zip(of_w).take(count).enumerate() {
                        (*dot_v, *dot_w) = self.rows.dot2(first + k, v, w);
                    }
                }
                _ => {}
            }
            let filled = |input: usize| if input < self.inputs.len() { count } else { 0 };
            (self.link)(Block {
                first,
                dots: [&dots[0][..filled(0)], &dots[1][..filled(1)]],
                row_output: if row_output.is_empty() { &mut [] } else { &mut row_output[first - start..][..count] },
                weights: &mut weights[..count],
            });
            if !out.is_empty() {
                for (k, &weight) in weights[..count].iter().enumerate() {
                    self.rows.axpy(first + k, weight, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    /// `D v` and `D^T w` by the definition.
    fn naive(design: &Design, v: &[f64], w: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mut dv, mut dtw) = (vec![0.0; design.rows()], vec![0.0; design.columns()]);
        design.for_each_entry(|i, j, d| {
            dv[i] += d * v[j];
            dtw[j] += d * w[i];
        });
        (dv, dtw)
    }

    #[test]
    fn agrees_with_the_definition_on_one_piece_and_on_many() {
        // The third has 200,000 entries on 100 columns: 16 pieces.
        for (n, m, per_row) in [(7, 5, 2), (40, 70, 9), (10_000, 100, 20)] {
            let sparse = random::design(n, m, per_row, 1);
            let mut values = vec![0.0; n * m];
            sparse.for_each_entry(|i, j, d| values[i * m + j] = d);
            let dense = Design::dense(n, m, values).unwrap();
            let (v, w) = (random::vector(m, 2), random::vector(n, 3));
            let (dv, dtw) = naive(&sparse, &v, &w);
            for design in [&sparse, &dense] {
                let mut ctx = Ctx::new();
                let (mut out_n, mut out_m) = (vec![0.0; n], vec![0.0; m]);
                design.apply(&v, &mut out_n, &mut ctx);
                design.apply_transpose(&w, &mut out_m, &mut ctx);
                // Sums of at most n or m products of numbers below 10: gamma_n times their absolute sum.
                let tolerance = |terms: usize| 100.0 * f64::EPSILON * (terms * terms) as f64;
                assert!(crate::vector::distance(&out_n, &dv) <= tolerance(per_row));
                assert!(crate::vector::distance(&out_m, &dtw) <= 10.0 * f64::EPSILON * n as f64);
                assert_eq!(ctx.passes(), 2);
            }
        }
    }

    #[test]
    fn same_bits_at_every_thread_count() {
        let design = random::design(20_000, 300, 15, 4);
        let v = random::vector(300, 5);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (mut rows, mut out) = (vec![0.0; 20_000], vec![0.0; 300]);
                let link = |b: Block<'_>| {
                    b.row_output.copy_from_slice(b.dots[0]);
                    b.weights.iter_mut().zip(b.dots[0]).for_each(|(w, u)| *w = u.tanh());
                };
                design.pass(&[&v], &mut rows, &mut out, &link, &mut Ctx::new());
                (rows, out)
            })
        };
        assert!(design.cuts.len() > 4);
        let one = run(1);
        for threads in [2, 3, 4, 8] {
            assert_eq!(run(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn two_inputs_have_the_bits_of_one() {
        let design = random::design(50, 20, 6, 6);
        let (v, w) = (random::vector(20, 7), random::vector(20, 8));
        let mut ctx = Ctx::new();
        let (mut first, mut second, mut alone) = (vec![0.0; 50], vec![0.0; 50], vec![0.0; 50]);
        design.pass(&[&v, &w], &mut first, &mut [], &|b| b.row_output.copy_from_slice(b.dots[0]), &mut ctx);
        design.pass(&[&v, &w], &mut second, &mut [], &|b| b.row_output.copy_from_slice(b.dots[1]), &mut ctx);
        design.apply(&v, &mut alone, &mut ctx);
        assert_eq!(first, alone);
        design.apply(&w, &mut alone, &mut ctx);
        assert_eq!(second, alone);
    }
}

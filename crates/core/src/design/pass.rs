//! One pass over D: `dots_k = D v_k`, a link applied row by row, `out = D^T weights`.
//!
//! There are two forms. *Fused*, the entries are read once: each row adds to `out` while it is in cache. *Gathered*, the weights of
//! all rows are kept, and `out` is summed column by column over a stored D^T. A scattered addition costs about twice a
//! gathered one; a second read costs its bytes. Which form a design takes is decided once, by its shape and its values
//! (the module `plan`).
//!
//! Vectors may be of a width: `width` numbers for each row or column, one after another, as of an n x width or m x width
//! matrix kept row by row.
//!
//! Rows are cut into pieces by the shape and pattern of D alone. Fused, each piece accumulates into a vector of its own, and the
//! vectors are added along a fixed binary tree; gathered, each sum belongs to one piece: the result has the same bits at every
//! thread count.

use super::matrix::{Matrix, with_rows};
use super::plan::Order;
use super::storage::{Rows, with_compressed};
use crate::ctx::Ctx;

/// Numbers a row that a block holds: two dots, a weight, two entry weights.
const BLOCK_VECTORS: usize = 5;

/// What a pass reads and writes besides D. Start from [`Pass::default`], which reads and writes nothing, with a width of 1.
#[derive(Debug)]
pub struct Pass<'a> {
    /// Numbers for each row and column in every vector, at least 1.
    pub width: usize,
    /// Up to two vectors v, each of length m width: the pass computes D v.
    pub inputs: &'a [&'a [f64]],
    /// What the link writes row by row: as many numbers a row as it likes, the same for each; or empty.
    pub row_output: &'a mut [f64],
    /// `D^T weights` (length m width, overwritten); or empty.
    pub out: &'a mut [f64],
    /// What is added at the stored entries, if anything.
    pub entry_output: Option<EntryOutput<'a>>,
}

impl Default for Pass<'_> {
    fn default() -> Self {
        Self { width: 1, inputs: &[], row_output: &mut [], out: &mut [], entry_output: None }
    }
}

/// `out_k += a_i . f_j + b_i . g_j` at every stored entry k = (i, j), with a and b the entry weights that the link sets.
#[derive(Debug)]
pub struct EntryOutput<'a> {
    /// One number for each stored entry, by row and then by column.
    pub out: &'a mut [f64],
    /// f and g, each of length m width; an empty one adds nothing.
    pub factors: [&'a [f64]; 2],
}

/// A few consecutive rows in the middle of a pass; each slice has `width` numbers a row, the row output those of its own.
#[derive(Debug)]
pub struct Block<'a> {
    /// Index of the first of these rows.
    pub first: usize,
    /// Number of these rows.
    pub rows: usize,
    /// `(D v)_i` of these rows, for the first and the second input; empty for an input that was not given.
    pub dots: [&'a [f64]; 2],
    /// These rows of the pass's row output; empty if it has none.
    pub row_output: &'a mut [f64],
    /// To be set: the weights of these rows in `out = D^T weights`.
    pub weights: &'a mut [f64],
    /// To be set where the pass has an entry output: a and b of these rows.
    pub entry_weights: [&'a mut [f64]; 2],
}

/// What a pass does with a block of rows between reading and accumulating.
pub type Link<'a> = dyn Fn(Block<'_>) + Sync + 'a;

/// Everything a piece needs except what it writes.
struct Job<'a, R> {
    rows: R,
    width: usize,
    row_width: usize,
    inputs: &'a [&'a [f64]],
    /// Two inputs side by side, where the storage reads them so.
    pairs: &'a [[f64; 2]],
    factors: [&'a [f64]; 2],
    order: &'a Order,
    link: &'a Link<'a>,
    parallel: bool,
}

/// What one or several pieces write.
struct Outputs<'a> {
    row_output: &'a mut [f64],
    /// The weights of all rows, where they are kept.
    weights: &'a mut [f64],
    out: &'a mut [f64],
    entries: &'a mut [f64],
    /// An accumulator for each piece but the first.
    spare: &'a mut [f64],
    /// The numbers of a block for each piece.
    blocks: &'a mut [f64],
}

impl Matrix<'_> {
    /// One pass over D. For each block of rows: the dots `(D v)_i` with the inputs, then `link`, which sees them and sets the
    /// weights and its part of the row output; last, what these rows add to the outputs.
    ///
    /// `link` is called from several threads, once for each row in all. The result does not depend on their number.
    ///
    /// # Panics
    ///
    /// If there are more than two inputs or a length is wrong.
    pub fn pass(self, pass: Pass<'_>, link: &Link<'_>, ctx: &mut Ctx) {
        let Pass { width, inputs, row_output, out, entry_output } = pass;
        let m = self.columns() * width;
        let row_width = row_output.len() / self.rows().max(1);
        assert!(width > 0, "a pass has a width of at least 1");
        assert!(inputs.len() <= 2, "a pass takes at most two inputs, found {}", inputs.len());
        assert!(inputs.iter().all(|v| v.len() == m), "an input of a pass must have length m width = {m}");
        assert_eq!(row_output.len(), self.rows() * row_width, "the row output has the same length for each row");
        assert!(out.is_empty() || out.len() == m, "the output of a pass must have length m width = {m}");
        let (entries, factors) = match entry_output {
            Some(EntryOutput { out, factors }) => {
                assert_eq!(out.len(), self.entries(), "one number for each stored entry");
                assert!(
                    factors.iter().all(|f| f.is_empty() || f.len() == m),
                    "a factor must have length m width = {m}"
                );
                (out, factors)
            }
            None => (&mut [][..], [&[][..]; 2]),
        };
        ctx.count_pass();
        let transpose = self.transpose();
        let cuts = transpose.map_or(&self.design.cuts, |transpose| &transpose.row_cuts);
        let gathered = transpose.filter(|_| !out.is_empty());
        let (scattered, out) = if gathered.is_some() { (&mut [][..], out) } else { (out, &mut [][..]) };
        let pieces = cuts.len() - 1;
        let mut weights = ctx.take(if gathered.is_some() { self.rows() * width } else { 0 });
        let mut spare = ctx.take((pieces - 1) * scattered.len());
        let mut blocks = ctx.take(pieces * BLOCK_VECTORS * self.design.order.rows_at_most() * width);
        let parallel = pieces > 1 && rayon::current_num_threads() > 1;
        let outputs = Outputs {
            row_output,
            weights: &mut weights,
            out: scattered,
            entries,
            spare: &mut spare,
            blocks: &mut blocks,
        };
        let mut pairs = ctx.take(if self.design.is_dense() || width > 1 || inputs.len() < 2 { 0 } else { 2 * m });
        if let ([v, w], false) = (inputs, pairs.is_empty()) {
            pairs.as_chunks_mut().0.iter_mut().zip(*v).zip(*w).for_each(|((pair, v), w)| *pair = [*v, *w]);
        }
        let side_by_side = pairs.as_chunks().0;
        with_rows!(self, rows => {
            let pairs = side_by_side;
            let order = &self.design.order;
            Job { rows, width, row_width, inputs, pairs, factors, order, link, parallel }.run(cuts, outputs);
        });
        if let Some(transpose) = gathered {
            with_compressed!(transpose.columns, columns => gather(&columns, width, &weights, &transpose.cuts, out));
        }
        [pairs, blocks, spare, weights].into_iter().for_each(|buffer| ctx.give(buffer));
    }

    /// `out = D v`, v of length m width and out of length n width.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn apply_wide(self, width: usize, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let pass = Pass { width, inputs: &[v], row_output: out, ..Pass::default() };
        self.pass(pass, &|block| block.row_output.copy_from_slice(block.dots[0]), ctx);
    }

    /// `out = D v`, out of length n.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn apply(self, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.apply_wide(1, v, out, ctx);
    }

    /// `out = D^T w`, w of length n width and out of length m width.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn apply_transpose_wide(self, width: usize, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        assert_eq!(w.len(), self.rows() * width, "one weight a row");
        let link = |block: Block<'_>| {
            block.weights.copy_from_slice(&w[block.first * width..][..block.rows * width]);
        };
        self.pass(Pass { width, out, ..Pass::default() }, &link, ctx);
    }

    /// `out = D^T w`, out of length m.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn apply_transpose(self, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.apply_transpose_wide(1, w, out, ctx);
    }
}

/// `out = D^T weights` for the columns between consecutive `cuts`, which are the rows of `columns`.
fn gather<R: Rows>(columns: &R, width: usize, weights: &[f64], cuts: &[usize], out: &mut [f64]) {
    let pieces = cuts.len() - 1;
    if pieces > 1 {
        let half = pieces / 2;
        let (left, right) = out.split_at_mut((cuts[half] - cuts[0]) * width);
        rayon::join(
            || gather(columns, width, weights, &cuts[..=half], left),
            || gather(columns, width, weights, &cuts[half..], right),
        );
    } else if width == 1 {
        // A copy: through a reference, what it points to would be read again after each number written.
        let columns = *columns;
        for (j, out) in out.iter_mut().enumerate() {
            columns.look_ahead(cuts[0] + j);
            *out = columns.dot(cuts[0] + j, weights);
        }
    } else {
        for (j, out) in out.chunks_exact_mut(width).enumerate() {
            columns.dot_wide(cuts[0] + j, weights, out);
        }
    }
}

impl<R: Rows> Job<'_, R> {
    /// The pieces between consecutive `cuts`, halved until one is left.
    fn run(&self, cuts: &[usize], outputs: Outputs<'_>) {
        let pieces = cuts.len() - 1;
        if pieces == 1 {
            return self.piece(cuts[0], cuts[1], outputs);
        }
        let Outputs { row_output, weights, out, entries, spare, blocks } = outputs;
        let (half, m) = (pieces / 2, out.len());
        let rows = (cuts[half] - cuts[0]) * self.row_width;
        let before = |row| self.rows.entries_before(row);
        let entry = if entries.is_empty() { 0 } else { before(cuts[half]) - before(cuts[0]) };
        let kept = if weights.is_empty() { 0 } else { (cuts[half] - cuts[0]) * self.width };
        let (left_rows, right_rows) = row_output.split_at_mut(rows);
        let (left_weights, right_weights) = weights.split_at_mut(kept);
        let (left_entries, right_entries) = entries.split_at_mut(entry);
        let (left_blocks, right_blocks) = blocks.split_at_mut(blocks.len() / pieces * half);
        let (left_spare, right_spare) = spare.split_at_mut((half - 1) * m);
        let (right_out, right_spare) = right_spare.split_at_mut(m);
        let left = Outputs {
            row_output: left_rows,
            weights: left_weights,
            out: &mut *out,
            entries: left_entries,
            spare: left_spare,
            blocks: left_blocks,
        };
        let right = Outputs {
            row_output: right_rows,
            weights: right_weights,
            out: &mut *right_out,
            entries: right_entries,
            spare: right_spare,
            blocks: right_blocks,
        };
        if self.parallel {
            rayon::join(|| self.run(&cuts[..=half], left), || self.run(&cuts[half..], right));
        } else {
            self.run(&cuts[..=half], left);
            self.run(&cuts[half..], right);
        }
        for (total, part) in out.iter_mut().zip(right_out) {
            *total += *part;
        }
    }

    fn piece(&self, start: usize, end: usize, outputs: Outputs<'_>) {
        let Outputs { row_output, weights: kept, out, entries, blocks, .. } = outputs;
        let width = self.width;
        let mut parts = blocks.chunks_exact_mut(self.order.rows_at_most() * width);
        let [dots, more_dots, weights, a, b] = std::array::from_fn(|_| parts.next().expect("five vectors a block"));
        out.fill(0.0);
        let mut first = start;
        while first < end {
            let next = self.order.block_end(first, end);
            let rows = next - first;
            let len = rows * width;
            let weights =
                if kept.is_empty() { &mut weights[..len] } else { &mut kept[(first - start) * width..][..len] };
            self.dots(first, &mut dots[..len], &mut more_dots[..len]);
            let filled = |input: usize| if input < self.inputs.len() { len } else { 0 };
            let weighted = if entries.is_empty() { 0 } else { len };
            (self.link)(Block {
                first,
                rows,
                dots: [&dots[..filled(0)], &more_dots[..filled(1)]],
                row_output: &mut row_output[(first - start) * self.row_width..][..rows * self.row_width],
                weights: &mut *weights,
                entry_weights: [&mut a[..weighted], &mut b[..weighted]],
            });
            if !out.is_empty() {
                self.accumulate(first, weights, out);
            }
            if !entries.is_empty() {
                let of_row = |row| self.rows.entries_before(row) - self.rows.entries_before(start);
                for k in 0..rows {
                    let out = &mut entries[of_row(first + k)..of_row(first + k + 1)];
                    for (weights, factor) in [&*a, &*b].into_iter().zip(self.factors).filter(|(_, f)| !f.is_empty()) {
                        self.rows.add_outer(first + k, &weights[k * width..][..width], factor, out);
                    }
                }
            }
            first = next;
        }
    }

    #[inline]
    fn dots(&self, first: usize, dots: &mut [f64], more_dots: &mut [f64]) {
        // A copy: through a reference, what it points to would be read again after each number written.
        let rows = self.rows;
        match *self.inputs {
            [v] if self.width == 1 => match self.order.of_block(first, dots.len()) {
                None if rows.dots_at_once(first, v, dots) => {}
                None => {
                    for (k, dot) in dots.iter_mut().enumerate() {
                        rows.look_ahead(first + k);
                        *dot = rows.dot(first + k, v);
                    }
                }
                Some(order) => {
                    for k in order.iter().copied().map(usize::from) {
                        rows.look_ahead(first + k);
                        dots[k] = rows.dot(first + k, v);
                    }
                }
            },
            [v, w] if self.width == 1 => match self.order.of_block(first, dots.len()) {
                None if rows.dots_at_once(first, v, dots) && rows.dots_at_once(first, w, more_dots) => {}
                None => {
                    for (k, (of_v, of_w)) in dots.iter_mut().zip(more_dots).enumerate() {
                        rows.look_ahead(first + k);
                        [*of_v, *of_w] = rows.dot2(first + k, v, w, self.pairs);
                    }
                }
                Some(order) => {
                    for k in order.iter().copied().map(usize::from) {
                        rows.look_ahead(first + k);
                        [dots[k], more_dots[k]] = rows.dot2(first + k, v, w, self.pairs);
                    }
                }
            },
            _ => {
                for (v, dots) in self.inputs.iter().zip([dots, more_dots]) {
                    for (k, dots) in dots.chunks_exact_mut(self.width).enumerate() {
                        rows.dot_wide(first + k, v, dots);
                    }
                }
            }
        }
    }

    /// `out += D^T weights` for these rows.
    #[inline]
    fn accumulate(&self, first: usize, weights: &[f64], out: &mut [f64]) {
        let (rows, is_first_visit) = (self.rows, self.inputs.is_empty());
        if self.width == 1 {
            if rows.axpys_at_once(first, weights, out) {
                return;
            }
            for (k, &weight) in weights.iter().enumerate() {
                if is_first_visit {
                    rows.look_ahead(first + k);
                }
                rows.axpy(first + k, weight, out);
            }
        } else {
            for (k, weights) in weights.chunks_exact(self.width).enumerate() {
                rows.axpy_wide(first + k, weights, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
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
                design.matrix().apply(&v, &mut out_n, &mut ctx);
                design.matrix().apply_transpose(&w, &mut out_m, &mut ctx);
                // Sums of at most n or m products of numbers below 10: gamma_n times their absolute sum.
                let tolerance = |terms: usize| 100.0 * f64::EPSILON * (terms * terms) as f64;
                assert!(crate::vector::distance(&out_n, &dv) <= tolerance(per_row));
                assert!(crate::vector::distance(&out_m, &dtw) <= 10.0 * f64::EPSILON * n as f64);
                assert_eq!(ctx.passes(), 2);
            }
        }
    }

    /// Rows that are read together have the bits of those read one by one, whatever the lengths of block, row and rest.
    #[test]
    fn dense_rows_together_have_the_bits_of_each() {
        for (n, m) in [(1, 1), (3, 7), (9, 64), (13, 77), (70, 203), (5, 9001)] {
            let (values, v, w) = (random::vector(n * m, 1), random::vector(m, 2), random::vector(n, 3));
            let other = random::vector(m, 4);
            let design = Design::dense(n, m, values.clone()).unwrap();
            let (mut dots, mut pairs, mut out) = (vec![0.0; n], vec![0.0; 2 * n], vec![0.0; m]);
            let link = |block: Block<'_>| {
                block.row_output.copy_from_slice(block.dots[0]);
                block.weights.copy_from_slice(&w[block.first..][..block.rows]);
            };
            let pass = Pass { inputs: &[&v], row_output: &mut dots, out: &mut out, ..Pass::default() };
            design.matrix().pass(pass, &link, &mut Ctx::new());
            let link = |block: Block<'_>| {
                let each = block.dots[0].iter().zip(block.dots[1]);
                block.row_output.chunks_exact_mut(2).zip(each).for_each(|(out, (a, b))| out.copy_from_slice(&[*a, *b]));
            };
            let pass = Pass { inputs: &[&other, &v], row_output: &mut pairs, ..Pass::default() };
            design.matrix().pass(pass, &link, &mut Ctx::new());
            let mut expected = vec![0.0; m];
            // In one piece.
            for (i, row) in values.chunks_exact(m).enumerate() {
                let of = |v: &[f64]| crate::vector::dot(row, v);
                assert_eq!((dots[i], &pairs[2 * i..][..2]), (of(&v), &[of(&other), of(&v)][..]), "{n} x {m}, row {i}");
                crate::vector::axpy(w[i], row, &mut expected);
            }
            if design.cuts.len() == 2 {
                assert_eq!(out, expected, "{n} x {m}");
            }
        }
    }

    /// `design` with `change` done to its values.
    fn changed(design: &Design, change: fn(f64) -> f64) -> Design {
        let mut triplets = Vec::new();
        design.for_each_entry(|i, j, d| triplets.push((i, j, change(d))));
        Design::from_triplets(design.rows(), design.columns(), &triplets).unwrap()
    }

    /// Indices of 1, 2 and 4 bytes, values of 8, 4 and none, fused and gathered.
    /// Rows of 0 to `longest` - 1 entries.
    fn varied(n: usize, m: usize, longest: usize) -> Design {
        let row = |i: usize| {
            (0..(i * 7919) % longest).map(move |k| (i, (31 * i + 2 * k) % m, 0.1 * ((i + k) % 7 + 1) as f64))
        };
        Design::from_triplets(n, m, &(0..n).flat_map(row).collect::<Vec<_>>()).unwrap()
    }

    fn storages() -> Vec<(Design, bool)> {
        let mut designs = Vec::new();
        for (n, m, per_row) in [(3000, 200, 9), (3000, 700, 30), (20_000, 70_000, 30)] {
            let (plain, short) = (random::design(n, m, per_row, 20), per_row == 9);
            designs.push((changed(&plain, |d| f64::from(d as f32)), false));
            designs.push((changed(&plain, |_| 1.0), short));
            designs.push((plain, false));
        }
        // Rows of many lengths, up to 15 and up to 40.
        for (n, m, longest) in [(5000, 100, 16), (5000, 3000, 41)] {
            let plain = varied(n, m, longest);
            designs.push((changed(&plain, |_| 1.0), m == 100));
            designs.push((plain, m == 100));
        }
        // Rows of D^T named by 4 bytes, and 1.
        designs.push((changed(&random::design(70_000, 40, 2, 20), |_| 1.0), true));
        designs.push((changed(&random::design(200, 3, 2, 20), |_| 1.0), true));
        // Many pieces.
        designs.push((random::design(20_000, 300, 40, 4), false));
        designs
    }

    #[test]
    fn every_storage_and_form_agrees_with_the_definition() {
        for (design, gathered) in storages() {
            assert_eq!(design.transpose.is_some(), gathered, "{} x {}", design.rows(), design.columns());
            let (n, m) = (design.rows(), design.columns());
            let (v, w, mut ctx) = (random::vector(m, 21), random::vector(n, 22), Ctx::new());
            let (dv, dtw) = naive(&design, &v, &w);
            let (mut rows, mut out) = (vec![0.0; n], vec![0.0; m]);
            let link = |b: Block<'_>| {
                b.row_output.copy_from_slice(b.dots[0]);
                b.weights.copy_from_slice(&w[b.first..][..b.rows]);
            };
            design.matrix().pass(
                Pass { inputs: &[&v], row_output: &mut rows, out: &mut out, ..Pass::default() },
                &link,
                &mut ctx,
            );
            // Sums of up to n products of numbers below 10 in another order.
            let tolerance = 10.0 * f64::EPSILON * n as f64;
            assert!(
                crate::vector::distance(&rows, &dv) <= tolerance && crate::vector::distance(&out, &dtw) <= tolerance
            );
            let values = design.values();
            let mut by_values = vec![0.0; m];
            design.with_values(&values).apply_transpose(&w, &mut by_values, &mut ctx);
            assert!(crate::vector::distance(&by_values, &out) <= tolerance);
            let mut seen = Vec::new();
            design.for_each_entry(|_, _, d| seen.push(d));
            assert_eq!(seen, values);
        }
    }

    #[test]
    fn same_bits_at_every_thread_count() {
        for (design, _) in storages() {
            let (n, m) = (design.rows(), design.columns());
            let v = random::vector(m, 23);
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let (mut rows, mut out) = (vec![0.0; n], vec![0.0; m]);
                    let link = |b: Block<'_>| {
                        b.row_output.copy_from_slice(b.dots[0]);
                        b.weights.iter_mut().zip(b.dots[0]).for_each(|(w, u)| *w = u.tanh());
                    };
                    let pass = Pass { inputs: &[&v], row_output: &mut rows, out: &mut out, ..Pass::default() };
                    design.matrix().pass(pass, &link, &mut Ctx::new());
                    (rows, out)
                })
            };
            let one = run(1);
            for threads in [2, 3, 4, 8] {
                assert!(run(threads) == one, "{threads} threads");
            }
        }
    }

    #[test]
    fn two_inputs_have_the_bits_of_one() {
        let design = random::design(50, 20, 6, 6);
        let (v, w) = (random::vector(20, 7), random::vector(20, 8));
        let mut ctx = Ctx::new();
        let (mut first, mut second, mut alone) = (vec![0.0; 50], vec![0.0; 50], vec![0.0; 50]);
        for (input, out) in [&mut first, &mut second].into_iter().enumerate() {
            let pass = Pass { inputs: &[&v, &w], row_output: out, ..Pass::default() };
            design.matrix().pass(pass, &|b| b.row_output.copy_from_slice(b.dots[input]), &mut ctx);
        }
        design.matrix().apply(&v, &mut alone, &mut ctx);
        assert_eq!(first, alone);
        design.matrix().apply(&w, &mut alone, &mut ctx);
        assert_eq!(second, alone);
    }

    #[test]
    fn a_wide_vector_is_many_vectors() {
        let (n, m, width) = (10_000, 100, 3);
        let sparse = random::design(n, m, 20, 9);
        let mut values = vec![0.0; n * m];
        sparse.for_each_entry(|i, j, d| values[i * m + j] = d);
        let column = |wide: &[f64], c: usize| wide.iter().skip(c).step_by(width).copied().collect::<Vec<_>>();
        let (v, w) = (random::vector(m * width, 10), random::vector(n * width, 11));
        for design in [&sparse, &Design::dense(n, m, values).unwrap()] {
            let (matrix, mut ctx) = (design.matrix(), Ctx::new());
            let (mut dv, mut dtw) = (vec![0.0; n * width], vec![0.0; m * width]);
            matrix.apply_wide(width, &v, &mut dv, &mut ctx);
            matrix.apply_transpose_wide(width, &w, &mut dtw, &mut ctx);
            let (mut one_dv, mut one_dtw) = (vec![0.0; n], vec![0.0; m]);
            for c in 0..width {
                matrix.apply(&column(&v, c), &mut one_dv, &mut ctx);
                matrix.apply_transpose(&column(&w, c), &mut one_dtw, &mut ctx);
                // Dots of at most m products below 1, summed in another order, n times; or of n, m times, where D^T w is gathered.
                for (wide, one) in [(column(&dv, c), &one_dv), (column(&dtw, c), &one_dtw)] {
                    let difference = crate::vector::distance(&wide, one);
                    assert!(difference <= f64::EPSILON * (m * n) as f64, "{difference:e}");
                }
                assert!(column(&dtw, c) == one_dtw || design.transpose.is_some());
            }
        }
    }

    #[test]
    fn entry_outputs_are_the_outer_products_at_the_pattern() {
        for (n, m, per_row, width) in [(9, 6, 3, 1), (9, 6, 3, 2), (20_000, 100, 10, 2)] {
            let design = random::design(n, m, per_row, 12);
            let (a, b) = (random::vector(n * width, 13), random::vector(n * width, 14));
            let factors = [&*random::vector(m * width, 15), &*random::vector(m * width, 16)];
            let mut out = vec![1.0; design.entries()];
            let pass = Pass { width, entry_output: Some(EntryOutput { out: &mut out, factors }), ..Pass::default() };
            let link = |block: Block<'_>| {
                let [of_a, of_b] = block.entry_weights;
                of_a.copy_from_slice(&a[block.first * width..][..block.rows * width]);
                of_b.copy_from_slice(&b[block.first * width..][..block.rows * width]);
            };
            design.matrix().pass(pass, &link, &mut Ctx::new());
            let mut k = 0;
            design.for_each_entry(|i, j, _| {
                let term = |x: &[f64], f: &[f64]| (0..width).map(|c| x[i * width + c] * f[j * width + c]).sum::<f64>();
                let expected = 1.0 + term(&a, factors[0]) + term(&b, factors[1]);
                assert!((out[k] - expected).abs() <= 8.0 * f64::EPSILON, "entry {k}");
                k += 1;
            });
        }
    }

    #[test]
    fn other_values_stand_in_the_same_places() {
        let design = random::design(40, 20, 6, 17);
        let doubled: Vec<f64> = design.values().iter().map(|v| 2.0 * v).collect();
        let v = random::vector(20, 18);
        let (mut once, mut twice) = (vec![0.0; 40], vec![0.0; 40]);
        design.matrix().apply(&v, &mut once, &mut Ctx::new());
        design.with_values(&doubled).apply(&v, &mut twice, &mut Ctx::new());
        assert_eq!(twice, once.iter().map(|u| 2.0 * u).collect::<Vec<_>>());
    }
}

//! `G = D_K^T W D_K` of a growing set K of columns, and the solution of `(G_S + diag(mu)) x = b` for a part S of it.
//!
//! Columns are appended, so that what is known stays; a path of problems over the same D and W shares it.

use danskin_core::simd::{Loop, widest};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::columns::{Column, Columns, Storage};

/// A pivot of so many parts of the diagonal is one of a singular matrix.
const SINGULAR: f64 = 1e-13;
/// No slot.
const NONE: u32 = u32::MAX;
/// Columns whose products with as many others are summed together: as many sums as registers hold.
const PANEL: usize = 8;
/// Rows that are read together: so many of two panels stay in the nearest cache.
const ROWS: usize = 128;
/// New columns that one task takes, of whole panels.
const NEW_A_TASK: usize = 8 * PANEL;
/// Order of a matrix from which its factorisation is cut into parts, as many whatever the number of threads.
const LEAST_CUT: usize = 500;
/// Parts of such a factorisation.
const PARTS: usize = 4;
/// What is added to the diagonal, in parts of it, where a matrix is singular in its rounding: its root is the accuracy that is lost.
const RIDGE: f64 = 1e-10;

/// `G` of the columns in slots 0, 1, ...
#[derive(Debug, Default)]
pub(crate) struct Gram {
    /// The D that it is of.
    id: Option<u64>,
    weights: Vec<f64>,
    /// The column in each slot.
    slots: Vec<u32>,
    /// The slot of each column of D.
    slot_of: Vec<u32>,
    /// `leading` x `leading` by columns, the slots in front.
    entries: Vec<f64>,
    leading: usize,
}

impl Gram {
    /// Makes it one of `columns` and `weights`, empty unless it was before.
    pub(crate) fn begin(&mut self, columns: &Columns, weights: &[f64]) {
        let same = self.id == Some(columns.id())
            && self.weights.len() == weights.len()
            && self.weights.iter().zip(weights).all(|(a, b)| a.to_bits() == b.to_bits());
        if same {
            return;
        }
        self.id = Some(columns.id());
        self.weights.clear();
        self.weights.extend_from_slice(weights);
        self.slots.clear();
        self.slot_of.clear();
        self.slot_of.resize(columns.columns(), NONE);
    }

    /// Number of columns, |K|.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The columns in the slots.
    pub(crate) fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// The slot of column j.
    pub(crate) fn slot(&self, j: u32) -> Option<usize> {
        let slot = self.slot_of[j as usize];
        (slot != NONE).then_some(slot as usize)
    }

    /// Column `slot` of G.
    #[inline(always)]
    pub(crate) fn column(&self, slot: usize) -> &[f64] {
        &self.entries[slot * self.leading..][..self.slots.len()]
    }

    /// Forgets all columns but those of `list`.
    pub(crate) fn keep(&mut self, list: &[u32]) {
        let kept: Vec<usize> = list.iter().filter_map(|&j| self.slot(j)).collect();
        let leading = kept.len();
        let mut entries = vec![0.0; leading * leading];
        for (column, &slot) in entries.chunks_exact_mut(leading.max(1)).zip(&kept) {
            let from = self.column(slot);
            column.iter_mut().zip(&kept).for_each(|(value, &k)| *value = from[k]);
        }
        let slots: Vec<u32> = kept.iter().map(|&slot| self.slots[slot]).collect();
        self.slots.iter().for_each(|&j| self.slot_of[j as usize] = NONE);
        slots.iter().enumerate().for_each(|(slot, &j)| self.slot_of[j as usize] = slot as u32);
        (self.slots, self.entries, self.leading) = (slots, entries, leading);
    }

    /// How many of `list` have no slot.
    pub(crate) fn missing(&self, list: &[u32]) -> usize {
        list.iter().filter(|&&j| self.slot(j).is_none()).count()
    }

    /// Gives a slot to each column of `list` that has none.
    pub(crate) fn ensure(&mut self, columns: &Columns, list: &[u32]) {
        let old = self.slots.len();
        for &j in list {
            if self.slot_of[j as usize] == NONE {
                self.slot_of[j as usize] = self.slots.len() as u32;
                self.slots.push(j);
            }
        }
        let all = self.slots.len();
        if all == old {
            return;
        }
        if all > self.leading {
            let leading = all.max(2 * self.leading);
            let mut entries = vec![0.0; leading * leading];
            for slot in 0..old {
                entries[slot * leading..][..old].copy_from_slice(&self.entries[slot * self.leading..][..old]);
            }
            (self.entries, self.leading) = (entries, leading);
        }
        let (slots, leading) = (&self.slots, self.leading);
        let weights = &self.weights[..];
        let new = &mut self.entries[old * leading..all * leading];
        new.fill(0.0);
        match columns.storage() {
            Storage::Dense(_) => {
                new.par_chunks_mut(NEW_A_TASK * leading).enumerate().for_each(|(task, out)| {
                    let first = old + task * NEW_A_TASK;
                    widest(DenseBlock { columns, weights, slots, first, leading, out });
                });
            }
            Storage::Sparse { .. } => {
                let rows = SlotRows::new(columns, slots);
                new.par_chunks_mut(NEW_A_TASK * leading).enumerate().for_each(|(task, out)| {
                    for (k, out) in out.chunks_exact_mut(leading).enumerate() {
                        let slot = old + task * NEW_A_TASK + k;
                        rows.add_products(columns.column(slots[slot] as usize), weights, slot, out);
                    }
                });
            }
        }
        for slot in old..all {
            for k in 0..slot {
                self.entries[k * leading + slot] = self.entries[slot * leading + k];
            }
        }
    }

    /// Factorises `G_S + diag(mu)`, S a list of slots, mu one number for each of them, with a ridge if it is singular. Whether that was
    /// possible.
    pub(crate) fn factorise(&self, part: &[usize], mu: &[f64], factor: &mut Factor) -> bool {
        [0.0, RIDGE].iter().any(|ridge| {
            let order = part.len();
            factor.order = order;
            factor.entries.clear();
            factor.diagonal.clear();
            factor.entries.resize(order * order, 0.0);
            for ((k, column), mu) in factor.entries.chunks_exact_mut(order.max(1)).enumerate().zip(mu) {
                let from = self.column(part[k]);
                column[k..].iter_mut().zip(&part[k..]).for_each(|(value, &slot)| *value = from[slot]);
                column[k] += mu + ridge * (column[k] + mu);
                factor.diagonal.push(column[k]);
            }
            factor.factorise()
        })
    }
}

/// A Cholesky factor.
#[derive(Debug, Default)]
pub(crate) struct Factor {
    order: usize,
    entries: Vec<f64>,
    /// That of the matrix before it was factorised.
    diagonal: Vec<f64>,
}

impl Factor {
    fn factorise(&mut self) -> bool {
        let order = self.order;
        let cut = if order < LEAST_CUT { Par::Seq } else { Par::rayon(PARTS) };
        let parameters = Default::default();
        let mut memory = MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(order, cut, parameters));
        let done = llt::factor::cholesky_in_place(
            MatMut::from_column_major_slice_mut(&mut self.entries, order, order),
            Default::default(),
            cut,
            MemStack::new(&mut memory),
            parameters,
        );
        // A matrix that is singular but for rounding shows in pivots that are rounding of the diagonal.
        let pivots = self.entries.iter().step_by(order + 1);
        done.is_ok() && pivots.zip(&self.diagonal).all(|(pivot, diagonal)| pivot * pivot > SINGULAR * diagonal)
    }

    /// `v <- (G_S + diag(mu))^-1 v`.
    pub(crate) fn solve(&self, v: &mut [f64]) {
        llt::solve::solve_in_place(
            MatRef::from_column_major_slice(&self.entries, self.order, self.order),
            MatMut::from_column_major_slice_mut(v, self.order, 1),
            Par::Seq,
            MemStack::new(&mut []),
        );
    }
}

/// Products of some new dense columns, from the slot `first` on, with those of all slots up to their own.
struct DenseBlock<'a> {
    columns: &'a Columns,
    weights: &'a [f64],
    slots: &'a [u32],
    first: usize,
    leading: usize,
    out: &'a mut [f64],
}

/// A few rows of a few columns, row by row.
type Panel = [[f64; PANEL]; ROWS];

impl DenseBlock<'_> {
    /// The rows from `start` on of the columns in the slots from `slot` on; 0 past the last of either. Returns how many rows.
    #[inline(always)]
    fn pack(&self, slot: usize, start: usize, weights: &[f64], panel: &mut Panel) -> usize {
        let rows = ROWS.min(self.columns.rows() - start);
        for k in 0..PANEL {
            let column = self.slots.get(slot + k).map(|&j| self.columns.column(j as usize));
            match column {
                Some(Column::Dense(column)) => {
                    let column = &column[start..start + rows];
                    panel.iter_mut().zip(column).for_each(|(row, d)| row[k] = *d);
                }
                _ => panel.iter_mut().for_each(|row| row[k] = 0.0),
            }
        }
        if !weights.is_empty() {
            for (row, w) in panel.iter_mut().zip(&weights[start..start + rows]) {
                row.iter_mut().for_each(|d| *d *= w);
            }
        }
        rows
    }
}

impl Loop for DenseBlock<'_> {
    #[inline(always)]
    fn run(self) {
        let new = self.out.len() / self.leading;
        let panels = new.div_ceil(PANEL);
        let mut news = vec![[[0.0; PANEL]; ROWS]; panels];
        let mut old = [[0.0; PANEL]; ROWS];
        for start in (0..self.columns.rows()).step_by(ROWS) {
            let mut rows = 0;
            for (k, panel) in news.iter_mut().enumerate() {
                rows = self.pack(self.first + k * PANEL, start, self.weights, panel);
            }
            for slot in (0..self.first + new).step_by(PANEL) {
                self.pack(slot, start, &[], &mut old);
                for (k, panel) in news.iter().enumerate() {
                    let first = k * PANEL;
                    // Past the diagonal: written from the other side.
                    if slot >= self.first + first + PANEL {
                        continue;
                    }
                    let sums = products(&old[..rows], &panel[..rows]);
                    let own = PANEL.min(new - first);
                    let others = PANEL.min(self.leading - slot);
                    for (sums, out) in sums[..own].iter().zip(self.out[first * self.leading..].chunks_mut(self.leading))
                    {
                        out[slot..slot + others].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                    }
                }
            }
        }
    }
}

/// `sum_i a_i^T b_i`: the products of each column of b with those of a, row after row.
#[inline(always)]
fn products(a: &[[f64; PANEL]], b: &[[f64; PANEL]]) -> [[f64; PANEL]; PANEL] {
    let mut sums = [[0.0; PANEL]; PANEL];
    for (a, b) in a.iter().zip(b) {
        for r in 0..PANEL {
            for c in 0..PANEL {
                sums[r][c] += a[c] * b[r];
            }
        }
    }
    sums
}

/// The columns in slots, by rows.
struct SlotRows {
    pointers: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl SlotRows {
    fn new(columns: &Columns, slots: &[u32]) -> Self {
        let each = |visit: &mut dyn FnMut(usize, u32, f64)| {
            for (slot, &j) in slots.iter().enumerate() {
                if let Column::Sparse(indices, values) = columns.column(j as usize) {
                    indices.iter().zip(values).for_each(|(&i, &value)| visit(i as usize, slot as u32, value));
                }
            }
        };
        let mut pointers = vec![0; columns.rows() + 1];
        each(&mut |i, _, _| pointers[i + 1] += 1);
        (0..columns.rows()).for_each(|i| pointers[i + 1] += pointers[i]);
        let mut next = pointers.clone();
        let mut entries = vec![(0, 0.0); pointers[columns.rows()]];
        each(&mut |i, slot, value| {
            entries[next[i]] = (slot, value);
            next[i] += 1;
        });
        Self { pointers, entries }
    }

    /// Adds the products of `column`, that of `slot`, with those of the slots up to it.
    fn add_products(&self, column: Column<'_>, weights: &[f64], slot: usize, out: &mut [f64]) {
        let Column::Sparse(indices, values) = column else { return };
        for (&i, &value) in indices.iter().zip(values) {
            let i = i as usize;
            let value = if weights.is_empty() { value } else { weights[i] * value };
            for &(other, d) in &self.entries[self.pointers[i]..self.pointers[i + 1]] {
                if other as usize > slot {
                    break;
                }
                out[other as usize] += value * d;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use danskin_core::design::Design;
    use danskin_core::testing::random;

    use super::*;

    /// Slots given at once or by and by, some forgotten in between, of columns dense and sparse: always their products.
    #[test]
    fn products_are_those_of_the_columns() {
        for n in [3, 600] {
            let m = 60;
            let sparse = random::design(n, m, 20, 1);
            let mut by_rows = vec![0.0; n * m];
            sparse.for_each_entry(|i, j, value| by_rows[i * m + j] = value);
            let dense = Design::dense(n, m, by_rows.clone()).unwrap();
            for (design, weights) in
                [(&sparse, vec![]), (&sparse, random::vector(n, 2)), (&dense, vec![]), (&dense, random::vector(n, 2))]
            {
                let columns = Columns::new(design).unwrap();
                let mut gram = Gram::default();
                gram.begin(&columns, &weights);
                for list in [vec![7, 3, 50], (0..30).collect(), vec![3, 31, 59, 32], (20..60).collect()] {
                    gram.ensure(&columns, &list);
                    if list.len() == 4 {
                        gram.keep(&[59, 3, 7, 31, 1, 2]);
                    }
                    for a in 0..gram.len() {
                        for b in 0..gram.len() {
                            let (i, j) = (gram.slots()[a] as usize, gram.slots()[b] as usize);
                            let expected: f64 = (0..n)
                                .map(|row| {
                                    let w = if weights.is_empty() { 1.0 } else { weights[row] };
                                    w * by_rows[row * m + i] * by_rows[row * m + j]
                                })
                                .sum();
                            assert!((gram.column(a)[b] - expected).abs() < 1e-12, "{n} {i} {j}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_singular_part_is_solved_with_a_ridge() {
        let values: Vec<f64> = random::vector(40, 1).into_iter().flat_map(|v| [v, v, 1.0 + v]).collect();
        let columns = Columns::new(&Design::dense(40, 3, values).unwrap()).unwrap();
        let (mut gram, mut factor) = (Gram::default(), Factor::default());
        gram.begin(&columns, &[]);
        gram.ensure(&columns, &[0, 1, 2]);
        assert!(gram.factorise(&[0, 1, 2], &[0.0; 3], &mut factor));
        let right: Vec<f64> = (0..3).map(|i| gram.column(0)[i] + gram.column(1)[i] + gram.column(2)[i]).collect();
        let mut x = right.clone();
        factor.solve(&mut x);
        assert!((x[0] + x[1] - 2.0).abs() < 1e-6 && (x[2] - 1.0).abs() < 1e-6, "{x:?}");
    }
}

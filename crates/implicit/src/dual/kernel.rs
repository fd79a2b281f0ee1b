//! K = D Q^{-1} D^T, and the two matrices that are factorised with it, in either storage.

use danskin_core::ctx::Ctx;
use danskin_core::linear::LinearError;
use danskin_core::vector::{axpy, dot, max_abs};

use crate::dense::DenseTriangle;
use crate::sparse::SparseTriangle;
use crate::spd::{Spd, Storage};

/// A lower triangle whose entries are made from those of another of its kind.
pub(super) trait Triangle: Storage {
    /// `a_ij = entry(i, j, from_ij)` for each entry that is stored, column by column.
    fn fill(&mut self, from: &[f64], entry: impl FnMut(usize, usize, f64) -> f64);

    /// `out = A v`, A the symmetric matrix with `entries` in this storage.
    fn multiply(&self, entries: &[f64], v: &[f64], out: &mut [f64]);
}

impl Triangle for DenseTriangle {
    fn fill(&mut self, from: &[f64], mut entry: impl FnMut(usize, usize, f64) -> f64) {
        let n = self.len();
        for (j, (out, from)) in
            self.entries_mut().chunks_exact_mut(n.max(1)).zip(from.chunks_exact(n.max(1))).enumerate()
        {
            out.iter_mut().zip(from).enumerate().skip(j).for_each(|(i, (out, from))| *out = entry(i, j, *from));
        }
    }

    fn multiply(&self, entries: &[f64], v: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for (j, column) in entries.chunks_exact(v.len().max(1)).enumerate() {
            out[j] += dot(&column[j..], &v[j..]);
            axpy(v[j], &column[j + 1..], &mut out[j + 1..]);
        }
    }
}

impl Triangle for SparseTriangle {
    fn fill(&mut self, from: &[f64], mut entry: impl FnMut(usize, usize, f64) -> f64) {
        let (pattern, values) = self.parts_mut();
        for j in 0..pattern.len() {
            let range = pattern.range(j);
            let entries = values[range.clone()].iter_mut().zip(&from[range]);
            entries.zip(pattern.column(j)).for_each(|((out, from), &i)| *out = entry(i as usize, j, *from));
        }
    }

    fn multiply(&self, entries: &[f64], v: &[f64], out: &mut [f64]) {
        self.pattern().apply(entries, v, out);
    }
}

/// K with its factor, and that of S^(1/2) K S^(1/2) + 1 at the point prepared last.
#[derive(Debug, Default)]
pub(super) struct Kernel<F> {
    /// The lower triangle of q_0 K.
    pub(super) entries: Vec<f64>,
    /// The factor of q_0 K, raised on its diagonal by its rounding.
    pub(super) range: Spd<F>,
    /// The factor of S^(1/2) K S^(1/2) + 1.
    pub(super) system: Spd<F>,
}

impl<F: Triangle> Kernel<F> {
    /// Factorises K, n x n.
    ///
    /// # Errors
    ///
    /// [`LinearError`].
    pub(super) fn factorise(&mut self, n: usize, ctx: &mut Ctx) -> Result<(), LinearError> {
        let entries = &self.entries;
        // A row of D that the others span but for this share of it counts as one of theirs: it is of rounding. An empty row has no part.
        let raise = |entry: f64| if entry > 0.0 { entry * (1.0 + n as f64 * f64::EPSILON) } else { 1.0 };
        let raised = |i, j, entry: f64| if i == j { raise(entry) } else { entry };
        self.range.prepare_raised(&mut |matrix| matrix.fill(entries, raised), ctx)
    }
}

/// What a kernel does in any storage.
pub(super) trait Factors {
    /// Factorises S^(1/2) K S^(1/2) + 1 for `root`, S^(1/2), and `penalty`, q_0; the largest sum of absolute values down a column.
    ///
    /// # Errors
    ///
    /// [`LinearError`].
    fn make_system(&mut self, root: &[f64], penalty: f64, ctx: &mut Ctx) -> Result<f64, LinearError>;

    /// `v <- K^{-1} v / q_0` within the range of K.
    fn solve_range(&mut self, v: &mut [f64]);

    /// `out = q_0 K v`.
    fn multiply(&self, v: &[f64], out: &mut [f64]);

    /// `v <- (S^(1/2) K S^(1/2) + 1)^{-1} v`.
    fn solve_system(&mut self, v: &mut [f64]);

    /// Numbers in the two factors.
    fn factor_entries(&self) -> u64;
}

impl<F: Triangle> Factors for Kernel<F> {
    fn make_system(&mut self, root: &[f64], penalty: f64, ctx: &mut Ctx) -> Result<f64, LinearError> {
        let (entries, mut sums) = (&self.entries, ctx.take(root.len()));
        let mut fill = |matrix: &mut F| {
            sums.fill(1.0);
            matrix.fill(entries, |i, j, entry| {
                let entry = entry * root[i] * root[j] / penalty;
                sums[i] += entry.abs();
                if i == j {
                    return entry + 1.0;
                }
                sums[j] += entry.abs();
                entry
            });
        };
        let prepared = self.system.prepare_raised(&mut fill, ctx);
        let norm = max_abs(&sums).max(1.0);
        ctx.give(sums);
        prepared.map(|()| norm)
    }

    fn solve_range(&mut self, v: &mut [f64]) {
        self.range.apply_inverse(v);
    }

    fn multiply(&self, v: &[f64], out: &mut [f64]) {
        self.range.matrix.multiply(&self.entries, v, out);
    }

    fn solve_system(&mut self, v: &mut [f64]) {
        self.system.apply_inverse(v);
    }

    fn factor_entries(&self) -> u64 {
        self.range.factor_entries() + self.system.factor_entries()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_triangle_is_the_whole_matrix() {
        let mut out = [f64::NAN; 2];
        DenseTriangle::default().multiply(&[1.0, 2.0, f64::NAN, 3.0], &[10.0, 100.0], &mut out);
        assert_eq!(out, [210.0, 320.0]);
    }
}

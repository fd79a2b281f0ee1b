//! D by its columns, the atoms, and the products with it: D^T u of a block of signals, D^T D, u - D z of a sparse z.

use danskin_core::ctx::Ctx;
use danskin_core::design::Design;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::active::PAD;

/// Columns of D^T D that are computed together.
const COLUMNS: usize = 64;

/// The columns of D, one after another.
enum Storage {
    Dense(Vec<f64>),
    Sparse { design: Box<Design>, pointers: Vec<usize>, entries: Vec<(usize, f64)> },
}

/// D, n x m.
pub(super) struct Atoms {
    /// n.
    pub(super) features: usize,
    /// m.
    pub(super) count: usize,
    storage: Storage,
    /// ‖d_j‖² of each column.
    pub(super) squares: Vec<f64>,
}

impl Atoms {
    pub(super) fn new(design: Design) -> Self {
        let (features, count) = (design.rows(), design.columns());
        let mut squares = vec![0.0; count];
        let storage = if design.is_dense() {
            let mut columns = vec![0.0; features * count];
            design.for_each_entry(|row, column, value| {
                columns[column * features + row] = value;
                squares[column] += value * value;
            });
            Storage::Dense(columns)
        } else {
            let mut pointers = vec![0; count + 1];
            design.for_each_entry(|_, column, _| pointers[column + 1] += 1);
            for column in 0..count {
                pointers[column + 1] += pointers[column];
            }
            let mut next = pointers.clone();
            let mut entries = vec![(0, 0.0); design.entries()];
            design.for_each_entry(|row, column, value| {
                entries[next[column]] = (row, value);
                next[column] += 1;
                squares[column] += value * value;
            });
            Storage::Sparse { design: Box::new(design), pointers, entries }
        };
        Self { features, count, storage, squares }
    }

    /// The multiplications of D^T D, and those of D^T u.
    pub(super) fn multiplications(&self) -> (f64, f64) {
        match &self.storage {
            Storage::Dense(columns) => (0.5 * self.count as f64 * columns.len() as f64, columns.len() as f64),
            Storage::Sparse { design, entries, .. } => (design.matrix().gram_multiplications(), entries.len() as f64),
        }
    }

    /// `out` = D^T u of each of `signals`, one after another, `out` with a stride of `blocks` blocks whose padding stays.
    pub(super) fn correlate(&self, signals: &[f64], blocks: usize, out: &mut [[f64; PAD]]) {
        let (n, m) = (self.features, self.count);
        let (count, stride) = (signals.len() / n, blocks * PAD);
        let out = &mut out.as_flattened_mut()[..count * stride];
        match &self.storage {
            Storage::Dense(columns) => matmul(
                MatMut::from_column_major_slice_with_stride_mut(out, m, count, stride),
                Accum::Replace,
                MatRef::from_column_major_slice(columns, n, m).transpose(),
                MatRef::from_column_major_slice(signals, n, count),
                1.0,
                Par::Seq,
            ),
            Storage::Sparse { pointers, entries, .. } => {
                for (signal, out) in signals.chunks_exact(n).zip(out.chunks_exact_mut(stride)) {
                    for (out, ends) in out.iter_mut().zip(pointers.windows(2)) {
                        let entries = &entries[ends[0]..ends[1]];
                        *out = entries.iter().map(|&(row, value)| value * signal[row]).sum();
                    }
                }
            }
        }
    }

    /// D^T D + diag(mu), by columns that are padded with zeros. Columns are shared out, and each entry is a sum in one order.
    pub(super) fn gram(&self, mu: &[f64]) -> Vec<[f64; PAD]> {
        let (n, m) = (self.features, self.count);
        let blocks = m.div_ceil(PAD);
        let mut gram = vec![[0.0; PAD]; m * blocks];
        match &self.storage {
            Storage::Dense(columns) => {
                gram.par_chunks_mut(COLUMNS * blocks).zip(columns.par_chunks(COLUMNS * n)).for_each(
                    |(out, columns)| {
                        self.correlate(columns, blocks, out);
                    },
                );
            }
            Storage::Sparse { design, .. } => {
                let mut lower = vec![0.0; m * m];
                design.matrix().weighted_gram(&vec![1.0; n], &mut lower, &mut Ctx::new());
                gram.par_chunks_mut(blocks).enumerate().for_each(|(j, column)| {
                    for (i, out) in column.as_flattened_mut()[..m].iter_mut().enumerate() {
                        *out = if i < j { lower[i * m + j] } else { lower[j * m + i] };
                    }
                });
            }
        }
        for (j, mu) in mu.iter().enumerate() {
            gram[j * blocks + j / PAD][j % PAD] += mu;
        }
        gram
    }

    /// `panel` = the columns `chosen` of D, one after another.
    pub(super) fn gather(&self, chosen: &[usize], panel: &mut Vec<f64>) {
        panel.clear();
        match &self.storage {
            Storage::Dense(columns) => {
                for &j in chosen {
                    panel.extend_from_slice(&columns[j * self.features..][..self.features]);
                }
            }
            Storage::Sparse { pointers, entries, .. } => {
                panel.resize(chosen.len() * self.features, 0.0);
                for (&j, column) in chosen.iter().zip(panel.chunks_exact_mut(self.features)) {
                    for &(row, value) in &entries[pointers[j]..pointers[j + 1]] {
                        column[row] = value;
                    }
                }
            }
        }
    }

    /// `residual -= D z`, z given by its entries.
    pub(super) fn subtract(&self, z: &[(usize, f64)], residual: &mut [f64]) {
        for &(j, z) in z {
            match &self.storage {
                Storage::Dense(columns) => {
                    danskin_core::vector::axpy(-z, &columns[j * self.features..][..self.features], residual);
                }
                Storage::Sparse { pointers, entries, .. } => {
                    for &(row, value) in &entries[pointers[j]..pointers[j + 1]] {
                        residual[row] -= z * value;
                    }
                }
            }
        }
    }
}

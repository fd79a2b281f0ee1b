//! Several columns without a penalty, as an orthonormal basis of what they span.
//!
//! ```text
//! W^(1/2) D_F = Q R,   D_F z_F = W^(-1/2) Q v,   v = R z_F
//! ```
//!
//! The dual point has to be orthogonal to every combination of these columns, however nearly dependent they are: a residual that is orthogonal to each but for its rounding
//! need not be, while one that is orthogonal to the basis is. In v the problem has columns without a penalty that are orthonormal in W; all others stay.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder;
use faer::linalg::qr::col_pivoting::factor;
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::linalg::triangular_solve::solve_upper_triangular_in_place;
use faer::{Conj, Mat, Par};

use crate::columns::Columns;

/// Operations that a basis may cost, some seconds of them; with more columns than that each stays as it is.
const MOST_OPERATIONS: f64 = 8e9;
/// Numbers that it may take.
const MOST_NUMBERS: usize = 1 << 27;

/// A basis, and D with it in the place of the columns that it spans.
#[derive(Debug)]
pub(crate) struct Basis {
    /// What it was made of: D, W and F.
    of: (u64, Vec<f64>, Vec<u32>),
    columns: Columns,
    /// The columns that R is of, in the order of R, each divided by its norm.
    order: Vec<u32>,
    norms: Vec<f64>,
    /// R, rank x |F|.
    triangle: Mat<f64>,
}

impl Basis {
    /// Of the columns `all`, `squares` those of their norms in W; `None` where it would cost too much, or there is nothing to it.
    pub(crate) fn new(columns: &Columns, weights: &[f64], all: &[u32], squares: &[f64]) -> Option<Self> {
        let free: Vec<u32> = all.iter().copied().filter(|&j| squares[j as usize] > 0.0).collect();
        let (id, n, k) = (columns.id(), columns.rows(), free.len());
        if k < 2 {
            return None;
        }
        let size = n.min(k);
        if (n * k) as f64 * size as f64 > MOST_OPERATIONS || n.checked_mul(k)? > MOST_NUMBERS {
            return None;
        }
        let root = |i: usize| weights.get(i).map_or(1.0, |w| w.sqrt());
        let norms: Vec<f64> = free.iter().map(|&j| squares[j as usize].sqrt()).collect();
        if norms.iter().any(|norm| !norm.is_finite()) {
            return None;
        }
        let mut a = Mat::<f64>::zeros(n, k);
        for (place, (&j, norm)) in free.iter().zip(&norms).enumerate() {
            columns.column(j as usize).each(|i, d| a[(i, place)] = root(i) * d / norm);
        }
        let block = recommended_block_size::<f64>(n, k);
        let mut coefficients = Mat::<f64>::zeros(block, size);
        let (mut forward, mut inverse) = (vec![0_usize; k], vec![0_usize; k]);
        let scratch = factor::qr_in_place_scratch::<usize, f64>(n, k, block, Par::Seq, Default::default());
        factor::qr_in_place(
            a.as_mut(),
            coefficients.as_mut(),
            &mut forward,
            &mut inverse,
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        );
        // Below it a column is a combination of those before it but for the rounding of its own entries.
        let least = f64::EPSILON * n.max(k) as f64 * a[(0, 0)].abs();
        let rank = (0..size).take_while(|&place| a[(place, place)].abs() > least).count();
        let triangle = Mat::from_fn(rank, k, |row, place| if row <= place { a[(row, place)] } else { 0.0 });
        let mut q = Mat::<f64>::identity(n, size);
        let scratch = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(n, block, size);
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            a.as_ref().subcols(0, size),
            coefficients.as_ref(),
            Conj::No,
            q.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
        let order: Vec<u32> = forward.iter().map(|&place| free[place]).collect();
        let norms = forward.iter().map(|&place| norms[place]).collect();
        // A row without a weight has no part in the problem.
        let entry = |i: usize, place: usize| if root(i) > 0.0 { q[(i, place)] / root(i) } else { 0.0 };
        let of_basis = |place: usize| (place < rank).then(|| (0..n).map(|i| entry(i, place)).collect());
        let columns = columns.with(&order, of_basis);
        Some(Self { of: (id, weights.to_vec(), all.to_vec()), columns, order, norms, triangle })
    }

    /// Whether it is that of these.
    pub(crate) fn is_of(&self, columns: &Columns, weights: &[f64], free: &[u32]) -> bool {
        let (id, of_weights, of_free) = &self.of;
        *id == columns.id() && of_free == free && of_weights == weights
    }

    /// D with the basis.
    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// z with v in the place of `z_F`.
    pub(crate) fn enter(&self, z: &[f64]) -> Vec<f64> {
        let mut turned = z.to_vec();
        self.order.iter().for_each(|&j| turned[j as usize] = 0.0);
        for (place, (&j, norm)) in self.order.iter().zip(&self.norms).enumerate() {
            for row in 0..self.triangle.nrows().min(place + 1) {
                turned[self.order[row] as usize] += self.triangle[(row, place)] * norm * z[j as usize];
            }
        }
        turned
    }

    /// Takes z from where it entered to where v moved since; of columns that are combinations of others, nothing moves.
    pub(crate) fn leave(&self, entered: &[f64], turned: &[f64], z: &mut [f64]) {
        let rank = self.triangle.nrows();
        let mut moved = Mat::from_fn(rank, 1, |row, _| {
            let j = self.order[row] as usize;
            turned[j] - entered[j]
        });
        solve_upper_triangular_in_place(self.triangle.as_ref().subcols(0, rank), moved.as_mut(), Par::Seq);
        let free: Vec<f64> = self.order.iter().map(|&j| z[j as usize]).collect();
        z.copy_from_slice(turned);
        for (row, ((&j, norm), free)) in self.order.iter().zip(&self.norms).zip(free).enumerate() {
            z[j as usize] = free + if row < rank { moved[(row, 0)] / norm } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use danskin_core::design::Design;
    use danskin_core::testing::random;

    use super::*;

    /// Columns 1, 3 and 4 are nearly dependent, and 5 is a combination.
    fn columns(n: usize, apart: f64, weights: &[f64]) -> (Columns, Vec<f64>) {
        let mut values = random::vector(n * 6, 1);
        for row in values.chunks_exact_mut(6) {
            row[3] = row[1] + apart * row[3];
            row[4] = 1e3 * (row[1] + apart * row[4]);
            row[5] = row[1] - row[3];
        }
        let columns = Columns::new(&Design::dense(n, 6, values).unwrap()).unwrap();
        let mut squares = vec![0.0; 6];
        columns.squares_of(&[0, 1, 2, 3, 4, 5], weights, &mut squares);
        (columns, squares)
    }

    #[test]
    fn a_basis_is_orthonormal_and_spans_what_its_columns_do() {
        let n = 30;
        let mut weights: Vec<f64> = random::vector(n, 2).iter().map(|w| w.abs()).collect();
        weights[7] = 0.0;
        for (weights, apart) in [(&weights[..], 1e-7), (&[], 1e-7), (&[], 1e-9), (&weights, 0.5)] {
            let (columns, squares) = columns(n, apart, weights);
            let free = [1, 3, 4, 5];
            let basis = Basis::new(&columns, weights, &free, &squares).unwrap();
            assert!(basis.is_of(&columns, weights, &free) && !basis.is_of(&columns, weights, &[1, 3]));
            let weight = |i: usize| weights.get(i).copied().unwrap_or(1.0);
            let unit = |j: usize| {
                let mut column = vec![0.0; n];
                basis.columns().axpy(j, 1.0, &mut column);
                column
            };
            for (a, &j) in basis.order.iter().enumerate() {
                for (b, &k) in basis.order.iter().enumerate() {
                    let (first, second) = (unit(j as usize), unit(k as usize));
                    let product: f64 = (0..n).map(|i| weight(i) * first[i] * second[i]).sum();
                    let expected = if a == b && a < 3 { 1.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-13, "{a} {b}: {product}");
                }
            }
            // D z is that of z, before it enters, within, and after it left.
            let image = |columns: &Columns, z: &[f64]| {
                let mut u = vec![0.0; n];
                z.iter().enumerate().for_each(|(j, z)| columns.axpy(j, *z, &mut u));
                u.iter().enumerate().map(|(i, u)| weight(i).sqrt() * u).collect::<Vec<f64>>()
            };
            let mut z = random::vector(6, 3);
            let mut turned = basis.enter(&z);
            let entered = turned.clone();
            let apart = |a: &[f64], b: &[f64]| danskin_core::vector::distance(a, b);
            assert!(apart(&image(&columns, &z), &image(basis.columns(), &turned)) < 1e-10);
            [0, 1, 3, 4].into_iter().for_each(|j| turned[j] += 0.5);
            basis.leave(&entered, &turned, &mut z);
            // Entries of z as large as 1 / apart, times the rounding of columns of norms to 1e4.
            let tolerance = 1e-12 + 1e-14 * danskin_core::vector::max_abs(&z) * 1e4;
            let found = apart(&image(&columns, &z), &image(basis.columns(), &turned));
            assert!(found < tolerance, "{found:e}");
        }
    }

    #[test]
    fn what_would_cost_too_much_or_overflows_is_left() {
        let columns = Columns::new(&Design::dense(1, 2, vec![1.0, 1.0]).unwrap()).unwrap();
        assert!(Basis::new(&columns, &[], &[0, 1], &[1.0, f64::INFINITY]).is_none());
        assert!(Basis::new(&columns, &[], &[0, 1], &[1.0, 0.0]).is_none());
        let many: Vec<u32> = vec![0; MOST_NUMBERS + 1];
        assert!(Basis::new(&columns, &[], &many, &[1.0, 1.0]).is_none());
    }
}

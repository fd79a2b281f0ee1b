//! Bounds on the error of g1 by the duality gap, for the squared loss with weights w.
//!
//! With G >= L(z) - l(x), r = D z - y and z* a minimiser, sum_i w_i (d_i (z - z*))² / 2 <= G, so that with e = (2 G)^(1/2):
//!
//! | x | ‖grad_x L(z) - grad l(x)‖ <= | |
//! |---|---|---|
//! | targets | max_i w_i^(1/2) e | |
//! | weights | e' (max_i \|r_i\| + e' / 2) | e' = e / min_i w_i^(1/2), over the rows |
//! | log lambda, one | 2 G + ‖w^(1/2) r‖ e | R(z) - R(z*) is (L(z) - l) less F(z) - F(z*) |
//! | entries of D | max_i w_i^(1/2) e ‖z‖ + (‖w r‖ + max_i w_i^(1/2) e) e / q^(1/2) | q > 0 the least strong convexity of the penalty |
//!
//! G is that of [`Composite::gap`], in exact arithmetic: u_i is wrong by at most U_i = gamma_k (|D| |z|)_i, k the entries of its row, and entry j of grad F by
//! gamma_k (|D|^T w |r|)_j + (|D|^T w U)_j, k those of its column; the share s of the dual point is small enough for both.

use super::SparseGlm;
use crate::certificate::{AnalyticBound, Theorem, Unproved};
use crate::design::{UNDERFLOW, gamma};
use crate::problem::glm::Wrt;
use crate::problem::loss::Loss;
use crate::problem::{Objective, Point};
use crate::vector::norm;

/// Roundings of sums, beside those of their terms.
const SPARE: usize = 16;

impl<L: Loss + Clone> SparseGlm<L> {
    /// A bound on the error of g1 at `at`, whose `grad_z` is grad F.
    pub(super) fn error_by_gap(&self, at: Point<'_>) -> Result<AnalyticBound, Unproved> {
        let row = self.smooth.row(at.x);
        let (n, m) = (self.design().rows(), at.z.len());
        // No other loss says how far its values are from quadratic; and the squared loss is that of a difference which has a curvature of 1.
        let squared = |i: usize| row.loss.second(0.0, row.targets[i]).0 == 1.0;
        if !(Loss::is_quadratic(row.loss) && Loss::is_of_difference(row.loss) && (0..n).all(squared)) {
            return Err(Unproved::Unknown);
        }
        if let Some(row) = (0..n).find(|&i| row.weight(i) < 0.0) {
            return Err(Unproved::NegativeWeight { row, weight: self.smooth.row(at.x).weight(row) });
        }
        let residual = |i: usize| at.memo[i] - row.targets[i];
        let weights = || (0..n).map(|i| row.weight(i));
        let heaviest = weights().fold(0.0, f64::max);
        let sum = |term: &dyn Fn(usize) -> f64| (0..n).map(term).sum::<f64>() * (1.0 + gamma(n + SPARE));
        // ‖w r‖ and ‖w^(1/2) r‖.
        let slopes = sum(&|i| (row.weight(i) * residual(i)).powi(2)).sqrt();
        let weighted = sum(&|i| row.weight(i) * residual(i).powi(2)).sqrt();
        let size = norm(at.z) * (1.0 + gamma(m + SPARE));
        let Rounding { of_u, of_gradient } = self.rounding(at, &residual);
        let of_u = norm(&of_u) * (1.0 + gamma(n + SPARE));

        let (mut share, mut free, mut flat, mut convexity) = (1.0_f64, None, None, f64::INFINITY);
        self.each(at.x, |[l, q], group, j| {
            convexity = convexity.min(q);
            if q == 0.0 {
                flat = flat.or(Some(j));
            }
            if l == 0.0 && q == 0.0 {
                free = free.or(Some(j));
            }
            if q == 0.0 && self.penalty_of(group).beyond(at.grad_z[j], l) + of_gradient[j] > 0.0 {
                share = share.min(l / (at.grad_z[j].abs() + of_gradient[j]));
            }
        });
        if let Some(column) = free {
            return Err(Unproved::NotStronglyConvex { column });
        }
        let mut gap = 0.5 * (((1.0 - share) * weighted) + heaviest.sqrt() * of_u).powi(2);
        let mut held = 0.0;
        self.each(at.x, |[l, q], group, j| {
            let (z, g, penalty) = (at.z[j], share * at.grad_z[j], self.penalty_of(group));
            let beyond = (penalty.beyond(g, l) + of_gradient[j]).max(0.0);
            let conjugate = if q > 0.0 { 0.5 * beyond * beyond / q } else { 0.0 };
            let terms = [l * z.abs(), 0.5 * q * z * z, g * z, conjugate];
            held += terms.iter().sum::<f64>().max(0.0);
            held += gamma(SPARE) * terms.iter().map(|term| term.abs()).sum::<f64>() + of_gradient[j] * z.abs();
            if penalty.is_nonnegative() && z < 0.0 {
                held = f64::INFINITY;
            }
        });
        gap = (gap + held) * (1.0 + gamma(m + SPARE));

        let e = (2.0 * gap).sqrt();
        let root = heaviest.sqrt();
        let (iterate, rounding) = match self.smooth.differentiated() {
            Wrt::Targets => (root * e, heaviest * of_u),
            Wrt::Weights => {
                let lightest = weights().fold(f64::INFINITY, f64::min);
                let largest = (0..n).map(|i| residual(i).abs()).fold(0.0, f64::max);
                let moved = e / lightest.sqrt();
                (moved * (largest + 0.5 * moved), of_u * (largest + of_u))
            }
            Wrt::Regularisation if self.parameter_len() == 1 => {
                let value = self.regularisation(at.x).value(at.z);
                (2.0 * gap + weighted * e, gamma(m + SPARE) * value)
            }
            Wrt::Regularisation => return Err(Unproved::Unknown),
            Wrt::Design => {
                if let Some(column) = flat {
                    return Err(Unproved::NotStronglyConvex { column });
                }
                let moved = e / convexity.sqrt();
                (root * e * size + (slopes + root * e) * moved, heaviest * of_u * size)
            }
        };
        let bound = AnalyticBound { iterate, rounding, localised: true, theorem: Theorem::Gap, is_loose: false };
        if bound.total().is_finite() { Ok(bound) } else { Err(Unproved::Overflow) }
    }

    /// What rounding did, at the most, to u - y at z and to grad F there; `residual` is what it left of the former.
    fn rounding(&self, at: Point<'_>, residual: &dyn Fn(usize) -> f64) -> Rounding {
        let (row, matrix) = (self.smooth.row(at.x), self.smooth.matrix(at.x));
        let (n, m) = (self.design().rows(), at.z.len());
        let (mut of_u, mut of_gradient, mut slopes) = (vec![0.0; n], vec![0.0; m], vec![0.0; m]);
        let mut in_column = vec![0; m];
        for (i, of_u) in of_u.iter_mut().enumerate() {
            let (mut sum, mut entries) = (0.0, 0);
            matrix.each_of_row(i, |j, d| {
                sum += (d * at.z[j]).abs();
                entries += 1;
                in_column[j] += 1;
            });
            // Twice, for the rounding of the bound itself.
            *of_u = 2.0 * gamma(entries + SPARE) * sum + f64::EPSILON * residual(i).abs() + entries as f64 * UNDERFLOW;
            let weight = row.weight(i);
            matrix.each_of_row(i, |j, d| {
                slopes[j] += (d * weight * residual(i)).abs();
                of_gradient[j] += (d * weight).abs() * *of_u;
            });
        }
        for ((out, slope), entries) in of_gradient.iter_mut().zip(slopes).zip(in_column) {
            *out = (1.0 + gamma(n + SPARE)) * *out + 2.0 * gamma(entries + SPARE) * slope + entries as f64 * UNDERFLOW;
        }
        Rounding { of_u, of_gradient }
    }
}

/// Bounds on what rounding did to each number.
struct Rounding {
    /// Length n.
    of_u: Vec<f64>,
    /// Length m.
    of_gradient: Vec<f64>,
}

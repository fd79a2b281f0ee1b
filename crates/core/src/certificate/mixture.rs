//! The mixture of iterates whose gradient would be least, if gradients were linear in z, and a step down that gradient.
//!
//! With d_k and e_k the differences between the gradients and the points of pairs (z_k, G_k) that follow one another, K the last:
//! minimise ‖G_K - sum gamma_k d_k‖;
//!
//! ```text
//! z' = z_K - sum gamma_k e_k - rho (G_K - sum gamma_k d_k),       1 / rho = max_k ‖d_k‖² / <d_k, e_k>
//! ```
//!
//! Source: Anderson, Iterative procedures for nonlinear integral equations, Journal of the ACM 12, 1965; Walker and Ni, Anderson
//! acceleration for fixed-point iterations, SIAM Journal on Numerical Analysis 49, 2011.

use std::collections::VecDeque;

use crate::solve::Trail;
use crate::vector::{axpy, dot};

/// Differences that a mixture is made of, at the most.
const DIFFERENCES: usize = 9;
/// Share of its square below which what is new in a difference is the rounding of the products it was told from.
const NEW: f64 = 1e-13;

impl Trail {
    /// The mixture of its pairs whose gradient would be least, if gradients were linear in z, and a step down that gradient (Anderson acceleration); length m.
    /// `None` of fewer than two pairs, or where it is not finite.
    #[must_use]
    pub fn mixture(&self) -> Option<Vec<f64>> {
        Mixture::of(self.pairs()).point()
    }
}

/// The pairs that the next mixture is made of.
#[derive(Debug, Default)]
pub(super) struct Mixture {
    z: Vec<f64>,
    grad_z: Vec<f64>,
    /// The oldest first.
    differences: VecDeque<Difference>,
}

/// What is between two pairs.
#[derive(Debug)]
struct Difference {
    /// e.
    z: Vec<f64>,
    /// d.
    grad_z: Vec<f64>,
    /// <d, d_k> with those after it, the next one first, behind ‖d‖².
    products: VecDeque<f64>,
    /// <d, e>.
    curvature: f64,
}

impl Mixture {
    /// Of some pairs, the oldest first.
    pub(super) fn of<'a>(pairs: impl Iterator<Item = (&'a [f64], &'a [f64])>) -> Self {
        let mut mixture = Self::default();
        pairs.for_each(|(z, grad_z)| mixture.push(z, grad_z));
        mixture
    }

    /// Takes a pair in; the oldest makes room.
    pub(super) fn push(&mut self, z: &[f64], grad_z: &[f64]) {
        if !self.z.is_empty() {
            let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
            let (e, d) = (minus(z, &self.z), minus(grad_z, &self.grad_z));
            if self.differences.len() == DIFFERENCES {
                self.differences.pop_front();
            }
            for other in &mut self.differences {
                other.products.push_back(dot(&other.grad_z, &d));
            }
            let (products, curvature) = (VecDeque::from([dot(&d, &d)]), dot(&d, &e));
            self.differences.push_back(Difference { z: e, grad_z: d, products, curvature });
        }
        (self.z, self.grad_z) = (z.to_vec(), grad_z.to_vec());
    }

    /// Numbers held.
    pub(super) fn len(&self) -> usize {
        2 * self.z.len() * (1 + self.differences.len())
    }

    /// z', length m; `None` of fewer than two pairs or where it is not finite.
    pub(super) fn point(&self) -> Option<Vec<f64>> {
        let count = self.differences.len();
        // The newest first: of differences that say nothing new, the oldest are left out.
        let newest: Vec<&Difference> = self.differences.iter().rev().collect();
        let product = |k: usize, l: usize| newest[k.max(l)].products[k.abs_diff(l)];
        let right: Vec<f64> = newest.iter().map(|one| dot(&one.grad_z, &self.grad_z)).collect();
        let gammas = least_squares(count, product, &right);
        let steepest = newest.iter().map(|one| one.products[0] / one.curvature).filter(|l| l.is_finite());
        let steepest = steepest.fold(0.0, f64::max);
        let rho = if steepest > 0.0 { 1.0 / steepest } else { 0.0 };
        let mut z = self.z.clone();
        axpy(-rho, &self.grad_z, &mut z);
        for (one, gamma) in newest.iter().zip(gammas).filter(|(_, gamma)| *gamma != 0.0) {
            axpy(-gamma, &one.z, &mut z);
            axpy(gamma * rho, &one.grad_z, &mut z);
        }
        if count == 0 || z.iter().any(|z| !z.is_finite()) { None } else { Some(z) }
    }
}

/// gamma with `A gamma = b`: by Cholesky, with 0 for what says nothing new.
fn least_squares(count: usize, product: impl Fn(usize, usize) -> f64, right: &[f64]) -> Vec<f64> {
    let mut factor = vec![vec![0.0; count]; count];
    let mut kept = vec![false; count];
    for k in 0..count {
        for l in (0..k).filter(|&l| kept[l]) {
            let known: f64 = (0..l).map(|j| factor[k][j] * factor[l][j]).sum();
            factor[k][l] = (product(k, l) - known) / factor[l][l];
        }
        let new = product(k, k) - factor[k][..k].iter().map(|f| f * f).sum::<f64>();
        kept[k] = new > NEW * product(k, k);
        if kept[k] {
            factor[k][k] = new.sqrt();
        }
    }
    let kept: Vec<usize> = (0..count).filter(|&k| kept[k]).collect();
    let mut gammas = vec![0.0; count];
    for &k in &kept {
        let known: f64 = (0..k).map(|l| factor[k][l] * gammas[l]).sum();
        gammas[k] = (right[k] - known) / factor[k][k];
    }
    for &k in kept.iter().rev() {
        let known: f64 = kept.iter().filter(|&&l| l > k).map(|&l| factor[l][k] * gammas[l]).sum();
        gammas[k] = (gammas[k] - known) / factor[k][k];
    }
    gammas
}

#[cfg(test)]
mod tests {
    use crate::ctx::Ctx;
    use crate::problem::Objective;
    use crate::problem::glm::Glm;
    use crate::problem::loss::Squared;
    use crate::solve::{Solve, Stop};
    use crate::solver::{GradientDescent, StepSize};
    use crate::testing::random;
    use crate::vector::norm;

    #[test]
    fn as_many_pairs_as_directions_are_enough_where_gradients_are_linear() {
        let problem = Glm::new(random::design(40, 5, 3, 1), Squared, 0.5).unwrap();
        let (x, solver) = (random::vector(40, 2), GradientDescent::new(StepSize::Fixed(0.01)));
        let residual = |pairs: usize| {
            let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(8)).trail(pairs).run().unwrap();
            let z = solution.trail().mixture().map_or(solution.z().to_vec(), |z| z);
            let mut grad_z = vec![0.0; 5];
            problem.grad_z(&z, &x, &mut grad_z, &mut [], &mut Ctx::new());
            norm(&grad_z) / solution.initial_residual()
        };
        let found = [0, 1, 2, 3, 4, 6, 9].map(residual);
        assert_eq!(found[0], found[1]);
        assert!(found[1..6].windows(2).all(|pair| pair[1] < 0.2 * pair[0]), "{found:?}");
        // Five directions take six pairs. Steps this short differ by a millionth in the last of them, of which products know four digits.
        assert!(found[5] < 1e-3 * found[1] && found[6] < 1e-3 * found[1], "{found:?}");
    }

    #[test]
    fn pairs_that_are_the_same_are_no_harm() {
        let problem = Glm::new(random::design(40, 5, 3, 1), Squared, 0.5).unwrap();
        let (x, solver) = (random::vector(40, 2), GradientDescent::default());
        let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(3000)).trail(10).run().unwrap();
        let z = solution.trail().mixture();
        assert!(z.is_none_or(|z| crate::vector::distance(&z, solution.z()) < 1e-9));
    }
}

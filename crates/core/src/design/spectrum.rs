//! The largest eigenvalue of `D^T diag(c) D`, and of any symmetric matrix, by the Lanczos method.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., section 10.1. A Ritz value never exceeds the eigenvalue.

use std::ops::ControlFlow;

use super::{Block, Matrix, Pass};
use crate::ctx::{Ctx, Phase};
use crate::random::Stream;
use crate::vector::{axpy, norm};

/// Lanczos steps at the most.
const MAX_STEPS: usize = 60;
/// Relative change of the estimate below which it is taken, twice in a row.
const SETTLED: f64 = 1e-3;

impl Matrix<'_> {
    /// A lower estimate of the largest eigenvalue of `D^T diag(weights) D`, `weights >= 0` of length n, usually within
    /// 1 %; one pass over D a step, at most 60. With unit weights it is `‖D‖²`. 0 if the product is zero.
    ///
    /// # Panics
    ///
    /// If `weights` is not of length n.
    #[must_use]
    pub fn largest_eigenvalue(self, weights: &[f64], ctx: &mut Ctx) -> f64 {
        assert_eq!(weights.len(), self.rows(), "one weight a row");
        let link = |block: Block<'_>| {
            for (k, weight) in block.weights.iter_mut().enumerate() {
                *weight = weights[block.first + k] * block.dots[0][k];
            }
        };
        largest_eigenvalue(self.columns(), SETTLED, ctx, |v, out, ctx| {
            self.pass(Pass { inputs: &[v], out, ..Pass::default() }, &link, ctx);
        })
    }
}

/// A lower estimate of the largest eigenvalue of a symmetric m x m matrix A, `product(v, out)` being `out = A v`: at
/// most 60 products, fewer where the estimate changes by at most `settled` of itself twice in a row. 0 where m is 0.
#[must_use]
pub fn largest_eigenvalue(
    m: usize,
    settled: f64,
    ctx: &mut Ctx,
    mut product: impl FnMut(&[f64], &mut [f64], &mut Ctx),
) -> f64 {
    let (mut v, mut before, mut w) = (ctx.take(m), ctx.take(m), ctx.take(m));
    // A start with a part along every eigenvector, as good as surely, and the same on every run.
    Stream::new(0).fill(&mut v);
    let length = norm(&v);
    v.iter_mut().for_each(|v| *v /= length);
    let (mut diagonal, mut off) = (Vec::<f64>::new(), Vec::<f64>::new());
    let (mut estimate, mut unchanged) = (0.0_f64, 0);
    for step in 0..MAX_STEPS.min(m) {
        product(&v, &mut w, ctx);
        diagonal.push(crate::vector::dot(&v, &w));
        axpy(-diagonal[step], &v, &mut w);
        if let Some(beta) = off.last() {
            axpy(-beta, &before, &mut w);
        }
        let found = largest_of_tridiagonal(&diagonal, &off);
        unchanged = if (found - estimate).abs() <= settled * found.abs() { unchanged + 1 } else { 0 };
        estimate = found;
        let beta = norm(&w);
        let exhausted = beta <= f64::EPSILON * estimate.abs() || !beta.is_finite();
        if unchanged == 2 || exhausted || ctx.tick(Phase::Norm, step + 1, MAX_STEPS) == ControlFlow::Break(()) {
            break;
        }
        off.push(beta);
        std::mem::swap(&mut before, &mut v);
        for (v, w) in v.iter_mut().zip(&w) {
            *v = w / beta;
        }
    }
    ctx.give(w);
    ctx.give(before);
    ctx.give(v);
    estimate
}

/// Largest eigenvalue of the symmetric tridiagonal matrix, by bisection on the sign of its pivots (Sturm sequence).
fn largest_of_tridiagonal(diagonal: &[f64], off: &[f64]) -> f64 {
    let radius =
        |i: usize| (if i > 0 { off[i - 1] } else { 0.0 }) + (if i + 1 < diagonal.len() { off[i] } else { 0.0 });
    let mut low = diagonal.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let mut high = (0..diagonal.len()).fold(low, |a, i| a.max(diagonal[i] + radius(i)));
    let is_above = |x: f64| {
        let mut pivot = x - diagonal[0];
        (1..diagonal.len()).all(|i| {
            let positive = pivot > 0.0;
            // No square, which might overflow.
            pivot = x - diagonal[i] - off[i - 1] * (off[i - 1] / pivot);
            positive
        }) && pivot > 0.0
    };
    while high - low > 1e-6 * high.abs() {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if is_above(middle) { high = middle } else { low = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::testing::random;

    #[test]
    fn known_spectra() {
        let mut ctx = Ctx::new();
        let diagonal: Vec<_> = (0..30).map(|i| (i, i, 1.0 + i as f64)).collect();
        let design = Design::from_triplets(30, 30, &diagonal).unwrap();
        let found = design.matrix().largest_eigenvalue(&[1.0; 30], &mut ctx);
        assert!(found <= 900.0 * (1.0 + 1e-12) && found > 0.98 * 900.0, "{found}");
        let ones = Design::dense(4, 6, vec![1.0; 24]).unwrap();
        let found = ones.matrix().largest_eigenvalue(&[2.0; 4], &mut ctx);
        assert!((found - 48.0).abs() < 1e-4, "{found}");
        assert_eq!(ones.matrix().largest_eigenvalue(&[0.0; 4], &mut ctx), 0.0);
        assert_eq!(Design::from_triplets(3, 0, &[]).unwrap().matrix().largest_eigenvalue(&[1.0; 3], &mut ctx), 0.0);
    }

    #[test]
    fn at_least_the_power_method_on_a_random_design() {
        let design = random::design(300, 80, 10, 1);
        let mut ctx = Ctx::new();
        let (mut v, mut u, mut value) = (vec![1.0; 80], vec![0.0; 300], 0.0);
        for _ in 0..500 {
            design.matrix().apply(&v, &mut u, &mut ctx);
            design.matrix().apply_transpose(&u, &mut v, &mut ctx);
            value = norm(&v);
            v.iter_mut().for_each(|v| *v /= value);
        }
        let found = design.matrix().largest_eigenvalue(&vec![1.0; 300], &mut ctx);
        assert!(found <= value * (1.0 + 1e-9) && found >= 0.98 * value, "{found} {value}");
    }
}

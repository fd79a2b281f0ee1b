//! The extreme eigenvalues that conjugate gradient met, from its own coefficients.
//!
//! With steps alpha_k and beta_k, the Lanczos matrix of (M^{-1}) L_zz has the diagonal 1/alpha_k + beta_{k-1}/alpha_{k-1} and beside it
//! sqrt(beta_k)/alpha_k. Source: Golub and Van Loan, Matrix Computations, 4th ed., section 11.3.5; the eigenvalues by bisection on
//! the signs of pivots, section 8.4.1.

use danskin_core::ctx::Ctx;

/// Steps that are kept; extreme eigenvalues are the first to be found.
const KEPT: usize = 200;
/// Relative width at which a bisection ends.
const WIDTH: f64 = 1e-3;

/// The Lanczos matrix, as far as it is kept.
pub(crate) struct Ritz {
    diagonal: Vec<f64>,
    /// What is beside it.
    beside: Vec<f64>,
    steps: usize,
    /// beta / alpha of the step before.
    carried: f64,
}

impl Ritz {
    pub(crate) fn new(ctx: &mut Ctx) -> Self {
        Self { diagonal: ctx.take(KEPT), beside: ctx.take(KEPT), steps: 0, carried: 0.0 }
    }

    pub(crate) fn end(self, ctx: &mut Ctx) {
        ctx.give(self.beside);
        ctx.give(self.diagonal);
    }

    /// Another run begins; the longest one counts.
    pub(crate) fn restart(&mut self) {
        if self.steps < KEPT {
            (self.steps, self.carried) = (0, 0.0);
        }
    }

    pub(crate) fn step(&mut self, alpha: f64, beta: f64) {
        if self.steps < KEPT {
            self.diagonal[self.steps] = 1.0 / alpha + self.carried;
            self.beside[self.steps] = beta.max(0.0).sqrt() / alpha;
            self.carried = beta / alpha;
            self.steps += 1;
        }
    }

    /// How many eigenvalues lie below x.
    fn below(&self, x: f64) -> usize {
        let (mut count, mut pivot) = (0, 1.0);
        for k in 0..self.steps {
            // No square, which might overflow.
            let coupling = if k == 0 { 0.0 } else { self.beside[k - 1] * (self.beside[k - 1] / pivot) };
            pivot = self.diagonal[k] - x - coupling;
            if pivot == 0.0 {
                pivot = f64::EPSILON * x;
            }
            count += usize::from(pivot < 0.0);
        }
        count
    }

    /// The largest over the smallest eigenvalue of the matrix, at most that of the operator; `None` before the first step.
    pub(crate) fn condition(&self) -> Option<f64> {
        let radius = |k: usize| {
            let before = if k > 0 { self.beside[k - 1] } else { 0.0 };
            before + if k + 1 < self.steps { self.beside[k] } else { 0.0 }
        };
        let high = (0..self.steps).map(|k| self.diagonal[k] + radius(k)).fold(0.0, f64::max);
        if self.steps == 0 || !high.is_normal() {
            return None;
        }
        let bisect = |mut low: f64, mut high: f64, is_below: &dyn Fn(f64) -> bool| {
            // Geometric, as the smallest may be many orders below the largest.
            while high > low * (1.0 + WIDTH) {
                let middle = low.sqrt() * high.sqrt();
                if is_below(middle) { high = middle } else { low = middle }
            }
            high
        };
        let low = (high * f64::EPSILON * f64::EPSILON).max(f64::MIN_POSITIVE);
        let largest = bisect(low, high, &|x| self.below(x) == self.steps);
        let smallest = bisect(low, high, &|x| self.below(x) > 0);
        Some(largest / smallest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_of_a_diagonal_is_found() {
        // Conjugate gradient on diag(1, 4, 100) with b = (1, 1, 1), in its three steps.
        let (a, mut r) = ([1.0, 4.0, 100.0], [1.0, 1.0, 1.0]);
        let dot = |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|i| a[i] * b[i]).sum::<f64>();
        let (mut p, mut ctx) = (r, Ctx::new());
        let mut ritz = Ritz::new(&mut ctx);
        assert_eq!(ritz.condition(), None);
        for _ in 0..3 {
            let ap = [a[0] * p[0], a[1] * p[1], a[2] * p[2]];
            let squared = dot(&r, &r);
            let alpha = squared / dot(&p, &ap);
            (0..3).for_each(|i| r[i] -= alpha * ap[i]);
            let beta = dot(&r, &r) / squared;
            (0..3).for_each(|i| p[i] = r[i] + beta * p[i]);
            ritz.step(alpha, beta);
        }
        let condition = ritz.condition().unwrap();
        assert!((condition / 100.0 - 1.0).abs() < 3e-3, "{condition}");
    }
}

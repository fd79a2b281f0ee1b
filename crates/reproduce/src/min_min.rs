//! Minima over both variables, the ways that lead to them, and how fast each of those is.
//!
//! ```text
//! min over z and x of L(z, x) + mu/2 ‖x - a‖²,   L(z, x) = 1/n sum_i phi((D z)_i - x_i) + lambda/2 ‖z‖²
//! n = 5, m = 8, lambda = 0.5, mu = 0.2/n, D normal, a normal times 3
//! F(x) = l(x) + mu/2 ‖x - a‖²,   x <- x - eta (g + mu (x - a)),   g one of g1, g2, g3
//! ```
//!
//! L and F are convex and 0 <= phi'' <= 1, so that mu <= F'' <= L_xx + mu <= mu + 1/n = 1/eta: an exact gradient step makes the error of x at least 1 + mu n times smaller.
//! With C = diag(phi''/n) at the minimum, K = C^1/2 D D^T C^1/2, R = K (K + lambda)^-1 and v = C^1/2 D (z - z*(x)), which holds all of z - z*(x) in the span of
//! the rows of D, to first order
//!
//! | | |
//! |---|---|
//! | F'' | mu + C - C^1/2 R C^1/2 |
//! | C^1/2 D dz*/dx | R C^1/2 |
//! | t steps of z | v <- P^t v, P = 1 - rho (K + lambda) |
//! | g1 after t steps, less grad l | -C^1/2 P^t v |
//! | g2 after t steps, less grad l | -C^1/2 P^2t v |
//! | g3 after t steps, less grad l | 0 |
//! | minimisation over z, then over x | dx <- (C + mu)^-1 C^1/2 R C^1/2 dx |
//!
//! g2 is so as dz_t/dx = (1 - A^t) dz*/dx with A = 1 - rho L_zz, and grad_z L = L_zz A^t (z - z*): L_xz A^t (z - z*) and (dz_t/dx)^T grad_z L = -L_xz (1 - A^t) A^t (z - z*) add up to
//! L_xz A^2t (z - z*). g3 is off by the square of P^t v.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::choice::EstimatorKind;
use faer::{Mat, Side};

use crate::estimate::estimate;
use crate::experiment::Failure;
use crate::instance::Instance;
use crate::random::Random;
use crate::rise::rise;
use crate::spectrum::{self, Gram};

/// So few that the eigenvalues of F'' and of L_zz are far apart: rates are those of the slowest directions, which must have outlived the others before rounding.
const ROWS: usize = 5;
const LATENT: usize = 8;
const LAMBDA: f64 = 0.5;
const MU: f64 = 0.2 / ROWS as f64;
/// The step on x.
const ETA: f64 = 1.0 / (MU + 1.0 / ROWS as f64);
const SPREAD: f64 = 3.0;
/// Steps on x by which an error is below rounding, 1.2^-220 = 4e-18 of what it was.
pub(crate) const CONVERGED: usize = 220;

/// A problem, with its minimum.
pub(crate) struct MinMin<L> {
    loss: L,
    a: Vec<f64>,
    /// At x*.
    pub(crate) instance: Instance<L>,
    /// 1/rho, a bound on L_zz.
    pub(crate) smoothness: f64,
    gram: Gram,
}

/// Where z is started from at each step of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// 0.
    Afresh,
    /// Where the last step left it.
    Warm,
}

/// x_0 = a, x_1, ...
pub(crate) type Path = Vec<Vec<f64>>;

impl<L: Loss + Copy> MinMin<L> {
    /// The `seed`-th.
    ///
    /// # Errors
    ///
    /// [`Failure`] where a minimum is not found.
    pub(crate) fn new(loss: L, seed: u64, ctx: &mut Ctx) -> Result<Self, Failure> {
        let mut random = Random::new(seed);
        let design = random.design(ROWS, LATENT);
        let a: Vec<f64> = random.normal(ROWS).iter().map(|a| SPREAD * a).collect();
        let mut instance = Instance::new(loss, design, a.clone(), LAMBDA, ctx)?;
        for _ in 0..CONVERGED {
            let mut x = instance.x;
            descend(&mut x, &instance.exact, &a);
            instance = Instance::at(instance.problem, loss, x, ctx)?;
        }
        let gram = Gram::new(instance.problem.design(), &instance.curvature);
        Ok(Self { loss, a, smoothness: instance.smoothness(1.0, LAMBDA), instance, gram })
    }

    /// The minimum over z at x.
    pub(crate) fn at(&self, x: &[f64], ctx: &mut Ctx) -> Result<Instance<L>, Failure> {
        Instance::at(self.instance.problem.clone(), self.loss, x.to_vec(), ctx)
    }

    /// F(x) - F(x*).
    pub(crate) fn excess(&self, x: &[f64], ctx: &mut Ctx) -> Result<f64, Failure> {
        rise(&self.instance.x, x, |x| {
            let there = self.at(x, ctx)?;
            Ok(there.exact.iter().zip(&there.x).zip(&self.a).map(|((g, x), a)| g + MU * (x - a)).collect())
        })
    }

    /// The gradient of l that `kind` gives after `t` steps on z, from a start and x, and z_t.
    fn estimate(
        &self,
        kind: EstimatorKind,
        t: usize,
        at: (&[f64], &[f64]),
        ctx: &mut Ctx,
    ) -> Result<(Vec<f64>, Vec<f64>), Failure> {
        let solver = GradientDescent::new(StepSize::Fixed(1.0 / self.smoothness));
        let by = (&self.instance.problem, &solver, &Implicit::new(DenseCholesky::default()));
        estimate(by, kind, t, at, ctx)
    }

    /// `steps` times `next`, from x_0 = a.
    fn path(&self, steps: usize, mut next: impl FnMut(&mut [f64]) -> Result<(), Failure>) -> Result<Path, Failure> {
        let mut path = vec![self.a.clone()];
        for k in 0..steps {
            let mut x = path[k].clone();
            next(&mut x)?;
            path.push(x);
        }
        Ok(path)
    }

    /// Descent by the gradients of `kind` after `t` steps on z.
    pub(crate) fn descent(
        &self,
        kind: EstimatorKind,
        (t, start): (usize, Start),
        steps: usize,
        ctx: &mut Ctx,
    ) -> Result<Path, Failure> {
        let mut z = vec![0.0; LATENT];
        self.path(steps, |x| {
            let (gradient, reached) = self.estimate(kind, t, (&z, x), ctx)?;
            if start == Start::Warm {
                z = reached;
            }
            descend(x, &gradient, &self.a);
            Ok(())
        })
    }

    /// Descent by g1 at z*(x).
    pub(crate) fn exact_descent(&self, steps: usize, ctx: &mut Ctx) -> Result<Path, Failure> {
        self.path(steps, |x| {
            let minimum = self.at(x, ctx)?.minimum;
            let (gradient, _) = self.estimate(EstimatorKind::Analytic, 0, (&minimum, x), ctx)?;
            descend(x, &gradient, &self.a);
            Ok(())
        })
    }

    /// Minimisation over z, then over x, and so on.
    pub(crate) fn alternate(&self, rounds: usize, ctx: &mut Ctx) -> Result<Path, Failure> {
        let (n, mut u) = (ROWS as f64, vec![0.0; ROWS]);
        self.path(rounds, |x| {
            let there = self.at(x, ctx)?;
            there.problem.design().matrix().apply(&there.minimum, &mut u, ctx);
            for ((x, u), a) in x.iter_mut().zip(&u).zip(&self.a) {
                // The derivative in x rises by at least mu and at most 1/eta: each step makes the error 1 + mu n times smaller.
                for _ in 0..CONVERGED {
                    *x -= ETA * (self.loss.first(*u, *x).1 / n + MU * (*x - a));
                }
            }
            Ok(())
        })
    }

    /// ‖x_k - x*‖ / ‖x*‖ along a path.
    pub(crate) fn distances(&self, path: &[Vec<f64>]) -> Vec<f64> {
        let exact = &self.instance.x;
        path.iter().map(|x| distance(x, exact) / norm(exact)).collect()
    }

    /// 1 - rho times the least eigenvalue of L_zz at the minimum that z - z* can see: z never leaves the span of the rows of D.
    pub(crate) fn kappa(&self) -> f64 {
        self.contraction(self.gram.eigenvalues[0])
    }

    /// The largest over the least of those eigenvalues.
    pub(crate) fn condition(&self) -> f64 {
        (self.gram.eigenvalues[ROWS - 1] + LAMBDA) / (self.gram.eigenvalues[0] + LAMBDA)
    }

    /// What a step on z leaves along an eigenvector of K.
    fn contraction(&self, eigenvalue: f64) -> f64 {
        1.0 - (eigenvalue + LAMBDA) / self.smoothness
    }

    fn root(&self, i: usize) -> f64 {
        self.instance.curvature[i].sqrt()
    }

    /// C^1/2 R C^1/2.
    fn explained(&self) -> Mat<f64> {
        let r = self.gram.function(share);
        Mat::from_fn(ROWS, ROWS, |i, j| self.root(i) * r[(i, j)] * self.root(j))
    }

    /// F''.
    fn hessian(&self) -> Mat<f64> {
        let explained = self.explained();
        Mat::from_fn(ROWS, ROWS, |i, j| {
            (if i == j { MU + self.instance.curvature[i] } else { 0.0 }) - explained[(i, j)]
        })
    }

    /// What a round of [`MinMin::alternate`] leaves of the error of x, in the end.
    pub(crate) fn alternate_rate(&self) -> f64 {
        let (explained, total) = (self.explained(), |i: usize| (MU + self.instance.curvature[i]).sqrt());
        spectrum::radius(&Mat::from_fn(ROWS, ROWS, |i, j| explained[(i, j)] / (total(i) * total(j))))
    }

    /// What an exact step on x leaves of its error in the end, 1 - eta times the least eigenvalue of F''.
    pub(crate) fn exact_rate(&self) -> f64 {
        let spectrum = self.hessian().self_adjoint_eigenvalues(Side::Lower).expect("the entries are finite");
        1.0 - ETA * spectrum[0]
    }

    /// What a step on x leaves of its error in the end, by `kind` after `t` steps on z from where the last left it.
    pub(crate) fn warm_rate(&self, kind: EstimatorKind, t: usize) -> f64 {
        match kind {
            EstimatorKind::Analytic => self.joint_rate(t, t),
            EstimatorKind::Automatic => self.joint_rate(t, 2 * t),
            // z - z*(x) falls no faster than kappa^t a step, and x sees its square.
            EstimatorKind::Implicit => self.exact_rate().max(self.kappa().powi(2 * t as i32)),
        }
    }

    /// The spectral radius of (dx, v) after t steps on z and one on x, whose gradient is off by -C^1/2 P^seen v.
    fn joint_rate(&self, t: usize, seen: usize) -> f64 {
        let power = |t: usize| self.gram.function(|eigenvalue| self.contraction(eigenvalue).powi(t as i32));
        let (kept, r, seen, hessian) = (power(t), self.gram.function(share), power(seen), self.hessian());
        // dx moves by M (dx, v), and v goes to P^t v - R C^1/2 of that.
        let moved = Mat::from_fn(ROWS, 2 * ROWS, |i, j| {
            if j < ROWS { -ETA * hessian[(i, j)] } else { ETA * self.root(i) * seen[(i, j - ROWS)] }
        });
        let follows = Mat::from_fn(ROWS, ROWS, |i, j| r[(i, j)] * self.root(j)) * &moved;
        spectrum::radius(&Mat::from_fn(2 * ROWS, 2 * ROWS, |i, j| match i.checked_sub(ROWS) {
            None => moved[(i, j)] + if i == j { 1.0 } else { 0.0 },
            Some(i) => j.checked_sub(ROWS).map_or(0.0, |j| kept[(i, j)]) - follows[(i, j)],
        }))
    }
}

/// x <- x - eta (g + mu (x - a)).
fn descend(x: &mut [f64], gradient: &[f64], a: &[f64]) {
    for ((x, g), a) in x.iter_mut().zip(gradient).zip(a) {
        *x -= ETA * (g + MU * (*x - a));
    }
}

/// R along an eigenvector of K.
fn share(eigenvalue: f64) -> f64 {
    eigenvalue / (eigenvalue + LAMBDA)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far from the minimum, where the values of F lose nothing.
    #[test]
    fn what_f_is_above_its_minimum_is_the_difference_of_its_values() {
        let ctx = &mut Ctx::new();
        let problem = MinMin::new(PseudoHuber::new(1.0).unwrap(), 0, ctx).unwrap();
        let value = |x: &[f64], ctx: &mut Ctx| {
            let there = problem.at(x, ctx).unwrap();
            there.problem.value(Point::new(&there.minimum, x), ctx) + 0.5 * MU * distance(x, &problem.a).powi(2)
        };
        let x: Vec<f64> = problem.instance.x.iter().map(|x| x + 0.1).collect();
        let difference = value(&x, ctx) - value(&problem.instance.x, ctx);
        let excess = problem.excess(&x, ctx).unwrap();
        assert!((excess / difference - 1.0).abs() < 1e-9, "{excess} {difference}");
    }
}

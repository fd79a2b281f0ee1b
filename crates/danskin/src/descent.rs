//! Descent on x with gradients only as accurate as each step deserves: F(x) = l(x) + r(x), x_{k+1} = x_k - s (g_k + grad r(x_k)).
//!
//! Where ‖g_k - grad l(x_k)‖ <= theta ‖g_k + grad r(x_k)‖ with theta < 1, the step goes down: with G = g_k + grad r,
//! <grad F, G> >= (1 - theta) ‖G‖². The certificate of g_k tells whether that is so, and the inner tolerance is what it takes: coarse far from the minimum of F, finer as ‖G‖ falls. Each
//! inner solve begins where the last one ended. It ends when ‖grad F‖ is proved to be small, by ‖G‖ and the bound.
//!
//! Source: Carter, On the global convergence of trust region algorithms using inexact gradient information, SIAM Journal on
//! Numerical Analysis 28, 1991, for the condition.

use danskin_core::ctx::{Cost, Ctx};
use danskin_core::linear::HessianSolver;
use danskin_core::problem::AssembleHessian;
use danskin_core::solver::{SolveError, check_vector};
use danskin_core::vector::{axpy, norm};
use danskin_implicit::Auto;

use crate::adaptive::{Accuracy, Adaptive, AdaptiveError, Outcome};

/// What is added to l: r(x), smooth.
pub trait Added {
    /// `out += grad r(x)`, of length p.
    fn add_gradient(&self, x: &[f64], out: &mut [f64]);

    /// Whether it is one of `p` parameters.
    ///
    /// # Errors
    ///
    /// [`SolveError`] where it is not; any number will do unless this is overridden.
    fn check(&self, _p: usize) -> Result<(), SolveError> {
        Ok(())
    }
}

/// Nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nothing;

impl Added for Nothing {
    fn add_gradient(&self, _: &[f64], _: &mut [f64]) {}
}

/// rho/2 ‖x - y‖²: keeps x near y, of length p.
#[derive(Clone, Debug, PartialEq)]
pub struct Near {
    /// rho.
    pub weight: f64,
    /// y.
    pub to: Vec<f64>,
}

impl Added for Near {
    fn add_gradient(&self, x: &[f64], out: &mut [f64]) {
        for ((out, x), y) in out.iter_mut().zip(x).zip(&self.to) {
            *out += self.weight * (x - y);
        }
    }

    fn check(&self, p: usize) -> Result<(), SolveError> {
        check_vector("what x is kept near", p, &self.to)
    }
}

/// Descent on x with a fixed step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "nothing is computed before `run`"]
pub struct Descent {
    step: f64,
    share: f64,
    tolerance: f64,
    steps: usize,
}

impl Descent {
    /// With steps of s = `step`, until ‖grad F‖ is proved to be at most `tolerance` times the first ‖G‖.
    pub fn new(step: f64, tolerance: f64) -> Self {
        Self { step, share: 0.5, tolerance, steps: 10_000 }
    }

    /// With bounds of at most `share` times ‖G‖, theta, above 0 and below 1; 1/2 if not said.
    pub fn share(self, share: f64) -> Self {
        Self { share, ..self }
    }

    /// With at most so many steps; 10,000 if not said.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }
}

/// How a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DescentStatus {
    /// ‖grad F‖ is proved to be within the tolerance.
    Converged,
    /// The steps were used up.
    StepCap,
    /// No gradient could be had that is accurate enough: rounding, or a problem of which nothing is proved.
    Uncertified,
}

/// Where a descent ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Descended {
    /// x.
    pub x: Vec<f64>,
    /// z near z*(x).
    pub z: Vec<f64>,
    /// How it ended.
    pub status: DescentStatus,
    /// Steps taken.
    pub steps: usize,
    /// A bound on ‖grad F(x)‖.
    pub stationarity: f64,
    /// Passes over D so far, and (‖G‖, bound) at each x.
    pub trace: Vec<(u64, f64, f64)>,
    /// All of it.
    pub cost: Cost,
}

impl Descent {
    /// Goes down F(x) = l(x) + r(x) from `initial`, of length p.
    ///
    /// # Errors
    ///
    /// [`AdaptiveError`] where there is no gradient, for a tolerance or a step that is no number above 0, a share that is not between 0 and 1, and vectors
    /// that are not of length p.
    pub fn run<P, A>(&self, problem: &P, added: &A, initial: &[f64], ctx: &mut Ctx) -> Result<Descended, AdaptiveError>
    where
        P: AssembleHessian + ?Sized,
        A: Added + ?Sized,
        Auto: HessianSolver<P>,
    {
        let Self { step, share, tolerance, steps } = *self;
        for tolerance in [tolerance, step] {
            if !(tolerance > 0.0 && tolerance.is_finite()) {
                return Err(AdaptiveError::Tolerance { tolerance });
            }
        }
        if !(share > 0.0 && share < 1.0) {
            return Err(AdaptiveError::Share { share });
        }
        check_vector("the initial x", problem.parameter_len(), initial)?;
        added.check(problem.parameter_len())?;
        let (mark, before) = (ctx.mark(), ctx.passes());
        let (mut x, mut z) = (initial.to_vec(), vec![0.0; problem.latent_len()]);
        let (mut trace, mut asked, mut first) = (Vec::new(), Accuracy::Relative(share), f64::NAN);
        let (status, stationarity) = loop {
            let (total, bound, is_enough) = loop {
                let found = Adaptive::new(asked).gradient_in(problem, &x, Some(&z), ctx)?;
                let bound = found.gradient.certificate.map_or(f64::INFINITY, |certificate| certificate.bound);
                let mut total = found.gradient.value;
                added.add_gradient(&x, &mut total);
                z = found.z;
                let size = norm(&total);
                if first.is_nan() {
                    first = size;
                }
                // Near the end, what is asked is that it be proved.
                let most = (share * size).max(0.5 * tolerance * first);
                // Of a first ‖G‖ of 0, nothing smaller can be asked.
                if bound <= most || found.outcome != Outcome::Met || most == 0.0 {
                    break (total, bound, bound <= most);
                }
                asked = Accuracy::Absolute(0.5 * most);
            };
            let size = norm(&total);
            trace.push((ctx.passes() - before, size, bound));
            if size + bound <= tolerance * first {
                break (DescentStatus::Converged, size + bound);
            }
            if !is_enough {
                break (DescentStatus::Uncertified, size + bound);
            }
            if trace.len() > steps {
                break (DescentStatus::StepCap, size + bound);
            }
            axpy(-step, &total, &mut x);
            asked = Accuracy::Absolute((share * size).max(0.5 * tolerance * first));
        };
        let steps = trace.len() - 1;
        Ok(Descended { x, z, status, steps, stationarity, trace, cost: ctx.since(mark) })
    }
}

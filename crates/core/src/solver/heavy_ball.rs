//! z_{t+1} = z_t - rho grad_z L(z_t, x) + beta (z_t - z_{t-1}), with z_{-1} = z_0.
//!
//! Without a momentum given, beta = (1 - sqrt(mu rho))², which with rho = 1/L gives quadratic L the rate 1 - sqrt(mu / L); 0.9 where
//! L is not known to be strongly convex. Far from the minimum of an L that is not quadratic the method may cycle: it is never
//! silent about it, as the residual does not fall then.
//!
//! Source: Polyak, Some methods of speeding up the convergence of iteration methods, USSR Computational Mathematics and
//! Mathematical Physics 4, 1964.

use super::nesterov::{Inertia, Momentum};
use super::{Iterate, SolveError, Solver, State, Step, StepSize};
use crate::ctx::Ctx;
use crate::problem::Problem;

/// beta where L is not known to be strongly convex.
const DEFAULT_MOMENTUM: f64 = 0.9;

/// Gradient descent with the momentum of Polyak's heavy ball.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeavyBall {
    step: StepSize,
    momentum: Momentum,
}

impl HeavyBall {
    /// With the given step size.
    #[must_use]
    pub fn new(step: StepSize) -> Self {
        Self { step, ..Self::default() }
    }

    /// With this momentum.
    #[must_use]
    pub fn momentum(self, momentum: Momentum) -> Self {
        Self { momentum, ..self }
    }
}

impl<P: Problem + ?Sized> Solver<P> for HeavyBall {
    type State = Iterate<Inertia>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        let inertia = Inertia { rho: f64::NAN, constant: None, theta: 1.0, beta: f64::NAN, behind: initial.to_vec() };
        let mut state = Iterate::new(problem, x, initial, inertia, ctx);
        let rho = self.step.choose(problem, state.at(x), ctx)?;
        let from = |share: f64| (1.0 - share.sqrt()).powi(2);
        let beta = self.momentum.choose(problem.strong_convexity(x), rho, from)?.unwrap_or(DEFAULT_MOMENTUM);
        state.carried.rho = rho;
        state.carried.beta = beta;
        Ok(state)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        let Iterate { z, grad_z, carried, .. } = state;
        for ((z, g), behind) in z.iter_mut().zip(&*grad_z).zip(&mut carried.behind) {
            let now = *z;
            *z = now - carried.rho * g + carried.beta * (now - *behind);
            *behind = now;
        }
        state.evaluate(problem, x, ctx);
        Ok(Step::Advanced)
    }
}

//! The rule of stochastic gradient descent: that of gradient descent on L_B, with the terms of the step drawn again, z_t recorded.
//!
//! Averaged, it carries two vectors, the mean m_t and the iterate z_t, and so do its tangents and duals, in this order; with w = 1 / (t + 1):
//!
//! ```text
//! forwards, (a, c) with dx      c <- c - rho (H c + K^T dx);  a <- a + w (c - a)
//! backwards, (a, c)             c <- c + w a;  a <- (1 - w) a;  x -= rho K c;  c <- c - rho H c
//! ```

use danskin_core::ctx::Ctx;
use danskin_core::problem::{Batch, FiniteSum, Point};
use danskin_core::solver::{Sgd, SgdState, SolveError, Solver, Step};
use danskin_core::vector::axpy;

use crate::replay::Replay;
use crate::rule::{Pulled, Recorded, Unroll};
use crate::terms::with_terms;

/// Calls `with` with the batch of a step; `None` where the problem has no terms.
fn with_batch<P: FiniteSum + ?Sized>(
    solver: &Sgd,
    step: &Recorded<'_, P, SgdState>,
    with: impl FnOnce(Option<Batch<'_>>),
) {
    let terms = step.problem.terms();
    if terms == 0 {
        return with(None);
    }
    let at = Point::new(step.record, step.x);
    with_terms(solver.draws(), step.index, terms, |terms| with(Some(Batch { terms, at })));
}

impl<P: FiniteSum + ?Sized> Unroll<P> for Sgd {
    fn tangent_len(&self, problem: &P) -> usize {
        problem.latent_len() * if self.is_averaged() { 2 } else { 1 }
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut SgdState,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        record.copy_from_slice(&state.iterate);
        self.step(problem, x, state, ctx)
    }

    fn pull(&self, step: Recorded<'_, P, SgdState>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (rho, m) = (self.step_at(step.index), step.problem.latent_len());
        if self.is_averaged() {
            let weight = 1.0 / (step.index + 1) as f64;
            let (mean, iterate) = dual.split_at_mut(m);
            axpy(weight, mean, iterate);
            mean.iter_mut().for_each(|a| *a *= 1.0 - weight);
        }
        let dual = if self.is_averaged() { &mut dual[m..] } else { dual };
        let mut hess = ctx.take(m);
        with_batch(self, &step, |batch| match batch {
            Some(batch) => step.problem.batch_hess_cross(batch, dual, &mut hess, -rho, out.x, ctx),
            None => step.problem.hess_cross(Point::new(step.record, step.x), dual, &mut hess, -rho, out.x, ctx),
        });
        axpy(-rho, &hess, dual);
        ctx.give(hess);
    }

    fn push(&self, step: Recorded<'_, P, SgdState>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (rho, m) = (self.step_at(step.index), step.problem.latent_len());
        let (mean, iterate) = tangent.split_at_mut(if self.is_averaged() { m } else { 0 });
        let mut change = ctx.take(m);
        with_batch(self, &step, |batch| match batch {
            Some(batch) => step.problem.batch_grad_z_tangent(batch, iterate, dx, &mut change, ctx),
            None => step.problem.grad_z_tangent(Point::new(step.record, step.x), iterate, dx, &mut change, ctx),
        });
        axpy(-rho, &change, iterate);
        ctx.give(change);
        let weight = 1.0 / (step.index + 1) as f64;
        mean.iter_mut().zip(iterate).for_each(|(mean, z)| *mean += weight * (*z - *mean));
    }
}

impl<P: FiniteSum + ?Sized> Replay<P> for Sgd {
    fn checkpoint_len(&self, problem: &P) -> usize {
        self.tangent_len(problem) + 1
    }

    fn save(&self, state: &SgdState, checkpoint: &mut [f64]) {
        let (iterate, rest) = checkpoint.split_at_mut(state.iterate.len());
        let (steps, mean) = rest.split_at_mut(1);
        iterate.copy_from_slice(&state.iterate);
        steps[0] = state.steps as f64;
        mean.copy_from_slice(state.mean());
    }

    fn restore(&self, _: &P, _: &[f64], checkpoint: &[f64], state: &mut SgdState, _: &mut Ctx) {
        let (iterate, rest) = checkpoint.split_at(state.iterate.len());
        // A whole number below 2^53.
        state.restore(iterate, &rest[1..], rest[0] as usize);
    }

    fn blank(&self, state: &SgdState) -> SgdState {
        state.clone()
    }

    fn restore_steps(&self) -> usize {
        0
    }
}

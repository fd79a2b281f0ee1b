//! The rule of z_{t+1} = z_t - rho grad_z L(z_t, x): dA/dz = I - rho L_zz, dA/dx = -rho L_zx.

use danskin_core::ctx::Ctx;
use danskin_core::problem::{Point, Problem};
use danskin_core::solver::{GradientDescent, Iterate, Pace, SolveError, Solver, State, Step};
use danskin_core::vector::axpy;

use crate::rule::{Recorded, Unroll};

/// Whether a step is recorded by its memo (D z_t, length n) instead of z_t (length m): where it is enough, and shorter.
/// Either gives the same bits: a pass computes D z_t from z_t in the order that the memo was computed in.
fn keeps_memo<P: Problem + ?Sized>(problem: &P) -> bool {
    problem.memo_replaces_latent() && problem.memo_len() <= problem.latent_len()
}

fn recorded_point<'a, P: Problem + ?Sized>(step: &Recorded<'a, P, Iterate<Pace>>) -> Point<'a> {
    if keeps_memo(step.problem) {
        Point { z: &[], x: step.x, memo: step.record, grad_z: &[] }
    } else {
        Point::new(step.record, step.x)
    }
}

impl<P: Problem + ?Sized> Unroll<P> for GradientDescent {
    fn record_len(&self, problem: &P) -> usize {
        if keeps_memo(problem) { problem.memo_len() } else { problem.latent_len() }
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut Self::State,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        record.copy_from_slice(if keeps_memo(problem) { state.memo() } else { state.latent() });
        self.step(problem, x, state, ctx)
    }

    fn pull(&self, step: Recorded<'_, P, Self::State>, dual: &mut [f64], x_dual: &mut [f64], ctx: &mut Ctx) {
        let rho = step.state.rho();
        let mut hess = ctx.take(dual.len());
        step.problem.hess_cross(recorded_point(&step), dual, &mut hess, -rho, x_dual, ctx);
        axpy(-rho, &hess, dual);
        ctx.give(hess);
    }

    fn push(&self, step: Recorded<'_, P, Self::State>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let mut change = ctx.take(tangent.len());
        step.problem.grad_z_tangent(recorded_point(&step), tangent, dx, &mut change, ctx);
        axpy(-step.state.rho(), &change, tangent);
        ctx.give(change);
    }
}

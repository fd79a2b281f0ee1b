//! The rule of z_{t+1} = z_t - rho_t grad_z L(z_t, x): dA/dz = I - rho_t L_zz, dA/dx = -rho_t L_zx, with rho_t the same at every
//! step or recorded.

use danskin_core::ctx::Ctx;
use danskin_core::problem::{Point, Problem};
use danskin_core::solver::{Backtracking, GradientDescent, Iterate, Pace, SolveError, Step, Trial};
use danskin_core::vector::axpy;

use crate::recorded_point::{point_len, recorded_point, step_recorded};
use crate::rule::{Pulled, Recorded, Unroll};

/// `out.x -= rho L_xz dual`, `out.shift += rho dual`, `dual -= rho L_zz dual`.
pub(crate) fn pull<P: Problem + ?Sized>(
    problem: &P,
    at: Point<'_>,
    rho: f64,
    dual: &mut [f64],
    out: &mut Pulled<'_>,
    ctx: &mut Ctx,
) {
    let mut hess = ctx.take(dual.len());
    problem.hess_cross(at, dual, &mut hess, -rho, out.x, ctx);
    axpy(rho, dual, out.shift);
    axpy(-rho, &hess, dual);
    ctx.give(hess);
}

/// `tangent -= rho (L_zz tangent + L_zx dx)`.
pub(crate) fn push<P: Problem + ?Sized>(
    problem: &P,
    at: Point<'_>,
    rho: f64,
    dx: &[f64],
    tangent: &mut [f64],
    ctx: &mut Ctx,
) {
    let mut change = ctx.take(tangent.len());
    problem.grad_z_tangent(at, tangent, dx, &mut change, ctx);
    axpy(-rho, &change, tangent);
    ctx.give(change);
}

impl<P: Problem + ?Sized> Unroll<P> for GradientDescent {
    fn record_len(&self, problem: &P) -> usize {
        point_len(problem)
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut Self::State,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        step_recorded(self, problem, x, state, record, ctx, |_, _| {})
    }

    fn pull(&self, step: Recorded<'_, P, Iterate<Pace>>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (at, _) = recorded_point(&step);
        pull(step.problem, at, step.state.rho(), dual, out, ctx);
    }

    fn push(&self, step: Recorded<'_, P, Iterate<Pace>>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (at, _) = recorded_point(&step);
        push(step.problem, at, step.state.rho(), dx, tangent, ctx);
    }
}

impl<P: Problem + ?Sized> Unroll<P> for Backtracking {
    fn record_len(&self, problem: &P) -> usize {
        point_len(problem) + 1
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut Self::State,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        step_recorded(self, problem, x, state, record, ctx, |state, rho| rho[0] = state.rho())
    }

    fn pull(&self, step: Recorded<'_, P, Iterate<Trial>>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (at, rho) = recorded_point(&step);
        pull(step.problem, at, rho[0], dual, out, ctx);
    }

    fn push(&self, step: Recorded<'_, P, Iterate<Trial>>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (at, rho) = recorded_point(&step);
        push(step.problem, at, rho[0], dx, tangent, ctx);
    }
}

//! The rules of Nesterov's method and of the heavy ball. Both carry two vectors, so that tangents and duals have length 2 m: the
//! part of z_t, then that of s_t or of z_{t-1}.
//!
//! With R = I - rho L_zz and N = -rho L_zx at z_t:
//!
//! | | forwards, (a, c) with dx | backwards, (a, c) |
//! |---|---|---|
//! | Nesterov | q = R a + N dx; (a, c) <- ((1 + beta) q - beta c, q) | q = (1 + beta) a + c; (a, c) <- (R q, -beta a), x += N^T q |
//! | heavy ball | (a, c) <- (R a + N dx + beta (a - c), a) | (a, c) <- (R a + beta a + c, -beta a), x += N^T a |
//!
//! A step and its beta are constants in x. Nesterov's beta changes from step to step, and is recorded.

use danskin_core::ctx::Ctx;
use danskin_core::problem::Problem;
use danskin_core::solver::{HeavyBall, Inertia, Iterate, Nesterov, SolveError, Step};
use danskin_core::vector::axpy;

use crate::gradient_descent::{pull, push};
use crate::recorded_point::{point_len, recorded_point, step_recorded};
use crate::rule::{Pulled, Recorded, Unroll};

impl<P: Problem + ?Sized> Unroll<P> for Nesterov {
    fn tangent_len(&self, problem: &P) -> usize {
        2 * problem.latent_len()
    }

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
        step_recorded(self, problem, x, state, record, ctx, |state, beta| beta[0] = state.beta())
    }

    fn pull(&self, step: Recorded<'_, P, Iterate<Inertia>>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (at, beta) = recorded_point(&step);
        let (a, c) = dual.split_at_mut(dual.len() / 2);
        for (a, c) in a.iter_mut().zip(c) {
            (*a, *c) = ((1.0 + beta[0]) * *a + *c, -beta[0] * *a);
        }
        pull(step.problem, at, step.state.rho(), a, out, ctx);
    }

    fn push(&self, step: Recorded<'_, P, Iterate<Inertia>>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (at, beta) = recorded_point(&step);
        let (a, c) = tangent.split_at_mut(tangent.len() / 2);
        push(step.problem, at, step.state.rho(), dx, a, ctx);
        for (a, c) in a.iter_mut().zip(c) {
            (*a, *c) = ((1.0 + beta[0]) * *a - beta[0] * *c, *a);
        }
    }
}

impl<P: Problem + ?Sized> Unroll<P> for HeavyBall {
    fn tangent_len(&self, problem: &P) -> usize {
        2 * problem.latent_len()
    }

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

    fn pull(&self, step: Recorded<'_, P, Iterate<Inertia>>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (at, _) = recorded_point(&step);
        let (a, c) = dual.split_at_mut(dual.len() / 2);
        let mut old = ctx.take(a.len());
        old.copy_from_slice(a);
        pull(step.problem, at, step.state.rho(), a, out, ctx);
        axpy(1.0, c, a);
        axpy(step.state.beta(), &old, a);
        c.iter_mut().zip(&old).for_each(|(c, old)| *c = -step.state.beta() * old);
        ctx.give(old);
    }

    fn push(&self, step: Recorded<'_, P, Iterate<Inertia>>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (at, _) = recorded_point(&step);
        let (a, c) = tangent.split_at_mut(tangent.len() / 2);
        let mut old = ctx.take(a.len());
        old.copy_from_slice(a);
        push(step.problem, at, step.state.rho(), dx, a, ctx);
        let beta = step.state.beta();
        for ((a, c), old) in a.iter_mut().zip(c).zip(&old) {
            *a += beta * (old - *c);
            *c = *old;
        }
        ctx.give(old);
    }
}

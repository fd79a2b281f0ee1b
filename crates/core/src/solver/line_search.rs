//! Steps z - s d with s halved until L decreases enough.
//!
//! Source: backtracking by Armijo's condition, Nocedal and Wright, Numerical Optimization, 2nd ed., section 3.1.

use super::Iterate;
use crate::ctx::Ctx;
use crate::problem::{Objective, Point};
use crate::vector::{axpy, dot};

/// Halvings of a step at the most.
const MAX_HALVINGS: usize = 60;
/// Decreases of L below this share of it drown in rounding; there the gradient's norm decides instead.
const ROUNDING: f64 = 1e-13;

/// A search along -direction from where a state stands.
pub(super) struct LineSearch<'a> {
    /// L at the start.
    pub(super) value: f64,
    /// d, length m.
    pub(super) direction: &'a [f64],
    /// s of the first trial.
    pub(super) first: f64,
    /// Share of the decrease predicted by the gradient, s <g, d>, that a step must achieve.
    pub(super) sufficient: f64,
}

/// A step that was taken.
pub(super) struct Taken {
    pub(super) s: f64,
    /// L after it.
    pub(super) value: f64,
}

impl LineSearch<'_> {
    /// Moves `state`; back to where it was, and `None`, where no step is good enough. One pass a trial.
    pub(super) fn run<P: Objective + ?Sized, C>(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut Iterate<C>,
        ctx: &mut Ctx,
    ) -> Option<Taken> {
        let mut start = ctx.take(state.z.len());
        start.copy_from_slice(&state.z);
        let (slope, residual) = (dot(&state.grad_z, self.direction), state.residual);
        let mut s = self.first;
        let mut taken = None;
        for _ in 0..MAX_HALVINGS {
            state.z.copy_from_slice(&start);
            axpy(-s, self.direction, &mut state.z);
            state.evaluate(problem, x, ctx);
            let at = Point { z: &state.z, x, memo: &state.memo, grad_z: &state.grad_z };
            let value = problem.value(at, ctx);
            let measurable = s * slope > ROUNDING * self.value.abs();
            let enough = value <= self.value - self.sufficient * s * slope;
            if if measurable { enough } else { state.residual < residual } {
                taken = Some(Taken { s, value });
                break;
            }
            s /= 2.0;
        }
        if taken.is_none() {
            state.z.copy_from_slice(&start);
            state.evaluate(problem, x, ctx);
        }
        ctx.give(start);
        taken
    }
}

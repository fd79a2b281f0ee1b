//! Steps z - s d with s shortened until L decreases enough: to where the slopes at both ends have it vanish, or by half.
//!
//! Where decreases of L drown in its rounding, the slopes say the same: for a quadratic, L(z - s d) <= L(z) - c s <g, d> is
//! <g(z - s d), d> >= (2 c - 1) <g, d>.
//!
//! Source: backtracking by Armijo's condition, Nocedal and Wright, Numerical Optimization, 2nd ed., section 3.1; by slopes,
//! Hager and Zhang, A new conjugate gradient method with guaranteed descent, SIAM Journal on Optimization 16, 2005.

use super::Iterate;
use crate::ctx::Ctx;
use crate::problem::{Objective, Point};
use crate::vector::{axpy, dot};

/// Doublings or shortenings of a step at the most: from one end of f64 to the other.
const MAX_HALVINGS: usize = 2200;
/// Of a step at the least, that it is shortened to: slopes of exponential losses say nothing where L would be least.
const LEAST_SHARE: f64 = 0.01;
/// Decreases of L below this share of it drown in rounding.
const ROUNDING: f64 = 1e-13;
/// Rises of the gradient's norm, as a share of it, that are rounding.
const NORM_ROUNDING: f64 = 1e-14;

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
        let m = state.z.len();
        let (mut start, mut grad_z, mut step) = (ctx.take(m), ctx.take(m), ctx.take(m));
        start.copy_from_slice(&state.z);
        grad_z.copy_from_slice(&state.grad_z);
        let residual = state.residual;
        let mut s = self.first;
        let mut taken = None;
        // A step that changes nothing would be taken again and again; finding that out costs no pass.
        for _ in 0..MAX_HALVINGS {
            if s > f64::MAX / 2.0 || moves(&start, s, self.direction) {
                break;
            }
            s *= 2.0;
        }
        for _ in 0..MAX_HALVINGS {
            if !moves(&start, s, self.direction) {
                break;
            }
            step.iter_mut().zip(self.direction).for_each(|(step, d)| *step = s * d);
            state.z.copy_from_slice(&start);
            axpy(-1.0, &step, &mut state.z);
            state.evaluate(problem, x, ctx);
            let at = Point { z: &state.z, x, memo: &state.memo, grad_z: &state.grad_z };
            let value = problem.value(at, ctx);
            // Of s d, not s times that of d: <g, d> may overflow where s <g, d> does not.
            let (decrease, decrease_after) = (dot(&grad_z, &step), dot(&state.grad_z, &step));
            let enough = if decrease > ROUNDING * self.value.abs() {
                value <= self.value - self.sufficient * decrease
            } else {
                state.residual <= residual * (1.0 + NORM_ROUNDING)
                    && decrease_after >= (2.0 * self.sufficient - 1.0) * decrease
            };
            if enough {
                taken = Some(Taken { s, value });
                break;
            }
            // Where the slope has changed its sign, it vanishes between: there, if it were linear.
            let share = decrease / (decrease - decrease_after);
            s *= if share > 0.0 { share.clamp(LEAST_SHARE, 0.5) } else { 0.5 };
        }
        if taken.is_none() {
            state.z.copy_from_slice(&start);
            state.evaluate(problem, x, ctx);
        }
        [step, grad_z, start].into_iter().for_each(|buffer| ctx.give(buffer));
        taken
    }
}

/// Whether `start - s direction` is another point than `start`.
fn moves(start: &[f64], s: f64, direction: &[f64]) -> bool {
    start.iter().zip(direction).any(|(z, d)| z - s * d != *z)
}

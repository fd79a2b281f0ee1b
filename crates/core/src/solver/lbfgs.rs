//! z_{t+1} = z_t - s_t B_t grad_z L(z_t, x), B_t the limited-memory approximation of L_zz^{-1} from the last changes of z and of
//! the gradient, s_t by backtracking from 1.
//!
//! Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization, Mathematical Programming 45,
//! 1989; the two loops, Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.4.

use super::line_search::LineSearch;
use super::{Iterate, SolveError, Solver, State, Step};
use crate::ctx::Ctx;
use crate::problem::Objective;
use crate::vector::{axpy, dot};

/// Share of the predicted decrease that a step must achieve.
const SUFFICIENT: f64 = 1e-4;
/// Pairs with <s, y> below this share of ‖s‖ ‖y‖ are left out: they would spoil the approximation.
const MIN_CURVATURE: f64 = 1e-10;

/// L-BFGS. For g1 and g3; its iterations are not unrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lbfgs {
    memory: usize,
}

impl Lbfgs {
    /// With the last `memory` pairs of changes; 0 gives gradient descent with backtracking.
    #[must_use]
    pub fn new(memory: usize) -> Self {
        Self { memory }
    }
}

impl Default for Lbfgs {
    /// Ten pairs.
    fn default() -> Self {
        Self::new(10)
    }
}

/// What L-BFGS carries along: L(z_t, x) and the pairs of changes, a ring with the oldest at `next` once it is full.
#[derive(Clone, Debug)]
pub struct Curvature {
    value: f64,
    /// Changes of z and of the gradient, and <s, y>.
    pairs: Vec<(Vec<f64>, Vec<f64>, f64)>,
    next: usize,
    /// The coefficients of the two loops.
    alpha: Vec<f64>,
}

impl Curvature {
    /// Indices of the pairs, the newest first.
    fn newest_first(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (next, len) = (self.next, self.pairs.len());
        (0..len).map(move |k| (next + 2 * len - 1 - k) % len)
    }

    /// `v = B v`.
    fn apply(&mut self, v: &mut [f64]) {
        for i in self.newest_first() {
            let (s, y, sy) = &self.pairs[i];
            self.alpha[i] = dot(s, v) / sy;
            axpy(-self.alpha[i], y, v);
        }
        if let Some(newest) = self.newest_first().next() {
            let (_, y, sy) = &self.pairs[newest];
            let scale = sy / dot(y, y);
            v.iter_mut().for_each(|v| *v *= scale);
        }
        for i in self.newest_first().rev() {
            let (s, y, sy) = &self.pairs[i];
            axpy(self.alpha[i] - dot(y, v) / sy, s, v);
        }
    }
}

impl<P: Objective + ?Sized> Solver<P> for Lbfgs {
    type State = Iterate<Curvature>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        let curvature = Curvature { value: f64::NAN, pairs: Vec::new(), next: 0, alpha: vec![0.0; self.memory] };
        let mut state = Iterate::new(problem, x, initial, curvature, ctx);
        state.carried.value = problem.value(state.at(x), ctx);
        Ok(state)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        if state.residual == 0.0 {
            return Ok(Step::Stalled);
        }
        let m = state.z.len();
        let (mut direction, mut z, mut grad_z) = (ctx.take(m), ctx.take(m), ctx.take(m));
        direction.copy_from_slice(&state.grad_z);
        z.copy_from_slice(&state.z);
        grad_z.copy_from_slice(&state.grad_z);
        state.carried.apply(&mut direction);
        if state.carried.pairs.is_empty() || dot(&grad_z, &direction) <= 0.0 {
            // A first step of length 1: nothing is known about the curvature.
            direction.copy_from_slice(&grad_z);
            direction.iter_mut().for_each(|d| *d /= state.residual);
            state.carried.pairs.clear();
            state.carried.next = 0;
        }
        let value = state.carried.value;
        let search = LineSearch { value, direction: &direction, first: 1.0, sufficient: SUFFICIENT };
        let taken = search.run(problem, x, state, ctx);
        if let Some(taken) = &taken {
            state.carried.value = taken.value;
            self.remember(state, &z, &grad_z);
        }
        ctx.give(grad_z);
        ctx.give(z);
        ctx.give(direction);
        Ok(if taken.is_some() { Step::Advanced } else { Step::Stalled })
    }
}

impl Lbfgs {
    /// Keeps the change since (z, grad_z), in the place of the oldest where the memory is full.
    fn remember(self, state: &mut Iterate<Curvature>, z: &[f64], grad_z: &[f64]) {
        let Iterate { z: new_z, grad_z: new_grad_z, carried, .. } = state;
        let (dz, dg) = (|i: usize| new_z[i] - z[i], |i: usize| new_grad_z[i] - grad_z[i]);
        let m = z.len();
        let sy: f64 = (0..m).map(|i| dz(i) * dg(i)).sum();
        let sizes = (0..m).fold((0.0, 0.0), |(s, y), i| (s + dz(i) * dz(i), y + dg(i) * dg(i)));
        if self.memory == 0 || sy.is_nan() || sy <= MIN_CURVATURE * (sizes.0 * sizes.1).sqrt() {
            return;
        }
        if carried.pairs.len() < self.memory {
            carried.pairs.push((vec![0.0; m], vec![0.0; m], 0.0));
            carried.next = carried.pairs.len() - 1;
        }
        let (s, y, product) = &mut carried.pairs[carried.next];
        (0..m).for_each(|i| (s[i], y[i]) = (dz(i), dg(i)));
        *product = sy;
        carried.next = (carried.next + 1) % self.memory.min(carried.pairs.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::glm::Glm;
    use crate::problem::loss::{Logistic, Loss, Poisson, Power, Squared};
    use crate::solve::{Solve, Status, Stop};
    use crate::testing::random;

    fn steps<L: Loss>(loss: L, memory: usize) -> usize {
        let problem = Glm::new(random::design(80, 30, 6, 1), loss, 0.01).unwrap();
        let x: Vec<f64> = random::vector(80, 2).iter().map(|x| 2.0 * x.abs()).collect();
        let solver = Lbfgs::new(memory);
        let stop = Stop::tolerance(1e-9).within(20_000);
        let solution = Solve::new(&problem, &solver, &x).stop(stop).run().unwrap();
        assert_eq!(solution.status(), Status::Converged, "{solution:?}");
        solution.steps()
    }

    #[test]
    fn memory_pays_on_every_loss() {
        assert!(2 * steps(Squared, 10) < steps(Squared, 0));
        assert!(2 * steps(Logistic, 10) < steps(Logistic, 0));
        assert!(2 * steps(Power::new(4.0).unwrap(), 10) < steps(Power::new(4.0).unwrap(), 0));
        assert!(2 * steps(Poisson, 10) < steps(Poisson, 0));
    }

    #[test]
    fn pairs_give_back_what_they_were_made_of() {
        // B y = s for the newest pair: the secant equation.
        let problem = Glm::new(random::design(40, 8, 4, 1), Logistic, 0.1).unwrap();
        let (x, solver) = (random::labels(40, 2), Lbfgs::new(3));
        for t in 1..9 {
            let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(t)).run().unwrap();
            let mut curvature = solution.state().carried.clone();
            let newest = curvature.newest_first().next().unwrap();
            let (s, mut y, _) = curvature.pairs[newest].clone();
            curvature.apply(&mut y);
            assert!(crate::vector::distance(&y, &s) <= 1e-12 * crate::vector::norm(&s), "after {t} steps");
        }
    }
}

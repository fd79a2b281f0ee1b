//! z_{t+1} = z_t - rho_t grad_z L(z_t, x), rho_t by backtracking: the first of 2 rho_{t-1}, rho_{t-1}, rho_{t-1}/2, ... with L(z_{t+1}) <= L(z_t)
//! - rho_t/2 ‖grad_z L(z_t)‖², which every rho_t <= 1/L satisfies.
//!
//! It needs no bound on the curvature, and takes longer steps where there is less of it. Each trial costs a pass over D.
//!
//! Source: Armijo, Minimization of functions having Lipschitz continuous first partial derivatives, Pacific Journal of
//! Mathematics 16, 1966.

use super::line_search::LineSearch;
use super::{Carry, Iterate, SolveError, Solver, State, Step};
use crate::ctx::Ctx;
use crate::problem::Objective;

/// Gradient descent whose steps are found by backtracking; they are constants where x is differentiated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backtracking {
    first: f64,
}

impl Backtracking {
    /// With `first` as the first trial of the first step.
    #[must_use]
    pub fn new(first: f64) -> Self {
        Self { first }
    }
}

impl Default for Backtracking {
    /// The first trial is a step of 1.
    fn default() -> Self {
        Self::new(1.0)
    }
}

/// What backtracking carries along.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    value: f64,
    /// The first trial of the next step.
    next: f64,
    rho: f64,
}

impl Carry for Trial {
    fn saved_len(_: usize) -> usize {
        2
    }

    fn save(&self, out: &mut [f64]) {
        out.copy_from_slice(&[self.value, self.next]);
    }

    fn restore(&mut self, saved: &[f64]) {
        (self.value, self.next) = (saved[0], saved[1]);
    }

    fn settled(&self) -> Self {
        *self
    }
}

impl Iterate<Trial> {
    /// rho of the last step taken; NaN before the first.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.carried.rho
    }
}

impl<P: Objective + ?Sized> Solver<P> for Backtracking {
    type State = Iterate<Trial>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        if !(self.first > 0.0 && self.first.is_finite()) {
            return Err(SolveError::InvalidStep { step: self.first });
        }
        let trial = Trial { value: f64::NAN, next: self.first, rho: f64::NAN };
        let mut state = Iterate::new(problem, x, initial, trial, ctx);
        state.carried.value = problem.value(state.at(x), ctx);
        Ok(state)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        if state.residual == 0.0 {
            return Ok(Step::Stalled);
        }
        let mut direction = ctx.take(state.z.len());
        direction.copy_from_slice(&state.grad_z);
        let Trial { value, next: first, .. } = state.carried;
        let taken = LineSearch { value, direction: &direction, first, sufficient: 0.5 }.run(problem, x, state, ctx);
        ctx.give(direction);
        Ok(match taken {
            Some(taken) => {
                let next = (2.0 * taken.s).min(f64::MAX);
                state.carried = Trial { value: taken.value, next, rho: taken.s };
                Step::Advanced
            }
            None => Step::Stalled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::problem::glm::Glm;
    use crate::problem::loss::{Logistic, Loss, Poisson, Power};
    use crate::solve::{Solve, Status, Stop};
    use crate::testing::random;

    fn converges<L: Loss>(loss: L) {
        let problem = Glm::new(random::design(40, 8, 4, 1), loss, 0.1).unwrap();
        let x: Vec<f64> = random::vector(40, 2).iter().map(|x| 2.0 * x.abs()).collect();
        for first in [1e-300, 1e-6, 1.0, 1e6, 1e300] {
            let solver = Backtracking::new(first);
            let stop = Stop::tolerance(1e-8).within(20_000);
            let solution = Solve::new(&problem, &solver, &x).stop(stop).run().unwrap();
            assert_eq!(solution.status(), Status::Converged, "first step {first}: {solution:?}");
        }
    }

    #[test]
    fn any_first_step_will_do() {
        converges(Logistic);
        converges(Power::new(4.0).unwrap());
        converges(Poisson);
    }

    #[test]
    fn the_scale_of_the_data_is_no_matter() {
        for scale in [1e-12, 1e9, 1e12, 1e160] {
            let design = random::design(40, 8, 4, 1);
            let mut triplets = Vec::new();
            design.for_each_entry(|i, j, d| triplets.push((i, j, scale * d)));
            let design = Design::from_triplets(40, 8, &triplets).unwrap();
            let problem = Glm::new(design, Logistic, (scale * scale * 0.1).min(1e299)).unwrap();
            let (x, solver) = (random::labels(40, 2), Backtracking::default());
            let stop = Stop::tolerance(1e-8).within(2000);
            let solution = Solve::new(&problem, &solver, &x).stop(stop).run().unwrap();
            assert_eq!(solution.status(), Status::Converged, "{scale:e}: {solution:?}");
        }
    }

    #[test]
    fn first_steps_are_positive() {
        let problem = Glm::new(random::design(6, 2, 1, 1), Logistic, 0.1).unwrap();
        for first in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let solver = Backtracking::new(first);
            let error = Solve::new(&problem, &solver, &[0.0; 6]).run().unwrap_err();
            assert!(matches!(error, SolveError::InvalidStep { .. }), "{error}");
        }
    }
}

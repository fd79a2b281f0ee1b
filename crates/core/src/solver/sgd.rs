//! z_{t+1} = z_t - rho_t grad_z L_B(z_t, x), B drawn anew at each step: stochastic gradient descent.
//!
//! rho_t = c (t0 + t)^-a, or the same at every step; B as [`Draws`] says. Of a smooth, strongly convex L and steps that decrease, E ‖z_t - z*‖² = O(t^-a) for
//! 1/2 < a < 1, and for a = 1 where 2 c mu > 1.
//!
//! Averaged, z_t is the mean of the first t iterates, whatever the steps: Polyak and Juditsky 1992.
//!
//! Source: Robbins, Monro, A stochastic approximation method, Annals of Mathematical Statistics 22, 1951; Moulines, Bach, Non-asymptotic analysis of stochastic
//! approximation algorithms for machine learning, NeurIPS 2011; Polyak, Juditsky, Acceleration of stochastic approximation by averaging, SIAM Journal on
//! Control and Optimization 30, 1992.

use super::{Draws, SolveError, Solver, State, Step};
use crate::ctx::Ctx;
use crate::problem::{Batch, FiniteSum, Point};
use crate::vector::{axpy, norm};

/// How long the steps of a stochastic solver are: c (t0 + t)^-a.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    /// c.
    pub scale: f64,
    /// t0.
    pub offset: f64,
    /// a; 0 for steps that are all the same.
    pub exponent: f64,
}

impl Decay {
    /// The same step, c, at every t.
    #[must_use]
    pub fn constant(step: f64) -> Self {
        Self { scale: step, offset: 1.0, exponent: 0.0 }
    }

    /// rho_t.
    #[must_use]
    pub fn at(self, t: usize) -> f64 {
        self.scale * (self.offset + t as f64).powf(-self.exponent)
    }

    fn check(self) -> Result<(), SolveError> {
        let Self { scale, offset, exponent } = self;
        // t0 above 0, as (t0 + t)^-a is infinite at t = -t0, and not NaN, though every number to the power 0 is 1.
        if !([scale, offset].iter().all(|v| *v > 0.0 && v.is_finite()) && exponent >= 0.0 && exponent.is_finite()) {
            return Err(SolveError::InvalidDecay { scale, offset, exponent });
        }
        let first = self.at(0);
        if first > 0.0 && first.is_finite() { Ok(()) } else { Err(SolveError::InvalidStep { step: first }) }
    }
}

/// Stochastic gradient descent, for problems that are a [`FiniteSum`].
///
/// A step takes as long as the terms of B and a vector operation on z. [`State::residual`] is no norm of grad_z L, which a step does not compute, but the root of
/// the mean of ‖grad_z L_B‖² over about as many steps as it takes to see every term; it is at least about that norm, and vanishes where every term's gradient does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    steps: Decay,
    draws: Draws,
    averaged: bool,
}

impl Sgd {
    /// With steps of these lengths, one term at a time, seed 0.
    #[must_use]
    pub fn new(steps: Decay) -> Self {
        Self { steps, draws: Draws::default(), averaged: false }
    }

    /// With `terms` terms at a time, at least 1.
    #[must_use]
    pub fn batch(self, terms: usize) -> Self {
        Self { draws: self.draws.batch(terms), ..self }
    }

    /// With other random terms.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { draws: self.draws.seed(seed), ..self }
    }

    /// With z_t the mean of the iterates.
    #[must_use]
    pub fn averaged(self) -> Self {
        Self { averaged: true, ..self }
    }

    /// Whether z_t is a mean.
    #[must_use]
    pub fn is_averaged(&self) -> bool {
        self.averaged
    }

    /// rho_t.
    #[must_use]
    pub fn step_at(&self, t: usize) -> f64 {
        self.steps.at(t)
    }

    /// The terms of every step.
    #[must_use]
    pub fn draws(&self) -> Draws {
        self.draws
    }
}

/// Where stochastic gradient descent stands.
#[derive(Clone, Debug)]
pub struct SgdState {
    /// The last iterate, from which the next step is taken.
    pub iterate: Vec<f64>,
    /// The mean of the iterates; empty where they are not averaged.
    mean: Vec<f64>,
    /// t.
    pub steps: usize,
    batch: Vec<usize>,
    gradient: Vec<f64>,
    mean_square: f64,
}

impl SgdState {
    /// Stands at `iterate`, their mean `mean` (empty where they are not averaged), before step t = `steps`.
    pub fn restore(&mut self, iterate: &[f64], mean: &[f64], steps: usize) {
        self.iterate.copy_from_slice(iterate);
        self.mean.copy_from_slice(mean);
        self.steps = steps;
    }

    /// The mean of the iterates; empty where they are not averaged.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }
}

impl State for SgdState {
    fn latent(&self) -> &[f64] {
        if self.mean.is_empty() { &self.iterate } else { &self.mean }
    }

    fn residual(&self) -> f64 {
        self.mean_square.sqrt()
    }
}

impl<P: FiniteSum + ?Sized> Solver<P> for Sgd {
    type State = SgdState;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<SgdState, SolveError> {
        self.steps.check()?;
        let mut gradient = vec![0.0; initial.len()];
        problem.grad_z(initial, x, &mut gradient, &mut [], ctx);
        let mean = if self.averaged { initial.to_vec() } else { Vec::new() };
        let mean_square = norm(&gradient).powi(2);
        let batch = vec![0; self.draws.batch_len()];
        Ok(SgdState { iterate: initial.to_vec(), mean, steps: 0, batch, gradient, mean_square })
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut SgdState, ctx: &mut Ctx) -> Result<Step, SolveError> {
        let terms = problem.terms();
        if terms == 0 {
            // What is left is the same in every batch, and has no noise.
            problem.grad_z(&state.iterate, x, &mut state.gradient, &mut [], ctx);
        } else {
            self.draws.of_step(state.steps, terms, &mut state.batch);
            let batch = Batch { terms: &state.batch, at: Point::new(&state.iterate, x) };
            problem.batch_grad_z(batch, &mut state.gradient, ctx);
        }
        axpy(-self.steps.at(state.steps), &state.gradient, &mut state.iterate);
        state.steps += 1;
        let share = (self.draws.batch_len() as f64 / terms.max(1) as f64).min(1.0);
        state.mean_square += share * (norm(&state.gradient).powi(2) - state.mean_square);
        for (mean, z) in state.mean.iter_mut().zip(&state.iterate) {
            *mean += (z - *mean) / state.steps as f64;
        }
        Ok(Step::Advanced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::problem::glm::Glm;
    use crate::problem::loss::{Logistic, Squared};
    use crate::solve::{Solve, Status, Stop};
    use crate::testing::random;

    #[test]
    fn steps_that_decrease_go_to_the_minimum_and_means_faster() {
        let (design, y) = (random::design(40, 6, 3, 1), random::labels(40, 2));
        let problem = Glm::new(design, Logistic, 2.0).unwrap();
        let newton = crate::solver::GradientDescent::default();
        let minimum = Solve::new(&problem, &newton, &y).stop(Stop::tolerance(1e-13)).run().unwrap();
        let steps = Decay { scale: 2.0, offset: 100.0, exponent: 0.8 };
        let error = |solver: Sgd, t: usize| {
            let squares: f64 = (0..10)
                .map(|seed| {
                    let solver = solver.seed(seed);
                    let found = Solve::new(&problem, &solver, &y).stop(Stop::steps(t)).run().unwrap();
                    crate::vector::distance(found.z(), minimum.z()).powi(2)
                })
                .sum();
            (squares / 10.0).sqrt()
        };
        let (early, late) = (error(Sgd::new(steps), 1000), error(Sgd::new(steps), 64_000));
        // t^-0.4 times 64: a fifth, and not a twentieth.
        assert!(late < 0.35 * early && late > 0.1 * early, "{early:e} {late:e}");
        assert!(error(Sgd::new(steps).averaged(), 64_000) < 0.5 * late);
        assert!(error(Sgd::new(steps).batch(16), 64_000) < 0.5 * late);
    }

    #[test]
    fn passes_are_rows_over_rows() {
        let problem = Glm::new(random::design(40, 6, 3, 1), Squared, 0.5).unwrap();
        let solver = Sgd::new(Decay::constant(1e-3)).batch(4);
        let y = random::vector(40, 2);
        let solution = Solve::new(&problem, &solver, &y).stop(Stop::steps(100)).run().unwrap();
        // That of the gradient at z_0, and ten of 400 rows.
        assert_eq!(solution.cost().passes, 11);
        assert!(solution.residual() > 0.0 && solution.residual() < solution.initial_residual() * 3.0);
    }

    #[test]
    fn what_cannot_be_is_refused_or_said() {
        let problem = Glm::new(random::design(9, 3, 2, 1), Squared, 0.5).unwrap();
        let y = random::vector(9, 2);
        let run =
            |steps: Decay| Solve::new(&problem, &Sgd::new(steps), &y).stop(Stop::steps(2000)).run().map(|s| s.status());
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        for (scale, offset, exponent) in [
            (0.0, 1.0, 0.5),
            (-1.0, 1.0, 0.5),
            (nan, 1.0, 0.0),
            (inf, 1.0, 1.0),
            (1.0, 1.0, -0.5),
            (1.0, 1.0, nan),
            (1.0, 1.0, inf),
            (0.1, nan, 0.0),
            (0.1, inf, 0.0),
            (0.1, 0.0, 1.0),
            (0.1, -3.0, 2.0),
        ] {
            let refused = run(Decay { scale, offset, exponent });
            assert!(matches!(refused, Err(SolveError::InvalidDecay { .. })), "{scale} {offset} {exponent}");
        }
        let vanishing = run(Decay { scale: 1e-300, offset: 1e300, exponent: 1.0 });
        assert_eq!(vanishing, Err(SolveError::InvalidStep { step: 0.0 }));
        assert_eq!(run(Decay::constant(1e3)), Ok(Status::Diverged));
        let empty = Glm::new(Design::from_triplets(0, 3, &[]).unwrap(), Squared, 0.5).unwrap();
        let solver = Sgd::new(Decay::constant(1.0));
        let solution = Solve::new(&empty, &solver, &[]).from(&[1.0; 3]).stop(Stop::steps(50)).run().unwrap();
        assert!(solution.z().iter().all(|z| z.abs() < 1e-10), "{:?}", solution.z());
    }
}

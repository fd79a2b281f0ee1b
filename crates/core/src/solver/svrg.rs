//! z_{t+1} = z_t - rho (grad_z L_B(z_t, x) - grad_z L_B(w, x) + grad_z L(w, x)), B drawn anew at each step: stochastic gradients whose variance vanishes.
//!
//! The anchor w is z_t at t = 0, q, 2q, ..., an epoch of q steps each, where the terms of B cancel and the step is one of gradient descent. As z_t and w tend to z*,
//! so does the noise to 0: of an L that is smooth and strongly convex, with terms that are smooth and convex, E ‖w - z*‖² falls by a constant factor each
//! epoch, with the same rho at every step, where rho is short enough and q long enough: linearly, where stochastic gradient descent of a constant step ends at a
//! floor. The terms are drawn as [`Draws`] says.
//!
//! Source: Johnson, Zhang, Accelerating stochastic gradient descent using predictive variance reduction, NeurIPS 2013, their Option I; that it converges linearly:
//! Tan, Ma, Dai, Qian, Barzilai-Borwein step size for stochastic gradient descent, NeurIPS 2016.

use super::{Draws, SolveError, Solver, State, Step};
use crate::ctx::Ctx;
use crate::problem::{Batch, FiniteSum, Point};
use crate::vector::{axpy, norm};

/// Stochastic gradient descent with its variance reduced, SVRG, for problems that are a [`FiniteSum`].
///
/// The first step of an epoch takes the gradient of L, each other one the terms of B twice. [`State::residual`] is ‖grad_z L(w, x)‖ at the last anchor: that of z_t
/// where z_t is the anchor, at the end of each epoch, and as it was there on the way to the next. A tolerance is so met at an anchor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Svrg {
    step: f64,
    epoch: Option<usize>,
    draws: Draws,
}

impl Svrg {
    /// With steps of this length, one term at a time, seed 0, and epochs in which about twice as many terms are drawn as there are.
    ///
    /// With l the greatest smoothness of an L_B with one term, rho = 0.1 / l is a first choice.
    #[must_use]
    pub fn new(step: f64) -> Self {
        Self { step, epoch: None, draws: Draws::default() }
    }

    /// With `steps` steps from one anchor to the next, at least 1; 1 is gradient descent.
    #[must_use]
    pub fn epoch(self, steps: usize) -> Self {
        Self { epoch: Some(steps.max(1)), ..self }
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

    /// rho.
    #[must_use]
    pub fn step_len(&self) -> f64 {
        self.step
    }

    /// q, for a sum of `terms` terms. Where there is none every gradient is that of L.
    #[must_use]
    pub fn epoch_len(&self, terms: usize) -> usize {
        let twice = || terms.saturating_mul(2).div_ceil(self.draws.batch_len());
        if terms == 0 { 1 } else { self.epoch.unwrap_or_else(twice) }
    }

    /// Whether z_t is an anchor, for a sum of `terms` terms.
    #[must_use]
    pub fn is_anchor(&self, t: usize, terms: usize) -> bool {
        t.is_multiple_of(self.epoch_len(terms))
    }

    /// The terms of every step.
    #[must_use]
    pub fn draws(&self) -> Draws {
        self.draws
    }
}

/// Where SVRG stands.
#[derive(Clone, Debug)]
pub struct SvrgState {
    z: Vec<f64>,
    /// w.
    anchor: Vec<f64>,
    /// grad_z L(w, x).
    gradient: Vec<f64>,
    is_anchor: bool,
    /// t.
    steps: usize,
    batch: Vec<usize>,
    residual: f64,
}

impl SvrgState {
    /// w, length m.
    #[must_use]
    pub fn anchor(&self) -> &[f64] {
        &self.anchor
    }

    /// grad_z L(w, x), length m.
    #[must_use]
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// t.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Stands at z_t = `z`, t = `steps`, with w = `anchor` and `gradient` that of L there.
    pub fn restore(&mut self, z: &[f64], anchor: &[f64], gradient: &[f64], steps: usize) {
        self.z.copy_from_slice(z);
        self.anchor.copy_from_slice(anchor);
        self.gradient.copy_from_slice(gradient);
        self.is_anchor = z == anchor;
        self.steps = steps;
        self.residual = norm(gradient);
    }

    /// Sets the anchor at z_t.
    fn drop_anchor<P: FiniteSum + ?Sized>(&mut self, problem: &P, x: &[f64], ctx: &mut Ctx) {
        self.anchor.copy_from_slice(&self.z);
        problem.grad_z(&self.z, x, &mut self.gradient, &mut [], ctx);
        self.is_anchor = true;
        self.residual = norm(&self.gradient);
    }
}

impl State for SvrgState {
    fn latent(&self) -> &[f64] {
        &self.z
    }

    fn grad_z(&self) -> &[f64] {
        if self.is_anchor { &self.gradient } else { &[] }
    }

    fn residual(&self) -> f64 {
        self.residual
    }

    fn into_latent(self) -> Vec<f64> {
        self.z
    }
}

impl<P: FiniteSum + ?Sized> Solver<P> for Svrg {
    type State = SvrgState;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<SvrgState, SolveError> {
        if !(self.step > 0.0 && self.step.is_finite()) {
            return Err(SolveError::InvalidStep { step: self.step });
        }
        let mut state = SvrgState {
            z: initial.to_vec(),
            anchor: initial.to_vec(),
            gradient: vec![0.0; initial.len()],
            is_anchor: true,
            steps: 0,
            batch: vec![0; self.draws.batch_len()],
            residual: f64::NAN,
        };
        state.drop_anchor(problem, x, ctx);
        Ok(state)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut SvrgState, ctx: &mut Ctx) -> Result<Step, SolveError> {
        let terms = problem.terms();
        if self.is_anchor(state.steps, terms) {
            axpy(-self.step, &state.gradient, &mut state.z);
        } else {
            self.draws.of_step(state.steps, terms, &mut state.batch);
            let [mut at_z, mut at_anchor] = [(); 2].map(|()| ctx.take(state.z.len()));
            let mut batch_grad_z = |z: &[f64], out: &mut [f64]| {
                problem.batch_grad_z(Batch { terms: &state.batch, at: Point::new(z, x) }, out, ctx);
            };
            batch_grad_z(&state.z, &mut at_z);
            batch_grad_z(&state.anchor, &mut at_anchor);
            for (((z, at_z), at_anchor), gradient) in state.z.iter_mut().zip(&at_z).zip(&at_anchor).zip(&state.gradient)
            {
                *z -= self.step * (at_z - at_anchor + gradient);
            }
            ctx.give(at_anchor);
            ctx.give(at_z);
        }
        state.steps += 1;
        state.is_anchor = false;
        if self.is_anchor(state.steps, terms) {
            // Now, and not with the next step: its norm is the residual of z_t.
            state.drop_anchor(problem, x, ctx);
        } else if !norm(&state.z).is_finite() {
            state.residual = f64::NAN;
        }
        Ok(Step::Advanced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::problem::Objective;
    use crate::problem::glm::Glm;
    use crate::problem::loss::{Logistic, Squared};
    use crate::solve::{Solve, Status, Stop};
    use crate::solver::{Decay, GradientDescent, Sgd, StepSize};
    use crate::testing::random;
    use crate::vector::distance;

    fn logistic() -> (Glm<Logistic>, Vec<f64>) {
        (Glm::new(random::design(40, 6, 3, 1), Logistic, 2.0).unwrap(), random::labels(40, 2))
    }

    #[test]
    fn a_constant_step_goes_to_the_minimum_linearly() {
        let (problem, y) = logistic();
        let newton = GradientDescent::default();
        let minimum = Solve::new(&problem, &newton, &y).stop(Stop::tolerance(1e-14)).run().unwrap();
        let step = 0.02;
        for (solver, epoch) in [(Svrg::new(step), 80), (Svrg::new(step).batch(4).epoch(50).seed(5), 50)] {
            let mut solution = Solve::new(&problem, &solver, &y).stop(Stop::steps(0)).run().unwrap();
            let mut errors = vec![norm(minimum.z())];
            while errors[errors.len() - 1] > 1e-12 * errors[0] {
                solution.resume(Stop::steps(errors.len() * epoch), &mut Ctx::new()).unwrap();
                errors.push(distance(solution.z(), minimum.z()));
                assert!(errors.len() < 40, "{errors:?}");
            }
            // L is strongly convex with constant 2, for which gradient descent has 0.96^80 and 0.96^50.
            let falls = |pair: &[f64]| pair[1] < 0.5 * pair[0];
            assert!(errors.windows(2).all(falls), "{errors:?}");
        }
        let floor = Sgd::new(Decay::constant(step));
        for t in [3200, 6400] {
            let stays = Solve::new(&problem, &floor, &y).stop(Stop::steps(t)).run().unwrap();
            assert!(distance(stays.z(), minimum.z()) > 1e-3 * norm(minimum.z()));
        }
    }

    #[test]
    fn the_same_seed_has_the_same_bits_and_another_other_terms() {
        let (problem, y) = logistic();
        let z = |solver: Svrg| Solve::new(&problem, &solver, &y).stop(Stop::steps(100)).run().unwrap().into_z();
        let solver = Svrg::new(0.02).batch(2).seed(3);
        assert_eq!(z(solver), z(solver));
        assert!(distance(&z(solver), &z(solver.seed(4))) > 1e-6);
        // By default twice 40 terms, two of them a step.
        assert_eq!(z(solver), z(solver.epoch(40)));
        assert_ne!(z(solver), z(solver.epoch(41)));
    }

    #[test]
    fn passes_are_rows_over_rows() {
        let problem = Glm::new(random::design(40, 6, 3, 1), Squared, 0.5).unwrap();
        let y = random::vector(40, 2);
        let passes =
            |solver: Svrg, t| Solve::new(&problem, &solver, &y).stop(Stop::steps(t)).run().unwrap().cost().passes;
        let solver = Svrg::new(1e-3).epoch(10);
        // Gradients at z_0, z_10, ..., and nine steps an epoch of a batch of rows twice.
        assert_eq!(passes(solver.batch(4), 100), 11 + 18);
        assert_eq!(passes(solver.batch(100), 10), 2 + 9 * 5);
    }

    #[test]
    fn the_residual_is_that_of_the_last_anchor() {
        let (problem, y) = logistic();
        let solver = Svrg::new(0.02).epoch(7);
        let gradient_at = |z: &[f64]| {
            let mut gradient = vec![0.0; z.len()];
            problem.grad_z(z, &y, &mut gradient, &mut [], &mut Ctx::new());
            gradient
        };
        for t in 0..30 {
            let at = |t| Solve::new(&problem, &solver, &y).stop(Stop::steps(t)).run().unwrap();
            let (solution, anchor) = (at(t), at(t - t % 7));
            assert_eq!(solution.state().anchor(), anchor.z());
            assert_eq!(solution.residual(), norm(&gradient_at(anchor.z())));
            let known = solution.point().grad_z;
            assert!(if t % 7 == 0 { known == gradient_at(solution.z()) } else { known.is_empty() }, "{t}");
        }
        let solution = Solve::new(&problem, &solver, &y).stop(Stop::tolerance(1e-6)).run().unwrap();
        assert_eq!((solution.status(), solution.steps() % 7), (Status::Converged, 0));
        assert!(norm(&gradient_at(solution.z())) <= 1e-6 * solution.initial_residual());
    }

    #[test]
    fn epochs_of_one_step_and_sums_of_no_terms_are_gradient_descent() {
        let (problem, y) = logistic();
        let plain = GradientDescent::new(StepSize::Fixed(0.02));
        let expected = Solve::new(&problem, &plain, &y).stop(Stop::steps(50)).run().unwrap();
        let solver = Svrg::new(0.02).epoch(0);
        let found = Solve::new(&problem, &solver, &y).stop(Stop::steps(50)).run().unwrap();
        assert_eq!((found.z(), found.cost().passes), (expected.z(), expected.cost().passes));
        let empty = Glm::new(Design::from_triplets(0, 3, &[]).unwrap(), Squared, 0.5).unwrap();
        for solver in [Svrg::new(1.0), Svrg::new(1.0).epoch(5)] {
            let solution = Solve::new(&empty, &solver, &[]).from(&[1.0; 3]).stop(Stop::steps(50)).run().unwrap();
            assert_eq!(solution.z(), [0.5_f64.powi(50); 3]);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_or_said() {
        let problem = Glm::new(random::design(9, 3, 2, 1), Squared, 0.5).unwrap();
        let y = random::vector(9, 2);
        let run = |solver: Svrg, t| Solve::new(&problem, &solver, &y).stop(Stop::steps(t)).run().map(|s| s.status());
        for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = run(Svrg::new(step), 1);
            assert!(matches!(refused, Err(SolveError::InvalidStep { .. })), "{step}");
        }
        // Within its first epoch, too.
        let long = Svrg::new(1e3).epoch(10_000);
        assert_eq!((run(Svrg::new(1e3), 2000), run(long, 2000)), (Ok(Status::Diverged), Ok(Status::Diverged)));
    }
}

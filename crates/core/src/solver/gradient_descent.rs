//! z_{t+1} = z_t - rho grad_z L(z_t, x), rho fixed.

use super::{Carry, Iterate, SolveError, Solver, State, Step, StepSize};
use crate::ctx::Ctx;
use crate::problem::{Point, Problem};
use crate::vector::{axpy, dot};

/// Times that an automatic step is halved before the run is given up: a bound on the curvature that is wrong by more than
/// 2^30 is no bound, and shorter steps yet would hide a rise in [`ROUNDING`].
const MAX_HALVINGS: usize = 30;
/// Rises of L below this share of its size are rounding, not a step too long.
const ROUNDING: f64 = 1e-12;

/// Gradient descent with a constant step.
///
/// An automatic step is halved, and the run restarted, if L(z, x) rises all the same. The step is a constant also where x is
/// differentiated: it is not a function of x.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GradientDescent {
    step: StepSize,
}

impl GradientDescent {
    /// Gradient descent with the given step size.
    #[must_use]
    pub fn new(step: StepSize) -> Self {
        Self { step }
    }
}

/// What gradient descent carries along: the step in use.
#[derive(Clone, Debug)]
pub struct Pace {
    rho: f64,
    watch: Option<RiseWatch>,
}

impl Carry for Pace {
    fn saved_len(_: usize) -> usize {
        0
    }

    fn save(&self, _: &mut [f64]) {}

    fn restore(&mut self, _: &[f64]) {}

    /// Steps that were kept were found right: no watch, which would look at L at other steps than before.
    fn settled(&self) -> Self {
        Self { rho: self.rho, watch: None }
    }
}

impl Iterate<Pace> {
    /// rho, as it is now.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.carried.rho
    }

    /// Times that an automatic step was halved, and the run restarted, because L rose.
    #[must_use]
    pub fn halvings(&self) -> usize {
        self.carried.watch.as_ref().map_or(0, |watch| watch.halvings)
    }
}

/// Finds out whether an automatic step is too long.
///
/// L convex gives L(z_{t+1}) - L(z_t) <= <g_{t+1}, z_{t+1} - z_t> = -rho <g_{t+1}, g_t>: L can only rise where
/// <g_{t+1}, g_t> < 0, so that the two values are computed (from the memos, without a pass) there, and, for an L that is not
/// convex or a gradient that is wrong, at steps 1, 2, 4, 8, ...
#[derive(Clone, Debug)]
struct RiseWatch {
    start: Vec<f64>,
    /// The gradient and the memo one step before.
    grad_z: Vec<f64>,
    memo: Vec<f64>,
    steps: u64,
    halvings: usize,
}

impl<P: Problem + ?Sized> Solver<P> for GradientDescent {
    type State = Iterate<Pace>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        let mut state = Iterate::new(problem, x, initial, Pace { rho: f64::NAN, watch: None }, ctx);
        let rho = self.step.choose(problem, state.at(x), ctx)?;
        let watch = match self.step {
            StepSize::Fixed(_) => None,
            StepSize::Auto => Some(RiseWatch::new(initial, state.memo.len())),
        };
        state.carried = Pace { rho, watch };
        Ok(state)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        axpy(-state.carried.rho, &state.grad_z, &mut state.z);
        let Some(mut watch) = state.carried.watch.take() else {
            state.evaluate(problem, x, ctx);
            return Ok(Step::Advanced);
        };
        std::mem::swap(&mut state.grad_z, &mut watch.grad_z);
        std::mem::swap(&mut state.memo, &mut watch.memo);
        state.evaluate(problem, x, ctx);
        let rose = watch.rose(problem, state.at(x), state.carried.rho, ctx);
        if rose {
            watch.steps = 0;
            watch.halvings += 1;
            if watch.halvings > MAX_HALVINGS {
                return Err(SolveError::NoDescent { step: state.carried.rho });
            }
            state.carried.rho /= 2.0;
            state.z.copy_from_slice(&watch.start);
            state.evaluate(problem, x, ctx);
        }
        state.carried.watch = Some(watch);
        Ok(if rose { Step::Restarted } else { Step::Advanced })
    }
}

impl RiseWatch {
    fn new(start: &[f64], memo_len: usize) -> Self {
        let (grad_z, memo) = (vec![0.0; start.len()], vec![0.0; memo_len]);
        Self { start: start.to_vec(), grad_z, memo, steps: 0, halvings: 0 }
    }

    fn rose<P: Problem + ?Sized>(&mut self, problem: &P, at: Point<'_>, rho: f64, ctx: &mut Ctx) -> bool {
        self.steps += 1;
        let alignment = dot(at.grad_z, &self.grad_z);
        if alignment >= 0.0 && !self.steps.is_power_of_two() {
            return false;
        }
        // A NaN anywhere comes this far, and counts as a rise.
        let mut z = ctx.take(at.z.len());
        z.copy_from_slice(at.z);
        axpy(rho, &self.grad_z, &mut z);
        let before = problem.value(Point { z: &z, memo: &self.memo, grad_z: &self.grad_z, ..at }, ctx);
        ctx.give(z);
        let value = problem.value(at, ctx);
        value.is_nan() || value > before + ROUNDING * before.abs().max(value.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Objective;
    use crate::problem::glm::Glm;
    use crate::problem::loss::{Logistic, Loss, Power, Squared};
    use crate::solve::{Solve, Status, Stop};
    use crate::testing::random;

    /// A problem whose smoothness, or whose gradient, is off by a factor.
    struct Lying<P> {
        honest: P,
        smoothness: f64,
        gradient: f64,
    }

    impl<P: Problem> Objective for Lying<P> {
        fn dims(&self) -> (usize, usize) {
            self.honest.dims()
        }

        fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
            self.honest.value(at, ctx)
        }

        fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
            self.honest.grad_z(z, x, out, memo, ctx);
            out.iter_mut().for_each(|g| *g *= self.gradient);
        }

        fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
            self.honest.grad_x(at, scale, out, ctx);
        }
    }

    impl<P: Problem> Problem for Lying<P> {
        fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
            self.honest.hess(at, v, out, ctx);
        }

        fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
            self.honest.cross(at, v, scale, out, ctx);
        }

        fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
            self.honest.cross_t(at, w, out, ctx);
        }

        fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
            Some(self.smoothness * self.honest.smoothness(at, ctx)?)
        }
    }

    fn values<P: Problem>(problem: &P, x: &[f64], z0: &[f64], steps: usize) -> Vec<f64> {
        let solver = GradientDescent::default();
        let mut solution = Solve::new(problem, &solver, x).from(z0).stop(Stop::steps(0)).run().unwrap();
        let mut ctx = Ctx::new();
        (0..=steps)
            .map(|t| {
                solution.resume(Stop::steps(t), &mut ctx).unwrap();
                assert_eq!(solution.steps(), t);
                problem.value(solution.point(), &mut ctx)
            })
            .collect()
    }

    fn never_rises<L: Loss>(loss: L, lambda: f64) {
        let problem = Glm::new(random::design(30, 12, 4, 1), loss, lambda).unwrap();
        let (x, z0) = (random::vector(30, 2), random::vector(12, 3));
        let values = values(&problem, &x, &z0, 40);
        let rises = values.windows(2).filter(|pair| pair[1] > pair[0] * (1.0 + 1e-13)).count();
        assert_eq!(rises, 0, "{values:?}");
        assert!(values[40] < values[0]);
    }

    #[test]
    fn automatic_steps_never_raise_the_objective() {
        never_rises(Squared, 0.1);
        never_rises(Logistic, 0.0);
        never_rises(Power::new(2.5).unwrap(), 0.1);
        never_rises(Power::new(4.0).unwrap(), 0.0);
        never_rises(Power::new(7.0).unwrap(), 1.0);
    }

    #[test]
    fn a_step_too_long_is_halved_and_the_run_restarted() {
        let honest = Glm::new(random::design(30, 12, 4, 1), Squared, 0.1).unwrap();
        let x = random::vector(30, 2);
        let problem = Lying { honest, smoothness: 0.1, gradient: 1.0 };
        let solver = GradientDescent::default();
        let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(50)).run().unwrap();
        assert_eq!((solution.status(), solution.steps()), (Status::StepsTaken, 50));

        let smoothness = problem.smoothness(Point::new(&[0.0; 12], &x), &mut Ctx::new()).unwrap();
        let halvings = (solution.state().rho() * smoothness).log2();
        // Too long by ten: 10 / 2^k must be below 2, and the first such k is taken.
        assert_eq!((halvings, solution.state().halvings()), (-3.0, 3));

        let fixed = GradientDescent::new(StepSize::Fixed(solution.state().rho()));
        let again = Solve::new(&problem, &fixed, &x).stop(Stop::steps(50)).run().unwrap();
        assert_eq!(again.z(), solution.z());
    }

    #[test]
    fn an_ascent_direction_is_given_up() {
        let honest = Glm::new(random::design(30, 12, 4, 1), Squared, 0.1).unwrap();
        let problem = Lying { honest, smoothness: 1.0, gradient: -1.0 };
        let x = random::vector(30, 2);
        let solver = GradientDescent::default();
        let error = Solve::new(&problem, &solver, &x).stop(Stop::steps(500)).run().unwrap_err();
        assert!(matches!(error, SolveError::NoDescent { .. }), "{error}");
    }

    #[test]
    fn curvature_that_overflows_is_refused() {
        let huge = Glm::new(crate::design::Design::dense(1, 1, vec![1e200]).unwrap(), Squared, 0.1).unwrap();
        let far =
            Glm::new(crate::design::Design::dense(1, 1, vec![1.0]).unwrap(), Power::new(7.0).unwrap(), 0.1).unwrap();
        let solver = GradientDescent::default();
        assert_eq!(Solve::new(&huge, &solver, &[1.0]).run().unwrap_err(), SolveError::InfiniteSmoothness);
        assert_eq!(Solve::new(&far, &solver, &[1e60]).run().unwrap_err(), SolveError::InfiniteSmoothness);
    }

    #[test]
    fn zero_curvature_has_a_step() {
        let problem = Glm::new(crate::design::Design::from_triplets(2, 3, &[]).unwrap(), Squared, 0.0).unwrap();
        let solver = GradientDescent::default();
        let solution = Solve::new(&problem, &solver, &[1.0, 2.0]).stop(Stop::steps(3)).run().unwrap();
        assert_eq!(solution.z(), [0.0; 3]);
        assert_eq!(solution.state().rho(), 1.0);
    }

    #[test]
    fn steps_that_are_no_steps_are_refused() {
        let problem = Glm::new(random::design(3, 2, 1, 1), Squared, 0.1).unwrap();
        for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let solver = GradientDescent::new(StepSize::Fixed(step));
            let error = Solve::new(&problem, &solver, &[0.0; 3]).run().unwrap_err();
            assert!(matches!(error, SolveError::InvalidStep { .. }), "{step}");
        }
    }
}

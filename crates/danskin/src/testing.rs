//! Verifiers: what a user's problem, solver or loss is checked with.
//!
//! [`check_problem`] and [`check_hessian`] compare a problem's products with finite differences and with one another,
//! [`check_rule`] does so for a solver's rule, [`check_replay`] for its steps taken again, and [`check_estimators`] for g1, g2 and g3 as a whole. Each names what is wrong.

pub use danskin_core::testing::*;
pub use danskin_unrolled::testing::{RuleMismatch, check_replay, check_rule, check_rule_by, check_rule_from};

use crate::estimator::EstimateError;
use crate::prelude::*;
use crate::vector::{axpy, dot, norm};
use thiserror::Error;

/// Relative gradient norm of what is taken for a minimum.
const CONVERGED: f64 = 1e-12;
/// Relative gradient norm beyond which there is nothing to compare with.
const UNCONVERGED: f64 = 1e-8;
/// Steps that g2 is checked over.
const STEPS: usize = 5;

/// An estimator that is not the derivative it should be, or nothing to compare it with.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum EstimatorMismatch {
    /// A gradient is not the derivative.
    #[error(
        "{estimator}: differs by {difference:e} from {against}, at a scale of {scale:e} (allowed {allowed:e} of it)"
    )]
    Differs {
        /// Which estimator.
        estimator: &'static str,
        /// What it was compared with.
        against: &'static str,
        /// The difference.
        difference: f64,
        /// The scale of what was compared.
        scale: f64,
        /// The relative error allowed.
        allowed: f64,
    },
    /// No minimum was found to compare at.
    #[error(
        "no minimum was reached: ‖grad_z L‖ is {relative_residual:e} of that at z_0 after {steps} steps of Newton-CG"
    )]
    NotConverged {
        /// ‖grad_z L‖ over that at z_0.
        relative_residual: f64,
        /// Newton steps.
        steps: usize,
    },
    /// The watch ended the search for one.
    #[error("no minimum was reached in the time given: {steps} steps of Newton-CG were taken")]
    Interrupted {
        /// Newton steps.
        steps: usize,
    },
    /// g3 differs, but may have lost all digits asked of it.
    #[error(
        "nothing to compare with: L_zz has a condition number of up to {condition:e}, which leaves too few digits of z*"
    )]
    IllConditioned {
        /// Smoothness over strong convexity.
        condition: f64,
    },
    /// L is known to have none.
    #[error("L falls for ever along a direction: there is no minimum to compare at")]
    NoMinimum,
    /// A solve failed.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// An estimator gave nothing.
    #[error("{estimator}: {error}")]
    Estimate {
        /// Which estimator.
        estimator: &'static str,
        /// Why.
        error: EstimateError,
    },
}

impl EstimatorMismatch {
    /// Whether an estimator is wrong; else there was nothing to compare one with.
    #[must_use]
    pub fn accuses(&self) -> bool {
        matches!(self, Self::Differs { .. })
    }
}

/// Checks the estimators of `problem` at x against finite differences along a direction (to 1e-6): g1 against l(x) = min_z L(z, x)
/// and g3 against <c, z*(x)>, both at a minimum found by Newton-CG, and g2 in reverse and forward mode against
/// L(z_T(x), x), z_T five steps of gradient descent.
///
/// # Errors
///
/// The first [`EstimatorMismatch`], which names the estimator that is wrong. Where [`check_problem`] finds nothing, the fault is in
/// an estimator or a solver.
pub fn check_estimators<P: Problem + ?Sized>(problem: &P, x: &[f64]) -> Result<(), EstimatorMismatch> {
    check_estimators_by(Differences::SMOOTH, problem, x)
}

/// As [`check_estimators`], by other finite differences.
///
/// # Errors
///
/// As [`check_estimators`].
pub fn check_estimators_by<P: Problem + ?Sized>(
    differences: Differences,
    problem: &P,
    x: &[f64],
) -> Result<(), EstimatorMismatch> {
    let initial = vec![0.0; problem.latent_len()];
    check_estimators_from(differences, problem, x, &initial, &mut Ctx::new())
}

/// As [`check_estimators_by`], from z_0 = `initial`, as 0 may be a place where second derivatives jump; within `ctx`,
/// whose watch may end the search for a minimum. g2 is compared also where there is none.
///
/// # Errors
///
/// As [`check_estimators`].
pub fn check_estimators_from<P: Problem + ?Sized>(
    differences: Differences,
    problem: &P,
    x: &[f64],
    initial: &[f64],
    ctx: &mut Ctx,
) -> Result<(), EstimatorMismatch> {
    let check = Check { differences, problem, x, initial, dx: random::vector(x.len(), 1) };
    let at_the_minimum = check.at_some_step(|step| check.at_the_minimum(step, ctx));
    if at_the_minimum.is_err_and(|error| error.accuses()) {
        return at_the_minimum;
    }
    check.at_some_step(|step| check.on_the_way(step))?;
    at_the_minimum
}

struct Check<'a, P: ?Sized> {
    differences: Differences,
    problem: &'a P,
    x: &'a [f64],
    initial: &'a [f64],
    dx: Vec<f64>,
}

impl<P: Problem + ?Sized> Check<'_, P> {
    /// As [`Differences::at_some_step`], but where there is nothing to compare, there is nothing at another step.
    fn at_some_step(
        &self,
        mut attempt: impl FnMut(f64) -> Result<(), EstimatorMismatch>,
    ) -> Result<(), EstimatorMismatch> {
        let mut nothing = None;
        let compared = self.differences.at_some_step(self.x, |step| match attempt(step) {
            Err(error) if !error.accuses() => {
                nothing = Some(error);
                Ok(())
            }
            compared => compared,
        });
        compared.and(nothing.map_or(Ok(()), Err))
    }

    fn at_the_minimum(&self, step: f64, ctx: &mut Ctx) -> Result<(), EstimatorMismatch> {
        let newton = Newton::new(Cg::default());
        let outer = Linear(random::vector(self.problem.latent_len(), 2));
        let numeric = derivative(step, |h| {
            let moved = self.moved(h);
            let solution = self.minimise(&newton, &moved, ctx)?;
            let value = self.problem.value(solution.point(), &mut Ctx::new());
            Ok::<_, EstimatorMismatch>(vec![value, dot(&outer.0, solution.z())])
        })?;
        let solution = self.minimise(&newton, self.x, ctx)?;
        let value = self.problem.value(solution.point(), &mut Ctx::new()).abs();
        let g1 = given("analytic", solution.gradient(&Analytic))?;
        self.compare("analytic", "a finite difference of min_z L", &g1, numeric[0], value, step)?;
        let g3 = given("implicit", solution.gradient_in(&outer, &Implicit::new(Cg::default()), ctx))?;
        let size = norm(&outer.0) * norm(solution.z());
        self.compare("implicit", "a finite difference of <c, z*>", &g3, numeric[1], size, step).map_err(|error| {
            // Residuals are relative to the largest curvature, errors of z* and of g3 to the smallest.
            let (largest, smallest) =
                (self.problem.smoothness(solution.point(), ctx), self.problem.strong_convexity(self.x));
            let condition = largest.filter(|_| smallest > 0.0).map_or(0.0, |largest| largest / smallest);
            let lost = condition * CONVERGED > self.differences.allowed;
            if lost { EstimatorMismatch::IllConditioned { condition } } else { error }
        })
    }

    fn minimise<'a>(
        &'a self,
        newton: &'a Newton<Cg>,
        x: &'a [f64],
        ctx: &mut Ctx,
    ) -> Result<Solution<'a, P, Newton<Cg>>, EstimatorMismatch> {
        let stop = Stop::tolerance(CONVERGED).within(200);
        let solution = Solve::new(self.problem, newton, x).from(self.initial).stop(stop).run_in(ctx)?;
        if solution.status() == Status::Interrupted {
            return Err(EstimatorMismatch::Interrupted { steps: solution.steps() });
        }
        if self.problem.falls_along(solution.point(), &mut Ctx::new()).is_some() {
            return Err(EstimatorMismatch::NoMinimum);
        }
        let relative_residual = solution.residual() / solution.initial_residual().max(f64::MIN_POSITIVE);
        if relative_residual <= UNCONVERGED {
            Ok(solution)
        } else {
            Err(EstimatorMismatch::NotConverged { relative_residual, steps: solution.steps() })
        }
    }

    fn on_the_way(&self, step: f64) -> Result<(), EstimatorMismatch> {
        // A step that does not depend on x.
        let search = Backtracking::default();
        let found = Solve::new(self.problem, &search, self.x).from(self.initial).stop(Stop::steps(STEPS)).run()?;
        let rho = found.state().rho();
        let solver = GradientDescent::new(StepSize::Fixed(if rho.is_finite() { rho / 2.0 } else { 1.0 }));
        let value = |h| -> Result<_, EstimatorMismatch> {
            let moved = self.moved(h);
            let solve = Solve::new(self.problem, &solver, &moved).from(self.initial).stop(Stop::steps(STEPS));
            Ok(vec![self.problem.value(solve.run()?.point(), &mut Ctx::new())])
        };
        let numeric = derivative(step / 10.0, value)?[0];
        let solve = || Solve::new(self.problem, &solver, self.x).from(self.initial).stop(Stop::steps(STEPS));
        let taped = solve().record(Tape::new()).run()?;
        let size = 10.0 * self.problem.value(taped.point(), &mut Ctx::new()).abs();
        let g2 = given("automatic", taped.gradient(&Automatic))?;
        self.compare("automatic (reverse)", "a finite difference of L(z_T)", &g2, numeric, size, step)?;
        let forward = solve().record(Tangents::along(vec![self.dx.clone()])).run()?;
        let along = given("automatic", forward.gradient(&Forward))?[0];
        self.agree("automatic (forward)", "reverse mode", along, dot(&g2, &self.dx), norm(&g2) * norm(&self.dx), 1e-11)
    }

    fn moved(&self, h: f64) -> Vec<f64> {
        let mut moved = self.x.to_vec();
        axpy(h, &self.dx, &mut moved);
        moved
    }

    /// <gradient, dx> against `numeric`, a finite difference of something of size `size`.
    fn compare(
        &self,
        estimator: &'static str,
        against: &'static str,
        gradient: &[f64],
        numeric: f64,
        size: f64,
        step: f64,
    ) -> Result<(), EstimatorMismatch> {
        let noise = 100.0 * f64::EPSILON / step * size / self.differences.allowed;
        let scale = (norm(gradient) * norm(&self.dx)).max(noise);
        self.agree(estimator, against, dot(gradient, &self.dx), numeric, scale, self.differences.allowed)
    }

    fn agree(
        &self,
        estimator: &'static str,
        against: &'static str,
        found: f64,
        expected: f64,
        scale: f64,
        allowed: f64,
    ) -> Result<(), EstimatorMismatch> {
        let difference = (found - expected).abs();
        // A NaN must not pass.
        if difference <= allowed * scale {
            Ok(())
        } else {
            Err(EstimatorMismatch::Differs { estimator, against, difference, scale, allowed })
        }
    }
}

fn given(estimator: &'static str, gradient: Result<Gradient, EstimateError>) -> Result<Vec<f64>, EstimatorMismatch> {
    gradient.map(|gradient| gradient.value).map_err(|error| EstimatorMismatch::Estimate { estimator, error })
}

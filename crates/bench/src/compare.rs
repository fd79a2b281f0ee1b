//! The errors of g1, g2 and g3 against a reference gradient g*, along one trajectory, and the rates that they decay at.
//!
//! For gradient descent with step 1/L on a smooth, strongly convex L, with kappa = 1 - mu/L: |g1 - g*| = O(kappa^t),
//! |g2 - g*| = O(t kappa^2t), |g3 - g*| = O(kappa^2t). Where L is quadratic with L_xz constant, g2 after t steps is g1 after
//! 2t, without the factor t, and g3 is exact. Source: Ablin, Peyre, Moreau 2020.

use danskin::ctx::{Cost, Ctx};
use danskin::estimator::EstimateError;
use danskin::linear::{LinearSolve, LinearStatus};
use danskin::prelude::*;
use danskin::solver::SolveError;
use danskin::vector::{distance, norm};
use thiserror::Error;

use crate::choice::{AnyProblem, Choices, EstimatorKind, Kept, SolverKind};
use crate::fit::Line;
use crate::trajectory::{Snapshot, trajectory};

/// Relative gradient norm asked of the reference solution.
const REFERENCE_TOLERANCE: f64 = 1e-12;
/// Newton steps of the reference solution at the most.
const REFERENCE_STEPS: usize = 200;
/// Errors below this share of ‖g*‖, or of the largest error, are taken for rounding, of g* too, and stay out of the fits.
const FLOOR: f64 = 1e-12;

/// What theory expects of the errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// L smooth and strongly convex: kappa^t, t kappa^2t, kappa^2t.
    StronglyConvex,
    /// L quadratic with L_xz constant: kappa^t, kappa^2t, exact.
    Quadratic,
    /// Nothing that a line would show: no strong convexity, or second derivatives that are not Lipschitz.
    Unknown,
}

/// Where, and what for, estimators are compared.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// z_0; 0 where `None`.
    pub initial: Option<&'a [f64]>,
    /// The estimators and their settings.
    pub choices: Choices,
    /// The t to look at, in any order.
    pub iterations: Vec<usize>,
    /// Relative gradient norm at which the trajectory ends before the last t.
    pub tolerance: Option<f64>,
    /// What theory expects.
    pub law: Law,
}

/// Why a comparison could not be made.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum CompareError {
    /// No number of steps to look at.
    #[error("no number of iterations to look at")]
    NoIterations,
    /// A solve failed.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// The reference gradient could not be computed.
    #[error("the reference gradient: {0}")]
    Reference(EstimateError),
    /// Whoever watches asked to end.
    #[error("interrupted")]
    Interrupted,
}

/// g*, and how well it is known.
#[derive(Clone, Debug)]
pub struct Reference {
    /// g*, at a Newton-CG solution.
    pub gradient: Vec<f64>,
    /// The estimator that gave it: g3, or g1 where the Hessian is singular.
    pub estimator: EstimatorKind,
    /// How Newton's method ended.
    pub status: Status,
    /// Newton steps.
    pub steps: usize,
    /// ‖grad_z L‖ at the solution, relative to that at z_0.
    pub relative_residual: f64,
    /// What the solution and g* cost.
    pub cost: Cost,
}

/// One estimator at one t.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Which one.
    pub estimator: EstimatorKind,
    /// ‖g - g*‖, or why there is no g.
    pub error: Result<f64, EstimateError>,
    /// Of z_t and the gradient together.
    pub cost: Cost,
    /// The linear solve, of g3.
    pub linear: Option<LinearSolve>,
}

impl Measure {
    /// Whether the linear solve behind it ended above its tolerance.
    #[must_use]
    pub fn is_inexact(&self) -> bool {
        self.linear.is_some_and(|linear| linear.status != LinearStatus::Converged)
    }
}

/// All estimators at one t.
#[derive(Clone, Debug)]
pub struct Row {
    /// How the solve stands.
    pub status: Status,
    /// t.
    pub steps: usize,
    /// rho, or that of the last step; `None` for solvers without one.
    pub step: Option<f64>,
    /// Times that an automatic rho was halved.
    pub step_halvings: usize,
    /// ‖grad_z L(z_t, x)‖.
    pub residual: f64,
    /// The estimators asked for.
    pub measures: Vec<Measure>,
}

/// How fast an estimator's error decays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Which one.
    pub estimator: EstimatorKind,
    /// Whether the line is that of ln(error / t) instead of ln(error).
    pub over_t: bool,
    /// The line through the points, in t.
    pub line: Line,
    /// Its slope over that of g1, where g1 has one.
    pub ratio: Option<f64>,
    /// What theory expects of that ratio, where it expects something.
    pub expected: Option<f64>,
}

/// What a comparison found.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// g*.
    pub reference: Reference,
    /// One row for each number of iterations, in increasing order.
    pub rows: Vec<Row>,
    /// The solver's step, at the start; `None` for solvers without one, or with none before the first step.
    pub step: Option<f64>,
    /// Passes spent before the first step, beyond the gradient at z_0: on the estimate of ‖D‖².
    pub setup_passes: u64,
    /// kappa = 1 - rho mu of gradient descent, mu > 0 the strong convexity known beforehand; the true rate can be much better.
    pub nominal_kappa: Option<f64>,
    /// First t of the fits.
    pub fit_from: usize,
    /// The rates, of the estimators that have enough points above rounding.
    pub rates: Vec<Rate>,
}

impl Reference {
    /// How it came about, on one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let doubt = if self.status == Status::Converged { "" } else { ": not converged, errors below are doubtful" };
        format!(
            "g* by the {} estimator after {} steps of Newton-CG, relative gradient norm {:.1e}{doubt}; ‖g*‖ = {:.6e}",
            self.estimator,
            self.steps,
            self.relative_residual,
            norm(&self.gradient),
        )
    }
}

impl Comparison {
    /// kappa as the error of g1 shows it, exp of its slope.
    #[must_use]
    pub fn effective_kappa(&self) -> Option<f64> {
        let analytic = self.rates.iter().find(|rate| rate.estimator == EstimatorKind::Analytic)?;
        Some(analytic.line.slope.exp())
    }
}

/// Compares estimators on `problem` at x.
///
/// # Errors
///
/// [`CompareError`] where there is nothing to compare, or nothing to compare with.
pub fn compare(
    problem: &AnyProblem,
    x: &[f64],
    settings: &Settings<'_>,
    ctx: &mut Ctx,
) -> Result<Comparison, CompareError> {
    let mut iterations = settings.iterations.clone();
    iterations.sort_unstable();
    iterations.dedup();
    let &last = iterations.last().ok_or(CompareError::NoIterations)?;
    settings.choices.check_memory(problem)?;
    let reference = reference(problem, x, settings.initial, ctx)?;
    let stop =
        |t: &usize| settings.tolerance.map_or(Stop::steps(*t), |tolerance| Stop::tolerance(tolerance).within(*t));
    // A stop at 0 tells what was spent before the first step.
    let stops: Vec<Stop> = [Stop::steps(0)].into_iter().chain(iterations.iter().map(stop)).collect();
    let mut snapshots = trajectory(problem, x, settings.initial, &settings.choices, &stops, ctx)?;
    if snapshots.iter().any(|snapshot| snapshot.status == Status::Interrupted) {
        return Err(CompareError::Interrupted);
    }
    let start = snapshots.remove(0);
    let rows: Vec<Row> = snapshots.iter().map(|snapshot| row(snapshot, &reference.gradient)).collect();
    let fit_from = last.div_ceil(2);
    Ok(Comparison {
        rates: rates(&rows, &reference.gradient, fit_from, settings),
        rows,
        step: start.step,
        setup_passes: start.cost.passes - 1,
        nominal_kappa: start
            .step
            .filter(|_| settings.choices.solver == SolverKind::GradientDescent)
            .map(|rho| 1.0 - rho * problem.strong_convexity(x))
            .filter(|kappa| *kappa < 1.0),
        fit_from,
        reference,
    })
}

/// g* at x, from a Newton-CG solution that starts at `initial`, 0 where `None`.
///
/// # Errors
///
/// [`CompareError`] where a solve fails, there is no gradient at its end, or whoever watches asks to end.
pub fn reference(
    problem: &AnyProblem,
    x: &[f64],
    initial: Option<&[f64]>,
    ctx: &mut Ctx,
) -> Result<Reference, CompareError> {
    let newton = Newton::new(Cg::default());
    let stop = Stop::tolerance(REFERENCE_TOLERANCE).within(REFERENCE_STEPS);
    let zeros = vec![0.0; problem.latent_len()];
    let initial = initial.unwrap_or(&zeros);
    let solution = Solve::new(problem, &newton, x).from(initial).stop(stop).run_in(ctx)?;
    if solution.status() == Status::Interrupted {
        return Err(CompareError::Interrupted);
    }
    let implicit = solution.gradient_in(&Envelope, &Implicit::new(Cg::default()), ctx);
    let (estimator, gradient) = match implicit {
        Err(error) if error.name() == "singular" => {
            (EstimatorKind::Analytic, solution.gradient_in(&Envelope, &Analytic, ctx))
        }
        gradient => (EstimatorKind::Implicit, gradient),
    };
    let gradient = gradient.map_err(|error| match error {
        EstimateError::Interrupted => CompareError::Interrupted,
        error => CompareError::Reference(error),
    })?;
    let start = solution.initial_residual();
    Ok(Reference {
        estimator,
        status: solution.status(),
        steps: solution.steps(),
        relative_residual: if start > 0.0 { solution.residual() / start } else { 0.0 },
        cost: solution.cost().then(gradient.cost),
        gradient: gradient.value,
    })
}

fn row(snapshot: &Snapshot, reference: &[f64]) -> Row {
    let measures = snapshot.estimates.iter().map(|(estimator, gradient)| {
        let (error, own, linear) = match gradient {
            Ok(gradient) => (Ok(distance(&gradient.value, reference)), gradient.cost, gradient.linear),
            Err(error) => (Err(*error), Cost::default(), None),
        };
        Measure { estimator: *estimator, error, cost: snapshot.cost_with(*estimator, own), linear }
    });
    Row {
        status: snapshot.status,
        steps: snapshot.steps,
        step: snapshot.step,
        step_halvings: snapshot.step_halvings,
        residual: snapshot.residual,
        measures: measures.collect(),
    }
}

fn rates(rows: &[Row], reference: &[f64], fit_from: usize, settings: &Settings<'_>) -> Vec<Rate> {
    let truncated = settings.choices.is_reverse() && matches!(settings.choices.kept, Kept::Last(_));
    let law = settings.law;
    let errors = rows.iter().flat_map(|row| &row.measures).filter_map(|measure| measure.error.ok());
    let floor = FLOOR * errors.fold(norm(reference), f64::max);
    let fitted = |estimator: EstimatorKind| {
        let over_t = estimator == EstimatorKind::Automatic && law == Law::StronglyConvex && !truncated;
        let points = rows.iter().filter(|row| row.steps >= fit_from.max(1)).filter_map(|row| {
            let measure = row.measures.iter().find(|measure| measure.estimator == estimator)?;
            let error = measure.error.ok().filter(|error| *error > floor)?;
            let t = row.steps as f64;
            Some((t, if over_t { (error / t).ln() } else { error.ln() }))
        });
        Some((estimator, over_t, Line::fit(&points.collect::<Vec<_>>())?))
    };
    let lines: Vec<_> = EstimatorKind::ALL.iter().filter_map(|&estimator| fitted(estimator)).collect();
    let first = lines.iter().find(|(estimator, ..)| *estimator == EstimatorKind::Analytic).map(|(.., line)| line.slope);
    lines
        .iter()
        .map(|&(estimator, over_t, line)| Rate {
            estimator,
            over_t,
            line,
            ratio: first.map(|first| line.slope / first),
            expected: match (law, estimator) {
                (Law::Unknown, _) => None,
                (_, EstimatorKind::Analytic) => Some(1.0),
                // Once t exceeds K, what is left out is a share of the error of g1.
                (_, EstimatorKind::Automatic) if truncated => None,
                _ => Some(2.0),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use danskin::testing::random;

    use super::*;
    use crate::choice::Mode;

    fn logistic() -> Glm<Logistic> {
        Glm::new(random::design(60, 20, 5, 1), Logistic, 1.0).unwrap()
    }

    fn settings(rho: f64, iterations: Vec<usize>, law: Law) -> Settings<'static> {
        let choices = Choices { step: StepSize::Fixed(rho), ..Choices::default() };
        Settings { initial: None, choices, iterations, tolerance: None, law }
    }

    fn every(step: usize, count: usize) -> Vec<usize> {
        (1..=count).map(|k| k * step).collect()
    }

    #[test]
    fn rates_of_a_strongly_convex_problem_are_those_of_theory() {
        let (problem, x) = (logistic(), random::labels(60, 2));
        let settings = settings(0.02, every(10, 20), Law::StronglyConvex);
        let found = compare(&problem, &x, &settings, &mut Ctx::new()).unwrap();
        assert_eq!((found.reference.status, found.setup_passes), (Status::Converged, 0));
        assert_eq!(found.rates.len(), 3);
        for rate in &found.rates {
            let ratio = rate.ratio.unwrap();
            assert!((ratio / rate.expected.unwrap() - 1.0).abs() < 0.05, "{rate:?}");
        }
        assert!(found.effective_kappa() <= found.nominal_kappa);
    }

    #[test]
    fn ridge_has_no_factor_t_and_an_exact_g3() {
        let problem = Glm::new(random::design(60, 20, 5, 1), Squared, 1.0).unwrap();
        let x = random::vector(60, 2);
        let found = compare(&problem, &x, &settings(0.01, every(40, 20), Law::Quadratic), &mut Ctx::new()).unwrap();
        let kinds: Vec<_> = found.rates.iter().map(|rate| rate.estimator).collect();
        assert_eq!(kinds, [EstimatorKind::Analytic, EstimatorKind::Automatic]);
        // The smaller modes of the error have not died out by then: 1 % is theirs.
        assert!((found.rates[1].ratio.unwrap() / 2.0 - 1.0).abs() < 0.01, "{:?}", found.rates);
    }

    #[test]
    fn costs_hold_z_and_the_gradient() {
        let (problem, x) = (logistic(), random::labels(60, 2));
        let settings = settings(0.02, vec![7, 3, 3], Law::StronglyConvex);
        let found = compare(&problem, &x, &settings, &mut Ctx::new()).unwrap();
        assert_eq!(found.rows.iter().map(|row| row.steps).collect::<Vec<_>>(), [3, 7]);
        let passes: Vec<_> = found.rows[1].measures.iter().map(|measure| measure.cost.passes).collect();
        assert_eq!(passes[..2], [8, 15]);
        let bytes: Vec<_> = found.rows[1].measures.iter().map(|measure| measure.cost.peak_bytes).collect();
        assert!(bytes[1] >= bytes[0] + 7 * 8 * 20, "{bytes:?}");
    }

    #[test]
    fn only_g2_pays_for_its_recording() {
        let (problem, x) = (logistic(), random::labels(60, 2));
        let passes = |mode| {
            let mut settings = settings(0.02, vec![5], Law::StronglyConvex);
            settings.choices.mode = mode;
            let found = compare(&problem, &x, &settings, &mut Ctx::new()).unwrap();
            found.rows[0].measures.iter().map(|measure| measure.cost.passes).collect::<Vec<_>>()
        };
        let (reverse, forward) = (passes(Mode::Reverse), passes(Mode::Forward));
        // 60 tangents, each a pass a step.
        assert_eq!((reverse[0], reverse[1], forward[1]), (6, 11, 6 + 5 * 60));
        assert_eq!((reverse[0], reverse[2]), (forward[0], forward[2]));
    }

    #[test]
    fn a_budget_of_memory_changes_costs_alone() {
        let (problem, x) = (logistic(), random::labels(60, 2));
        let found = |kept| {
            let mut settings = settings(0.02, vec![20, 50], Law::StronglyConvex);
            settings.choices.kept = kept;
            compare(&problem, &x, &settings, &mut Ctx::new())
        };
        let (whole, within) = (found(Kept::Steps).unwrap(), found(Kept::Within(8 * 20 * 10)).unwrap());
        for (whole, within) in whole.rows.iter().zip(&within.rows) {
            for (whole, within) in whole.measures.iter().zip(&within.measures) {
                assert_eq!(whole.error, within.error);
                let more = within.estimator == EstimatorKind::Automatic;
                assert_eq!(whole.cost.passes < within.cost.passes, more);
                let bytes = [whole.cost.peak_bytes, within.cost.peak_bytes];
                // A state to take steps again in is beyond the budget, as is the block of a pass, 5 numbers for each of 60 rows.
                assert!(
                    if more { bytes[1] <= bytes[0].min(8 * (200 + 240 + 5 * 60)) } else { bytes[0] == bytes[1] },
                    "{bytes:?}"
                );
            }
        }
        let refused = found(Kept::Within(8 * 39)).unwrap_err();
        assert_eq!(refused, CompareError::Solve(SolveError::Budget { budget: 312, least: 320 }));
    }

    #[test]
    fn a_truncated_gradient_has_no_rate_of_its_own() {
        let (problem, x) = (logistic(), random::labels(60, 2));
        let mut settings = settings(0.02, every(10, 20), Law::StronglyConvex);
        settings.choices.kept = Kept::Last(5);
        let found = compare(&problem, &x, &settings, &mut Ctx::new()).unwrap();
        let rate = &found.rates[1];
        assert_eq!((rate.estimator, rate.over_t, rate.expected), (EstimatorKind::Automatic, false, None));
        assert!((rate.ratio.unwrap() - 1.0).abs() < 0.05, "{rate:?}");
        // Five passes at every t.
        assert!(found.rows.iter().all(|row| row.measures[1].cost.passes == row.measures[0].cost.passes + 5));
    }

    #[test]
    fn a_tolerance_ends_the_trajectory() {
        let (problem, x) = (logistic(), random::labels(60, 2));
        let settings = Settings { tolerance: Some(0.1), ..settings(0.02, every(50, 4), Law::StronglyConvex) };
        let found = compare(&problem, &x, &settings, &mut Ctx::new()).unwrap();
        assert!(found.rows.len() < 4 && found.rows.last().unwrap().steps < 200);
    }

    #[test]
    fn nothing_to_compare_is_an_error() {
        let (problem, x) = (logistic(), random::labels(60, 2));
        let found = compare(&problem, &x, &settings(0.02, vec![], Law::StronglyConvex), &mut Ctx::new());
        assert_eq!(found.unwrap_err(), CompareError::NoIterations);
    }
}

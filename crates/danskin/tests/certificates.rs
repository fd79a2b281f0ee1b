//! Certificates as properties: over every problem, parameter and estimator, the error observed is never larger than the bound
//! proved. The reference's own error and rounding are what its own bound says.

mod common;

use common::cases::{CLASSES, Case, Cases, Table};
use danskin::adaptive::{Accuracy, Adaptive, AdaptiveError, Outcome};
use danskin::certificate::{Basis, Certificate, Effort, Uncertified, Unproved};
use danskin::descent::{Added, Descent, DescentStatus, Near};
use danskin::estimator::EstimateError;
use danskin::linear::{Factored, Hessian};
use danskin::prelude::*;
use danskin::testing::random;
use danskin::vector::{distance, norm};

/// How often a bound was held against an error, and how far from it the closest was.
#[derive(Default)]
struct Tally {
    held: usize,
    localised: usize,
    infinite: usize,
    sharpest: f64,
    ratios: Vec<f64>,
}

impl Tally {
    fn hold(&mut self, name: &str, gradient: &Gradient, exact: &[f64], doubt: f64) {
        let certificate = match gradient.certificate {
            Ok(certificate) => certificate,
            // An exponential loss, far from z*.
            Err(Uncertified::Unproved(Unproved::Overflow)) => {
                self.infinite += 1;
                return;
            }
            Err(reason) => panic!("{name}: {reason:?}"),
        };
        if certificate.basis == Basis::Estimated {
            // The same, and a better point by which it is estimated.
            assert!(name.contains("poisson") || name.contains("gamma"), "{name}: {certificate:?}");
            self.infinite += 1;
            return;
        }
        let Certificate { bound, parts, .. } = certificate;
        let error = distance(&gradient.value, exact);
        assert!(error <= bound + doubt, "{name}: error {error:e}, bound {bound:e}, {doubt:e}: {certificate:?}");
        let sum = parts.reference + parts.iterate + parts.rounding;
        assert!((sum - bound).abs() <= 1e-12 * bound, "{name}: {certificate:?}");
        self.held += 1;
        self.localised += usize::from(certificate.localised);
        // What the reference leaves open says nothing of sharpness.
        if error > 100.0 * doubt {
            self.sharpest = self.sharpest.max(error / bound);
            self.ratios.push(bound / error);
        }
    }
}

/// grad l, by Newton's method until ‖grad_z L‖ has fallen to `tolerance`, and how wrong that may be.
fn exact(case: &Case, tolerance: f64) -> Option<(Vec<f64>, f64)> {
    let problem = case.problem.as_ref();
    let newton = Newton::new(Auto::default());
    let solution = Solve::new(problem, &newton, &case.x).stop(Stop::tolerance(tolerance).within(100)).run().ok()?;
    let gradient = solution.gradient(&Certified::new(Implicit::new(Auto::default()))).ok()?;
    let bound = gradient.certificate.ok()?.bound;
    Some((gradient.value, bound))
}

fn check(case: &Case, steps: usize, tally: &mut [Tally; 5]) {
    check_near(case, steps, 1e-15, tally);
}

/// All estimators against a reference to `tolerance`.
fn check_near(case: &Case, steps: usize, tolerance: f64, tally: &mut [Tally; 5]) {
    let problem = case.problem.as_ref();
    let Some((exact, doubt)) = exact(case, tolerance) else { panic!("{}: no reference", case.name) };
    // For losses with no curvature bound, and far from z*.
    let solver = Backtracking::default();
    let solve = Solve::new(problem, &solver, &case.x).stop(Stop::steps(steps)).trail(10).record(Tape::new());
    let solution = solve.run().unwrap();
    let name = |estimator: &str| format!("{estimator} of {} after {steps} steps", case.name);
    let g1 = solution.gradient(&Certified::new(Analytic)).unwrap();
    tally[0].hold(&name("g1"), &g1, &exact, doubt);
    tally[1].hold(&name("g2"), &solution.gradient(&Certified::new(Automatic)).unwrap(), &exact, doubt);
    // A solve that is not exact, and one that is.
    for (k, tolerance) in [(2, 1e-12), (2, 0.1)] {
        let implicit = Implicit::new(Cg::default()).tolerance(tolerance);
        tally[k].hold(&name("g3"), &solution.gradient(&Certified::new(implicit)).unwrap(), &exact, doubt);
    }
    // What lies between: g3 after two iterations, g1 after a Newton step, g2 over the last two steps.
    let between = [
        solution.gradient(&Certified::new(Implicit::new(Cg::within(2)))).unwrap(),
        solution.gradient(&Certified::new(AfterNewton::new(Cg::default()))).unwrap(),
        solution.gradient(&Certified::new(AfterNewton::new(Cg::within(1)))).unwrap(),
    ];
    for gradient in &between {
        tally[4].hold(&name("between"), gradient, &exact, doubt);
    }
    let truncated = Solve::new(problem, &solver, &case.x).stop(Stop::steps(steps)).record(Tape::last(2)).run().unwrap();
    tally[4].hold(&name("g2 over two"), &truncated.gradient(&Certified::new(Automatic)).unwrap(), &exact, doubt);
    let newton = Certified::new(Analytic).newton(Auto::default());
    let refined = solution.gradient(&newton).unwrap();
    tally[3].hold(&name("g1, Newton,"), &refined, &exact, doubt);
    // Near rounding, which of two points is better known is a matter of it.
    if let (Ok(plain), Ok(refined)) = (g1.certificate, refined.certificate) {
        assert!(refined.bound <= plain.bound + refined.parts.rounding, "{}: {refined:?} {plain:?}", case.name);
    }
}

#[test]
fn no_error_is_larger_than_its_bound() {
    let mut tally: [Tally; 5] = Default::default();
    for seed in 0..12 {
        let (n, m) = (2 + (seed as usize * 5) % 23, 1 + (seed as usize * 3) % 11);
        let design = random::design(n, m, 1 + seed as usize % m.min(5), seed);
        for lambda in [1e-2, 1.0, 30.0] {
            let table = Table { design: &design, lambda, seed, labels: &[] };
            for name in LossName::all() {
                for case in name.visit(CLASSES, Cases(&table, name)).unwrap() {
                    check(&case, [0, 1, 4, 12][seed as usize % 4], &mut tally);
                }
            }
        }
    }
    for (tally, name) in tally.iter().zip(["g1", "g2", "g3", "g1 by Newton", "between"]) {
        let mut ratios = tally.ratios.clone();
        ratios.sort_by(f64::total_cmp);
        println!(
            "{name}: {} held, {} infinite, {} localised, sharpest {:.4}, median {:.2} of {}",
            tally.held,
            tally.infinite,
            tally.localised,
            tally.sharpest,
            ratios[ratios.len() / 2],
            ratios.len()
        );
    }
}

/// The same on the shipped sets with their labels, at the conditions at which it is said how sharp bounds are.
#[cfg(feature = "data")]
#[test]
fn no_error_on_real_designs_is_larger_than_its_bound() {
    let mut tally: [Tally; 5] = Default::default();
    for (seed, set) in (0..).zip(["digits", "debian_small"]) {
        let set = danskin::data::Shipped::find(set).unwrap().load().unwrap();
        let (design, labels) = (set.design, set.labels.unwrap());
        let largest = labels.iter().fold(0.0_f64, |most, label| most.max(label.abs()));
        let labels: Vec<f64> = labels.iter().map(|label| label / largest).collect();
        let norm = design.matrix().largest_eigenvalue(&vec![1.0; design.rows()], &mut Ctx::new());
        // Of many columns, one loss of three at each condition.
        let every = if design.columns() > 100 { 3 } else { 1 };
        for (turn, condition) in [1e2, 1e3, 1e4].into_iter().enumerate() {
            let table = Table { design: &design, lambda: norm / condition, seed, labels: &labels };
            for (row, name) in LossName::all().into_iter().enumerate() {
                if (row + turn) % every != 0 || every > 1 && name.targets() == Targets::Classes {
                    continue;
                }
                for (k, case) in name.visit(CLASSES, Cases(&table, name)).unwrap().iter().enumerate() {
                    // Of each loss, one after another of the parameters and problems.
                    if k == 7 * (row + 5 * turn + 3 * seed as usize) % 20 {
                        check_near(case, [10, 100][row % 2], 1e-9, &mut tally);
                    }
                }
            }
        }
    }
    for tally in &tally {
        println!("{} held, {} localised, {} infinite", tally.held, tally.localised, tally.infinite);
    }
    assert!(tally.iter().all(|tally| tally.held > 30 && tally.localised > 10));
}

/// As many directions as there are numbers in x are no gradient all the same.
#[test]
fn derivatives_along_directions_are_not_certified() {
    let problem = Glm::new(random::design(4, 3, 2, 1), Logistic, 0.5).unwrap();
    let (x, solver) = (random::labels(4, 2), GradientDescent::default());
    let solve = || Solve::new(&problem, &solver, &x).stop(Stop::steps(5)).trail(5);
    let along = solve().record(Tangents::along(vec![vec![1.0; 4]; 4])).run().unwrap();
    let found = along.gradient(&Certified::new(Forward)).unwrap();
    assert_eq!((found.value.len(), found.certificate), (4, Err(Uncertified::Directions)));
    let full = solve().record(Tangents::full()).run().unwrap();
    assert!(full.gradient(&Certified::new(Forward)).unwrap().certificate.is_ok());
}

/// What docs/certificates.md says of passes, at T = 5: one point, and what its bound takes beside.
#[test]
fn certificates_take_the_passes_that_are_said() {
    let (design, y, solver) = (random::design(40, 6, 3, 1), random::vector(40, 2), Backtracking::default());
    for wrt in Wrt::ALL {
        let problem = Glm::new(design.clone(), Squared, 0.5).unwrap();
        let (problem, x) =
            problem.grouped(vec![0.5, 2.0], vec![0, 1, 0, 1, 0, 1]).unwrap().wrt(wrt, y.clone()).unwrap();
        // What D and fixed penalties decide is done once.
        problem.analytic_bound(Point::new(&[0.0; 6], &x), Effort::Norms, &mut Ctx::new()).unwrap();
        let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(5)).trail(5).record(Tape::new());
        let solution = solve.run().unwrap();
        let passes = solution.gradient(&Certified::new(Analytic)).unwrap().certificate.unwrap().cost.passes;
        let expected = match wrt {
            Wrt::Targets | Wrt::Weights => 1,
            Wrt::Regularisation => 2,
            _ => 4,
        };
        assert_eq!(passes, expected, "{wrt:?}");
    }
}

/// B1 alone, at points of every distance from z*; of one row and one column it is sharp for some lambda.
#[test]
fn g1_is_bounded_anywhere() {
    let mut sharpest: std::collections::BTreeMap<(&str, bool), (f64, usize)> = std::collections::BTreeMap::new();
    for seed in 0..40 {
        let (n, m) = if seed < 20 { (1, 1) } else { (1 + seed as usize % 9, 1 + seed as usize % 4) };
        let dense: Vec<f64> = random::vector(n * m, seed + 50);
        let design = Design::dense(n, m, dense).unwrap();
        let mut square = vec![0.0; n];
        design.matrix().row_squares(&[], &mut square, &mut Ctx::new());
        let largest = square.iter().fold(0.0_f64, |most, s| most.max(*s));
        for factor in [0.03, 0.25, 1.0, 5.0] {
            let table = Table { design: &design, lambda: factor * largest, seed, labels: &[] };
            for name in LossName::all() {
                for case in name.visit(CLASSES, Cases(&table, name)).unwrap() {
                    let problem = case.problem.as_ref();
                    let newton = Newton::new(DenseCholesky::default());
                    let stop = Stop::tolerance(1e-15).within(100);
                    let minimum = Solve::new(problem, &newton, &case.x).stop(stop).run().unwrap();
                    let ctx = &mut Ctx::new();
                    let doubt = problem.analytic_bound(minimum.point(), Effort::Pass, ctx).unwrap().total();
                    let g1 = |z: &[f64], ctx: &mut Ctx| {
                        let mut out = vec![0.0; case.x.len()];
                        problem.grad_x(Point::new(z, &case.x), 1.0, &mut out, ctx);
                        out
                    };
                    let exact = g1(minimum.z(), ctx);
                    for (k, size) in [1e-9, 1e-6, 1e-3, 0.1, 1.0, 5.0].into_iter().enumerate() {
                        let direction = random::vector(problem.latent_len(), seed * 10 + k as u64);
                        let z: Vec<f64> = minimum.z().iter().zip(&direction).map(|(z, d)| z + size * d).collect();
                        let error = distance(&g1(&z, ctx), &exact);
                        let at = Point::new(&z, &case.x);
                        let [bound, by_pass] =
                            [Effort::Norms, Effort::Pass].map(|e| problem.analytic_bound(at, e, ctx));
                        let (Ok(bound), Ok(by_pass)) = (bound, by_pass) else { continue };
                        let context = format!("{} at {size:e}: {error:e} {bound:?} {by_pass:?} {doubt:e}", case.name);
                        assert!(error <= by_pass.total() + doubt, "{context}");
                        assert!(error <= bound.total() + doubt, "{context}");
                        if error > 1e3 * doubt {
                            let theorem = bound.theorem.name();
                            let (sharp, count) = sharpest.entry((theorem, bound.localised)).or_default();
                            *sharp = sharp.max(error / bound.total());
                            *count += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{sharpest:#?}");
    // A bound that is never nearly attained would hide a wrong constant.
    for (theorem, least) in [("difference", 0.99), ("split", 0.99), ("penalty", 0.99), ("design", 0.99)] {
        assert!(sharpest[&(theorem, true)].0 > least, "{theorem}: {sharpest:?}");
    }
}

/// What a residual of a linear solve moves in g3, against what it does move.
#[test]
fn residuals_move_no_more_than_is_said() {
    let mut sharpest = std::collections::BTreeMap::new();
    for seed in 0..30 {
        let (n, m) = if seed < 10 { (1, 1) } else { (1 + seed as usize % 9, 1 + seed as usize % 4) };
        let design = Design::dense(n, m, random::vector(n * m, seed + 50)).unwrap();
        let largest = design.row_squares().iter().fold(0.0_f64, |most, s| most.max(*s));
        let table = Table { design: &design, lambda: largest, seed, labels: &[] };
        for name in LossName::all() {
            for case in name.visit(CLASSES, Cases(&table, name)).unwrap() {
                let (problem, ctx) = (case.problem.as_ref(), &mut Ctx::new());
                let (z, r) =
                    (random::vector(problem.latent_len(), seed), random::vector(problem.latent_len(), seed + 1));
                let at = Point::new(&z, &case.x);
                let (mut v, mut moved, mut workspace) =
                    (vec![0.0; z.len()], vec![0.0; case.x.len()], Default::default());
                let hessian = Hessian { problem, at };
                let cholesky = DenseCholesky::default();
                let mut factored = Factored::new(&cholesky, hessian, &mut workspace, ctx).unwrap();
                factored.solve(&r, 1e-12, &mut v, ctx).unwrap();
                problem.cross(at, &v, 1.0, &mut moved, ctx);
                let bound = problem.linear_bound(at, norm(&r), ctx).unwrap();
                assert!(norm(&moved) <= bound * (1.0 + 1e-9), "{}: {:e} {bound:e}", case.name, norm(&moved));
                let theorem = problem.analytic_bound(at, Effort::Norms, ctx).unwrap().theorem;
                let sharp: &mut f64 = sharpest.entry(theorem.name()).or_default();
                *sharp = sharp.max(norm(&moved) / bound);
            }
        }
    }
    assert!(sharpest.len() == 4 && sharpest.values().all(|sharp| *sharp > 0.9), "{sharpest:?}");
}

#[test]
fn gradients_to_a_tolerance_meet_it() {
    let (mut met, mut others) = (0, std::collections::BTreeMap::new());
    for seed in 0..6 {
        let (n, m) = (3 + (seed as usize * 5) % 23, 2 + (seed as usize * 3) % 11);
        let design = random::design(n, m, 1 + seed as usize % m.min(5), seed);
        for lambda in [1e-2, 1.0] {
            let table = Table { design: &design, lambda, seed, labels: &[] };
            for name in LossName::all() {
                for case in name.visit(CLASSES, Cases(&table, name)).unwrap() {
                    let Some((exact, doubt)) = exact(&case, 1e-15) else { panic!("{}: no reference", case.name) };
                    for tolerance in [0.3, 1e-3, 1e-8] {
                        let asked = Adaptive::new(Accuracy::Relative(tolerance)).steps(200);
                        let found = asked.gradient(case.problem.as_ref(), &case.x).unwrap();
                        let error = distance(&found.gradient.value, &exact);
                        let context =
                            format!("{} to {tolerance:e}: {error:e} of {:e}, {found:?}", case.name, norm(&exact));
                        if let Ok(certificate) = found.gradient.certificate {
                            assert!(error <= certificate.bound + doubt, "{context}");
                        }
                        if found.outcome == Outcome::Met {
                            assert!(error <= tolerance * norm(&exact) + doubt, "{context}");
                            met += 1;
                        } else {
                            *others.entry((found.outcome.name(), format!("{tolerance:e}"))).or_insert(0) += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(met > 7800, "{met} met, {others:?}");
    println!("{met} met, {others:?}");
}

#[test]
fn a_request_is_kept_to() {
    let problem = Glm::new(random::design(300, 60, 8, 1), Logistic, 0.05).unwrap();
    let x = random::labels(300, 2);
    let asked = Adaptive::new(Accuracy::Relative(1e-9));
    let found = asked.gradient(&problem, &x).unwrap();
    assert_eq!(found.outcome, Outcome::Met);
    assert!(found.gradient.certificate.unwrap().bound <= found.asked);
    assert_eq!(found.steps(), found.stages.iter().map(|stage| stage.steps).sum::<usize>());
    let passes: u64 = found.stages.iter().map(|stage| stage.cost.passes).sum();
    assert!(passes < found.cost.passes && found.cost.passes <= passes + 2, "{passes} {:?}", found.cost);
    // The bits do not depend on the run, nor on the threads.
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let again = pool.install(|| asked.gradient(&problem, &x).unwrap());
        assert_eq!((again.gradient.value, again.z), (found.gradient.value.clone(), found.z.clone()));
    }
    // Nor on what else the context was used for.
    let mut used = Ctx::new();
    for _ in 0..100 {
        problem.grad_z(&found.z, &x, &mut [0.0; 60], &mut [], &mut used);
    }
    let again = asked.gradient_in(&problem, &x, None, &mut used).unwrap();
    assert_eq!((again.gradient.value, again.cost.passes), (found.gradient.value.clone(), found.cost.passes));
    // A warm start is a shorter way.
    let warm = asked.gradient_in(&problem, &x, Some(&found.z), &mut Ctx::new()).unwrap();
    assert_eq!((warm.steps(), warm.outcome), (0, Outcome::Met));
    for (settings, outcome) in [
        (asked.steps(0), Outcome::NotLocalised),
        (asked.steps(12), Outcome::BudgetExhausted),
        (asked.seconds(0.0), Outcome::NotLocalised),
        (Adaptive::new(Accuracy::Absolute(1e-300)), Outcome::FloorReached),
    ] {
        let ended = settings.gradient(&problem, &x).unwrap();
        assert_eq!(ended.outcome, outcome, "{ended:?}");
        // One Newton step more is the estimator.
        assert!(ended.steps() <= 13 || outcome == Outcome::FloorReached);
    }
    let lbfgs = Lbfgs::default();
    let bare = Solve::new(&problem, &lbfgs, &x).stop(Stop::steps(12)).run().unwrap();
    let at_cap = bare.gradient(&Certified::new(Analytic)).unwrap();
    let ended = asked.steps(12).gradient(&problem, &x).unwrap();
    let last = ended.stages.last().unwrap();
    assert_eq!((last.method, ended.steps()), ("newton", 13), "{ended:?}");
    assert!(ended.gradient.certificate.unwrap().bound < 0.1 * at_cap.certificate.unwrap().bound, "{ended:?}");
    let by_nesterov = asked.solver(Nesterov::default(), "nesterov").gradient(&problem, &x).unwrap();
    assert_eq!((by_nesterov.outcome, by_nesterov.stages[0].method), (Outcome::Met, "nesterov"));
    // Mixtures of gradient descent's last iterates are better than these by far; of L-BFGS's none are made.
    let coarse = Adaptive::new(Accuracy::Relative(1e-2));
    let mixed = coarse.solver(GradientDescent::default(), "gd").gradient(&problem, &x).unwrap();
    assert!(
        mixed.outcome == Outcome::Met && mixed.stages[0].mixtures > 0 && mixed.why().contains("mixture"),
        "{mixed:?}"
    );
    assert!(found.stages.iter().all(|stage| stage.mixtures == 0));
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for accuracy in [Accuracy::Absolute(tolerance), Accuracy::Relative(tolerance)] {
            let error = Adaptive::new(accuracy).gradient(&problem, &x).unwrap_err();
            assert!(matches!(error, AdaptiveError::Tolerance { .. }), "{error}");
        }
    }
    let error = Adaptive::new(Accuracy::Relative(0.1)).seconds(f64::NAN).gradient(&problem, &x).unwrap_err();
    assert!(matches!(error, AdaptiveError::Seconds { .. }), "{error}");
}

#[test]
fn a_descent_says_what_does_not_fit() {
    let problem = Glm::new(Design::dense(1, 1, vec![0.0]).unwrap(), Squared, 1.0).unwrap();
    let near = Near { weight: 1.0, to: vec![2.0] };
    let descend = |descent: Descent, near: &Near| descent.run(&problem, near, &[1.0], &mut Ctx::new());
    for share in [0.0, 1.0, 5.0, f64::NAN] {
        let error = descend(Descent::new(1.0, 1e-3).share(share), &near).unwrap_err();
        assert!(matches!(error, AdaptiveError::Share { .. }), "{error}");
    }
    let long = Near { weight: 1.0, to: vec![2.0, 2.0] };
    let error = descend(Descent::new(1.0, 1e-3), &long).unwrap_err();
    assert!(matches!(error, AdaptiveError::Solve(SolveError::Length { .. })), "{error}");
    // G = x + (x - 2) is 0 at the start: there is no share of it to prove, and nothing to step along.
    let ended = descend(Descent::new(1.0, 1e-3), &near).unwrap();
    assert_eq!((ended.steps, ended.x), (0, vec![1.0]));
    assert!(ended.stationarity <= 1e-12, "{}", ended.stationarity);
}

/// What ends before its tolerance is met has the best that was seen, not the last.
#[test]
fn the_best_gradient_seen_is_kept() {
    let entries = random::vector(60 * 20, 5);
    let scaled = entries.iter().enumerate().map(|(k, v)| v * 0.6_f64.powi((k % 20) as i32)).collect();
    let problem = Glm::new(Design::dense(60, 20, scaled).unwrap(), Logistic, 1e-6).unwrap();
    let (x, asked) = (random::labels(60, 6), Adaptive::new(Accuracy::Absolute(1e-13)));
    for steps in [2, 5, 8, 10, 20] {
        let ended = asked.solver(GradientDescent::default(), "gd").steps(steps).gradient(&problem, &x).unwrap();
        let least = ended.stages.iter().map(|stage| stage.bound).fold(f64::INFINITY, f64::min);
        assert!(ended.gradient.certificate.unwrap().bound <= least, "{steps}: {ended:?}");
    }
    // L falls for ever where a weight is negative: a point of no slope is no minimum.
    let design = Design::dense(2, 1, vec![1.0, 2.0]).unwrap();
    let weighted = Glm::new(design, Squared, 0.1).unwrap().wrt(Wrt::Weights, vec![0.0; 2]).unwrap().0;
    let ended = asked.steps(3).gradient(&weighted, &[-1.0, -1.0]);
    assert!(ended.is_err() || ended.is_ok_and(|ended| ended.outcome != Outcome::Met));
}

#[test]
fn what_has_no_minimum_has_no_gradient_to_a_tolerance() {
    let design = Design::dense(2, 1, vec![1.0, -1.0]).unwrap();
    let problem = Glm::new(design, Logistic, 0.0).unwrap();
    let error = Adaptive::new(Accuracy::Absolute(1.0)).gradient(&problem, &[1.0, -1.0]).unwrap_err();
    assert_eq!(error, AdaptiveError::Estimate(EstimateError::Unbounded));
}

/// Without a penalty nothing is proved; what is estimated then is no less than the error.
#[test]
fn what_is_not_proved_is_estimated() {
    let (mut estimated, mut absent) = (0, 0);
    for seed in 0..40 {
        let design = random::design(60, 5, 3, seed);
        let problem = Glm::new(design, PseudoHuber::new(1.0).unwrap(), 0.0).unwrap();
        let x: Vec<f64> = random::vector(60, seed + 1).iter().map(|x| 3.0 * x).collect();
        let newton = Newton::new(DenseCholesky::default());
        let minimum = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-15).within(60)).run().unwrap();
        let exact = minimum.gradient(&Analytic).unwrap().value;
        let solver = GradientDescent::default();
        for steps in [5, 20, 80] {
            let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).trail(10).record(Tape::new());
            let solution = solve.run().unwrap();
            let g3 = Implicit::new(Cg::default()).tolerance(1e-6);
            let coarse = AfterNewton::new(Cg::default()).tolerance(0.3);
            // A step that was hardly solved for is none to estimate by.
            for without in [
                solution.gradient(&Certified::new(coarse)).unwrap(),
                solution.gradient(&Certified::new(Analytic)).unwrap(),
                solution.gradient(&Certified::new(Automatic)).unwrap(),
            ] {
                let reason = Uncertified::Unproved(Unproved::NotStronglyConvex { column: 0 });
                assert_eq!(without.certificate, Err(reason));
            }
            let newton = Cg::default();
            for gradient in [
                // At the reference itself: what is left there is the whole of the estimate.
                solution.gradient(&Certified::new(AfterNewton::new(Cg::default()).tolerance(1e-6))).unwrap(),
                solution.gradient(&Certified::new(coarse).newton(newton)).unwrap(),
                solution.gradient(&Certified::new(Analytic).newton(newton)).unwrap(),
                solution.gradient(&Certified::new(Automatic).newton(newton)).unwrap(),
                solution.gradient(&Certified::new(g3)).unwrap(),
            ] {
                let error = distance(&gradient.value, &exact);
                match gradient.certificate {
                    Ok(certificate) => {
                        assert_eq!((certificate.basis, certificate.theorem), (Basis::Estimated, None));
                        assert!(error <= certificate.bound + 1e-12, "{seed} {steps}: {error:e} {certificate:?}");
                        estimated += 1;
                    }
                    Err(Uncertified::Unproved(Unproved::NotStronglyConvex { column: 0 })) => absent += 1,
                    Err(reason) => panic!("{reason}"),
                }
            }
        }
    }
    assert!(estimated > 10 * absent, "{estimated} {absent}");
    for tolerance in [1e-2, 1e-6] {
        let problem = Glm::new(random::design(60, 5, 3, 7), PseudoHuber::new(1.0).unwrap(), 0.0).unwrap();
        let x = random::vector(60, 8);
        let newton = Newton::new(DenseCholesky::default());
        let minimum = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-15).within(60)).run().unwrap();
        let found = Adaptive::new(Accuracy::Relative(tolerance)).gradient(&problem, &x).unwrap();
        let error = distance(&found.gradient.value, &minimum.gradient(&Analytic).unwrap().value);
        let certificate = found.gradient.certificate.unwrap();
        assert_eq!((found.outcome, certificate.basis), (Outcome::Met, Basis::Estimated));
        assert!(error <= certificate.bound, "{error:e} {certificate:?}");
    }
    // Of a loss that says nothing of itself, and of negative weights, the reason is told.
    struct Silent;
    impl LossValue for Silent {
        fn value<T: danskin::problem::loss::Number>(&self, u: T, y: T) -> T {
            (u - y) * (u - y)
        }
    }
    let design = random::design(9, 3, 2, 1);
    let at = |problem: &dyn Problem, x: &[f64]| {
        problem.analytic_bound(Point::new(&[0.0; 3], x), Effort::Norms, &mut Ctx::new()).unwrap_err()
    };
    let silent = Glm::new(design.clone(), ByDualNumbers(Silent), 1.0).unwrap();
    assert_eq!(at(&silent, &[1.0; 9]), Unproved::Loss { row: 0 });
    let (weighted, mut w) = Glm::new(design, Squared, 1.0).unwrap().wrt(Wrt::Weights, vec![1.0; 9]).unwrap();
    w[4] = -0.5;
    assert_eq!(at(&weighted, &w), Unproved::NegativeWeight { row: 4, weight: -0.5 });
}

/// Of ridge with x kept near y, the minimum is a linear system: x* = (I - D (D^T D + lambda)^-1 D^T + rho)^-1 rho y.
#[test]
fn descent_ends_where_the_gradient_is_proved_to_be_small() {
    let design = random::design(40, 6, 3, 1);
    let (problem, y) = (Glm::new(design, Squared, 0.1).unwrap(), random::vector(40, 2));
    let near = Near { weight: 0.5, to: y.clone() };
    // l is convex in x, and l_xx <= 1.
    let found = Descent::new(1.0 / 1.5, 1e-9).run(&problem, &near, &y, &mut Ctx::new()).unwrap();
    assert_eq!(found.status, DescentStatus::Converged, "{found:?}");
    let newton = Newton::new(DenseCholesky::default());
    let minimum = Solve::new(&problem, &newton, &found.x).stop(Stop::tolerance(1e-15).within(60)).run().unwrap();
    let mut exact = minimum.gradient(&Analytic).unwrap().value;
    near.add_gradient(&found.x, &mut exact);
    assert!(norm(&exact) <= found.stationarity && found.stationarity <= 1e-9 * found.trace[0].1);
    // No bound is larger than the step deserves, and none of the first is as small as the last.
    for (_, size, bound) in &found.trace {
        assert!(*bound <= (0.5 * size).max(0.5e-9 * found.trace[0].1), "{size:e} {bound:e}");
    }
    let capped = Descent::new(0.1, 1e-9).steps(3).run(&problem, &near, &y, &mut Ctx::new()).unwrap();
    assert_eq!((capped.status, capped.steps), (DescentStatus::StepCap, 3));
    let unproved = Glm::new(random::design(40, 6, 3, 1), Squared, 0.0).unwrap();
    let ended = Descent::new(0.5, 1e-12).steps(50).run(&unproved, &near, &y, &mut Ctx::new()).unwrap();
    assert!(ended.trace.iter().all(|(_, size, _)| size.is_finite()));
    assert!(Descent::new(0.0, 1e-3).run(&problem, &near, &y, &mut Ctx::new()).is_err());
    assert!(Descent::new(0.5, 1e-3).run(&problem, &near, &y[1..], &mut Ctx::new()).is_err());
}

/// y_i of 1e12, whole numbers whose sum is known: where z is the minimum as far as rounding tells, all of the error is rounding, and exactly known.
#[test]
fn rounding_is_within_its_bound() {
    const N: usize = 4000;
    let mut y: Vec<f64> = random::vector(N, 1).iter().map(|y| (1e12 * y).round()).collect();
    let sum = |y: &[f64]| y.iter().map(|y| *y as i128).sum::<i128>();
    // Large numbers with a small sum: z* is about 125.
    y[0] -= (sum(&y) - 1_001_234) as f64;
    let sum = sum(&y);
    assert_eq!(sum, 1_001_234);
    for wrt in [Wrt::Targets, Wrt::Regularisation] {
        let design = Design::dense(N, 1, vec![1.0; N]).unwrap();
        let (problem, x) = Glm::new(design, Squared, N as f64).unwrap().wrt(wrt, y.clone()).unwrap();
        let curvature = 2.0 * N as f64;
        let mut z = sum as f64 / curvature;
        let (mut gradient, ctx) = ([0.0], &mut Ctx::new());
        // z are whole numbers of units of 2^-20, so that (n + lambda) (z - z*) is one, exactly. Of some, that with the least gradient as computed.
        let (scale, mut least) = (2.0_f64.powi(20), (f64::INFINITY, z));
        for _ in 0..20 {
            let tried = (z * scale).round() / scale;
            problem.grad_z(&[tried], &x, &mut gradient, &mut [], ctx);
            if gradient[0].abs() < least.0 {
                least = (gradient[0].abs(), tried);
            }
            z = tried - gradient[0] / curvature;
        }
        let z = least.1;
        let off = (2 * N as i128 * ((z * scale) as i128) - sum * scale as i128) as f64 / scale / curvature;
        let mut g1 = vec![0.0; x.len()];
        problem.grad_x(Point::new(&[z], &x), 1.0, &mut g1, ctx);
        let error = match wrt {
            // g1_i = y_i - z, rounded: what its rounding is, is exact.
            Wrt::Targets => norm(&g1.iter().zip(&y).map(|(g, y)| ((y - g) - z) - -off).collect::<Vec<_>>()),
            _ => N as f64 * (z * off - off * off / 2.0).abs(),
        };
        for effort in [Effort::Norms, Effort::Pass] {
            let bound = problem.analytic_bound(Point::new(&[z], &x), effort, ctx).unwrap();
            assert!(error <= bound.total(), "{wrt:?} {effort:?}: {error:e} {bound:?}");
            // Of the targets the bound is some 10^5 times what rounding does. Of log lambda it would not hold without.
            assert!(wrt == Wrt::Targets || error > bound.iterate, "{wrt:?} {effort:?}: {error:e} {bound:?}");
        }
    }
}

/// Scaling weights, lambda and D by powers of 2 scales everything and rounds nothing, until squares vanish.
#[test]
fn bounds_do_not_vanish_before_what_they_bound() {
    let design = random::design(20, 4, 3, 1);
    let y = random::vector(20, 2);
    for (of_design, of_weights) in [(0, 0), (-100, -600), (-300, 0), (0, -540), (200, -700), (-100, 300)] {
        let power = |exponent: i32| 2.0_f64.powi(exponent);
        let mut scaled = Vec::new();
        design.for_each_entry(|i, j, value| scaled.push((i, j, value * power(of_design))));
        let scaled = Design::from_triplets(20, 4, &scaled).unwrap();
        let lambda = power(of_weights) * power(of_design) * power(of_design);
        for wrt in Wrt::ALL {
            let problem = Glm::new(scaled.clone(), Squared, 0.5 * lambda).unwrap();
            let problem = problem.weighted(vec![power(of_weights); 20]).unwrap();
            let Ok((problem, x)) = problem.wrt(wrt, y.clone()) else { continue };
            let newton = Newton::new(DenseCholesky::default());
            let minimum = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-14).within(60)).run().unwrap();
            let exact = minimum.gradient(&Analytic).unwrap().value;
            let z: Vec<f64> = minimum.z().iter().map(|z| 1.5 * z).collect();
            let mut g1 = vec![0.0; x.len()];
            problem.grad_x(Point::new(&z, &x), 1.0, &mut g1, &mut Ctx::new());
            let error = distance(&g1, &exact);
            for effort in [Effort::Norms, Effort::Pass] {
                let bound = problem.analytic_bound(Point::new(&z, &x), effort, &mut Ctx::new());
                let held = bound.map_or(f64::INFINITY, |bound| bound.total());
                assert!(error <= held * (1.0 + 1e-9), "{of_design} {of_weights} {wrt:?}: {error:e} {bound:?}");
            }
        }
    }
    // Rows whose norm overflows have no bound, and are no panic.
    let huge = Design::dense(2, 1, vec![1e160, 1.0]).unwrap();
    let at = Point::new(&[0.0], &[1.0, 2.0]);
    let pseudo_huber = Glm::new(huge.clone(), PseudoHuber::new(1.0).unwrap(), 1.0).unwrap();
    assert_eq!(pseudo_huber.analytic_bound(at, Effort::Norms, &mut Ctx::new()), Err(Unproved::Overflow));
    let huber = Glm::new(huge, Huber::new(1.0).unwrap(), 1.0).unwrap();
    assert_eq!(huber.analytic_bound(at, Effort::Pass, &mut Ctx::new()), Err(Unproved::Overflow));
}

/// Numbers whose squares or products vanish are not taken for 0 by a bound that is called proved.
#[test]
fn what_vanishes_is_in_the_bound() {
    let one = |entry: f64| Design::dense(1, 1, vec![entry]).unwrap();
    let held = |problem: &dyn Problem, (z, x): (f64, &[f64]), exact: f64, case: &str| {
        let mut g1 = vec![0.0];
        problem.grad_x(Point::new(&[z], x), 1.0, &mut g1, &mut Ctx::new());
        for effort in [Effort::Norms, Effort::Pass] {
            let bound = problem.analytic_bound(Point::new(&[z], x), effort, &mut Ctx::new());
            let total = bound.map_or(f64::INFINITY, |bound| bound.total());
            assert!((g1[0] - exact).abs() <= total && total > 0.0, "{case} {effort:?}: {exact:e} {g1:?} {bound:?}");
        }
    };
    // z* = 1 / (1 + lambda), of which the square vanishes; grad l = lambda z*² / 2.
    let lambda: f64 = 1e170;
    for scale in [0.0, 1.0, 1.5] {
        let (problem, x) = Glm::new(one(1.0), Squared, lambda).unwrap().wrt(Wrt::Regularisation, vec![1.0]).unwrap();
        held(&problem, (scale / lambda, &x), 0.5 / lambda, "lambda");
        let elastic = SmoothElastic::new(0.5, 1.0).unwrap();
        let problem = Glm::new(one(1.0), Squared, lambda).unwrap().penalised_by(elastic);
        let (problem, x) = problem.wrt(Wrt::Regularisation, vec![1.0]).unwrap();
        // r'' = 1 at 0.
        held(&problem, (scale / lambda, &x), 0.5 / lambda, "elastic");
        // z* = D delta / lambda, a = -delta: grad l = a z*, the gradient at 0 vanishes.
        let huber = Huber::new(1e-155).unwrap();
        let (problem, x) = Glm::new(one(1e-170), huber, 1e-300).unwrap().wrt(Wrt::Design, vec![1.0]).unwrap();
        held(&problem, (scale * 1e-25, &x), -1e-180, "design");
        // z* of all sizes.
        for (entry, lambda) in [(1e-160, 1.0), (1e-160, 1e150), (1e100, 1e300), (1e-300, 1e-300), (1e150, 1e-300)] {
            let z = entry / (entry * entry + lambda);
            let problem = Glm::new(one(entry), Squared, lambda).unwrap();
            held(&problem, (scale * z, &[1.0]), lambda / (entry * entry + lambda), "targets");
        }
    }
}

/// The same problem in other units is as easy.
#[test]
fn small_units_are_no_obstacle() {
    let design = Design::dense(3, 2, vec![1.0, 0.5, -2.0, 1.0, 0.3, 0.7]).unwrap();
    let y = [1.0, 2.0, -1.0];
    for unit in [1.0, 1e-6, 1e-9, 1e-12, 1e-100, 1e100] {
        let x: Vec<f64> = y.iter().map(|y| unit * y).collect();
        let asked = Adaptive::new(Accuracy::Relative(1e-9));
        let squared = Glm::new(design.clone(), Squared, 0.1).unwrap();
        let huber = Glm::new(design.clone(), Huber::new(0.5 * unit).unwrap(), 0.1).unwrap();
        let (weighted, w) = squared.clone().wrt(Wrt::Weights, vec![1.0; 3]).unwrap();
        assert_eq!(asked.gradient(&squared, &x).unwrap().outcome, Outcome::Met, "{unit:e}");
        assert_eq!(asked.gradient(&huber, &x).unwrap().outcome, Outcome::Met, "{unit:e}");
        assert!(asked.gradient(&weighted, &w).is_ok());
    }
}

/// Without a penalty, directions of little curvature are as much of the gradient as others. Of a square D, l is 0.
#[test]
fn what_is_slow_is_not_taken_for_done() {
    let mut met = 0;
    for seed in 0..60 {
        let m = 2 + seed % 7;
        let spread = -5.0 * ((seed / 7) as f64 / 8.0);
        let entries: Vec<_> = (0..m).map(|j| (j, j, 10_f64.powf(spread * j as f64 / (m - 1) as f64))).collect();
        let problem = Glm::new(Design::from_triplets(m, m, &entries).unwrap(), Squared, 0.0).unwrap();
        let x = random::vector(m, seed as u64);
        for tolerance in [0.3, 1e-2, 1e-4] {
            let asked = Adaptive::new(Accuracy::Absolute(tolerance)).steps(300);
            let found = [
                asked.gradient(&problem, &x).unwrap(),
                asked.solver(GradientDescent::default(), "gd").gradient(&problem, &x).unwrap(),
                asked.solver(Nesterov::default(), "nesterov").gradient(&problem, &x).unwrap(),
            ];
            for found in found {
                let error = norm(&found.gradient.value);
                let bound = found.gradient.certificate.map_or(f64::INFINITY, |certificate| certificate.bound);
                assert!(
                    error <= bound + 16.0 * f64::EPSILON * norm(&x),
                    "{m} {spread} {tolerance}: {error:e} {found:?}"
                );
                met += usize::from(found.outcome == Outcome::Met);
            }
        }
    }
    assert!(met > 500, "{met} of 540");
}

/// What does not converge ends.
#[test]
fn a_floor_without_a_bound_is_one() {
    let problem = Glm::new(random::design(30, 4, 3, 1), Squared, 0.0).unwrap();
    let x = random::vector(30, 2);
    let asked = Adaptive::new(Accuracy::Absolute(1e-30));
    let solver = GradientDescent::default();
    assert_eq!(asked.solver(solver, "gd").gradient(&problem, &x).unwrap().outcome, Outcome::FloorReached);
    assert!(asked.gradient(&problem, &x).is_ok());
    let zero = asked.gradient(&problem, &[0.0; 30]).unwrap();
    assert_eq!((zero.outcome, zero.gradient.value), (Outcome::Met, vec![0.0; 30]));
    // An exponential loss far from its minimum is not taken to be near by an estimate.
    let counts: Vec<f64> = random::vector(30, 3).iter().map(|y| (3.0 * y.abs()).round()).collect();
    let poisson = Glm::new(random::design(30, 4, 3, 1), Poisson, 5e3).unwrap();
    for seed in 0..20 {
        let far: Vec<f64> = random::vector(4, seed).iter().map(|z| 200.0 * z).collect();
        let reference = Adaptive::new(Accuracy::Relative(1e-10)).gradient(&poisson, &counts).unwrap();
        let found = Adaptive::new(Accuracy::Relative(1e-2)).gradient_in(&poisson, &counts, Some(&far), &mut Ctx::new());
        let Ok(found) = found else { continue };
        if found.outcome == Outcome::Met {
            let error = distance(&found.gradient.value, &reference.gradient.value);
            assert!(error <= 1.01e-2 * norm(&reference.gradient.value), "{seed}: {error:e} {found:?}");
        }
    }
}

/// What overflows in a row on the way to a bound is no reason to leave that row out, nor one to guess.
#[test]
fn what_overflows_has_no_bound() {
    let overflow = Err(Uncertified::Unproved(Unproved::Overflow));
    let certificate = |problem: &Glm<Squared>, x: &[f64]| {
        let solver = GradientDescent::new(StepSize::Fixed(1.0));
        let start = vec![0.3; 1];
        let solution = Solve::new(problem, &solver, x).from(&start).stop(Stop::steps(0)).run().unwrap();
        solution.gradient(&Certified::new(Analytic)).unwrap().certificate
    };
    // The squares of a row's curvature and of another's share of it both overflow, and their difference is no number.
    for (entry, weight) in [(1e-78, 1e155), (1e-100, 1e200)] {
        let design = Design::dense(2, 1, vec![0.0, entry]).unwrap();
        let problem = Glm::new(design, Squared, 1.0).unwrap().weighted(vec![1e154, weight]).unwrap();
        assert_eq!(certificate(&problem, &[0.0, 1.0]), overflow, "{weight:e}");
        let found = Adaptive::new(Accuracy::Relative(0.1)).gradient(&problem, &[0.0, 1.0]);
        assert!(found.is_ok_and(|found| found.outcome != Outcome::Met), "{weight:e}");
    }
    // 0 times what overflowed: the loss knows all that is to be known.
    let design = Design::dense(1, 1, vec![1.5e200]).unwrap();
    let problem = Glm::new(design, Logistic, 7.8e15).unwrap();
    let mut ctx = Ctx::new();
    let found = problem.analytic_bound(Point::new(&[1e200], &[-7e-321]), Effort::Norms, &mut ctx);
    assert_eq!(found.unwrap_err(), Unproved::Overflow);
}

/// Columns that no penalty holds back, beside others that one does.
#[test]
fn a_free_intercept_is_certified_for_what_it_is() {
    let sides = [0.3, -0.7, 0.5, 0.2, 0.02];
    let design = Design::dense(5, 2, sides.iter().flat_map(|side| [1.0, *side]).collect()).unwrap();
    let problem = |weights: &[f64]| {
        let plain = Glm::new(design.clone(), Logistic, 0.0).unwrap().weighted(weights.to_vec()).unwrap();
        plain.grouped(vec![0.0, 0.5], vec![0, 1]).unwrap()
    };
    // Labels of one class: L falls along the intercept for ever.
    for wrt in [Wrt::Targets, Wrt::Weights, Wrt::Design] {
        let (problem, x) = problem(&[1.0; 5]).wrt(wrt, vec![1.0; 5]).unwrap();
        let found = Adaptive::new(Accuracy::Relative(0.1)).gradient(&problem, &x);
        assert_eq!(found.unwrap_err(), AdaptiveError::from(EstimateError::Unbounded), "{wrt:?}");
    }
    // A class of next to no weight: the intercept goes to ln(3 / 2 w), its curvature vanishes beside the penalty.
    for rare in [1e-8, 1e-25, 1e-40] {
        let weights = [rare, rare, 1.0, 1.0, 1.0];
        let (problem, x) = problem(&weights).wrt(Wrt::Weights, vec![-1.0, -1.0, 1.0, 1.0, 1.0]).unwrap();
        let far = (1.5 / rare).ln();
        for tolerance in [1e-1, 1e-3, 1e-6] {
            let found = Adaptive::new(Accuracy::Relative(tolerance)).gradient(&problem, &x).unwrap();
            assert_eq!(found.outcome, Outcome::Met, "{rare:e} {tolerance:e}");
            // The other column moves what is lost here by no more than the weight of the rare.
            let error = (found.gradient.value[0] - far).abs().max((found.gradient.value[1] - far).abs());
            assert!(error <= (tolerance * 1.5 + 4.0 * rare) * far, "{rare:e} {tolerance:e}: {error:e}");
        }
    }
}

/// A fit that all but interpolates: g* is of the size of what the predictions lose to rounding, and no estimate is smaller than that.
#[test]
fn an_estimate_is_no_smaller_than_rounding() {
    let design = Design::dense(3, 1, vec![1.3, 0.9, 0.4]).unwrap();
    let problem = Glm::new(design, Squared, 0.0).unwrap();
    let x = [0.650000001, 0.449999999, 0.2];
    for (tolerance, outcome) in [(1e-1, Outcome::Met), (1e-10, Outcome::FloorReached)] {
        let found = Adaptive::new(Accuracy::Relative(tolerance)).gradient(&problem, &x).unwrap();
        let certificate = found.gradient.certificate.unwrap();
        assert_eq!((found.outcome, certificate.basis), (outcome, Basis::Estimated));
        // Half an ulp of a prediction is the least that its rounding can be.
        assert!(certificate.bound > 0.5 * f64::EPSILON * 0.65, "{certificate:?}");
    }
}

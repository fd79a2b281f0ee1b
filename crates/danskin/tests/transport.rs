//! Entropic optimal transport: dual by Sinkhorn's algorithm, semi-dual by gradient ascent, against the oracle and what must hold of both.

mod common;

use common::oracle::{Case, cases, relative};
use danskin::ctx::Ctx;
use danskin::estimator::EstimateError;
use danskin::linear::LinearError;
use danskin::prelude::*;
use danskin::testing::{check_problem, check_replay, check_rule, random};
use danskin::vector::{distance, norm};

const TOLERANCE: f64 = 1e-10;

fn transport(case: &Case) -> Transport {
    let (cost, b) = (case.cost.clone().unwrap(), case.b.clone().unwrap());
    Transport::new(case.cost_shape.unwrap().0, cost, b, case.eps.unwrap()).unwrap()
}

fn only(name: &str) -> Case {
    cases().into_iter().find(|case| case.problem == name).unwrap()
}

/// z_T, g1, g2 in both modes and g3 on the range of the Hessian, at every T of the case.
fn agrees<P: Problem, S: Unroll<P>>(problem: &P, solver: &S, case: &Case) {
    for (steps, run) in &case.runs {
        let stop = Stop::steps(steps.parse().unwrap());
        let taped = Solve::new(problem, solver, &case.x).stop(stop).record(Tape::new()).run().unwrap();
        let forward = Solve::new(problem, solver, &case.x).stop(stop).record(Tangents::full()).run().unwrap();
        let g3 = taped.gradient(&Implicit::new(Cg::default())).unwrap();
        assert!(!g3.linear.unwrap().positive_definite);
        for (what, found, expected) in [
            ("z", taped.z(), &run.z),
            ("g1", &taped.gradient(&Analytic).unwrap().value, &run.g1),
            ("g2 reverse", &taped.gradient(&Automatic).unwrap().value, &run.g2),
            ("g2 forward", &forward.gradient(&Forward).unwrap().value, &run.g2),
            ("g3", &g3.value, run.g3_pinv.as_ref().or(run.g3.as_ref()).unwrap()),
        ] {
            let error = relative(found, expected);
            assert!(error <= TOLERANCE, "{} T={steps} {what}: relative error {error:e}", case.name);
        }
    }
}

#[test]
fn every_estimator_agrees_with_the_oracle() {
    let case = only("ot_dual_sinkhorn");
    agrees(&transport(&case), &Sinkhorn, &case);
    let case = only("ot_semidual_gd");
    agrees(&transport(&case).semi_dual(), &GradientDescent::new(StepSize::Fixed(case.step)), &case);
}

/// A factorisation finds the constants, along which the Hessian is singular, and says so.
#[test]
fn a_factorisation_finds_it_singular() {
    let (problem, x) = instance(6, 4, 0.3, 2);
    let solution = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(3)).run().unwrap();
    let error = solution.gradient(&Implicit::new(DenseCholesky::default())).unwrap_err();
    assert!(matches!(error, EstimateError::Linear(LinearError::Singular { .. })), "{error}");
    let semi_dual = problem.semi_dual();
    let descent = GradientDescent::default();
    let solution = Solve::new(&semi_dual, &descent, &x).stop(Stop::steps(100)).run().unwrap();
    let error = solution.gradient(&Implicit::new(DenseCholesky::default())).unwrap_err();
    assert!(matches!(error, EstimateError::Linear(LinearError::Singular { .. })), "{error}");
}

/// Costs, x and b of n and k points, both of sum 1.
fn instance(n: usize, k: usize, eps: f64, seed: u64) -> (Transport, Vec<f64>) {
    let measure = |len, seed| {
        let masses: Vec<f64> = random::vector(len, seed).iter().map(|v| v + 1.5).collect();
        let sum: f64 = masses.iter().sum();
        masses.into_iter().map(|mass| mass / sum).collect::<Vec<_>>()
    };
    let [from, to] = [n, k].map(|len| random::vector(len, seed));
    let cost = from.iter().flat_map(|a| to.iter().map(move |b| (a - b) * (a - b))).collect();
    (Transport::new(n, cost, measure(k, seed + 1), eps).unwrap(), measure(n, seed + 2))
}

#[test]
fn products_and_rules_are_derivatives() {
    for (n, k) in [(5, 3), (3, 5), (1, 4), (4, 1)] {
        let (problem, x) = instance(n, k, 0.3, 7);
        check_problem(&problem, &random::vector(n + k, 1), &x).unwrap();
        check_problem(&problem.semi_dual(), &random::vector(n, 1), &x).unwrap();
        check_rule(&problem, &Sinkhorn, &x, 6).unwrap();
        check_replay(&problem, &Sinkhorn, &x, 6).unwrap();
    }
}

/// A gradient without what a constant added to a potential adds to it.
fn centred(gradient: &[f64]) -> Vec<f64> {
    let mean = gradient.iter().sum::<f64>() / gradient.len() as f64;
    gradient.iter().map(|g| g - mean).collect()
}

/// Both are the same function of x up to a constant; a thousandth of the costs is a small eps, and nothing overflows.
#[test]
fn dual_and_semi_dual_have_one_gradient() {
    for (eps, steps) in [(0.1, 500), (1e-2, 4000), (1e-3, 20_000)] {
        let (problem, x) = instance(20, 12, eps, 3);
        let solution = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(steps)).run().unwrap();
        assert!(solution.residual() < 1e-8, "{eps:e}: {:e}", solution.residual());
        let g1 = solution.gradient(&Analytic).unwrap().value;
        let semi_dual = problem.semi_dual();
        let descent = GradientDescent::new(StepSize::Fixed(eps));
        let there = Solve::new(&semi_dual, &descent, &x);
        let there = there.from(&solution.z()[..20]).stop(Stop::steps(0)).run().unwrap();
        // What is left of one is left of the other.
        assert!(there.residual() < 1e-8, "{eps:e}: {:e}", there.residual());
        let other = there.gradient(&Analytic).unwrap().value;
        assert!(distance(&centred(&g1), &centred(&other)) <= 1e-12 * norm(&g1));
    }
}

/// Sums by a kernel, and by costs where potentials move far from it, are the same steps; a thousandth of eps 1 takes potentials by thousands of eps.
#[test]
fn steps_are_those_of_the_log_domain() {
    for eps in [1.0, 0.1, 1e-2, 1e-3, 1e-4] {
        let (problem, x) = instance(9, 7, eps, 5);
        let mut ctx = Ctx::new();
        let (mut u, mut v) = (vec![0.0; 9], vec![0.0; 7]);
        let solve = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(0)).record(Tape::new());
        let mut solution = solve.run_in(&mut ctx).unwrap();
        for t in 1..=60 {
            problem.soft_rows(&v, &mut u, &mut ctx);
            u.iter_mut().zip(&x).for_each(|(u, x)| *u = eps * x.ln() - *u);
            problem.soft_columns(&u, &mut v, &mut ctx);
            v.iter_mut().zip(problem.second_marginal()).for_each(|(v, b)| *v = eps * b.ln() - *v);
            solution.resume(Stop::steps(t), &mut ctx).unwrap();
            let z = [&u[..], &v].concat();
            // Each step rounds costs and potentials, of size 1 and less, some n + k times.
            assert!(distance(solution.z(), &z) <= t as f64 * 1e-15 * (1.0 + norm(&z)), "{eps:e}, step {t}");
            let mut gradient = vec![0.0; z.len()];
            problem.grad_z(solution.z(), &x, &mut gradient, &mut [], &mut ctx);
            let residual = norm(&gradient);
            assert!((solution.residual() - residual).abs() <= 1e-14 / eps, "{eps:e}, step {t}: {residual:e}");
        }
    }
}

#[test]
fn a_step_is_a_pass_whichever_way_it_goes() {
    let (problem, x) = instance(30, 20, 0.1, 5);
    let run = |steps| {
        let solve = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(steps)).record(Tape::new());
        let solution = solve.run().unwrap();
        let passes = solution.cost().passes;
        (passes, solution.gradient(&Automatic).unwrap().cost.passes)
    };
    let ((forth, back), (forth_later, back_later)) = (run(50), run(150));
    assert_eq!((forth_later - forth, back_later - back), (100, 100));
}

/// Where eps is small, the potentials of early steps are far from the last kernel, and rules go by the costs.
#[test]
fn rules_are_derivatives_far_from_the_kernel_too() {
    for eps in [0.02, 2e-3] {
        let (problem, x) = instance(5, 4, eps, 7);
        check_rule(&problem, &Sinkhorn, &x, 12).unwrap();
        check_replay(&problem, &Sinkhorn, &x, 12).unwrap();
    }
}

/// Where the sums differ L falls for ever, and every step would move the potentials on.
#[test]
fn what_has_no_optimum_is_refused() {
    let (problem, mut x) = instance(4, 3, 0.2, 5);
    let (semi_dual, descent) = (problem.semi_dual(), GradientDescent::default());
    let refused = |x: &[f64]| {
        let by_sweeps = Solve::new(&problem, &Sinkhorn, x).stop(Stop::steps(1)).run().map(|found| found.steps());
        let by_ascent = Solve::new(&semi_dual, &descent, x).stop(Stop::steps(1)).run().map(|found| found.steps());
        assert_eq!(by_sweeps, by_ascent);
        by_sweeps
    };
    assert_eq!(refused(&x), Ok(1));
    // Rounding of the sums is none of it.
    let whole = x[1];
    x[1] = whole * (1.0 + 4.0 * f64::EPSILON);
    assert_eq!(refused(&x), Ok(1));
    for excess in [0.1, -0.01, 1e-12] {
        x[1] = whole + excess;
        let Err(SolveError::UnequalSums { what: "x", found, against: "b", expected }) = refused(&x) else {
            panic!("{excess}: {:?}", refused(&x));
        };
        assert!((found - 1.0 - excess).abs() < 1e-15 && (expected - 1.0).abs() < 1e-15, "{found} {expected}");
        let z = random::vector(7, 1);
        assert!(problem.falls_along(Point::new(&z, &x), &mut Ctx::new()).is_some());
        check_problem(&problem, &z, &x).unwrap();
        check_problem(&semi_dual, &z[..4], &x).unwrap();
    }
    for mass in [0.0, -0.1] {
        x[2] = mass;
        assert_eq!(refused(&x), Err(SolveError::NotPositive { what: "x", position: 2, value: mass }));
    }
}

/// Costs of any sign, and starts anywhere, whose plans overflow at z_0: the steps are those from costs and potentials near 0.
#[test]
fn a_constant_in_costs_or_potentials_changes_nothing() {
    let (n, k, eps) = (20, 12, 1e-3);
    let (instance, x) = instance(n, k, eps, 3);
    let b = instance.second_marginal().to_vec();
    let grid = |points: usize| (0..points).map(move |i| i as f64 / (points - 1) as f64);
    // The squared distance but for what depends on one point alone, which potentials make up for.
    let cost: Vec<f64> = grid(n).flat_map(|s| grid(k).map(move |t| -s * t)).collect();
    let run = |shift: f64, start: &[f64]| {
        let cost = cost.iter().map(|cost| cost + shift).collect();
        let problem = Transport::new(n, cost, b.clone(), eps).unwrap();
        let stop = Stop::tolerance(1e-8).within(50_000);
        let solution = Solve::new(&problem, &Sinkhorn, &x).from(start).stop(stop).run().unwrap();
        assert_eq!(solution.status(), Status::Converged, "{shift}: {:e}", solution.residual());
        assert!(solution.residual() <= 1e-8 * solution.initial_residual());
        let g1 = centred(&solution.gradient(&Analytic).unwrap().value);
        (solution.initial_residual(), solution.steps(), g1)
    };
    let zero = vec![0.0; n + k];
    let (residual, steps, gradient) = run(2.0, &zero);
    assert!(residual > 0.1 && residual < 2.0, "{residual:e}");
    for shift in [-2.0, 10.0, -10.0, 1000.0] {
        let (other, taken, g1) = run(shift, &zero);
        assert!((other - residual).abs() <= 1e-9 * residual, "{shift}: {other:e} {residual:e}");
        // Costs of that size have fewer digits behind the point, of which each is divided by eps.
        let rounding = 1e-12 * (1.0 + shift.abs() / eps);
        assert!(taken.abs_diff(steps) as f64 <= 1.0 + rounding * steps as f64, "{shift}: {taken} {steps}");
        assert!(distance(&g1, &gradient) <= 1e-7 + rounding, "{shift}: {:e}", distance(&g1, &gradient));
    }
    for far in [1e3, 5.0, -5.0, -1e3] {
        for moved in [0..n, n..n + k, n..n + 1] {
            let mut start = zero.clone();
            start[moved.clone()].fill(far);
            let (_, _, g1) = run(0.0, &start);
            assert!(distance(&g1, &gradient) <= 1e-7 + far.abs() * 1e-13 / eps, "{far} {moved:?}");
        }
    }
}

/// The residual of z_0 vanishes where z_0 is the minimum, and nowhere else.
#[test]
fn a_start_at_the_minimum_is_known_and_no_other() {
    let (problem, x) = instance(9, 1, 0.2, 5);
    let at = |z: &[f64]| Solve::new(&problem, &Sinkhorn, &x).from(z).stop(Stop::steps(0)).run().unwrap().residual();
    let found = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(2)).run().unwrap();
    assert!(at(found.z()) < 1e-15, "{:e}", at(found.z()));
    // Of one column, every v has a plan with the right sums once u has made up for it.
    assert!(at(&[0.0; 10]) > 0.1);
    let mut moved = found.z().to_vec();
    moved[3] += 1e-9;
    assert!(at(&moved) > 1e-11 && at(&moved) < 1e-8, "{:e}", at(&moved));
}

/// Sums that a kernel cannot tell, entries of it having vanished, are computed from the costs: at an eps of nothing every entry has but the largest.
#[test]
fn an_eps_of_nothing_leaves_numbers() {
    for eps in [1e-30, 1e-12, 1e-6] {
        let (problem, x) = instance(9, 7, eps, 5);
        let solve = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(12)).record(Tape::new());
        let solution = solve.run().unwrap();
        assert_eq!(solution.status(), Status::StepsTaken);
        let g2 = solution.gradient(&Automatic).unwrap().value;
        assert!(g2.iter().chain(solution.z()).all(|v| v.is_finite()), "{eps:e}: {g2:?}");
        let forward = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(12)).record(Tangents::full());
        let forward = forward.run().unwrap().gradient(&Forward).unwrap().value;
        assert!(distance(&g2, &forward) <= 1e-12 * (1.0 + norm(&forward)), "{eps:e}: {g2:?} {forward:?}");
    }
}

/// At the minimum, grad_z L is rounding, in part along the constants, where the Hessian has no inverse: what g3 solves for is without that part.
#[test]
fn rounding_along_the_constants_is_not_solved_for() {
    for seed in 0..20 {
        let (problem, x) = instance(9, 7, 0.3, seed);
        let solution = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(3000)).run().unwrap();
        let g1 = solution.gradient(&Analytic).unwrap().value;
        let g3 = solution.gradient(&Implicit::new(Cg::default())).unwrap().value;
        assert!(distance(&centred(&g1), &centred(&g3)) <= 1e-12 * norm(&g1), "{seed}");
        assert!(distance(&g1, &g3) <= 1e-12 * norm(&g1), "{seed}: {g1:?} {g3:?}");
    }
}

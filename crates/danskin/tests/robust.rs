//! Maxima over perturbations of rows: products, rules, and the worst loss against its closed form in one dimension.

use danskin::prelude::*;
use danskin::testing::{check_problem, check_replay, check_rule, random};
use danskin::vector::{distance, dot, norm};

const GAMMA: f64 = 2.0;

fn instance(n: usize, m: usize, seed: u64) -> (Robust<Logistic>, Vec<f64>) {
    let problem =
        Robust::new(random::design(n, m, m.min(3), seed), random::labels(n, seed + 1), Logistic, GAMMA).unwrap();
    let x: Vec<f64> = random::vector(m, seed + 2);
    // c ‖x‖² is at most a quarter of it: well below gamma.
    let length = norm(&x).max(1e-300);
    (problem, x.iter().map(|x| 1.5 * x / length).collect())
}

#[test]
fn products_and_rules_are_derivatives() {
    for (n, m) in [(6, 4), (1, 3), (5, 1)] {
        let (problem, x) = instance(n, m, 1);
        check_problem(&problem, &random::vector(n * m, 4), &x).unwrap();
        for solver in [GradientDescent::default(), GradientDescent::new(StepSize::Fixed(0.3))] {
            check_rule(&problem, &solver, &x, 8).unwrap();
            check_replay(&problem, &solver, &x, 8).unwrap();
        }
    }
}

/// z_i = s_i x with gamma s = phi_u(<d_i, x> + s ‖x‖²), whose right-hand side rises by at most a quarter of ‖x‖² of s: a contraction.
#[test]
fn the_worst_perturbations_go_along_the_model() {
    let (problem, x) = instance(12, 5, 7);
    let (labels, square) = (random::labels(12, 8), dot(&x, &x));
    let mut u = vec![0.0; 12];
    problem.design().matrix().apply(&x, &mut u, &mut Ctx::new());
    let mut expected = Vec::new();
    for (u, y) in u.iter().zip(&labels) {
        let mut s = 0.0;
        for _ in 0..100 {
            s = Logistic.first(u + s * square, *y).0 / GAMMA;
        }
        expected.extend(x.iter().map(|x| s * x));
    }
    let solver = GradientDescent::default();
    let solution = Solve::new(&problem, &solver, &x).stop(Stop::tolerance(1e-14)).run().unwrap();
    assert!(distance(solution.z(), &expected) <= 1e-13 * norm(&expected));
    assert!(problem.strong_convexity(&x) > 0.0 && problem.strong_convexity(&[9.0; 5]) == 0.0);
}

/// The worst loss by its value at converged perturbations, and the three gradients at few steps against differences of it.
#[test]
fn gradients_are_those_of_the_worst_loss() {
    let (problem, x) = instance(10, 4, 3);
    let solver = GradientDescent::default();
    let value = |x: &[f64]| {
        let solution = Solve::new(&problem, &solver, x).stop(Stop::tolerance(1e-14)).run().unwrap();
        problem.value(solution.point(), &mut Ctx::new())
    };
    let step = 1e-4;
    let moved = |j: usize, by: f64| {
        let mut moved = x.clone();
        moved[j] += by;
        value(&moved)
    };
    let numeric: Vec<f64> = (0..4).map(|j| (moved(j, step) - moved(j, -step)) / (2.0 * step)).collect();
    let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(12)).record(Tape::new()).run().unwrap();
    let error = |gradient: Vec<f64>| distance(&gradient, &numeric) / norm(&numeric);
    // kappa is at most 9/32: kappa^12 = 3e-7 of the start for g1, its square for the others, and 1e-8 of differences.
    assert!(error(solution.gradient(&Analytic).unwrap().value) < 1e-5);
    assert!(error(solution.gradient(&Automatic).unwrap().value) < 1e-7);
    assert!(error(solution.gradient(&Implicit::new(Cg::default())).unwrap().value) < 1e-7);
}

//! Every problem, solver and estimator through one table, over random shapes: products against finite differences and
//! identities, rules against finite differences of the iteration, reverse against forward, estimators at a converged z
//! against finite differences of l and against one another.

use std::convert::Infallible;

use danskin::prelude::*;
use danskin::testing::{check_hessian, check_problem, derivative, random, step};
use danskin::unrolled::testing::check_rule;
use danskin::vector::{axpy, distance, dot, norm};
use proptest::prelude::*;

/// One row of the table a loss. A new one is one line here.
fn problems(design: &Design, lambda: f64) -> Vec<(&'static str, Box<dyn AssembleHessian>)> {
    fn glm<L: Loss + 'static>(design: &Design, loss: L, lambda: f64) -> Box<dyn AssembleHessian> {
        Box::new(Glm::new(design.clone(), loss, lambda).unwrap())
    }
    vec![
        ("ridge", glm(design, Squared, lambda)),
        ("logistic", glm(design, Logistic, lambda)),
        ("p = 2.5", glm(design, Power::new(2.5).unwrap(), lambda)),
        ("p = 3", glm(design, Power::new(3.0).unwrap(), lambda)),
        ("p = 4", glm(design, Power::new(4.0).unwrap(), lambda)),
        ("p = 6.5", glm(design, Power::new(6.5).unwrap(), lambda)),
    ]
}

fn dense_twin(design: &Design) -> Design {
    let mut values = vec![0.0; design.rows() * design.columns()];
    design.for_each_entry(|i, j, v| values[i * design.columns() + j] = v);
    Design::dense(design.rows(), design.columns(), values).unwrap()
}

/// Targets away from the predictions of small z, as p < 3 has no third derivative where they meet.
fn targets(n: usize, seed: u64) -> Vec<f64> {
    random::vector(n, seed).iter().map(|x| x.signum() * (4.0 + x.abs())).collect()
}

/// A step of `share` of 1/L, L at z = 0.
fn fixed_step(problem: &dyn AssembleHessian, share: f64, x: &[f64]) -> GradientDescent {
    let z = vec![0.0; problem.latent_len()];
    let smoothness = problem.smoothness(Point::new(&z, x), &mut Ctx::new()).unwrap();
    GradientDescent::new(StepSize::Fixed(if smoothness > 0.0 { share / smoothness } else { 1.0 }))
}

/// For p < 3 the loss has no third derivative where u meets x, and finite differences of an iterate are coarse there.
/// Short steps stay away: with |x_i| in [4, 5] and n < 25, three steps of 0.1/L change no u_i by more than 3.3.
fn share_and_steps(name: &str) -> (f64, usize) {
    if name == "p = 2.5" { (0.1, 3) } else { (0.9, 6) }
}

proptest! {
    #[test]
    fn products_and_rules(n in 1usize..25, m in 1usize..25, seed in 0u64..10_000, lambda in 0.0f64..1.0) {
        let sparse = random::design(n, m, 4, seed);
        let (z, x) = (random::vector(m, seed + 1), targets(n, seed + 2));
        for design in [&dense_twin(&sparse), &sparse] {
            for (name, problem) in problems(design, lambda) {
                let problem = problem.as_ref();
                let context = |error: &dyn std::fmt::Display| TestCaseError::fail(format!("{name}: {error}"));
                check_problem(problem, &z, &x).map_err(|e| context(&e))?;
                check_hessian(problem, &z, &x).map_err(|e| context(&e))?;
                let (share, steps) = share_and_steps(name);
                check_rule(problem, &fixed_step(problem, share, &x), &x, steps).map_err(|e| context(&e))?;
            }
        }
    }

    #[test]
    fn reverse_is_forward(n in 1usize..25, m in 1usize..25, seed in 0u64..10_000, steps in 0usize..40) {
        let design = random::design(n, m, 4, seed);
        let x = targets(n, seed + 1);
        for (name, problem) in problems(&design, 0.1) {
            let (problem, solver) = (problem.as_ref(), GradientDescent::default());
            let solve = || Solve::new(problem, &solver, &x).stop(Stop::steps(steps));
            let reverse = solve().record(Tape::new()).run().unwrap().gradient(&Automatic).unwrap().value;
            let forward = solve().record(Tangents::full()).run().unwrap();
            let full = forward.gradient(&Forward).unwrap().value;
            prop_assert!(distance(&reverse, &full) <= 1e-12 * norm(&full), "{name}: {}", distance(&reverse, &full));
            let directions = vec![random::vector(n, 1), random::vector(n, 2)];
            let along = solve().record(Tangents::along(directions.clone())).run().unwrap();
            for (k, derivative) in along.gradient(&Forward).unwrap().value.into_iter().enumerate() {
                let error = (derivative - dot(&full, &directions[k])).abs();
                prop_assert!(error <= 1e-12 * norm(&full) * norm(&directions[k]), "{name}: {error}");
            }
        }
    }

    #[test]
    fn dense_and_sparse_designs_agree(n in 1usize..25, m in 1usize..25, seed in 0u64..10_000) {
        let sparse = random::design(n, m, 4, seed);
        let dense = dense_twin(&sparse);
        let x = targets(n, seed + 1);
        let solve = |problem: &dyn AssembleHessian, solver: &GradientDescent| {
            let solution = Solve::new(problem, solver, &x).stop(Stop::steps(5)).record(Tape::new()).run().unwrap();
            solution.gradient(&Automatic).unwrap().value
        };
        for ((name, on_sparse), (_, on_dense)) in problems(&sparse, 0.1).into_iter().zip(problems(&dense, 0.1)) {
            // One step size for both: an estimated one is the same up to 1e-6 only.
            let solver = fixed_step(on_sparse.as_ref(), 0.9, &x);
            let (a, b) = (solve(on_sparse.as_ref(), &solver), solve(on_dense.as_ref(), &solver));
            prop_assert!(distance(&a, &b) <= 1e-10 * norm(&a), "{name}: {}", distance(&a, &b));
        }
    }
}

/// l(x), by Newton's method to rounding.
fn minimum(problem: &dyn AssembleHessian, x: &[f64]) -> f64 {
    let newton = Newton::new(DenseCholesky::default());
    let solution = Solve::new(problem, &newton, x).stop(Stop::tolerance(1e-13).within(200)).run().unwrap();
    problem.value(solution.point(), &mut Ctx::new())
}

#[test]
fn every_estimator_is_the_derivative_of_the_minimum() {
    for (n, m) in [(30, 8), (8, 30), (1, 5), (5, 1)] {
        let design = random::design(n, m, 4, 7);
        for (name, problem) in problems(&design, 0.5) {
            let problem = problem.as_ref();
            let (x, dx): (Vec<f64>, _) = (targets(n, 1).iter().map(|x| x / 4.0).collect(), random::vector(n, 2));
            let shifted = |h: f64| {
                let mut shifted = x.clone();
                axpy(h, &dx, &mut shifted);
                minimum(problem, &shifted)
            };
            let numeric = derivative(step(&x), |h| Ok::<_, Infallible>(vec![shifted(h)])).unwrap()[0];

            let solver = GradientDescent::default();
            let stop = Stop::tolerance(1e-10).within(200_000);
            let solution = Solve::new(problem, &solver, &x).stop(stop).record(Tape::new()).run().unwrap();
            assert_eq!(solution.status(), Status::Converged, "{name} {n} x {m}");
            let gradients = [
                solution.gradient(&Analytic),
                solution.gradient(&Automatic),
                solution.gradient(&Implicit::new(Cg::default())),
                solution.gradient(&Implicit::new(DenseCholesky::default())),
                solution.gradient(&Implicit::new(Auto)),
            ];
            for (k, gradient) in gradients.into_iter().enumerate() {
                let gradient = gradient.unwrap().value;
                let error = (dot(&gradient, &dx) - numeric).abs();
                // The difference of values at a step of 1e-3 keeps 13 digits of them, hence 10 of their slope.
                let scale = norm(&gradient) * norm(&dx) + 1e-3 * shifted(0.0).abs();
                assert!(error <= 1e-8 * scale, "{name} {n} x {m}, estimator {k}: {error:e} of {scale:e}");
            }
        }
    }
}

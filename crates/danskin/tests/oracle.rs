//! Every estimator against gradients computed independently by JAX in float64, from the definitions alone.
//!
//! The cases in `tests/oracle` are a part of them; `DANSKIN_ORACLE=cases.json` names a file with all, which is then read
//! as well. The layout: z_{t+1} = A(z_t, x) from z_0 = 0, g2 = d/dx [L(z_T(x), x)], `runs` by T.

mod common;

use std::collections::BTreeMap;

use common::oracle::{Case, Run, cases, relative};
use danskin::prelude::*;

/// The bar for each comparison, relative to the larger norm.
const TOLERANCE: f64 = 1e-10;
/// For g3 where the Hessian's condition passes 1e8, and solving loses as many digits.
const ILL_CONDITIONED: f64 = 1e-6;

fn problem(case: &Case) -> Option<Box<dyn AssembleHessian>> {
    let lambda = case.lam.unwrap_or(0.0);
    Some(match case.problem.as_str() {
        "ridge" => Box::new(Glm::new(case.design(), Squared, lambda).unwrap()),
        "logistic" => Box::new(Glm::new(case.design(), Logistic, lambda).unwrap()),
        "lp4" => Box::new(Glm::new(case.design(), Power::new(4.0).unwrap(), lambda).unwrap()),
        _ => return None,
    })
}

fn check(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let error = relative(found, expected);
    assert!(error <= tolerance, "{name}: relative error {error:e}");
}

/// z_T, g1, g2 in both modes, and g3 by every linear solver, at one T.
fn compare(name: &str, problem: &dyn AssembleHessian, case: &Case, steps: usize, run: &Run) {
    let solver = GradientDescent::new(StepSize::Fixed(case.step));
    let solve = || Solve::new(problem, &solver, &case.x).stop(Stop::steps(steps));
    let taped = solve().record(Tape::new()).run().unwrap();
    check(&format!("{name} z"), taped.z(), &run.z, TOLERANCE);
    check(&format!("{name} g1"), &taped.gradient(&Analytic).unwrap().value, &run.g1, TOLERANCE);
    check(&format!("{name} g2 reverse"), &taped.gradient(&Automatic).unwrap().value, &run.g2, TOLERANCE);
    let forward = solve().record(Tangents::full()).run().unwrap();
    assert_eq!(forward.z(), taped.z());
    check(&format!("{name} g2 forward"), &forward.gradient(&Forward).unwrap().value, &run.g2, TOLERANCE);

    let dense = taped.gradient(&Implicit::new(DenseCholesky::default()));
    let cg = taped.gradient(&Implicit::new(Cg::default()));
    match &run.g3 {
        Some(g3) => {
            let tolerance = if run.condition() > 1e8 { ILL_CONDITIONED } else { TOLERANCE };
            check(&format!("{name} g3 dense"), &dense.unwrap().value, g3, tolerance);
            check(&format!("{name} g3 cg"), &cg.unwrap().value, g3, tolerance);
        }
        // A singular Hessian is reported: by an error, or by what a linear solver says that cannot tell.
        None => {
            assert_eq!(dense.unwrap_err().name(), "singular", "{name}");
            match cg {
                Err(error) => assert_eq!(error.name(), "singular", "{name}"),
                Ok(gradient) => assert!(!gradient.linear.unwrap().positive_definite, "{name}"),
            }
        }
    }
}

#[test]
fn every_estimator_agrees() {
    let mut seen = BTreeMap::new();
    for case in cases() {
        let Some(problem) = problem(&case) else { continue };
        let problem = problem.as_ref();
        for (steps, run) in &case.runs {
            compare(&format!("{} T={steps}", case.name), problem, &case, steps.parse().unwrap(), run);
        }
        let newton = Newton::new(Cg::default());
        let reference = Solve::new(problem, &newton, &case.x).stop(Stop::tolerance(1e-12).within(200)).run().unwrap();
        let implicit = reference.gradient(&Implicit::new(DenseCholesky::default()));
        let g_star = implicit.or_else(|_| reference.gradient(&Analytic)).unwrap().value;
        let worst = case.runs.values().map(Run::condition).fold(0.0, f64::max);
        let tolerance = if worst > 1e8 { ILL_CONDITIONED } else { TOLERANCE };
        check(&format!("{} g*", case.name), &g_star, &case.g_star, tolerance);
        *seen.entry(case.problem.clone()).or_insert(0) += 1;
    }
    assert!(["ridge", "logistic", "lp4"].iter().all(|problem| seen.contains_key(*problem)), "{seen:?}");
}

/// Cases whose Hessian is singular, of the layout of the oracle's: D has rank 1, or fewer rows than columns.
#[test]
fn singular_hessians_are_reported() {
    for (rows, columns, values) in [(3, 2, vec![1.0, 2.0, 2.0, 4.0, -1.0, -2.0]), (1, 2, vec![1.0, 2.0])] {
        let design = Design::dense(rows, columns, values).unwrap();
        for problem in [
            Box::new(Glm::new(design.clone(), Squared, 0.0).unwrap()) as Box<dyn AssembleHessian>,
            Box::new(Glm::new(design.clone(), Logistic, 0.0).unwrap()),
            Box::new(Glm::new(design.clone(), Power::new(4.0).unwrap(), 0.0).unwrap()),
        ] {
            let (problem, solver) = (problem.as_ref(), GradientDescent::default());
            let x = [1.0, -1.0, 1.0];
            let solution = Solve::new(problem, &solver, &x[..rows]).stop(Stop::steps(5)).run().unwrap();
            let dense = solution.gradient(&Implicit::new(DenseCholesky::default())).unwrap_err();
            assert_eq!(dense.name(), "singular");
            assert_eq!(solution.gradient(&Implicit::new(Auto::default())).unwrap_err().name(), "singular");
            match solution.gradient(&Implicit::new(Cg::default())) {
                Err(error) => assert_eq!(error.name(), "singular"),
                Ok(gradient) => assert!(!gradient.linear.unwrap().positive_definite),
            }
        }
    }
}

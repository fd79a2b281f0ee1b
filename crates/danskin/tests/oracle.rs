//! Every estimator against gradients computed independently by JAX in float64, from the definitions alone.
//!
//! The cases in `tests/oracle` are a part of them; `DANSKIN_ORACLE=cases.json` names a file with all, which is then read
//! as well. The layout: z_{t+1} = A(z_t, x) from z_0 = 0, g2 = d/dx [L(z_T(x), x)], `runs` by T.

mod common;

use std::collections::BTreeMap;

use common::oracle::{Case, cases, relative};
use danskin::prelude::*;

/// The bar for each comparison: relative to the largest of both norms.
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

#[test]
fn every_estimator_agrees() {
    let mut seen = BTreeMap::new();
    for case in cases() {
        let Some(problem) = problem(&case) else { continue };
        let problem = problem.as_ref();
        let solver = GradientDescent::new(StepSize::Fixed(case.step));
        for (steps, run) in &case.runs {
            let stop = Stop::steps(steps.parse().unwrap());
            let solve = || Solve::new(problem, &solver, &case.x).stop(stop);
            let name = format!("{} T={steps}", case.name);
            let taped = solve().record(Tape::new()).run().unwrap();
            let check = |what: &str, found: &[f64], expected: &[f64], tolerance: f64| {
                let error = relative(found, expected);
                assert!(error <= tolerance, "{name} {what}: relative error {error:e}");
            };
            check("z", taped.z(), &run.z, TOLERANCE);
            check("g1", &taped.gradient(&Analytic).unwrap().value, &run.g1, TOLERANCE);
            check("g2 reverse", &taped.gradient(&Automatic).unwrap().value, &run.g2, TOLERANCE);
            let forward = solve().record(Tangents::full()).run().unwrap();
            assert_eq!(forward.z(), taped.z());
            check("g2 forward", &forward.gradient(&Forward).unwrap().value, &run.g2, TOLERANCE);
            let Some(g3) = &run.g3 else { continue };
            let tolerance = if run.hess_cond.unwrap() > 1e8 { ILL_CONDITIONED } else { TOLERANCE };
            check("g3 dense", &taped.gradient(&Implicit::new(DenseCholesky::default())).unwrap().value, g3, tolerance);
            check("g3 cg", &taped.gradient(&Implicit::new(Cg::default())).unwrap().value, g3, tolerance);
            *seen.entry(case.problem.clone()).or_insert(0) += 1;
        }
        let newton = Newton::new(Cg::default());
        let reference = Solve::new(problem, &newton, &case.x).stop(Stop::tolerance(1e-12).within(100)).run().unwrap();
        let g3 = reference.gradient(&Implicit::new(DenseCholesky::default())).unwrap().value;
        let tolerance = if case.name.contains("rankdef") { ILL_CONDITIONED } else { TOLERANCE };
        let error = relative(&g3, &case.g_star);
        assert!(error <= tolerance, "{} g*: relative error {error:e}, {reference:?}", case.name);
    }
    assert!(["ridge", "logistic", "lp4"].iter().all(|problem| seen.contains_key(*problem)), "{seen:?}");
}

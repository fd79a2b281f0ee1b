//! The Lasso and its kin: three gradients against the oracle and finite differences, gaps, kinks.

mod common;

use common::oracle::{Case, cases, relative};
use danskin::prelude::*;
use danskin::testing::random;
use danskin::unrolled::testing::{check_replay, check_rule};
use danskin::vector::{distance, dot, norm};
use proptest::prelude::{ProptestConfig, prop_assert, proptest};

const TOLERANCE: f64 = 1e-10;

fn check(what: &str, found: &[f64], expected: &[f64]) {
    let error = relative(found, expected);
    assert!(error <= TOLERANCE, "{what}: relative error {error:e}");
}

/// z_T, and the three gradients by ISTA at every T of the case, and those at the minimum by FISTA.
fn agrees(problem: &Lasso, case: &Case) {
    let solver = Ista::new(StepSize::Fixed(case.step));
    for (steps, run) in &case.runs {
        let stop = Stop::steps(steps.parse().unwrap());
        let taped = Solve::new(problem, &solver, &case.x).stop(stop).record(Tape::new()).run().unwrap();
        let forward = Solve::new(problem, &solver, &case.x).stop(stop).record(Tangents::full()).run().unwrap();
        check("z", taped.z(), &run.z);
        check("g1", &taped.gradient(&Analytic).unwrap().value, &run.g1);
        check("g2 backwards", &taped.gradient(&Automatic).unwrap().value, &run.g2);
        check("g2 forwards", &forward.gradient(&Forward).unwrap().value, &run.g2);
        let dense = taped.gradient(&OnSupport::<DenseCholesky>::default());
        let cg = taped.gradient(&OnSupport::new(Cg::default()));
        match &run.g3 {
            Some(g3) => {
                check("g3 dense", &dense.unwrap().value, g3);
                check("g3 cg", &cg.unwrap().value, g3);
            }
            // More coordinates in the support than rows.
            None => assert_eq!((dense.unwrap_err().name(), cg.unwrap_err().name()), ("singular", "singular")),
        }
    }
    let solver = Fista::default();
    let solved = Solve::new(problem, &solver, &case.x).stop(Stop::steps(SOLVED)).run().unwrap();
    check("g*", &solved.gradient(&OnSupport::<DenseCholesky>::default()).unwrap().value, &case.g_star);
}

#[test]
fn gradients_in_the_signal_and_in_the_design_are_the_oracles() {
    let mut seen = [0; 2];
    for case in cases() {
        let lambda = case.lam.unwrap_or(f64::NAN);
        match case.problem.as_str() {
            "lasso_x" => {
                agrees(&Lasso::new(case.design(), Squared, lambda).unwrap(), &case);
                seen[0] += 1;
            }
            "lasso_D" => {
                let y = case.y.clone().unwrap();
                let design = Design::dense(y.len(), case.x.len() / y.len(), case.x.clone()).unwrap();
                let (problem, x) = Lasso::new(design, Squared, lambda).unwrap().wrt(Wrt::Design, y).unwrap();
                assert_eq!(x, case.x);
                agrees(&problem, &case);
                seen[1] += 1;
            }
            _ => {}
        }
    }
    assert!(seen.iter().all(|&seen| seen > 0), "{seen:?}");
}

/// Problems of every parameter and penalty over a design of n x m, at the x where they stand.
fn variants<L: Loss + Clone>(
    design: &Design,
    loss: &L,
    y: &[f64],
    lambda: f64,
) -> Vec<(String, SparseGlm<L>, Vec<f64>)> {
    let m = design.columns();
    let mut all = Vec::new();
    for wrt in Wrt::ALL {
        let plain = || SparseGlm::new(design.clone(), loss.clone(), lambda).unwrap();
        let weights = (0..design.rows()).map(|i| 0.5 + (i % 3) as f64).collect();
        let lambdas = (0..m).map(|j| lambda * (0.5 + (j % 4) as f64 / 3.0)).collect();
        for (name, problem) in [
            ("lasso", plain()),
            ("elastic net", plain().elastic(0.7).unwrap()),
            ("nonnegative", plain().nonnegative()),
            (
                "nonnegative, a free column",
                plain()
                    .nonnegative()
                    .grouped(vec![lambda], (0..m).map(|j| if j == 3 { FREE } else { 0 }).collect())
                    .unwrap(),
            ),
            ("weighted rows", plain().weighted(weights).unwrap()),
            ("weighted columns", plain().grouped(lambdas, (0..m as u32).collect()).unwrap()),
            (
                "a free column",
                plain().grouped(vec![lambda], (0..m).map(|j| if j == 3 { FREE } else { 0 }).collect()).unwrap(),
            ),
        ] {
            let (problem, x) = problem.wrt(wrt, y.to_vec()).unwrap();
            all.push((format!("{name}, {}", wrt.name()), problem, x));
        }
    }
    all
}

fn designs(n: usize, m: usize) -> [Design; 2] {
    let sparse = random::design(n, m, 4, 1);
    let values = random::vector(n * m, 3);
    [sparse, Design::dense(n, m, values).unwrap()]
}

fn rules<L: Loss + Clone>(loss: &L, y: &[f64], lambda: f64) {
    for design in designs(y.len(), 12) {
        for (name, problem, x) in variants(&design, loss, y, lambda) {
            let rho = Solve::new(&problem, &Ista::default(), &x).stop(Stop::steps(0)).run().unwrap().state().rho();
            let (ista, fista) = (Ista::new(StepSize::Fixed(rho)), Fista::new(StepSize::Fixed(rho)));
            check_rule(&problem, &ista, &x, 9).unwrap_or_else(|error| panic!("{name}: ista: {error}"));
            check_rule(&problem, &fista, &x, 14).unwrap_or_else(|error| panic!("{name}: fista: {error}"));
            let sweeps = CoordinateDescent::default();
            if loss.is_quadratic() {
                check_rule(&problem, &sweeps, &x, 5).unwrap_or_else(|error| panic!("{name}: sweeps: {error}"));
            }
            let begun = Solve::new(&problem, &sweeps, &x).stop(Stop::steps(0)).run().unwrap();
            let sweeps = CoordinateDescent::with_curvatures(begun.state().columns().curvatures().to_vec());
            check_rule(&problem, &sweeps, &x, 5).unwrap_or_else(|error| panic!("{name}: sweeps: {error}"));
            check_replay(&problem, &sweeps, &x, 5).unwrap_or_else(|error| panic!("{name}: sweeps: {error}"));
            check_replay(&problem, &ista, &x, 9).unwrap_or_else(|error| panic!("{name}: ista: {error}"));
            check_replay(&problem, &fista, &x, 14).unwrap_or_else(|error| panic!("{name}: fista: {error}"));
        }
    }
}

#[test]
fn rules_are_the_derivatives_of_steps() {
    rules(&Squared, &random::vector(20, 2), 0.3);
    rules(&Logistic, &random::labels(20, 2), 0.4);
}

/// Steps after which these small problems are solved to rounding: a gap of 1e-16 would leave an error of 1e-8.
const SOLVED: usize = 3000;

/// z* at x.
fn minimiser<P: Composite>(problem: &P, x: &[f64]) -> Vec<f64> {
    let solver = Fista::default();
    Solve::new(problem, &solver, x).stop(Stop::steps(SOLVED)).run().unwrap().z().to_vec()
}

/// At the minimum, g1, g2 and g3 of l, the derivative of z* and of a hypergradient, against central differences.
fn differentiates<P: Composite<Restricted: AssembleHessian>>(name: &str, problem: &P, x: &[f64]) {
    let (mut ctx, c) = (Ctx::new(), random::vector(problem.latent_len(), 8));
    let dx: Vec<f64> = random::vector(x.len(), 9);
    let solver = Fista::default();
    let solved = Solve::new(problem, &solver, x).stop(Stop::steps(SOLVED)).record(Tape::new()).run().unwrap();
    let h = 1e-6 / norm(&dx);
    let moved = |sign: f64| x.iter().zip(&dx).map(|(x, dx)| x + sign * h * dx).collect::<Vec<_>>();
    let [up, down] = [moved(1.0), moved(-1.0)];
    let [z_up, z_down] = [minimiser(problem, &up), minimiser(problem, &down)];
    let slope: Vec<f64> = z_up.iter().zip(&z_down).map(|(up, down)| (up - down) / (2.0 * h)).collect();

    let g3 = OnSupport::<DenseCholesky>::default();
    let tangent = g3.tangent(&solved, &dx, &mut ctx).unwrap();
    let error = distance(&tangent, &slope) / norm(&slope);
    assert!(error <= 1e-5, "{name}: dz*: {error:e}");

    let expected = dot(&c, &slope);
    for (estimator, value) in [
        ("g2", solved.gradient_of(&Linear(c.clone()), &Automatic).unwrap().value),
        ("g3", solved.gradient_of(&Linear(c.clone()), &g3).unwrap().value),
    ] {
        let found = dot(&value, &dx);
        assert!((found - expected).abs() <= 1e-5 * norm(&c) * norm(&slope), "{name}: {estimator}: {found} {expected}");
    }
    let mut value = |x: &[f64], z: &[f64]| problem.value(Point::new(z, x), &mut ctx);
    let expected = (value(&up, &z_up) - value(&down, &z_down)) / (2.0 * h);
    let g1 = solved.gradient(&Analytic).unwrap().value;
    let scale = norm(&g1) * norm(&dx);
    for (estimator, gradient) in [
        ("g1", g1.clone()),
        ("g2", solved.gradient(&Automatic).unwrap().value),
        ("g3", solved.gradient(&g3).unwrap().value),
    ] {
        let found = dot(&gradient, &dx);
        assert!((found - expected).abs() <= 1e-7 * scale, "{name}: {estimator} of l: {found} {expected}");
        assert!(distance(&gradient, &g1) <= 1e-7 * norm(&g1), "{name}: {estimator} is not g1 at the minimum");
    }
    let kinks = solved.gradient(&g3).unwrap().kinks.unwrap();
    assert!(kinks.support > 0 && kinks.support < problem.latent_len(), "{name}: {kinks:?}");
    assert!(kinks.least > 1e-4 && kinks.slack > 1e-4, "{name}: too near a kink for differences: {kinks:?}");
}

#[test]
fn gradients_at_the_minimum_are_those_of_finite_differences() {
    for design in designs(30, 12) {
        for (name, problem, x) in variants(&design, &Squared, &random::vector(30, 2), 0.9) {
            differentiates(&name, &problem, &x);
        }
        for (name, problem, x) in variants(&design, &Logistic, &random::labels(30, 2), 0.5) {
            differentiates(&format!("logistic {name}"), &problem, &x);
        }
    }
}

/// Working sets come to the minimum that proximal steps come to, whatever the loss and the penalty, and carry the same gradients.
fn working_sets<L: Loss + Clone + std::fmt::Debug>(loss: &L, y: &[f64], lambda: f64) {
    for design in designs(y.len(), 12) {
        for (name, problem, x) in variants(&design, loss, y, lambda) {
            let (mut ctx, solver, name) = (Ctx::new(), ActiveSet::default(), format!("{loss:?}, {name}"));
            let solved = Solve::new(&problem, &solver, &x).stop(Stop::tolerance(1e-12)).run().unwrap();
            assert_eq!(solved.status(), Status::Converged, "{name}: {solved:?}");
            let (best, z) = (minimiser(&problem, &x), solved.z());
            let value = |z: &[f64], ctx: &mut Ctx| problem.value(Point::new(z, &x), ctx);
            let (least, found) = (value(&best, &mut ctx), value(z, &mut ctx));
            assert!(found - least <= solved.residual() + 1e-13 * least.abs(), "{name}: {found} {least}");
            // An error of z of the root of the gap.
            let apart = distance(z, &best) / norm(&best);
            assert!(apart <= 1e-5, "{name}: {apart:e}");
            let g3 = OnSupport::<DenseCholesky>::default();
            let by_proximal = Fista::default();
            let other = Solve::new(&problem, &by_proximal, &x).stop(Stop::steps(SOLVED)).run().unwrap();
            let [found, expected] = [solved.gradient(&g3), other.gradient(&g3)].map(|g| g.unwrap().value);
            assert!(relative(&found, &expected) <= 1e-6, "{name}: {:e}", relative(&found, &expected));
        }
    }
}

#[test]
fn working_sets_find_the_minimum() {
    working_sets(&Squared, &random::vector(30, 2), 0.9);
    working_sets(&Logistic, &random::labels(30, 2), 0.5);
    working_sets(&Huber::new(0.3).unwrap(), &random::vector(30, 2), 0.6);
    working_sets(&SquaredHinge, &random::labels(30, 2), 1.5);
    let counts: Vec<f64> = random::vector(30, 2).iter().map(|y| (4.0 * y).abs().round()).collect();
    working_sets(&Poisson, &counts, 1.0);
}

/// Where z must not be negative, its bound is a kink of columns without a penalty too: z*_2 = max(u_2, 0) is 0 around u_2 = -1.
#[test]
fn the_bound_of_a_free_column_is_a_kink() {
    let design = Design::dense(2, 2, vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    let problem = Lasso::new(design, Squared, 0.0).unwrap().nonnegative();
    let (x, c) = ([1.0, -1.0], Linear(vec![-1.0, -2.0]));
    let solver = ActiveSet::default();
    let solved = Solve::new(&problem, &solver, &x).run().unwrap();
    let g3 = solved.gradient_of(&c, &OnSupport::<DenseCholesky>::default()).unwrap();
    assert_eq!((g3.value, g3.kinks.unwrap().slack), (vec![-1.0, 0.0], 1.0));
    let (ista, sweeps) = (Ista::default(), CoordinateDescent::default());
    let by_ista = Solve::new(&problem, &ista, &x).stop(Stop::steps(900)).record(Tape::new()).run().unwrap();
    assert!(distance(&by_ista.gradient_of(&c, &Automatic).unwrap().value, &[-1.0, 0.0]) <= 1e-12);
    let by_sweeps = Solve::new(&problem, &sweeps, &x).stop(Stop::steps(2)).record(Tape::new()).run().unwrap();
    assert_eq!(by_sweeps.gradient_of(&c, &Automatic).unwrap().value, [-1.0, 0.0]);
}

/// Where no gap is known, FISTA is not done before z_t is: at y_t alone the gradient may vanish.
#[test]
fn fista_ends_at_a_minimum_where_no_gap_is_known() {
    let design = Design::dense(2, 1, vec![1.4, 1.2]).unwrap();
    let problem = SparseGlm::new(design, SquaredHinge, 0.0).unwrap();
    let solver = Fista::default();
    let solved = Solve::new(&problem, &solver, &[-1.0, -1.0]).stop(Stop::tolerance(1e-8)).run().unwrap();
    assert!(problem.value(solved.point(), &mut Ctx::new()) <= 1e-12, "{:?}", solved.z());
}

/// With D = I the Lasso is soft thresholding: z*_j = soft(u_j, lambda), with a kink in u_j at |u_j| = lambda.
#[test]
fn a_kink_is_told_as_one() {
    let design = Design::dense(2, 2, vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    let (problem, solver) = (Lasso::new(design, Squared, 1.0).unwrap(), Ista::default());
    let kinks = |x: [f64; 2]| {
        let solved = Solve::new(&problem, &solver, &x).stop(Stop::steps(400)).run().unwrap();
        solved.gradient(&OnSupport::<DenseCholesky>::default()).unwrap().kinks.unwrap()
    };
    let away = kinks([3.0, 0.25]);
    assert_eq!((away.support, away.least, away.slack), (1, 2.0, 0.75));
    assert!(!away.are_met(1e-6, 3.0));
    let met = kinks([3.0, 1.0]);
    assert_eq!((met.support, met.slack), (1, 0.0));
    assert!(met.are_met(1e-6, 3.0));
    // Left and right slopes of z*_2 in u_2 are 0 and 1.
    let z = |u: f64| minimiser(&problem, &[3.0, u])[1];
    assert_eq!((z(1.0) - z(0.75)) / 0.25, 0.0);
    assert!(((z(1.25) - z(1.0)) / 0.25 - 1.0).abs() < 1e-12);
}

#[test]
fn supports_without_a_coordinate_give_gradients() {
    let design = random::design(9, 5, 2, 1);
    let (problem, x) = Lasso::new(design, Squared, 1e3).unwrap().wrt(Wrt::Targets, random::vector(9, 2)).unwrap();
    let solver = Ista::default();
    let solved = Solve::new(&problem, &solver, &x).run().unwrap();
    let g3 = solved.gradient(&OnSupport::<DenseCholesky>::default()).unwrap();
    assert_eq!((g3.value, g3.linear, solved.z()), (x.clone(), None, &[0.0; 5][..]));
    assert_eq!(g3.kinks.unwrap().support, 0);
}

fn bounded<L: Loss + Clone>(loss: &L, y: &[f64], lambda: f64, steps: usize, seed: u64) -> Result<(), String> {
    let design = random::design(y.len(), 8, 3, seed);
    for (name, problem, x) in variants(&design, loss, y, lambda) {
        if name.contains("a free column") {
            // The residual is another measure.
            continue;
        }
        let (mut ctx, solver) = (Ctx::new(), Fista::default());
        let best = minimiser(&problem, &x);
        let least = problem.value(Point::new(&best, &x), &mut ctx);
        let ista = Ista::default();
        for steps in [0, 1, steps] {
            let by_ista = Solve::new(&problem, &ista, &x).stop(Stop::steps(steps)).run().unwrap();
            let by_fista = Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).run().unwrap();
            for (solver, z, gap) in
                [("ista", by_ista.z(), by_ista.residual()), ("fista", by_fista.z(), by_fista.residual())]
            {
                let above = problem.value(Point::new(z, &x), &mut ctx) - least;
                if above > gap + 1e-12 * (1.0 + least.abs()) || gap < 0.0 {
                    return Err(format!("{name}, {solver}, {steps} steps: {above:e} above the minimum, gap {gap:e}"));
                }
            }
        }
    }
    Ok(())
}

/// A bound at the minimum: the root of the rounding of a gap, times what the numbers of these problems make of it.
const SHARP: f64 = 1e-4;

/// Certificates by the gap hold after any number of steps, and are sharp where the support is that of z*.
fn certified(y: &[f64], lambda: f64, steps: usize, seed: u64) -> Result<(), String> {
    let solver = Ista::default();
    for design in
        [random::design(y.len(), 8, 3, seed), Design::dense(y.len(), 8, random::vector(8 * y.len(), seed)).unwrap()]
    {
        for (name, problem, x) in variants(&design, &Squared, y, lambda) {
            let best = minimiser(&problem, &x);
            let solved = Solve::new(&problem, &solver, &x).from(&best).stop(Stop::steps(0)).run().unwrap();
            let exact = solved.gradient(&Analytic).unwrap().value;
            // z* to rounding, times what D and its inverse on the support can make of it.
            let rounding = 1e-12 * (1.0 + norm(&exact));
            for steps in [0, 1, steps, 20 * steps] {
                let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).record(Tape::new());
                let solved = solve.run().unwrap();
                let g3 = OnSupport::<DenseCholesky>::default();
                for (estimator, gradient) in [
                    ("g1", solved.gradient(&ByGap(Analytic))),
                    ("g2", solved.gradient(&ByGap(Automatic))),
                    ("g3", solved.gradient(&ByGap(g3))),
                ] {
                    let Ok(gradient) = gradient else { continue };
                    let what = format!("{name}, {estimator}, {steps} steps");
                    let error = distance(&gradient.value, &exact);
                    match gradient.certificate {
                        Ok(found) if error > found.bound + rounding => {
                            return Err(format!("{what}: error {error:e}, bound {:e}", found.bound));
                        }
                        Ok(found) if estimator == "g3" && solved.residual() < 1e-13 && found.bound > SHARP => {
                            return Err(format!("{what}: bound {:e}", found.bound));
                        }
                        Ok(_) => {}
                        Err(reason) => {
                            let open = name.ends_with("design")
                                || name == "weighted columns, regularisation"
                                || name.contains("a free column");
                            if !open {
                                return Err(format!("{what}: {reason}"));
                            }
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn gaps_bound_what_is_left(seed in 0_u64..1000, factor in 0.02_f64..1.2, steps in 2_usize..60) {
        let y = random::vector(14, seed + 1);
        let counts: Vec<f64> = y.iter().map(|y| (3.0 * y).abs().round()).collect();
        for outcome in [
            bounded(&Squared, &y, factor, steps, seed),
            bounded(&Huber::new(0.4).unwrap(), &y, factor, steps, seed),
            bounded(&Logistic, &random::labels(14, seed + 2), factor, steps, seed),
            bounded(&SquaredHinge, &random::labels(14, seed + 2), factor, steps, seed),
            bounded(&Poisson, &counts, factor, steps, seed),
        ] {
            prop_assert!(outcome.is_ok(), "{:?}", outcome);
        }
    }

    #[test]
    fn certificates_hold(seed in 0_u64..1000, lambda in 0.05_f64..1.0, steps in 2_usize..40) {
        let outcome = certified(&random::vector(14, seed + 1), lambda, steps, seed);
        prop_assert!(outcome.is_ok(), "{:?}", outcome);
    }
}

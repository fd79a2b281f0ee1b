//! Certificates as properties: over every problem, parameter and estimator, the error observed is never larger than the bound
//! proved. The reference's own error and rounding are what its own bound says.

mod common;

use common::suited;
use danskin::certificate::{Basis, Certificate, Effort, Uncertified, Unproved};
use danskin::linear::{Factored, Hessian};
use danskin::prelude::*;
use danskin::testing::random;
use danskin::vector::{distance, norm};

/// Classes of losses that have them.
const CLASSES: usize = 3;

/// A problem, and an x that suits it.
struct Case {
    name: String,
    problem: Box<dyn AssembleHessian>,
    x: Vec<f64>,
}

/// What cases are made of.
struct Table<'a> {
    design: &'a Design,
    lambda: f64,
    seed: u64,
}

struct Cases<'a>(&'a Table<'a>, LossName);

impl LossVisitor for Cases<'_> {
    type Output = Vec<Case>;

    fn visit<L: NamedLoss>(self, loss: L) -> Vec<Case> {
        let Self(Table { design, lambda, seed }, name) = self;
        let (n, m, width) = (design.rows(), design.columns(), loss.width());
        let sized = random::vector(n * width, seed + 2).iter().map(|y| 3.0 * y).collect();
        let targets = suited(sized, L::TARGETS, width);
        let weights: Vec<f64> = random::vector(n, seed + 3).iter().map(|w| (1.0 + w).max(0.1) - 0.1).collect();
        let groups: Vec<u32> = (0..m as u32).map(|column| column % 3).collect();
        let lambdas = vec![*lambda, 3.0 * lambda, 20.0 * lambda];
        let mut cases = Vec::new();
        for wrt in Wrt::ALL {
            let plain = || Glm::new((*design).clone(), loss, *lambda).unwrap();
            let grouped = plain().grouped(lambdas.clone(), groups.clone()).unwrap();
            let elastic = plain().penalised_by(SmoothElastic::new(0.7, 0.1).unwrap());
            let weighted = plain().weighted(weights.clone()).unwrap();
            let all = plain().weighted(weights.clone()).unwrap().grouped(lambdas.clone(), groups.clone()).unwrap();
            let all = all.penalised_by(SmoothElastic::new(0.3, 0.2).unwrap());
            let boxed: [(&str, Box<dyn AssembleHessian>, Vec<f64>); 5] = [
                with("plain", plain(), wrt, &targets),
                with("weighted", weighted, wrt, &targets),
                with("grouped", grouped, wrt, &targets),
                with("elastic", elastic, wrt, &targets),
                with("all", all, wrt, &targets),
            ];
            cases.extend(boxed.into_iter().map(|(label, problem, x)| Case {
                name: format!("{name} {label}, {}, lambda {lambda:e}, seed {seed}", wrt.name()),
                problem,
                x,
            }));
        }
        cases
    }
}

fn with<'a, L: NamedLoss, R: Penalty + 'static>(
    label: &'a str,
    problem: Glm<L, R>,
    wrt: Wrt,
    targets: &[f64],
) -> (&'a str, Box<dyn AssembleHessian>, Vec<f64>) {
    let (problem, x) = problem.wrt(wrt, targets.to_vec()).unwrap();
    (label, Box::new(problem), x)
}

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
        assert_eq!(certificate.basis, Basis::Proved, "{name}");
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

/// z* to rounding, by Newton's method, with its gradient and how wrong that may be.
fn exact(case: &Case) -> Option<(Vec<f64>, f64)> {
    let problem = case.problem.as_ref();
    let newton = Newton::new(DenseCholesky::default());
    let solution = Solve::new(problem, &newton, &case.x).stop(Stop::tolerance(1e-15).within(100)).run().ok()?;
    let gradient = solution.gradient(&Certified::new(Implicit::new(DenseCholesky::default()))).ok()?;
    let bound = gradient.certificate.ok()?.bound;
    Some((gradient.value, bound))
}

fn check(case: &Case, steps: usize, tally: &mut [Tally; 4]) {
    let problem = case.problem.as_ref();
    let Some((exact, doubt)) = exact(case) else { panic!("{}: no reference", case.name) };
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
    let newton = Certified::new(Analytic).newton(DenseCholesky::default());
    let refined = solution.gradient(&newton).unwrap();
    tally[3].hold(&name("g1, Newton,"), &refined, &exact, doubt);
    // Near rounding, which of two points is better known is a matter of it.
    if let (Ok(plain), Ok(refined)) = (g1.certificate, refined.certificate) {
        assert!(refined.bound <= plain.bound + refined.parts.rounding, "{}: {refined:?} {plain:?}", case.name);
    }
}

#[test]
fn no_error_is_larger_than_its_bound() {
    let mut tally: [Tally; 4] = Default::default();
    for seed in 0..12 {
        let (n, m) = (2 + (seed as usize * 5) % 23, 1 + (seed as usize * 3) % 11);
        let design = random::design(n, m, 1 + seed as usize % m.min(5), seed);
        for lambda in [1e-2, 1.0, 30.0] {
            let table = Table { design: &design, lambda, seed };
            for name in LossName::all() {
                for case in name.visit(CLASSES, Cases(&table, name)).unwrap() {
                    check(&case, [0, 1, 4, 12][seed as usize % 4], &mut tally);
                }
            }
        }
    }
    for (tally, name) in tally.iter().zip(["g1", "g2", "g3", "g1 by Newton"]) {
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
            let table = Table { design: &design, lambda: factor * largest, seed };
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
        let table = Table { design: &design, lambda: largest, seed };
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

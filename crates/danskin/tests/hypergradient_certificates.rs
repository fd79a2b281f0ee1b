//! Certificates of gradients of f(z*(x), x), f other than L, as properties: the error observed is never larger than the bound proved.

mod common;

use std::collections::BTreeMap;

use common::cases::{CLASSES, Case, Cases, Table};
use common::suited;
use danskin::certificate::{Basis, Theorem, Uncertified, Unproved};
use danskin::prelude::*;
use danskin::testing::random;
use danskin::vector::{distance, dot};

type Outside<'a> = &'a dyn Outer<dyn AssembleHessian>;

/// How often a bound was held against an error, and how close the closest came.
#[derive(Default)]
struct Tally {
    held: usize,
    infinite: usize,
    sharpest: f64,
    ratios: Vec<f64>,
}

struct Check<'a> {
    tally: &'a mut BTreeMap<&'static str, Tally>,
}

impl Check<'_> {
    fn hold(&mut self, name: &'static str, context: &str, gradient: &Gradient, exact: &[f64], doubt: f64) {
        let tally = self.tally.entry(name).or_default();
        let certificate = match gradient.certificate {
            Ok(certificate) => certificate,
            // An exponential loss, far from z*.
            Err(Uncertified::Unproved(Unproved::Overflow)) => {
                tally.infinite += 1;
                return;
            }
            Err(reason) => panic!("{name}, {context}: {reason:?}"),
        };
        assert_eq!((certificate.basis, certificate.theorem), (Basis::Proved, Some(Theorem::Adjoint)));
        let error = distance(&gradient.value, exact);
        let parts = certificate.parts;
        assert!(error <= certificate.bound + doubt, "{name}, {context}: {error:e}, {doubt:e}: {certificate:?}");
        let sum = parts.reference + parts.iterate + parts.rounding;
        assert!((sum - certificate.bound).abs() <= 1e-12 * sum, "{certificate:?}");
        tally.held += 1;
        if error > 100.0 * doubt {
            tally.sharpest = tally.sharpest.max(error / certificate.bound);
            tally.ratios.push(certificate.bound / error);
        }
    }

    /// g2, g3 by a solve that is exact and by one that is not, and g3 with a Newton step for its bound.
    fn check(&mut self, case: &Case, label: &'static str, outer: Outside<'_>, steps: usize) {
        let problem = case.problem.as_ref();
        let newton = Newton::new(DenseCholesky::default());
        let minimum = Solve::new(problem, &newton, &case.x).stop(Stop::tolerance(1e-15).within(100)).run().unwrap();
        let dense = Implicit::new(DenseCholesky::default());
        let exact = minimum.gradient_of(outer, &Certified::new(dense)).unwrap();
        let Ok(at_minimum) = exact.certificate else { panic!("{}, {label}: {:?}", case.name, exact.certificate) };
        let solver = Backtracking::default();
        let solve = Solve::new(problem, &solver, &case.x).stop(Stop::steps(steps)).record(Tape::new());
        let solution = solve.run().unwrap();
        let context = format!("{label} of {} after {steps} steps", case.name);
        let mut hold = |name, gradient: Gradient| self.hold(name, &context, &gradient, &exact.value, at_minimum.bound);
        hold("g2", solution.gradient_of(outer, &Certified::new(Automatic)).unwrap());
        hold("g3", solution.gradient_of(outer, &Certified::new(dense)).unwrap());
        hold("g3 coarse", solution.gradient_of(outer, &Certified::new(Implicit::new(Cg::within(2)))).unwrap());
        let refined = Certified::new(dense).newton(DenseCholesky::default());
        hold("g3 and Newton", solution.gradient_of(outer, &refined).unwrap());
    }
}

/// L with another lambda, for each x; and a loss of other rows, with its targets.
struct Other<'a>(&'a Design, f64, u64, usize);

impl LossVisitor for Other<'_> {
    type Output = (Vec<Box<dyn AssembleHessian>>, Vec<f64>, Box<dyn AssembleHessian>);

    fn visit<L: NamedLoss>(self, loss: L) -> Self::Output {
        let Self(design, lambda, seed, held_out) = self;
        let width = loss.width();
        let suit = |n: usize, seed| suited(random::vector(n * width, seed), L::TARGETS, width);
        let targets = suit(design.rows(), seed);
        let others = Wrt::ALL.iter().map(|&wrt| {
            let problem = Glm::new(design.clone(), loss, lambda).unwrap();
            Box::new(problem.wrt(wrt, targets.clone()).unwrap().0) as Box<dyn AssembleHessian>
        });
        let others = others.collect();
        let rows = random::design(held_out, design.columns(), 1 + seed as usize % design.columns().min(4), seed + 90);
        (others, suit(held_out, seed + 91), Box::new(Glm::new(rows, loss, 0.0).unwrap()))
    }
}

#[test]
fn no_error_is_larger_than_its_bound() {
    let mut tally = BTreeMap::new();
    let mut check = Check { tally: &mut tally };
    for seed in 0..8 {
        let (n, m) = (2 + (seed as usize * 5) % 23, 1 + (seed as usize * 3) % 11);
        let design = random::design(n, m, 1 + seed as usize % m.min(5), seed);
        for lambda in [1e-2, 1.0, 30.0] {
            let table = Table { design: &design, lambda, seed, labels: &[] };
            for name in LossName::all() {
                let other = Other(&design, 2.0 * lambda, seed + 40, 3 + seed as usize);
                let (others, targets, held_out) = name.visit(CLASSES, other).unwrap();
                for (k, case) in name.visit(CLASSES, Cases(&table, name)).unwrap().iter().enumerate() {
                    let m = case.problem.latent_len();
                    let linear = Linear(random::vector(m, seed + 60));
                    let validation = HeldOut::new(held_out.as_ref(), &targets).unwrap();
                    let discrepancy = Discrepancy::new(others[k / 5].as_ref());
                    let steps = [0, 1, 4, 12, 200][seed as usize % 5];
                    check.check(case, "linear", &linear, steps);
                    check.check(case, "held out", &validation, steps);
                    if k % 5 == 0 {
                        check.check(case, "discrepancy", &discrepancy, steps);
                    }
                }
            }
        }
    }
    for (name, tally) in &mut tally {
        tally.ratios.sort_by(f64::total_cmp);
        let median = tally.ratios[tally.ratios.len() / 2];
        println!(
            "{name}: {} held, {} infinite, sharpest {:.4}, median {median:.2} of {}",
            tally.held,
            tally.infinite,
            tally.sharpest,
            tally.ratios.len()
        );
        assert!(tally.infinite * 10 < tally.held, "{name}");
    }
}

/// Of one row and one column, with lambda of the size of its square, each piece of the bound is nearly attained: a constant that is too small would be seen.
#[test]
fn bounds_are_nearly_attained() {
    let mut sharpest: BTreeMap<&str, f64> = BTreeMap::new();
    for seed in 0..200 {
        let design = Design::dense(1, 1, random::vector(1, seed + 50)).unwrap();
        let square = design.row_squares()[0];
        for factor in [0.05, 0.3, 1.0, 5.0] {
            let table = Table { design: &design, lambda: factor * square, seed, labels: &[] };
            for name in LossName::all() {
                for (k, case) in name.visit(CLASSES, Cases(&table, name)).unwrap().iter().enumerate() {
                    let (problem, m) = (case.problem.as_ref(), case.problem.latent_len());
                    let newton = Newton::new(DenseCholesky::default());
                    let stop = Stop::tolerance(1e-15).within(100);
                    let minimum = Solve::new(problem, &newton, &case.x).stop(stop).run().unwrap();
                    let (outer, dense) = (Linear(random::vector(m, seed)), Implicit::new(DenseCholesky::default()));
                    let exact = minimum.gradient_of(&outer, &Certified::new(dense)).unwrap();
                    let doubt = exact.certificate.unwrap().bound;
                    let near: Vec<f64> = minimum.z().iter().map(|z| z + 1e-4 * (1.0 + z.abs())).collect();
                    let solve = Solve::new(problem, &newton, &case.x).from(&near).stop(Stop::steps(0));
                    let found = solve.run().unwrap().gradient_of(&outer, &Certified::new(dense)).unwrap();
                    let Ok(certificate) = found.certificate else { continue };
                    let error = distance(&found.value, &exact.value);
                    assert!(error <= certificate.bound + doubt, "{}: {error:e} {certificate:?}", case.name);
                    if error > 1e3 * doubt {
                        let sharp = sharpest.entry(Wrt::ALL[k / 5].name()).or_default();
                        *sharp = sharp.max(error / certificate.bound);
                    }
                }
            }
        }
    }
    println!("{sharpest:?}");
    // Of the entries of D, three terms that need not be largest at once are added up.
    for (wrt, least) in [("targets", 0.999), ("weights", 0.999), ("regularisation", 0.999), ("design", 0.75)] {
        assert!(sharpest[wrt] > least, "{wrt}: {sharpest:?}");
    }
}

/// f(z, x) = 1/2 ‖z‖², which says nothing of how it changes.
struct Silent;

impl<P: ?Sized> Outer<P> for Silent {
    fn value(&self, _: &P, at: Point<'_>, _: &mut Ctx) -> f64 {
        0.5 * dot(at.z, at.z)
    }

    fn grad_z(&self, _: &P, at: Point<'_>, out: &mut [f64], _: &mut Ctx) {
        out.copy_from_slice(at.z);
    }

    fn grad_x(&self, _: &P, _: Point<'_>, _: f64, _: &mut [f64], _: &mut Ctx) {}
}

#[test]
fn what_is_not_proved_has_its_reason_or_is_estimated() {
    let (mut estimated, dense) = (0, Implicit::new(DenseCholesky::default()));
    for seed in 0..30 {
        let (design, x) = (random::design(40, 5, 3, seed), random::labels(40, seed + 1));
        let (linear, mut weights) = (Linear(random::vector(5, 3)), vec![1.0; 40]);
        let free = Glm::new(design.clone(), Logistic, 0.0).unwrap();
        let problem = Glm::new(design.clone(), Logistic, 0.5).unwrap();
        let unproved = |reason| Err(Uncertified::Unproved(reason));
        for (problem, outer, reason) in [
            (&problem, &Silent as &dyn Outer<Glm<Logistic>>, Unproved::Outer),
            (&free, &linear, Unproved::NotStronglyConvex { column: 0 }),
        ] {
            let newton = Newton::new(DenseCholesky::default());
            let minimum = Solve::new(problem, &newton, &x).stop(Stop::tolerance(1e-15).within(100)).run().unwrap();
            let exact = minimum.gradient_of(outer, &dense).unwrap().value;
            let solver = GradientDescent::default();
            let solution = Solve::new(problem, &solver, &x).stop(Stop::steps(20)).record(Tape::new()).run().unwrap();
            assert_eq!(solution.gradient_of(outer, &Certified::new(Automatic)).unwrap().certificate, unproved(reason));
            for gradient in [
                solution.gradient_of(outer, &Certified::new(dense).newton(DenseCholesky::default())).unwrap(),
                solution.gradient_of(outer, &Certified::new(Automatic).newton(DenseCholesky::default())).unwrap(),
            ] {
                let error = distance(&gradient.value, &exact);
                match gradient.certificate {
                    Ok(certificate) => {
                        assert_eq!((certificate.basis, certificate.theorem), (Basis::Estimated, None));
                        assert!(error <= certificate.bound + 1e-12, "{seed}: {error:e} {certificate:?}");
                        estimated += 1;
                    }
                    other => assert_eq!(other, unproved(reason)),
                }
            }
        }
        let solver = GradientDescent::default();
        let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(5));
        let forward = solve.record(Tangents::full()).run().unwrap();
        let found = forward.gradient_of(&linear, &Certified::new(Forward)).unwrap();
        assert_eq!(found.certificate, Err(Uncertified::NoAdjoint));
        // A weight that is negative leaves nothing to be said of the held-out loss.
        let (held_out, _) = Glm::new(design, Logistic, 0.0).unwrap().wrt(Wrt::Weights, x.clone()).unwrap();
        weights[3] = -1.0;
        let outer = HeldOut::new(&held_out, &weights).unwrap();
        let plain = Solve::new(&problem, &solver, &x).stop(Stop::steps(5)).run().unwrap();
        assert_eq!(plain.gradient_of(&outer, &Certified::new(dense)).unwrap().certificate, unproved(Unproved::Outer));
    }
    assert!(estimated > 60, "{estimated}");
}

/// A pass for the bound at z_T; the Newton step, its adjoint and the bound there are what was asked for beside.
#[test]
fn a_certificate_takes_a_pass() {
    let (design, y) = (random::design(40, 6, 3, 1), random::vector(40, 2));
    for wrt in Wrt::ALL {
        let (problem, x) = Glm::new(design.clone(), Squared, 0.5).unwrap().wrt(wrt, y.clone()).unwrap();
        let solver = Backtracking::default();
        let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(5)).run().unwrap();
        let outer = Linear(vec![1.0; 6]);
        let certified = solution.gradient_of(&outer, &Certified::new(Implicit::new(Cg::default()))).unwrap();
        let expected = match wrt {
            Wrt::Design => 7,
            _ => 1,
        };
        assert_eq!(certified.certificate.unwrap().cost.passes, expected, "{wrt:?}");
    }
}

/// Squares that vanish: of D, of lambda, of the adjoint. Each of these was once a bound of 0.
#[test]
fn bounds_do_not_vanish_before_what_they_bound() {
    for (d, lambda, z, grouped) in [
        (1e-100, 1e130, 1e92, false),
        (1e-163, 1e20, 1e155, false),
        (1e-170, 1e-200, 1e168, true),
        (1e-170, 1e-300, 1e165, true),
        (1.0, 1e3, 0.3, false),
        (1.0, 1e150, 1e-3, false),
    ] {
        for (wrt, size) in Wrt::ALL.into_iter().flat_map(|wrt| [1e-160, 1.0, 1e120].map(|size| (wrt, size))) {
            let problem = Glm::new(Design::dense(1, 1, vec![d]).unwrap(), Logistic, lambda).unwrap();
            let problem = if grouped { problem.grouped(vec![lambda], vec![0]).unwrap() } else { problem };
            let Ok((problem, x)) = problem.wrt(wrt, vec![1.0]) else { continue };
            let (outer, dense) = (Linear(vec![size]), Implicit::new(DenseCholesky::default()));
            let newton = Newton::new(DenseCholesky::default());
            let minimum = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-15).within(100)).run().unwrap();
            let start = vec![z];
            let far = Solve::new(&problem, &newton, &x).from(&start).stop(Stop::steps(0)).run().unwrap();
            let envelope = [&minimum, &far].map(|at| at.gradient(&Certified::new(Analytic)));
            let hyper = [&minimum, &far].map(|at| at.gradient_of(&outer, &Certified::new(dense)));
            for [exact, found] in [envelope, hyper] {
                let (Ok(exact), Ok(found)) = (exact, found) else { continue };
                let (Ok(doubt), Ok(certificate)) = (exact.certificate, found.certificate) else { continue };
                let error = distance(&found.value, &exact.value);
                let bound = certificate.bound + doubt.bound;
                assert!(error <= bound, "{d:e} {lambda:e} {z:e} {wrt:?} {size:e}: {error:e} {certificate:?} {doubt:?}");
            }
        }
    }
}

/// A held-out loss that overflows within the distance of z* is not one of which nothing is known: there is no bound, and no estimate.
#[test]
fn a_held_out_loss_that_overflows_has_no_bound() {
    let design = Design::dense(2, 1, vec![0.87, 0.259]).unwrap();
    let (problem, w) = Glm::new(design, Gamma, 3.3).unwrap().wrt(Wrt::Weights, vec![416_218.9, 0.986]).unwrap();
    let held_out = Glm::new(Design::dense(1, 1, vec![-0.32]).unwrap(), Gamma, 0.0).unwrap();
    let outer = HeldOut::new(&held_out, &[416_218.9]).unwrap();
    let solver = Backtracking::default();
    let solution = Solve::new(&problem, &solver, &w).stop(Stop::steps(1)).run().unwrap();
    let certified = Certified::new(Implicit::new(DenseCholesky::default())).newton(DenseCholesky::default());
    let found = solution.gradient_of(&outer, &certified).unwrap().certificate;
    assert_eq!(found, Err(Uncertified::Unproved(Unproved::Overflow)));
}

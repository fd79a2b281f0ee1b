//! The verifier finds a wrong product and names it: each product in turn is made wrong, also where more than (z, x) is
//! known.

mod common;

use std::ops::ControlFlow;

use common::suited;
use danskin::ctx::Ctx;
use danskin::design::Matrix;
use danskin::prelude::*;
use danskin::testing::{
    Differences, EstimatorMismatch, Mismatch, check_estimators, check_estimators_by, check_estimators_from,
    check_hessian, check_problem, check_problem_by, check_rule, check_rule_by, check_rule_from, random,
};

/// A problem with one product scaled by 1.0001, or wrong in another way.
struct Wrong<P> {
    right: P,
    product: &'static str,
}

impl<P> Wrong<P> {
    fn is(&self, product: &str) -> bool {
        self.product == product
    }

    /// 1.0001 where `product` is the wrong one: always, with a memo, with grad_z, or with the memo alone.
    fn factor(&self, product: &str, at: Point<'_>) -> f64 {
        let wrong = match self.product.strip_prefix(product) {
            Some("") => true,
            Some(" with memo") => !at.memo.is_empty(),
            Some(" with grad_z") => !at.grad_z.is_empty(),
            Some(" alone") => at.z.is_empty(),
            _ => false,
        };
        if wrong { 1.0001 } else { 1.0 }
    }
}

fn scale(factor: f64, out: &mut [f64]) {
    out.iter_mut().for_each(|v| *v *= factor);
}

impl<P: Problem> Objective for Wrong<P> {
    fn dims(&self) -> (usize, usize) {
        self.right.dims()
    }

    fn memo_len(&self) -> usize {
        self.right.memo_len()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let term = if self.is("value in z only") { 1e-3 * at.z[0] * at.z[0] } else { 0.0 };
        self.factor("value", at) * self.right.value(at, ctx) + term
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        self.right.grad_z(z, x, out, memo, ctx);
        scale(self.factor("grad_z", Point { memo, ..Point::new(z, x) }), out);
        scale(self.factor("memo", Point::new(z, x)), memo);
        if self.is("grad_z by a constant") {
            out[0] += 1e-3;
        }
        if self.is("grad_z negated") {
            scale(-1.0, out);
        }
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        if self.is("grad_x overwrites") {
            out.fill(0.0);
        }
        self.right.grad_x(at, scale * self.factor("grad_x", at), out, ctx);
        if self.is("grad_x by a constant") {
            out[0] += 1e-3 * scale;
        }
    }
}

impl<P: Problem> Problem for Wrong<P> {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.right.hess(at, v, out, ctx);
        scale(self.factor("hess", at), out);
        if self.is("hess asymmetric") {
            out[0] += 1e-9 * v[1];
        }
    }

    fn hess_columns(&self, at: Point<'_>, columns: usize, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.right.hess_columns(at, columns, v, out, ctx);
        scale(self.factor("hess_columns", at), out);
        if self.is("hess_columns mixed up") {
            out.swap(0, 1);
        }
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        let scale = if self.is("cross ignores scale") { 1.0 } else { scale };
        self.right.cross(at, v, scale * self.factor("cross", at), out, ctx);
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let before = out.to_vec();
        self.right.cross_t(at, w, out, ctx);
        scale(self.factor("cross_t", at), out);
        if self.is("cross_t accumulates") {
            out.iter_mut().zip(before).for_each(|(out, before)| *out += before);
        }
    }

    fn hess_cross(
        &self,
        at: Point<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale_x: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        self.right.hess_cross(at, v, hess_out, scale_x * self.factor("hess_cross in x", at), cross_out, ctx);
        scale(self.factor("hess_cross in z", at), hess_out);
    }

    fn grad_z_tangent(&self, at: Point<'_>, dz: &[f64], dx: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.right.grad_z_tangent(at, dz, dx, out, ctx);
        scale(self.factor("grad_z_tangent", at), out);
    }

    fn memo_replaces_latent(&self) -> bool {
        self.is("memo_replaces_latent") || self.right.memo_replaces_latent()
    }

    fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        let factor = if self.factor("smoothness", at) > 1.0 { 0.01 } else { 1.0 };
        self.right.smoothness(at, ctx).map(|smoothness| factor * smoothness)
    }

    fn strong_convexity(&self, x: &[f64]) -> f64 {
        self.right.strong_convexity(x) * if self.is("strong_convexity") { 1000.0 } else { 1.0 }
    }

    fn falls_along(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<Vec<f64>> {
        if self.is("falls_along") { Some(at.z.to_vec()) } else { self.right.falls_along(at, ctx) }
    }

    fn flat_along(&self) -> Option<Vec<f64>> {
        if self.is("flat_along") { Some(vec![1.0; self.latent_len()]) } else { self.right.flat_along() }
    }

    fn hessian_rank_bound(&self) -> usize {
        if self.is("hessian_rank_bound") { 2 } else { self.right.hessian_rank_bound() }
    }
}

impl<P: AssembleHessian> AssembleHessian for Wrong<P> {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        self.right.assemble_hessian(at, out, ctx);
        scale(self.factor("assemble_hessian", at), out);
    }

    fn unit(&self) -> usize {
        self.right.unit()
    }

    fn assemble_blocks(&self, at: Point<'_>, size: usize, out: &mut [f64], ctx: &mut Ctx) {
        self.right.assemble_blocks(at, size, out, ctx);
        scale(self.factor("assemble_blocks", at), out);
    }

    fn assemble_diagonal(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        self.right.assemble_diagonal(at, out, ctx);
        scale(self.factor("assemble_diagonal", at), out);
    }

    fn as_gram(&self) -> Option<&dyn GramHessian> {
        self.right.as_gram().map(|_| self as &dyn GramHessian)
    }

    fn work(&self) -> Work {
        self.right.work()
    }
}

impl<P: AssembleHessian> GramHessian for Wrong<P> {
    fn matrix<'a>(&'a self, x: &'a [f64]) -> Matrix<'a> {
        self.right.as_gram().expect("asked of a Gram form alone").matrix(x)
    }

    fn curvatures(&self, at: Point<'_>, s: &mut [f64], q: &mut [f64], ctx: &mut Ctx) {
        self.right.as_gram().expect("asked of a Gram form alone").curvatures(at, s, q, ctx);
        scale(self.factor("curvatures", at), s);
    }
}

/// What is made wrong, and what must be named.
const FAULTS: &[(&str, &str)] = &[
    ("none", ""),
    ("value", "value"),
    ("value in z only", "value"),
    ("value with memo", "value"),
    ("value with grad_z", "value"),
    ("grad_z", "grad_z"),
    ("grad_z by a constant", "grad_z"),
    ("grad_z negated", "grad_z"),
    ("grad_z with memo", "grad_z"),
    ("memo", "memo"),
    ("grad_x", "grad_x"),
    ("grad_x by a constant", "grad_x"),
    ("grad_x overwrites", "grad_x"),
    ("grad_x with memo", "grad_x"),
    ("grad_x with grad_z", "grad_x"),
    ("hess", "hess"),
    ("hess asymmetric", "hess"),
    ("hess with memo", "hess"),
    ("hess with grad_z", "hess"),
    ("hess alone", "hess"),
    ("cross", "cross"),
    ("cross ignores scale", "cross"),
    ("cross with memo", "cross"),
    ("cross alone", "cross"),
    ("cross_t", "cross_t"),
    ("cross_t accumulates", "cross_t"),
    ("cross_t with memo", "cross_t"),
    ("cross_t alone", "cross_t"),
    ("hess_columns", "hess_columns"),
    ("hess_columns with memo", "hess_columns"),
    ("hess_columns with grad_z", "hess_columns"),
    ("hess_columns alone", "hess_columns"),
    ("hess_columns mixed up", "hess_columns"),
    ("hess_cross in z", "hess_cross"),
    ("hess_cross in z with memo", "hess_cross"),
    ("hess_cross in z alone", "hess_cross"),
    ("hess_cross in x", "hess_cross"),
    ("hess_cross in x with memo", "hess_cross"),
    ("hess_cross in x with grad_z", "hess_cross"),
    ("hess_cross in x alone", "hess_cross"),
    ("grad_z_tangent", "grad_z_tangent"),
    ("grad_z_tangent with memo", "grad_z_tangent"),
    ("grad_z_tangent alone", "grad_z_tangent"),
    ("memo_replaces_latent", "memo_replaces_latent"),
    ("smoothness", "smoothness"),
    ("smoothness with memo", "smoothness"),
    ("strong_convexity", "strong_convexity"),
    ("falls_along", "falls_along"),
    ("flat_along", "flat_along"),
    ("hessian_rank_bound", "hessian_rank_bound"),
    ("assemble_hessian", "assemble_hessian"),
    ("assemble_hessian with memo", "assemble_hessian"),
    ("assemble_hessian with grad_z", "assemble_hessian"),
    ("assemble_blocks", "assemble_blocks"),
    ("assemble_blocks with memo", "assemble_blocks"),
    ("assemble_diagonal", "assemble_diagonal"),
    ("assemble_diagonal with memo", "assemble_diagonal"),
    ("curvatures", "curvatures"),
    ("curvatures with memo", "curvatures"),
];

fn found<P: AssembleHessian>(problem: &P, x: &[f64]) -> Result<(), Mismatch> {
    let z = random::vector(problem.latent_len(), 1);
    check_problem(problem, &z, x).and_then(|()| check_hessian(problem, &z, x))
}

/// With more rows than columns, and with fewer, where tapes keep the memo alone.
const SHAPES: [(usize, usize); 2] = [(15, 7), (7, 15)];

#[test]
fn each_wrong_product_is_named() {
    for (n, m) in SHAPES {
        for wrt in Wrt::ALL {
            for &(product, named) in FAULTS {
                let groups = (0..m as u32).map(|column| column % 3).collect();
                let right = Glm::new(random::design(n, m, 3, 3), Logistic, 0.1).unwrap();
                let right = right.grouped(vec![0.1, 0.2, 0.3], groups).unwrap();
                let (right, x) = right.wrt(wrt, random::labels(n, 2)).unwrap();
                let replaces = right.memo_replaces_latent();
                // Right after all: nobody calls with the memo alone where that is not enough, and it is enough.
                let harmless = if replaces { product == "memo_replaces_latent" } else { product.ends_with(" alone") };
                let what = format!("{product}, {}, {n} x {m}", wrt.name());
                match found(&Wrong { right, product }, &x) {
                    Ok(()) => assert!(named.is_empty() || harmless, "{what}: not found"),
                    Err(mismatch) => assert_eq!(mismatch.product, named, "{what}: {mismatch}"),
                }
            }
        }
    }
}

/// L = sum_i x_i (e^{z_i} - z_i) + ‖z‖²/2 as somebody writes it who keeps no memo and states no bound.
struct Plain {
    wrong: bool,
}

impl Objective for Plain {
    fn dims(&self) -> (usize, usize) {
        (3, 3)
    }

    fn value(&self, at: Point<'_>, _: &mut Ctx) -> f64 {
        let factor = if self.wrong { 1.0001 } else { 1.0 };
        factor * at.z.iter().zip(at.x).map(|(z, x)| x * (z.exp() - z) + z * z / 2.0).sum::<f64>()
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], _: &mut Ctx) {
        out.iter_mut().zip(z.iter().zip(x)).for_each(|(out, (z, x))| *out = x * (z.exp() - 1.0) + z);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        out.iter_mut().zip(at.z).for_each(|(out, z)| *out += scale * (z.exp() - z));
    }
}

impl Problem for Plain {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], _: &mut Ctx) {
        (0..3).for_each(|i| out[i] = (at.x[i] * at.z[i].exp() + 1.0) * v[i]);
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], _: &mut Ctx) {
        (0..3).for_each(|i| out[i] += scale * (at.z[i].exp() - 1.0) * v[i]);
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], _: &mut Ctx) {
        (0..3).for_each(|i| out[i] = (at.z[i].exp() - 1.0) * w[i]);
    }
}

#[test]
fn a_wrong_value_is_told_from_wrong_gradients() {
    let (z, x) = (random::vector(3, 1), vec![1.0, 2.0, 0.5]);
    check_problem(&Plain { wrong: false }, &z, &x).unwrap();
    let mismatch = check_problem(&Plain { wrong: true }, &z, &x).unwrap_err();
    assert_eq!((mismatch.product, mismatch.against), ("value", "grad_z and grad_x, which agree with one another"));
}

#[test]
fn each_wrong_estimator_is_named() {
    let x = random::labels(15, 2);
    for (product, named) in [
        ("none", ""),
        ("grad_x", "analytic"),
        ("cross", "implicit"),
        ("hess_cross in x", "automatic (reverse)"),
        ("hess_cross in z", "automatic (reverse)"),
        ("grad_z_tangent", "automatic (forward)"),
    ] {
        let right = Glm::new(random::design(15, 7, 3, 3), Logistic, 0.1).unwrap();
        match check_estimators(&Wrong { right, product }, &x) {
            Ok(()) => assert_eq!(named, "", "{product} was not found"),
            Err(EstimatorMismatch::Differs { estimator, .. }) => assert_eq!(estimator, named, "{product}"),
            Err(error) => panic!("{product}: {error}"),
        }
    }
}

#[test]
fn a_search_for_a_minimum_may_be_ended() {
    let (x, initial) = (random::labels(15, 2), random::vector(7, 1));
    let found = |product| {
        let right = Glm::new(random::design(15, 7, 3, 3), Logistic, 0.1).unwrap();
        let mut ctx = Ctx::watched(Box::new(|_| ControlFlow::Break(())));
        check_estimators_from(Differences::SMOOTH, &Wrong { right, product }, &x, &initial, &mut ctx).unwrap_err()
    };
    let ended = found("none");
    assert!(matches!(ended, EstimatorMismatch::Interrupted { .. }) && !ended.accuses(), "{ended}");
    // g2 needs no minimum.
    let wrong = found("hess_cross in z");
    assert!(wrong.accuses() && wrong.to_string().starts_with("automatic (reverse)"), "{wrong}");
}

#[test]
fn kinks_at_the_start_and_narrow_penalties_pass() {
    // At z = 0 every label is at a kink.
    let problem = Glm::new(random::design(15, 7, 3, 3), Huber::new(1.0).unwrap(), 0.1).unwrap();
    let (x, z, solver) = (random::labels(15, 2), random::vector(7, 1), GradientDescent::new(StepSize::Fixed(0.1)));
    check_rule_by(Differences::KINKS, &problem, &solver, &x, 3).unwrap_err();
    check_rule_from(Differences::KINKS, &problem, &solver, &x, &z, 3).unwrap();
    for width in [1e-2, 1e-3, 1e-4] {
        let penalty = SmoothElastic::new(1.0, width).unwrap();
        let problem = Glm::new(random::design(15, 70, 3, 3), Logistic, 1.0).unwrap().penalised_by(penalty);
        check_problem(&problem, &random::vector(70, 1), &x).unwrap();
    }
    // log lambda is 1e-9, whose size says nothing.
    let problem = Glm::new(random::design(15, 7, 3, 3), Logistic, 1.0 + 1e-9).unwrap();
    let (problem, x) = problem.wrt(Wrt::Regularisation, x).unwrap();
    check_problem(&problem, &z, &x).unwrap();
    check_rule(&problem, &solver, &x, 3).unwrap();
    check_estimators(&problem, &x).unwrap();
}

#[test]
fn every_loss_and_parameter_passes() {
    struct Passes(LossName);

    impl LossVisitor for Passes {
        type Output = ();

        fn visit<L: NamedLoss>(self, loss: L) {
            let smooth = loss.regularity() <= Regularity::Smooth;
            let differences = if smooth { Differences::SMOOTH } else { Differences::KINKS };
            let (design, width) = (random::design(15, 7, 3, 3), loss.width());
            let y = random::vector(15 * width, 2).iter().map(|y| y + y.signum()).collect();
            let y = suited(y, L::TARGETS, width);
            for wrt in Wrt::ALL {
                let what = format!("{}, {}", self.0, wrt.name());
                let problem = Glm::new(design.clone(), loss, 0.1).unwrap();
                let (problem, x) = problem.wrt(wrt, y.clone()).unwrap();
                let z = random::vector(problem.latent_len(), 1);
                check_problem_by(differences, &problem, &z, &x).unwrap_or_else(|error| panic!("{what}: {error}"));
                check_hessian(&problem, &z, &x).unwrap_or_else(|error| panic!("{what}: {error}"));
                check_estimators_by(differences, &problem, &x).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
        }
    }

    for name in LossName::all() {
        name.visit(3, Passes(name)).unwrap();
    }
}

#[test]
fn what_has_no_minimum_cannot_be_compared() {
    // Each row under its own label alone: separable.
    let problem = Glm::new(Design::dense(2, 1, vec![1.0, -1.0]).unwrap(), Logistic, 0.0).unwrap();
    let error = check_estimators(&problem, &[1.0, -1.0]).unwrap_err();
    assert_eq!(error, EstimatorMismatch::NoMinimum);
}

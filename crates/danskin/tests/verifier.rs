//! The verifier finds a wrong product and names it: each product in turn is made wrong by a part in 10,000.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::testing::{EstimatorMismatch, check_estimators, check_hessian, check_problem, random};

/// A problem with one product scaled by 1.0001.
struct Wrong<P> {
    right: P,
    product: &'static str,
}

impl<P> Wrong<P> {
    fn factor(&self, product: &'static str) -> f64 {
        if product == self.product { 1.0001 } else { 1.0 }
    }

    fn scale(&self, product: &'static str, out: &mut [f64]) {
        out.iter_mut().for_each(|v| *v *= self.factor(product));
    }
}

impl<P: Problem> Objective for Wrong<P> {
    fn dims(&self) -> (usize, usize) {
        self.right.dims()
    }

    fn memo_len(&self) -> usize {
        self.right.memo_len()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        self.right.value(at, ctx)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        self.right.grad_z(z, x, out, memo, ctx);
        self.scale("grad_z", out);
        self.scale("memo", memo);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        if self.product == "grad_x overwrites" {
            out.fill(0.0);
        }
        self.right.grad_x(at, scale * self.factor("grad_x"), out, ctx);
    }
}

impl<P: Problem> Problem for Wrong<P> {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.right.hess(at, v, out, ctx);
        self.scale("hess", out);
        if self.product == "hess asymmetric" {
            out[0] += 1e-9 * v[1];
        }
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        let scale = if self.product == "cross ignores scale" { 1.0 } else { scale };
        self.right.cross(at, v, scale * self.factor("cross"), out, ctx);
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let before = out.to_vec();
        self.right.cross_t(at, w, out, ctx);
        self.scale("cross_t", out);
        if self.product == "cross_t accumulates" {
            out.iter_mut().zip(before).for_each(|(out, before)| *out += before);
        }
    }

    fn hess_cross(
        &self,
        at: Point<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        self.right.hess_cross(at, v, hess_out, scale * self.factor("hess_cross"), cross_out, ctx);
    }

    fn grad_z_tangent(&self, at: Point<'_>, dz: &[f64], dx: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.right.grad_z_tangent(at, dz, dx, out, ctx);
        self.scale("grad_z_tangent", out);
    }

    fn memo_replaces_latent(&self) -> bool {
        self.right.memo_replaces_latent()
    }
}

impl<P: AssembleHessian> AssembleHessian for Wrong<P> {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        self.right.assemble_hessian(at, out, ctx);
        self.scale("assemble_hessian", out);
    }

    fn work(&self) -> Work {
        self.right.work()
    }
}

#[test]
fn each_wrong_product_is_named() {
    let (z, x) = (random::vector(7, 1), random::labels(15, 2));
    for (product, named) in [
        ("grad_z", "grad_z"),
        ("grad_x", "grad_x"),
        ("grad_x overwrites", "grad_x"),
        ("hess", "hess"),
        ("hess asymmetric", "hess"),
        ("cross", "cross"),
        ("cross ignores scale", "cross"),
        ("cross_t", "cross_t"),
        ("cross_t accumulates", "cross_t"),
        ("hess_cross", "hess_cross"),
        ("grad_z_tangent", "grad_z_tangent"),
        ("memo", "value"),
        ("assemble_hessian", "assemble_hessian"),
        ("none", ""),
    ] {
        let right = Glm::new(random::design(15, 7, 3, 3), Logistic, 0.1).unwrap();
        let problem = Wrong { right, product };
        let found = check_problem(&problem, &z, &x).and_then(|()| check_hessian(&problem, &z, &x));
        match found {
            Ok(()) => assert_eq!(named, "", "{product} was not found"),
            Err(mismatch) => assert_eq!(mismatch.product, named, "{product}: {mismatch}"),
        }
    }
}

#[test]
fn each_wrong_estimator_is_named() {
    let x = random::labels(15, 2);
    for (product, named) in [
        ("none", ""),
        ("grad_x", "analytic"),
        ("cross", "implicit"),
        ("hess_cross", "automatic (reverse)"),
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
fn every_loss_and_parameter_passes() {
    fn passes<L: RowLoss + Copy>(loss: L, targets: &[f64]) {
        for wrt in Wrt::ALL {
            let problem = Glm::new(random::design(15, 7, 3, 3), loss, 0.1).unwrap();
            let (problem, x) = problem.wrt(wrt, targets.to_vec()).unwrap();
            check_estimators(&problem, &x).unwrap_or_else(|error| panic!("{}: {error}", wrt.name()));
        }
    }
    let counts: Vec<f64> = (0..15).map(|i| f64::from(i % 4)).collect();
    passes(Squared, &counts);
    passes(Logistic, &random::labels(15, 2));
    passes(Power::new(4.0).unwrap(), &counts);
    passes(Poisson, &counts);
    let classes = Multinomial::new(3).unwrap();
    passes(classes, &classes.targets(&(0..15).map(|i| i % 3).collect::<Vec<_>>()));
}

#[test]
fn what_has_no_minimum_cannot_be_compared() {
    // Each row under its own label alone: separable.
    let problem = Glm::new(Design::dense(2, 1, vec![1.0, -1.0]).unwrap(), Logistic, 0.0).unwrap();
    let error = check_estimators(&problem, &[1.0, -1.0]).unwrap_err();
    assert_eq!(error, EstimatorMismatch::NoMinimum);
}

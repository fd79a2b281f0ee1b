//! Certificates of composite problems, by the duality gap.
//!
//! At any z', the gap bounds the error of g1; any other gradient g is certified through such a point, ‖g - g1(z')‖ + B1(z'): z_T, and z_T - v where v is the solution of
//! the linear system of g3, which is z* itself where F is quadratic and the support is that of z*.

use super::certified::apart;
use super::{Certificate, Reference, Uncertified};
use crate::ctx::{Ctx, bytes_of};
use crate::estimator::{EstimateError, Estimator, Gradient};
use crate::outer::Outer;
use crate::problem::Objective;
use crate::problem::Point;
use crate::problem::composite::Composite;
use crate::solve::{Recorder, Solution};
use crate::solver::Solver;

/// The estimator `E` of a composite problem, its gradients of l certified by the gap at z_T and, for g3, at z_T - v: a pass for each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ByGap<E>(pub E);

impl<P, S, R, F, E> Estimator<P, S, R, F> for ByGap<E>
where
    P: Composite + ?Sized,
    S: Solver<P>,
    R: Recorder<P, S>,
    F: Outer<P> + ?Sized,
    E: Estimator<P, S, R, F>,
{
    fn estimate(&self, solution: &Solution<'_, P, S, R>, outer: &F, ctx: &mut Ctx) -> Result<Gradient, EstimateError> {
        let mut gradient = self.0.estimate(solution, outer, ctx)?;
        if outer.is_envelope() && gradient.value.len() == solution.problem().parameter_len() {
            gradient.certificate = certify(&gradient, solution.problem(), solution.point(), ctx);
        } else if !outer.is_envelope() {
            gradient.certificate = Err(Uncertified::Unproved(super::Unproved::Outer));
        }
        Ok(gradient)
    }
}

fn certify<P: Composite + ?Sized>(
    gradient: &Gradient,
    problem: &P,
    at: Point<'_>,
    ctx: &mut Ctx,
) -> Result<Certificate, Uncertified> {
    let mark = ctx.mark();
    let mut points = vec![(Reference::Iterate, at.z.to_vec())];
    if let (Some(v), Some(_)) = (&gradient.adjoint, gradient.linear) {
        let mut z: Vec<f64> = at.z.iter().zip(v).map(|(z, v)| z - v).collect();
        // A support that is not that of z* may lead out of where R is finite.
        problem.prox(0.0, at.x, &mut z);
        points.push((Reference::Improved, z));
    }
    let (mut best, mut reason) = (None::<Certificate>, None);
    for (reference, z) in points {
        let (mut slope, mut memo) = (vec![0.0; z.len()], vec![0.0; problem.memo_len()]);
        problem.smooth().grad_z(&z, at.x, &mut slope, &mut memo, ctx);
        let known = Point { z: &z, x: at.x, memo: &memo, grad_z: &slope };
        match problem.bound_by_gap(known) {
            Ok(bound) => {
                let mut g1 = vec![0.0; gradient.value.len()];
                problem.grad_x(Point { grad_z: &[], ..known }, 1.0, &mut g1, ctx);
                let found = Certificate::proved(reference, apart(&gradient.value, &g1), bound);
                best = best.filter(|best| best.bound <= found.bound).or(Some(found));
            }
            Err(why) => reason = reason.or(Some(why)),
        }
    }
    let cost = ctx.since(mark).and_bytes(bytes_of(3 * at.z.len()));
    match (best, reason) {
        (Some(best), _) => Ok(Certificate { cost, ..best }),
        (None, why) => Err(Uncertified::Unproved(why.unwrap_or(super::Unproved::Unknown))),
    }
}

//! Certificates of gradients of f(z*(x), x), f other than L.

use super::certified::{NEWTON_TOLERANCE, Refine, SHARPENING, apart};
use super::{AnalyticBound, Certificate, Reference, Uncertified, Unproved, left_by_newton};
use crate::ctx::Ctx;
use crate::estimator::Gradient;
use crate::outer::Outer;
use crate::problem::{Evaluated, Point, Problem};
use crate::solve::{Recorder, Solution, Trail};
use crate::solver::Solver;
use crate::vector::{axpy, distance, norm};

/// grad_x f - L_xz v at a point and an adjoint, and how wrong it can be.
struct Judged {
    reference: Reference,
    /// Whether z' and the adjoint there were solved for.
    is_newton: bool,
    known: Evaluated,
    /// ‖grad_z f‖ there.
    rhs: f64,
    value: Vec<f64>,
    /// What rounding can have done to the parts of that.
    rounding: f64,
    /// ‖g - value‖.
    distance: f64,
    bound: Result<AnalyticBound, Unproved>,
}

impl Judged {
    fn total(&self) -> f64 {
        self.bound.map_or(f64::INFINITY, |bound| self.distance + bound.total())
    }
}

struct Judge<'a, P: ?Sized, F: ?Sized> {
    problem: &'a P,
    outer: &'a F,
    x: &'a [f64],
    gradient: &'a [f64],
}

impl<P: Problem + ?Sized, F: Outer<P> + ?Sized> Judge<'_, P, F> {
    /// `v` is thought to solve L_zz v = `rhs`, grad_z f at the point.
    fn judge(&self, reference: Reference, known: Evaluated, [v, rhs]: [&[f64]; 2], ctx: &mut Ctx) -> Judged {
        let Self { problem, outer, x, gradient } = *self;
        let at = known.at(x);
        let (mut cross, mut value) = (vec![0.0; gradient.len()], vec![0.0; gradient.len()]);
        let mut changes = |radius: f64, ctx: &mut Ctx| outer.changes_within(problem, at, radius, ctx);
        let mut bound = problem.adjoint_bound(at, v, rhs, &mut cross, &mut changes, ctx);
        if bound.is_err() {
            cross.fill(0.0);
            problem.cross(at, v, 1.0, &mut cross, ctx);
        }
        outer.grad_x(problem, at, 1.0, &mut value, ctx);
        let rounding = f64::EPSILON * (norm(&value) + norm(&cross));
        axpy(-1.0, &cross, &mut value);
        if let Ok(bound) = &mut bound {
            bound.rounding += rounding;
        }
        let distance = apart(gradient, &value);
        Judged { reference, is_newton: false, distance, known, rhs: norm(rhs), value, rounding, bound }
    }

    /// grad_z f.
    fn rhs(&self, at: Point<'_>, ctx: &mut Ctx) -> Vec<f64> {
        let mut rhs = vec![0.0; at.z.len()];
        self.outer.grad_z(self.problem, at, &mut rhs, ctx);
        rhs
    }

    /// A Newton step from `first` or, where that is nearer, from the mixture of the trail; with the adjoint there.
    fn refined<N: Refine<P>>(&self, trail: &Trail, first: &Evaluated, newton: &N, ctx: &mut Ctx) -> Option<Judged> {
        if !newton.is_there() {
            return None;
        }
        let Self { problem, x, .. } = *self;
        let mixed = trail.mixture().map(|z| Evaluated::new(problem, z, x, ctx));
        let nearer = mixed.filter(|mixed| norm(&mixed.grad_z) < norm(&first.grad_z));
        let (z, residual) = newton.refine(problem, nearer.as_ref().unwrap_or(first).at(x), ctx)?;
        let known = Evaluated::new(problem, z, x, ctx);
        let rhs = self.rhs(known.at(x), ctx);
        let (v, of_adjoint) = newton.solve(problem, known.at(x), &rhs, ctx)?;
        let is_newton = residual.max(of_adjoint) <= NEWTON_TOLERANCE;
        Some(Judged { is_newton, ..self.judge(Reference::Newton, known, [&v, &rhs], ctx) })
    }
}

/// The least bound through z_T and its adjoint, and through a Newton step and its own.
pub(super) fn certify<P, S, R, F, N>(
    gradient: &Gradient,
    solution: &Solution<'_, P, S, R>,
    outer: &F,
    newton: &N,
    budget: u64,
    ctx: &mut Ctx,
) -> Result<Certificate, Uncertified>
where
    P: Problem + ?Sized,
    S: Solver<P>,
    R: Recorder<P, S>,
    F: Outer<P> + ?Sized,
    N: Refine<P>,
{
    let (problem, at) = (solution.problem(), solution.point());
    let Some(v) = &gradient.adjoint else { return Err(Uncertified::NoAdjoint) };
    let (mark, before) = (ctx.mark(), ctx.passes());
    let judge = Judge { problem, outer, x: at.x, gradient: &gradient.value };
    let rhs = judge.rhs(at, ctx);
    let mut judged = vec![judge.judge(Reference::Iterate, Evaluated::of(problem, at, ctx), [v, &rhs], ctx)];
    let is_loose = judged[0].bound.is_ok_and(|bound| bound.is_loose);
    if is_loose && budget.saturating_sub(ctx.passes() - before) >= SHARPENING {
        problem.sharpen_bounds(at.x, ctx);
        judged.push(judge.judge(Reference::Iterate, judged[0].known.clone(), [v, &rhs], ctx));
    }
    judged.extend(judge.refined(solution.trail(), &judged[0].known, newton, ctx));
    let best = judged.iter().filter(|one| one.total().is_finite()).min_by(|a, b| a.total().total_cmp(&b.total()));
    let mut found = match best.and_then(|best| Some((best, best.bound.ok()?))) {
        Some((best, bound)) => Certificate::proved(best.reference, best.distance, bound),
        // Where L has no minimum there is nothing to be near.
        None => estimate(&judged, problem.falls_along(judged[judged.len() - 1].known.at(at.x), ctx).is_some())?,
    };
    if let Some(linear) = gradient.linear {
        found.parts.linear = problem.linear_bound(at, linear.residual * judged[0].rhs, ctx).unwrap_or(0.0);
    }
    Ok(Certificate { cost: ctx.since(mark), ..found })
}

/// Where nothing is proved: the distance to what a Newton step gives, and what is left there in proportion.
fn estimate(judged: &[Judged], falls_for_ever: bool) -> Result<Certificate, Uncertified> {
    let mut reasons = judged.iter().filter_map(|one| one.bound.err());
    let first = reasons.next().unwrap_or(Unproved::Unknown);
    let why = reasons.find(|why| !why.is_estimable()).unwrap_or(first);
    let (first, last) = (&judged[0], &judged[judged.len() - 1]);
    let share = norm(&last.known.grad_z) / norm(&first.known.grad_z);
    if !last.is_newton || !why.is_estimable() || falls_for_ever {
        return Err(why.into());
    }
    let change = distance(&first.value, &last.value);
    let left = left_by_newton(change, share);
    left.and_then(|left| Certificate::estimated(last.reference, last.distance, left, last.rounding)).ok_or(why.into())
}

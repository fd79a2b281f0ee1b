//! Any estimator, certified.

use super::hypergradient;
use super::mixture::Mixture;
use super::{AnalyticBound, Certificate, Effort, Reference, Uncertified, Unproved, left_by_newton};
use crate::ctx::{Ctx, bytes_of};
use crate::design::gamma;
use crate::estimator::{EstimateError, Estimator, Gradient};
use crate::linear::{Factored, Hessian, HessianSolver, LinearSolve};
use crate::outer::Outer;
use crate::problem::{Evaluated, Point, Problem};
use crate::solve::{Recorder, Solution, Trail};
use crate::solver::Solver;
use crate::vector::{distance, norm};

/// Share of the distance from a reference that its own bound may have for no other to be looked for: the bound is then within
/// (1 + s) / (1 - s) of the error.
const WELL_KNOWN: f64 = 0.1;
/// One in so many passes of a gradient may go into its certificate, and one in any case.
const SHARE: u64 = 10;
/// Share of a bound from which rounding is worth a pass.
const NOTABLE: f64 = 0.05;
/// Passes that sharper constants may take.
pub(super) const SHARPENING: u64 = 8;
/// What a gradient must fall to for its point to be looked at.
const GAIN: f64 = 0.5;
/// Mixtures in a row without such a gain after which no other is tried.
const VAIN: usize = 10;
/// Passes that one more mixture counts for, as there is as much to do beside its own.
const MIXTURE: u64 = 2;
/// Relative residual of a Newton step to a reference, and of one that can be estimated by.
pub(super) const NEWTON_TOLERANCE: f64 = 1e-6;

/// The estimator `E`, its gradients certified: [`Gradient::certificate`] is a [`Certificate`], or says why there is none.
///
/// It takes at most one pass over D, or a tenth of those of the solve and the gradient; where x are the entries of D, or there are groups of
/// columns and x are their log lambda, each point takes up to four, and of a hypergradient with respect to the entries up to seven. g1 has no better point than z_T by itself: [`Solve::trail`](crate::solve::Solve::trail) gives it one. With [`Certified::newton`] a Newton step is taken for the sake of the bound.
///
/// ```
/// use danskin_core::{design::Design, problem::{glm::Glm, loss::Squared}, solve::{Solve, Stop}, solver::GradientDescent};
/// use danskin_core::{certificate::Certified, estimator::Analytic};
///
/// let problem = Glm::new(Design::dense(2, 1, vec![2.0, 1.0])?, Squared, 0.1)?;
/// let solver = GradientDescent::default();
/// let solution = Solve::new(&problem, &solver, &[1.0, 3.0]).stop(Stop::steps(5)).trail(10).run()?;
/// let gradient = solution.gradient(&Certified::new(Analytic))?;
/// // z* = 5 / 5.1, and grad l(x) = x - D z*.
/// let exact = [1.0 - 10.0 / 5.1, 3.0 - 5.0 / 5.1];
/// assert!(danskin_core::vector::distance(&gradient.value, &exact) <= gradient.certificate?.bound);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Certified<E, N = NoNewton> {
    estimator: E,
    newton: N,
}

/// No Newton step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoNewton;

/// What solves systems with L_zz for the sake of a bound.
pub trait Refine<P: ?Sized>: Sync {
    /// v with L_zz v = `rhs` at `at`, about, and the relative residual, infinite where that says nothing of v; `None` where there is none to be had.
    fn solve(&self, problem: &P, at: Point<'_>, rhs: &[f64], ctx: &mut Ctx) -> Option<(Vec<f64>, f64)>;

    /// Whether it ever does.
    fn is_there(&self) -> bool {
        true
    }

    /// A better point than `at`, which holds its gradient: a Newton step from there; and the relative residual of its solve.
    fn refine(&self, problem: &P, at: Point<'_>, ctx: &mut Ctx) -> Option<(Vec<f64>, f64)> {
        let (step, residual) = self.solve(problem, at, at.grad_z, ctx)?;
        Some((at.z.iter().zip(&step).map(|(z, step)| z - step).collect(), residual))
    }
}

impl<P: ?Sized> Refine<P> for NoNewton {
    fn solve(&self, _: &P, _: Point<'_>, _: &[f64], _: &mut Ctx) -> Option<(Vec<f64>, f64)> {
        None
    }

    fn is_there(&self) -> bool {
        false
    }
}

/// A Newton step through a Hessian solver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewtonStep<H>(pub H);

impl<P: Problem + ?Sized, H: HessianSolver<P>> Refine<P> for NewtonStep<H> {
    fn solve(&self, problem: &P, at: Point<'_>, rhs: &[f64], ctx: &mut Ctx) -> Option<(Vec<f64>, f64)> {
        let (mut found, mut workspace) = (vec![0.0; at.z.len()], H::Workspace::default());
        let solved = Factored::new(&self.0, Hessian { problem, at }, &mut workspace, ctx)
            .and_then(|mut factored| factored.solve(rhs, NEWTON_TOLERANCE, &mut found, ctx));
        // Of a Hessian that is singular whatever its entries are, the solution of least norm is as good as any.
        let is_blind = |linear: &LinearSolve| linear.met_singular() && problem.hessian_rank_bound() == at.z.len();
        solved.ok().map(|linear| (found, if is_blind(&linear) { f64::INFINITY } else { linear.residual }))
    }
}

impl<E> Certified<E> {
    /// `estimator`, certified.
    #[must_use]
    pub fn new(estimator: E) -> Self {
        Self { estimator, newton: NoNewton }
    }
}

impl<E, N> Certified<E, N> {
    /// With a Newton step through `hessian` from the best reference at hand, a solve and a pass more.
    #[must_use]
    pub fn newton<H>(self, hessian: H) -> Certified<E, NewtonStep<H>> {
        Certified { estimator: self.estimator, newton: NewtonStep(hessian) }
    }
}

impl<P, S, R, F, E, N> Estimator<P, S, R, F> for Certified<E, N>
where
    P: Problem + ?Sized,
    S: Solver<P>,
    R: Recorder<P, S>,
    F: Outer<P> + ?Sized,
    E: Estimator<P, S, R, F>,
    N: Refine<P>,
{
    fn estimate(&self, solution: &Solution<'_, P, S, R>, outer: &F, ctx: &mut Ctx) -> Result<Gradient, EstimateError> {
        let before = ctx.passes();
        let mut gradient = self.estimator.estimate(solution, outer, ctx)?;
        let own = ctx.passes() - before;
        // One that is not finite is an error, which the caller will say.
        let is_open = gradient.certificate == Err(Uncertified::NotAsked);
        if is_open && gradient.value.iter().all(|v| v.is_finite()) {
            gradient.certificate = if outer.is_envelope() {
                certify(&gradient, own, solution, &self.newton, ctx)
            } else {
                let budget = budget(solution, own);
                hypergradient::certify(&gradient, solution, outer, &self.newton, budget, ctx)
            };
        }
        Ok(gradient)
    }
}

/// Passes that a certificate may take.
fn budget<P, S, R>(solution: &Solution<'_, P, S, R>, own: u64) -> u64
where
    P: Problem + ?Sized,
    S: Solver<P>,
    R: Recorder<P, S>,
{
    ((solution.cost().passes + own) / SHARE).max(1)
}

fn certify<P, S, R, N>(
    gradient: &Gradient,
    own: u64,
    solution: &Solution<'_, P, S, R>,
    newton: &N,
    ctx: &mut Ctx,
) -> Result<Certificate, Uncertified>
where
    P: Problem + ?Sized,
    S: Solver<P>,
    R: Recorder<P, S>,
    N: Refine<P>,
{
    let mark = ctx.mark();
    let before = ctx.passes();
    let (problem, at) = (solution.problem(), solution.point());
    let mut candidates = Candidates { problem, gradient: &gradient.value, x: at.x, judged: Vec::new() };
    let budget = budget(solution, own);
    let left = |ctx: &Ctx| budget.saturating_sub(ctx.passes() - before);
    let mut mixing = Mixing { trail: solution.trail(), mixture: None };
    // z_T - v is as good as a Newton step; z_T - s is about what as many steps again would give: less than a mixture, often.
    let mut visits = [Reference::Mixture, Reference::Improved];
    if gradient.linear.is_some() {
        visits.swap(0, 1);
    }
    for reference in visits {
        if left(ctx) == 0 || candidates.are_settled() {
            break;
        }
        let z = match reference {
            Reference::Improved => gradient.adjoint.as_ref().map(|v| at.z.iter().zip(v).map(|(z, v)| z - v).collect()),
            _ => mixing.point(&candidates.judged),
        };
        if let Some(z) = z {
            let known = Evaluated::new(problem, z, at.x, ctx);
            mixing.note(&known);
            let is_newton = reference == Reference::Improved && is_exact(gradient);
            candidates.judge(reference, known, is_newton, ctx);
        }
    }
    // The mixture goes on while there is a budget.
    let (mut vain, goes_on) = (0, left(ctx) / MIXTURE);
    for _ in 0..goes_on {
        if vain == VAIN || candidates.are_settled() {
            break;
        }
        let Some(z) = mixing.point(&candidates.judged) else { break };
        let known = Evaluated::new(problem, z, at.x, ctx);
        mixing.note(&known);
        if norm(&known.grad_z) < GAIN * candidates.least_residual() {
            candidates.judge(Reference::Mixture, known, false, ctx);
            vain = 0;
        } else {
            vain += 1;
        }
    }
    if candidates.least_residual() >= solution.residual() || candidates.best().is_none() {
        candidates.judge(Reference::Iterate, Evaluated::of(problem, at, ctx), false, ctx);
    }
    if !candidates.are_settled() {
        let refined = candidates.nearest().and_then(|nearest| newton.refine(problem, nearest.known.at(at.x), ctx));
        if let Some((z, residual)) = refined {
            let known = Evaluated::new(problem, z, at.x, ctx);
            candidates.judge(Reference::Newton, known, residual <= NEWTON_TOLERANCE, ctx);
        }
    }
    if left(ctx) >= SHARPENING && candidates.best().is_some_and(|(_, bound)| bound.is_loose) {
        problem.sharpen_bounds(at.x, ctx);
        candidates.judge_best_again(Effort::Norms, ctx);
    }
    if left(ctx) >= 1 && candidates.best().is_some_and(|(best, bound)| bound.is_rounding(best.distance)) {
        candidates.judge_best_again(Effort::Pass, ctx);
    }
    let mut found = candidates.decide(at, ctx);
    if let (Ok(certificate), Some(linear)) = (&mut found, gradient.linear) {
        // A residual of a solver's own may be another measure.
        let rhs = if at.grad_z.is_empty() { solution.residual() } else { norm(at.grad_z) };
        certificate.parts.linear = problem.linear_bound(at, linear.residual * rhs, ctx).unwrap_or(0.0);
    }
    let cost = ctx.since(mark).and_bytes(bytes_of(mixing.len()));
    found.map(|certificate| Certificate { cost, ..certificate })
}

/// Whether the adjoint of `gradient` is a Newton step that was solved for.
fn is_exact(gradient: &Gradient) -> bool {
    gradient.linear.is_some_and(|linear| linear.residual <= NEWTON_TOLERANCE && !linear.met_singular())
}

/// A mixture of the trail and of points evaluated since, not made before it is asked for.
struct Mixing<'a> {
    trail: &'a Trail,
    mixture: Option<Mixture>,
}

impl Mixing<'_> {
    /// The next point; `judged` are those evaluated before there was a mixture.
    fn point(&mut self, judged: &[Judged]) -> Option<Vec<f64>> {
        let pairs = || judged.iter().map(|judged| (&*judged.known.z, &*judged.known.grad_z));
        self.mixture.get_or_insert_with(|| Mixture::of(self.trail.pairs().chain(pairs()))).point()
    }

    fn note(&mut self, known: &Evaluated) {
        if let Some(mixture) = &mut self.mixture {
            mixture.push(&known.z, &known.grad_z);
        }
    }

    /// Numbers held.
    fn len(&self) -> usize {
        self.trail.len() + self.mixture.as_ref().map_or(0, Mixture::len)
    }
}

/// ‖a - b‖, with what rounding can have taken from it and from a sum that it is part of.
pub(super) fn apart(a: &[f64], b: &[f64]) -> f64 {
    distance(a, b) * (1.0 + gamma(a.len() + 8))
}

/// One reference that was looked at.
#[derive(Clone, Debug)]
struct Judged {
    reference: Reference,
    /// Whether z' came by a Newton step that was solved for.
    is_newton: bool,
    known: Evaluated,
    /// ‖g - g1(z')‖.
    distance: f64,
    /// ‖grad_z L(z', x)‖.
    residual: f64,
    bound: Result<AnalyticBound, Unproved>,
}

impl Judged {
    /// The whole bound.
    fn total(&self) -> f64 {
        self.bound.map_or(f64::INFINITY, |bound| self.distance + bound.total())
    }
}

impl AnalyticBound {
    /// Whether a bound by way of a point at `distance` from g is rounding to a notable share.
    fn is_rounding(&self, distance: f64) -> bool {
        self.rounding > NOTABLE * (distance + self.iterate)
    }
}

/// The references looked at so far.
struct Candidates<'a, P: ?Sized> {
    problem: &'a P,
    gradient: &'a [f64],
    x: &'a [f64],
    judged: Vec<Judged>,
}

impl<P: Problem + ?Sized> Candidates<'_, P> {
    fn judge(&mut self, reference: Reference, known: Evaluated, is_newton: bool, ctx: &mut Ctx) {
        let mut g1 = vec![0.0; self.gradient.len()];
        self.problem.grad_x(known.at(self.x), 1.0, &mut g1, ctx);
        let (distance, residual) = (apart(self.gradient, &g1), norm(&known.grad_z));
        let bound = self.problem.analytic_bound(known.at(self.x), Effort::Norms, ctx);
        self.judged.push(Judged { reference, is_newton, known, distance, residual, bound });
    }

    /// That of the least bound, with the bound at it.
    fn best(&self) -> Option<(&Judged, AnalyticBound)> {
        let proved = self.judged.iter().filter(|judged| judged.total().is_finite());
        let best = proved.min_by(|a, b| a.total().total_cmp(&b.total()))?;
        Some((best, best.bound.ok()?))
    }

    fn judge_best_again(&mut self, effort: Effort, ctx: &mut Ctx) {
        let proved = self.judged.iter_mut().filter(|judged| judged.total().is_finite());
        let Some(best) = proved.min_by(|a, b| a.total().total_cmp(&b.total())) else { return };
        let again = self.problem.analytic_bound(best.known.at(self.x), effort, ctx);
        // Both hold.
        if again.is_ok_and(|bound| best.distance + bound.total() < best.total()) {
            best.bound = again;
        }
    }

    /// The point with the least gradient.
    fn nearest(&self) -> Option<&Judged> {
        self.nearest_of(|_| true)
    }

    fn nearest_of(&self, which: impl Fn(&Judged) -> bool) -> Option<&Judged> {
        self.judged.iter().filter(|judged| which(judged)).min_by(|a, b| a.residual.total_cmp(&b.residual))
    }

    fn least_residual(&self) -> f64 {
        self.nearest().map_or(f64::INFINITY, |nearest| nearest.residual)
    }

    /// Whether another reference has little to gain: a bound is the distance from a point that is known well, or rounding.
    fn are_settled(&self) -> bool {
        self.judged.iter().any(|judged| {
            judged.bound.is_ok_and(|bound| {
                bound.total() <= WELL_KNOWN * judged.distance || judged.distance + bound.iterate <= bound.rounding
            })
        })
    }

    /// The smallest proved bound, or an estimate.
    fn decide(&self, iterate: Point<'_>, ctx: &mut Ctx) -> Result<Certificate, Uncertified> {
        let Some((best, bound)) = self.best() else {
            let why = self.judged.iter().find_map(|judged| judged.bound.err()).unwrap_or(Unproved::Unknown);
            return self.estimate(iterate, ctx).ok_or(Uncertified::Unproved(why));
        };
        Ok(Certificate::proved(best.reference, best.distance, bound))
    }

    /// What is left after a Newton step is in proportion to its gradient, if the change from z_T is.
    fn estimate(&self, iterate: Point<'_>, ctx: &mut Ctx) -> Option<Certificate> {
        let nearest = self.nearest_of(|judged| judged.is_newton)?;
        let is_estimable =
            self.judged.iter().all(|judged| judged.bound.map_or_else(|why| why.is_estimable(), |_| true));
        if !is_estimable || self.problem.falls_along(nearest.known.at(self.x), ctx).is_some() {
            return None;
        }
        let first = Evaluated::of(self.problem, iterate, ctx);
        let share = nearest.residual / norm(&first.grad_z);
        let mut change = vec![0.0; self.gradient.len()];
        self.problem.grad_x(first.at(self.x), -1.0, &mut change, ctx);
        self.problem.grad_x(nearest.known.at(self.x), 1.0, &mut change, ctx);
        let left = left_by_newton(norm(&change), share)?;
        let rounding = self.problem.rounding_of_gradient(nearest.known.at(self.x), ctx);
        Certificate::estimated(nearest.reference, nearest.distance, left, rounding)
    }
}

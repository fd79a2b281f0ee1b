//! Toy solvers and problems written as a user would write them, against the oracle: the traits carry proximal steps (a
//! subgradient, no Hessian), block steps (two blocks, x inside the step), momentum (a state beyond z) and a problem that is
//! no sum over rows of D.

mod common;

use common::oracle::{Case, cases, relative};
use danskin::design::Design;
use danskin::linear::LinearError;
use danskin::prelude::*;
use danskin::testing::random;
use danskin::unrolled::testing::check_rule;
use danskin::vector::{axpy, dot, norm};

const TOLERANCE: f64 = 1e-10;

/// z, the residual, and what a toy keeps beside them.
struct Toy {
    z: Vec<f64>,
    residual: f64,
}

impl State for Toy {
    fn latent(&self) -> &[f64] {
        &self.z
    }

    fn residual(&self) -> f64 {
        self.residual
    }
}

/// 1/2 ‖D z - x‖² + lambda ‖z‖_1.
struct Lasso {
    design: Design,
    lambda: f64,
}

impl Lasso {
    fn residuals(&self, z: &[f64], x: &[f64], ctx: &mut Ctx) -> Vec<f64> {
        let mut r = vec![0.0; x.len()];
        self.design.matrix().apply(z, &mut r, ctx);
        axpy(-1.0, x, &mut r);
        r
    }

    fn smooth_gradient(&self, z: &[f64], x: &[f64], ctx: &mut Ctx) -> Vec<f64> {
        let mut gradient = vec![0.0; z.len()];
        self.design.matrix().apply_transpose(&self.residuals(z, x, ctx), &mut gradient, ctx);
        gradient
    }
}

fn sign(v: f64) -> f64 {
    if v == 0.0 { 0.0 } else { v.signum() }
}

impl Objective for Lasso {
    fn dims(&self) -> (usize, usize) {
        (self.design.columns(), self.design.rows())
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let r = self.residuals(at.z, at.x, ctx);
        0.5 * dot(&r, &r) + self.lambda * at.z.iter().map(|z| z.abs()).sum::<f64>()
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], ctx: &mut Ctx) {
        out.copy_from_slice(&self.smooth_gradient(z, x, ctx));
        out.iter_mut().zip(z).for_each(|(out, z)| *out += self.lambda * sign(*z));
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        axpy(-scale, &self.residuals(at.z, at.x, ctx), out);
    }
}

/// z_{t+1} = soft(z_t - rho D^T (D z_t - x), rho lambda).
struct Ista {
    rho: f64,
}

impl Ista {
    fn next(&self, problem: &Lasso, x: &[f64], z: &[f64], ctx: &mut Ctx) -> Vec<f64> {
        let gradient = problem.smooth_gradient(z, x, ctx);
        let soft = |y: f64| (y.abs() - self.rho * problem.lambda).max(0.0) * sign(y);
        z.iter().zip(&gradient).map(|(z, g)| soft(z - self.rho * g)).collect()
    }
}

impl Solver<Lasso> for Ista {
    type State = Toy;

    fn init(&self, _: &Lasso, _: &[f64], initial: &[f64], _: &mut Ctx) -> Result<Toy, SolveError> {
        Ok(Toy { z: initial.to_vec(), residual: 1.0 })
    }

    fn step(&self, problem: &Lasso, x: &[f64], state: &mut Toy, ctx: &mut Ctx) -> Result<Step, SolveError> {
        let next = self.next(problem, x, &state.z, ctx);
        state.residual = danskin::vector::distance(&next, &state.z) / self.rho;
        state.z = next;
        Ok(Step::Advanced)
    }
}

/// Recorded by its mask: 1 where z_{t+1} is not 0. Inside the threshold the derivative is 0.
impl Unroll<Lasso> for Ista {
    fn step_recorded(
        &self,
        problem: &Lasso,
        x: &[f64],
        state: &mut Toy,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let step = self.step(problem, x, state, ctx)?;
        record.iter_mut().zip(&state.z).for_each(|(mask, z)| *mask = sign(*z).abs());
        Ok(step)
    }

    fn pull(&self, step: Recorded<'_, Lasso, Toy>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        dual.iter_mut().zip(step.record).for_each(|(a, mask)| *a *= mask);
        let mut da = vec![0.0; out.x.len()];
        step.problem.design.matrix().apply(dual, &mut da, ctx);
        axpy(self.rho, &da, out.x);
        let mut back = vec![0.0; dual.len()];
        step.problem.design.matrix().apply_transpose(&da, &mut back, ctx);
        axpy(-self.rho, &back, dual);
    }

    fn push(&self, step: Recorded<'_, Lasso, Toy>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let change = step.problem.smooth_gradient(tangent, dx, ctx);
        axpy(-self.rho, &change, tangent);
        tangent.iter_mut().zip(step.record).for_each(|(t, mask)| *t *= mask);
    }
}

/// The dual of entropic optimal transport, z = (u, v):
/// -<u, x> - <v, b> + eps sum_ij exp((u_i + v_j - C_ij) / eps).
struct Transport {
    cost: Vec<f64>,
    b: Vec<f64>,
    eps: f64,
    rows: usize,
}

impl Transport {
    fn cost(&self, i: usize, j: usize) -> f64 {
        self.cost[i * self.b.len() + j]
    }

    fn plan(&self, z: &[f64], i: usize, j: usize) -> f64 {
        ((z[i] + z[self.rows + j] - self.cost(i, j)) / self.eps).exp()
    }
}

/// log sum exp of `terms`, and their softmax.
fn log_sum_exp(terms: &[f64]) -> (f64, Vec<f64>) {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|t| (t - largest).exp()).sum();
    let value = largest + sum.ln();
    (value, terms.iter().map(|t| (t - value).exp()).collect())
}

impl Objective for Transport {
    fn dims(&self) -> (usize, usize) {
        (self.rows + self.b.len(), self.rows)
    }

    fn value(&self, at: Point<'_>, _: &mut Ctx) -> f64 {
        let (u, v) = at.z.split_at(self.rows);
        let mass: f64 = (0..self.rows).flat_map(|i| (0..v.len()).map(move |j| self.plan(at.z, i, j))).sum();
        self.eps * mass - dot(u, at.x) - dot(v, &self.b)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], _: &mut Ctx) {
        for (out, value) in out.iter_mut().zip(x.iter().chain(&self.b)) {
            *out = -value;
        }
        for i in 0..self.rows {
            for j in 0..self.b.len() {
                out[i] += self.plan(z, i, j);
                out[self.rows + j] += self.plan(z, i, j);
            }
        }
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, &at.z[..self.rows], out);
    }
}

/// Sinkhorn's algorithm in the log domain: u from v and x, then v from the new u. It stops at its marginals.
struct Sinkhorn;

impl Sinkhorn {
    /// (eps logsumexp_j((v_j - C_ij)/eps), softmax over j) for each i.
    fn over_columns(problem: &Transport, v: &[f64]) -> Vec<(f64, Vec<f64>)> {
        (0..problem.rows)
            .map(|i| {
                let terms: Vec<_> = v.iter().enumerate().map(|(j, v)| (v - problem.cost(i, j)) / problem.eps).collect();
                let (value, share) = log_sum_exp(&terms);
                (problem.eps * value, share)
            })
            .collect()
    }

    /// (eps logsumexp_i((u_i - C_ij)/eps), softmax over i) for each j.
    fn over_rows(problem: &Transport, u: &[f64]) -> Vec<(f64, Vec<f64>)> {
        (0..problem.b.len())
            .map(|j| {
                let terms: Vec<_> = u.iter().enumerate().map(|(i, u)| (u - problem.cost(i, j)) / problem.eps).collect();
                let (value, share) = log_sum_exp(&terms);
                (problem.eps * value, share)
            })
            .collect()
    }

    fn residual(problem: &Transport, x: &[f64], z: &[f64]) -> f64 {
        let mut gradient = vec![0.0; z.len()];
        problem.grad_z(z, x, &mut gradient, &mut [], &mut Ctx::new());
        norm(&gradient)
    }
}

impl Solver<Transport> for Sinkhorn {
    type State = Toy;

    fn init(&self, problem: &Transport, x: &[f64], initial: &[f64], _: &mut Ctx) -> Result<Toy, SolveError> {
        Ok(Toy { z: initial.to_vec(), residual: Self::residual(problem, x, initial) })
    }

    fn step(&self, problem: &Transport, x: &[f64], state: &mut Toy, _: &mut Ctx) -> Result<Step, SolveError> {
        let (u, v) = state.z.split_at_mut(problem.rows);
        for ((u, x), (value, _)) in u.iter_mut().zip(x).zip(Self::over_columns(problem, v)) {
            *u = problem.eps * x.ln() - value;
        }
        for ((v, b), (value, _)) in v.iter_mut().zip(&problem.b).zip(Self::over_rows(problem, u)) {
            *v = problem.eps * b.ln() - value;
        }
        state.residual = Self::residual(problem, x, &state.z);
        Ok(Step::Advanced)
    }
}

/// Recorded by the old v and the new u.
impl Unroll<Transport> for Sinkhorn {
    fn step_recorded(
        &self,
        problem: &Transport,
        x: &[f64],
        state: &mut Toy,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        record[problem.rows..].copy_from_slice(&state.z[problem.rows..]);
        let step = self.step(problem, x, state, ctx)?;
        record[..problem.rows].copy_from_slice(&state.z[..problem.rows]);
        Ok(step)
    }

    fn pull(&self, step: Recorded<'_, Transport, Toy>, dual: &mut [f64], out: &mut Pulled<'_>, _: &mut Ctx) {
        let problem = step.problem;
        let (new_u, old_v) = step.record.split_at(problem.rows);
        let (u_dual, v_dual) = dual.split_at_mut(problem.rows);
        for (v_dual, (_, share)) in v_dual.iter().zip(Self::over_rows(problem, new_u)) {
            axpy(-v_dual, &share, u_dual);
        }
        v_dual.fill(0.0);
        for (i, (_, share)) in Self::over_columns(problem, old_v).into_iter().enumerate() {
            out.x[i] += problem.eps / step.x[i] * u_dual[i];
            axpy(-u_dual[i], &share, v_dual);
        }
        u_dual.fill(0.0);
    }

    fn push(&self, step: Recorded<'_, Transport, Toy>, dx: &[f64], tangent: &mut [f64], _: &mut Ctx) {
        let problem = step.problem;
        let (new_u, old_v) = step.record.split_at(problem.rows);
        let (du, dv) = tangent.split_at_mut(problem.rows);
        for (i, (_, share)) in Self::over_columns(problem, old_v).into_iter().enumerate() {
            du[i] = problem.eps * dx[i] / step.x[i] - dot(&share, dv);
        }
        for (dv, (_, share)) in dv.iter_mut().zip(Self::over_rows(problem, new_u)) {
            *dv = -dot(&share, du);
        }
    }
}

/// The semi-dual of entropic optimal transport: -<z, x> + eps sum_j b_j logsumexp_i((z_i - C_ij)/eps). Its Hessian is
/// singular along (1, ..., 1).
struct SemiDual(Transport);

impl SemiDual {
    fn shares(&self, z: &[f64]) -> Vec<(f64, Vec<f64>)> {
        Sinkhorn::over_rows(&self.0, z)
    }
}

impl Objective for SemiDual {
    fn dims(&self) -> (usize, usize) {
        (self.0.rows, self.0.rows)
    }

    fn value(&self, at: Point<'_>, _: &mut Ctx) -> f64 {
        self.shares(at.z).iter().zip(&self.0.b).map(|((value, _), b)| b * value).sum::<f64>() - dot(at.z, at.x)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], _: &mut Ctx) {
        out.iter_mut().zip(x).for_each(|(out, x)| *out = -x);
        for ((_, share), b) in self.shares(z).iter().zip(&self.0.b) {
            axpy(*b, share, out);
        }
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, at.z, out);
    }
}

impl Problem for SemiDual {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], _: &mut Ctx) {
        out.fill(0.0);
        for ((_, share), b) in self.shares(at.z).iter().zip(&self.0.b) {
            let mean = dot(share, v);
            for ((out, share), v) in out.iter_mut().zip(share).zip(v) {
                *out += b / self.0.eps * share * (v - mean);
            }
        }
    }

    fn cross(&self, _: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, v, out);
    }

    fn cross_t(&self, _: Point<'_>, w: &[f64], out: &mut [f64], _: &mut Ctx) {
        out.iter_mut().zip(w).for_each(|(out, w)| *out = -w);
    }
}

impl AssembleHessian for SemiDual {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let m = self.latent_len();
        for (j, column) in out.chunks_exact_mut(m).enumerate() {
            let mut unit = vec![0.0; m];
            unit[j] = 1.0;
            self.hess(at, &unit, column, ctx);
        }
    }

    fn work(&self) -> Work {
        let product = (self.0.cost.len() * 2) as f64;
        Work { product, assembly: product * self.latent_len() as f64 }
    }
}

/// Heavy ball: w <- beta w - rho grad_z L(z, x), z <- z + w. States, tangents and duals are (z, w).
struct HeavyBall {
    rho: f64,
    beta: f64,
}

impl HeavyBall {
    fn brake(&self, w: &mut [f64]) {
        w.iter_mut().for_each(|w| *w *= self.beta);
    }
}

impl<P: Problem> Solver<P> for HeavyBall {
    type State = Iterate<Vec<f64>>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        Ok(Iterate::new(problem, x, initial, vec![0.0; initial.len()], ctx))
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        self.brake(&mut state.carried);
        axpy(-self.rho, &state.grad_z, &mut state.carried);
        axpy(1.0, &state.carried, &mut state.z);
        state.evaluate(problem, x, ctx);
        Ok(Step::Advanced)
    }
}

impl<P: Problem> Unroll<P> for HeavyBall {
    fn tangent_len(&self, problem: &P) -> usize {
        2 * problem.latent_len()
    }

    fn pull(&self, step: Recorded<'_, P, Self::State>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (z, w) = dual.split_at_mut(step.record.len());
        axpy(1.0, z, w);
        let mut hess = ctx.take(z.len());
        step.problem.hess_cross(Point::new(step.record, step.x), w, &mut hess, -self.rho, out.x, ctx);
        axpy(-self.rho, &hess, z);
        self.brake(w);
        ctx.give(hess);
    }

    fn push(&self, step: Recorded<'_, P, Self::State>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (z, w) = tangent.split_at_mut(step.record.len());
        let mut change = ctx.take(z.len());
        step.problem.grad_z_tangent(Point::new(step.record, step.x), z, dx, &mut change, ctx);
        self.brake(w);
        axpy(-self.rho, &change, w);
        axpy(1.0, w, z);
        ctx.give(change);
    }
}

fn transport(case: &Case) -> Transport {
    let (cost, b) = (case.cost.clone().unwrap(), case.b.clone().unwrap());
    Transport { cost, b, eps: case.eps.unwrap(), rows: case.cost_shape.unwrap().0 }
}

fn only(name: &str) -> Case {
    cases().into_iter().find(|case| case.problem == name).unwrap()
}

/// z_T, g1 and g2 in both modes at every T of the case, then the rule itself.
fn agrees<P: Objective, S: Unroll<P>>(problem: &P, solver: &S, case: &Case) {
    for (steps, run) in &case.runs {
        let stop = Stop::steps(steps.parse().unwrap());
        let taped = Solve::new(problem, solver, &case.x).stop(stop).record(Tape::new()).run().unwrap();
        let forward = Solve::new(problem, solver, &case.x).stop(stop).record(Tangents::full()).run().unwrap();
        for (what, found, expected) in [
            ("z", taped.z(), &run.z),
            ("g1", &taped.gradient(&Analytic).unwrap().value, &run.g1),
            ("g2 reverse", &taped.gradient(&Automatic).unwrap().value, &run.g2),
            ("g2 forward", &forward.gradient(&Forward).unwrap().value, &run.g2),
        ] {
            let error = relative(found, expected);
            assert!(error <= TOLERANCE, "{} T={steps} {what}: relative error {error:e}", case.name);
        }
    }
    check_rule(problem, solver, &case.x, 7).unwrap();
}

#[test]
fn ista_on_the_lasso() {
    let case = only("lasso_x");
    let problem = Lasso { design: case.design(), lambda: case.lam.unwrap() };
    agrees(&problem, &Ista { rho: case.step }, &case);
}

#[test]
fn sinkhorn_on_optimal_transport() {
    let case = only("ot_dual_sinkhorn");
    agrees(&transport(&case), &Sinkhorn, &case);
}

#[test]
fn gradient_descent_on_the_semi_dual() {
    let case = only("ot_semidual_gd");
    let problem = SemiDual(transport(&case));
    let solver = GradientDescent::new(StepSize::Fixed(case.step));
    agrees(&problem, &solver, &case);
    danskin::testing::check_problem(&problem, &case.runs["5"].z, &case.x).unwrap();

    let solution = Solve::new(&problem, &solver, &case.x).stop(Stop::steps(100)).run().unwrap();
    let dense = solution.gradient(&Implicit::new(DenseCholesky::default())).unwrap_err();
    assert!(matches!(dense, danskin::estimator::EstimateError::Linear(LinearError::Singular { .. })), "{dense}");
    let g3 = solution.gradient(&Implicit::new(Cg::default())).unwrap();
    assert!(!g3.linear.unwrap().positive_definite);
    // The singular direction is (1, ..., 1), which L_xz = -I does not annihilate: the oracle takes the least norm too.
    let error = relative(&g3.value, case.runs["100"].g3_pinv.as_ref().unwrap());
    assert!(error <= 1e-8, "relative error {error:e}");
}

#[test]
fn momentum_has_longer_tangents() {
    let problem = Glm::new(random::design(60, 20, 5, 1), Logistic, 1.0).unwrap();
    let (x, solver) = (random::labels(60, 2), HeavyBall { rho: 0.03, beta: 0.6 });
    check_rule(&problem, &solver, &x, 9).unwrap();
    let solution = Solve::new(&problem, &solver, &x).stop(Stop::tolerance(1e-12)).record(Tape::new()).run().unwrap();
    let g2 = solution.gradient(&Automatic).unwrap().value;
    let g3 = solution.gradient(&Implicit::new(Cg::default())).unwrap().value;
    assert!(relative(&g2, &g3) <= 1e-12, "{:e}", relative(&g2, &g3));
}

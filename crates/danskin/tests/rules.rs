//! Toy solvers and problems written as a user would write them, against the oracle: the traits carry proximal steps (a
//! subgradient, no Hessian) and momentum (a state beyond z). `transport.rs` has block steps and a problem that is no sum over rows of D.

mod common;

use common::oracle::{Case, cases, relative};
use danskin::design::Design;
use danskin::prelude::*;
use danskin::testing::random;
use danskin::unrolled::testing::check_rule;
use danskin::vector::{axpy, dot};

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
fn momentum_has_longer_tangents() {
    let problem = Glm::new(random::design(60, 20, 5, 1), Logistic, 1.0).unwrap();
    let (x, solver) = (random::labels(60, 2), HeavyBall { rho: 0.03, beta: 0.6 });
    check_rule(&problem, &solver, &x, 9).unwrap();
    let solution = Solve::new(&problem, &solver, &x).stop(Stop::tolerance(1e-12)).record(Tape::new()).run().unwrap();
    let g2 = solution.gradient(&Automatic).unwrap().value;
    let g3 = solution.gradient(&Implicit::new(Cg::default())).unwrap().value;
    assert!(relative(&g2, &g3) <= 1e-12, "{:e}", relative(&g2, &g3));
}

//! A solver of one's own, with its rule for g2: gradient descent with a step for each coordinate, z <- z - s * grad_z L.
//! The rule says how one step is differentiated, backwards and forwards; a step is recorded by z_t unless it says more.
use danskin::prelude::*;
use danskin::testing::random;
use danskin::unrolled::testing::check_rule;
use danskin::vector::{axpy, distance};

struct Scaled(Vec<f64>);

/// `z -= s * v`.
fn minus(z: &mut [f64], s: &[f64], v: &[f64]) {
    z.iter_mut().zip(s).zip(v).for_each(|((z, s), v)| *z -= s * v);
}

impl<P: Problem> Solver<P> for Scaled {
    type State = Iterate;
    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Iterate, SolveError> {
        Ok(Iterate::new(problem, x, initial, (), ctx))
    }
    fn step(&self, problem: &P, x: &[f64], state: &mut Iterate, ctx: &mut Ctx) -> Result<Step, SolveError> {
        minus(&mut state.z, &self.0, &state.grad_z);
        state.evaluate(problem, x, ctx);
        Ok(Step::Advanced)
    }
}

impl<P: Problem> Unroll<P> for Scaled {
    fn pull(&self, step: Recorded<'_, P, Iterate>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (mut scaled, mut hess) = (vec![0.0; dual.len()], vec![0.0; dual.len()]);
        minus(&mut scaled, &self.0, dual);
        step.problem.hess_cross(Point::new(step.record, step.x), &scaled, &mut hess, 1.0, out.x, ctx);
        axpy(-1.0, &scaled, out.shift);
        axpy(1.0, &hess, dual);
    }
    fn push(&self, step: Recorded<'_, P, Iterate>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let mut change = vec![0.0; tangent.len()];
        step.problem.grad_z_tangent(Point::new(step.record, step.x), tangent, dx, &mut change, ctx);
        minus(tangent, &self.0, &change);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (problem, x) = (Glm::new(random::design(100, 20, 5, 1), Logistic, 1.0)?, random::labels(100, 2));
    let solver = Scaled(random::vector(20, 3).iter().map(|s| 0.05 + 0.02 * s).collect());
    check_rule(&problem, &solver, &x, 5)?;
    let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(20)).record(Tape::new()).run()?;
    let (g2, g3) = (solution.gradient(&Automatic)?, solution.gradient(&Implicit::new(Cg::default()))?);
    println!("‖g2 - g3‖ = {:.2e}", distance(&g2.value, &g3.value));
    Ok(())
}

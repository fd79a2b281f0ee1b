//! A loss of one's own with its derivatives: phi(u, y) = log cosh(u - y), quadratic near 0 and linear far away.
//! Design, solvers and estimators need no word about it.
use danskin::prelude::*;
use danskin::testing::{check_problem, random};
use danskin::vector::distance;

struct LogCosh;

impl Loss for LogCosh {
    fn value(&self, u: f64, y: f64) -> f64 {
        let r = (u - y).abs();
        r + (-2.0 * r).exp().ln_1p() - std::f64::consts::LN_2
    }
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let slope = (u - y).tanh();
        (slope, -slope)
    }
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let bend = 1.0 - (u - y).tanh().powi(2);
        (bend, -bend)
    }
    fn curvature(&self, _y: f64, _level: f64) -> Option<f64> {
        Some(1.0)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let problem = Glm::new(random::design(1000, 200, 10, 1), LogCosh, 1.0)?;
    let (x, solver) = (random::vector(1000, 2), GradientDescent::default());
    check_problem(&problem, &random::vector(200, 3), &x)?;

    let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(30)).record(Tape::new()).run()?;
    let g3 = solution.gradient(&Implicit::new(Cg::default()))?;
    println!("‖g1 - g3‖ = {:.2e}", distance(&solution.gradient(&Analytic)?.value, &g3.value));
    println!("‖g2 - g3‖ = {:.2e}", distance(&solution.gradient(&Automatic)?.value, &g3.value));
    Ok(())
}

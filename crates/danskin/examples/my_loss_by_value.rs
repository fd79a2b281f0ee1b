//! A loss of one's own from its value alone: phi(u, y) = sqrt(1 + (u - y)²) - 1. Dual numbers give its derivatives.
//! Backtracking needs no bound on its curvature; with `curvature` given too, every solver chooses its step.
use danskin::prelude::*;
use danskin::testing::{check_problem, random};
use danskin::vector::distance;

struct PseudoHuber;

impl LossValue for PseudoHuber {
    fn value<T: Number>(&self, u: T, y: T) -> T {
        let r = u - y;
        // r² / (sqrt(1 + r²) + 1) is the same, without the cancellation near 0.
        r * r / ((r * r + 1.0).sqrt() + 1.0)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let problem = Glm::new(random::design(1000, 200, 10, 1), ByDualNumbers(PseudoHuber), 1.0)?;
    let (x, solver) = (random::vector(1000, 2), Backtracking::default());
    check_problem(&problem, &random::vector(200, 3), &x)?;

    let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(10)).record(Tape::new()).run()?;
    let g3 = solution.gradient(&Implicit::new(Cg::default()))?;
    println!("‖g1 - g3‖ = {:.2e}", distance(&solution.gradient(&Analytic)?.value, &g3.value));
    println!("‖g2 - g3‖ = {:.2e}", distance(&solution.gradient(&Automatic)?.value, &g3.value));
    Ok(())
}

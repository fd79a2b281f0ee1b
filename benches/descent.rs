//! Descent on x, its inner tolerance driven by certificates, against loops with a fixed number of inner steps: total passes over D until ‖grad F‖ has fallen to a
//! share of what it was.
//!
//! `cargo bench -p danskin-bench --bench descent` takes digits; `-- FILE ...` other designs. F(x) = l(x) + 1/20 ‖x - y‖² over the targets x of pseudo-Huber regression (threshold 1), y the labels
//! divided by their deviation, L / lambda = 1000, steps 1/1.1, x_0 = y. The fixed loops begin each inner solve where the last one ended, t steps of gradient descent (1/L) or of L-BFGS, then g1, g2 or g3 (conjugate gradient to 1e-3);
//! they do not know when they have arrived: a reference gradient, whose passes are not counted, tells.

#[path = "sets.rs"]
mod sets;

use std::error::Error;

use danskin::descent::{Added, Descent, Near};
use danskin::prelude::*;
use danskin::vector::{axpy, norm};
use danskin_bench::table::aligned;
use sets::labelled;

const CONDITION: f64 = 1e3;
const RHO: f64 = 0.1;
const SHARES: [f64; 3] = [1e-2, 1e-4, 1e-6];
const INNER: [usize; 6] = [1, 3, 10, 30, 100, 300];
/// Outer steps of a loop at the most, and passes.
const OUTER: usize = 400;
const PASSES: u64 = 40_000;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let sets = labelled(&files, &["digits"])?;
    for (name, design, labels) in sets {
        let mean = labels.iter().sum::<f64>() / labels.len() as f64;
        let deviation = (labels.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / labels.len() as f64).sqrt();
        let y: Vec<f64> = labels.iter().map(|label| label / deviation).collect();
        println!("{name}: {} x {}, {} entries", design.rows(), design.columns(), design.entries());
        let (loss, mut ctx) = (PseudoHuber::new(1.0)?, Ctx::new());
        let smoothness = Glm::new(design, loss, 0.0)?;
        let design = std::sync::Arc::clone(smoothness.design());
        let zeros = vec![0.0; design.columns()];
        let smoothness = smoothness.loss_smoothness(Point::new(&zeros, &y), &mut ctx).expect("it is bounded");
        let lambda = smoothness / (CONDITION - 1.0);
        let problem = Glm::new(design, loss, lambda)?;
        let near = Near { weight: RHO, to: y.clone() };
        let step = 1.0 / (1.0 + RHO);
        let start = norm(&reference(&problem, &near, &y));
        let mut rows = Vec::new();
        let certified = SHARES.map(|share| {
            let ctx = &mut Ctx::new();
            let found = Descent::new(step, share).run(&problem, &near, &y, ctx).expect("it descends");
            let reached = norm(&reference(&problem, &near, &found.x)) / start;
            format!("{} ({} steps, {reached:.0e})", found.cost.passes, found.steps)
        });
        rows.push([vec!["by certificates".to_owned()], certified.to_vec()].concat());
        let gd = GradientDescent::new(StepSize::Fixed(1.0 / (smoothness + lambda)));
        for t in INNER {
            for estimator in ["g1", "g2", "g3"] {
                let found = fixed(&problem, &near, &y, step, start, &gd, t, estimator);
                rows.push([vec![format!("gd, t = {t}, {estimator}")], found].concat());
            }
            for estimator in ["g1", "g3"] {
                let found = lbfgs(&problem, &near, &y, step, start, t, estimator);
                rows.push([vec![format!("lbfgs, t = {t}, {estimator}")], found].concat());
            }
        }
        let heading = [vec![String::new()], SHARES.map(|share| format!("{share:.0e}")).to_vec()].concat();
        println!("{}", aligned(heading, rows, &[0]));
    }
    Ok(())
}

/// grad F to rounding.
fn reference(problem: &Glm<PseudoHuber>, near: &Near, x: &[f64]) -> Vec<f64> {
    let newton = Newton::new(danskin::implicit::Auto::default());
    let solution = Solve::new(problem, &newton, x).stop(Stop::tolerance(1e-13).within(40)).run().expect("it solves");
    let mut gradient = solution.gradient(&Analytic).expect("it is finite").value;
    near.add_gradient(x, &mut gradient);
    gradient
}

/// Passes until each share is reached, of a loop whose gradients `inner` gives from (x, z).
fn looped(
    problem: &Glm<PseudoHuber>,
    near: &Near,
    y: &[f64],
    step: f64,
    start: f64,
    mut inner: impl FnMut(&[f64], &[f64]) -> (Vec<f64>, Vec<f64>, u64),
) -> Vec<String> {
    let (mut x, mut z, mut passes) = (y.to_vec(), vec![0.0; problem.latent_len()], 0);
    let mut reached = Vec::new();
    for outer in 0..OUTER {
        let (mut gradient, next, spent) = inner(&x, &z);
        (z, passes) = (next, passes + spent);
        near.add_gradient(&x, &mut gradient);
        axpy(-step, &gradient, &mut x);
        // A look at every step far from the end would take the most of the time.
        if outer % 8 == 7 || outer < 16 {
            let found = norm(&reference(problem, near, &x)) / start;
            while reached.len() < SHARES.len() && found <= SHARES[reached.len()] {
                reached.push(format!("{passes} ({} steps)", outer + 1));
            }
        }
        if reached.len() == SHARES.len() || passes > PASSES {
            break;
        }
    }
    reached.resize(SHARES.len(), "-".to_owned());
    reached
}

#[expect(clippy::too_many_arguments, reason = "what makes a row of the table")]
fn fixed(
    problem: &Glm<PseudoHuber>,
    near: &Near,
    y: &[f64],
    step: f64,
    start: f64,
    solver: &GradientDescent,
    t: usize,
    estimator: &str,
) -> Vec<String> {
    looped(problem, near, y, step, start, |x, z| {
        let solve = Solve::new(problem, solver, x).from(z).stop(Stop::steps(t));
        if estimator == "g2" {
            let solution = solve.record(Tape::new()).run().expect("it solves");
            let gradient = solution.gradient(&Automatic).expect("it is finite");
            return (gradient.value, solution.z().to_vec(), solution.cost().passes + gradient.cost.passes);
        }
        of(&solve.run().expect("it solves"), estimator)
    })
}

fn lbfgs(
    problem: &Glm<PseudoHuber>,
    near: &Near,
    y: &[f64],
    step: f64,
    start: f64,
    t: usize,
    estimator: &str,
) -> Vec<String> {
    let solver = Lbfgs::default();
    looped(problem, near, y, step, start, |x, z| {
        of(&Solve::new(problem, &solver, x).from(z).stop(Stop::steps(t)).run().expect("it solves"), estimator)
    })
}

fn of<S: Solver<Glm<PseudoHuber>>>(
    solution: &Solution<'_, Glm<PseudoHuber>, S>,
    estimator: &str,
) -> (Vec<f64>, Vec<f64>, u64) {
    let gradient = match estimator {
        "g1" => solution.gradient(&Analytic),
        _ => solution.gradient(&Implicit::new(Cg::default()).tolerance(1e-3)),
    };
    let gradient = gradient.expect("it is finite");
    (gradient.value, solution.z().to_vec(), solution.cost().passes + gradient.cost.passes)
}

//! A gradient to a tolerance, by `Adaptive`, beside every point of a grid: solver, steps T, estimator.
//!
//! `cargo bench -p danskin-bench --bench adaptive` takes the shipped sets; `-- FILE ...` other designs. Logistic regression with respect to the targets, labels -1 and +1 the smaller and the larger half, L / lambda = 1e2, 1e3,
//! 1e4, relative tolerances 1e-1 to 1e-10. Costs are passes over D, of z_T, the gradient and its certificate; a grid point is `cheapest` if its certificate meets the tolerance, `by error` if its error does, which nobody
//! knows who has no reference. The grid: gd and nesterov (steps 1/L) with g1, g2, g3, lbfgs and newton (conjugate gradient; `Auto`) with g1 and g3, T in steps of a quarter.

#[path = "sets.rs"]
mod sets;

use std::error::Error;
use std::sync::Arc as Shared;

use danskin::adaptive::{Accuracy, Adaptive, Outcome};
use danskin::prelude::*;
use danskin::unrolled::Reversible;
use danskin::vector::{distance, norm};
use danskin_bench::halves;
use danskin_bench::table::aligned;
use sets::labelled;

const CONDITIONS: [f64; 3] = [1e2, 1e3, 1e4];
const TOLERANCES: i32 = 10;
/// Passes of a trajectory of the grid at the most.
const MOST: u64 = 1500;
/// Steps up to which g2 is in the grid.
const UNROLLED: usize = 300;

/// A point of the grid, or what was chosen.
#[derive(Clone)]
struct Point0 {
    name: String,
    passes: u64,
    /// Relative to ‖g*‖; the bound to what the accuracy is relative to.
    bound: f64,
    error: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let sets = labelled(&files, &["digits", "debian_small"])?;
    let mut ratios = Vec::new();
    let (mut runs, mut met, mut wrong) = (0, 0, 0);
    for (name, design, labels) in sets {
        let x = halves(&labels);
        println!("{name}: {} x {}, {} entries", design.rows(), design.columns(), design.entries());
        let design = Shared::new(design);
        for condition in CONDITIONS {
            let mut ctx = Ctx::new();
            let zeros = vec![0.0; design.columns()];
            let unpenalised = Glm::new(Shared::clone(&design), Logistic, 0.0)?;
            let smoothness = unpenalised.loss_smoothness(Point::new(&zeros, &x), &mut ctx).expect("it is bounded");
            let lambda = smoothness / (condition - 1.0);
            let problem = Glm::new(Shared::clone(&design), Logistic, lambda)?;
            let newton = Newton::new(danskin::implicit::Auto::default());
            let minimum = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-15).within(60)).run()?;
            let exact = minimum.gradient(&Implicit::new(danskin::implicit::Auto::default()))?.value;
            let step = StepSize::Fixed(1.0 / (smoothness + lambda));
            let grid = grid(&problem, &x, step, &exact);
            let mut rows = Vec::new();
            for k in 1..=TOLERANCES {
                let tolerance = 10_f64.powi(-k);
                let found = Adaptive::new(Accuracy::Relative(tolerance)).seconds(60.0).gradient(&problem, &x)?;
                let error = distance(&found.gradient.value, &exact) / norm(&exact);
                let bound = found.gradient.certificate.map_or(f64::INFINITY, |one| one.bound);
                let cheapest =
                    |fits: &dyn Fn(&Point0) -> bool| grid.iter().filter(|one| fits(one)).min_by_key(|one| one.passes);
                let certified = cheapest(&|one| one.bound <= tolerance);
                let by_error = cheapest(&|one| one.error <= tolerance);
                runs += 1;
                met += usize::from(found.outcome == Outcome::Met);
                wrong += usize::from(found.outcome == Outcome::Met && error > tolerance);
                let ratio = certified.filter(|_| found.outcome == Outcome::Met);
                let ratio = ratio.map(|best| found.cost.passes as f64 / best.passes as f64);
                ratios.extend(ratio.map(|ratio| (ratio, format!("{name} {condition:.0e} {tolerance:.0e}"))));
                let of = |one: Option<&Point0>| {
                    one.map_or(["-".to_owned(), String::new()], |one| [one.passes.to_string(), one.name.clone()])
                };
                let [by_bound, bound_name] = of(certified);
                let [by_error, error_name] = of(by_error);
                rows.push(vec![
                    format!("{tolerance:.0e}"),
                    found.outcome.name().to_owned(),
                    found.cost.passes.to_string(),
                    format!("{:.3}", found.cost.seconds),
                    format!("{:.1e}", bound / norm(&found.gradient.value)),
                    format!("{error:.1e}"),
                    by_bound,
                    bound_name,
                    ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
                    by_error,
                    error_name,
                ]);
            }
            let heading = ["tolerance", "", "passes", "s", "bound", "error", "cheapest", "", "ratio", "by error", ""];
            println!("L/lambda {condition:.0e}\n{}", aligned(heading.map(str::to_owned).to_vec(), rows, &[1, 7, 10]));
        }
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let within = ratios.iter().filter(|(ratio, _)| *ratio <= 1.5).count();
    let median = ratios.get(ratios.len() / 2).map_or(f64::NAN, |(ratio, _)| *ratio);
    println!(
        "{runs} runs: {met} met, {wrong} of them with an error above the tolerance; against the cheapest of the grid: median {median:.2}, {within} of {} within 1.5",
        ratios.len()
    );
    for (ratio, what) in ratios.iter().rev().take(12) {
        println!("  {ratio:.2} {what}");
    }
    Ok(())
}

fn grid(problem: &Glm<Logistic>, x: &[f64], step: StepSize, exact: &[f64]) -> Vec<Point0> {
    let mut points = Vec::new();
    unrolled(problem, x, "gd", &GradientDescent::new(step), exact, &mut points);
    unrolled(problem, x, "nesterov", &Nesterov::new(step).restart(true), exact, &mut points);
    along(problem, x, "lbfgs", &Lbfgs::default(), exact, &mut points);
    along(problem, x, "newton-cg", &Newton::new(Cg::default()), exact, &mut points);
    along(problem, x, "newton-auto", &Newton::new(danskin::implicit::Auto::default()), exact, &mut points);
    points
}

fn note<P: Problem, S: Solver<P>, R: danskin::solve::Recorder<P, S>>(
    solution: &Solution<'_, P, S, R>,
    gradient: &Gradient,
    name: String,
    exact: &[f64],
    points: &mut Vec<Point0>,
) {
    let Ok(certificate) = gradient.certificate else { return };
    let size = norm(&gradient.value);
    // ‖g*‖ is at least the norm less the bound.
    let bound = if certificate.bound < size { certificate.bound / (size - certificate.bound) } else { f64::INFINITY };
    points.push(Point0 {
        name,
        passes: solution.cost_of_z().passes + gradient.cost.passes + certificate.cost.passes,
        bound,
        error: distance(&gradient.value, exact) / norm(exact),
    });
}

/// g1 and g3 along a trajectory.
fn along<S: Solver<Glm<Logistic>>>(
    problem: &Glm<Logistic>,
    x: &[f64],
    name: &str,
    solver: &S,
    exact: &[f64],
    points: &mut Vec<Point0>,
) {
    let ctx = &mut Ctx::new();
    let solve = Solve::new(problem, solver, x).stop(Stop::steps(0)).trail(10);
    let mut solution = solve.run_in(ctx).expect("it solves");
    let mut steps = 1;
    loop {
        solution.resume(Stop::steps(steps), ctx).expect("it solves");
        let g1 = solution.gradient(&Certified::new(Analytic)).expect("it is finite");
        note(&solution, &g1, format!("{name} {steps} g1"), exact, points);
        let is_done = points.last().is_some_and(|last| last.bound <= 1e-10);
        if steps <= 30 || steps % 4 == 0 {
            let g3 = solution.gradient(&Certified::new(Implicit::new(Cg::default()).tolerance(1e-4)));
            note(&solution, &g3.expect("it is finite"), format!("{name} {steps} g3"), exact, points);
        }
        if is_done || solution.cost().passes > MOST || solution.status() == Status::Stalled {
            break;
        }
        steps = (steps + 1).max(steps * 5 / 4);
    }
}

/// The same, and g2.
fn unrolled<S: danskin::prelude::Unroll<Glm<Logistic>>>(
    problem: &Glm<Logistic>,
    x: &[f64],
    name: &str,
    solver: &S,
    exact: &[f64],
    points: &mut Vec<Point0>,
) where
    Tape: Reversible<Glm<Logistic>, S>,
{
    along(problem, x, name, solver, exact, points);
    let ctx = &mut Ctx::new();
    let solve = Solve::new(problem, solver, x).stop(Stop::steps(0)).trail(10).record(Tape::new());
    let mut solution = solve.run_in(ctx).expect("it solves");
    let mut steps = 1;
    while steps <= UNROLLED {
        solution.resume(Stop::steps(steps), ctx).expect("it solves");
        let g2 = solution.gradient(&Certified::new(Automatic)).expect("it is finite");
        note(&solution, &g2, format!("{name} {steps} g2"), exact, points);
        steps = (steps + 1).max(steps * 5 / 4);
    }
}

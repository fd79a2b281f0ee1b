//! How sharp certificates are, and what they cost: the bound over the error for each estimator, at T = 10, 100, 1000 steps of gradient descent and L / lambda =
//! 1e2, 1e3, 1e4, with respect to the targets; and of hypergradients, of the loss on every fifth row of a logistic regression on the others, with respect to their weights and to log lambda.
//!
//! `cargo bench -p danskin-bench --bench certificates` takes the shipped sets; `-- FILE ...` other designs; `ridge`, `logistic`, `weights` or `lambda` one problem alone. Labels are made -1 and +1, the
//! smaller and the larger half. The reference is Newton's method to rounding, its own bound told. A cost is in passes over D and in a share of the seconds of z_T and the gradient.

#[path = "sets.rs"]
mod sets;

use std::error::Error;
use std::sync::Arc;

use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::halves;
use danskin_bench::table::aligned;
use sets::labelled;

const STEPS: [usize; 3] = [10, 100, 1000];
const CONDITIONS: [f64; 3] = [1e2, 1e3, 1e4];
const NAMES: [&str; 4] = ["g1", "g2", "g3", "g3, a solve more"];
const PROBLEMS: [&str; 4] = ["ridge", "logistic", "weights", "lambda"];

/// One certificate beside what it is of.
struct Found {
    estimator: usize,
    steps: usize,
    condition: f64,
    ratio: f64,
    /// Whether most of the bound is rounding.
    at_floor: bool,
    /// ‖g - g*‖ / ‖g*‖, and the bound.
    error: f64,
    bound: f64,
    localised: bool,
    passes: u64,
    seconds: f64,
    /// Of z_T and the gradient.
    share: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (problems, files): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|argument| PROBLEMS.contains(&argument.as_str()));
    let is_asked = |name: &str| problems.is_empty() || problems.iter().any(|asked| asked == name);
    let sets = labelled(&files, &["digits", "debian_small"])?;
    let mut by_problem = PROBLEMS.map(|problem| (problem, Vec::new()));
    for (name, design, labels) in sets {
        let x = halves(&labels);
        println!("{name}: {} x {}, {} entries", design.rows(), design.columns(), design.entries());
        let design = Arc::new(design);
        let [(kept, kept_x), (held_out, held_out_x)] = [false, true].map(|is_held_out| part(&design, &x, is_held_out));
        for (problem, found) in by_problem.iter_mut().filter(|(problem, _)| is_asked(problem)) {
            let mut of_set = Vec::new();
            for condition in CONDITIONS {
                let outside = (&held_out, held_out_x.as_slice());
                of_set.extend(match *problem {
                    "ridge" => certificates(&design, Squared, &x, condition),
                    "logistic" => certificates(&design, Logistic, &x, condition),
                    "weights" => hypergradients((&kept, &kept_x), outside, Wrt::Weights, condition),
                    _ => hypergradients((&kept, &kept_x), outside, Wrt::Regularisation, condition),
                });
            }
            println!("{problem}\n{}", details(&of_set));
            found.extend(of_set);
        }
    }
    for (problem, found) in by_problem.iter().filter(|(_, found)| !found.is_empty()) {
        println!(
            "{problem}: median over sets and T of bound / error, and largest; how many are localised; of how many the bound is rounding, those left out before, and the largest of\nthem relative to ‖g*‖\n{}",
            medians(found)
        );
    }
    Ok(())
}

/// Every fifth row, or the others.
fn part(design: &Design, x: &[f64], is_held_out: bool) -> (Arc<Design>, Vec<f64>) {
    let is_taken = |row: usize| (row % 5 == 4) == is_held_out;
    let mut places = Vec::with_capacity(x.len());
    let mut kept = Vec::new();
    for (row, x) in x.iter().enumerate() {
        places.push(kept.len());
        kept.extend(is_taken(row).then_some(*x));
    }
    let mut triplets = Vec::new();
    design.for_each_entry(|row, column, value| {
        if is_taken(row) {
            triplets.push((places[row], column, value));
        }
    });
    let part = Design::from_triplets(kept.len(), design.columns(), &triplets).expect("rows of a design");
    (Arc::new(part), kept)
}

/// The penalty at which L / lambda is `condition`, and the step 1 / L.
fn conditioned<L: Loss + Copy>(design: &Arc<Design>, loss: L, x: &[f64], condition: f64) -> (f64, GradientDescent) {
    let unpenalised = Glm::new(Arc::clone(design), loss, 0.0).expect("a penalty");
    let zeros = vec![0.0; design.columns()];
    let smoothness = unpenalised.loss_smoothness(Point::new(&zeros, x), &mut Ctx::new()).expect("it is bounded");
    let lambda = smoothness / (condition - 1.0);
    (lambda, GradientDescent::new(StepSize::Fixed(1.0 / (smoothness + lambda))))
}

fn minimum<P: AssembleHessian>(problem: &P, x: &[f64]) -> Vec<f64> {
    let newton = Newton::new(Auto::default());
    let solve = Solve::new(problem, &newton, x).stop(Stop::tolerance(1e-15).within(60));
    solve.run().expect("it solves").z().to_vec()
}

fn certificates<L: Loss + Copy>(design: &Arc<Design>, loss: L, x: &[f64], condition: f64) -> Vec<Found> {
    let (lambda, solver) = conditioned(design, loss, x, condition);
    let problem = Glm::new(Arc::clone(design), loss, lambda).expect("a penalty");
    found(&problem, &solver, x, &Envelope, condition)
}

fn hypergradients(
    (design, y): (&Arc<Design>, &[f64]),
    (held_out, targets): (&Arc<Design>, &[f64]),
    wrt: Wrt,
    condition: f64,
) -> Vec<Found> {
    let (lambda, solver) = conditioned(design, Logistic, y, condition);
    let problem = Glm::new(Arc::clone(design), Logistic, lambda).expect("a penalty");
    let (problem, x) = problem.wrt(wrt, y.to_vec()).expect("targets for each row");
    let loss = Glm::new(Arc::clone(held_out), Logistic, 0.0).expect("no penalty");
    found(&problem, &solver, &x, &HeldOut::new(&loss, targets).expect("targets for each row"), condition)
}

fn found<P, F>(problem: &P, solver: &GradientDescent, x: &[f64], outer: &F, condition: f64) -> Vec<Found>
where
    P: AssembleHessian,
    F: Outer<P>,
    Auto: HessianSolver<P>,
{
    let implicit = Implicit::new(Auto::default());
    let (z, newton) = (minimum(problem, x), Newton::new(Auto::default()));
    let solve = Solve::new(problem, &newton, x).from(&z).stop(Stop::steps(0));
    let exact = solve.run().expect("it solves").gradient_of(outer, &implicit).expect("it is finite").value;
    let size = norm(&exact);
    let mut found = Vec::new();
    for steps in STEPS {
        let solve = Solve::new(problem, solver, x).stop(Stop::steps(steps)).trail(10).record(Tape::new());
        let solution = solve.run().expect("it solves");
        for estimator in 0..NAMES.len() {
            let gradient = match estimator {
                0 if !outer.is_envelope() => continue,
                0 => solution.gradient(&Certified::new(Analytic)),
                1 => solution.gradient_of(outer, &Certified::new(Automatic)),
                2 => solution.gradient_of(outer, &Certified::new(implicit)),
                _ => solution.gradient_of(outer, &Certified::new(implicit).newton(Auto::default())),
            };
            let gradient = gradient.expect("it is finite");
            let certificate = gradient.certificate.expect("it is proved");
            let error = distance(&gradient.value, &exact);
            let whole = solution.cost_of_z().then(gradient.cost);
            found.push(Found {
                estimator,
                steps,
                condition,
                ratio: certificate.bound / error,
                at_floor: certificate.parts.rounding > 0.5 * certificate.bound,
                error: error / size,
                bound: certificate.bound / size,
                localised: certificate.localised,
                passes: certificate.cost.passes,
                seconds: certificate.cost.seconds,
                share: certificate.cost.seconds / whole.seconds,
            });
        }
    }
    found
}

fn details(found: &[Found]) -> String {
    let rows = found.iter().map(|one| {
        vec![
            format!("{:.0e}", one.condition),
            one.steps.to_string(),
            NAMES[one.estimator].to_owned(),
            format!("{:.1e}", one.error),
            format!("{:.1e}", one.bound),
            format!("{:.2}", one.ratio),
            if one.localised { "yes" } else { "no" }.to_owned(),
            one.passes.to_string(),
            format!("{:.4}", one.seconds),
            format!("{:.1}", 100.0 * one.share),
        ]
    });
    let heading = ["L/lambda", "T", "", "error", "bound", "bound / error", "localised", "passes", "s", "%"];
    aligned(heading.map(str::to_owned).to_vec(), rows.collect(), &[2])
}

fn medians(found: &[Found]) -> String {
    let heading = ["", "1e2", "1e3", "1e4"].map(str::to_owned).to_vec();
    let rows = (0..NAMES.len()).map(|estimator| {
        let of = |condition: f64| {
            let these = || found.iter().filter(|one| one.estimator == estimator && one.condition == condition);
            let mut ratios: Vec<f64> = these().filter(|one| !one.at_floor).map(|one| one.ratio).collect();
            ratios.sort_by(f64::total_cmp);
            let (count, localised) = (these().count(), these().filter(|one| one.localised).count());
            let floor = these().filter(|one| one.at_floor).fold(0.0_f64, |most, one| most.max(one.bound));
            let of_floor = format!("{} at {floor:.0e}", count - ratios.len());
            let Some(largest) = ratios.last() else { return format!("-; -; {localised}/{count}; {of_floor}") };
            let median = (ratios[(ratios.len() - 1) / 2] + ratios[ratios.len() / 2]) / 2.0;
            format!("{median:.2}; {largest:.1e}; {localised}/{count}; {of_floor}")
        };
        [NAMES[estimator].to_owned()].into_iter().chain(CONDITIONS.map(of)).collect()
    });
    aligned(heading, rows.collect(), &[0])
}

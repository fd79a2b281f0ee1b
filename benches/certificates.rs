//! How sharp certificates are, and what they cost: the bound over the error for each estimator, at T = 10, 100, 1000 steps of gradient descent and L / lambda =
//! 1e2, 1e3, 1e4, with respect to the targets.
//!
//! `cargo bench -p danskin-bench --bench certificates` takes the shipped sets; `-- FILE ...` other designs; `ridge` or `logistic` one problem alone. Labels are made -1 and +1, the
//! smaller and the larger half. The reference is Newton's method to rounding, its own bound told. A cost is in passes over D and in a share of the seconds of z_T and the gradient.

#[path = "sets.rs"]
mod sets;

use std::error::Error;

use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::halves;
use danskin_bench::table::aligned;
use sets::labelled;

const STEPS: [usize; 3] = [10, 100, 1000];
const CONDITIONS: [f64; 3] = [1e2, 1e3, 1e4];
const NAMES: [&str; 4] = ["g1", "g2", "g3", "g3, a solve more"];

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
        arguments.into_iter().partition(|argument| argument == "ridge" || argument == "logistic");
    let is_asked = |name: &str| problems.is_empty() || problems.iter().any(|asked| asked == name);
    let sets = labelled(&files, &["digits", "debian_small"])?;
    let mut by_problem = [("ridge", Vec::new()), ("logistic", Vec::new())];
    for (name, design, labels) in sets {
        let x = halves(&labels);
        println!("{name}: {} x {}, {} entries", design.rows(), design.columns(), design.entries());
        let design = std::sync::Arc::new(design);
        for (problem, found) in by_problem.iter_mut().filter(|(problem, _)| is_asked(problem)) {
            let mut of_set = Vec::new();
            for condition in CONDITIONS {
                if *problem == "ridge" {
                    of_set.extend(certificates(&design, Squared, &x, condition));
                } else {
                    of_set.extend(certificates(&design, Logistic, &x, condition));
                }
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

fn certificates<L: Loss + Copy>(design: &std::sync::Arc<Design>, loss: L, x: &[f64], condition: f64) -> Vec<Found> {
    let mut ctx = Ctx::new();
    let zeros = vec![0.0; design.columns()];
    let unpenalised = Glm::new(std::sync::Arc::clone(design), loss, 0.0).expect("a penalty");
    let smoothness = unpenalised.loss_smoothness(Point::new(&zeros, x), &mut ctx).expect("it is bounded");
    let lambda = smoothness / (condition - 1.0);
    let problem = Glm::new(std::sync::Arc::clone(design), loss, lambda).expect("a penalty");
    let newton = Newton::new(Auto::default());
    let minimum = Solve::new(&problem, &newton, x).stop(Stop::tolerance(1e-15).within(60)).run().expect("it solves");
    let exact = minimum.gradient(&Implicit::new(Auto::default())).expect("it is finite").value;
    let size = norm(&exact);
    let step = StepSize::Fixed(1.0 / (smoothness + lambda));
    let solver = GradientDescent::new(step);
    let mut found = Vec::new();
    for steps in STEPS {
        let solve = Solve::new(&problem, &solver, x).stop(Stop::steps(steps)).trail(10).record(Tape::new());
        let solution = solve.run().expect("it solves");
        let implicit = Implicit::new(Auto::default());
        for estimator in 0..NAMES.len() {
            let gradient = match estimator {
                0 => solution.gradient(&Certified::new(Analytic)),
                1 => solution.gradient(&Certified::new(Automatic)),
                2 => solution.gradient(&Certified::new(implicit)),
                _ => solution.gradient(&Certified::new(implicit).newton(Auto::default())),
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

//! `danskin compare`.

use std::process::ExitCode;

use danskin::prelude::{Regularity, Wrt};
use danskin_bench::Against;
use danskin_bench::choice::{Choices, SolverKind};
use danskin_bench::compare::{Comparison, Law, Settings, compare};
use danskin_bench::report::{self, CompareReport, Instance};

use crate::args::{CompareArgs, PenaltyName, Values};
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::input::{self, Penalty};
use crate::output::{Folder, print};
use crate::progress;

pub(crate) fn run(args: &CompareArgs, quiet: bool) -> Result<ExitCode, Failure> {
    let (mut ctx, choices) = (progress::context(quiet), args.method.choices(args.tape.kept())?);
    let penalty = Penalty::chosen(args.penalty.lambda, args.penalty.condition, &args.inputs);
    let input = input::read(args.problem, &args.design, penalty, Values::F64, &args.inputs, &choices, &mut ctx)?;
    let folder = Folder::open(&args.output)?;

    // L_xz of a quadratic loss is constant for targets alone.
    let constant_cross = args.inputs.wrt == Wrt::Targets && matches!(args.inputs.penalty, PenaltyName::Ridge);
    let law = match choices.solver {
        _ if input.problem.strong_convexity(&input.x) == 0.0 => Law::Unknown,
        SolverKind::Backtracking | SolverKind::Lbfgs | SolverKind::Newton => Law::Unknown,
        _ => match args.problem.regularity() {
            Regularity::Quadratic if constant_cross => Law::Quadratic,
            Regularity::Kinked => Law::Unknown,
            _ => Law::StronglyConvex,
        },
    };
    let settings = Settings {
        initial: input.initial.as_deref(),
        choices,
        iterations: args.iterations.clone(),
        tolerance: args.method.tolerance,
        law,
    };
    let found = compare(input.problem.as_ref(), &input.x, &settings, &mut ctx);
    drop(ctx);
    let plots = Against::ALL.into_iter().map(plot);
    let comparison = found.map_err(|error| folder.without_results(error.into(), plots))?;
    progress::check_interrupt()?;

    let heading = heading(&input.instance, &comparison);
    let plots = write(&folder, input.instance, &settings.choices, &comparison)?;
    print(&heading)?;
    print(&comparison.table())?;
    if !quiet {
        print(&folder.written(&plots))?;
    }
    let mut code = ExitCode::SUCCESS;
    for kind in &settings.choices.estimators {
        let measures =
            comparison.rows.iter().flat_map(|row| row.measures.iter().map(move |measure| (row.steps, measure)));
        let failed =
            measures.filter(|(_, measure)| measure.estimator == *kind).find_map(|(t, m)| Some((t, m.error.err()?)));
        if let Some((t, error)) = failed {
            warn(&format!("{kind} at t = {t}: {error}"));
            code = ExitCode::from(ESTIMATOR_FAILED);
        }
    }
    Ok(code)
}

fn heading(instance: &Instance, comparison: &Comparison) -> String {
    let passes = comparison.setup_passes;
    let step =
        comparison.step.map(|rho| format!(", step {rho:.6e} ({passes} passes to choose it)")).unwrap_or_default();
    format!(
        "{}{step}\n{}\nerrors are ‖g - g*‖; seconds, passes over D and memory are those of z_t and the gradient together\n\n",
        about(instance),
        comparison.reference.describe(),
    )
}

/// The instance on two lines, and whether its design is a shipped one.
pub(crate) fn about(instance: &Instance) -> String {
    let shipped = if danskin_data::Shipped::find(&instance.design).is_some() { " (shipped with danskin)" } else { "" };
    instance.describe(shipped)
}

fn plot(against: Against) -> String {
    format!("error-{}.svg", against.name())
}

/// Writes the reports and plots, and returns the names of the plots.
fn write(
    folder: &Folder,
    instance: Instance,
    choices: &Choices,
    comparison: &Comparison,
) -> Result<Vec<String>, Failure> {
    let title = format!("{} on {}, {}", instance.problem, instance.design, instance.lambda_text());
    folder.write_report(&CompareReport::new(instance, choices, comparison))?;
    folder.write_table(report::csv(comparison))?;
    let plots = Against::ALL.map(|against| (plot(against), comparison.plot(against, &title)));
    folder.write_plots(plots)
}

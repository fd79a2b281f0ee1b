//! `danskin compare`.

use std::process::ExitCode;

use anyhow::Context;
use danskin::prelude::{Regularity, Wrt};
use danskin::solve::Status;
use danskin::vector::norm;
use danskin_bench::Against;
use danskin_bench::choice::SolverKind;
use danskin_bench::compare::{CompareError, Comparison, Law, Settings, compare};
use danskin_bench::report::{self, CompareReport, Instance};

use crate::args::{CompareArgs, PenaltyName, Values};
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::input::{self, Penalty};
use crate::output::{Folder, REPORT, print};
use crate::progress;

pub(crate) fn run(args: &CompareArgs, quiet: bool) -> Result<ExitCode, Failure> {
    let (mut ctx, choices) = (progress::context(quiet), args.method.choices()?);
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
    let comparison = found.map_err(|error| match error {
        CompareError::Interrupted => Failure::Interrupted,
        CompareError::Solve(error) => error.into(),
        CompareError::NoIterations => Failure::Input(error.into()),
        error => Failure::Solve(error.into()),
    });
    if let Err(Failure::Solve(_)) = comparison {
        // What an earlier run left would pass for the result of this one.
        let files = [REPORT.to_owned(), TABLE.to_owned()].into_iter().chain(Against::ALL.into_iter().map(plot));
        files.into_iter().try_for_each(|file| folder.remove(&file))?;
    }
    let comparison = comparison?;
    progress::check_interrupt()?;

    let heading = heading(&input.instance, &comparison);
    let files = write(&folder, input.instance, &comparison)?;
    print(&heading)?;
    print(&comparison.table())?;
    if !quiet {
        print(&format!("\nwritten to {}: {}\n", args.output.display(), files.join(", ")))?;
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
    let reference = &comparison.reference;
    let Instance { problem, design, rows, columns, entries, wrt, parameters, solver, .. } = instance;
    let shipped = if danskin_data::Shipped::find(design).is_some() { " (shipped with danskin)" } else { "" };
    let (lambda, passes) = (instance.lambda_text(), comparison.setup_passes);
    let step =
        comparison.step.map(|rho| format!(", step {rho:.6e} ({passes} passes to choose it)")).unwrap_or_default();
    let doubt = if reference.status == Status::Converged { "" } else { ": not converged, errors below are doubtful" };
    format!(
        "{problem} on {design}{shipped}: {rows} rows, {columns} columns, {entries} entries\n\
         {lambda}, x: {wrt} ({parameters} numbers), solver {solver}{step}\n\
         g* by the {} estimator after {} steps of Newton-CG, relative gradient norm {:.1e}{doubt}; ‖g*‖ = {:.6e}\n\
         errors are ‖g - g*‖; seconds, passes over D and memory are those of z_t and the gradient together\n\n",
        reference.estimator,
        reference.steps,
        reference.relative_residual,
        norm(&reference.gradient),
    )
}

const TABLE: &str = "report.csv";

fn plot(against: Against) -> String {
    format!("error-{}.svg", against.name())
}

/// Writes the reports and plots, and returns their names.
fn write(folder: &Folder, instance: Instance, comparison: &Comparison) -> Result<Vec<String>, Failure> {
    let title = format!("{} on {}, {}", instance.problem, instance.design, instance.lambda_text());
    folder.write_report(&CompareReport::new(instance, comparison))?;
    let csv = report::csv(comparison).context(TABLE).map_err(Failure::Output)?;
    folder.write(TABLE, |out| out.write_all(csv.as_bytes()))?;
    let mut files = vec![REPORT.to_owned(), TABLE.to_owned()];
    for against in Against::ALL {
        let file = plot(against);
        match comparison.plot(against, &title) {
            Ok(svg) => {
                folder.write(&file, |out| out.write_all(svg.as_bytes()))?;
                files.push(file);
            }
            Err(danskin_bench::PlotError::NothingToDraw) => folder.remove(&file)?,
            Err(error) => return Err(Failure::Output(anyhow::Error::new(error).context(file))),
        }
    }
    Ok(files)
}

//! `danskin gradient`.

use std::process::ExitCode;

use anyhow::anyhow;
use danskin::prelude::{Basis, Certificate, Gradient, SolveError, Status, Stop};
use danskin::vector::norm;
use danskin_bench::choice::Choices;
use danskin_bench::report::{FailureReport, GradientReport, Instance, message};
use danskin_bench::resident::Watch;
use danskin_bench::rounding;
use danskin_bench::trajectory::trajectory;
use danskin_data::write_vector;

use crate::adaptive;
use crate::args::GradientArgs;
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::input::{self, Penalty};
use crate::output::{Folder, print};
use crate::progress;

pub(crate) fn run(args: &GradientArgs, quiet: bool) -> Result<ExitCode, Failure> {
    if args.method.estimator.is_auto() {
        return adaptive::run(args, quiet);
    }
    if args.accuracy.accuracy().is_some() || args.accuracy.time.is_some() {
        let message = "--gradient-tolerance, --relative-gradient-tolerance and --time are for --estimator auto";
        return Err(Failure::Input(anyhow!(message)));
    }
    let Some(iterations) = args.iterations else {
        return Err(Failure::Input(anyhow!("--iterations T is missing: only --estimator auto does without")));
    };
    let (mut ctx, choices) = (progress::context(quiet), args.method.choices(args.tape.kept())?);
    let choices = Choices { certify: true, ..choices };
    let penalty = Penalty::chosen(args.lambda, args.condition, &args.inputs);
    let input = input::read(args.problem, &args.design, penalty, args.values, &args.inputs, &choices, &mut ctx)?;
    let folder = Folder::open(&args.output)?;

    let stop = match args.method.tolerance {
        Some(tolerance) => Stop::tolerance(tolerance).within(iterations),
        None => Stop::steps(iterations),
    };
    let initial = input.initial.as_deref();
    let watch = Watch::start();
    let found = trajectory(input.problem.as_ref(), &input.x, initial, &choices, &[stop], &mut ctx);
    let resident = watch.end();
    progress::check_interrupt()?;
    let snapshot = match found {
        // One stop gives one snapshot.
        Ok(mut snapshots) => snapshots.remove(0),
        Err(error) => return Err(nothing(&folder, input.instance, &choices, error)),
    };

    let mut report = GradientReport::new(input.instance, &choices, &snapshot, resident);
    let mut effect = None;
    if let Some((exact, found)) = &input.exact {
        if snapshot.status != Status::Diverged {
            let problem = input.problem.as_ref();
            effect = Some(rounding::effect(problem, exact.as_ref(), &input.x, &snapshot.z, &mut ctx)?);
        }
        report = report.rounded(*found, effect.as_ref());
        progress::check_interrupt()?;
    }
    drop(ctx);

    let (mut failed, mut bounds) = (snapshot.status == Status::Diverged, String::new());
    for (kind, gradient) in &snapshot.estimates {
        let file = format!("{kind}.npy");
        match gradient {
            Ok(gradient) => folder.write(&file, |out| write_vector(out, &gradient.value))?,
            Err(_) => folder.remove(&file)?,
        }
        failed |= gradient.is_err();
        let linear = gradient.as_ref().ok().and_then(|gradient| gradient.linear);
        if let Some(message) = message(gradient, linear).filter(|_| gradient.is_err() || !quiet) {
            warn(&format!("{kind}: {message}"));
        }
        if let (Ok(gradient), false) = (gradient, quiet) {
            bounds.push_str(&format!("{kind}: {}\n", certified(gradient)));
        }
    }
    if snapshot.status == Status::Diverged {
        folder.remove("z.npy")?;
    } else {
        folder.write("z.npy", |out| write_vector(out, &snapshot.z))?;
    }
    folder.write_report(&report)?;
    if !quiet {
        print(&format!(
            "{} after {} steps{}: L = {:e}, ‖grad_z‖ = {:e}; written to {}\n",
            snapshot.status.name(),
            snapshot.steps,
            snapshot.step.map(|rho| format!(" of {rho:e}")).unwrap_or_default(),
            snapshot.value,
            snapshot.residual,
            args.output.display()
        ))?;
        print(&bounds)?;
        match effect {
            Some(Ok(effect)) => {
                print(&format!(
                    "rounding D to f32 changes grad l by {:.1e} in norm, to first order\n",
                    norm(&effect.value)
                ))?;
            }
            Some(Err(error)) => warn(&format!("what rounding D changes in the gradient: {error}")),
            None => {}
        }
    }
    Ok(if failed { ExitCode::from(ESTIMATOR_FAILED) } else { ExitCode::SUCCESS })
}

/// How wrong `gradient` can be, on one line.
pub(crate) fn certified(gradient: &Gradient) -> String {
    let size = norm(&gradient.value);
    match &gradient.certificate {
        Ok(Certificate { bound, basis, localised, .. }) => {
            let share = if size > 0.0 { format!(" ({:.1e} of ‖g‖)", bound / size) } else { String::new() };
            let far = if *localised || *basis == Basis::Estimated { "" } else { ", not localised: z is far from z*" };
            format!("‖g - grad l‖ <= {bound:.1e}{share}, {}{far}", basis.name())
        }
        Err(reason) => format!("no bound: {reason}"),
    }
}

/// Leaves a report of a solve that failed, and nothing that an earlier one left.
fn nothing(folder: &Folder, instance: Instance, choices: &Choices, error: SolveError) -> Failure {
    let failure = Failure::from(error);
    if let Failure::Solve(_) = failure {
        let files = choices.estimators.iter().map(|kind| format!("{kind}.npy")).chain(["z.npy".to_owned()]);
        let removed: Result<(), Failure> = files.into_iter().try_for_each(|file| folder.remove(&file));
        let written = removed.and_then(|()| folder.write_report(&FailureReport::new(instance, choices, &error)));
        return written.err().unwrap_or(failure);
    }
    failure
}

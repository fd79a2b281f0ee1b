//! `danskin gradient --estimator auto`.

use std::process::ExitCode;

use anyhow::anyhow;
use danskin::adaptive::{AdaptiveError, Outcome};
use danskin_bench::adaptive::{AdaptiveReport, Request, adaptive};
use danskin_bench::choice::Kept;
use danskin_bench::report::FailureReport;
use danskin_bench::resident::Watch;
use danskin_data::write_vector;

use crate::args::{GradientArgs, Values};
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::gradient::certified;
use crate::input::{self, Penalty};
use crate::output::{Folder, REPORT, print};
use crate::progress;

const FILE: &str = "auto.npy";

pub(crate) fn run(args: &GradientArgs, quiet: bool) -> Result<ExitCode, Failure> {
    let mut ctx = progress::context(quiet);
    let choices = args.method.choices_of_auto()?;
    let refuse = |what: &str| Err(Failure::Input(anyhow!("{what}")));
    let Some(accuracy) = args.accuracy.accuracy() else {
        return refuse("--estimator auto asks for --gradient-tolerance or --relative-gradient-tolerance");
    };
    if args.tape.last.is_some() {
        return refuse("--last does not go with --estimator auto");
    }
    if args.values == Values::F32 {
        return refuse("--values f32 does not go with --estimator auto: its bound is for D as it is stored");
    }
    let penalty = Penalty::chosen(args.lambda, args.condition, &args.inputs);
    let mut input = input::read(args.problem, &args.design, penalty, args.values, &args.inputs, &choices, &mut ctx)?;
    if args.method.named_solver().is_none() {
        input.instance.solver = "auto";
    }
    let folder = Folder::open(&args.output)?;
    let request = Request {
        accuracy,
        solver: args.method.named_solver(),
        steps: args.iterations,
        seconds: args.accuracy.time.map(|time| time.as_secs_f64()),
        bytes: args.tape.memory,
    };
    let watch = Watch::start();
    let found = adaptive(input.problem.as_ref(), &input.x, input.initial.as_deref(), &request, &choices, &mut ctx);
    let resident = watch.end();
    progress::check_interrupt()?;
    let chosen = match found {
        Ok(chosen) => chosen,
        Err(error) => {
            let failure = match error.clone() {
                AdaptiveError::Solve(error) => Failure::from(error),
                error @ (AdaptiveError::Tolerance { .. } | AdaptiveError::Seconds { .. }) => {
                    Failure::Input(error.into())
                }
                error => Failure::Solve(error.into()),
            };
            if let Failure::Solve(_) = failure {
                // What an earlier run left would pass for the result of this one.
                [FILE, "z.npy", REPORT].into_iter().try_for_each(|file| folder.remove(file))?;
                if let AdaptiveError::Solve(error) = &error {
                    folder.write_report(&FailureReport::of(input.instance, Kept::Steps, ["auto"], error))?;
                }
            }
            return Err(failure);
        }
    };
    folder.write(FILE, |out| write_vector(out, &chosen.gradient.value))?;
    folder.write("z.npy", |out| write_vector(out, &chosen.z))?;
    folder.write_report(&AdaptiveReport::new(input.instance, &request, &chosen, resident))?;
    if !quiet {
        print(&format!(
            "{}\n{} passes over D, {:.3} s: {}\nauto: {}; written to {}\n",
            chosen.outcome.name(),
            chosen.cost.passes,
            chosen.cost.seconds,
            chosen.why(),
            certified(&chosen.gradient),
            args.output.display()
        ))?;
    }
    if chosen.outcome == Outcome::Met {
        return Ok(ExitCode::SUCCESS);
    }
    warn(&format!("auto: {}: {}", chosen.outcome.name(), said(chosen.outcome, chosen.asked)));
    Ok(ExitCode::from(ESTIMATOR_FAILED))
}

/// What an outcome means, with the bound that was not met.
fn said(outcome: Outcome, asked: f64) -> String {
    match outcome {
        Outcome::FloorReached => format!("rounding leaves more than the {asked:.1e} asked for"),
        Outcome::NotLocalised => {
            format!("z is so far from z* that its bound says little; {asked:.1e} was asked for")
        }
        _ => format!("the steps or seconds were used up before the bound was {asked:.1e}"),
    }
}

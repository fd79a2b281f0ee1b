//! `danskin`: gradients of functions defined as a minimum, on files.
//!
//! Exit codes: 0 done, the iteration cap included; 1 an output failed; 2 bad input or an unsupported pair; 3 an estimator
//! that was asked for failed; 130 interrupted.

mod adaptive;
mod args;
mod bench;
mod check;
mod compare;
mod data;
mod failure;
mod gradient;
mod input;
mod lasso;
mod make;
mod measure;
mod output;
mod progress;
mod reproduce;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Args, Command, CompareArgs};
use failure::Failure;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => return refused(&error),
        Err(error) => return failure::code(output::print(&error.render().to_string()).map(|()| ExitCode::SUCCESS)),
    };
    failure::code(run(args))
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    progress::catch_interrupts();
    // 0 is as many as there are cores.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.unwrap_or_default().into());
    let pool = pool.build().map_err(|error| Failure::Input(error.into()))?;
    // One of the pool's threads runs all: another would hand each pass over to it, and wait.
    pool.install(|| command(args))
}

fn command(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Some(Command::Gradient(command)) => gradient::run(&command, args.quiet),
        Some(Command::Compare(command)) => compare::run(&command, args.quiet),
        Some(Command::Bench(command)) => bench::run(&command, args.threads, args.quiet),
        Some(Command::Check(command)) => check::run(&command),
        Some(Command::Data(command)) => data::run(&command, args.quiet),
        Some(Command::Lasso(command)) => lasso::run(&command, args.quiet),
        Some(Command::Reproduce(command)) => reproduce::run(&command, args.quiet),
        None => {
            output::print("danskin compare, with its defaults; `danskin --help` tells what else there is\n")?;
            compare::run(&CompareArgs::default_values(), args.quiet)
        }
    }
}

/// What clap found wrong, on one line.
fn refused(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let reason = match error.kind() {
        // Clap shows the help text for these; the line says what is missing.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "expected a subcommand: see `danskin --help`".to_owned(),
        _ => {
            let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
            lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned()
        }
    };
    failure::code(Err(Failure::Input(anyhow::Error::msg(reason))))
}

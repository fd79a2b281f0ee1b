//! One measurement of `danskin bench` in a process of its own: how it is started, and what it does.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use danskin::ctx::Ctx;
use danskin::prelude::Stop;
use danskin_bench::choice::{Choices, Kept};
use danskin_bench::measure::{Found, Missing, Outcome, Timed, Work, passes};
use danskin_data::read_vector;
use serde::{Deserialize, Serialize};

use crate::args::{BenchArgs, Values};
use crate::failure::Failure;
use crate::input::{self, Input, Penalty};
use crate::output::print;
use crate::progress::{self, INTERRUPTED_CODE, check_interrupt};

/// Between two looks at whether a process has ended.
const PAUSE: Duration = Duration::from_millis(5);
/// Times that each pass is timed by one process.
const PASSES: usize = 5;

/// A synthetic design.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    /// What it is called.
    pub(crate) name: String,
    pub(crate) design: PathBuf,
    pub(crate) targets: PathBuf,
}

/// What a process is told beyond the command line of the one that starts it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// In the place of `--design`.
    pub(crate) made: Option<Made>,
    pub(crate) threads: usize,
    pub(crate) work: Work,
    /// The file of g*.
    pub(crate) reference: PathBuf,
}

impl FromStr for Task {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// The problem of `args`, on the design that was made or that they name.
pub(crate) fn read(args: &BenchArgs, made: Option<&Made>, choices: &Choices, ctx: &mut Ctx) -> Result<Input, Failure> {
    let penalty = Penalty::chosen(args.penalty.lambda, args.penalty.condition, &args.inputs);
    let mut inputs = args.inputs.clone();
    let design = match (made, &args.design) {
        (Some(made), _) => {
            inputs.targets = Some(made.targets.clone());
            &made.design
        }
        (None, Some(design)) => design,
        (None, None) => return Err(Failure::Input(anyhow!("expected --design"))),
    };
    let mut input = input::read(args.problem, design, penalty, Values::F64, &inputs, choices, ctx)?;
    if let Some(made) = made {
        input.instance.design.clone_from(&made.name);
    }
    Ok(input)
}

/// Does what `task` says and prints what was found.
pub(crate) fn serve(args: &BenchArgs, task: &Task) -> Result<ExitCode, Failure> {
    end_with_input();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(task.threads).build();
    let outcome = pool.map_err(|error| Failure::Input(error.into()))?.install(|| measure(args, task))?;
    check_interrupt()?;
    let text = serde_json::to_string(&outcome).map_err(|error| Failure::Output(error.into()))?;
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Ends this process when its input does: whoever started it holds the other end until there is no use for it.
fn end_with_input() {
    let wait = || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(INTERRUPTED_CODE.into());
    };
    // Where there is no thread for it, what is begun is finished.
    let _ = std::thread::Builder::new().spawn(wait);
}

fn measure(args: &BenchArgs, task: &Task) -> Result<Outcome, Failure> {
    let mut ctx = progress::context(true);
    let mut choices = args.method.choices_of_any(Kept::Steps)?;
    let Work::Gradient { estimator, iterations, memory } = task.work else {
        let input = read(args, task.made.as_ref(), &choices, &mut ctx)?;
        let samples = passes(input.problem.as_ref(), input.matrix(), &input.x, PASSES, &mut ctx);
        return Ok(samples.map(Found::Passes).map_err(|error| Missing::new("out-of-memory", error)));
    };
    choices.kept = memory.map_or(Kept::Steps, Kept::Within);
    let input = read(args, task.made.as_ref(), &choices, &mut ctx)?;
    let stop = args
        .method
        .tolerance
        .map_or(Stop::steps(iterations), |tolerance| Stop::tolerance(tolerance).within(iterations));
    let initial = input.initial.as_deref();
    let timed = Timed::take(input.problem.as_ref(), &input.x, initial, estimator, &choices, stop, &mut ctx);
    // Only now, as it is no memory of the estimator's.
    let reference = read_vector(&task.reference).map_err(|error| Failure::Input(error.into()))?;
    Ok(timed.map_err(Missing::from).and_then(|timed| timed.sample(&reference)).map(Found::Gradient))
}

/// A process that ends when this value does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to be done.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Waits for its end, or for Ctrl-C.
    fn end(mut self) -> Result<io::Result<ExitStatus>, Failure> {
        loop {
            match self.0.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return Ok(Ok(status)),
                Err(error) => return Ok(Err(error)),
            }
            check_interrupt()?;
            std::thread::sleep(PAUSE);
        }
    }
}

/// Has a process of its own do `task`, on the command line of this one; `folder` is for what it says meanwhile.
pub(crate) fn start(task: &Task, folder: &Path) -> Result<Outcome, Failure> {
    let task = serde_json::to_string(task).map_err(|error| Failure::Input(error.into()))?;
    let started = || -> anyhow::Result<_> {
        // Files, as a process whose output nobody reads yet would wait where a pipe is full.
        let (stdout, stderr) = (tempfile::tempfile_in(folder)?, tempfile::tempfile_in(folder)?);
        // Before the subcommand there are flags and numbers alone.
        let mut words: Vec<_> = std::env::args_os().skip(1).collect();
        words.extract_if(.., |word| word == "bench").next();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bench").arg("--task").arg(task).args(words);
        // What reading the problem freed goes back to the system, or work that takes it again would seem to take none (glibc,
        // mallopt(3)).
        command.env("MALLOC_TRIM_THRESHOLD_", "0").env("MALLOC_MMAP_THRESHOLD_", "65536");
        command.stdin(Stdio::piped()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        Ok((Running(command.spawn()?), stdout, stderr))
    };
    let (running, mut stdout, mut stderr) =
        started().context("a process for a measurement").map_err(Failure::Output)?;
    let ended = running.end()?;
    let said = |file: &mut File| {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).map(|_| text)
    };
    let outcome = ended.and_then(|status| Ok((status, said(&mut stdout)?, said(&mut stderr)?)));
    match outcome {
        Err(error) => Ok(Err(Missing::process_failed(error))),
        Ok((status, ..)) if status.code() == Some(INTERRUPTED_CODE.into()) => Err(Failure::Interrupted),
        Ok((status, stdout, _)) if status.success() => {
            Ok(serde_json::from_str(&stdout).unwrap_or_else(|error| Err(Missing::process_failed(error))))
        }
        Ok((status, _, stderr)) => {
            let reason = stderr.trim().trim_start_matches("danskin: ");
            Ok(Err(Missing::process_failed(if reason.is_empty() { status.to_string() } else { reason.to_owned() })))
        }
    }
}

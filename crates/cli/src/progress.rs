//! Progress on a terminal, and a clean end on Ctrl-C.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use danskin::ctx::{Ctx, Phase, Tick};
use danskin_data::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::failure::Failure;

/// Whether someone asked to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether loops look at [`INTERRUPTED`] by now.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Exit code of an interrupted program, as shells report it.
pub(crate) const INTERRUPTED_CODE: u8 = 130;

/// Lets Ctrl-C, and a request to terminate, end the program: at once while files are read, and when it is asked for again;
/// else at the next tick of a loop.
pub(crate) fn catch_interrupts() {
    let handler = || {
        let again = INTERRUPTED.swap(true, Ordering::Relaxed);
        if again || !WATCHED.load(Ordering::Relaxed) {
            std::process::exit(INTERRUPTED_CODE.into());
        }
    };
    // Where no handler can be set, the default one ends the program at once.
    let _ = ctrlc::set_handler(handler);
}

/// From here on an interrupt waits for the next tick, so that what is being written is finished or taken back.
pub(crate) fn watch_for_interrupts() {
    WATCHED.store(true, Ordering::Relaxed);
}

/// From here on nothing is written, and an interrupt ends the program at once.
pub(crate) fn stop_watching_for_interrupts() {
    WATCHED.store(false, Ordering::Relaxed);
}

/// Ends a command between its loops if Ctrl-C was pressed.
pub(crate) fn check_interrupt() -> Result<(), Failure> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) }
}

/// What a loop is called, and whether its number of iterations is known beforehand or only a cap.
fn name(phase: Phase) -> (&'static str, bool) {
    match phase {
        Phase::Norm => ("norm of D", false),
        Phase::Solve => ("solve", true),
        Phase::Reverse => ("reverse pass", true),
        Phase::Linear => ("linear solve", false),
        Phase::Assembly => ("assembly", true),
        Phase::Repetition => ("repetitions", true),
        _ => ("work", false),
    }
}

/// Shows on a terminal, unless `quiet`, how far a download has come.
pub(crate) fn download(quiet: bool) -> impl FnMut(Progress) {
    let bar = ProgressBar::with_draw_target(None, target(quiet)).with_finish(ProgressFinish::AndClear);
    let template = "fetch         [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}";
    bar.set_style(styled(template));
    move |progress| {
        // The size of what is not said is what there is of it.
        bar.set_length(progress.total.unwrap_or(progress.received));
        bar.set_position(progress.received);
    }
}

/// Shows on a terminal, unless `quiet`, how many of `what` are done, and asks to end on Ctrl-C.
pub(crate) fn count(what: &'static str, quiet: bool) -> impl FnMut(u64, u64) -> ControlFlow<()> {
    let bar = ProgressBar::with_draw_target(None, target(quiet)).with_finish(ProgressFinish::AndClear);
    bar.set_style(style(true));
    bar.set_message(what);
    move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if INTERRUPTED.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn target(quiet: bool) -> ProgressDrawTarget {
    if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) }
}

fn style(known: bool) -> ProgressStyle {
    let template =
        if known { "{msg:13} [{bar:40}] {pos}/{len} {elapsed} (eta {eta})" } else { "{msg:13} {pos} {elapsed}" };
    styled(template)
}

fn styled(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).map_or_else(|_| ProgressStyle::default_bar(), |s| s.progress_chars("=> "))
}

/// A context whose loops can be interrupted and, unless `quiet`, show a bar on a terminal.
pub(crate) fn context(quiet: bool) -> Ctx {
    let bar = ProgressBar::with_draw_target(None, target(quiet)).with_finish(ProgressFinish::AndClear);
    let mut current = None;
    Ctx::watched(Box::new(move |tick: Tick| {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        if current != Some(tick.phase) {
            current = Some(tick.phase);
            let (name, known) = name(tick.phase);
            bar.reset();
            bar.set_style(style(known));
            bar.set_message(name);
        }
        bar.set_length(tick.total as u64);
        bar.set_position(tick.done as u64);
        ControlFlow::Continue(())
    }))
}

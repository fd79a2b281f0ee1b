//! Progress on a terminal, and a clean end on Ctrl-C.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use danskin::ctx::{Ctx, Phase, Tick};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::failure::Failure;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C, and a request to terminate, end the loops at their next tick.
pub(crate) fn catch_interrupts() {
    // Where no handler can be set, the default one ends the program at once, which leaves no half-written file either.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// Ends a command between its loops if Ctrl-C was pressed.
pub(crate) fn check_interrupt() -> Result<(), Failure> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) }
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Norm => "norm of D",
        Phase::Solve => "solve",
        Phase::Reverse => "reverse pass",
        Phase::Linear => "linear solve",
        _ => "work",
    }
}

/// A context whose loops can be interrupted and, unless `quiet`, show a bar on a terminal.
pub(crate) fn context(quiet: bool) -> Ctx {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) };
    let style = ProgressStyle::with_template("{msg:13} [{bar:40}] {pos}/{len} {elapsed} (eta {eta})")
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "));
    let bar = ProgressBar::with_draw_target(None, target).with_style(style).with_finish(ProgressFinish::AndClear);
    let mut current = None;
    Ctx::watched(Box::new(move |tick: Tick| {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        if current != Some(tick.phase) {
            current = Some(tick.phase);
            bar.reset();
            bar.set_message(name(tick.phase));
        }
        bar.set_length(tick.total as u64);
        bar.set_position(tick.done as u64);
        ControlFlow::Continue(())
    }))
}

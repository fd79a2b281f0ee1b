//! The point at which a solver's gradient was taken, as its rule records it.

use danskin_core::problem::{Point, Problem};
use danskin_core::solver::State;

use crate::rule::Recorded;

/// Whether a point is recorded by its memo (D z_t, length n) instead of z_t (length m): where it is enough, and shorter.
/// Either gives the same bits: a pass computes D z_t from z_t in the order that the memo was computed in.
fn keeps_memo<P: Problem + ?Sized>(problem: &P) -> bool {
    problem.memo_replaces_latent() && problem.memo_len() <= problem.latent_len()
}

/// Numbers of a recorded point.
pub(crate) fn point_len<P: Problem + ?Sized>(problem: &P) -> usize {
    if keeps_memo(problem) { problem.memo_len() } else { problem.latent_len() }
}

/// Writes where `state` is to the front of `record`; what follows is the rule's own.
pub(crate) fn record_point<'a, P: Problem + ?Sized>(
    problem: &P,
    state: &impl State,
    record: &'a mut [f64],
) -> &'a mut [f64] {
    let (point, rest) = record.split_at_mut(point_len(problem));
    point.copy_from_slice(if keeps_memo(problem) { state.memo() } else { state.latent() });
    rest
}

/// The point at the front of a record, and what follows it.
pub(crate) fn recorded_point<'a, P: Problem + ?Sized, T>(step: &Recorded<'a, P, T>) -> (Point<'a>, &'a [f64]) {
    let (point, rest) = step.record.split_at(point_len(step.problem));
    if keeps_memo(step.problem) {
        (Point { z: &[], x: step.x, memo: point, grad_z: &[] }, rest)
    } else {
        (Point::new(point, step.x), rest)
    }
}

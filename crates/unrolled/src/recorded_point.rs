//! The point at which a solver's gradient was taken, as its rule records it.

use danskin_core::ctx::Ctx;
use danskin_core::problem::{Point, Problem};
use danskin_core::solver::{SolveError, Solver, State, Step};

use crate::rule::Recorded;

/// Whether a point is recorded by its memo (D z_t, length n) instead of z_t (length m): where it is enough, and shorter.
/// Either gives the same bits: a pass computes D z_t from z_t in the order that the memo was computed in. A memo without
/// numbers is no memo.
fn keeps_memo<P: Problem + ?Sized>(problem: &P) -> bool {
    problem.memo_replaces_latent() && (1..=problem.latent_len()).contains(&problem.memo_len())
}

/// Numbers of a recorded point: none where second derivatives are the same at every point, so that z_T will do.
pub(crate) fn point_len<P: Problem + ?Sized>(problem: &P) -> usize {
    match problem {
        problem if problem.has_constant_second_derivatives() => 0,
        problem if keeps_memo(problem) => problem.memo_len(),
        problem => problem.latent_len(),
    }
}

/// Writes what of `at` is recorded.
pub(crate) fn write_point<P: Problem + ?Sized>(problem: &P, at: Point<'_>, record: &mut [f64]) {
    if !problem.has_constant_second_derivatives() {
        record.copy_from_slice(if keeps_memo(problem) { at.memo } else { at.z });
    }
}

/// The point that `record` was written at; `known` stands for it where second derivatives are the same everywhere.
pub(crate) fn read_point<'a, P: Problem + ?Sized>(problem: &P, record: &'a [f64], known: Point<'a>) -> Point<'a> {
    if problem.has_constant_second_derivatives() {
        // With its memo, so that D z is not computed at every step.
        known
    } else if keeps_memo(problem) {
        Point { z: &[], memo: record, grad_z: &[], ..known }
    } else {
        Point::new(record, known.x)
    }
}

/// Takes a step, with the point before it at the front of `record`; `rest` writes what follows, once the step is taken.
pub(crate) fn step_recorded<P, S>(
    solver: &S,
    problem: &P,
    x: &[f64],
    state: &mut S::State,
    record: &mut [f64],
    ctx: &mut Ctx,
    rest: impl FnOnce(&S::State, &mut [f64]),
) -> Result<Step, SolveError>
where
    P: Problem + ?Sized,
    S: Solver<P>,
{
    let (point, after) = record.split_at_mut(point_len(problem));
    write_point(problem, state.at(x), point);
    let step = solver.step(problem, x, state, ctx)?;
    rest(state, after);
    Ok(step)
}

/// The point at the front of a record, and what follows it.
pub(crate) fn recorded_point<'a, P, T>(step: &Recorded<'a, P, T>) -> (Point<'a>, &'a [f64])
where
    P: Problem + ?Sized,
    T: State,
{
    let (point, rest) = step.record.split_at(point_len(step.problem));
    (read_point(step.problem, point, step.state.at(step.x)), rest)
}

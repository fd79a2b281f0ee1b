//! The terms of a stochastic step, drawn again for its derivative.

use danskin_core::solver::Draws;

/// Terms of a step that are drawn again without an allocation.
const FEW: usize = 64;

/// Calls `with` with the terms of the step from `t` to `t` + 1, out of `terms` of them.
pub(crate) fn with_terms(draws: Draws, t: usize, terms: usize, with: impl FnOnce(&[usize])) {
    let (mut few, mut many) = ([0; FEW], Vec::new());
    let batch = if draws.batch_len() <= FEW {
        &mut few[..draws.batch_len()]
    } else {
        many.resize(draws.batch_len(), 0);
        &mut many[..]
    };
    draws.of_step(t, terms, batch);
    with(batch);
}

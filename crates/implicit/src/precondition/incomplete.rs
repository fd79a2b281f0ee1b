//! M = L L^T, L in the pattern of the lower triangle of L_zz: incomplete Cholesky, IC(0), of L_zz scaled to unit diagonal.
//!
//! Where a pivot is lost, everything begins again with more on the diagonal: nothing at first, then 1e-3, then twice as much each
//! time. Source: Meijerink and van der Vorst, Mathematics of Computation 31, 1977; the shift is that of Manteuffel, Mathematics of
//! Computation 34, 1980, raised as by Lin and Moré, SIAM Journal on Scientific Computing 21, 1999.

use std::time::Instant;

use danskin_core::ctx::{Ctx, Phase};
use danskin_core::linear::{Hessian, LinearError, Stages};
use danskin_core::problem::AssembleHessian;
use danskin_core::symmetric::SymmetricPattern;

use super::{Made, Preconditioner};
use crate::curvature::smallest_eigenvalue;
use crate::form::SparseForm;

/// A pivot of the Hessian scaled to unit diagonal that is not above this is lost.
const LEAST_PIVOT: f64 = 1e-8;
/// The first shift after 0.
const FIRST_SHIFT: f64 = 1e-3;
/// A shift beyond which no matrix of unit diagonal that is positive semidefinite can fail: its rows are at most this long.
const MAX_SHIFT: f64 = 1e12;
/// Columns between two moments at which whoever watches is asked.
const COLUMNS_A_TICK: usize = 64;
/// No column.
const NONE: u32 = u32::MAX;

/// Incomplete Cholesky factorisation of a sparse Hessian, without fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncompleteCholesky {
    limit: u64,
}

impl Default for IncompleteCholesky {
    /// With at most 4 GiB.
    fn default() -> Self {
        Self::within(4 << 30)
    }
}

impl IncompleteCholesky {
    /// With at most `bytes` for the Hessian and its factor.
    #[must_use]
    pub fn within(bytes: u64) -> Self {
        Self { limit: bytes }
    }
}

/// The Hessian and its incomplete factor.
#[derive(Debug, Default)]
pub struct IncompleteWorkspace {
    form: SparseForm,
    /// 1 / sqrt(diagonal).
    scale: Vec<f64>,
    scaled: Vec<f64>,
    factor: Vec<f64>,
}

impl<P: AssembleHessian + ?Sized> Preconditioner<P> for IncompleteCholesky {
    type Workspace = IncompleteWorkspace;

    fn name(&self) -> Option<&'static str> {
        Some("ic0")
    }

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<Made, LinearError> {
        let start = Instant::now();
        workspace.form.update(hessian, "ic0", self.limit)?;
        let analyse = start.elapsed().as_secs_f64();
        let Some(pattern) = workspace.form.pattern() else { return Ok(Made::default()) };
        workspace.scaled.resize(pattern.entries(), 0.0);
        workspace.factor.resize(pattern.entries(), 0.0);
        let start = Instant::now();
        workspace.form.assemble(hessian, &mut workspace.scaled, ctx);
        let form = start.elapsed().as_secs_f64();
        let start = Instant::now();
        scale(pattern, &mut workspace.scaled, &mut workspace.scale)?;
        let mut shift = 0.0;
        while !factorise(pattern, &workspace.scaled, shift, &mut workspace.factor, ctx)? {
            shift = f64::max(2.0 * shift, FIRST_SHIFT);
            if shift > MAX_SHIFT {
                let product = |v: &[f64], out: &mut [f64], ctx: &mut Ctx| hessian.apply(v, out, ctx);
                let curvature = smallest_eigenvalue(pattern.len(), 0.0, &product, ctx);
                return Err(if curvature < 0.0 {
                    LinearError::NegativeCurvature { curvature }
                } else {
                    LinearError::Preconditioner { preconditioner: "ic0" }
                });
            }
        }
        let seconds = Stages { form, analyse, factor: start.elapsed().as_secs_f64(), solve: 0.0 };
        Ok(Made { factor_entries: Some(pattern.entries() as u64), shift, seconds })
    }

    fn apply(&self, workspace: &mut Self::Workspace, r: &[f64], out: &mut [f64], _: &mut Ctx) {
        let Some(pattern) = workspace.form.pattern() else { return out.copy_from_slice(r) };
        let (factor, scale) = (&workspace.factor, &workspace.scale);
        out.iter_mut().zip(r).zip(scale).for_each(|((out, r), s)| *out = r * s);
        for j in 0..pattern.len() {
            let entries = pattern.range(j);
            out[j] /= factor[entries.start];
            let solved = out[j];
            for (&i, l) in pattern.column(j).iter().zip(&factor[entries]).skip(1) {
                out[i as usize] -= l * solved;
            }
        }
        for j in (0..pattern.len()).rev() {
            let entries = pattern.range(j);
            let below = pattern.column(j).iter().zip(&factor[entries.clone()]).skip(1);
            let sum: f64 = below.map(|(&i, l)| l * out[i as usize]).sum();
            out[j] = (out[j] - sum) / factor[entries.start];
        }
        out.iter_mut().zip(scale).for_each(|(out, s)| *out *= s);
    }
}

/// Scales `values` to unit diagonal; `out` = the scales. A coordinate with a diagonal of 0 is in no row and has no penalty: its scale
/// is 1.
fn scale(pattern: &SymmetricPattern, values: &mut [f64], out: &mut Vec<f64>) -> Result<(), LinearError> {
    out.clear();
    for j in 0..pattern.len() {
        let diagonal = values[pattern.range(j).start];
        if diagonal < 0.0 {
            return Err(LinearError::NegativeCurvature { curvature: diagonal });
        }
        out.push(if diagonal == 0.0 { 1.0 } else { diagonal.sqrt().recip() });
    }
    for j in 0..pattern.len() {
        let entries = pattern.range(j);
        for (&i, value) in pattern.column(j).iter().zip(&mut values[entries.clone()]) {
            *value = *value * out[j] * out[i as usize];
            if !value.is_finite() {
                return Err(LinearError::NotFinite);
            }
        }
        values[entries.start] = 1.0;
    }
    Ok(())
}

/// The incomplete factor of `values` with 1 + shift on the diagonal, column by column from the columns before that reach it; whether
/// every pivot was kept.
fn factorise(
    pattern: &SymmetricPattern,
    values: &[f64],
    shift: f64,
    factor: &mut [f64],
    ctx: &mut Ctx,
) -> Result<bool, LinearError> {
    let m = pattern.len();
    // For each row, the first of the columns whose next entry to be used is in that row, and the next such column after each.
    let (mut first, mut next) = (vec![NONE; m], vec![NONE; m]);
    // For each column, the position of that entry.
    let mut position: Vec<usize> = (0..m).map(|j| pattern.range(j).start).collect();
    let (mut sums, mut in_pattern) = (vec![0.0; m], vec![NONE; m]);
    for j in 0..m {
        if j % COLUMNS_A_TICK == 0 && ctx.tick(Phase::Linear, j, m).is_break() {
            return Err(LinearError::Interrupted);
        }
        let (rows, entries) = (pattern.column(j), pattern.range(j));
        for (&i, value) in rows.iter().zip(&values[entries.clone()]) {
            sums[i as usize] = *value;
            in_pattern[i as usize] = j as u32;
        }
        sums[j] = 1.0 + shift;
        let mut k = std::mem::replace(&mut first[j], NONE);
        while k != NONE {
            let column = k as usize;
            k = next[column];
            let (start, end) = (position[column], pattern.range(column).end);
            let reach = factor[start];
            for (&i, l) in pattern.rows()[start..end].iter().zip(&factor[start..end]) {
                if in_pattern[i as usize] == j as u32 {
                    sums[i as usize] -= l * reach;
                }
            }
            advance(pattern, column, &mut position, &mut first, &mut next);
        }
        let pivot = sums[j];
        if pivot.is_nan() || pivot <= LEAST_PIVOT {
            return Ok(false);
        }
        let root = pivot.sqrt();
        factor[entries.start] = root;
        for (&i, l) in rows.iter().zip(&mut factor[entries]).skip(1) {
            *l = sums[i as usize] / root;
        }
        advance(pattern, j, &mut position, &mut first, &mut next);
    }
    Ok(true)
}

/// Takes a column to its next entry, in whose row it waits.
fn advance(pattern: &SymmetricPattern, column: usize, position: &mut [usize], first: &mut [u32], next: &mut [u32]) {
    position[column] += 1;
    if position[column] < pattern.range(column).end {
        let row = pattern.rows()[position[column]] as usize;
        next[column] = std::mem::replace(&mut first[row], column as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_fill_to_drop_it_is_the_factor() {
        // Tridiagonal: its factor has its pattern.
        let m = 6;
        let (mut pointers, mut rows, mut values) = (vec![0], Vec::new(), Vec::new());
        for j in 0..m {
            rows.push(j);
            values.push(1.0);
            if j + 1 < m {
                rows.push(j + 1);
                values.push(-0.4 - 0.01 * f64::from(j));
            }
            pointers.push(rows.len() as u32);
        }
        let pattern = SymmetricPattern::new(pointers, rows).unwrap();
        let mut factor = vec![0.0; values.len()];
        assert!(factorise(&pattern, &values, 0.0, &mut factor, &mut Ctx::new()).unwrap());
        for j in 0..m as usize {
            let here = pattern.range(j);
            let before = if j == 0 { 0.0 } else { factor[pattern.range(j - 1).start + 1] };
            assert!((factor[here.start].powi(2) + before.powi(2) - 1.0).abs() < 1e-15);
            if j + 1 < m as usize {
                assert!((factor[here.start] * factor[here.start + 1] - values[here.start + 1]).abs() < 1e-15);
            }
        }
    }
}

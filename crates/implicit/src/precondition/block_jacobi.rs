//! M = the diagonal blocks of L_zz.

use std::time::Instant;

use danskin_core::ctx::{Ctx, bytes_of};
use danskin_core::design::blocks_len;
use danskin_core::linear::{Hessian, LinearError, Stages};
use danskin_core::problem::AssembleHessian;

use super::{Made, Preconditioner};
use crate::curvature::smallest_eigenvalue;
use crate::dense::DenseTriangle;
use crate::spd::Spd;

/// The diagonal blocks of L_zz, each factorised: for columns of D that come in groups, and for losses with several predictions a
/// row, whose latent variables of one column lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockJacobi {
    size: usize,
}

impl Default for BlockJacobi {
    /// Blocks of 32.
    fn default() -> Self {
        Self::of(32)
    }
}

impl BlockJacobi {
    /// Blocks of `size` latent variables, raised to the next multiple of those that belong together
    /// ([`AssembleHessian::unit`]).
    #[must_use]
    pub fn of(size: usize) -> Self {
        Self { size: size.max(1) }
    }
}

/// The factors of the blocks.
#[derive(Debug, Default)]
pub struct BlockJacobiWorkspace {
    size: usize,
    blocks: Vec<Spd<DenseTriangle>>,
}

impl<P: AssembleHessian + ?Sized> Preconditioner<P> for BlockJacobi {
    type Workspace = BlockJacobiWorkspace;

    fn name(&self) -> Option<&'static str> {
        Some("block-jacobi")
    }

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<Made, LinearError> {
        let Hessian { problem, at } = hessian;
        let start = Instant::now();
        let m = problem.latent_len();
        let unit = problem.unit();
        workspace.size = self.size.next_multiple_of(unit).min(m.next_multiple_of(unit).max(unit));
        let entries = blocks_len(m, workspace.size);
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(entries).map_err(|_| LinearError::OutOfMemory { bytes: bytes_of(entries) })?;
        numbers.resize(entries, 0.0);
        problem.assemble_blocks(at, workspace.size, &mut numbers, ctx);
        let form = start.elapsed().as_secs_f64();
        workspace.blocks.resize_with(m.div_ceil(workspace.size), Spd::default);
        let mut rest = &mut numbers[..];
        for (block, start) in workspace.blocks.iter_mut().zip((0..m).step_by(workspace.size)) {
            let len = workspace.size.min(m - start);
            let (numbers, after) = rest.split_at_mut(len * len);
            rest = after;
            // A coordinate that is in no row and has no penalty.
            numbers
                .iter_mut()
                .step_by(len + 1)
                .filter(|diagonal| **diagonal == 0.0)
                .for_each(|diagonal| *diagonal = 1.0);
            block.matrix.resize(len)?;
            let prepared = block.prepare_raised(&mut |matrix| matrix.entries_mut().copy_from_slice(numbers), ctx);
            prepared.map_err(|error| match error {
                LinearError::NegativeCurvature { curvature } => {
                    let product = |v: &[f64], out: &mut [f64], ctx: &mut Ctx| hessian.apply(v, out, ctx);
                    LinearError::NegativeCurvature { curvature: smallest_eigenvalue(m, curvature, &product, ctx) }
                }
                error => error,
            })?;
        }
        let factor = start.elapsed().as_secs_f64() - form;
        let factor_entries = workspace.blocks.iter().map(Spd::factor_entries).sum();
        let seconds = Stages { form, factor, ..Stages::default() };
        Ok(Made { factor_entries: Some(factor_entries), seconds, ..Made::default() })
    }

    fn apply(&self, workspace: &mut Self::Workspace, r: &[f64], out: &mut [f64], _: &mut Ctx) {
        out.copy_from_slice(r);
        for (block, out) in workspace.blocks.iter_mut().zip(out.chunks_mut(workspace.size)) {
            block.apply_inverse(out);
        }
    }
}

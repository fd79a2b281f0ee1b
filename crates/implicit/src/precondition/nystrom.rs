//! M = B B^T + rho, B B^T the randomised Nyström approximation of A = L_zz - mu.
//!
//! With a random Omega, m x l, and the sketch Y = A Omega: B B^T = Y (Omega^T Y)^+ Y^T, stabilised by a shift of A in the size of
//! rounding. With rho = mu + the smallest eigenvalue of B^T B, what the sketch missed is between mu and about rho, and what it found is
//! divided out; M^{-1} r = (r - B (rho + B^T B)^{-1} B^T r) / rho.
//!
//! Source: Frangella, Tropp, Udell, "Randomized Nyström preconditioning", SIAM Journal on Matrix Analysis and Applications 44, 2023,
//! algorithm 2.1 and section 5. There M is mu + the eigenvalues found on their space, and rho outside; here rho + them, which costs a
//! factor of 2 in the condition at the most and asks for no orthonormal basis.

use std::time::Instant;

use danskin_core::ctx::{Ctx, Phase, bytes_of};
use danskin_core::linear::{Hessian, LinearError, Stages};
use danskin_core::problem::Problem;
use danskin_core::random::Stream;
use danskin_core::vector::{axpy, dot, norm};
use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{Made, Preconditioner};
use crate::columns::{TOGETHER, multiply};
use crate::dense::DenseTriangle;
use crate::spd::{Spd, Storage};

/// Columns of the first sketch.
const FIRST_RANK: usize = 8;
/// Iterations that conjugate gradient takes at a condition of 1 to a residual of 1e-10, about: (1/2) ln(2e10).
const ITERATIONS_PER_ROOT: f64 = 12.0;
/// Eigenvalues below this share of the largest are lost in rounding.
const SMALLEST_SHARE: f64 = 1e-11;
/// Rows of B that are added up together.
const CHUNK: usize = 2048;
/// A negative curvature, over the mean size of L_zz, that is none of rounding.
const CLEAR: f64 = 1e-10;

/// The Nyström preconditioner, of a rank that it chooses: the sketch is doubled as long as that costs fewer products than it is
/// predicted to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nystrom {
    max_rank: usize,
    seed: u64,
}

impl Default for Nystrom {
    /// Of rank 256 at the most.
    fn default() -> Self {
        Self::within(256)
    }
}

impl Nystrom {
    /// Of rank `max_rank` at the most.
    #[must_use]
    pub fn within(max_rank: usize) -> Self {
        Self { max_rank: max_rank.max(1), seed: 0 }
    }

    /// From another random sketch.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

/// B and what its inverse needs.
#[derive(Debug, Default)]
pub struct NystromWorkspace {
    m: usize,
    /// m x l, by columns.
    b: Vec<f64>,
    /// rho + B^T B.
    inner: Spd<DenseTriangle>,
    /// l numbers.
    coefficients: Vec<f64>,
    rho: f64,
}

impl<P: Problem + ?Sized> Preconditioner<P> for Nystrom {
    type Workspace = NystromWorkspace;

    fn name(&self) -> Option<&'static str> {
        Some("nystrom")
    }

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<Made, LinearError> {
        let start = Instant::now();
        let m = hessian.problem.latent_len();
        let mu = hessian.problem.strong_convexity(hessian.at.x);
        let max_rank = self.max_rank.min(m);
        workspace.m = m;
        let bytes = bytes_of(m).saturating_mul(2 * max_rank as u64);
        let (mut omega, mut sketch, mut random) = (Vec::new(), Vec::new(), Stream::new(self.seed));
        let mut form = 0.0;
        let mut rank = 0;
        workspace.b.clear();
        workspace.rho = mu;
        while rank < max_rank {
            let more = rank.max(FIRST_RANK).min(max_rank - rank);
            for numbers in [&mut omega, &mut sketch] {
                let numbers: &mut Vec<f64> = numbers;
                numbers.try_reserve_exact(more * m).map_err(|_| LinearError::OutOfMemory { bytes })?;
                numbers.resize((rank + more) * m, 0.0);
            }
            random.fill(&mut omega[rank * m..]);
            let sketching = Instant::now();
            let blocks = omega[rank * m..].chunks(m * TOGETHER).zip(sketch[rank * m..].chunks_mut(m * TOGETHER));
            for (k, (omega, image)) in blocks.enumerate() {
                if ctx.tick(Phase::Linear, rank + k * TOGETHER, max_rank).is_break() {
                    return Err(LinearError::Interrupted);
                }
                multiply(hessian, omega, image, ctx);
                axpy(-mu, omega, image);
            }
            form += sketching.elapsed().as_secs_f64();
            rank += more;
            let smallest = workspace.approximate(&omega, &sketch, rank, mu)?;
            workspace.rho = mu + smallest;
            let remaining = ITERATIONS_PER_ROOT * (workspace.rho / mu).sqrt();
            if remaining.is_nan() || remaining < 4.0 * rank as f64 {
                break;
            }
        }
        workspace.finish(rank, ctx)?;
        let factor_entries = Some(workspace.b.len() as u64);
        let seconds = Stages { form, factor: start.elapsed().as_secs_f64() - form, ..Stages::default() };
        Ok(Made { factor_entries, seconds, ..Made::default() })
    }

    fn apply(&self, workspace: &mut Self::Workspace, r: &[f64], out: &mut [f64], _: &mut Ctx) {
        let NystromWorkspace { m, b, inner, coefficients, rho } = workspace;
        let m = (*m).max(1);
        coefficients.par_iter_mut().zip(b.par_chunks_exact(m)).for_each(|(c, column)| *c = dot(column, r));
        inner.apply_inverse(coefficients);
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
            let first = chunk * CHUNK;
            out.copy_from_slice(&r[first..][..out.len()]);
            for (c, column) in coefficients.iter().zip(b.chunks_exact(m)) {
                axpy(-c, &column[first..][..out.len()], out);
            }
            out.iter_mut().for_each(|out| *out /= *rho);
        });
    }
}

impl NystromWorkspace {
    /// B from Omega and the sketch A Omega, both m x `rank`; returns the smallest eigenvalue of B^T B.
    ///
    /// A is L_zz - `mu`, so that the sketch carries the rounding of both.
    fn approximate(&mut self, omega: &[f64], sketch: &[f64], rank: usize, mu: f64) -> Result<f64, LinearError> {
        let m = self.m;
        let size = norm(sketch);
        if !size.is_finite() {
            return Err(LinearError::NotFinite);
        }
        if size == 0.0 {
            self.b.clear();
            self.b.resize(rank * m, 0.0);
            return Ok(0.0);
        }
        // A + shift, so that Omega^T (A + shift) Omega is positive definite in spite of rounding: raised where it is not yet.
        let mut shift = f64::EPSILON * (m as f64).sqrt() * (size / norm(omega) + mu) + f64::MIN_POSITIVE;
        let lower = loop {
            self.b.clear();
            self.b.extend(sketch.iter().zip(omega).map(|(image, omega)| image + shift * omega));
            let gram = products(omega, &self.b, m, rank);
            if let Some(lower) = cholesky(&gram, rank) {
                break lower;
            }
            let spectrum = Spectrum::of(&gram, rank).ok_or(LinearError::NotFinite)?;
            // Where mu > 0 is known, it is of rounding.
            if mu <= 0.0 {
                let mut direction = vec![0.0; m];
                for (y, omega) in spectrum.lowest.iter().zip(omega.chunks_exact(m)) {
                    axpy(*y, omega, &mut direction);
                }
                let curvature = spectrum.extremes[0] / dot(&direction, &direction);
                if curvature < -CLEAR * size / norm(omega) {
                    return Err(LinearError::NegativeCurvature { curvature });
                }
            }
            if shift.is_nan() || shift >= size + mu {
                return Err(LinearError::Preconditioner { preconditioner: "nystrom" });
            }
            shift *= 10.0;
        };
        // B C^T = Y for the lower triangular C, column by column.
        for k in 0..rank {
            let (done, rest) = self.b.split_at_mut(k * m);
            let column = &mut rest[..m];
            for (i, before) in done.chunks_exact(m).enumerate() {
                axpy(-lower[i * rank + k], before, column);
            }
            let diagonal = lower[k * rank + k];
            column.iter_mut().for_each(|v| *v /= diagonal);
        }
        let gram = products(&self.b, &self.b, m, rank);
        let [smallest, largest] = Spectrum::of(&gram, rank).ok_or(LinearError::NotFinite)?.extremes;
        Ok((smallest - shift).max(SMALLEST_SHARE * largest))
    }

    /// Factorises rho + B^T B.
    fn finish(&mut self, rank: usize, ctx: &mut Ctx) -> Result<(), LinearError> {
        let mut gram = products(&self.b, &self.b, self.m, rank);
        gram.iter_mut().step_by(rank + 1).for_each(|diagonal| *diagonal += self.rho);
        self.inner.matrix.resize(rank)?;
        self.coefficients.clear();
        self.coefficients.resize(rank, 0.0);
        self.inner.prepare_raised(&mut |matrix| matrix.entries_mut().copy_from_slice(&gram), ctx)
    }
}

/// The lower triangle of a^T b, rank x rank by columns, a and b m x rank.
fn products(a: &[f64], b: &[f64], m: usize, rank: usize) -> Vec<f64> {
    let mut out = vec![0.0; rank * rank];
    out.par_chunks_exact_mut(rank.max(1)).enumerate().for_each(|(j, out)| {
        let column = &b[j * m..(j + 1) * m];
        (j..rank).for_each(|i| out[i] = dot(&a[i * m..(i + 1) * m], column));
    });
    out
}

/// The lower factor of a small matrix, by columns; `None` where it is not positive definite.
fn cholesky(lower: &[f64], rank: usize) -> Option<Vec<f64>> {
    let mut factor = DenseTriangle::default();
    factor.resize(rank).ok()?;
    factor.entries_mut().copy_from_slice(lower);
    if factor.factorise() { Some(factor.into_entries()) } else { None }
}

/// Of a small symmetric matrix, the smallest and the largest eigenvalue, and a unit eigenvector of the smallest.
struct Spectrum {
    extremes: [f64; 2],
    lowest: Vec<f64>,
}

impl Spectrum {
    /// `None` where it cannot be computed.
    fn of(lower: &[f64], rank: usize) -> Option<Self> {
        let (mut values, mut vectors) = (vec![0.0; rank], vec![0.0; rank * rank]);
        let (both, parameters) = (ComputeEigenvectors::Yes, Default::default());
        let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(rank, both, Par::Seq, parameters));
        self_adjoint_evd(
            MatRef::from_column_major_slice(lower, rank, rank),
            DiagMut::from_slice_mut(&mut values),
            Some(MatMut::from_column_major_slice_mut(&mut vectors, rank, rank)),
            Par::Seq,
            MemStack::new(&mut memory),
            parameters,
        )
        .ok()?;
        vectors.truncate(rank);
        Some(Self { extremes: [*values.first()?, *values.last()?], lowest: vectors })
    }
}

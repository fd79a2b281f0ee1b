//! The solver that suits the problem, by the work that each is predicted to take, and by how conjugate gradient gets on.
//!
//! A factorisation that is predicted to cost few products with L_zz is made at once. Otherwise conjugate gradient begins, and is given up
//! where what it still has to do is predicted to take longer than the cheapest factorisation that fits into memory. Predictions are
//! counts times constants, never measured times: the choice is the same on every run and at every number of threads.

use std::cell::Cell;
use std::time::Instant;

use danskin_core::ctx::Ctx;
use danskin_core::design::Matrix;
use danskin_core::linear::{
    Attempt, Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus, Outcome, Stages, Tried,
};
use danskin_core::problem::{AssembleHessian, Work};
use danskin_core::vector::max_abs;

use crate::cg::{Cg, CgWorkspace, Ended, Progress, Run};
use crate::dense::{DenseCholesky, DenseWorkspace};
use crate::dual::{DualCholesky, DualWorkspace};
use crate::form::is_sparse;
use crate::precondition::Jacobi;
use crate::sparse::{SparseCholesky, SparseWorkspace};

/// Time of one multiplication in a product with L_zz, the unit of those below.
const IN_PRODUCT: f64 = 1.0;
/// In assembling, of few entries and of almost all.
const IN_ASSEMBLY: [f64; 2] = [1.2, 0.25];
/// In assembling in a sparse pattern.
const IN_SPARSE_ASSEMBLY: f64 = 0.8;
/// In a dense factorisation.
const IN_DENSE_FACTOR: f64 = 0.5;
/// In a sparse one.
const IN_SPARSE_FACTOR: f64 = 1.0;
/// Assemblies that finding and analysing a pattern takes as long as.
const ANALYSIS: f64 = 1.5;
/// Of a latent variable in an iteration, besides the product.
const PER_LATENT: f64 = 6.0;
/// Products that a factorisation may be predicted to take to be made at once.
const AT_ONCE: f64 = 12.0;
/// Iterations still to come from which it pays to try some over the diagonal.
const MANY_ITERATIONS: f64 = 100.0;
/// Iterations over the diagonal after which it is kept.
const TRIAL: usize = 18;
/// Growth of the condition met by then at which it is not.
const GROWTH: f64 = 1.9;
/// A residual above which a solution that iterations ended with is of little use.
const OF_USE: f64 = 1e-8;
/// A residual over the condition that rounding explains.
const BEYOND_ROUNDING: f64 = 50.0 * f64::EPSILON;
/// A residual above which that is no excuse.
const HARDLY_OF_USE: f64 = 1e-3;
/// What conjugate gradient over the diagonal is called among the methods that were tried.
const OVER_DIAGONAL: &str = "cg over jacobi";
/// Rows for each column up to which D D^T is looked at for being sparse.
const ROWS_PER_COLUMN: f64 = 2.0;
/// Latent variables up to which a Hessian that may be singular is factorised whatever that takes: only a factorisation
/// can tell. For so many columns it takes seconds, and assembling the passes that `Work` predicts.
const TELL_UP_TO: usize = 2000;

/// Chooses among [`DenseCholesky`], [`SparseCholesky`], [`DualCholesky`] and [`Cg`]. What it considered and did not use is in [`LinearSolve::tried`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auto {
    limit: u64,
}

impl Default for Auto {
    /// With at most 2 GiB for what is factorised.
    fn default() -> Self {
        Self::within(2 << 30)
    }
}

impl Auto {
    /// With at most `bytes` for what is factorised.
    #[must_use]
    pub fn within(bytes: u64) -> Self {
        Self { limit: bytes }
    }
}

/// A method that factorises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dense,
    Sparse,
    Dual,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Sparse => "sparse",
            Self::Dual => "dual",
        }
    }
}

/// A factorisation that could be used.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Direct {
    kind: Kind,
    /// Products with L_zz, and the vector operations beside one, that it is predicted to take as long as.
    products: f64,
}

/// Multiplications of a dense factorisation.
fn cube(n: usize) -> f64 {
    (n as f64).powi(3) / 6.0
}

/// How the dual would be factorised.
#[derive(Clone, Copy, Debug)]
struct Dual {
    sparse: bool,
    /// The work of its two factors, infinite where they do not fit.
    factors: f64,
}

impl Dual {
    fn of(matrix: Matrix<'_>, limit: u64) -> Self {
        let (n, method) = (matrix.rows(), DualCholesky::within(limit));
        // To count the entries of D D^T takes a pass.
        if !matrix.is_dense() && n as f64 <= ROWS_PER_COLUMN * matrix.columns() as f64 {
            let entries = matrix.transposed_gram_entries();
            if is_sparse(entries, n) && method.may_fit(entries) {
                // As for the sparse Hessian.
                return Self { sparse: true, factors: 2.0 * IN_SPARSE_FACTOR * entries * entries / n as f64 };
            }
        }
        let factors = if method.fits(n) { 2.0 * IN_DENSE_FACTOR * cube(n) } else { f64::INFINITY };
        Self { sparse: false, factors }
    }
}

/// The factorisations that fit, cheapest first.
#[derive(Clone, Copy, Debug, Default)]
struct Directs([Option<Direct>; 3]);

impl Directs {
    fn of<P: AssembleHessian + ?Sized>(Hessian { problem, at }: Hessian<'_, P>, limit: u64) -> Self {
        let m = problem.latent_len();
        let Work { product, assembly } = problem.work();
        let unit = (IN_PRODUCT * product + PER_LATENT * m as f64).max(1.0);
        let almost_full = problem.as_gram().is_some_and(|gram| gram.matrix(at.x).is_almost_full());
        let in_assembly = IN_ASSEMBLY[usize::from(almost_full)];
        let direct = |kind, work: f64| Some(Direct { kind, products: work / unit });
        let mut directs = [None; 3];
        if DenseCholesky::within(limit).fits(m) {
            directs[0] = direct(Kind::Dense, in_assembly * assembly + IN_DENSE_FACTOR * cube(m));
        }
        // What takes a pass to count is counted only where it could matter.
        let least = |directs: &[Option<Direct>; 3]| {
            directs.iter().flatten().fold(f64::INFINITY, |least: f64, direct| least.min(direct.products)) * unit
        };
        if let Some(gram) = problem.as_gram()
            && problem.strong_convexity(at.x) > 0.0
        {
            let dual = Dual::of(gram.matrix(at.x), limit);
            if dual.factors < least(&directs) {
                let assembly = gram.matrix(at.x).transposed_gram_multiplications();
                let in_assembly = if dual.sparse { (1.0 + ANALYSIS) * IN_SPARSE_ASSEMBLY } else { in_assembly };
                directs[1] = direct(Kind::Dual, in_assembly * assembly + dual.factors);
            }
        }
        let sparse = match (problem.as_sparse(), problem.as_gram()) {
            (Some(sparse), _) => Some((sparse.pattern().entries() as f64, ANALYSIS)),
            (None, Some(gram))
                if !gram.matrix(at.x).is_dense()
                    && (1.0 + ANALYSIS) * IN_SPARSE_ASSEMBLY * assembly < least(&directs) =>
            {
                Some((gram.matrix(at.x).gram_entries(), 1.0 + ANALYSIS))
            }
            _ => None,
        };
        if let Some((entries, assemblies)) = sparse
            && SparseCholesky::within(limit).may_fit(entries)
            && is_sparse(entries, m)
        {
            // Its factor has at least its entries; how many more, only its analysis can tell.
            let factor = IN_SPARSE_FACTOR * entries * entries / m as f64;
            directs[2] = direct(Kind::Sparse, assemblies * IN_SPARSE_ASSEMBLY * assembly.max(entries) + factor);
        }
        directs.sort_by(|a, b| {
            let products = |direct: &Option<Direct>| direct.map_or(f64::INFINITY, |direct| direct.products);
            products(a).total_cmp(&products(b))
        });
        Self(directs)
    }

    fn cheapest(&self) -> Option<Direct> {
        self.0[0]
    }

    fn without_cheapest(self) -> Self {
        let [_, second, third] = self.0;
        Self([second, third, None])
    }
}

/// What the methods that were used keep.
#[derive(Debug, Default)]
pub struct AutoWorkspace {
    dense: DenseWorkspace,
    sparse: SparseWorkspace,
    dual: DualWorkspace,
    cg: CgWorkspace<()>,
    over_diagonal: CgWorkspace<Vec<f64>>,
    /// The factorisations left to be tried at this point.
    directs: Directs,
    /// The right-hand sides that share what a factorisation costs, 1 at least.
    columns: f64,
    /// The one that was made at this point.
    made: Option<Kind>,
    tried: Tried,
}

impl AutoWorkspace {
    fn note(&mut self, method: &'static str, outcome: Outcome) {
        self.tried.note(Attempt { method, outcome });
    }

    /// What `method` reached; `None`, and noted, where it is of little use and a factorisation is left to be tried.
    fn unless_failed(&mut self, method: &'static str, solve: LinearSolve) -> Option<LinearSolve> {
        let LinearSolve { status, iterations, residual, .. } = solve;
        let ended = matches!(status, LinearStatus::IterationCap | LinearStatus::Stalled);
        // A refined factorisation reaches what rounding allows, and no other method reaches more.
        let reachable = solve.factor_entries.map_or(0.0, |_| solve.condition.unwrap_or(0.0) * BEYOND_ROUNDING);
        let of_use = OF_USE.max(reachable.min(HARDLY_OF_USE));
        if ended && residual > of_use && self.directs.cheapest().is_some() {
            self.note(method, Outcome::GivenUp { iterations, residual });
            return None;
        }
        Some(solve)
    }
}

/// Whether another method may still do what ended with `error`.
fn is_of_the_method(error: LinearError, definite: bool) -> bool {
    match error {
        LinearError::NotFinite | LinearError::Interrupted | LinearError::RankDeficient { .. } => false,
        LinearError::Singular { .. } | LinearError::NegativeCurvature { .. } => definite,
        _ => true,
    }
}

fn is_definite<P: AssembleHessian + ?Sized>(hessian: Hessian<'_, P>) -> bool {
    hessian.problem.strong_convexity(hessian.at.x) > 0.0
}

impl Auto {
    /// Makes the cheapest factorisation that can be made, if there is one.
    fn make<P: AssembleHessian + ?Sized>(
        self,
        hessian: Hessian<'_, P>,
        workspace: &mut AutoWorkspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        while let Some(Direct { kind, .. }) = workspace.directs.cheapest() {
            workspace.directs = workspace.directs.without_cheapest();
            let made = match kind {
                Kind::Dense => DenseCholesky::within(self.limit).prepare(hessian, &mut workspace.dense, ctx),
                Kind::Sparse => SparseCholesky::within(self.limit).prepare(hessian, &mut workspace.sparse, ctx),
                Kind::Dual => DualCholesky::within(self.limit).prepare(hessian, &mut workspace.dual, ctx),
            };
            match made {
                Ok(()) => {
                    workspace.made = Some(kind);
                    return Ok(());
                }
                Err(error) if is_of_the_method(error, is_definite(hessian)) => {
                    workspace.note(kind.name(), Outcome::Failed(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Conjugate gradient, given up where a factorisation is predicted to be faster: then `None`.
    ///
    /// It begins without a preconditioner: a singular system that is consistent then has the answer of least norm, and the diagonal
    /// takes more iterations than it saves on about as many sets as the other way round (`benches/README.md`). Where many are still
    /// to come, some over the diagonal tell which is the faster.
    fn iterate<P: AssembleHessian + ?Sized>(
        hessian: Hessian<'_, P>,
        workspace: &mut AutoWorkspace,
        system: (&[f64], f64),
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Option<LinearSolve>, LinearError> {
        let worth = workspace.directs.cheapest().map_or(f64::INFINITY, |direct| direct.products / workspace.columns);
        let too_long = |progress: Progress| progress.remaining() > worth;
        let raced = Cell::new(!is_definite(hessian));
        let pause = |progress: Progress| {
            too_long(progress) || (!raced.get() && progress.remaining().min(worth) > MANY_ITERATIONS)
        };
        let (plain, over_diagonal) = (Cg::default(), Cg::preconditioned(Jacobi));
        let mut run = plain.begin(hessian, &mut workspace.cg, system, ctx)?;
        let progress = loop {
            match run.proceed(&mut workspace.cg, &pause, ctx) {
                Ended::Paused(progress) if !raced.get() && worth > MANY_ITERATIONS => {
                    raced.set(true);
                    match Self::race(&over_diagonal, hessian, workspace, system, (progress, worth), ctx) {
                        Ok((rival, Ended::Paused(other))) => {
                            rival.abandon(ctx);
                            workspace.note(OVER_DIAGONAL, other.given_up());
                            if too_long(progress) {
                                break progress;
                            }
                        }
                        Ok((rival, ended)) => {
                            run.abandon(ctx);
                            workspace.note("cg", progress.given_up());
                            let solve = rival.end(ended, solution, ctx)?;
                            return Ok(workspace.unless_failed(OVER_DIAGONAL, solve));
                        }
                        Err(error) => workspace.note(OVER_DIAGONAL, Outcome::Failed(error)),
                    }
                }
                Ended::Paused(progress) => break progress,
                ended => {
                    let solve = run.end(ended, solution, ctx)?;
                    return Ok(workspace.unless_failed("cg", solve));
                }
            }
        };
        run.abandon(ctx);
        workspace.note("cg", progress.given_up());
        Ok(None)
    }

    /// Conjugate gradient over the diagonal, paused where it is no faster than `plain` or a factorisation that is `worth` so many
    /// products.
    ///
    /// Early residuals tell little: over the diagonal they fell faster on text too, where in the end it took twice the iterations. What
    /// told the two apart is the condition met: on independent columns (`zipf`, `banded`) it grew by less than 1.9 from iteration 8
    /// to 18, on text by more.
    fn race<'a, P: AssembleHessian + ?Sized>(
        over_diagonal: &'a Cg<Jacobi>,
        hessian: Hessian<'a, P>,
        workspace: &mut AutoWorkspace,
        system: (&[f64], f64),
        (plain, worth): (Progress, f64),
        ctx: &mut Ctx,
    ) -> Result<(Run<'a, P, Jacobi>, Ended), LinearError> {
        over_diagonal.prepare(hessian, &mut workspace.over_diagonal, ctx)?;
        let mut run = over_diagonal.begin(hessian, &mut workspace.over_diagonal, system, ctx)?;
        let first = Cell::new(None);
        let pause = |progress: Progress| {
            let begun = first.get().unwrap_or(progress);
            first.set(Some(begun));
            let loses = !progress.beats(plain) || progress.condition > GROWTH * begun.condition;
            (loses && progress.iterations <= TRIAL) || progress.remaining() > worth
        };
        let ended = run.proceed(&mut workspace.over_diagonal, &pause, ctx);
        Ok((run, ended))
    }
}

impl Progress {
    /// Iterations that are still to come.
    fn remaining(self) -> f64 {
        self.predicted - self.iterations as f64
    }

    /// Whether it is predicted to be there before `other`.
    fn beats(self, other: Self) -> bool {
        self.remaining() < other.remaining()
    }

    fn given_up(self) -> Outcome {
        Outcome::GivenUp { iterations: self.iterations, residual: self.residual }
    }
}

impl<P: AssembleHessian + ?Sized> HessianSolver<P> for Auto {
    type Workspace = AutoWorkspace;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        workspace.directs = Directs::of(hessian, self.limit);
        (workspace.made, workspace.tried) = (None, Tried::default());
        let tells = !is_definite(hessian) && hessian.problem.latent_len() <= TELL_UP_TO;
        let at_once = workspace.directs.cheapest().is_some_and(|direct| direct.products <= AT_ONCE);
        if tells || at_once { self.make(hessian, workspace, ctx) } else { Ok(()) }
    }

    fn solve(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        rhs: &[f64],
        tolerance: f64,
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError> {
        workspace.columns = 1.0;
        self.solve_one(hessian, workspace, (rhs, tolerance), solution, ctx)
    }

    fn solve_columns(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        rhs: &[f64],
        tolerance: f64,
        solutions: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Vec<LinearSolve>, LinearError> {
        let m = hessian.problem.latent_len().max(1);
        let columns = rhs.len() / m;
        if columns == 0 {
            return Ok(Vec::new());
        }
        workspace.columns = columns as f64;
        // The first that is not 0 decides for all.
        let first = rhs.chunks_exact(m).position(|rhs| max_abs(rhs) != 0.0).unwrap_or(0);
        let part = |k: usize| k * m..(k + 1) * m;
        let decided =
            self.solve_one(hessian, workspace, (&rhs[part(first)], tolerance), &mut solutions[part(first)], ctx)?;
        let jacobi = decided.preconditioner.is_some();
        let mut solves = Vec::with_capacity(columns);
        for (range, after) in [(0..first, Some(decided)), (first + 1..columns, None)] {
            let numbers = range.start * m..range.end * m;
            let system = (&rhs[numbers.clone()], tolerance);
            solves.extend(self.solve_alike(hessian, workspace, jacobi, system, &mut solutions[numbers], ctx)?);
            solves.extend(after);
        }
        // The method that suited the first need not suit all.
        for (k, solve) in solves.iter_mut().enumerate() {
            let failed = matches!(solve.status, LinearStatus::IterationCap | LinearStatus::Stalled);
            if failed && solve.residual > OF_USE && k != first {
                *solve =
                    self.solve_one(hessian, workspace, (&rhs[part(k)], tolerance), &mut solutions[part(k)], ctx)?;
            }
        }
        Ok(solves)
    }
}

impl Auto {
    /// Right-hand sides by what was made, or by conjugate gradient, over the diagonal where `jacobi`.
    fn solve_alike<P: AssembleHessian + ?Sized>(
        self,
        hessian: Hessian<'_, P>,
        workspace: &mut AutoWorkspace,
        jacobi: bool,
        (rhs, tolerance): (&[f64], f64),
        solutions: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Vec<LinearSolve>, LinearError> {
        let AutoWorkspace { dense, sparse, dual, cg, over_diagonal, made, .. } = workspace;
        let solved = match made {
            Some(Kind::Dense) => {
                DenseCholesky::within(self.limit).solve_columns(hessian, dense, rhs, tolerance, solutions, ctx)
            }
            Some(Kind::Sparse) => {
                SparseCholesky::within(self.limit).solve_columns(hessian, sparse, rhs, tolerance, solutions, ctx)
            }
            Some(Kind::Dual) => {
                DualCholesky::within(self.limit).solve_columns(hessian, dual, rhs, tolerance, solutions, ctx)
            }
            None if jacobi => {
                Cg::preconditioned(Jacobi).solve_columns(hessian, over_diagonal, rhs, tolerance, solutions, ctx)
            }
            None => Cg::default().solve_columns(hessian, cg, rhs, tolerance, solutions, ctx),
        };
        Ok(solved?.into_iter().map(|solve| workspace.finished(solve)).collect())
    }

    fn solve_one<P: AssembleHessian + ?Sized>(
        self,
        hessian: Hessian<'_, P>,
        workspace: &mut AutoWorkspace,
        (rhs, tolerance): (&[f64], f64),
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError> {
        let (start, was_made) = (Instant::now(), workspace.made.is_some());
        // What was tried before counts, but for what is said apart.
        let timed = |mut solve: LinearSolve| {
            if !was_made {
                let Stages { form, analyse, factor, .. } = solve.seconds;
                solve.seconds.solve = (start.elapsed().as_secs_f64() - form - analyse - factor).max(0.0);
            }
            solve
        };
        loop {
            let AutoWorkspace { dense, sparse, dual, made, .. } = workspace;
            let direct = made.map(|kind| {
                let solved = match kind {
                    Kind::Dense => {
                        DenseCholesky::within(self.limit).solve(hessian, dense, rhs, tolerance, solution, ctx)
                    }
                    Kind::Sparse => {
                        SparseCholesky::within(self.limit).solve(hessian, sparse, rhs, tolerance, solution, ctx)
                    }
                    Kind::Dual => DualCholesky::within(self.limit).solve(hessian, dual, rhs, tolerance, solution, ctx),
                };
                (kind.name(), solved)
            });
            match direct {
                Some((name, Err(error))) if is_of_the_method(error, is_definite(hessian)) => {
                    workspace.note(name, Outcome::Failed(error));
                    workspace.made = None;
                }
                Some((_, Err(error))) => return Err(error),
                Some((name, Ok(solve))) => match workspace.unless_failed(name, solve) {
                    Some(solve) => return Ok(timed(workspace.finished(solve))),
                    None => workspace.made = None,
                },
                None => match Self::iterate(hessian, workspace, (rhs, tolerance), solution, ctx)? {
                    Some(solve) => return Ok(timed(workspace.finished(solve))),
                    None => self.make(hessian, workspace, ctx)?,
                },
            }
        }
    }
}

impl AutoWorkspace {
    fn finished(&self, mut solve: LinearSolve) -> LinearSolve {
        solve.tried = self.tried;
        solve
    }
}

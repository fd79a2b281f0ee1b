//! What a method keeps, from one gradient to the next.

use std::sync::{Arc, Mutex, PoisonError};

use danskin_core::ctx::Ctx;
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve};
use danskin_core::problem::Problem;

/// A Hessian solver whose workspace outlives its users: along an outer loop, every gradient finds the pattern and its analysis, the
/// factor's memory, the kernel of the dual, the preconditioner and the last solution of the one before.
///
/// Results are those without it, but for methods that are asked to begin where they ended ([`Cg::warm_started`](crate::Cg::warm_started)).
/// Clones share what is kept; of two users at a time, the second has a workspace of its own.
///
/// ```
/// use danskin_core::{design::Design, problem::{glm::Glm, loss::Logistic}, solve::{Solve, Stop}, solver::GradientDescent};
/// use danskin_implicit::{Implicit, Kept, SparseCholesky};
///
/// let design = Design::from_triplets(3, 2, &[(0, 0, 1.0), (1, 1, 2.0), (2, 0, -1.0)])?;
/// let (solver, implicit) = (GradientDescent::default(), Implicit::new(Kept::new(SparseCholesky::default())));
/// for lambda in [0.1, 0.2, 0.4] {
///     let problem = Glm::new(design.clone(), Logistic, lambda)?;
///     let solution = Solve::new(&problem, &solver, &[1.0, -1.0, 1.0]).stop(Stop::tolerance(1e-8)).run()?;
///     // The pattern is analysed in the first round only.
///     let gradient = solution.gradient(&implicit)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Kept<H, W> {
    method: H,
    home: Home<W>,
}

/// Where a workspace waits for its next user.
type Home<W> = Arc<Mutex<Option<W>>>;

impl<H, W> Kept<H, W> {
    /// Keeps what `method` has in its workspace.
    #[must_use]
    pub fn new(method: H) -> Self {
        Self { method, home: Arc::default() }
    }

    /// Forgets it.
    pub fn forget(&self) {
        self.home.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<H: Default, W> Default for Kept<H, W> {
    fn default() -> Self {
        Self::new(H::default())
    }
}

impl<H: Clone, W> Clone for Kept<H, W> {
    fn clone(&self) -> Self {
        Self { method: self.method.clone(), home: Arc::clone(&self.home) }
    }
}

/// A workspace that goes home when it is dropped.
#[derive(Debug)]
pub struct KeptWorkspace<W> {
    workspace: Option<W>,
    home: Option<Home<W>>,
}

impl<W> Default for KeptWorkspace<W> {
    fn default() -> Self {
        Self { workspace: None, home: None }
    }
}

impl<W> Drop for KeptWorkspace<W> {
    fn drop(&mut self) {
        if let (Some(workspace), Some(home)) = (self.workspace.take(), &self.home) {
            *home.lock().unwrap_or_else(PoisonError::into_inner) = Some(workspace);
        }
    }
}

impl<W: Default> KeptWorkspace<W> {
    fn at_work(&mut self) -> &mut W {
        self.workspace.get_or_insert_default()
    }
}

impl<P, H> HessianSolver<P> for Kept<H, H::Workspace>
where
    P: Problem + ?Sized,
    H: HessianSolver<P>,
{
    type Workspace = KeptWorkspace<H::Workspace>;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        if workspace.workspace.is_none() {
            workspace.workspace = self.home.lock().unwrap_or_else(PoisonError::into_inner).take();
            workspace.home = Some(Arc::clone(&self.home));
        }
        self.method.prepare(hessian, workspace.at_work(), ctx)
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
        self.method.solve(hessian, workspace.at_work(), rhs, tolerance, solution, ctx)
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
        self.method.solve_columns(hessian, workspace.at_work(), rhs, tolerance, solutions, ctx)
    }
}

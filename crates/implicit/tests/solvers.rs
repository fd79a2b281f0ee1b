//! Every Hessian solver on every kind of matrix: the right answer, or a typed error, never NaN.

use danskin_core::ctx::Ctx;
use danskin_core::design::Design;
use danskin_core::linear::{Factored, Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus};
use danskin_core::problem::glm::{Glm, Wrt};
use danskin_core::problem::loss::{Logistic, Multinomial, Squared, SquaredHinge};
use danskin_core::problem::quadratic::Quadratic;
use danskin_core::problem::{AssembleHessian, Objective, Point, Problem};
use danskin_core::solve::{Solve, Stop};
use danskin_core::solver::GradientDescent;
use danskin_core::symmetric::SymmetricPattern;
use danskin_core::testing::random;
use danskin_core::vector::{axpy, distance, dot, norm};
use danskin_implicit::{
    Auto, BlockJacobi, Cg, DenseCholesky, DualCholesky, Implicit, IncompleteCholesky, Jacobi, Kept, Nystrom,
    SparseCholesky,
};
use proptest::prelude::*;

/// 1/2 z^T A z - <x, z>, with A given by rows.
fn quadratic(rows: &[Vec<f64>]) -> Quadratic {
    let (mut pointers, mut below, mut values) = (vec![0], Vec::new(), Vec::new());
    for (j, row) in rows.iter().enumerate() {
        for (i, &value) in row.iter().enumerate().skip(j).filter(|&(i, &value)| i == j || value != 0.0) {
            below.push(i as u32);
            values.push(value);
        }
        pointers.push(below.len() as u32);
    }
    Quadratic::new(SymmetricPattern::new(pointers, below).unwrap(), values)
}

fn diagonal(diagonal: &[f64]) -> Quadratic {
    let row = |i: usize| (0..diagonal.len()).map(|j| if i == j { diagonal[i] } else { 0.0 }).collect();
    quadratic(&(0..diagonal.len()).map(row).collect::<Vec<_>>())
}

fn product<P: Problem>(problem: &P, v: &[f64]) -> Vec<f64> {
    let (zeros, mut out) = (vec![0.0; problem.latent_len()], vec![f64::NAN; problem.latent_len()]);
    problem.hess(Point::new(&zeros, &vec![0.0; problem.parameter_len()]), v, &mut out, &mut Ctx::new());
    out
}

type Answer = Result<(Vec<f64>, LinearSolve), LinearError>;

fn solve_at<P: Problem, H: HessianSolver<P>>(solver: &H, problem: &P, at: Point<'_>, rhs: &[f64]) -> Answer {
    let (mut solution, mut ctx, mut workspace) = (vec![f64::NAN; rhs.len()], Ctx::new(), H::Workspace::default());
    let mut factored = Factored::new(solver, Hessian { problem, at }, &mut workspace, &mut ctx)?;
    let report = factored.solve(rhs, 1e-12, &mut solution, &mut ctx)?;
    Ok((solution, report))
}

fn solve<H: HessianSolver<Quadratic>>(solver: &H, problem: &Quadratic, rhs: &[f64]) -> Answer {
    let at = vec![0.0; rhs.len()];
    solve_at(solver, problem, Point::new(&at, &at), rhs)
}

/// A product an iteration, one for the residual at the end, and one for each residual computed anew on the way.
#[test]
fn conjugate_gradient_tells_its_products() {
    let (mut restarted, design) = (false, random::design(40, 60, 9, 1));
    for lambda in [1.0, 1e-2, 1e-4, 1e-6] {
        let problem = Glm::new(design.clone(), Squared, lambda).unwrap();
        let (z, x, rhs) = (random::vector(60, 2), random::vector(40, 3), random::vector(60, 4));
        let (mut ctx, mut workspace, mut solution) = (Ctx::new(), Default::default(), vec![0.0; 60]);
        let hessian = Hessian { problem: &problem, at: Point::new(&z, &x) };
        let cg = Cg::default();
        let mut factored = Factored::new(&cg, hessian, &mut workspace, &mut ctx).unwrap();
        let mark = ctx.mark();
        let solve = factored.solve(&rhs, 1e-13, &mut solution, &mut ctx).unwrap();
        let passes = ctx.since(mark).passes;
        assert_eq!(passes, (solve.iterations + solve.restarts + 1) as u64, "{lambda:e}: {solve:?}");
        restarted |= solve.restarts > 0;
    }
    assert!(restarted);
}

/// What is done with each method.
trait Visit<P: ?Sized> {
    fn visit<H: HessianSolver<P> + Copy>(&mut self, name: &'static str, solver: H);
}

/// The table: a new solver or preconditioner is one line here.
fn for_every_solver<P: AssembleHessian>(visit: &mut impl Visit<P>) {
    visit.visit("cg", Cg::default());
    visit.visit("cg, jacobi", Cg::preconditioned(Jacobi));
    visit.visit("cg, block jacobi", Cg::preconditioned(BlockJacobi::of(3)));
    visit.visit("cg, ic0", Cg::preconditioned(IncompleteCholesky::default()));
    visit.visit("cg, nystrom", Cg::preconditioned(Nystrom::default()));
    visit.visit("dense", DenseCholesky::default());
    visit.visit("sparse", SparseCholesky::default());
    visit.visit("dual", DualCholesky::default());
    visit.visit("auto", Auto::default());
}

/// Collects answers; a method that says that it does not suit the problem is left out.
struct Answers<'a, P> {
    problem: &'a P,
    at: Point<'a>,
    rhs: &'a [f64],
    answers: Vec<(&'static str, Answer)>,
}

impl<P: Problem> Visit<P> for Answers<'_, P> {
    fn visit<H: HessianSolver<P> + Copy>(&mut self, name: &'static str, solver: H) {
        let answer = solve_at(&solver, self.problem, self.at, self.rhs);
        if !matches!(answer, Err(LinearError::Unsuited { .. })) {
            self.answers.push((name, answer));
        }
    }
}

fn by_every_solver_at<P: AssembleHessian>(problem: &P, at: Point<'_>, rhs: &[f64]) -> Vec<(&'static str, Answer)> {
    let mut answers = Answers { problem, at, rhs, answers: Vec::new() };
    for_every_solver(&mut answers);
    answers.answers
}

fn by_every_solver(problem: &Quadratic, rhs: &[f64]) -> Vec<(&'static str, Answer)> {
    let at = vec![0.0; rhs.len()];
    by_every_solver_at(problem, Point::new(&at, &at), rhs)
}

#[test]
fn every_scale_is_solved() {
    let problem = quadratic(&[vec![4.0, 1.0, 0.0], vec![1.0, 3.0, 1.0], vec![0.0, 1.0, 2.0]]);
    let exact = [1.0, -2.0, 3.0];
    let rhs = product(&problem, &exact);
    for scale in [1e-300, 1e-200, 1.0, 1e200, 1e300] {
        for (name, answer) in by_every_solver(&problem, &rhs.iter().map(|b| b * scale).collect::<Vec<_>>()) {
            let (solution, report) = answer.unwrap();
            let error = distance(&solution.iter().map(|v| v / scale).collect::<Vec<_>>(), &exact);
            assert!(error < 1e-14, "{name} at {scale:e}: {error:e}");
            assert_eq!(report.status, LinearStatus::Converged, "{name} at {scale:e}");
        }
    }
    for hessian in [1e-250, 1e-100, 1e100, 1e250] {
        let problem = diagonal(&[hessian, 3.0 * hessian]);
        for (name, answer) in by_every_solver(&problem, &[1.0, 1.0]) {
            let (solution, report) =
                answer.unwrap_or_else(|error| panic!("{name} with a Hessian of {hessian:e}: {error}"));
            let error = (solution[0] * hessian - 1.0).abs() + (solution[1] * hessian * 3.0 - 1.0).abs();
            assert!(error < 1e-14, "{name} with a Hessian of {hessian:e}: {solution:?}, {report:?}");
        }
    }
}

#[test]
fn a_zero_right_hand_side_has_a_zero_solution() {
    for (name, answer) in by_every_solver(&diagonal(&[1.0, 2.0]), &[0.0, -0.0]) {
        let (solution, report) = answer.unwrap();
        assert_eq!((solution, report.residual, report.iterations), (vec![0.0; 2], 0.0, 0), "{name}");
    }
    for (name, answer) in by_every_solver(&quadratic(&[]), &[]) {
        assert_eq!(answer.unwrap().0, [], "{name}");
    }
}

#[test]
fn one_by_one() {
    for (name, answer) in by_every_solver(&diagonal(&[0.25]), &[3.0]) {
        let solution = answer.unwrap().0[0];
        assert!((solution - 12.0).abs() <= 4.0 * f64::EPSILON * 12.0, "{name}: {solution}");
    }
}

#[test]
fn singular_and_inconsistent_is_an_error() {
    let rank_one: Vec<Vec<f64>> = (0..4).map(|_| vec![1.0; 4]).collect();
    for problem in [quadratic(&rank_one), diagonal(&[1.0, 2.0, 0.0, 3.0])] {
        for (name, answer) in by_every_solver(&problem, &[1.0, 2.0, 3.0, 4.0]) {
            assert!(matches!(answer, Err(LinearError::Singular { .. })), "{name}: {answer:?}");
        }
    }
}

#[test]
fn singular_and_consistent_has_the_least_norm_by_cg_and_is_an_error_by_cholesky() {
    let problem = diagonal(&[1.0, 2.0, 0.0, 4.0]);
    for (name, answer) in by_every_solver(&problem, &[1.0, 1.0, 0.0, 1.0]) {
        if name.starts_with("cg") {
            let (solution, report) = answer.unwrap();
            assert!(!report.positive_definite && report.residual <= 1e-12, "{name}: {report:?}");
            let error = distance(&solution, &[1.0, 0.5, 0.0, 0.25]);
            assert!(error < 1e-14 || report.preconditioner.is_some(), "{name}: {solution:?}");
        } else {
            assert!(matches!(answer, Err(LinearError::Singular { .. })), "{name}: {answer:?}");
        }
    }
}

#[test]
fn negative_curvature_is_an_error() {
    let cases = [
        (diagonal(&[1.0, -2.0, 3.0]), -2.0),
        (quadratic(&[vec![1.0, 2.0], vec![2.0, 1.0]]), -1.0),
        (quadratic(&[vec![0.0, 1.0], vec![1.0, 0.0]]), -1.0),
        (quadratic(&[vec![0.0, 1e200], vec![1e200, 1e200]]), -0.6180339887498949e200),
    ];
    for (problem, smallest) in cases {
        let rhs = [1.0, -1.0, 0.5];
        for (name, answer) in by_every_solver(&problem, &rhs[..problem.latent_len()]) {
            let Err(LinearError::NegativeCurvature { curvature }) = answer else { panic!("{name}: {answer:?}") };
            // It is one that was met: below 0, and no eigenvalue is below the smallest.
            assert!(curvature < 0.01 * smallest && curvature >= smallest * (1.0 + 1e-9), "{name}: {curvature:e}");
        }
    }
}

#[test]
fn numbers_that_are_none_are_an_error() {
    for bad in [f64::NAN, f64::INFINITY] {
        let inputs = [(diagonal(&[1.0, bad]), [1.0, 1.0]), (diagonal(&[1.0, 2.0]), [bad, 1.0])];
        for (problem, rhs) in inputs {
            for (name, answer) in by_every_solver(&problem, &rhs) {
                assert!(matches!(answer, Err(LinearError::NotFinite)), "{name}: {answer:?}");
            }
        }
    }
}

#[test]
fn a_badly_scaled_hessian_is_not_taken_for_a_singular_one() {
    let problem = diagonal(&[1e-12, 1.0, 1e12]);
    let (solution, report) = solve(&DenseCholesky::default(), &problem, &[1.0, 1.0, 1.0]).unwrap();
    assert!((solution[0] - 1e12).abs() < 1e-3 && report.residual < 1e-15, "{solution:?}");
}

#[test]
fn curvature_at_rounding_is_used_where_it_is_known_to_be_positive() {
    // L_zz = diag(1, 2e-16): its smaller eigenvalue is below eps, and lambda > 0 says that it is one.
    let design = Design::from_triplets(2, 2, &[(0, 0, 1.0), (1, 1, 1e-8)]).unwrap();
    let problem = Glm::new(design, Squared, 1e-16).unwrap();
    let (zeros, mut v, mut ctx) = ([0.0; 2], [0.0; 2], Ctx::new());
    let hessian = Hessian { problem: &problem, at: Point::new(&zeros, &zeros) };
    let (solver, mut workspace) = (Cg::default(), Default::default());
    let mut factored = Factored::new(&solver, hessian, &mut workspace, &mut ctx).unwrap();
    let report = factored.solve(&[1.0, 1.0], 1e-12, &mut v, &mut ctx).unwrap();
    assert!((v[1] * 2e-16 - 1.0).abs() < 1e-6, "{v:?} {report:?}");
}

#[test]
fn an_iteration_cap_is_said() {
    let (_, report) =
        solve(&Cg::within(5), &diagonal(&(1..=50).map(f64::from).collect::<Vec<_>>()), &[1.0; 50]).unwrap();
    assert_eq!((report.status, report.iterations), (LinearStatus::IterationCap, 5));
    assert!(report.residual > 1e-3 && report.residual < 1.0);
}

#[test]
fn more_memory_than_allowed_is_refused_before_it_is_taken() {
    let problem = diagonal(&[1.0; 10]);
    let answer = solve(&DenseCholesky::within(799), &problem, &[1.0; 10]);
    assert_eq!(answer.unwrap_err(), LinearError::TooLarge { needed: 800, limit: 799 });
    assert!(solve(&DenseCholesky::within(800), &problem, &[1.0; 10]).is_ok());
}

#[test]
fn a_residual_that_rounding_holds_up_is_said() {
    // Q A Q with the reflection Q = I - 2 r r^T and A diagonal, of the given condition.
    let mut r = random::vector(30, 1);
    let length = norm(&r);
    r.iter_mut().for_each(|r| *r /= length);
    let reflect = |v: &mut [f64]| axpy(-2.0 * dot(v, &r), &r, v);
    for digits in [2, 8, 10, 12, 14] {
        let column = |i: usize| {
            let mut column = vec![0.0; 30];
            column[i] = 1.0;
            reflect(&mut column);
            let diagonal = (0..30).map(|k| 10f64.powf(-f64::from(digits) * f64::from(k) / 29.0));
            column.iter_mut().zip(diagonal).for_each(|(v, d)| *v *= d);
            reflect(&mut column);
            column
        };
        let problem = quadratic(&(0..30).map(column).collect::<Vec<_>>());
        let exact = random::vector(30, 2);
        let rhs = product(&problem, &exact);
        for (name, answer) in by_every_solver(&problem, &rhs) {
            let (solution, report) = answer.unwrap();
            assert_eq!(report.status == LinearStatus::Converged, report.residual <= 1e-12, "{name}: {report:?}");
            // eps times the condition is the residual of a solution that is exact but for its own rounding. Conjugate
            // gradient may not get there within its cap, and says so.
            let condition = 10f64.powi(digits);
            let reachable = 1e-12 + 10.0 * f64::EPSILON * condition;
            let capped = name.starts_with("cg") && report.status == LinearStatus::IterationCap;
            assert!(report.residual <= reachable || capped, "{name}: {report:?}");
            // The right-hand side is itself rounded. What is left of it costs at most its share times the condition.
            let error = distance(&solution, &exact) / norm(&exact);
            let left = if name.starts_with("cg") { report.residual } else { 0.0 };
            let allowed = condition * (50.0 * f64::EPSILON + left);
            assert!(error <= allowed, "{name}, condition {condition:e}: {error:e} of {allowed:e}, {report:?}");
        }
    }
}

proptest! {
    #[test]
    fn a_gram_matrix_of_too_few_vectors_is_singular(m in 2usize..30, seed in 0u64..10_000) {
        let b: Vec<Vec<f64>> = (0..m).map(|i| random::vector(m - 1, seed * 100 + i as u64)).collect();
        let problem = quadratic(&(0..m).map(|i| (0..m).map(|j| dot(&b[i], &b[j])).collect()).collect::<Vec<_>>());
        let answer = solve(&DenseCholesky::default(), &problem, &random::vector(m, seed));
        prop_assert!(matches!(answer, Err(LinearError::Singular { .. })), "{answer:?}");
    }

    #[test]
    fn all_agree(m in 1usize..30, seed in 0u64..10_000) {
        // A = B B^T + I/10.
        let b: Vec<Vec<f64>> = (0..m).map(|i| random::vector(m, seed * 100 + i as u64)).collect();
        let entry = |i: usize, j: usize| dot(&b[i], &b[j]) + if i == j { 0.1 } else { 0.0 };
        let problem = quadratic(&(0..m).map(|i| (0..m).map(|j| entry(i, j)).collect()).collect::<Vec<_>>());
        let rhs = random::vector(m, seed);
        let (exact, _) = solve(&DenseCholesky::default(), &problem, &rhs).unwrap();
        for (name, answer) in by_every_solver(&problem, &rhs) {
            let (solution, report) = answer.unwrap();
            let mut residual = product(&problem, &solution);
            axpy(-1.0, &rhs, &mut residual);
            let true_residual = norm(&residual) / norm(&rhs);
            prop_assert!((true_residual - report.residual).abs() <= 1e-13, "{name}: {true_residual:e} {report:?}");
            // The smallest eigenvalue is at least 1/10.
            let allowed = 10.0 * 2e-12 * norm(&rhs) + 1e-14 * norm(&exact);
            prop_assert!(distance(&solution, &exact) <= allowed, "{name}: {:e} {allowed:e}", distance(&solution, &exact));
        }
    }
}

/// Columns that depend on one another by rounding alone, over many rows: in the sums of an assembled Hessian the eigenvalue
/// of 0 drowns, in products with D it does not.
#[test]
fn dependent_columns_are_singular_over_any_number_of_rows() {
    let noise = random::vector(20_000, 1);
    let row = |kind: usize, i: usize| match kind {
        0 => vec![0.1, 0.7],
        1 => vec![0.1, 0.7, noise[i]],
        2 => vec![noise[i], noise[19_999 - i], 3.3 * noise[i]],
        // One indicator of three, an intercept, and something else.
        _ => {
            let mut row = vec![0.0, 0.0, 0.0, 0.1, noise[i]];
            row[i % 3] = 0.1;
            row
        }
    };
    for kind in 0..4 {
        for n in [60, 300, 1000, 1030, 3000, 10_000, 20_000] {
            let rows: Vec<f64> = (0..n).flat_map(|i| row(kind, i)).collect();
            let m = rows.len() / n;
            let problem = Glm::new(Design::dense(n, m, rows).unwrap(), Squared, 0.0).unwrap();
            let (z, x) = (vec![0.0; m], vec![1.0; n]);
            let mut workspace = Default::default();
            let hessian = Hessian { problem: &problem, at: Point::new(&z, &x) };
            let prepared = DenseCholesky::default().prepare(hessian, &mut workspace, &mut Ctx::new());
            assert!(matches!(prepared, Err(LinearError::Singular { .. })), "kind {kind}, {n} rows: {prepared:?}");
        }
    }
}

/// D with as many rows and columns as wanted, some rows empty and some without curvature, and a penalty for each of two groups of
/// columns.
fn regularised(n: usize, m: usize, seed: u64, lambdas: [f64; 2]) -> (Glm<SquaredHinge>, Vec<f64>, Vec<f64>) {
    let groups = (0..m as u32).map(|j| j % 2).collect();
    let problem = Glm::new(random::design(n, m, 6, seed), SquaredHinge, 1.0).unwrap();
    let problem = problem.grouped(lambdas.to_vec(), groups).unwrap();
    // About half of the rows are on the flat side of the hinge.
    let z = random::vector(m, seed + 1).iter().map(|z| 3.0 * z).collect();
    (problem, z, random::labels(n, seed + 2))
}

#[test]
fn every_shape_is_solved_by_every_method() {
    for (n, m) in [(1, 1), (1, 9), (9, 1), (8, 40), (40, 8), (30, 30), (60, 200), (100, 1000), (0, 5)] {
        for lambdas in [[1.0, 1.0], [0.01, 10.0], [1e-8, 1e-8]] {
            let (problem, z, x) = regularised(n, m, 7, lambdas);
            let mut gradient = vec![0.0; m];
            problem.grad_z(&z, &x, &mut gradient, &mut [], &mut Ctx::new());
            let at = Point::new(&z, &x);
            for rhs in [gradient, random::vector(m, 9)] {
                let answers = by_every_solver_at(&problem, at, &rhs);
                assert_eq!(answers.len(), 9, "every method suits");
                let exact = answers.iter().find(|(name, _)| *name == "dense").unwrap().1.clone().unwrap().0;
                // About 6 entries of size 1 a row.
                let condition = (6.0 * n as f64 + 1.0) / lambdas[0].min(lambdas[1]);
                for (name, answer) in answers {
                    let (solution, report) = answer.unwrap();
                    let what = format!("{name}, {n} x {m}, {lambdas:?}: {report:?}");
                    let mut r = vec![0.0; m];
                    let residual = Hessian { problem: &problem, at }.residual(&rhs, &solution, &mut r, &mut Ctx::new())
                        / norm(&rhs);
                    assert!((residual - report.residual).abs() <= 1e-13 * condition, "{residual:e}, {what}");
                    let reachable = 1e-12_f64.max(50.0 * condition * f64::EPSILON);
                    assert!(report.residual <= reachable, "{what}");
                    let error = distance(&solution, &exact) / norm(&exact);
                    assert!(error <= 2.0 * reachable * condition.min(1e3), "{error:e} of {reachable:e}, {what}");
                    assert!(report.condition.is_none_or(|condition| condition >= 0.99), "{what}");
                    assert!(report.positive_definite, "{what}");
                }
            }
        }
    }
}

/// Several right-hand sides at once, an odd number of them beyond what is taken together, one of them 0.
struct Columns<'a, P> {
    problem: &'a P,
    at: Point<'a>,
    rhs: Vec<f64>,
    visited: usize,
}

impl<P: Problem> Visit<P> for Columns<'_, P> {
    fn visit<H: HessianSolver<P> + Copy>(&mut self, name: &'static str, solver: H) {
        let m = self.problem.latent_len();
        let (mut workspace, mut ctx, mut solutions) =
            (H::Workspace::default(), Ctx::new(), vec![f64::NAN; self.rhs.len()]);
        let hessian = Hessian { problem: self.problem, at: self.at };
        let mut factored = Factored::new(&solver, hessian, &mut workspace, &mut ctx).unwrap();
        let solves = factored.solve_columns(&self.rhs, 1e-12, &mut solutions, &mut ctx).unwrap();
        assert_eq!(solves.len(), self.rhs.len() / m, "{name}");
        for (k, (rhs, solution)) in self.rhs.chunks(m).zip(solutions.chunks(m)).enumerate() {
            let mut r = vec![f64::NAN; m];
            let residual = hessian.residual(rhs, solution, &mut r, &mut ctx);
            assert!(residual <= 1e-12 * norm(rhs), "{name}, column {k}: {residual:e}, {:?}", solves[k]);
            assert!((residual - solves[k].residual * norm(rhs)).abs() <= 1e-13 * norm(rhs), "{name}, column {k}");
            assert_eq!(solves[k].status, LinearStatus::Converged, "{name}, column {k}");
        }
        assert_eq!(factored.solve_columns(&[], 1e-12, &mut [], &mut ctx).unwrap(), [], "{name}");
        self.visited += 1;
    }
}

#[test]
fn columns_are_solved_together() {
    for (n, m) in [(1, 1), (8, 40), (40, 8), (60, 200)] {
        let (problem, z, x) = regularised(n, m, 7, [1.0, 0.1]);
        let mut rhs = random::vector(19 * m, 3);
        rhs[4 * m..5 * m].fill(0.0);
        rhs[5 * m..6 * m].iter_mut().for_each(|b| *b *= 1e-200);
        let mut columns = Columns { problem: &problem, at: Point::new(&z, &x), rhs, visited: 0 };
        for_every_solver(&mut columns);
        assert_eq!(columns.visited, 9);
    }
}

/// A workspace that is kept from one problem to the next: what is found is what a new one finds, bit for bit.
struct Keeping<'a, P> {
    problems: &'a [(P, Vec<f64>, Vec<f64>)],
}

impl<P: AssembleHessian> Visit<P> for Keeping<'_, P> {
    fn visit<H: HessianSolver<P> + Copy>(&mut self, name: &'static str, solver: H) {
        let kept = Kept::new(solver);
        for (k, (problem, z, x)) in self.problems.iter().enumerate() {
            let (at, rhs) = (Point::new(z, x), random::vector(problem.latent_len(), 5));
            let (found, expected) = (solve_at(&kept, problem, at, &rhs), solve_at(&solver, problem, at, &rhs));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.0, expected.0, "{name}, problem {k}"),
                (found, expected) => assert_eq!(found.unwrap_err(), expected.unwrap_err(), "{name}, problem {k}"),
            }
        }
    }
}

#[test]
fn what_is_kept_is_never_used_for_another_problem() {
    let with = |n, m, seed, lambdas| regularised(n, m, seed, lambdas);
    let singular = {
        let (_, z, x) = regularised(30, 50, 7, [1.0, 1.0]);
        (Glm::new(random::design(30, 50, 6, 7), SquaredHinge, 0.0).unwrap(), z, x)
    };
    for_every_solver(&mut Keeping {
        problems: &[
            with(30, 50, 7, [1.0, 1.0]),
            // The same again, at another penalty, of another pattern, not definite, of other shapes, and back.
            with(30, 50, 7, [1.0, 1.0]),
            with(30, 50, 7, [1.0, 1e-3]),
            with(30, 50, 8, [1.0, 1.0]),
            singular,
            with(50, 30, 7, [1.0, 1.0]),
            with(3, 50, 7, [1.0, 1.0]),
            with(30, 1, 7, [1.0, 1.0]),
            with(30, 50, 7, [1.0, 1.0]),
        ],
    });
}

#[test]
fn preconditioners_and_solutions_may_be_kept_along_an_outer_loop() {
    let kept = Kept::new(Cg::preconditioned(Nystrom::default()).warm_started().lagged());
    let (mut first, mut solution) = (0, Vec::new());
    for k in 0..6 {
        let lambda = 0.1 * (1.0 + 0.01 * f64::from(k));
        let (problem, z, x) = regularised(60, 80, 7, [lambda, lambda]);
        let rhs = random::vector(80, 5);
        let (found, report) = solve_at(&kept, &problem, Point::new(&z, &x), &rhs).unwrap();
        assert_eq!((report.status, report.seconds.form == 0.0), (LinearStatus::Converged, k > 0), "{report:?}");
        first = if k == 0 { report.iterations } else { first };
        assert!(report.iterations <= first + first / 2 + 4, "{k}: {} after {first}", report.iterations);
        solution = found;
    }
    // The same system again is solved by what is there.
    let (problem, z, x) = regularised(60, 80, 7, [0.105, 0.105]);
    let (again, report) = solve_at(&kept, &problem, Point::new(&z, &x), &random::vector(80, 5)).unwrap();
    assert_eq!(report.iterations, 1);
    assert!(distance(&again, &solution) <= 1e-13 * norm(&solution));
    // One of another size is not.
    let (problem, z, x) = regularised(60, 9, 7, [0.1, 0.1]);
    let (_, report) = solve_at(&kept, &problem, Point::new(&z, &x), &random::vector(9, 5)).unwrap();
    assert_eq!(report.status, LinearStatus::Converged);
}

/// Columns of dz*/dx.
struct Jacobians<'a, P> {
    problem: &'a P,
    x: &'a [f64],
}

impl<P: AssembleHessian> Visit<P> for Jacobians<'_, P> {
    fn visit<H: HessianSolver<P> + Copy>(&mut self, name: &'static str, solver: H) {
        let (problem, x) = (self.problem, self.x);
        let descent = GradientDescent::default();
        let solution = Solve::new(problem, &descent, x).stop(Stop::steps(20)).run().unwrap();
        let (at, mut ctx) = (solution.point(), Ctx::new());
        let mut seen = Vec::new();
        let each = |j: usize, column: &[f64], solve: LinearSolve| {
            seen.push(j);
            let mut unit = vec![0.0; x.len()];
            unit[j] = 1.0;
            let (mut sum, mut rhs) = (vec![f64::NAN; column.len()], vec![f64::NAN; column.len()]);
            problem.hess(at, column, &mut sum, &mut ctx);
            problem.cross_t(at, &unit, &mut rhs, &mut ctx);
            let scale = norm(&rhs);
            axpy(1.0, &rhs, &mut sum);
            assert!(norm(&sum) <= 2e-12 * scale, "{name}, column {j}: {:e} of {scale:e}, {solve:?}", norm(&sum));
        };
        Implicit::new(solver).jacobian(&solution, (0..x.len()).rev(), each).unwrap();
        assert_eq!(seen, (0..x.len()).rev().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn columns_of_the_jacobian_solve_the_implicit_equation() {
    for (n, m) in [(70, 12), (12, 70)] {
        let glm = || Glm::new(random::design(n, m, 5, 1), Logistic, 0.05).unwrap();
        for wrt in Wrt::ALL {
            let (problem, x) = glm().wrt(wrt, random::labels(n, 2)).unwrap();
            for_every_solver(&mut Jacobians { problem: &problem, x: &x });
        }
    }
}

#[test]
fn large_factors_have_the_same_bits_at_every_number_of_threads() {
    // Enough rows and fill for factorisations to be cut.
    let (n, m) = (1300, 1100);
    let problem = Glm::new(random::design(n, m, 12, 1), Squared, 0.1).unwrap();
    let (z, x, rhs) = (vec![0.0; m], vec![0.0; n], random::vector(m, 2));
    let answers = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let at = Point::new(&z, &x);
        pool.install(|| {
            [
                solve_at(&DenseCholesky::default(), &problem, at, &rhs),
                solve_at(&SparseCholesky::default(), &problem, at, &rhs),
                solve_at(&DualCholesky::default(), &problem, at, &rhs),
            ]
            .map(|answer| {
                let (solution, report) = answer.unwrap();
                (report.method, report.factor_entries, solution)
            })
        })
    };
    let one = answers(1);
    assert!(one[1].1.unwrap() > 500 * m as u64, "fill: {:?}", one[1].1);
    for threads in [2, 3, 4, 8] {
        assert!(answers(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_band_is_factorised_in_its_own_order() {
    let (n, m) = (600, 300);
    let row = |i: usize| (0..4).map(move |k| (i, (i / 2 + k) % m.max(1), 1.0 + (i * k % 5) as f64));
    let triplets: Vec<_> = (0..n - 8).flat_map(row).filter(|&(i, j, _)| j + 4 > i / 2).collect();
    let problem = Glm::new(Design::from_triplets(n, m, &triplets).unwrap(), Squared, 0.1).unwrap();
    let (z, x, rhs) = (vec![0.0; m], vec![1.0; n], random::vector(m, 1));
    let at = Point::new(&z, &x);
    let (solution, report) = solve_at(&SparseCholesky::default(), &problem, at, &rhs).unwrap();
    let (exact, _) = solve_at(&DenseCholesky::default(), &problem, at, &rhs).unwrap();
    // A band of 4: no fill but what its columns are joined into.
    assert!(report.factor_entries.unwrap() < 10 * m as u64, "{report:?}");
    assert!(report.residual < 1e-13 && distance(&solution, &exact) <= 1e-11 * norm(&exact), "{report:?}");
}

/// Few rows over many columns, each row beside the one before.
fn wide_band(n: usize, m: usize, lambda: f64, value: impl Fn(usize, usize) -> f64) -> Glm<Squared> {
    let row = |i: usize| (0..8).map(move |k| (i, i * m / n + k)).filter(|&(_, j)| j < m);
    let triplets: Vec<_> = (0..n).flat_map(row).map(|(i, j)| (i, j, value(i, j))).collect();
    Glm::new(Design::from_triplets(n, m, &triplets).unwrap(), Squared, lambda).unwrap()
}

#[test]
fn the_dual_of_a_wide_band_is_sparse() {
    let (n, m) = (400, 1600);
    let problem = wide_band(n, m, 1e-8, |i, j| 1.0 + (i * j % 5) as f64);
    let (z, x) = (random::vector(m, 3), vec![1.0; n]);
    let at = Point::new(&z, &x);
    let mut gradient = vec![0.0; m];
    problem.grad_z(&z, &x, &mut gradient, &mut [], &mut Ctx::new());
    for rhs in [gradient, random::vector(m, 1)] {
        let (solution, report) = solve_at(&DualCholesky::default(), &problem, at, &rhs).unwrap();
        let (exact, _) = solve_at(&DenseCholesky::default(), &problem, at, &rhs).unwrap();
        // K is a band of 2, and there are two factors.
        assert!(report.factor_entries.unwrap() < 2 * 10 * n as u64, "{report:?}");
        // The largest eigenvalue of K / lambda + 1, of which the smallest is 1, and no more than twice that in a narrow band.
        let largest = problem.design().matrix().largest_eigenvalue(&vec![1.0; n], &mut Ctx::new()) / 1e-8;
        let condition = report.condition.unwrap();
        assert!(condition >= largest && condition <= 2.0 * largest, "{condition:e} of {largest:e}");
        // Squares of up to 5 times 8 entries a row, two rows a column, over the penalty.
        let reachable = 50.0 * 400.0 / 1e-8 * f64::EPSILON;
        assert!(report.residual <= reachable, "{report:?}");
        assert!(distance(&solution, &exact) <= 2.0 * reachable * norm(&exact), "{report:?}");
    }
    // Iterations take many passes, where a factorisation of the dual takes few.
    let (_, report) = solve_at(&Auto::default(), &problem, at, &random::vector(m, 1)).unwrap();
    assert_eq!(report.method, "dual", "{report:?}");
}

#[test]
fn what_is_kept_of_a_sparse_dual_follows_the_values_and_the_pattern() {
    let at = (random::vector(1600, 3), vec![1.0; 400]);
    let with = |problem| (problem, at.0.clone(), at.1.clone());
    let scattered = || Glm::new(random::design(400, 1600, 2, 1), Squared, 0.1).unwrap();
    for_every_solver(&mut Keeping {
        problems: &[
            with(wide_band(400, 1600, 0.1, |_, _| 1.0)),
            with(wide_band(400, 1600, 0.1, |i, j| 1.0 + (i * j % 5) as f64)),
            with(scattered()),
            // Not sparse, and sparse again.
            with(Glm::new(Design::dense(400, 1600, random::vector(640_000, 1)).unwrap(), Squared, 0.1).unwrap()),
            with(wide_band(400, 1600, 0.1, |_, _| 1.0)),
            with(wide_band(400, 1600, 1e-4, |_, _| 1.0)),
        ],
    });
}

#[test]
fn a_large_penalty_is_no_negative_curvature() {
    for (n, m) in [(1, 2), (1, 7), (2, 20), (5, 60)] {
        for (lambda, size) in [(0.1, 1e-3), (10.0, 1.0), (1000.0, 0.1), (1000.0, 1e-3)] {
            let values = random::vector(n * m, 3).into_iter().map(|v| size * v).collect();
            let problem = Glm::new(Design::dense(n, m, values).unwrap(), Logistic, lambda).unwrap();
            let (z, x) = (random::vector(m, 1), random::labels(n, 2));
            for (name, answer) in by_every_solver_at(&problem, Point::new(&z, &x), &random::vector(m, 5)) {
                let (_, report) = answer.unwrap_or_else(|error| panic!("{name}, {n} x {m}, {lambda}: {error}"));
                assert!(report.residual <= 1e-12, "{name}, {n} x {m}, {lambda}: {report:?}");
            }
        }
    }
}

#[test]
fn the_order_of_columns_does_not_decide_whether_they_are_solved() {
    // Columns of D over four decades, a penalty of next to nothing: conjugate gradient does not get there.
    let (n, m) = (4000, 400);
    let mut triplets = Vec::new();
    random::design(n, m, 6, 1).for_each_entry(|i, j, v| triplets.push((i, j, v * 10f64.powf(-(j as f64) / 100.0))));
    let problem = Glm::new(Design::from_triplets(n, m, &triplets).unwrap(), Squared, 1e-9).unwrap();
    let (z, x) = (vec![0.0; m], vec![0.0; n]);
    let easy = {
        // An eigenvector, within a few iterations.
        let mut ctx = Ctx::new();
        let (mut v, mut image) = (random::vector(m, 3), vec![0.0; m]);
        for _ in 0..200 {
            problem.hess(Point::new(&z, &x), &v, &mut image, &mut ctx);
            let length = norm(&image);
            v.iter_mut().zip(&image).for_each(|(v, image)| *v = image / length);
        }
        v
    };
    let (zero, hard) = (vec![0.0; m], random::vector(2 * m, 2));
    for first in [zero, easy] {
        for rhs in [[&first[..], &hard].concat(), [&hard[..], &first].concat()] {
            let (mut solutions, mut ctx, mut workspace) = (vec![f64::NAN; rhs.len()], Ctx::new(), Default::default());
            let hessian = Hessian { problem: &problem, at: Point::new(&z, &x) };
            let auto = Auto::default();
            let mut factored = Factored::new(&auto, hessian, &mut workspace, &mut ctx).unwrap();
            for solve in factored.solve_columns(&rhs, 1e-10, &mut solutions, &mut ctx).unwrap() {
                assert!(solve.residual <= 1e-8, "{solve:?}");
            }
        }
    }
}

#[test]
fn a_solution_that_overflows_is_an_error() {
    for (name, answer) in by_every_solver(&diagonal(&[1e-200, 2e-200]), &[1e200, 1e200]) {
        assert!(matches!(answer, Err(LinearError::NotFinite)), "{name}: {answer:?}");
    }
}

#[test]
fn a_semidefinite_matrix_is_never_called_negative() {
    let gram = |b: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let m = b[0].len();
        let entry = |i: usize, j: usize| b.iter().map(|b| b[i] * b[j]).sum();
        (0..m).map(|i| (0..m).map(|j| entry(i, j)).collect()).collect()
    };
    // A right-hand side in the null space, where all that is met is rounding, and others.
    let mut cases = vec![
        (vec![vec![1.0, 5.0, 3.0]], vec![5.0 / 7.0, -1.0 / 7.0, 0.0]),
        (vec![vec![1.0, 5.0, 7.0]], vec![5.0 / 7.0, -1.0 / 7.0, 0.0]),
        (vec![vec![1.0, 4.0, 3.0]], vec![1.0, 2.0, 3.0]),
    ];
    for seed in 0..60 {
        let (m, rank) = (2 + seed as usize % 7, 1 + seed as usize % 3);
        let factors =
            (0..rank).map(|k| random::vector(m, seed + 100 * k as u64 + 1).iter().map(|v| (5.0 * v).round()).collect());
        cases.push((factors.collect(), random::vector(m, seed + 1000)));
    }
    for (b, rhs) in cases {
        for (name, answer) in by_every_solver(&quadratic(&gram(&b)), &rhs) {
            assert!(
                !matches!(answer, Err(LinearError::NegativeCurvature { .. })),
                "{name}, {b:?}, {rhs:?}: {answer:?}"
            );
        }
    }
}

#[test]
fn no_curvature_is_told_below_the_smallest_eigenvalue() {
    for size in [1e8, 1e17, 1e19, 1e25, 1e100] {
        let problem = quadratic(&[vec![size, 0.0, 0.0], vec![0.0, 1.0, 2.0], vec![0.0, 2.0, 1.0]]);
        for (name, answer) in by_every_solver(&problem, &[1.0, -1.0, 0.5]) {
            if let Err(LinearError::NegativeCurvature { curvature }) = answer {
                assert!((-1.0 - 1e-9..0.0).contains(&curvature), "{name}, {size:e}: {curvature:e}");
            }
        }
    }
}

#[test]
fn rows_of_very_different_sizes_are_solved() {
    let cases = [
        (vec![(0, 0, 1e5), (1, 0, 1e5), (1, 1, 1.0)], 1e-4),
        (vec![(0, 0, 1e5), (1, 0, 1e5), (1, 1, 1.0)], 1e-8),
        (vec![(0, 0, 1e3), (1, 0, 1e3), (1, 1, 1e-3)], 1e-4),
        (vec![(0, 0, 1e4), (1, 1, 1e-4)], 1e-8),
        (vec![(0, 0, 1e3), (0, 1, 1.0), (1, 0, 1e3), (1, 2, 1e-4)], 1e-8),
    ];
    for (triplets, lambda) in cases {
        let problem = Glm::new(Design::from_triplets(2, 4, &triplets).unwrap(), Squared, lambda).unwrap();
        let (z, x) = (vec![0.0; 4], vec![1.0; 2]);
        for rhs in [[0.3, -0.7, 0.2, 0.5], [1.0, 0.0, 0.0, 0.0]] {
            let auto = solve_at(&Auto::default(), &problem, Point::new(&z, &x), &rhs).unwrap().1;
            assert!(auto.residual <= 1e-3, "{triplets:?}, {lambda:e}: {auto:?}");
            let dual = solve_at(&DualCholesky::default(), &problem, Point::new(&z, &x), &rhs);
            // Where it cannot be used it says so, and not that the Hessian is singular.
            assert!(!matches!(dual, Err(LinearError::Singular { .. })), "{triplets:?}, {lambda:e}: {dual:?}");
        }
    }
}

#[test]
fn a_solution_that_underflows_is_told_by_its_residual() {
    for (rhs, exponent) in [([1e-300, 2e-300], 30), ([1e-300, 2e-300], 12), ([1e-310, 1e-312], 3)] {
        let problem = diagonal(&[10f64.powi(exponent), 3.0 * 10f64.powi(exponent)]);
        for (name, answer) in by_every_solver(&problem, &rhs) {
            let (solution, report) = answer.unwrap();
            let unit: Vec<f64> = solution.iter().map(|v| v * 2f64.powi(1000)).collect();
            let expected = distance(&product(&problem, &unit), &rhs.map(|b| b * 2f64.powi(1000)))
                / norm(&rhs.map(|b| b * 2f64.powi(1000)));
            assert!((report.residual - expected).abs() <= 1e-13, "{name}: {expected:e}, {report:?}");
            assert_eq!(report.status == LinearStatus::Converged, expected <= 1e-12, "{name}: {report:?}");
        }
    }
}

#[test]
fn a_preconditioner_that_did_not_do_is_made_anew() {
    let row = |i: usize| (0..200).map(|j: usize| [2.0, -1.0, 0.0][i.abs_diff(j).min(2)]).collect();
    let slow = quadratic(&(0..200).map(row).collect::<Vec<_>>());
    let kept = Kept::new(Cg::preconditioned(Jacobi).at_most(60).lagged());
    assert_eq!(solve(&kept, &slow, &random::vector(200, 1)).unwrap().1.status, LinearStatus::IterationCap);
    let quick = diagonal(&(0..200).map(|k| 10f64.powf(f64::from(k) / 20.0)).collect::<Vec<_>>());
    assert_eq!(solve(&kept, &quick, &random::vector(200, 1)).unwrap().1.iterations, 1);
}

#[test]
fn several_predictions_and_no_columns() {
    let problem = Glm::new(Design::from_triplets(5, 0, &[]).unwrap(), Multinomial::new(3).unwrap(), 0.1).unwrap();
    let x = vec![0.0; 15];
    for (name, answer) in by_every_solver_at(&problem, Point::new(&[], &x), &[]) {
        assert_eq!(answer.unwrap().0, [], "{name}");
    }
}

/// A limit just above what `method` asks for is kept.
fn keeps_its_limit<P: Problem, H: HessianSolver<P>>(method: impl Fn(u64) -> H, problem: &P, too_little: u64) {
    let m = problem.latent_len();
    let (z, x, rhs) = (vec![0.0; m], vec![0.0; problem.parameter_len()], vec![1.0; m]);
    let attempt = |limit: u64| {
        let (mut ctx, mut v, mut workspace) = (Ctx::new(), vec![0.0; m], Default::default());
        let method = method(limit);
        let mark = ctx.mark();
        let hessian = Hessian { problem, at: Point::new(&z, &x) };
        let solved = Factored::new(&method, hessian, &mut workspace, &mut ctx)
            .and_then(|mut factored| factored.solve(&rhs, 1e-12, &mut v, &mut ctx));
        (solved, ctx.since(mark).peak_bytes)
    };
    let refused = attempt(too_little).0.unwrap_err();
    assert!(matches!(refused, LinearError::TooLarge { .. }), "{refused}");
    let LinearError::TooLarge { needed, .. } = refused else { return };
    let mut limit = needed;
    let (solved, peak) = loop {
        match attempt(limit) {
            (Err(LinearError::TooLarge { needed, .. }), _) => limit = limit.max(needed) + m as u64,
            found => break found,
        }
    };
    solved.unwrap();
    // What the solve itself takes, some vectors of length m, is not of the factorisation.
    assert!(peak <= limit + 10 * 8 * m as u64, "{peak} bytes within {limit}");
}

#[test]
fn a_smaller_limit_holds_for_what_was_kept() {
    fn refuses<P: Problem, H: HessianSolver<P>>(problem: &P, within: impl Fn(u64) -> H) {
        let (z, x) = (vec![0.0; problem.latent_len()], vec![0.0; problem.parameter_len()]);
        let hessian = Hessian { problem, at: Point::new(&z, &x) };
        let (mut workspace, mut ctx) = (Default::default(), Ctx::new());
        within(1 << 30).prepare(hessian, &mut workspace, &mut ctx).unwrap();
        let refused = within(1000).prepare(hessian, &mut workspace, &mut ctx);
        assert!(matches!(refused, Err(LinearError::TooLarge { .. })), "{refused:?}");
    }
    let problem = wide_band(400, 1600, 1.0, |_, _| 1.0);
    refuses(&problem, SparseCholesky::within);
    refuses(&problem, DualCholesky::within);
}

#[test]
fn a_limit_holds_for_all_that_a_sparse_factorisation_takes() {
    let m = 20_000;
    let triplets: Vec<_> = (0..1000).map(|i| (i, i, 1.0)).collect();
    let problem = Glm::new(Design::from_triplets(1000, m, &triplets).unwrap(), Squared, 1.0).unwrap();
    keeps_its_limit(SparseCholesky::within, &problem, 120 * m as u64);
    keeps_its_limit(DualCholesky::within, &wide_band(5000, 5000, 1.0, |_, _| 1.0), 500_000);
}

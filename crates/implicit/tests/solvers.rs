//! Every Hessian solver on every kind of matrix: the right answer, or a typed error, never NaN.

use danskin_core::ctx::Ctx;
use danskin_core::design::Design;
use danskin_core::linear::{Factored, Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus};
use danskin_core::problem::glm::Glm;
use danskin_core::problem::loss::Squared;
use danskin_core::problem::{AssembleHessian, Objective, Point, Problem, Work};
use danskin_core::testing::{check_problem, random};
use danskin_core::vector::{axpy, distance, dot, norm};
use danskin_implicit::{Auto, Cg, DenseCholesky};
use proptest::prelude::*;

/// 1/2 z^T A z - <x, z>, with A symmetric, given by rows.
struct Quadratic {
    rows: Vec<Vec<f64>>,
}

impl Quadratic {
    fn new(rows: &[&[f64]]) -> Self {
        Self { rows: rows.iter().map(|row| row.to_vec()).collect() }
    }

    fn diagonal(diagonal: &[f64]) -> Self {
        let row = |i: usize| (0..diagonal.len()).map(|j| if i == j { diagonal[i] } else { 0.0 }).collect();
        Self { rows: (0..diagonal.len()).map(row).collect() }
    }

    fn product(&self, v: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(&self.rows).for_each(|(out, row)| *out = dot(row, v));
    }
}

impl Objective for Quadratic {
    fn dims(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.len())
    }

    fn value(&self, at: Point<'_>, _: &mut Ctx) -> f64 {
        let mut az = vec![0.0; at.z.len()];
        self.product(at.z, &mut az);
        0.5 * dot(at.z, &az) - dot(at.x, at.z)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], _: &mut Ctx) {
        self.product(z, out);
        axpy(-1.0, x, out);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, at.z, out);
    }
}

impl Problem for Quadratic {
    fn hess(&self, _: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_pass();
        self.product(v, out);
    }

    fn cross(&self, _: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, v, out);
    }

    fn cross_t(&self, _: Point<'_>, w: &[f64], out: &mut [f64], _: &mut Ctx) {
        out.iter_mut().zip(w).for_each(|(out, w)| *out = -w);
    }
}

impl AssembleHessian for Quadratic {
    fn assemble_hessian(&self, _: Point<'_>, out: &mut [f64], _: &mut Ctx) {
        out.copy_from_slice(&self.rows.concat());
    }

    fn work(&self) -> Work {
        let entries = self.rows.len().pow(2) as f64;
        Work { product: entries, assembly: entries }
    }
}

type Answer = Result<(Vec<f64>, LinearSolve), LinearError>;

fn solve<H: HessianSolver<Quadratic>>(solver: &H, problem: &Quadratic, rhs: &[f64]) -> Answer {
    let at = vec![0.0; rhs.len()];
    let (mut solution, mut ctx, mut workspace) = (vec![f64::NAN; rhs.len()], Ctx::new(), H::Workspace::default());
    let mut factored = Factored::new(solver, Hessian { problem, at: Point::new(&at, &at) }, &mut workspace, &mut ctx)?;
    let report = factored.solve(rhs, 1e-12, &mut solution, &mut ctx)?;
    Ok((solution, report))
}

/// The table: a new solver is one line here.
fn by_every_solver(problem: &Quadratic, rhs: &[f64]) -> [(&'static str, Answer); 3] {
    [
        ("cg", solve(&Cg::default(), problem, rhs)),
        ("dense", solve(&DenseCholesky::default(), problem, rhs)),
        ("auto", solve(&Auto, problem, rhs)),
    ]
}

#[test]
fn the_quadratic_is_one() {
    let problem = Quadratic::new(&[&[2.0, 1.0], &[1.0, 3.0]]);
    check_problem(&problem, &[0.3, -0.2], &[1.0, 2.0]).unwrap();
}

#[test]
fn every_scale_is_solved() {
    let problem = Quadratic::new(&[&[4.0, 1.0, 0.0], &[1.0, 3.0, 1.0], &[0.0, 1.0, 2.0]]);
    let exact = [1.0, -2.0, 3.0];
    let mut rhs = [0.0; 3];
    problem.product(&exact, &mut rhs);
    for scale in [1e-300, 1e-200, 1.0, 1e200, 1e300] {
        for (name, answer) in by_every_solver(&problem, &rhs.map(|b| b * scale)) {
            let (solution, report) = answer.unwrap();
            let error = distance(&solution.iter().map(|v| v / scale).collect::<Vec<_>>(), &exact);
            assert!(error < 1e-14, "{name} at {scale:e}: {error:e}");
            assert_eq!(report.status, LinearStatus::Converged, "{name} at {scale:e}");
        }
    }
    for hessian in [1e-250, 1e-100, 1e100, 1e250] {
        let problem = Quadratic::diagonal(&[hessian, 3.0 * hessian]);
        for (name, answer) in by_every_solver(&problem, &[1.0, 1.0]) {
            let (solution, report) = answer.unwrap();
            let error = (solution[0] * hessian - 1.0).abs() + (solution[1] * hessian * 3.0 - 1.0).abs();
            assert!(error < 1e-14, "{name} with a Hessian of {hessian:e}: {solution:?}, {report:?}");
        }
    }
}

#[test]
fn a_zero_right_hand_side_has_a_zero_solution() {
    for (name, answer) in by_every_solver(&Quadratic::diagonal(&[1.0, 2.0]), &[0.0, -0.0]) {
        let (solution, report) = answer.unwrap();
        assert_eq!((solution, report.residual, report.iterations), (vec![0.0; 2], 0.0, 0), "{name}");
    }
    for (name, answer) in by_every_solver(&Quadratic::new(&[]), &[]) {
        assert_eq!(answer.unwrap().0, [], "{name}");
    }
}

#[test]
fn one_by_one() {
    for (name, answer) in by_every_solver(&Quadratic::diagonal(&[0.25]), &[3.0]) {
        assert_eq!(answer.unwrap().0, [12.0], "{name}");
    }
}

#[test]
fn singular_and_inconsistent_is_an_error() {
    let rank_one: Vec<Vec<f64>> = (0..4).map(|_| vec![1.0; 4]).collect();
    for problem in [Quadratic { rows: rank_one }, Quadratic::diagonal(&[1.0, 2.0, 0.0, 3.0])] {
        for (name, answer) in by_every_solver(&problem, &[1.0, 2.0, 3.0, 4.0]) {
            assert!(matches!(answer, Err(LinearError::Singular { .. })), "{name}: {answer:?}");
        }
    }
}

#[test]
fn singular_and_consistent_has_the_least_norm_by_cg_and_is_an_error_by_cholesky() {
    let problem = Quadratic::diagonal(&[1.0, 2.0, 0.0, 4.0]);
    let [(_, cg), (_, dense), _] = by_every_solver(&problem, &[1.0, 1.0, 0.0, 1.0]);
    let (solution, report) = cg.unwrap();
    assert!(distance(&solution, &[1.0, 0.5, 0.0, 0.25]) < 1e-14);
    assert!(!report.positive_definite);
    assert!(matches!(dense, Err(LinearError::Singular { .. })));
}

#[test]
fn negative_curvature_is_an_error() {
    for problem in [Quadratic::diagonal(&[1.0, -2.0, 3.0]), Quadratic::new(&[&[1.0, 2.0], &[2.0, 1.0]])] {
        let rhs = [1.0, -1.0, 0.5];
        for (name, answer) in by_every_solver(&problem, &rhs[..problem.rows.len()]) {
            assert!(matches!(answer, Err(LinearError::NegativeCurvature { .. })), "{name}: {answer:?}");
        }
    }
}

#[test]
fn numbers_that_are_none_are_an_error() {
    for bad in [f64::NAN, f64::INFINITY] {
        let inputs = [(Quadratic::diagonal(&[1.0, bad]), [1.0, 1.0]), (Quadratic::diagonal(&[1.0, 2.0]), [bad, 1.0])];
        for (problem, rhs) in inputs {
            for (name, answer) in by_every_solver(&problem, &rhs) {
                assert!(matches!(answer, Err(LinearError::NotFinite)), "{name}: {answer:?}");
            }
        }
    }
}

#[test]
fn a_badly_scaled_hessian_is_not_taken_for_a_singular_one() {
    let problem = Quadratic::diagonal(&[1e-12, 1.0, 1e12]);
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
    let (solver, mut workspace) = (Cg::default(), ());
    let mut factored = Factored::new(&solver, hessian, &mut workspace, &mut ctx).unwrap();
    let report = factored.solve(&[1.0, 1.0], 1e-12, &mut v, &mut ctx).unwrap();
    assert!((v[1] * 2e-16 - 1.0).abs() < 1e-6, "{v:?} {report:?}");
}

#[test]
fn an_iteration_cap_is_said() {
    let diagonal: Vec<f64> = (1..=50).map(f64::from).collect();
    let (_, report) = solve(&Cg::within(5), &Quadratic::diagonal(&diagonal), &[1.0; 50]).unwrap();
    assert_eq!((report.status, report.iterations), (LinearStatus::IterationCap, 5));
    assert!(report.residual > 1e-3 && report.residual < 1.0);
}

#[test]
fn more_memory_than_allowed_is_refused_before_it_is_taken() {
    let problem = Quadratic::diagonal(&[1.0; 10]);
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
        let problem = Quadratic { rows: (0..30).map(column).collect() };
        for (name, answer) in by_every_solver(&problem, &random::vector(30, 2)) {
            let (_, report) = answer.unwrap();
            assert_eq!(report.status == LinearStatus::Converged, report.residual <= 1e-12, "{name}: {report:?}");
            // eps times the condition is the residual of a solution that is exact but for its own rounding. Conjugate
            // gradient may not get there within its cap, and says so.
            let reachable = 1e-12 + 10.0 * f64::EPSILON * 10f64.powi(digits);
            assert!(report.residual <= reachable || report.status == LinearStatus::IterationCap, "{name}: {report:?}");
        }
    }
}

proptest! {
    #[test]
    fn a_gram_matrix_of_too_few_vectors_is_singular(m in 2usize..30, seed in 0u64..10_000) {
        let b: Vec<Vec<f64>> = (0..m).map(|i| random::vector(m - 1, seed * 100 + i as u64)).collect();
        let problem = Quadratic { rows: (0..m).map(|i| (0..m).map(|j| dot(&b[i], &b[j])).collect()).collect() };
        let answer = solve(&DenseCholesky::default(), &problem, &random::vector(m, seed));
        prop_assert!(matches!(answer, Err(LinearError::Singular { .. })), "{answer:?}");
    }

    #[test]
    fn cg_and_cholesky_agree(m in 1usize..30, seed in 0u64..10_000) {
        // A = B B^T + I/10.
        let b: Vec<Vec<f64>> = (0..m).map(|i| random::vector(m, seed * 100 + i as u64)).collect();
        let entry = |i: usize, j: usize| dot(&b[i], &b[j]) + if i == j { 0.1 } else { 0.0 };
        let problem = Quadratic { rows: (0..m).map(|i| (0..m).map(|j| entry(i, j)).collect()).collect() };
        let rhs = random::vector(m, seed);
        let [(_, cg), (_, dense), _] = by_every_solver(&problem, &rhs);
        let ((cg, cg_report), (dense, dense_report)) = (cg.unwrap(), dense.unwrap());
        for (solution, report) in [(&cg, cg_report), (&dense, dense_report)] {
            let mut residual = vec![0.0; m];
            problem.product(solution, &mut residual);
            axpy(-1.0, &rhs, &mut residual);
            let true_residual = norm(&residual) / norm(&rhs);
            prop_assert!((true_residual - report.residual).abs() <= 1e-13, "{true_residual:e} {report:?}");
        }
        // The smallest eigenvalue is at least 1/10.
        let allowed = 10.0 * (cg_report.residual + dense_report.residual) * norm(&rhs);
        prop_assert!(distance(&cg, &dense) <= allowed + 1e-14 * norm(&dense), "{:e} {allowed:e}", distance(&cg, &dense));
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

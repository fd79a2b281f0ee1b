//! Every result has the same bits at every number of threads, on designs that are cut into several pieces, over more rows than
//! one task of a sum takes.

use danskin::implicit::precondition::Preconditioner;
use danskin::prelude::*;
use danskin::testing::random;
use rayon::ThreadPoolBuilder;

/// Rows: more than twice those that are summed in one task.
const ROWS: usize = 9000;
const COLUMNS: usize = 120;

/// The numbers of a run, by the name of what they are.
type Results = Vec<(String, Vec<f64>)>;

fn by_solver<S: Replay<Glm<Logistic>>>(name: &str, problem: &Glm<Logistic>, x: &[f64], solver: &S) -> Results {
    let solve = || Solve::new(problem, solver, x).stop(Stop::steps(12));
    let taped = solve().record(Tape::new()).run().unwrap();
    let within = solve().record(Checkpoints::within(8 * 4 * (ROWS + COLUMNS) as u64)).run().unwrap();
    vec![
        (format!("{name}: z"), taped.z().to_vec()),
        (format!("{name}: L"), vec![problem.value(taped.point(), &mut Ctx::new())]),
        (format!("{name}: g1"), taped.gradient(&Analytic).unwrap().value),
        (format!("{name}: g2"), taped.gradient(&Automatic).unwrap().value),
        (format!("{name}: g2 within a budget"), within.gradient(&Automatic).unwrap().value),
    ]
}

fn by_linear_solvers(problem: &Glm<Logistic>, x: &[f64]) -> Results {
    fn g3(
        solution: &Solution<'_, Glm<Logistic>, GradientDescent>,
        solver: impl HessianSolver<Glm<Logistic>>,
    ) -> Vec<f64> {
        solution.gradient(&Implicit::new(solver)).unwrap().value
    }
    fn cg<M: Preconditioner<Glm<Logistic>>>(preconditioner: M) -> Cg<M> {
        Cg::preconditioned(preconditioner)
    }
    let solver = GradientDescent::default();
    let solution = Solve::new(problem, &solver, x).stop(Stop::steps(5)).run().unwrap();
    vec![
        ("g3 by cg".to_owned(), g3(&solution, Cg::default())),
        ("g3 by cg, jacobi".to_owned(), g3(&solution, cg(Jacobi))),
        ("g3 by cg, block jacobi".to_owned(), g3(&solution, cg(BlockJacobi::of(7)))),
        ("g3 by cg, ic0".to_owned(), g3(&solution, cg(IncompleteCholesky::default()))),
        ("g3 by cg, nystrom".to_owned(), g3(&solution, cg(Nystrom::within(24)))),
        ("g3 by dense Cholesky".to_owned(), g3(&solution, DenseCholesky::default())),
        ("g3 by sparse Cholesky".to_owned(), g3(&solution, SparseCholesky::default())),
    ]
}

fn results(design: &Design, threads: usize) -> Results {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let problem = Glm::new(design.clone(), Logistic, 1.0).unwrap();
        let x = random::labels(ROWS, 5);
        let mut results = by_solver("gradient descent", &problem, &x, &GradientDescent::default());
        results.extend(by_solver("nesterov", &problem, &x, &Nesterov::default().restart(true)));
        results.extend(by_solver("heavy ball", &problem, &x, &HeavyBall::default()));
        results.extend(by_solver("backtracking", &problem, &x, &Backtracking::default()));
        results.extend(by_linear_solvers(&problem, &x));
        results
    })
}

#[test]
fn every_result_has_the_same_bits_at_every_number_of_threads() {
    // Fused in f64; gathered, its rows in order of their lengths.
    let rows = |per_row: usize, value: &dyn Fn(f64) -> f64| {
        let mut triplets = Vec::new();
        random::design(ROWS, COLUMNS, per_row, 3).for_each_entry(|i, j, v| triplets.push((i, j, value(v))));
        Design::from_triplets(ROWS, COLUMNS, &triplets).unwrap()
    };
    for (name, design) in [("f64", rows(20, &|v| v)), ("ones", rows(14, &|_| 1.0))] {
        assert!(design.entries() > 8 * 8192, "enough entries for as many pieces as threads: {}", design.entries());
        let one = results(&design, 1);
        for threads in [2, 3, 4, 8] {
            for ((what, expected), (_, found)) in one.iter().zip(results(&design, threads)) {
                let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert!(bits(expected) == bits(&found), "{name}, {what}, on {threads} threads");
            }
        }
    }
}

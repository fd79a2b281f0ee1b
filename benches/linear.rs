//! Linear systems with the Hessian, by every method: seconds of each stage, iterations, and the residual that was reached.
//!
//! `cargo bench -p danskin-bench --bench linear` takes the shipped sets and synthetic rows, scattered and banded, more and fewer than columns; `-- FILE ...` other
//! designs, `condition=C` another L / lambda than 1000. Logistic with the larger half of the labels against the rest, at z after 10 steps of gradient descent,
//! the right-hand side grad_z L; square .mtx files are Hessians themselves. Every method starts from nothing, to a residual of 1e-10;
//! the least of a few samples taken in turn counts. `again` is a second factorisation or preconditioner, after the first, at another
//! point. Methods have 1 GiB, and 30 seconds after which iterations end.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use danskin::linear::{Factored, Hessian, LinearError, LinearSolve};
use danskin::prelude::*;
use danskin::testing::random;
use danskin_bench::halves;
use danskin_bench::table::aligned;
use danskin_data::make::{Banded, Recipe, Zipf};
use danskin_data::{ReadOptions, Shipped};

const TOLERANCE: f64 = 1e-10;
const CONDITION: f64 = 1000.0;
const SETTING: &str = "condition=";
const STEPS: usize = 10;
const SAMPLES: usize = 3;
/// Seconds beyond which a method is not sampled again.
const LONG: f64 = 5.0;
/// Seconds after which whoever watches asks to end.
const TOO_LONG: u64 = 30;
/// Bytes that a factorisation may take.
const LIMIT: u64 = 1 << 30;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let (conditions, files): (Vec<_>, Vec<_>) = arguments.partition(|argument| argument.starts_with(SETTING));
    let condition = match conditions.first() {
        Some(setting) => setting[SETTING.len()..].parse()?,
        None => CONDITION,
    };
    if files.is_empty() {
        for name in ["digits", "debian_small"] {
            let set = Shipped::find(name).expect("it is shipped").load()?;
            of_design(name, set.design, set.labels.as_deref(), condition);
        }
        of_design("zipf", Recipe::new(Zipf, 100_000, 20_000).per_row(50).prepare()?.dataset()?.design, None, condition);
        for (name, n, m) in [("banded", 100_000, 20_000), ("wide band", 20_000, 100_000)] {
            let banded = Recipe::new(Banded { width: Some(60) }, n, m).per_row(50);
            of_design(name, banded.prepare()?.dataset()?.design, None, condition);
        }
    }
    for file in files {
        let set = danskin_data::read(Path::new(&file), &ReadOptions::default())?;
        if file.contains(".mtx") && set.design.rows() == set.design.columns() {
            of_matrix(&file, &set.design)?;
        } else {
            of_design(&file, set.design, set.labels.as_deref(), condition);
        }
    }
    Ok(())
}

/// Logistic regression, -1 and +1 being the smaller and the larger half of the labels, or noise where there are none.
fn of_design(name: &str, design: Design, labels: Option<&[f64]>, condition: f64) {
    let (n, m) = (design.rows(), design.columns());
    let x = labels.map_or_else(|| random::labels(n, 1), halves);
    println!("{name}: {n} x {m}, {} entries", design.entries());
    let (zeros, mut ctx) = (vec![0.0; m], Ctx::new());
    let unpenalised = Glm::new(design, Logistic, 0.0).expect("a penalty");
    let smoothness = unpenalised.loss_smoothness(Point::new(&zeros, &x), &mut ctx).expect("it is bounded");
    let lambda = smoothness / (condition - 1.0);
    let problem = Glm::new(unpenalised.design().clone(), Logistic, lambda).expect("a penalty");
    let solver = GradientDescent::new(StepSize::Fixed(1.0 / (smoothness + lambda)));
    let solve = |steps| Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).run().expect("it solves");
    let (first, second) = (solve(STEPS), solve(STEPS + 1));
    let mut gradient = vec![0.0; m];
    problem.grad_z(first.z(), &x, &mut gradient, &mut [], &mut ctx);
    compare(&problem, [first.point(), second.point()], &gradient);
}

/// 1/2 z^T A z - x^T z.
fn of_matrix(name: &str, matrix: &Design) -> Result<(), Box<dyn Error>> {
    let m = matrix.columns();
    let mut columns = vec![Vec::new(); m];
    // By rows, so that the rows of each column ascend.
    matrix.for_each_entry(|row, column, value| {
        if row >= column {
            columns[column].push((row as u32, value));
        }
    });
    let ends = columns.iter().scan(0, |end, column| {
        *end += column.len() as u32;
        Some(*end)
    });
    let pointers = [0].into_iter().chain(ends).collect();
    let (rows, values) = columns.concat().into_iter().unzip();
    let problem = Quadratic::new(danskin::symmetric::SymmetricPattern::new(pointers, rows)?, values);
    println!("{name}: {m} x {m}, {} entries in the lower triangle", problem.pattern().entries());
    let zeros = vec![0.0; m];
    compare(&problem, [Point::new(&zeros, &zeros); 2], &random::vector(m, 1));
    Ok(())
}

/// What a method took, from nothing and then at another point.
struct Sample {
    solve: LinearSolve,
    total: f64,
    again: f64,
}

fn sample<P: Problem, H: HessianSolver<P>>(
    method: &H,
    problem: &P,
    points: [Point<'_>; 2],
    rhs: &[f64],
) -> Result<Sample, LinearError> {
    let (mut workspace, mut v, start) = (H::Workspace::default(), vec![0.0; rhs.len()], Instant::now());
    let mut ctx = Ctx::watched(Box::new(move |_| match start.elapsed().as_secs() {
        TOO_LONG.. => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }));
    let at = |k: usize| Hessian { problem, at: points[k] };
    let solve = Factored::new(method, at(0), &mut workspace, &mut ctx)?.solve(rhs, TOLERANCE, &mut v, &mut ctx)?;
    let total = start.elapsed().as_secs_f64();
    let start = Instant::now();
    Factored::new(method, at(1), &mut workspace, &mut ctx)?;
    Ok(Sample { solve, total, again: start.elapsed().as_secs_f64() })
}

fn compare<P: AssembleHessian>(problem: &P, points: [Point<'_>; 2], rhs: &[f64]) {
    type Run<'a> = Box<dyn Fn() -> Result<Sample, LinearError> + 'a>;
    fn run<'a, P: Problem, H: HessianSolver<P> + 'a>(
        method: H,
        problem: &'a P,
        points: [Point<'a>; 2],
        rhs: &'a [f64],
    ) -> Run<'a> {
        Box::new(move || sample(&method, problem, points, rhs))
    }
    let methods: [(&str, Run<'_>); 9] = [
        ("auto", run(Auto::within(LIMIT), problem, points, rhs)),
        ("dense", run(DenseCholesky::within(LIMIT), problem, points, rhs)),
        ("sparse", run(SparseCholesky::within(LIMIT), problem, points, rhs)),
        ("dual", run(DualCholesky::within(LIMIT), problem, points, rhs)),
        ("cg", run(Cg::default(), problem, points, rhs)),
        ("cg, jacobi", run(Cg::preconditioned(Jacobi), problem, points, rhs)),
        ("cg, block-jacobi", run(Cg::preconditioned(BlockJacobi::default()), problem, points, rhs)),
        ("cg, ic0", run(Cg::preconditioned(IncompleteCholesky::within(LIMIT)), problem, points, rhs)),
        ("cg, nystrom", run(Cg::preconditioned(Nystrom::default()), problem, points, rhs)),
    ];
    let mut best: [Option<Result<Sample, LinearError>>; 9] = std::array::from_fn(|_| None);
    for _ in 0..SAMPLES {
        for ((_, run), best) in methods.iter().zip(&mut best) {
            match best {
                Some(Err(_)) => continue,
                Some(Ok(sample)) if sample.total > LONG => continue,
                _ => {}
            }
            let found = run();
            let better = match (&found, &*best) {
                (Ok(found), Some(Ok(best))) => found.total < best.total,
                _ => true,
            };
            if better {
                *best = Some(found);
            }
        }
    }
    let header = ["", "total s", "form", "analyse", "factor", "solve", "again", "iterations", "residual", "entries"];
    let (mut rows, mut why) = (Vec::new(), String::new());
    for ((name, _), best) in methods.iter().zip(best) {
        let mut row = vec![format!(" {name}")];
        match best.expect("a sample") {
            Err(LinearError::Interrupted) => row.push(format!("> {TOO_LONG}")),
            Err(error) => {
                row.push("-".to_owned());
                why += &format!(" {name}: {error}\n");
            }
            Ok(Sample { solve, total, again }) => {
                let seconds = solve.seconds;
                let times = [total, seconds.form, seconds.analyse, seconds.factor, seconds.solve, again];
                row.extend(times.map(|seconds| format!("{seconds:.4}")));
                row.push(solve.iterations.to_string());
                row.push(format!("{:.1e}", solve.residual));
                row.push(solve.factor_entries.map_or_else(String::new, |entries| entries.to_string()));
                if *name == "auto" {
                    let tried = solve.tried.iter().map(|attempt| format!("{}: {}; ", attempt.method, attempt.outcome));
                    let over = solve.preconditioner.map_or_else(String::new, |name| format!(" over {name}"));
                    why += &format!(" auto: {}{}{over}\n", tried.collect::<String>(), solve.method);
                }
            }
        }
        rows.push(row);
    }
    println!("{}{why}", aligned(header.map(str::to_owned).to_vec(), rows, &[0]));
}

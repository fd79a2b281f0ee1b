//! What g2 costs in a budget of memory: seconds beside those of z_T, steps taken again, and the memory that the process has used at
//! the most (Linux).
//!
//! `cargo bench -p danskin-bench --bench memory` prints both parts; `-- long` or `-- ratios` one of them, whose peak is its own.

use std::time::Instant;

use danskin::ctx::bytes_of;
use danskin::prelude::*;
use danskin::testing::random;

/// Samples of each, taken in turn; the least counts, as the machine only ever adds.
const SAMPLES: usize = 5;

fn main() {
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if part.as_deref().is_none_or(|part| part == "ratios") {
        ratios();
    }
    if part.as_deref().is_none_or(|part| part == "long") {
        long();
    }
}

fn logistic(n: usize, m: usize, per_row: usize) -> (Glm<Logistic>, Vec<f64>) {
    let problem = Glm::new(random::design(n, m, per_row, 1), Logistic, 1.0).expect("a penalty");
    (problem, random::labels(n, 2))
}

fn solver(problem: &Glm<Logistic>, x: &[f64]) -> GradientDescent {
    let zeros = vec![0.0; problem.latent_len()];
    let smoothness = problem.smoothness(Point::new(&zeros, x), &mut Ctx::new()).expect("it is bounded");
    GradientDescent::new(StepSize::Fixed(1.0 / smoothness))
}

/// T = 1000 with a full tape, and in a tenth of its memory.
fn ratios() {
    const STEPS: usize = 1000;
    let (problem, x) = logistic(20_000, 4000, 50);
    let solver = solver(&problem, &x);
    let stop = Stop::steps(STEPS);
    let tape = bytes_of(STEPS * solver.record_len(&problem));
    let solve = || Solve::new(&problem, &solver, &x).stop(stop);
    let plain = || {
        drop(solve().run().expect("it solves"));
        0
    };
    let whole = || {
        let solution = solve().record(Tape::new()).run().expect("it solves");
        solution.gradient(&Automatic).expect("it is finite").cost.passes
    };
    let tenth = || {
        let solution = solve().record(Checkpoints::within(tape / 10)).run().expect("it fits");
        solution.gradient(&Automatic).expect("it is finite").cost.passes
    };
    let work: [(&str, &dyn Fn() -> u64); 3] =
        [("z_T", &plain), ("z_T and g2, full tape", &whole), ("z_T and g2, a tenth of it", &tenth)];
    let mut seconds = [const { Vec::new() }; 3];
    let mut passes = [0; 3];
    for _ in 0..SAMPLES {
        for (k, (_, work)) in work.iter().enumerate() {
            let start = Instant::now();
            passes[k] = work();
            seconds[k].push(start.elapsed().as_secs_f64());
        }
    }
    seconds.iter_mut().for_each(|samples| samples.sort_by(f64::total_cmp));
    println!("n = 20000, m = 4000, 50 entries a row, T = {STEPS}; a full tape holds {tape} bytes");
    for (k, (name, _)) in work.iter().enumerate() {
        let (least, median) = (seconds[k][0], seconds[k][SAMPLES / 2]);
        println!(
            "{name:26} {least:8.3} s (median {median:.3}), {:.3} of z_T (median {:.3}), {} passes for g2",
            least / seconds[0][0],
            median / seconds[0][SAMPLES / 2],
            passes[k]
        );
    }
}

/// T = 10,000 at m = 1e6 in 64 MiB, where all records take 1.6 GB.
fn long() {
    const STEPS: usize = 10_000;
    const BUDGET: u64 = 64 << 20;
    let (problem, x) = logistic(20_000, 1_000_000, 5);
    let solver = solver(&problem, &x);
    println!("n = 20000, m = 1000000, 100000 entries, T = {STEPS}, in {BUDGET} bytes; before: {}", peak());
    let start = Instant::now();
    let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(STEPS)).record(Checkpoints::within(BUDGET));
    let solution = solve.run().expect("it fits");
    let solved = start.elapsed().as_secs_f64();
    let schedule = solution.recorder().schedule();
    let gradient = solution.gradient(&Automatic).expect("it is finite");
    println!(
        "z_T {solved:.1} s, g2 {:.1} s: {} checkpoints, {} records, {} steps taken again, {} passes, {} bytes beyond the budget",
        gradient.cost.seconds,
        schedule.checkpoints(),
        schedule.records(),
        schedule.recomputed(STEPS),
        gradient.cost.passes,
        gradient.cost.peak_bytes,
    );
    println!("after: {}", peak());
}

/// The most memory that the process has had at once.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.map_or("unknown".to_owned(), |line| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

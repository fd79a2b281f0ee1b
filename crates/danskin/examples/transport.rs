//! Entropic optimal transport between two measures in files: `transport COSTS FROM TO EPS SWEEPS POTENTIAL [RUNS]`.
//!
//! COSTS is an n x k array in `.npy`, FROM and TO are vectors of n and k masses above 0 with the same sum. It writes the gradient of the cost with respect to FROM, its
//! potential, to POTENTIAL, and prints <P, C>, the distance of the plan P's first marginal from FROM, and the seconds between having the arrays and having the potential, the least of
//! RUNS, one unless it is given.
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use danskin::data::{ReadOptions, read, read_vector, write_vector};
use danskin::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A thread of the pool waits for the others without being woken: from another, each pass takes some 15 microseconds more.
    rayon::ThreadPoolBuilder::new().build()?.install(run)
}

fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [costs, from, to, eps, sweeps, potential, runs @ ..] = &arguments[..] else {
        return Err("expected COSTS FROM TO EPS SWEEPS POTENTIAL [RUNS]".into());
    };
    let costs = read(Path::new(costs), &ReadOptions::default())?.design;
    let [x, b] = [read_vector(Path::new(from))?, read_vector(Path::new(to))?];
    let (values, eps, sweeps) = (costs.values(), eps.parse()?, sweeps.parse()?);
    let runs = runs.first().map_or(Ok(1), |runs| runs.parse::<u32>())?.max(1);
    if x.len() != costs.rows() {
        return Err(format!("{} masses in FROM, expected {}", x.len(), costs.rows()).into());
    }

    let mut seconds = f64::INFINITY;
    let (mut z, mut gradient, mut residual) = (Vec::new(), Vec::new(), f64::NAN);
    for _ in 0..runs {
        let (costs, to) = (values.clone(), b.clone());
        let start = Instant::now();
        let problem = Transport::new(x.len(), costs, to, eps)?;
        let solution = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(sweeps)).run()?;
        // l is the cost, negated, and so is its gradient.
        gradient = solution.gradient(&Analytic)?.value.iter().map(|g| -g).collect();
        seconds = seconds.min(start.elapsed().as_secs_f64());
        residual = solution.residual();
        z = solution.into_z();
    }

    let mut transported = 0.0;
    let (u, v) = z.split_at(x.len());
    let visit = |i: usize, row: &[f64]| {
        let costs = &values[i * row.len()..][..row.len()];
        transported += row.iter().zip(costs).map(|(mass, cost)| mass * cost).sum::<f64>();
    };
    Transport::new(x.len(), values.clone(), b.clone(), eps)?.each_row_of_plan(u, v, visit, &mut Ctx::new());
    println!("cost {transported:.17e}\nresidual {residual:e}\nseconds {seconds:e}");
    write_vector(File::create(potential)?, &gradient)?;
    Ok(())
}

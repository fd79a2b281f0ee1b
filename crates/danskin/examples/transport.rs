//! Entropic optimal transport between two measures in files: `transport COSTS FROM TO EPS SWEEPS POTENTIAL`.
//!
//! COSTS is an n x k array in `.npy`, FROM and TO are vectors of n and k masses above 0 with the same sum. It writes the gradient of the cost with respect to FROM, its
//! potential, to POTENTIAL, and prints <P, C>, the distance of the plan P's first marginal from FROM, and the seconds between having the arrays and having the potential.
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use danskin::data::{ReadOptions, read, read_vector, write_vector};
use danskin::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [costs, from, to, eps, sweeps, potential] = &arguments[..] else {
        return Err("expected COSTS FROM TO EPS SWEEPS POTENTIAL".into());
    };
    let costs = read(Path::new(costs), &ReadOptions::default())?.design;
    let [x, b] = [read_vector(Path::new(from))?, read_vector(Path::new(to))?];
    let (values, eps, sweeps) = (costs.values(), eps.parse()?, sweeps.parse()?);
    if x.len() != costs.rows() {
        return Err(format!("{} masses in FROM, expected {}", x.len(), costs.rows()).into());
    }

    let start = Instant::now();
    let problem = Transport::new(x.len(), values, b, eps)?;
    let solution = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(sweeps)).run()?;
    // l is the cost, negated, and so is its gradient.
    let gradient: Vec<f64> = solution.gradient(&Analytic)?.value.iter().map(|g| -g).collect();
    let seconds = start.elapsed().as_secs_f64();

    let (u, v) = solution.z().split_at(x.len());
    let (values, mut transported) = (costs.values(), 0.0);
    let visit = |i: usize, row: &[f64]| {
        let costs = &values[i * row.len()..][..row.len()];
        transported += row.iter().zip(costs).map(|(mass, cost)| mass * cost).sum::<f64>();
    };
    problem.each_row_of_plan(u, v, visit, &mut Ctx::new());
    println!("cost {transported:.17e}\nresidual {:e}\nseconds {seconds:e}", solution.residual());
    write_vector(File::create(potential)?, &gradient)?;
    Ok(())
}

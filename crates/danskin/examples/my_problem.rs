//! A problem of one's own, no sum over rows of a design: the exponential tilt of a sample, l(x) = min_z log mean exp(z x_i).
//! With weights p_i ~ exp(z* x_i) the sample has mean 0; the gradient of l is the influence of each x_i.

use danskin::prelude::*;
use danskin::testing::check_problem;
use danskin::vector::{axpy, dot};

struct Tilt;

/// The weights p at z, their mean g = sum_i p_i x_i and variance dg/dz, and dg/dx_i = p_i (1 + z (x_i - g)).
fn tilted(z: f64, x: &[f64]) -> (Vec<f64>, f64, f64, Vec<f64>) {
    let mass: f64 = x.iter().map(|x| (z * x).exp()).sum();
    let p: Vec<f64> = x.iter().map(|x| (z * x).exp() / mass).collect();
    let mean = dot(&p, x);
    let variance = p.iter().zip(x).map(|(p, x)| p * (x - mean).powi(2)).sum();
    let slopes = p.iter().zip(x).map(|(p, x)| p * (1.0 + z * (x - mean))).collect();
    (p, mean, variance, slopes)
}

#[rustfmt::skip]
impl Objective for Tilt {
    fn dims(&self) -> (usize, usize) { (1, 5) }
    fn value(&self, at: Point<'_>, _: &mut Ctx) -> f64 { at.x.iter().map(|x| (at.z[0] * x).exp() / 5.0).sum::<f64>().ln() }
    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], _: &mut Ctx) { out[0] = tilted(z[0], x).1; }
    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(scale * at.z[0], &tilted(at.z[0], at.x).0, out);
    }
}

#[rustfmt::skip]
impl Problem for Tilt {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], _: &mut Ctx) { out[0] = tilted(at.z[0], at.x).2 * v[0]; }
    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(scale * v[0], &tilted(at.z[0], at.x).3, out);
    }
    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], _: &mut Ctx) { out[0] = dot(&tilted(at.z[0], at.x).3, w); }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (x, solver) = ([0.9, -0.4, 0.3, 1.2, -0.7], GradientDescent::new(StepSize::Fixed(1.0)));
    check_problem(&Tilt, &[0.3], &x)?;
    let solution = Solve::new(&Tilt, &solver, &x).stop(Stop::steps(5)).record(Tape::new()).run()?;
    println!("g1 {:.4?}", solution.gradient(&Analytic)?.value);
    println!("g2 {:.4?}", solution.gradient(&Automatic)?.value);
    println!("g3 {:.4?}", solution.gradient(&Implicit::new(Cg::default()))?.value);
    Ok(())
}

//! A problem of one's own, a whole L(z, x) by its products: the entropic risk of a sample x, log mean exp(x_i), is the minimum
//! of L(z, x) = z + sum_i e_i - 1, e_i = exp(x_i - z) / n. Source: Ben-Tal and Teboulle, Mathematical Finance 17, 2007.
use danskin::prelude::*;
use danskin::testing::check_problem;
use danskin::vector::{axpy, dot};

struct Risk;

fn e_sum(z: &[f64], x: &[f64]) -> (Vec<f64>, f64) {
    let e: Vec<f64> = x.iter().map(|x_i| (x_i - z[0]).exp() / x.len() as f64).collect();
    let sum = e.iter().sum();
    (e, sum)
}

#[rustfmt::skip]
impl Objective for Risk {
    fn dims(&self) -> (usize, usize) { (1, 4) }
    fn value(&self, at: Point<'_>, _: &mut Ctx) -> f64 { at.z[0] + e_sum(at.z, at.x).1 - 1.0 }
    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], _: &mut Ctx) { out[0] = 1.0 - e_sum(z, x).1; }
    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) { axpy(scale, &e_sum(at.z, at.x).0, out); }
}
#[rustfmt::skip]
impl Problem for Risk {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], _: &mut Ctx) { out[0] = e_sum(at.z, at.x).1 * v[0]; }
    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale * v[0], &e_sum(at.z, at.x).0, out);
    }
    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], _: &mut Ctx) { out[0] = -dot(&e_sum(at.z, at.x).0, w); }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (x, solver) = ([0.9, -0.4, 0.3, 1.2], GradientDescent::new(StepSize::Fixed(0.4)));
    check_problem(&Risk, &[0.3], &x)?;
    let solution = Solve::new(&Risk, &solver, &x).stop(Stop::steps(5)).record(Tape::new()).run()?;
    println!("g1 {:.4?}", solution.gradient(&Analytic)?.value);
    println!("g2 {:.4?}", solution.gradient(&Automatic)?.value);
    println!("g3 {:.4?}", solution.gradient(&Implicit::new(Cg::default()))?.value);
    Ok(())
}

//! A hypergradient: the outer function is a loss on held-out rows, F(x) = sum_i phi((E z*(x))_i, y_i), differentiated in
//! the training targets x. It says how each training target should move for the held-out loss to fall.
use danskin::prelude::*;
use danskin::testing::random;
use danskin::vector::{axpy, dot};

/// The loss of z on held-out rows with targets y; it does not depend on x.
struct HeldOut {
    problem: Glm<Logistic>,
    y: Vec<f64>,
}

impl<P: ?Sized> Outer<P> for HeldOut {
    fn grad_z(&self, _: &P, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        self.problem.grad_z(at.z, &self.y, out, &mut [], ctx);
    }

    fn grad_x(&self, _: &P, _: Point<'_>, _: f64, _: &mut [f64], _: &mut Ctx) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let training = Glm::new(random::design(300, 40, 8, 1), Logistic, 1.0)?;
    let held_out =
        HeldOut { problem: Glm::new(random::design(100, 40, 8, 2), Logistic, 0.0)?, y: random::labels(100, 3) };
    let (x, dx, solver) = (random::labels(300, 4), random::vector(300, 5), GradientDescent::default());

    let solve = |x: &[f64]| Solve::new(&training, &solver, x).stop(Stop::tolerance(1e-10)).run().map(Solution::into_z);
    let outer = |h: f64| -> Result<f64, SolveError> {
        let mut moved = x.clone();
        axpy(h, &dx, &mut moved);
        Ok(held_out.problem.value(Point::new(&solve(&moved)?, &held_out.y), &mut Ctx::new()))
    };
    println!("finite difference along dx: {:.8}", (outer(1e-4)? - outer(-1e-4)?) / 2e-4);

    let solution = Solve::new(&training, &solver, &x).stop(Stop::steps(40)).record(Tape::new()).run()?;
    println!("<g2, dx>: {:.8}", dot(&solution.gradient_of(&held_out, &Automatic)?.value, &dx));
    println!("<g3, dx>: {:.8}", dot(&solution.gradient_of(&held_out, &Implicit::new(Cg::default()))?.value, &dx));
    Ok(())
}

//! A hypergradient: the outer function is a loss on held-out rows, F(x) = sum_i phi((E z*(x))_i, y_i), differentiated in the
//! logarithms of three penalties, one a group of columns. It says how each should move for the held-out loss to fall.
use danskin::prelude::*;
use danskin::testing::random;
use danskin::vector::axpy;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let groups = (0..40).map(|column| column % 3).collect();
    let training = Glm::new(random::design(300, 40, 8, 1), Logistic, 1.0)?.grouped(vec![1.0, 0.3, 3.0], groups)?;
    let (training, x) = training.wrt(Wrt::Regularisation, random::labels(300, 4))?;
    let (validation, y) = (Glm::new(random::design(100, 40, 8, 2), Logistic, 0.0)?, random::labels(100, 3));
    let (outer, solver) = (HeldOut::new(&validation, &y)?, Nesterov::default());

    let held_out = |k: usize, h: f64| -> Result<f64, SolveError> {
        let (mut moved, mut unit) = (x.clone(), vec![0.0; 3]);
        unit[k] = 1.0;
        axpy(h, &unit, &mut moved);
        let solution = Solve::new(&training, &solver, &moved).stop(Stop::tolerance(1e-10)).run()?;
        Ok(outer.value(&training, solution.point(), &mut Ctx::new()))
    };
    let numeric: Result<Vec<_>, _> = (0..3).map(|k| Ok((held_out(k, 1e-4)? - held_out(k, -1e-4)?) / 2e-4)).collect();
    println!("differences {:.8?}", numeric.map_err(|error: SolveError| error)?);

    let solution = Solve::new(&training, &solver, &x).stop(Stop::steps(40)).record(Tape::new()).run()?;
    println!("g2          {:.8?}", solution.gradient_of(&outer, &Automatic)?.value);
    println!("g3          {:.8?}", solution.gradient_of(&outer, &Implicit::new(Cg::default()))?.value);
    Ok(())
}

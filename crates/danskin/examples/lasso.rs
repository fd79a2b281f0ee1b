//! lambda of a Lasso by descent on its logarithm: the hypergradient of the squared errors on held-out rows, through the support of z* alone.
use danskin::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = danskin::data::Shipped::find("digits").unwrap().load()?;
    let labels = data.labels.unwrap();
    // Every third row is held out; D by rows has its values in order.
    let (m, values) = (data.design.columns(), data.design.values());
    let rows = |held_out: bool| -> Result<(Design, Vec<f64>), danskin::design::DesignError> {
        let chosen: Vec<usize> = (0..data.design.rows()).filter(|i| (i % 3 == 0) == held_out).collect();
        let of_rows = chosen.iter().flat_map(|i| values[i * m..(i + 1) * m].iter().copied()).collect();
        Ok((Design::dense(chosen.len(), m, of_rows)?, chosen.iter().map(|&i| labels[i] - 4.5).collect()))
    };
    let ((training, y), (validation, held_out)) = (rows(false)?, rows(true)?);
    let validation = Glm::new(validation, Squared, 0.0)?;
    let outer = HeldOut::new(&validation, &held_out)?;

    let (problem, mut x) = Lasso::new(training, Squared, 3000.0)?.wrt(Wrt::Regularisation, y)?;
    let (solver, g3, mut z) = (ActiveSet::default(), OnSupport::new(DenseCholesky::default()), vec![0.0; m]);
    for step in 0..12 {
        let solution = Solve::new(&problem, &solver, &x).from(&z).stop(Stop::tolerance(1e-9)).run()?;
        let gradient = solution.gradient_of(&outer, &g3)?;
        let (error, kinks) = (outer.value(&problem, solution.point(), &mut Ctx::new()), gradient.kinks.unwrap());
        println!(
            "step {step:2}: lambda {:8.2}, {:2} of {m} columns, held-out error {error:.3}, d/d log lambda {:+.3}",
            x[0].exp(),
            kinks.support,
            gradient.value[0]
        );
        z = solution.z().to_vec();
        x[0] -= (gradient.value[0] / 300.0).clamp(-1.0, 1.0);
    }
    Ok(())
}

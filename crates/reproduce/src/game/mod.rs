//! Games: x against a best answer z* that is known approximately, by g1, g2 and g3 after t = 1, 3, 10, 30 steps on z.
//!
//! | | x | z |
//! |---|---|---|
//! | `matrix` | minimises over strategies | maximises, both with a quadratic price |
//! | `robust` | a linear model that minimises its loss | moves the rows to where it is worst, at a price |
//! | `gan` | a generator of points in the plane | a logistic discriminator of random Fourier features |
//!
//! A maximum over z is the minimum of what is negated, L = -f, and x goes along the gradient of l where it would go against that of the maximum. In the first two x goes by
//! gradient steps from z_0 = 0 at each; as in `outer` it ends where the gradients that it is given vanish. In the first, g3 is exact and g2 after t steps is g1 after 2t.

mod gan;
mod matrix;
mod robust;

use danskin::ctx::Ctx;
use danskin::vector::{distance, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, Stroke, colour};

use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::table::Table;

/// Steps on z.
const STEPS: [usize; 4] = [1, 3, 10, 30];
/// Those whose paths are drawn.
const DRAWN: [(usize, Stroke); 2] = [(3, Stroke::Plain), (10, Stroke::Marked)];

/// The experiment.
pub(crate) struct Games;

/// Distances along the paths of x, by t in `STEPS` and by estimator.
type Paths = Vec<[Vec<f64>; 3]>;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    matrix: matrix::Measured,
    robust: robust::Measured,
    gan: gan::Measured,
}

/// ‖x_k - x*‖ / ‖x*‖ of x_{k+1} = x_k - `step` gradient(x_k), from x_0 = 0.
fn descend(
    steps: usize,
    step: f64,
    minimum: &[f64],
    mut gradient: impl FnMut(&[f64]) -> Result<Vec<f64>, Failure>,
) -> Result<Vec<f64>, Failure> {
    let (mut x, mut path) = (vec![0.0; minimum.len()], vec![1.0]);
    for _ in 0..steps {
        let gradient = gradient(&x)?;
        x.iter_mut().zip(&gradient).for_each(|(x, g)| *x -= step * g);
        path.push(distance(&x, minimum) / norm(minimum));
    }
    Ok(path)
}

/// `path(kind, t)` for each.
fn paths(mut path: impl FnMut(EstimatorKind, usize) -> Result<Vec<f64>, Failure>) -> Result<Paths, Failure> {
    let mut of = |t| {
        let mut three = [const { Vec::new() }; 3];
        for (out, &kind) in three.iter_mut().zip(EstimatorKind::ALL) {
            *out = path(kind, t)?;
        }
        Ok(three)
    };
    STEPS.iter().map(|t| of(*t)).collect()
}

/// A column for each path.
fn table(name: &'static str, paths: &Paths) -> Table {
    let kinds = STEPS.iter().flat_map(|t| EstimatorKind::ALL.iter().map(move |kind| format!("{kind} t = {t}")));
    let columns: Vec<&Vec<f64>> = paths.iter().flatten().collect();
    let row = |k: usize| std::iter::once(k as f64).chain(columns.iter().map(|path| path[k])).collect();
    let rows = columns.first().map_or(0, |path| path.len());
    Table::new(name, std::iter::once("k".to_owned()).chain(kinds)).with((0..rows).map(row))
}

fn drawing(title: &str, up: Axis, paths: &Paths) -> Drawing {
    let mut curves = Vec::new();
    for (three, t) in paths.iter().zip(STEPS) {
        let Some((_, stroke)) = DRAWN.iter().find(|(drawn, _)| *drawn == t) else { continue };
        for (path, &kind) in three.iter().zip(EstimatorKind::ALL) {
            let every = if *stroke == Stroke::Marked { path.len() / 20 } else { 1 };
            let points = path.iter().enumerate().step_by(every.max(1)).map(|(k, error)| (k as f64, *error)).collect();
            curves.push(Curve { stroke: *stroke, ..Curve::measured(format!("{kind} t = {t}"), colour(kind), points) });
        }
    }
    Drawing { title: title.to_owned(), across: Axis::from_zero("steps k on x"), up, curves }
}

impl Experiment for Games {
    type Measured = Measured;

    const NAME: &'static str = "game";
    const ABOUT: &'static str =
        "a matrix game, robust training and a GAN by g1, g2 and g3 of an inner player after 1 to 30 steps";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Measured, Failure> {
        Ok(Measured {
            matrix: matrix::measure(ctx)?,
            robust: robust::measure(ctx)?,
            gan: gan::measure(size.pick(gan::SHORT, gan::FULL), ctx)?,
        })
    }

    fn show(&self, measured: &Measured) -> Outcome {
        let mut outcome = Outcome::default();
        measured.matrix.show(&mut outcome);
        measured.robust.show(&mut outcome);
        measured.gan.show(&mut outcome);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = Games.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&Games, &sound);
        for k in 0..3 {
            assert_notices_nan(&Games, &sound, |m| m.gan.gaps[3][k].last_mut().unwrap());
            assert_notices_nan(&Games, &sound, |m| &mut m.gan.errors[3][k]);
            assert_notices_nan(&Games, &sound, |m| &mut m.robust.errors.errors[5][k]);
        }
        assert_notices_nan(&Games, &sound, |m| &mut m.robust.kappa);
        assert_notices_nan(&Games, &sound, |m| &mut m.robust.worst);
        assert_notices_nan(&Games, &sound, |m| m.matrix.paths[1][1].last_mut().unwrap());
        assert_notices_nan(&Games, &sound, |m| m.matrix.paths[1][2].last_mut().unwrap());
        assert_notices_nan(&Games, &sound, |m| &mut m.matrix.doubled[1]);
        for (name, broken) in sound.matrix.broken() {
            let found = failing(&Games, &Measured { matrix: broken, ..sound.clone() });
            assert!(found.len() == 1 && found[0].contains(name), "{name}: {found:?}");
        }
        for (name, broken) in sound.robust.broken() {
            let found = failing(&Games, &Measured { robust: broken, ..sound.clone() });
            assert!(found.len() == 1 && found[0].contains(name), "{name}: {found:?}");
        }
        for (name, broken) in sound.gan.broken() {
            let found = failing(&Games, &Measured { gan: broken, ..sound.clone() });
            assert!(found.len() == 1 && found[0].contains(name), "{name}: {found:?}");
        }
    }
}

//! Least p-th powers, p = 4, without a penalty: no rate is linear, and the automatic estimator is twice as fast as the analytic one.
//!
//! ```text
//! L(z, x) = 1/p ‖D z - x‖_p^p,   D with orthonormal rows,   l = 0,   g* = 0
//! ```
//!
//! With r = D z - x gradient descent of step rho is r_i <- r_i - rho r_i^3, so that r_i(t) is about 1 / sqrt(2 rho t + 1 / r_i(0)²):
//!
//! | | formula | falls like |
//! |---|---|---|
//! | residual | r | t^-1/2 |
//! | g1 | -r^3 | t^-3/2 |
//! | g2 | -r^3 (1 + 2 rho t r(0)²)^-3/2 | t^-3 |
//!
//! once t is large against 1 / (2 rho min r(0)²): as rho = 1/L is about 1 / (3 max r(0)²), against (max / min)². L_zz is singular, as D has fewer
//! rows than columns, and there is no g3; by pseudo-inverse it would be 0 = g* at every z.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::norm;
use danskin_bench::Line;
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, colour};
use rand_distr::{Distribution, Uniform};

use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::random::Random;
use crate::repeat::largest;
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

/// n and m.
const SIDES: (usize, usize) = (5, 10);
const SEED: u64 = 1;

/// The experiment.
pub(crate) struct PNorm;

/// Norms along one trajectory.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// (max |x_i| / min |x_i|)².
    spread: f64,
    /// t, ‖D z_t - x‖, ‖g1‖, ‖g2‖.
    rows: Vec<[f64; 4]>,
}

/// Trajectories for x that are spread little and much.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// |x_i| in [0.5, 1.5].
    even: Run,
    /// x normal.
    normal: Run,
}

fn once(design: Design, x: &[f64], stops: &[usize], ctx: &mut Ctx) -> Result<Run, Failure> {
    let loss = Power::new(4.0).expect("4 is a power");
    let problem = Glm::new(design, loss, 0.0).expect("the penalty is 0");
    let solver = GradientDescent::default();
    let mut solution = Solve::new(&problem, &solver, x).stop(Stop::steps(0)).record(Tape::new()).run_in(ctx)?;
    let mut rows = Vec::new();
    let mut u = vec![0.0; x.len()];
    for &t in stops {
        solution.resume(Stop::steps(t), ctx)?;
        problem.design().matrix().apply(solution.z(), &mut u, ctx);
        let g1 = solution.gradient_in(&Envelope, &Analytic, ctx)?.value;
        let g2 = solution.gradient_in(&Envelope, &Automatic, ctx)?.value;
        rows.push([t as f64, danskin::vector::distance(&u, x), norm(&g1), norm(&g2)]);
        if solution.status() == Status::Interrupted {
            return Err(Failure::Interrupted);
        }
    }
    let magnitudes = || x.iter().map(|x| x.abs());
    let spread = (largest(magnitudes()) * largest(magnitudes().map(f64::recip))).powi(2);
    Ok(Run { spread, rows })
}

/// Rows that are orthonormal, by Gram and Schmidt twice over, which loses nothing of five random ones.
fn orthonormal(random: &mut Random) -> Design {
    let (n, m) = SIDES;
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for _ in 0..n {
        let mut row = random.normal(m);
        for _ in 0..2 {
            for other in &rows {
                let along = danskin::vector::dot(&row, other);
                danskin::vector::axpy(-along, other, &mut row);
            }
        }
        let length = norm(&row);
        row.iter_mut().for_each(|value| *value /= length);
        rows.push(row);
    }
    Design::dense(n, m, rows.concat()).expect("the entries are finite")
}

impl Run {
    /// The slope of ln of column `k` in ln t over the last decade.
    fn slope(&self, k: usize) -> f64 {
        let last = self.rows.last().map_or(0.0, |row| row[0]);
        let points = self.rows.iter().filter(|row| row[0] >= last / 10.0).map(|row| (row[0].ln(), row[k].ln()));
        Line::fit(&points.collect::<Vec<_>>()).map_or(f64::NAN, |line| line.slope)
    }

    fn drawing(&self, title: &str) -> Drawing {
        let colours = [MORE_COLOURS[0], colour(EstimatorKind::Analytic), colour(EstimatorKind::Automatic)];
        let curves = LAWS.iter().zip(colours).enumerate().flat_map(|(k, ((name, exponent), colour))| {
            let points: Vec<_> = self.rows.iter().skip(1).map(|row| (row[0], row[k + 1])).collect();
            let last = points.last().copied().unwrap_or((1.0, 1.0));
            let theory = points.iter().map(|(t, _)| (*t, 1.5 * last.1 * (t / last.0).powf(*exponent))).collect();
            [Curve::measured(*name, colour, points), Curve::theory(format!("theory: t^{exponent}"), theory)]
        });
        Drawing {
            title: title.to_owned(),
            across: Axis::logarithmic("iterations t"),
            up: Axis::logarithmic("‖D z_t - x‖, and ‖g‖ where g* = 0"),
            curves: curves.collect(),
        }
    }
}

/// What is measured, and its exponent in t.
const LAWS: [(&str, f64); 3] = [("residual", -0.5), ("analytic", -1.5), ("automatic", -3.0)];

impl Experiment for PNorm {
    type Measured = Measured;

    const NAME: &'static str = "pnorm";
    const ABOUT: &'static str = "least fourth powers: the residual falls like t^-1/2, g1 like t^-3/2, g2 like t^-3";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Measured, Failure> {
        let mut random = Random::new(SEED);
        let design = orthonormal(&mut random);
        let last = size.pick(100_000, 500_000);
        let mut stops: Vec<usize> =
            (0..).map(|k| 10_f64.powf(f64::from(k) / 6.0) as usize).take_while(|t| *t < last).collect();
        stops.extend([0, last]);
        stops.sort_unstable();
        stops.dedup();
        let size = Uniform::new(0.5_f64, 1.5).expect("the range is not empty");
        let signs = random.normal(SIDES.0);
        let x: Vec<f64> = signs.iter().map(|sign| size.sample(&mut random.0).copysign(*sign)).collect();
        let even = once(design.clone(), &x, &stops, ctx)?;
        let normal = once(design, &random.normal(SIDES.0), &stops, ctx)?;
        Ok(Measured { even, normal })
    }

    fn show(&self, measured: &Measured) -> Outcome {
        let names = ["residual", "g1", "g2"];
        let slopes = LAWS.iter().zip(names).enumerate().map(|(k, ((_, exponent), name))| {
            let claim = format!("exponent in t of {name}, over the last decade, |x_i| in [0.5, 1.5]");
            Verdict::new(claim, *exponent, Rule::Within(0.02), measured.even.slope(k + 1))
        });
        let tables = [("even", &measured.even), ("normal", &measured.normal)].map(|(name, run)| {
            let rows = run.rows.iter().map(|row| row.to_vec());
            Table::new(name, ["t", "residual", "analytic", "automatic"]).with(rows)
        });
        let title =
            |x: &str, run: &Run| format!("fourth powers, 5 x 10, {x}, (max |x| / min |x|)² = {:.3}", run.spread);
        let drawings = vec![
            measured.even.drawing(&title("|x_i| in [0.5, 1.5]", &measured.even)),
            measured.normal.drawing(&title("x normal", &measured.normal)),
        ];
        Outcome {
            verdicts: slopes.collect(),
            tables: tables.into(),
            drawings: vec![("norms", drawings)],
            ..Outcome::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = PNorm.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&PNorm, &sound);
        for (k, name) in [(1, "residual"), (2, "g1"), (3, "g2")] {
            let mut broken = sound.clone();
            // Half a percent of every digit of t more.
            broken.even.rows.iter_mut().skip(1).for_each(|row| row[k] *= row[0].powf(0.03));
            let failing = failing(&PNorm, &broken);
            assert!(failing.len() == 1 && failing[0].contains(&format!("of {name}")), "{failing:?}");
            assert_notices_nan(&PNorm, &sound, |m| &mut m.even.rows.last_mut().unwrap()[k]);
        }
    }
}

//! A zero-sum game with a matrix of payoffs and quadratic prices of strategies:
//!
//! ```text
//! min_x max_z <x, A z> - 1/2 z^T Q z + mu/2 ‖x - a‖²,   x in R^4, z in R^6, A and a normal, Q = I + B^T B / 6, B normal
//! ```
//!
//! L(z, y) = 1/2 z^T Q z - <y, z> at y = A^T x. Its saddle is where (A Q^-1 A^T + mu) x = mu a. z_t is linear in x: g3 is exact, and g2 after t steps g1 after 2t.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::symmetric::SymmetricPattern;
use danskin::vector::dot;
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, colour};
use faer::linalg::solvers::Solve as _;
use faer::{Mat, Side};

use super::{Paths, STEPS, descend, drawing, paths, table};
use crate::estimate::estimate;
use crate::experiment::{Failure, Outcome};
use crate::fit::FLOOR;
use crate::random::Random;
use crate::repeat::largest;
use crate::verdict::{Rule, Verdict};

const LATENT: usize = 6;
const PARAMETERS: usize = 4;
const MU: f64 = 1.0;
/// Steps on x, by which what is left of the start is below rounding.
const OUTER: usize = 400;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// 1 - rho times the least eigenvalue of Q.
    kappa: f64,
    pub(super) paths: Paths,
    /// Where descent by g1 ends after twice the steps of each of `STEPS`.
    pub(super) doubled: Vec<f64>,
}

pub(crate) fn measure(ctx: &mut Ctx) -> Result<Measured, Failure> {
    let mut random = Random::new(3);
    let [payoffs, root, a] = [PARAMETERS * LATENT, LATENT * LATENT, PARAMETERS].map(|len| random.normal(len));
    let root = Mat::from_fn(LATENT, LATENT, |i, j| root[i * LATENT + j]);
    let price = Mat::<f64>::identity(LATENT, LATENT) + root.transpose() * &root * faer::Scale(1.0 / LATENT as f64);
    let payoffs = Mat::from_fn(PARAMETERS, LATENT, |i, j| payoffs[i * LATENT + j]);

    // F'' = A Q^-1 A^T + mu.
    let cholesky = price.llt(Side::Lower).expect("Q is at least I");
    let curvature =
        &payoffs * cholesky.solve(payoffs.transpose()) + Mat::<f64>::identity(PARAMETERS, PARAMETERS) * faer::Scale(MU);
    let target = Mat::from_fn(PARAMETERS, 1, |i, _| MU * a[i]);
    let saddle = curvature.llt(Side::Lower).expect("it is at least mu").solve(&target);
    let saddle: Vec<f64> = (0..PARAMETERS).map(|i| saddle[(i, 0)]).collect();
    let spectrum = |matrix: &Mat<f64>| matrix.self_adjoint_eigenvalues(Side::Lower).expect("the entries are finite");
    let eta = 1.0 / spectrum(&curvature)[PARAMETERS - 1];
    let of_price = spectrum(&price);
    let rho = 1.0 / of_price[LATENT - 1];

    // The lower triangle, column by column.
    let lower = |j: usize| (j..LATENT).map(move |i| (i, j));
    let pointers = (0..=LATENT).map(|j| (0..j).map(|j| LATENT - j).sum::<usize>() as u32).collect();
    let rows = (0..LATENT).flat_map(lower).map(|(i, _)| i as u32).collect();
    let pattern = SymmetricPattern::new(pointers, rows).expect("rows in order, the diagonal first");
    let problem = Quadratic::new(pattern, (0..LATENT).flat_map(lower).map(|at| price[at]).collect());

    let (solver, implicit) = (GradientDescent::new(StepSize::Fixed(rho)), Implicit::new(DenseCholesky::default()));
    let row = |i: usize| (0..LATENT).map(move |j| (i, j));
    let payoffs: Vec<Vec<f64>> = (0..PARAMETERS).map(|i| row(i).map(|at| payoffs[at]).collect()).collect();
    let mut path = |kind: EstimatorKind, t: usize| {
        descend(OUTER, eta, &saddle, |x| {
            let y: Vec<f64> = (0..LATENT).map(|j| (0..PARAMETERS).map(|i| payoffs[i][j] * x[i]).sum()).collect();
            let (gradient, _) = estimate((&problem, &solver, &implicit), kind, t, (&[0.0; LATENT], &y), ctx)?;
            // The maximum is -l.
            Ok((0..PARAMETERS).map(|i| MU * (x[i] - a[i]) - dot(&payoffs[i], &gradient)).collect())
        })
    };
    let doubled: Result<Vec<_>, Failure> =
        STEPS.iter().map(|t| Ok(path(EstimatorKind::Analytic, 2 * t)?[OUTER])).collect();
    Ok(Measured { kappa: 1.0 - rho * of_price[0], doubled: doubled?, paths: paths(path)? })
}

impl Measured {
    pub(crate) fn show(&self, outcome: &mut Outcome) {
        let apart = self.ends(1).zip(&self.doubled).map(|(automatic, doubled)| (automatic - doubled).abs());
        let mut claim = |claim: &str, found: f64| {
            // Rounding of x, of which F'' at its condition of some ten makes little more.
            outcome.verdicts.push(Verdict::new(format!("matrix game: {claim}"), 1e-13, Rule::AtMost, found));
        };
        claim("‖x - x*‖ / ‖x*‖ where descent by g3 ends at any t", largest(self.ends(2)));
        claim("distance between the ends by g2 after t steps and by g1 after 2t", largest(apart));
        outcome.tables.push(table("matrix", &self.paths));
        let up = Axis::logarithmic("distance to the saddle, ‖x_k - x*‖ / ‖x*‖");
        let descent = drawing("a matrix game, z_0 = 0 at each step", up, &self.paths);
        outcome.drawings.push(("matrix", vec![self.drawing_of_ends(), descent]));
    }

    /// Where descent by estimator `k` ends, for each of `STEPS`.
    fn ends(&self, k: usize) -> impl Iterator<Item = f64> + '_ {
        self.paths.iter().map(move |three| three[k].last().copied().unwrap_or(f64::NAN))
    }

    fn drawing_of_ends(&self) -> Drawing {
        let at = |ends: &mut dyn Iterator<Item = f64>, times: usize| -> Vec<(f64, f64)> {
            STEPS.iter().map(|t| (times * t) as f64).zip(ends).collect()
        };
        let mut of_g1 = [at(&mut self.ends(0), 1), at(&mut self.doubled.iter().copied(), 2)].concat();
        of_g1.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut curves = Vec::new();
        let laws = [("theory: kappa^t", 1.0), ("theory: kappa^2t", 2.0)];
        for ((kind, points), (name, power)) in
            [(EstimatorKind::Analytic, of_g1), (EstimatorKind::Automatic, at(&mut self.ends(1), 1))]
                .into_iter()
                .zip(laws)
        {
            let seen = || points.iter().filter(|point| point.1 > FLOOR);
            if let Some(last) = seen().next_back() {
                let law = |t: f64| last.1 * self.kappa.powf(power * (t - last.0));
                curves.push(Curve::theory(name, seen().map(|(t, _)| (*t, law(*t))).collect()));
            }
            curves.push(Curve::measured(kind.to_string(), colour(kind), points));
        }
        Drawing {
            title: "a matrix game, 4 x 6".to_owned(),
            across: Axis::from_zero("inner iterations t, from z_0 = 0 at each step on x"),
            up: Axis::logarithmic("where descent ends, ‖x - x*‖ / ‖x*‖"),
            curves,
        }
    }

    /// Measurements that are wrong, and the claims that find out.
    #[cfg(test)]
    pub(crate) fn broken(&self) -> Vec<(&'static str, Self)> {
        let with = |k: usize| {
            let mut broken = self.clone();
            broken.paths.iter_mut().for_each(|three| three[k] = three[0].clone());
            broken
        };
        vec![("by g3 ends", with(2)), ("by g1 after 2t", with(1))]
    }
}

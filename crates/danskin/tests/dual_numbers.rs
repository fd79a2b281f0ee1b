//! The whole iteration differentiated by dual numbers, against g1 and g2.
//!
//! What stands here is the definition alone, over any number type: L(z, x) = sum_i w_i phi((D z)_i, y_i) + sum_j lambda_g(j) r(z_j)
//! and the steps of the solvers. grad_z L is L over dual numbers, and d/dx L(z_T(x), x) is all of that over dual numbers once
//! more: no product and no rule of the library takes part, and no step of a finite difference limits the accuracy.

use danskin::prelude::*;
use danskin::solver::Draws;
use danskin::testing::random;
use danskin::vector::{distance, norm};
use num_dual::{Dual, Dual64};

/// n, m and T.
const ROWS: usize = 5;
const COLUMNS: usize = 3;
const STEPS: usize = 7;
const CLASSES: usize = 3;
/// Every row.
const ALL: [usize; ROWS] = [0, 1, 2, 3, 4];
/// Threshold of the Huber loss.
const HUBER: f64 = 0.8;
/// Share of |z| in the elastic net: all of it, which leaves nothing that is strongly convex; and where |z| is rounded off.
const ELASTIC: (f64, f64) = (1.0, 0.3);
/// Steps, and the momentum where it is given.
const RHO: f64 = 0.03;
const BETA: f64 = 0.6;
/// Steps on L_B, which may be ROWS times as steep as L.
const SHORT: f64 = RHO / ROWS as f64;
/// Allowed of the norm of what is compared: some thousand operations of 1e-16 each.
const ROUNDING: f64 = 1e-12;

/// Least distance of a row from a kink. On either side both derivatives are exact; at this r the sqrt(r) in phi_uu of p = 2.5
/// turns a rounding of 1e-16 into 1e-13.
const KINK: f64 = 1e-6;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phi {
    Squared,
    Logistic,
    Power(f64),
    Huber,
    SquaredHinge,
    Poisson,
    Gamma,
    Multinomial,
}

const LOSSES: [Phi; 10] = [
    Phi::Squared,
    Phi::Logistic,
    Phi::Power(2.5),
    Phi::Power(3.0),
    Phi::Power(4.0),
    Phi::Huber,
    Phi::SquaredHinge,
    Phi::Poisson,
    Phi::Gamma,
    Phi::Multinomial,
];

impl Phi {
    fn width(self) -> usize {
        if self == Self::Multinomial { CLASSES } else { 1 }
    }

    fn value<T: Number>(self, u: &[T], y: &[T]) -> T {
        let (r, margin) = (u[0] - y[0], u[0] * y[0]);
        match self {
            Self::Squared => r * r / 2.0,
            Self::Logistic => ((-margin).exp() + 1.0).ln(),
            Self::Power(p) => r.abs().powf(p) / p,
            Self::Huber if r.abs() <= HUBER => r * r / 2.0,
            Self::Huber => (r.abs() - HUBER / 2.0) * HUBER,
            Self::SquaredHinge if margin < 1.0 => (-margin + 1.0) * (-margin + 1.0),
            Self::SquaredHinge => T::zero(),
            Self::Poisson => u[0].exp() - u[0] * y[0],
            Self::Gamma => u[0] + y[0] * (-u[0]).exp(),
            Self::Multinomial => {
                u.iter().map(T::exp).sum::<T>().ln() - u.iter().zip(y).map(|(&u, &y)| u * y).sum::<T>()
            }
        }
    }

    /// How far (u, y) is beyond the kink, below 0 on its other side; `None` for a loss without one.
    fn beyond_kink(self, u: f64, y: f64) -> Option<f64> {
        match self {
            Self::Huber => Some((u - y).abs() - HUBER),
            Self::SquaredHinge => Some(u * y - 1.0),
            Self::Power(_) => Some((u - y).abs()),
            _ => None,
        }
    }
}

/// A generalised linear problem by its pieces.
#[derive(Clone, Debug)]
struct Pieces {
    phi: Phi,
    wrt: Wrt,
    /// r is the smooth elastic net instead of z²/2.
    elastic: bool,
    /// The places of the stored entries of D, by row and then by column, and their values.
    places: Vec<(usize, usize)>,
    entries: Vec<f64>,
    targets: Vec<f64>,
    weights: Vec<f64>,
    lambdas: Vec<f64>,
    /// The group of each column.
    groups: Vec<usize>,
}

impl Pieces {
    fn new(phi: Phi, wrt: Wrt, elastic: bool, sparse: bool, grouped: bool) -> Self {
        let all = (0..ROWS).flat_map(|i| (0..COLUMNS).map(move |j| (i, j)));
        let places: Vec<_> = all.filter(|(i, j)| !sparse || (i + 2 * j) % 3 != 1).collect();
        let width = phi.width();
        let mut targets: Vec<f64> = random::vector(ROWS * width, 1).iter().map(|y| y + y.signum()).collect();
        match phi {
            Phi::Poisson | Phi::Gamma => targets.iter_mut().for_each(|y| *y = y.abs()),
            // Of weights that do not sum to 1, too, the definition is the same.
            Phi::Multinomial => targets.iter_mut().for_each(|y| *y = y.abs() / CLASSES as f64),
            _ => {}
        }
        Self {
            phi,
            wrt,
            elastic,
            entries: random::vector(places.len(), 2).iter().map(|d| d + 0.5 * d.signum()).collect(),
            places,
            targets,
            weights: random::vector(ROWS, 3).iter().map(|w| 1.0 + 0.5 * w).collect(),
            lambdas: if grouped { vec![0.4, 0.9] } else { vec![0.4] },
            groups: (0..COLUMNS).map(|j| if grouped { j % 2 } else { 0 }).collect(),
        }
    }

    fn x(&self) -> Vec<f64> {
        match self.wrt {
            Wrt::Targets => self.targets.clone(),
            Wrt::Weights => self.weights.clone(),
            Wrt::Regularisation => self.lambdas.iter().map(|lambda| lambda.ln()).collect(),
            Wrt::Design => self.entries.clone(),
            _ => unreachable!("{:?} has no definition here", self.wrt),
        }
    }

    /// The piece that `wrt` names, which is x, or as it stands.
    fn piece<T: Number>(&self, wrt: Wrt, fixed: &[f64], x: &[T]) -> Vec<T> {
        if self.wrt == wrt { x.to_vec() } else { fixed.iter().map(|&value| T::from(value)).collect() }
    }

    /// D z, k numbers for each row.
    fn predictions<T: Number>(&self, z: &[T], x: &[T]) -> Vec<T> {
        let k = self.phi.width();
        let mut u = vec![T::zero(); ROWS * k];
        for (&(i, j), entry) in self.places.iter().zip(self.piece(Wrt::Design, &self.entries, x)) {
            for c in 0..k {
                u[i * k + c] += entry * z[j * k + c];
            }
        }
        u
    }

    /// L(z, x).
    fn value<T: Number>(&self, z: &[T], x: &[T]) -> T {
        self.value_of(&ALL, z, x)
    }

    /// L_B(z, x).
    fn value_of<T: Number>(&self, batch: &[usize], z: &[T], x: &[T]) -> T {
        let k = self.phi.width();
        let (u, y) = (self.predictions(z, x), self.piece(Wrt::Targets, &self.targets, x));
        let weights = self.piece(Wrt::Weights, &self.weights, x);
        let of_row = |&i: &usize| weights[i] * self.phi.value(&u[i * k..][..k], &y[i * k..][..k]);
        let loss = batch.iter().map(of_row).sum::<T>() * (ROWS as f64 / batch.len() as f64);
        let lambda = |group: usize| match self.wrt {
            Wrt::Regularisation => x[group].exp(),
            _ => T::from(self.lambdas[group]),
        };
        let penalty: T = z.iter().enumerate().map(|(j, &z)| lambda(self.groups[j / k]) * self.penalty(z)).sum();
        loss + penalty
    }

    fn penalty<T: Number>(&self, z: T) -> T {
        let (share, width) = ELASTIC;
        let ridge = z * z / 2.0;
        if self.elastic { ridge * (1.0 - share) + ((z * z + width * width).sqrt() - width) * share } else { ridge }
    }

    /// grad_z L_B(z, x), a coordinate at a time.
    fn grad_z<T: Number>(&self, batch: &[usize], z: &[T], x: &[T]) -> Vec<T> {
        let x: Vec<_> = x.iter().map(|&x| Dual::from_re(x)).collect();
        let mut z: Vec<_> = z.iter().map(|&z| Dual::from_re(z)).collect();
        let mut along = |j: usize| {
            z[j].eps = T::one();
            let derivative = self.value_of(batch, &z, &x).eps;
            z[j].eps = T::zero();
            derivative
        };
        (0..COLUMNS * self.phi.width()).map(&mut along).collect()
    }

    /// z_T by `method`; `visit` sees z_0, ..., z_T.
    fn iterate<T: Number>(&self, method: &Method, initial: &[f64], x: &[T], mut visit: impl FnMut(&[T])) -> Vec<T> {
        let mut z: Vec<T> = initial.iter().map(|&z| T::from(z)).collect();
        let (mut behind, mut theta) = (z.clone(), 1.0_f64);
        let mut anchor = z.clone();
        visit(&z);
        for t in 0..STEPS {
            let gradient = match method {
                Method::Stochastic(draws) => self.grad_z(&terms(*draws, t), &z, x),
                Method::Reduced(draws, epoch) => {
                    if t % epoch == 0 {
                        anchor.clone_from(&z);
                    }
                    let of = |batch: &[usize], z: &[T]| self.grad_z(batch, z, x);
                    let batch = terms(*draws, t);
                    let parts = of(&batch, &z).into_iter().zip(of(&batch, &anchor)).zip(of(&ALL, &anchor));
                    parts.map(|((at_z, at_anchor), whole)| at_z - at_anchor + whole).collect()
                }
                _ => self.grad_z(&ALL, &z, x),
            };
            let next = (1.0 + (1.0 + 4.0 * theta * theta).sqrt()) / 2.0;
            for ((z, &g), behind) in z.iter_mut().zip(&gradient).zip(&mut behind) {
                let now = *z;
                match method {
                    Method::GradientDescent => *z = now - g * RHO,
                    Method::Stochastic(_) | Method::Reduced(..) => *z = now - g * SHORT,
                    Method::Steps(rho) => *z = now - g * rho[t],
                    Method::HeavyBall => {
                        *z = now - g * RHO + (now - *behind) * BETA;
                        *behind = now;
                    }
                    Method::Nesterov | Method::NesterovBySequence => {
                        let beta = if *method == Method::Nesterov { BETA } else { (theta - 1.0) / next };
                        let ahead = now - g * RHO;
                        *z = ahead + (ahead - *behind) * beta;
                        *behind = ahead;
                    }
                }
            }
            theta = next;
            visit(&z);
        }
        z
    }

    /// d/dx of `f`, a coordinate at a time.
    fn derivative(&self, f: impl Fn(&[Dual64]) -> Dual64) -> Vec<f64> {
        let mut x: Vec<Dual64> = self.x().into_iter().map(Dual64::from_re).collect();
        let mut along = |j: usize| {
            x[j].eps = 1.0;
            let derivative = f(&x).eps;
            x[j].eps = 0.0;
            derivative
        };
        (0..self.x().len()).map(&mut along).collect()
    }

    /// The same problem, and its x, as the library has it.
    fn in_the_library(&self) -> (Box<dyn Whole>, Vec<f64>) {
        match self.phi {
            Phi::Squared => self.with_loss(Squared),
            Phi::Logistic => self.with_loss(Logistic),
            Phi::Power(p) => self.with_loss(Power::new(p).unwrap()),
            Phi::Huber => self.with_loss(Huber::new(HUBER).unwrap()),
            Phi::SquaredHinge => self.with_loss(SquaredHinge),
            Phi::Poisson => self.with_loss(Poisson),
            Phi::Gamma => self.with_loss(Gamma),
            Phi::Multinomial => self.with_loss(Multinomial::new(CLASSES).unwrap()),
        }
    }

    fn with_loss<L: RowLoss + 'static>(&self, loss: L) -> (Box<dyn Whole>, Vec<f64>) {
        let design = if self.places.len() == ROWS * COLUMNS {
            Design::dense(ROWS, COLUMNS, self.entries.clone()).unwrap()
        } else {
            let stored = self.places.iter().zip(&self.entries);
            let triplets: Vec<_> = stored.map(|(&(i, j), &entry)| (i, j, entry)).collect();
            Design::from_triplets(ROWS, COLUMNS, &triplets).unwrap()
        };
        let mut problem = Glm::new(design, loss, self.lambdas[0]).unwrap().weighted(self.weights.clone()).unwrap();
        if self.lambdas.len() > 1 {
            let groups = self.groups.iter().map(|&group| group as u32).collect();
            problem = problem.grouped(self.lambdas.clone(), groups).unwrap();
        }
        if self.elastic {
            let penalty = SmoothElastic::new(ELASTIC.0, ELASTIC.1).unwrap();
            let (problem, x) = problem.penalised_by(penalty).wrt(self.wrt, self.targets.clone()).unwrap();
            (Box::new(problem), x)
        } else {
            let (problem, x) = problem.wrt(self.wrt, self.targets.clone()).unwrap();
            (Box::new(problem), x)
        }
    }

    /// How far each row is beyond its loss's kink.
    fn beyond_kinks(&self, z: &[f64]) -> Vec<f64> {
        let u = self.predictions(z, &self.x());
        u.iter().zip(&self.targets).filter_map(|(&u, &y)| self.phi.beyond_kink(u, y)).collect()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Method {
    GradientDescent,
    Nesterov,
    NesterovBySequence,
    HeavyBall,
    /// Gradient descent with a step of its own each time.
    Steps(Vec<f64>),
    /// On L_B.
    Stochastic(Draws),
    /// SVRG, with an anchor every so many steps.
    Reduced(Draws, usize),
}

/// The terms that the library draws at step t.
fn terms(draws: Draws, t: usize) -> Vec<usize> {
    let mut batch = vec![0; draws.batch_len()];
    draws.of_step(t, ROWS, &mut batch);
    batch
}

/// What the library is asked for.
trait Whole: AssembleHessian + FiniteSum {}

impl<L: RowLoss, R: Penalty> Whole for Glm<L, R> {}

fn compare(what: &str, pieces: &Pieces, method: &Method, found: &[f64], expected: &[f64]) {
    let (error, scale) = (distance(found, expected), norm(expected));
    assert!(
        scale > 0.0 && error <= ROUNDING * scale,
        "{what}, {method:?}: {error:e} of {scale:e}\n{found:?}\n{expected:?}\n{pieces:?}"
    );
}

/// z_T, g1 and g2 of the library, by `solver`, are those of `method` by the definition.
fn check<S: Unroll<dyn Whole>>(pieces: &Pieces, method: &Method, solver: &S) {
    let (problem, x) = pieces.in_the_library();
    let initial = random::vector(problem.latent_len(), 4);
    let solve = || Solve::new(problem.as_ref(), solver, &x).from(&initial).stop(Stop::steps(STEPS));
    let taped = solve().record(Tape::new()).run().unwrap();
    let forward = solve().record(Tangents::full()).run().unwrap().gradient(&Forward).unwrap();

    let z = pieces.iterate(method, &initial, &x, |z| {
        let beyond = pieces.beyond_kinks(z);
        assert!(beyond.iter().all(|beyond| beyond.abs() > KINK), "{beyond:?} from a kink: {pieces:?}");
    });
    let fixed: Vec<Dual64> = z.iter().map(|&z| Dual64::from_re(z)).collect();
    let g1 = pieces.derivative(|x| pieces.value(&fixed, x));
    let g2 = pieces.derivative(|x| pieces.value(&pieces.iterate(method, &initial, x, |_| ()), x));
    compare("z_T", pieces, method, taped.z(), &z);
    compare("g1", pieces, method, &taped.gradient(&Analytic).unwrap().value, &g1);
    compare("g2 in reverse", pieces, method, &taped.gradient(&Automatic).unwrap().value, &g2);
    compare("g2 forwards", pieces, method, &forward.value, &g2);
    // Else the test could not tell them apart.
    assert!(distance(&g1, &g2) > 1e-6 * norm(&g2), "{method:?}, {pieces:?}");
}

/// The steps that backtracking takes.
fn steps_of_backtracking(pieces: &Pieces) -> Vec<f64> {
    let (problem, x) = pieces.in_the_library();
    let initial = random::vector(problem.latent_len(), 4);
    let solver = Backtracking::default();
    let mut solution = Solve::new(problem.as_ref(), &solver, &x).from(&initial).stop(Stop::steps(0)).run().unwrap();
    let mut ctx = Ctx::new();
    (1..=STEPS)
        .map(|t| {
            solution.resume(Stop::steps(t), &mut ctx).unwrap();
            assert_eq!(solution.steps(), t, "{pieces:?}");
            solution.state().rho()
        })
        .collect()
}

/// Every piece as x; log lambda also by groups, D also sparse.
fn parameters() -> impl Iterator<Item = (Wrt, bool, bool)> {
    let plain = Wrt::ALL.into_iter().map(|wrt| (wrt, false, false));
    plain.chain([(Wrt::Regularisation, false, true), (Wrt::Design, true, false), (Wrt::Targets, true, true)])
}

#[test]
fn g1_and_g2_are_the_derivatives_of_the_iteration() {
    let step = StepSize::Fixed(RHO);
    for phi in LOSSES {
        for (wrt, sparse, grouped) in parameters() {
            for elastic in [false, true] {
                let pieces = Pieces::new(phi, wrt, elastic, sparse, grouped);
                check(&pieces, &Method::GradientDescent, &GradientDescent::new(step));
                let momentum = Momentum::Fixed(BETA);
                check(&pieces, &Method::Nesterov, &Nesterov::new(step).momentum(momentum));
                check(&pieces, &Method::HeavyBall, &HeavyBall::new(step).momentum(momentum));
                check(&pieces, &Method::Steps(steps_of_backtracking(&pieces)), &Backtracking::default());
                for batch in [1, 3] {
                    let stochastic = Sgd::new(Decay::constant(SHORT)).batch(batch);
                    check(&pieces, &Method::Stochastic(stochastic.draws()), &stochastic);
                    for epoch in [3, STEPS] {
                        let reduced = Svrg::new(SHORT).batch(batch).epoch(epoch).seed(1);
                        check(&pieces, &Method::Reduced(reduced.draws(), epoch), &reduced);
                    }
                }
                if elastic {
                    // Nothing is strongly convex here, and the momentum follows its sequence.
                    check(&pieces, &Method::NesterovBySequence, &Nesterov::new(step));
                }
            }
        }
    }
}

#[test]
fn both_sides_of_each_kink_are_met() {
    for phi in [Phi::Huber, Phi::SquaredHinge] {
        let pieces = Pieces::new(phi, Wrt::Targets, false, false, false);
        let beyond = pieces.beyond_kinks(&random::vector(COLUMNS, 4));
        assert!(beyond.iter().any(|&b| b > 0.0) && beyond.iter().any(|&b| b < 0.0), "{phi:?}: {beyond:?}");
    }
}

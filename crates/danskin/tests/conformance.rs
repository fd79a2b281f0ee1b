//! Every problem, solver and estimator through one table, over random shapes: products against finite differences and
//! identities, rules against finite differences of the iteration, reverse against forward, estimators at a converged z
//! against finite differences of l and against one another.

mod common;

use std::convert::Infallible;

use common::suited;
use danskin::prelude::*;
use danskin::solve::Recorder;
use danskin::testing::{Differences, check_hessian, check_problem, derivative, random, step};
use danskin::unrolled::testing::check_rule;
use danskin::vector::{axpy, distance, dot, norm};
use proptest::prelude::*;

/// One row of the table: a problem, and an x that suits it.
struct Case {
    name: String,
    problem: Box<dyn AssembleHessian>,
    x: Vec<f64>,
    /// The distance of a row's (u, y) from a kink, of a loss that has them.
    kinks: Option<Kinks>,
    width: usize,
    targets: Vec<f64>,
}

/// A distance of (u, y) from kinks.
type Kinks = Box<dyn Fn(&[f64], &[f64]) -> f64>;

/// What a table is made of.
struct Table<'a> {
    design: &'a Design,
    lambda: f64,
    /// What targets that may have any size are multiplied by.
    size: f64,
    seed: u64,
}

impl Table<'_> {
    /// Every loss that has a name, with every parameter of the problem.
    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for name in LossName::all() {
            cases.extend(name.visit(CLASSES, Row { table: self, name }).unwrap());
        }
        // Smooth, but over the step of a finite difference its curvature at 0 changes by orders of magnitude.
        let distance = |u: &[f64], y: &[f64]| (u[0] - y[0]).abs();
        let high = self.loss("pnorm:6.5", Power::new(6.5).unwrap(), |_| Some(Box::new(distance)));
        cases.extend(high);
        cases
    }

    fn loss<L: NamedLoss>(&self, name: &str, loss: L, kinks: impl Fn(L) -> Option<Kinks>) -> Vec<Case> {
        let (n, m, width) = (self.design.rows(), self.design.columns(), loss.width());
        // Away from the predictions of small z.
        let sized = targets(n * width, self.seed + 2).iter().map(|y| self.size * y).collect();
        let targets = suited(sized, L::TARGETS, width);
        let weights: Vec<f64> = random::vector(n, self.seed + 3).iter().map(|w| 1.0 + 0.5 * w).collect();
        let groups: Vec<u32> = (0..m as u32).map(|column| column % 3).collect();
        let lambdas = vec![0.1 + self.lambda, 0.3 + self.lambda, 0.7];
        let plain = || Glm::new(self.design.clone(), loss, self.lambda + 1e-3).unwrap();
        let case = |label: &str, (problem, x): (Box<dyn AssembleHessian>, Vec<f64>)| Case {
            name: format!("{name}, {label}"),
            problem,
            x,
            kinks: kinks(loss),
            width,
            targets: targets.clone(),
        };
        fn boxed<P: AssembleHessian + 'static>((problem, x): (P, Vec<f64>)) -> (Box<dyn AssembleHessian>, Vec<f64>) {
            (Box::new(problem), x)
        }
        let mut cases = vec![case("plain targets", (Box::new(plain()), targets.clone()))];
        for wrt in Wrt::ALL {
            let problem = plain().weighted(weights.clone()).unwrap();
            cases.push(case(wrt.name(), boxed(problem.wrt(wrt, targets.clone()).unwrap())));
        }
        let grouped = || plain().grouped(lambdas.clone(), groups.clone()).unwrap();
        cases.push(case("groups", boxed(grouped().wrt(Wrt::Regularisation, targets.clone()).unwrap())));
        let elastic = || grouped().penalised_by(SmoothElastic::new(0.5, 0.3).unwrap());
        for wrt in [Wrt::Targets, Wrt::Regularisation] {
            cases.push(case(&format!("elastic {}", wrt.name()), boxed(elastic().wrt(wrt, targets.clone()).unwrap())));
        }
        cases
    }
}

struct Row<'a> {
    table: &'a Table<'a>,
    name: LossName,
}

impl LossVisitor for Row<'_> {
    type Output = Vec<Case>;

    fn visit<L: NamedLoss>(self, loss: L) -> Vec<Case> {
        self.table.loss(&self.name.to_string(), loss, |loss| {
            let smooth = loss.regularity() <= Regularity::Smooth;
            (!smooth).then(|| Box::new(move |u: &[f64], y: &[f64]| loss.distance_from_kinks(u, y)) as _)
        })
    }
}

impl Case {
    /// Whether z is so close to a kink that a finite difference may step over it.
    fn is_near_a_kink(&self, design: &Design, z: &[f64]) -> bool {
        let mut u = vec![0.0; design.rows() * self.width];
        design.matrix().apply_wide(self.width, z, &mut u, &mut Ctx::new());
        let mut rows = u.chunks(self.width).zip(self.targets.chunks(self.width));
        self.kinks.as_ref().is_some_and(|distance| rows.any(|(u, y)| distance(u, y) < 0.05))
    }

    /// Few steps, as z_T is a polynomial in x whose degree grows with every step. Where a loss has kinks, short ones stay
    /// away from them: from u = 0, two of 0.02/L change no u_i by more than 0.5.
    fn share_and_steps(&self) -> (f64, usize) {
        if self.kinks.is_none() { (0.3, 3) } else { (0.02, 2) }
    }
}

/// Classes of losses that have them.
const CLASSES: usize = 3;

fn dense_twin(design: &Design) -> Design {
    let mut values = vec![0.0; design.rows() * design.columns()];
    design.for_each_entry(|i, j, v| values[i * design.columns() + j] = v);
    Design::dense(design.rows(), design.columns(), values).unwrap()
}

/// Numbers with sizes in [4, 5), every third in [1, 1.25).
fn targets(n: usize, seed: u64) -> Vec<f64> {
    let large = random::vector(n, seed).into_iter().map(|x| x.signum() * (4.0 + x.abs()));
    large.enumerate().map(|(i, y)| if i % 3 == 0 { y / 4.0 } else { y }).collect()
}

/// `share` of 1/L, L at z = 0.
fn fixed_step(problem: &dyn AssembleHessian, share: f64, x: &[f64]) -> StepSize {
    let z = vec![0.0; problem.latent_len()];
    let smoothness = problem.smoothness(Point::new(&z, x), &mut Ctx::new()).unwrap();
    StepSize::Fixed(if smoothness > 0.0 { share / smoothness } else { 1.0 })
}

/// What every solver whose iterations are differentiated is put to. A new one is one line here.
trait ForEachUnrolled {
    type Result;

    fn with<S: Unroll<dyn AssembleHessian>>(&mut self, name: &str, solver: &S) -> Result<(), Self::Result>;

    fn for_each_with(&mut self, step: StepSize) -> Result<(), Self::Result> {
        self.with("gradient descent", &GradientDescent::new(step))?;
        self.with("nesterov", &Nesterov::new(step).momentum(Momentum::Fixed(0.6)))?;
        self.with("heavy ball", &HeavyBall::new(step).momentum(Momentum::Fixed(0.4)))
    }

    /// Those whose settings depend on x by themselves, which finite differences would see.
    fn for_each_by_default(&mut self) -> Result<(), Self::Result> {
        self.with("gradient descent", &GradientDescent::default())?;
        self.with("nesterov", &Nesterov::default())?;
        self.with("nesterov restarted", &Nesterov::default().momentum(Momentum::Fixed(0.9)).restart(true))?;
        self.with("heavy ball", &HeavyBall::default())?;
        self.with("backtracking", &Backtracking::default())
    }
}

struct CheckRule<'a> {
    case: &'a Case,
    steps: usize,
}

impl ForEachUnrolled for CheckRule<'_> {
    type Result = TestCaseError;

    fn with<S: Unroll<dyn AssembleHessian>>(&mut self, name: &str, solver: &S) -> Result<(), TestCaseError> {
        let Case { problem, x, name: case, .. } = self.case;
        let checked = check_rule(problem.as_ref(), solver, x, self.steps);
        checked.map_err(|error| TestCaseError::fail(format!("{case}, {name}: {error}")))
    }
}

/// Reverse is forward, in full and along directions.
struct CheckModes<'a> {
    case: &'a Case,
    steps: usize,
}

impl ForEachUnrolled for CheckModes<'_> {
    type Result = TestCaseError;

    fn with<S: Unroll<dyn AssembleHessian>>(&mut self, solver_name: &str, solver: &S) -> Result<(), TestCaseError> {
        let Case { problem, x, name, .. } = self.case;
        let solve = || Solve::new(problem.as_ref(), solver, x).stop(Stop::steps(self.steps));
        let taped = solve().record(Tape::new()).run().unwrap();
        if taped.status() == Status::Diverged {
            return Ok(());
        }
        let reverse = taped.gradient(&Automatic).unwrap().value;
        let direct = norm(&taped.gradient(&Analytic).unwrap().value);
        let full = solve().record(Tangents::full()).run().unwrap().gradient(&Forward).unwrap().value;
        let error = distance(&reverse, &full);
        let mut scale = norm(&full) + direct;
        if error > 1e-12 * scale {
            // A step that is longer than 2/L, as backtracking takes where the gradient has no part in stiff directions, magnifies
            // rounding: no rule can be closer than what g2 moves when x does by a unit in its last place.
            let moved: Vec<f64> = x.iter().map(|x| x * (1.0 + f64::EPSILON)).collect();
            let moved = Solve::new(problem.as_ref(), solver, &moved).stop(Stop::steps(self.steps)).record(Tape::new());
            let moved = moved.run().unwrap().gradient(&Automatic).unwrap().value;
            scale += distance(&moved, &reverse) / 1e-12;
        }
        prop_assert!(error <= 1e-12 * scale, "{name}, {solver_name}: {error:e} of {scale:e}");
        let directions = vec![random::vector(x.len(), 1), random::vector(x.len(), 2)];
        let along = solve().record(Tangents::along(directions.clone())).run().unwrap();
        for (k, derivative) in along.gradient(&Forward).unwrap().value.into_iter().enumerate() {
            let error = (derivative - dot(&full, &directions[k])).abs();
            let allowed = 1e-12 * scale * norm(&directions[k]);
            prop_assert!(error <= allowed, "{name}, {solver_name}: {error:e}, allowed {allowed:e}");
        }
        Ok(())
    }
}

/// A long step of backtracking, met at random, after which g2 moves by 1e-9 where x does by an ulp.
#[test]
fn reverse_is_forward_as_far_as_rounding_allows() {
    let design = random::design(13, 23, 4, 8924);
    for case in (Table { design: &design, lambda: 0.1, size: 1.0, seed: 8924 }).cases() {
        CheckModes { case: &case, steps: 17 }.for_each_by_default().unwrap();
    }
}

proptest! {
    #[test]
    fn products_and_rules(n in 1usize..25, m in 1usize..25, seed in 0u64..10_000, lambda in 0.0f64..1.0) {
        let sparse = random::design(n, m, 4, seed);
        for design in [&dense_twin(&sparse), &sparse] {
            for case in (Table { design, lambda, size: 1.0, seed }).cases() {
                let (problem, x) = (case.problem.as_ref(), &case.x);
                let fail = |error: &dyn std::fmt::Display| TestCaseError::fail(format!("{}: {error}", case.name));
                let z = random::vector(problem.latent_len(), seed + 1);
                if !case.is_near_a_kink(design, &z) {
                    check_problem(problem, &z, x).map_err(|e| fail(&e))?;
                }
                check_hessian(problem, &z, x).map_err(|e| fail(&e))?;
                let (share, steps) = case.share_and_steps();
                CheckRule { case: &case, steps }.for_each_with(fixed_step(problem, share, x))?;
            }
        }
    }

    #[test]
    fn reverse_is_forward(n in 1usize..25, m in 1usize..25, seed in 0u64..10_000, steps in 0usize..40) {
        let design = random::design(n, m, 4, seed);
        for case in (Table { design: &design, lambda: 0.1, size: 1.0, seed }).cases() {
            CheckModes { case: &case, steps }.for_each_by_default()?;
        }
    }

    #[test]
    fn dense_and_sparse_designs_agree(n in 1usize..25, m in 1usize..25, seed in 0u64..10_000) {
        let sparse = random::design(n, m, 4, seed);
        let dense = dense_twin(&sparse);
        let solve = |problem: &dyn AssembleHessian, x: &[f64], solver: &GradientDescent| {
            let solution = Solve::new(problem, solver, x).stop(Stop::steps(5)).record(Tape::new()).run().unwrap();
            solution.gradient(&Automatic).unwrap().value
        };
        let cases = |design| Table { design, lambda: 0.1, size: 1.0, seed }.cases();
        for (on_sparse, on_dense) in cases(&sparse).into_iter().zip(cases(&dense)) {
            // One step size for both: an estimated one is the same up to 1e-6 only.
            let solver = GradientDescent::new(fixed_step(on_sparse.problem.as_ref(), 0.9, &on_sparse.x));
            let [a, mut b] = [&on_sparse, &on_dense].map(|case| solve(case.problem.as_ref(), &case.x, &solver));
            if a.len() != b.len() {
                // All entries of the dense one, of which those stored by the sparse one are compared.
                let mut stored = Vec::new();
                sparse.for_each_entry(|i, j, _| stored.push(b[i * m + j]));
                b = stored;
            }
            prop_assert!(distance(&a, &b) <= 1e-10 * norm(&a), "{}: {}", on_sparse.name, distance(&a, &b));
        }
    }
}

/// Without a lifetime, which a trait object behind a reference would take from it.
type AnyProblem = dyn AssembleHessian;

/// z*(x), by Newton's method to rounding.
fn minimum<'a>(
    problem: &'a AnyProblem,
    newton: &'a Newton<DenseCholesky>,
    x: &'a [f64],
) -> Solution<'a, AnyProblem, Newton<DenseCholesky>> {
    Solve::new(problem, newton, x).stop(Stop::tolerance(1e-13).within(200)).run().unwrap()
}

/// What <g, dx> must be for each g of l, and where.
struct CheckMinimum<'a> {
    case: &'a Case,
    dx: &'a [f64],
    numeric: f64,
    /// l(x).
    value: f64,
}

impl CheckMinimum<'_> {
    fn check(&self, what: &str, gradient: &[f64]) {
        self.compare(what, dot(gradient, self.dx), norm(gradient));
    }

    fn compare(&self, what: &str, found: f64, size: f64) {
        let error = (found - self.numeric).abs();
        // The difference of values at a step of 1e-3 keeps 13 digits of them, hence 10 of their slope.
        let scale = size * norm(self.dx) + 1e-3 * self.value.abs();
        assert!(error <= 1e-8 * scale, "{}, {what}: {error:e} of {scale:e}", self.case.name);
    }

    fn solve<'a, S: Solver<AnyProblem>>(&'a self, solver: &'a S) -> Solve<'a, AnyProblem, S> {
        let Case { problem, x, .. } = self.case;
        Solve::new(problem.as_ref(), solver, x).stop(Stop::tolerance(1e-10).within(200_000))
    }

    /// g1 and g3, of any solver.
    fn at_the_minimum<S, R>(&self, solver: &str, solution: &Solution<'_, AnyProblem, S, R>)
    where
        S: Solver<AnyProblem>,
        R: Recorder<AnyProblem, S>,
    {
        assert_eq!(solution.status(), Status::Converged, "{}, {solver}", self.case.name);
        for (estimator, gradient) in [
            ("g1", solution.gradient(&Analytic)),
            ("g3 by conjugate gradient", solution.gradient(&Implicit::new(Cg::default()))),
            ("g3 by Cholesky", solution.gradient(&Implicit::new(DenseCholesky::default()))),
            ("g3", solution.gradient(&Implicit::new(Auto::default()))),
        ] {
            self.check(&format!("{solver}, {estimator}"), &gradient.unwrap().value);
        }
    }
}

impl ForEachUnrolled for CheckMinimum<'_> {
    type Result = Infallible;

    fn with<S: Unroll<AnyProblem>>(&mut self, name: &str, solver: &S) -> Result<(), Infallible> {
        let taped = self.solve(solver).record(Tape::new()).run().unwrap();
        self.at_the_minimum(name, &taped);
        let reverse = taped.gradient(&Automatic).unwrap().value;
        self.check(&format!("{name}, g2 in reverse"), &reverse);
        let forward = self.solve(solver).record(Tangents::along(vec![self.dx.to_vec()])).run().unwrap();
        let along = forward.gradient(&Forward).unwrap().value[0];
        self.compare(&format!("{name}, g2 forwards"), along, norm(&reverse));
        Ok(())
    }
}

/// Of converged solves, small ones: with more rows than columns, and with fewer.
const SHAPES: [(usize, usize); 4] = [(14, 5), (5, 14), (1, 5), (5, 1)];

#[test]
fn every_estimator_is_the_derivative_of_the_minimum() {
    for (n, m) in SHAPES {
        let design = random::design(n, m, 4, 7);
        for case in (Table { design: &design, lambda: 0.5, size: 0.25, seed: 1 }).cases() {
            let (problem, x, newton) = (case.problem.as_ref(), &case.x, Newton::new(DenseCholesky::default()));
            let dx = random::vector(x.len(), 2);
            let value = |h: f64| {
                let mut moved = x.clone();
                axpy(h, &dx, &mut moved);
                problem.value(minimum(problem, &newton, &moved).point(), &mut Ctx::new())
            };
            let numeric = derivative(step(x), |h| Ok::<_, Infallible>(vec![value(h)])).unwrap()[0];
            let mut check = CheckMinimum { case: &case, dx: &dx, numeric, value: value(0.0) };
            let Ok(()) = check.for_each_by_default();
            check.at_the_minimum("l-bfgs", &check.solve(&Lbfgs::default()).run().unwrap());
            check.at_the_minimum("newton", &check.solve(&newton).run().unwrap());
        }
    }
}

#[test]
fn other_outer_functions_are_differentiated_by_g2_and_g3() {
    for (n, m) in SHAPES {
        let design = random::design(n, m, 4, 7);
        for Case { name, problem, x, .. } in (Table { design: &design, lambda: 0.5, size: 0.25, seed: 1 }).cases() {
            let (problem, dx, newton) =
                (problem.as_ref(), random::vector(x.len(), 2), Newton::new(DenseCholesky::default()));
            let latent = problem.latent_len();
            let validation = Glm::new(random::design(9, latent, 4, 8), Logistic, 0.0).unwrap();
            let labels = random::labels(9, 3);
            let held_out = HeldOut::new(&validation, &labels).unwrap();
            let linear = Linear(random::vector(latent, 4));
            let outers: [(&str, &dyn Outer<AnyProblem>); 2] = [("held out", &held_out), ("linear", &linear)];
            let values = |h: f64| {
                let mut moved = x.clone();
                axpy(h, &dx, &mut moved);
                let solution = minimum(problem, &newton, &moved);
                outers.map(|(_, outer)| outer.value(problem, solution.point(), &mut Ctx::new()))
            };
            // Third derivatives that jump, as those of pnorm:3, leave a long step too few digits.
            let numeric = Differences::SMOOTH.steps(&x).take(2);
            let numeric: Vec<_> =
                numeric.map(|step| derivative(step, |h| Ok::<_, Infallible>(values(h).to_vec())).unwrap()).collect();

            let solver = Nesterov::default();
            let solve = || Solve::new(problem, &solver, &x).stop(Stop::tolerance(1e-12).within(200_000));
            let taped = solve().record(Tape::new()).run().unwrap();
            let forward = solve().record(Tangents::along(vec![dx.clone()])).run().unwrap();
            assert_eq!(taped.status(), Status::Converged, "{name} {n} x {m}");
            for (k, ((outer_name, outer), value)) in outers.into_iter().zip(values(0.0)).enumerate() {
                let reverse = taped.gradient_of(outer, &Automatic).unwrap().value;
                let implicit = taped.gradient_of(outer, &Implicit::new(Cg::default())).unwrap().value;
                let dense = taped.gradient_of(outer, &Implicit::new(DenseCholesky::default())).unwrap().value;
                let forward = forward.gradient_of(outer, &Forward).unwrap().value[0];
                let scale = norm(&dense) * norm(&dx) + 1e-3 * value.abs();
                for (estimator, found) in [
                    ("g2 in reverse", dot(&reverse, &dx)),
                    ("g2 forwards", forward),
                    ("g3 by conjugate gradient", dot(&implicit, &dx)),
                    ("g3 by Cholesky", dot(&dense, &dx)),
                ] {
                    let error = numeric.iter().map(|slope| (found - slope[k]).abs()).fold(f64::INFINITY, f64::min);
                    let what = format!("{name} {n} x {m}, {outer_name}, {estimator}");
                    assert!(error <= 1e-6 * scale, "{what}: {error:e} of {scale:e}");
                }
            }
        }
    }
}

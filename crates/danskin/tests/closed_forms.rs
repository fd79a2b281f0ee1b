//! Ridge regression has everything in closed form: l(x) = 1/2 x^T (x - D z*), grad l = x - D z*, L_zz and L_xz constant.
//! There g3 is exact at every z, and g2 after t steps is g1 after 2t (Ablin, Peyre, Moreau 2020).

use danskin::prelude::*;
use danskin::testing::random;
use danskin::vector::{distance, norm};
use proptest::prelude::*;

proptest! {
    #[test]
    fn g2_of_ridge_is_g1_at_twice_the_steps(
        n in 1usize..40, m in 1usize..40, steps in 0usize..30, seed in 0u64..1000, lambda in 0.0f64..2.0,
    ) {
        let problem = Glm::new(random::design(n, m, 4, seed), Squared, lambda).unwrap();
        let (x, solver) = (random::vector(n, seed + 1), GradientDescent::default());
        let solve = |steps| Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).record(Tape::new()).run().unwrap();
        let g2 = solve(steps).gradient(&Automatic).unwrap().value;
        let g1 = solve(2 * steps).gradient(&Analytic).unwrap().value;
        // Each step contracts; its rounding is a few eps times a row's length.
        prop_assert!(distance(&g1, &g2) <= 1e-13 * (1 + steps) as f64 * norm(&x), "{} {}", distance(&g1, &g2), norm(&x));
    }

    #[test]
    fn g3_of_ridge_is_exact_at_every_point(
        n in 1usize..40, m in 1usize..40, steps in 0usize..5, seed in 0u64..1000, lambda in 0.01f64..2.0,
    ) {
        let problem = Glm::new(random::design(n, m, 4, seed), Squared, lambda).unwrap();
        let (x, z0) = (random::vector(n, seed + 1), random::vector(m, seed + 2));
        let (descent, newton) = (GradientDescent::default(), Newton::new(DenseCholesky::default()));
        let exact = Solve::new(&problem, &newton, &x).stop(Stop::steps(2)).run().unwrap();
        let exact = exact.gradient(&Analytic).unwrap().value;
        let early = Solve::new(&problem, &descent, &x).from(&z0).stop(Stop::steps(steps)).run().unwrap();
        for g3 in [
            early.gradient(&Implicit::new(Cg::default())).unwrap(),
            early.gradient(&Implicit::new(DenseCholesky::default())).unwrap(),
        ] {
            // The condition is at most ‖D‖²/lambda < 2000; a solve loses that many units of rounding.
            prop_assert!(distance(&g3.value, &exact) <= 1e-11 * (norm(&x) + norm(&z0)), "{:?}", g3.linear);
        }
    }
}

#[test]
fn the_gradient_of_ridge_is_its_residual() {
    // D = 2, lambda = 1: z* = 2x/5, grad l = x - 4x/5 = x/5.
    let problem = Glm::new(Design::dense(1, 1, vec![2.0]).unwrap(), Squared, 1.0).unwrap();
    let newton = Newton::new(DenseCholesky::default());
    let solution = Solve::new(&problem, &newton, &[3.0]).run().unwrap();
    assert!((solution.z()[0] - 1.2).abs() < 1e-15);
    assert!((solution.gradient(&Analytic).unwrap().value[0] - 0.6).abs() < 1e-15);
}

#[test]
fn a_tiny_penalty_is_not_taken_for_a_singular_hessian() {
    // Condition 1e13 and up, known to be positive definite; ridge's gradient is x - D z*, whatever the null directions do.
    let design =
        Design::from_triplets(3, 3, &[(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0)]).unwrap();
    for lambda in [1e-13, 1e-15] {
        let problem = Glm::new(design.clone(), Squared, lambda).unwrap();
        let (x, solver) = ([1.0, 2.0, 3.0], GradientDescent::default());
        let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(3)).run().unwrap();
        let gradient = solution.gradient(&Implicit::new(Cg::default())).unwrap();
        assert!(distance(&gradient.value, &[-0.5, 0.5, 0.0]) < 1e-9, "{gradient:?}");
    }
}

/// Of a problem without rows, or without columns, or without either, everything is 0 or l itself.
struct Empty {
    rows: usize,
    columns: usize,
    wrt: Wrt,
    name: LossName,
}

impl LossVisitor for Empty {
    type Output = ();

    fn visit<L: NamedLoss>(self, loss: L) {
        let Self { rows, columns, wrt, name } = self;
        let plain = || {
            let design = Design::from_triplets(rows, columns, &[]).unwrap();
            let targets = vec![1.0 / loss.width() as f64; rows * loss.width()];
            let groups = (0..columns as u32).collect();
            let problem = Glm::new(design, loss, 1.0).unwrap().grouped(vec![1.0; columns], groups).unwrap();
            problem.wrt(wrt, targets).unwrap()
        };
        let (problem, x) = plain();
        let check = |gradient: Result<Gradient, danskin::estimator::EstimateError>, expected: &[f64]| {
            assert_eq!(gradient.unwrap().value, expected, "{name}, {}, {rows} x {columns}", wrt.name());
        };
        fn run<P: AssembleHessian, S: Unroll<P>>(
            problem: &P,
            x: &[f64],
            solver: &S,
            check: impl Fn(Result<Gradient, danskin::estimator::EstimateError>, &[f64]),
        ) {
            let solve = || Solve::new(problem, solver, x).stop(Stop::steps(3));
            let taped = solve().record(Tape::new()).run().unwrap();
            let g1 = taped.gradient(&Analytic).unwrap().value;
            check(taped.gradient(&Automatic), &g1);
            check(solve().record(Tangents::full()).run().unwrap().gradient(&Forward), &g1);
            check(taped.gradient(&Implicit::new(Cg::default())), &g1);
            check(taped.gradient(&Implicit::new(DenseCholesky::default())), &g1);
        }
        run(&problem, &x, &GradientDescent::default(), check);
        run(&problem, &x, &Nesterov::default().restart(true), check);
        run(&problem, &x, &HeavyBall::default(), check);
        run(&problem, &x, &Backtracking::default(), check);
    }
}

#[test]
fn designs_without_rows_or_columns_have_gradients() {
    for name in LossName::all() {
        for (rows, columns) in [(0, 0), (0, 3), (3, 0)] {
            for wrt in Wrt::ALL {
                name.visit(3, Empty { rows, columns, wrt, name }).unwrap();
            }
        }
    }
}

#[test]
fn newton_finds_its_way_where_the_hessian_vanishes() {
    // At z = 0 every residual is beyond the threshold: L_zz = 0.
    let problem = Glm::new(random::design(40, 9, 4, 1), Huber::new(0.5).unwrap(), 0.0).unwrap();
    let x: Vec<f64> = random::vector(40, 2).iter().map(|y| y.signum()).collect();
    let stop = Stop::tolerance(1e-10).within(100);
    let (cg, dense) = (Newton::new(Cg::default()), Newton::new(DenseCholesky::default()));
    let by_cg = Solve::new(&problem, &cg, &x).stop(stop).run().unwrap();
    let by_dense = Solve::new(&problem, &dense, &x).stop(stop).run().unwrap();
    assert_eq!((by_cg.status(), by_dense.status()), (Status::Converged, Status::Converged), "{by_cg:?} {by_dense:?}");
    assert!(distance(by_cg.z(), by_dense.z()) < 1e-8, "{:?} {:?}", by_cg.z(), by_dense.z());
}

#[test]
fn vectors_longer_than_there_can_be_are_refused() {
    let two = Design::dense(2, 2, vec![1.0; 4]).unwrap();
    assert!(Glm::new(two, Multinomial::new(usize::MAX).unwrap(), 1.0).is_err());
}

#[test]
fn the_size_of_lambda_is_no_matter_to_a_factorisation() {
    for lambda in [1e-300, 1e300, 1e308] {
        let scale = f64::sqrt(lambda).min(1.0);
        let design = Design::dense(3, 2, [1.0, 2.0, 0.5, -1.0, 0.0, 3.0].map(|d| d * scale).to_vec()).unwrap();
        let problem = Glm::new(design, Squared, lambda).unwrap();
        let (x, solver) = ([1.0, -2.0, 0.5], GradientDescent::new(StepSize::Fixed(0.999_999 / lambda)));
        let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(2)).run().unwrap();
        let by_cg = solution.gradient(&Implicit::new(Cg::default())).unwrap().value;
        let dense = solution.gradient(&Implicit::new(DenseCholesky::default())).unwrap();
        let mut rhs = [0.0; 2];
        problem.grad_z(solution.z(), &x, &mut rhs, &mut [], &mut Ctx::new());
        // At 1e308 the solution of the system is below the normal numbers, which are 5e-324 apart.
        let spacing = 5e-324 * lambda / norm(&rhs);
        let linear = dense.linear.unwrap();
        if spacing < 1e-12 {
            assert_eq!(linear.status, danskin::linear::LinearStatus::Converged, "{lambda:e}: {dense:?}");
        } else {
            assert!(linear.residual <= spacing, "{lambda:e}, {spacing:e}: {dense:?}");
        }
        assert!(distance(&dense.value, &by_cg) < 1e-12 * norm(&by_cg), "{lambda:e}: {dense:?} {by_cg:?}");
    }
}

//! Passes over D are what everything costs: T steps take T + 1, g1 none, g2 T more (the gradient at z_T and D z_T are
//! carried, so that not even the outer gradient costs one), g3 its linear iterations and two.

use danskin::ctx::Cost;
use danskin::prelude::*;
use danskin::testing::random;

const STEPS: u64 = 17;

fn passes(cost: Cost) -> u64 {
    cost.passes
}

/// n > m records z_t, n < m records D z_t: either way the costs are the same.
fn instances() -> [Glm<Logistic>; 2] {
    [(60, 20), (20, 60)].map(|(n, m)| Glm::new(random::design(n, m, 5, 1), Logistic, 0.1).unwrap())
}

fn fixed() -> GradientDescent {
    GradientDescent::new(StepSize::Fixed(0.05))
}

#[test]
fn a_solve_costs_one_pass_a_step_and_one_recorded_or_not() {
    for problem in instances() {
        let (x, solver) = (random::labels(problem.parameter_len(), 2), fixed());
        let solve = || Solve::new(&problem, &solver, &x).stop(Stop::steps(STEPS as usize));
        assert_eq!(passes(solve().run().unwrap().cost()), STEPS + 1);
        assert_eq!(passes(solve().record(Tape::new()).run().unwrap().cost()), STEPS + 1);
        // Two tangents: two more passes a step.
        let directions = vec![random::vector(x.len(), 3), random::vector(x.len(), 4)];
        let forward = solve().record(Tangents::along(directions)).run().unwrap();
        assert_eq!((passes(forward.cost()), passes(forward.cost_of_z())), (3 * STEPS + 1, STEPS + 1));
        assert_eq!(passes(forward.gradient(&Forward).unwrap().cost), 0);
    }
}

#[test]
fn gradients_cost_what_they_say() {
    for problem in instances() {
        let (x, solver) = (random::labels(problem.parameter_len(), 2), fixed());
        let stop = Stop::steps(STEPS as usize);
        let solution = Solve::new(&problem, &solver, &x).stop(stop).record(Tape::new()).run().unwrap();
        assert_eq!(passes(solution.gradient(&Analytic).unwrap().cost), 0);

        let g2 = solution.gradient(&Automatic).unwrap();
        assert_eq!((g2.cost.passes, g2.cost.second_order_products), (STEPS, STEPS));
        let record = problem.latent_len().min(problem.parameter_len()) as u64;
        let untaped = Solve::new(&problem, &solver, &x).stop(stop).run().unwrap();
        assert_eq!(solution.cost().peak_bytes, untaped.cost().peak_bytes + 8 * STEPS * record);

        // The iterations, the residual computed at their end, and L_xz v.
        let g3 = solution.gradient(&Implicit::new(Cg::default())).unwrap();
        assert_eq!((g3.cost.passes, g3.cost.solves), (g3.linear.unwrap().iterations as u64 + 2, 1));
        // Assembling, in passes of as many operations, a product to tell whether it is singular, two residuals, and L_xz v.
        let g3 = solution.gradient(&Implicit::new(DenseCholesky::default())).unwrap();
        let Work { product, assembly } = problem.work();
        assert_eq!((g3.cost.passes, g3.linear.unwrap().iterations), ((assembly / product).ceil() as u64 + 4, 1));
        assert!(g3.cost.peak_bytes >= 8 * (problem.latent_len() as u64).pow(2));
    }
}

#[test]
fn momentum_costs_no_pass_and_backtracking_one_a_trial() {
    fn unrolled<S: Unroll<Glm<Logistic>>>(solver: &S) -> [u64; 2] {
        let [problem, _] = instances();
        let x = random::labels(problem.parameter_len(), 2);
        let stop = Stop::steps(STEPS as usize);
        let solution = Solve::new(&problem, solver, &x).stop(stop).record(Tape::new()).run().unwrap();
        [passes(solution.cost()), passes(solution.gradient(&Automatic).unwrap().cost)]
    }
    let step = StepSize::Fixed(0.05);
    assert_eq!(unrolled(&Nesterov::new(step)), [STEPS + 1, STEPS]);
    assert_eq!(unrolled(&HeavyBall::new(step)), [STEPS + 1, STEPS]);
    // The first trial is accepted at once; each later one begins at twice the step before.
    let [forward, backward] = unrolled(&Backtracking::new(1e-6));
    assert_eq!([forward, backward], [STEPS + 1, STEPS]);
    let [forward, backward] = unrolled(&Backtracking::new(1.0));
    assert!(forward > STEPS + 1 && forward <= 3 * STEPS, "{forward}");
    assert_eq!(backward, STEPS);
}

#[test]
fn the_entries_of_a_design_cost_no_more_backwards_and_four_passes_a_tangent() {
    let (problem, x) = Glm::new(random::design(60, 20, 5, 1), Logistic, 0.1)
        .and_then(|problem| problem.wrt(Wrt::Design, random::labels(60, 2)))
        .unwrap();
    let solver = fixed();
    let solve = || Solve::new(&problem, &solver, &x).stop(Stop::steps(STEPS as usize));
    let taped = solve().record(Tape::new()).run().unwrap();
    // Backwards as targets do; grad_x L is a pass of its own.
    assert_eq!(passes(taped.cost()), STEPS + 1);
    assert_eq!(passes(taped.gradient(&Automatic).unwrap().cost), STEPS + 1);
    // D z, as z_t is recorded; D dz, D^T; and W z, W^T.
    let forward = solve().record(Tangents::along(vec![random::vector(x.len(), 3)])).run().unwrap();
    assert_eq!(passes(forward.cost()), (1 + 5) * STEPS + 1);
}

#[test]
fn newton_costs_its_products_and_one_pass_a_trial() {
    let [problem, _] = instances();
    let (x, newton) = (random::labels(problem.parameter_len(), 2), Newton::new(Cg::default()));
    let solution = Solve::new(&problem, &newton, &x).stop(Stop::steps(3)).run().unwrap();
    let cost = solution.cost();
    // Full steps are taken here: three, and the start.
    assert_eq!(cost.passes, cost.second_order_products + 4);
    assert_eq!(cost.solves, 3);
}

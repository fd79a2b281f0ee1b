//! Stochastic gradient descent and SVRG: their rules are the derivatives of their steps, the same terms are drawn forwards, backwards and again, and steps
//! allocate nothing.

use allocation_counter::measure;
use danskin::prelude::*;
use danskin::testing::{Differences, check_problem, check_replay, check_rule, check_rule_from, random};
use danskin::vector::{distance, norm};

const SIDES: (usize, usize) = (9, 5);

/// Stochastic gradient descent of each kind: one term and several, averaged and not, steps that decrease and that do not.
fn plain() -> Vec<Sgd> {
    let decreasing = Sgd::new(Decay { scale: 0.1, offset: 3.0, exponent: 0.7 }).seed(3);
    let constant = Sgd::new(Decay::constant(0.02)).batch(4);
    vec![decreasing, decreasing.averaged(), constant, constant.averaged(), constant.batch(100)]
}

/// SVRG of each kind: epochs that the steps of a test end in and on, and of one step; one term and several; of several seeds.
fn reduced() -> Vec<Svrg> {
    let solver = Svrg::new(0.02);
    vec![solver, solver.epoch(5).seed(3), solver.epoch(6).batch(4), solver.epoch(1), solver.epoch(4).batch(100)]
}

macro_rules! for_each_solver {
    ($solver:ident => $body:block) => {
        for $solver in plain() $body
        for $solver in reduced() $body
    };
}

fn for_each_problem(mut with: impl FnMut(&str, &dyn FiniteSum, &[f64])) {
    let (n, m) = SIDES;
    let classes = Multinomial::new(3).unwrap();
    let of_classes = classes.targets(&(0..n).map(|i| i % 3).collect::<Vec<_>>());
    for wrt in Wrt::ALL {
        let design = random::design(n, m, 3, 1);
        let (problem, x) = Glm::new(design.clone(), Squared, 0.3).unwrap().wrt(wrt, random::vector(n, 2)).unwrap();
        with("ridge", &problem, &x);
        let (problem, x) = Glm::new(design.clone(), Logistic, 0.3).unwrap().wrt(wrt, random::labels(n, 2)).unwrap();
        with("logistic", &problem, &x);
        let grouped = Glm::new(design.clone(), PseudoHuber::new(0.5).unwrap(), 0.3).unwrap();
        let grouped = grouped.grouped(vec![0.2, 0.7], (0..m as u32).map(|j| j % 2).collect()).unwrap();
        let (problem, x) = grouped.wrt(wrt, random::vector(n, 2)).unwrap();
        with("pseudo-huber", &problem, &x);
        let (problem, x) = Glm::new(design, classes, 0.3).unwrap().wrt(wrt, of_classes.clone()).unwrap();
        with("multinomial", &problem, &x);
    }
}

#[test]
fn rules_are_derivatives_and_steps_can_be_taken_again() {
    for_each_problem(|name, problem, x| {
        check_problem(problem, &random::vector(problem.latent_len(), 4), x).unwrap();
        for_each_solver!(solver => {
            check_rule(problem, &solver, x, 12).unwrap_or_else(|error| panic!("{name}, {solver:?}: {error}"));
            check_replay(problem, &solver, x, 12).unwrap_or_else(|error| panic!("{name}, {solver:?}: {error}"));
        });
    });
}

/// Of a sum of one term there is one batch, and gradient descent.
#[test]
fn one_term_is_gradient_descent() {
    fn of<'a, S: Unroll<Glm<Logistic>>>(problem: &'a Glm<Logistic>, solver: &'a S) -> (Vec<f64>, Vec<f64>) {
        let solved = Solve::new(problem, solver, &[1.0]).stop(Stop::steps(40)).record(Tape::new()).run().unwrap();
        let gradient = solved.gradient(&Automatic).unwrap().value;
        (solved.into_z(), gradient)
    }
    let design = Design::dense(1, 3, vec![1.0, -0.5, 2.0]).unwrap();
    let problem = Glm::new(design, Logistic, 0.2).unwrap();
    let (z, gradient) = of(&problem, &GradientDescent::new(StepSize::Fixed(0.1)));
    let by_terms = of(&problem, &Sgd::new(Decay::constant(0.1)));
    let reduced = [2, 7, 1000].map(|epoch| of(&problem, &Svrg::new(0.1).epoch(epoch)));
    // What SVRG adds and takes away again is rounded.
    for ((found, of_it), rounding) in reduced.into_iter().map(|found| (found, 10.0)).chain([(by_terms, 1.0)]) {
        assert!(distance(&z, &found) <= rounding * 1e-15 * norm(&z), "{z:?} {found:?}");
        assert!(distance(&gradient, &of_it) <= rounding * 1e-14 * norm(&gradient), "{gradient:?} {of_it:?}");
    }
}

/// Of a sum of no terms there is the penalty, whatever the batches and epochs.
#[test]
fn rules_of_no_terms_are_derivatives() {
    let problem = Glm::new(Design::from_triplets(0, 3, &[]).unwrap(), Squared, 0.5).unwrap();
    let (problem, x) = problem.wrt(Wrt::Regularisation, Vec::new()).unwrap();
    for_each_solver!(solver => {
        let found = check_rule_from(Differences::SMOOTH, &problem, &solver, &x, &[1.0, -2.0, 0.5], 12);
        found.unwrap_or_else(|error| panic!("{solver:?}: {error}"));
    });
}

/// Of any f, not of L alone: with a constant step dz_T/dx converges as z_T does, where that of stochastic gradient descent ends at a floor.
#[test]
fn derivatives_converge_with_a_constant_step() {
    fn g2<S: Unroll<Glm<Logistic>>>(problem: &Glm<Logistic>, solver: &S, x: &[f64], f: &Linear) -> Vec<f64> {
        let solution = Solve::new(problem, solver, x).stop(Stop::steps(4000)).record(Tape::new()).run().unwrap();
        solution.gradient_of(f, &Automatic).unwrap().value
    }
    for wrt in Wrt::ALL {
        let problem = Glm::new(random::design(40, 6, 3, 1), Logistic, 2.0).unwrap();
        let (problem, x) = problem.wrt(wrt, random::labels(40, 2)).unwrap();
        let f = Linear(random::vector(6, 3));
        let newton = Newton::new(DenseCholesky::default());
        let exact = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-14)).run().unwrap();
        let exact = exact.gradient_of(&f, &Implicit::new(DenseCholesky::default())).unwrap().value;
        let error = |found: Vec<f64>| distance(&found, &exact) / norm(&exact);
        let (reduced, plain) = (Svrg::new(0.02), Sgd::new(Decay::constant(0.02)));
        let [reduced, plain] = [error(g2(&problem, &reduced, &x, &f)), error(g2(&problem, &plain, &x, &f))];
        assert!(reduced < 1e-12 && plain > 1e-3, "{wrt:?}: {reduced:e} {plain:e}");
    }
}

/// As many passes backwards as forwards: the gradient at the anchor is differentiated once an epoch.
#[test]
fn rules_of_svrg_take_the_passes_of_its_steps() {
    let problem = Glm::new(random::design(40, 6, 3, 1), Logistic, 0.5).unwrap();
    let (solver, x) = (Svrg::new(1e-3).batch(4).epoch(10), random::labels(40, 2));
    let solve = || Solve::new(&problem, &solver, &x).stop(Stop::steps(100));
    let taped = solve().record(Tape::new()).run().unwrap();
    let backwards = taped.gradient_of(&Linear(vec![1.0; 6]), &Automatic).unwrap().cost;
    // Ten steps with L, and 90 with four rows twice.
    assert_eq!((backwards.passes, backwards.second_order_products), (10 + 18, 10 + 2 * 90));
    let forwards = solve().record(Tangents::along(vec![x.clone()])).run().unwrap();
    assert_eq!(forwards.cost().passes, taped.cost().passes + 10 + 18);
    // The first six of 30 steps taken again: five times eight rows, and no gradient at an anchor.
    let bytes = 8 * (3 * 6 + 1 + 24 * 2 * 6);
    let taped = solve().stop(Stop::steps(30)).record(Tape::new()).run().unwrap();
    let replayed = solve().stop(Stop::steps(30)).record(Checkpoints::within(bytes)).run().unwrap();
    let [taped, replayed] = [taped.gradient(&Automatic).unwrap(), replayed.gradient(&Automatic).unwrap()];
    assert_eq!((&replayed.value, replayed.cost.passes), (&taped.value, taped.cost.passes + 1));
}

#[test]
fn going_on_is_the_same_trajectory() {
    for_each_problem(|name, problem, x| {
        for_each_solver!(solver => {
            let whole = Solve::new(problem, &solver, x).stop(Stop::steps(30)).record(Tape::new()).run().unwrap();
            let mut parts = Solve::new(problem, &solver, x).stop(Stop::steps(7)).record(Tape::new()).run().unwrap();
            parts.resume(Stop::steps(30), &mut Ctx::new()).unwrap();
            let [whole, parts] = [whole.gradient(&Automatic).unwrap(), parts.gradient(&Automatic).unwrap()];
            assert_eq!(whole.value, parts.value, "{name}, {solver:?}");
        });
    });
}

#[test]
fn steps_allocate_nothing() {
    for_each_problem(|name, problem, x| {
        for_each_solver!(solver => {
            // More terms at a time than have a place of their own.
            if solver.draws().batch_len() == 100 {
                continue;
            }
            let allocations = |steps| {
                let mut ctx = Ctx::new();
                let mut run = |steps| {
                    let solve = Solve::new(problem, &solver, x).stop(Stop::steps(steps)).record(Tape::new());
                    solve.run_in(&mut ctx).unwrap().gradient_in(&Envelope, &Automatic, &mut ctx).unwrap()
                };
                run(200);
                measure(|| drop(run(steps))).count_total
            };
            assert_eq!(allocations(100), allocations(200), "{name}, {solver:?}");
        });
    });
}

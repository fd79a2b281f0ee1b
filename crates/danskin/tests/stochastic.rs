//! Stochastic gradient descent: its rule is the derivative of its steps, the same terms are drawn forwards, backwards and again, and steps
//! allocate nothing.

use allocation_counter::measure;
use danskin::prelude::*;
use danskin::testing::{check_problem, check_replay, check_rule, random};
use danskin::vector::{distance, norm};

const SIDES: (usize, usize) = (9, 5);

/// A solver of each kind: one term and several, averaged and not, steps that decrease and that do not.
fn solvers() -> Vec<Sgd> {
    let decreasing = Sgd::new(Decay { scale: 0.1, offset: 3.0, exponent: 0.7 }).seed(3);
    let constant = Sgd::new(Decay::constant(0.02)).batch(4);
    vec![decreasing, decreasing.averaged(), constant, constant.averaged(), constant.batch(100)]
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
        for solver in solvers() {
            check_rule(problem, &solver, x, 12).unwrap_or_else(|error| panic!("{name}, {solver:?}: {error}"));
            check_replay(problem, &solver, x, 12).unwrap_or_else(|error| panic!("{name}, {solver:?}: {error}"));
        }
    });
}

/// Of a sum of one term there is one batch, and gradient descent.
#[test]
fn one_term_is_gradient_descent() {
    let design = Design::dense(1, 3, vec![1.0, -0.5, 2.0]).unwrap();
    let problem = Glm::new(design, Logistic, 0.2).unwrap();
    let (plain, stochastic) = (GradientDescent::new(StepSize::Fixed(0.1)), Sgd::new(Decay::constant(0.1)));
    let by_plain = Solve::new(&problem, &plain, &[1.0]).stop(Stop::steps(40)).record(Tape::new()).run().unwrap();
    let by_terms = Solve::new(&problem, &stochastic, &[1.0]).stop(Stop::steps(40)).record(Tape::new()).run().unwrap();
    assert!(distance(by_plain.z(), by_terms.z()) <= 1e-15 * norm(by_plain.z()));
    let [expected, found] = [by_plain.gradient(&Automatic).unwrap(), by_terms.gradient(&Automatic).unwrap()];
    assert!(distance(&expected.value, &found.value) <= 1e-14 * norm(&expected.value));
}

#[test]
fn going_on_is_the_same_trajectory() {
    for_each_problem(|name, problem, x| {
        for solver in solvers() {
            let whole = Solve::new(problem, &solver, x).stop(Stop::steps(30)).record(Tape::new()).run().unwrap();
            let mut parts = Solve::new(problem, &solver, x).stop(Stop::steps(7)).record(Tape::new()).run().unwrap();
            parts.resume(Stop::steps(30), &mut Ctx::new()).unwrap();
            let [whole, parts] = [whole.gradient(&Automatic).unwrap(), parts.gradient(&Automatic).unwrap()];
            assert_eq!(whole.value, parts.value, "{name}, {solver:?}");
        }
    });
}

#[test]
fn steps_allocate_nothing() {
    for_each_problem(|name, problem, x| {
        for solver in solvers().into_iter().take(4) {
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
        }
    });
}

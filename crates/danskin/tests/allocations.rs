//! An inner step allocates nothing: 60 steps allocate as often as 30, in every solver, rule and linear solver.

use allocation_counter::measure;
use danskin::prelude::*;
use danskin::testing::random;

/// How often `work` allocates at 30 and at 60 steps, its buffers taken once before.
fn allocations(work: impl FnMut(usize, &mut Ctx)) -> [u64; 2] {
    allocations_at([30, 60], work)
}

fn allocations_at(steps: [usize; 2], mut work: impl FnMut(usize, &mut Ctx)) -> [u64; 2] {
    let mut ctx = Ctx::new();
    work(steps[1], &mut ctx);
    steps.map(|steps| measure(|| work(steps, &mut ctx)).count_total)
}

#[test]
fn steps_allocate_nothing() {
    // Small enough for one piece of D: a pass then runs on this thread, whose allocations are counted.
    for (n, m) in [(60, 20), (20, 60)] {
        let glm = || Glm::new(random::design(n, m, 5, 1), Logistic, 0.01).unwrap();
        for wrt in Wrt::ALL {
            let (problem, x) = glm().wrt(wrt, random::labels(n, 2)).unwrap();
            unrolled(&problem, &x, &GradientDescent::default());
            unrolled(&problem, &x, &GradientDescent::new(StepSize::Fixed(0.05)));
            unrolled(&problem, &x, &Nesterov::default());
            unrolled(&problem, &x, &HeavyBall::default());
            unrolled(&problem, &x, &Backtracking::default());
            // Its pairs of changes are there after ten steps.
            steps(&problem, &x, &Lbfgs::default());
            newton(&problem, &x, &Newton::new(Cg::default()));
            let sparse = SparseGlm::new(random::design(n, m, 5, 1), Logistic, 0.05).unwrap().elastic(0.8).unwrap();
            let (problem, x) = sparse.wrt(wrt, random::labels(n, 2)).unwrap();
            unrolled(&problem, &x, &Ista::default());
            unrolled(&problem, &x, &Fista::default());
            unrolled(&problem, &x, &CoordinateDescent::default());
        }
        let classes = Multinomial::new(3).unwrap();
        let targets = classes.targets(&(0..n).map(|i| i % 3).collect::<Vec<_>>());
        let problem = Glm::new(random::design(n, m, 5, 1), classes, 0.01).unwrap();
        unrolled(&problem, &targets, &GradientDescent::default());
        conjugate_gradient(&glm(), &random::labels(n, 2));
    }
}

fn steps<P: Objective, S: Solver<P>>(problem: &P, x: &[f64], solver: &S) {
    let solve = |steps| Solve::new(problem, solver, x).stop(Stop::steps(steps));
    let [few, many] = allocations(|steps, ctx| drop(solve(steps).run_in(ctx).unwrap()));
    assert_eq!(few, many, "a step");
}

/// Few steps: it converges in ten or so, and stalls.
fn newton<P: Problem>(problem: &P, x: &[f64], solver: &Newton<Cg>) {
    let solve = |steps| Solve::new(problem, solver, x).stop(Stop::steps(steps));
    let [few, many] = allocations_at([2, 4], |steps, ctx| {
        let solution = solve(steps).run_in(ctx).unwrap();
        assert_eq!(solution.steps(), steps);
    });
    assert_eq!(few, many, "a step of Newton's method");
}

fn unrolled<P: Objective, S: Replay<P>>(problem: &P, x: &[f64], solver: &S) {
    steps(problem, x, solver);
    let solve = |steps| Solve::new(problem, solver, x).stop(Stop::steps(steps));
    // A tape of this size is one chunk.
    let [few, many] = allocations(|steps, ctx| drop(solve(steps).record(Tape::new()).run_in(ctx).unwrap()));
    assert_eq!(few, many, "a recorded step");
    let directions = vec![random::vector(x.len(), 3)];
    let [few, many] = allocations(|steps, ctx| {
        drop(solve(steps).record(Tangents::along(directions.clone())).run_in(ctx).unwrap());
    });
    assert_eq!(few, many, "a step forward");
    let [few, many] = [30, 60].map(|steps| {
        let (taped, mut ctx) = (solve(steps).record(Tape::new()).run().unwrap(), Ctx::new());
        drop(taped.gradient_in(&Envelope, &Automatic, &mut ctx).unwrap());
        measure(|| drop(taped.gradient_in(&Envelope, &Automatic, &mut ctx).unwrap())).count_total
    });
    assert_eq!(few, many, "a step of the reverse pass");
    // Two checkpoints and a record beside z_0, or fewer of one and more of the other: either number of steps needs checkpoints,
    // and most are taken again several times. Backtracking stalls when it is done.
    let most = solve(300).run().unwrap().steps();
    let steps = [most / 2, most];
    let numbers = 3 * solver.checkpoint_len(problem) + solver.record_len(problem);
    let checkpoints = || Checkpoints::within(danskin::ctx::bytes_of(numbers));
    for known in [true, false] {
        let solve = |steps| {
            let stop = if known { Stop::steps(steps) } else { Stop::tolerance(0.0).within(steps) };
            Solve::new(problem, solver, x).stop(stop).record(checkpoints())
        };
        let [few, many] = allocations_at(steps, |steps, ctx| drop(solve(steps).run_in(ctx).unwrap()));
        assert_eq!(few, many, "a step between checkpoints");
        let [few, many] = allocations_at(steps, |steps, ctx| {
            let solution = solve(steps).run_in(ctx).unwrap();
            drop(solution.gradient_in(&Envelope, &Automatic, ctx).unwrap());
        });
        assert_eq!(few, many, "a step taken again");
    }
}

fn conjugate_gradient<P: Problem>(problem: &P, x: &[f64]) {
    let solver = GradientDescent::default();
    let solution = Solve::new(problem, &solver, x).stop(Stop::steps(5)).run().unwrap();
    let [few, many] = allocations(|iterations, ctx| {
        let implicit = Implicit::new(Cg::within(iterations / 5)).tolerance(0.0);
        drop(solution.gradient_in(&Envelope, &implicit, ctx).unwrap());
    });
    assert_eq!(few, many, "an iteration of conjugate gradient");
}

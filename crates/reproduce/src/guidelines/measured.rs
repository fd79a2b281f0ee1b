//! What is measured: gradients of each instance, by each solver in each way.

use std::collections::BTreeSet;
use std::sync::Arc;

use danskin::adaptive::{Accuracy, Adaptive};
use danskin::ctx::Ctx;
use danskin::data::Shipped;
use danskin::prelude::*;
use danskin::solve::Recorder;
use danskin::vector::{distance, norm};
use danskin_bench::choice::{AnyProblem, Linear as Solved, LinearMethod, Preconditioning, SolverKind};
use danskin_bench::halves;

use super::{BUDGET, Chosen, IMPLICIT, LAST, Of, RESIDUALS, Reading, Run, SOME, WANTED, Way};
use crate::experiment::{Failure, Size};
use crate::random::Random;

/// n and m of normal designs.
const SHAPES: [(usize, usize); 3] = [(40, 160), (80, 80), (160, 40)];
/// L / lambda.
const CONDITIONS: [f64; 2] = [100.0, 1000.0];
/// Rows or columns up to which a Hessian is factorised.
const FACTORISED: usize = 500;

/// Where D and the targets come from.
#[derive(Clone, Copy, Debug)]
enum Data {
    /// Of n rows, and as many held out, and m columns.
    Normal(usize, usize),
    Shipped(&'static str),
}

/// An instance to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    data: Data,
    is_ridge: bool,
    /// L / lambda.
    condition: f64,
}

/// Every instance, those that take longest first.
pub(super) fn cases(size: Size) -> Vec<Case> {
    let times = size.pick(1, 4);
    let real = [("debian_small", 100.0), ("digits", 100.0), ("digits", 1000.0)];
    let real = real.map(|(name, condition)| Case { data: Data::Shipped(name), is_ridge: false, condition });
    let normal = [false, true].into_iter().flat_map(|is_ridge| {
        let shapes = CONDITIONS.into_iter().flat_map(|condition| SHAPES.map(|shape| (condition, shape)));
        shapes.map(move |(condition, (n, m))| Case { data: Data::Normal(times * n, times * m), is_ridge, condition })
    });
    real.into_iter().chain(normal).collect()
}

/// T, so that with each its double is there, and, of `SOME`, half as many again.
pub(super) fn steps() -> Vec<usize> {
    let powers = (0..).map(|k| 1 << k).take_while(|t| *t <= LAST);
    powers.flat_map(|t| [t, t + t / 2]).filter(|t| *t <= LAST).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The same closer together, as L-BFGS takes few.
fn close_steps() -> Vec<usize> {
    let close = (0..).map(|k| 1.15_f64.powi(k).round() as usize).take_while(|t| *t <= LAST / 8);
    close.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Every second row of D with its target, from the first one on and from the second one on.
fn split(design: &Design, targets: &[f64]) -> [(Design, Vec<f64>); 2] {
    [0, 1].map(|first| {
        let kept: Vec<f64> = targets.iter().skip(first).step_by(2).copied().collect();
        let (rows, columns, mut entries) = (kept.len(), design.columns(), Vec::new());
        design.for_each_entry(|i, j, value| {
            if i % 2 == first {
                entries.push((i / 2, j, value));
            }
        });
        let design = if design.is_dense() {
            Design::dense(rows, columns, entries.into_iter().map(|(.., value)| value).collect())
        } else {
            Design::from_triplets(rows, columns, &entries)
        };
        (design.expect("some rows of a design are one"), kept)
    })
}

/// L at L / lambda = `condition`, and 1/L.
fn problem<L: Loss + Copy + 'static>(
    loss: L,
    (design, x): (Design, &[f64]),
    condition: f64,
    ctx: &mut Ctx,
) -> (Box<AnyProblem>, f64) {
    let design = Arc::new(design);
    let zeros = vec![0.0; design.columns()];
    let with = |lambda: f64| Glm::new(Arc::clone(&design), loss, lambda).expect("lambda is above 0");
    let smoothness =
        with(1.0).loss_smoothness(Point::new(&zeros, x), ctx).expect("these losses have bounded curvature");
    let lambda = smoothness / (condition - 1.0);
    (Box::new(with(lambda)), (smoothness + lambda).recip())
}

impl Case {
    fn name(self) -> String {
        let data = match self.data {
            Data::Normal(..) => "normal",
            Data::Shipped(name) => name,
        };
        format!("{data}{}", if self.is_ridge { ", ridge" } else { "" })
    }

    /// D and the targets of all rows.
    fn data(self) -> (Design, Vec<f64>) {
        match self.data {
            Data::Normal(n, m) => {
                let mut random = Random::new((n + m) as u64);
                let (design, planted, mut targets) = (random.design(2 * n, m), random.normal(m), random.normal(2 * n));
                design.for_each_entry(|i, j, value| targets[i] += value * planted[j] / (m as f64).sqrt());
                let sign = |target: f64| if self.is_ridge { target } else { 1.0_f64.copysign(target) };
                (design, targets.into_iter().map(sign).collect())
            }
            Data::Shipped(name) => {
                let set = Shipped::find(name).expect("it is shipped").load().expect("what is shipped can be read");
                let targets = halves(&set.labels.expect("it has labels"));
                (set.design, targets)
            }
        }
    }

    pub(super) fn run(self, ctx: &mut Ctx) -> Result<Run, Failure> {
        let (design, targets) = self.data();
        let [(design, x), (held, targets)] = split(&design, &targets);
        let (n, m, entries) = (design.rows(), design.columns(), design.entries());
        let mut of = |design, x| match self.is_ridge {
            true => problem(Squared, (design, x), self.condition, ctx),
            false => problem(Logistic, (design, x), self.condition, ctx),
        };
        let ((problem, step), (held, _)) = (of(design, &x), of(held, &targets));
        let held = HeldOut::new(held.as_ref(), &targets)?;
        let exact = exact(problem.as_ref(), &x, &held, ctx)?;
        let (name, condition, is_ridge) = (self.name(), self.condition, self.is_ridge);
        let (readings, chosen, apart, shifted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut run = Run { name, n, m, entries, condition, is_ridge, readings, chosen, apart, shifted };
        let instance = Instance { problem: problem.as_ref(), x: &x, step, held, exact };
        run.gradient_descent(&instance, ctx)?;
        run.others(&instance, ctx)?;
        Ok(run)
    }
}

/// What gradients are taken of, and what they are at z*.
struct Instance<'a> {
    problem: &'a AnyProblem,
    x: &'a [f64],
    /// 1/L.
    step: f64,
    held: HeldOut<'a, AnyProblem>,
    /// g* for each of `Of`.
    exact: [Vec<f64>; 2],
}

impl Run {
    fn gradient_descent(&mut self, instance: &Instance<'_>, ctx: &mut Ctx) -> Result<(), Failure> {
        let (solver, size) = (GradientDescent::new(StepSize::Fixed(instance.step)), norm(&instance.exact[0]));
        let solve = || Solve::new(instance.problem, &solver, instance.x);
        let mut solution = solve().stop(Stop::steps(0)).record(Tape::new()).run_in(ctx)?;
        let (mut analytic, mut automatic) = (Vec::new(), Vec::new());
        for t in steps() {
            solution.resume(Stop::steps(t), ctx)?;
            let mut read =
                Read { by: SolverKind::GradientDescent, solution: &solution, instance, readings: &mut self.readings };
            analytic.push((t, read.envelope(Way::Analytic, &Analytic, ctx)?));
            if 2 * t <= LAST {
                automatic.push((t, read.envelope(Way::Tape, &Automatic, ctx)?));
                read.held_out(Way::Tape, &Automatic, ctx)?;
            }
            read.implicit((self.n, self.m), ctx)?;
        }
        let after = |t: usize| analytic.iter().find(|(steps, _)| *steps == t).map(|(_, g1)| g1);
        for (t, g2) in &automatic {
            self.shifted.extend(after(2 * t).map(|g1| distance(g2, g1) / size));
        }
        for t in SOME {
            let solve = || solve().stop(Stop::steps(t));
            let solution = solve().record(Checkpoints::within((8 * BUDGET * self.m) as u64)).run_in(ctx)?;
            let mut read =
                Read { by: SolverKind::GradientDescent, solution: &solution, instance, readings: &mut self.readings };
            let g2 = read.envelope(Way::Checkpoints, &Automatic, ctx)?;
            let schedule = solution.recorder().schedule();
            if let Some(reading) = self.readings.last_mut() {
                reading.division = Some((schedule.checkpoints(), schedule.records()));
            }
            let taped = automatic.iter().find(|(steps, _)| *steps == t);
            self.apart.extend(taped.map(|(_, taped)| distance(&g2, taped) / size));

            let solution = solve().record(Tape::last(t / 2)).run_in(ctx)?;
            let mut read =
                Read { by: SolverKind::GradientDescent, solution: &solution, instance, readings: &mut self.readings };
            let truncated = read.envelope(Way::Truncated, &Automatic, ctx)?;
            self.shifted.extend(after(t + t / 2).map(|g1| distance(&truncated, g1) / size));
        }
        Ok(())
    }

    /// The solvers that take fewer steps.
    fn others(&mut self, instance: &Instance<'_>, ctx: &mut Ctx) -> Result<(), Failure> {
        let Instance { problem, x, step, ref exact, .. } = *instance;
        let nesterov = Nesterov::new(StepSize::Fixed(step));
        let mut solution = Solve::new(problem, &nesterov, x).stop(Stop::steps(0)).record(Tape::new()).run_in(ctx)?;
        for t in steps().into_iter().filter(|t| 2 * t <= LAST) {
            solution.resume(Stop::steps(t), ctx)?;
            let mut read =
                Read { by: SolverKind::Nesterov, solution: &solution, instance, readings: &mut self.readings };
            read.envelope(Way::Tape, &Automatic, ctx)?;
            read.held_out(Way::Tape, &Automatic, ctx)?;
        }
        let lbfgs = Lbfgs::default();
        let mut solution = Solve::new(problem, &lbfgs, x).stop(Stop::steps(0)).run_in(ctx)?;
        for t in close_steps() {
            solution.resume(Stop::steps(t), ctx)?;
            let mut read = Read { by: SolverKind::Lbfgs, solution: &solution, instance, readings: &mut self.readings };
            read.envelope(Way::Analytic, &Analytic, ctx)?;
            read.implicit((self.n, self.m), ctx)?;
            let closest = |of: Of, ways: &[Way]| {
                let here = self.readings.iter().filter(|one| one.by == SolverKind::Lbfgs && one.of == of && one.t == t);
                here.filter(|one| ways.contains(&one.way)).map(|one| one.error).fold(f64::INFINITY, f64::min)
            };
            let error = closest(Of::Itself, &[Way::Analytic]).max(closest(Of::HeldOut, IMPLICIT));
            // All that is asked for has been met.
            if error <= WANTED[WANTED.len() - 1] || solution.status() == Status::Stalled {
                break;
            }
        }
        for wanted in WANTED {
            let found = Adaptive::new(Accuracy::Relative(wanted)).gradient_in(problem, x, None, ctx)?;
            let size = norm(&exact[0]);
            let error = distance(&found.gradient.value, &exact[0]) / size;
            let [bound, rounding] = found.gradient.certificate.map_or([f64::NAN; 2], |certificate| {
                [certificate.bound, certificate.parts.rounding].map(|part| part / size)
            });
            self.chosen.push(Chosen {
                wanted,
                ended: found.outcome,
                passes: found.cost.passes,
                error,
                bound,
                rounding,
            });
        }
        Ok(())
    }
}

fn linear(method: LinearMethod) -> Implicit<Solved> {
    Implicit::new(Solved { method, preconditioner: Preconditioning::None })
}

/// g* for f = L and for f = `held`.
fn exact(
    problem: &AnyProblem,
    x: &[f64],
    held: &HeldOut<'_, AnyProblem>,
    ctx: &mut Ctx,
) -> Result<[Vec<f64>; 2], Failure> {
    let newton = Newton::new(Cg::default());
    let solution = Solve::new(problem, &newton, x).stop(Stop::tolerance(1e-14).within(100)).run_in(ctx)?;
    let implicit = linear(LinearMethod::Cg).tolerance(1e-14);
    Ok([solution.gradient_in(&Envelope, &implicit, ctx)?.value, solution.gradient_in(held, &implicit, ctx)?.value])
}

/// Takes readings at z_T.
struct Read<'a, 'b, S: Solver<AnyProblem>, R> {
    by: SolverKind,
    solution: &'a Solution<'b, AnyProblem, S, R>,
    instance: &'a Instance<'b>,
    readings: &'a mut Vec<Reading>,
}

impl<'b, S: Solver<AnyProblem>, R: Recorder<AnyProblem, S>> Read<'_, 'b, S, R> {
    /// The gradient where f = L.
    fn envelope<E>(&mut self, way: Way, estimator: &E, ctx: &mut Ctx) -> Result<Vec<f64>, Failure>
    where
        E: Estimator<AnyProblem, S, R>,
    {
        self.of((way, Of::Itself), &Envelope, estimator, ctx)
    }

    /// That of the other f.
    fn held_out<E>(&mut self, way: Way, estimator: &E, ctx: &mut Ctx) -> Result<(), Failure>
    where
        E: Estimator<AnyProblem, S, R, HeldOut<'b, AnyProblem>>,
    {
        self.of((way, Of::HeldOut), &self.instance.held.clone(), estimator, ctx).map(drop)
    }

    /// g3 in every way, D of n rows and m columns.
    fn implicit(&mut self, (n, m): (usize, usize), ctx: &mut Ctx) -> Result<(), Failure> {
        let cg = (0..RESIDUALS.len()).map(|k| (Way::Cg(k), linear(LinearMethod::Cg).tolerance(RESIDUALS[k])));
        let cholesky = linear(if n < m { LinearMethod::Dual } else { LinearMethod::Dense });
        let cholesky = (n.min(m) <= FACTORISED).then_some((Way::Cholesky, cholesky));
        for (way, implicit) in cg.chain(cholesky) {
            self.envelope(way, &implicit, ctx)?;
            self.held_out(way, &implicit, ctx)?;
        }
        Ok(())
    }

    fn of<F, E>(&mut self, (way, of): (Way, Of), outer: &F, estimator: &E, ctx: &mut Ctx) -> Result<Vec<f64>, Failure>
    where
        F: Outer<AnyProblem>,
        E: Estimator<AnyProblem, S, R, F>,
    {
        let is_recorded = matches!(way, Way::Tape | Way::Checkpoints | Way::Truncated);
        let recorded = || if is_recorded { self.solution.recorder().cost().peak_bytes } else { 0 };
        // A reverse pass over checkpoints adds to what is held, which is in its own cost.
        let before = recorded();
        let gradient = self.solution.gradient_in(outer, estimator, ctx)?;
        let exact = &self.instance.exact[of as usize];
        let reading = Reading {
            by: self.by,
            way,
            of,
            t: self.solution.steps(),
            of_z: self.solution.cost_of_z().passes,
            seconds_of_z: self.solution.cost_of_z().seconds,
            passes: gradient.cost.passes,
            bytes: before + gradient.cost.peak_bytes,
            seconds: gradient.cost.seconds,
            recorded: recorded(),
            error: distance(&gradient.value, exact) / norm(exact),
            iterations: gradient.linear.map(|linear| linear.iterations),
            restarts: gradient.linear.map(|linear| linear.restarts),
            division: None,
        };
        self.readings.push(reading);
        Ok(gradient.value)
    }
}

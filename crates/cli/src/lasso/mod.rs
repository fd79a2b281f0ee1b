//! `danskin lasso`.

mod args;
mod report;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, ensure};
use danskin::ctx::{Cost, Ctx};
use danskin::design::Design;
use danskin::estimator::EstimateError;
use danskin::prelude::*;
use danskin::problem::Problem as _;
use danskin::sparse::{ActiveState, PathError, PathPoint, factor_to_zero, factors, path};
use danskin::vector::norm;
use danskin_bench::choice::EstimatorKind;
use danskin_bench::report::{EstimateReport, SCHEMA, csv_of, message};
use danskin_data::{Dataset, write_vector};

use self::report::{Coefficient, KinksReport, LassoReport, PathReport, SweepsReport, plot};
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::gradient::certified;
use crate::input::{Given, read_design, read_vector_of, scalar_targets};
use crate::output::{Folder, print};
use crate::progress;

pub(crate) use args::{LassoArgs, Method};

pub(crate) fn run(args: &LassoArgs, quiet: bool) -> Result<ExitCode, Failure> {
    if args.problem.targets() == Targets::Classes {
        let message = anyhow!("--problem {}: expected a loss of one prediction a row, not of several", args.problem);
        return Err(Failure::Input(message));
    }
    let mut ctx = progress::context(quiet);
    let data = Data::read(args).map_err(Failure::Input)?;
    progress::check_interrupt()?;
    args.problem.visit(1, Run { args, data, quiet, ctx: &mut ctx }).map_err(|error| Failure::Input(error.into()))?
}

/// Rows to be fitted, and those to be judged by.
struct Data {
    design: Design,
    y: Vec<f64>,
    validation: Option<(Design, Vec<f64>)>,
}

impl Data {
    fn read(args: &LassoArgs) -> anyhow::Result<Self> {
        let Dataset { design, labels } = read_design(&args.design, &args.reading)?;
        progress::watch_for_interrupts();
        let signal = |path: &Path, flag, file: Option<&Path>, design: &Design, labels| {
            let given = Given { flag, file, positive: args.positive };
            scalar_targets(args.problem, path, design, labels, given, &args.reading)
        };
        let y = signal(&args.design, "--target", args.target.as_deref(), &design, labels)?;
        let validation = match &args.validation_design {
            Some(path) => {
                let Dataset { design: held_out, labels } = read_design(path, &args.reading)?;
                ensure!(
                    held_out.columns() == design.columns(),
                    "{}: {} columns, expected the {} of --design (--columns M says how many there are)",
                    path.display(),
                    held_out.columns(),
                    design.columns()
                );
                let y = signal(path, "--validation-target", args.validation_target.as_deref(), &held_out, labels)?;
                Some((with_ones(held_out, args.intercept)?, y))
            }
            None => None,
        };
        Ok(Self { design: with_ones(design, args.intercept)?, y, validation })
    }
}

/// `design`, with a column of ones after the others where there is an intercept.
fn with_ones(design: Design, intercept: bool) -> anyhow::Result<Design> {
    if !intercept {
        return Ok(design);
    }
    let (n, m) = (design.rows(), design.columns());
    if design.is_dense() {
        let mut values = Vec::with_capacity(n * (m + 1));
        for row in design.values().chunks(m.max(1)).take(n) {
            values.extend_from_slice(row);
            values.push(1.0);
        }
        if m == 0 {
            values = vec![1.0; n];
        }
        return Ok(Design::dense(n, m + 1, values)?);
    }
    let mut triplets = Vec::with_capacity(design.entries() + n);
    design.for_each_entry(|row, column, value| triplets.push((row, column, value)));
    triplets.extend((0..n).map(|row| (row, m, 1.0)));
    Ok(Design::from_triplets(n, m + 1, &triplets)?)
}

struct Run<'a> {
    args: &'a LassoArgs,
    data: Data,
    quiet: bool,
    ctx: &'a mut Ctx,
}

impl LossVisitor for Run<'_> {
    type Output = Result<ExitCode, Failure>;

    fn visit<L: NamedLoss>(self, loss: L) -> Self::Output {
        match loss.as_scalar() {
            Some(loss) => self.run(loss),
            None => Err(Failure::Input(anyhow!("--problem {}: it has no one prediction a row", self.args.problem))),
        }
    }
}

/// Any loss of one prediction a row.
type Problem<'a> = SparseGlm<&'a dyn Loss>;

/// What was found, and by what it is to be differentiated.
struct Found {
    z: Vec<f64>,
    status: Status,
    steps: usize,
    /// `None` where none is known.
    gap: Option<f64>,
    cost: Cost,
    /// Seconds of that in which D was laid out by columns.
    columns: f64,
    /// Those that the automatic estimator went through, where they are not the steps that led to z.
    sweeps: Option<SweepsReport>,
    gradients: Vec<(EstimatorKind, Result<Gradient, EstimateError>)>,
}

impl Run<'_> {
    fn run(mut self, loss: &dyn Loss) -> Result<ExitCode, Failure> {
        let args = self.args;
        let (unit, ones) = self.problem_at_one(loss).map_err(Failure::Input)?;
        let kinds = self.kinds()?;
        let folder = Folder::open(&args.output)?;
        let outdated = |failure: Failure| {
            let files = EstimatorKind::ALL.iter().map(|kind| format!("{kind}.npy"));
            folder.without_results(failure, files.chain(["z.npy"].into_iter().chain(OF_PATHS).map(str::to_owned)))
        };
        let lambda_max = factor_to_zero(&unit, &ones, self.ctx);
        progress::check_interrupt()?;
        let lambda_max = lambda_max.map_err(|error| outdated(error.into()))?;
        let lambda = self.lambda(lambda_max).map_err(Failure::Input)?;
        let (problem, x) = unit
            .scaled(lambda)
            .and_then(|problem| problem.wrt(args.wrt, self.data.y.clone()))
            .map_err(|error| Failure::Input(anyhow::Error::new(error).context("--wrt")))?;
        let start = vec![0.0; problem.latent_len()];
        let scale = problem.value(Point::new(&start, &x), self.ctx).abs();
        let solved = self.path(&unit, &ones, (lambda, lambda_max));
        let solved = solved.and_then(|path| Ok((path, self.solve(&problem, &x, &kinds, scale)?)));
        let (path, found) = solved.map_err(outdated)?;
        self.write(&folder, &problem, &x, &found, (lambda, lambda_max, scale), path)
    }

    /// The problem with a lambda of 1, and the targets, its x.
    fn problem_at_one<'a>(&self, loss: &'a dyn Loss) -> anyhow::Result<(Problem<'a>, Vec<f64>)> {
        let (args, data) = (self.args, &self.data);
        let mut problem = SparseGlm::new(data.design.clone(), loss, 1.0)?.elastic(args.l1_ratio)?;
        if args.nonnegative {
            problem = problem.nonnegative();
        }
        let features = data.design.columns() - usize::from(args.intercept);
        let mut factors = vec![1.0; features];
        if let Some(file) = &args.penalty_weights {
            factors = read_vector_of(file, &args.reading, "design's columns", features)?;
            if let Some(column) = factors.iter().position(|factor| *factor < 0.0) {
                let found = factors[column];
                return Err(anyhow!(
                    "{}: entry {column} (from 0) is {found}, expected a number at least 0",
                    file.display()
                ));
            }
        }
        let own = args.per_feature || args.penalty_weights.is_some();
        if own || args.intercept {
            let mut lambdas = if own { Vec::new() } else { vec![1.0] };
            let mut groups = Vec::with_capacity(features + 1);
            for (column, factor) in factors.into_iter().enumerate() {
                // A free column has no bound either.
                let is_free = factor == 0.0 && !args.nonnegative;
                ensure!(
                    factor > 0.0 || is_free || args.wrt != Wrt::Regularisation,
                    "--penalty-weights: entry {column} (from 0) is 0 and has no logarithm, and with --nonnegative its column is not free"
                );
                // No design has more columns than an index can name.
                groups.push(if !own {
                    0
                } else if is_free {
                    FREE
                } else {
                    lambdas.len() as u32
                });
                if own && !is_free {
                    lambdas.push(factor);
                }
            }
            groups.extend(args.intercept.then_some(FREE));
            problem = problem.grouped(lambdas, groups)?;
        }
        if let Some(file) = &args.weights {
            let weights = read_vector_of(file, &args.reading, "design's rows", data.design.rows())?;
            problem = problem.weighted(weights).with_context(|| file.display().to_string())?;
        }
        ensure!(args.per_feature <= (args.wrt == Wrt::Regularisation), "--per-feature is for --wrt regularisation");
        Ok((problem, data.y.clone()))
    }

    fn lambda(&self, lambda_max: f64) -> anyhow::Result<f64> {
        let lambda = match (self.args.lambda, self.args.lambda_ratio) {
            (Some(lambda), _) => lambda,
            (None, ratio) => ratio.unwrap_or(1.0) * lambda_max,
        };
        ensure!(
            self.args.lambda.is_some() || lambda_max > 0.0,
            "--lambda-ratio: lambda_max is 0, as no column with a penalty has a slope that would move it from 0: give --lambda"
        );
        ensure!(lambda.is_finite(), "lambda is {lambda}: lambda_max is {lambda_max}, give --lambda");
        ensure!(
            lambda > 0.0 || self.args.wrt != Wrt::Regularisation,
            "--wrt regularisation: lambda is 0 and has no logarithm"
        );
        Ok(lambda)
    }

    /// The path down to lambda, if one is asked for.
    fn path(
        &mut self,
        unit: &Problem<'_>,
        x: &[f64],
        (lambda, lambda_max): (f64, f64),
    ) -> Result<(Vec<PathReport>, Vec<Coefficient>), Failure> {
        let (mut points, mut coefficients) = (Vec::new(), Vec::new());
        let Some(count) = self.args.path else { return Ok((points, coefficients)) };
        if !(lambda > 0.0 && lambda_max > 0.0) {
            return Err(Failure::Input(anyhow!(
                "--path from lambda_max = {lambda_max} down to {lambda}: both must be above 0"
            )));
        }
        let features = self.data.design.columns() - usize::from(self.args.intercept);
        let ratio = lambda_max / lambda;
        if !(1.0..f64::INFINITY).contains(&ratio) {
            let message = anyhow!(
                "--path from lambda_max = {lambda_max:e} down to lambda = {lambda:e}: {ratio:e} times as much, expected a finite \
                 number of at least 1"
            );
            return Err(Failure::Input(message));
        }
        let lambdas: Vec<f64> = factors(ratio, count as usize).iter().map(|factor| factor * lambda).collect();
        let mut each = |point: PathPoint<'_>| {
            let z = &point.z[..features];
            points.push(PathReport {
                lambda: point.factor,
                objective: point.value,
                gap: point.residual_is_gap.then_some(point.residual),
                support: z.iter().filter(|z| **z != 0.0).count(),
                converged: point.converged,
                seconds: point.seconds,
            });
            for (column, &z) in z.iter().enumerate().filter(|(_, z)| **z != 0.0) {
                coefficients.push(Coefficient { lambda: point.factor, column, z });
            }
            ControlFlow::Continue(())
        };
        let walked = path(unit, x, &lambdas, self.args.tolerance, &mut each, self.ctx);
        progress::check_interrupt()?;
        walked?;
        Ok((points, coefficients))
    }

    fn solve(
        &mut self,
        problem: &Problem<'_>,
        x: &[f64],
        kinds: &[EstimatorKind],
        scale: f64,
    ) -> Result<Found, Failure> {
        let automatic = kinds.contains(&EstimatorKind::Automatic);
        let target = self.args.tolerance * scale;
        let found = match self.args.method {
            Method::Cd => {
                let mut found = self.solve_by(
                    problem,
                    x,
                    &ActiveSet::to_gap(target),
                    kinds,
                    (target, ActiveState::seconds_of_columns),
                )?;
                if automatic {
                    // The sweeps that are differentiated are plain ones, over all coordinates.
                    let (by_sweeps, sweeps) = self.automatic(problem, x, &CoordinateDescent::default(), target)?;
                    found.gradients.push((EstimatorKind::Automatic, by_sweeps));
                    found.sweeps = Some(sweeps);
                }
                found
            }
            Method::Ista => self.solve_unrolled(problem, x, &Ista::default(), kinds, target)?,
            Method::Fista => self.solve_unrolled(problem, x, &Fista::default(), kinds, target)?,
        };
        progress::check_interrupt()?;
        // Slopes vanish along a direction without an end, and what looks converged is not.
        if found.status != Status::Diverged && problem.smooth().falls_along(Point::new(&found.z, x), self.ctx).is_some()
        {
            return Err(PathError::Unbounded.into());
        }
        Ok(found)
    }

    /// The estimators asked for, as far as they suit what is differentiated.
    fn kinds(&self) -> Result<Vec<EstimatorKind>, Failure> {
        let Some(asked) = &self.args.estimator else { return Ok(Vec::new()) };
        if asked.is_auto() {
            return Err(Failure::Input(anyhow!("--estimator auto is for danskin gradient")));
        }
        let held_out = self.data.validation.is_some();
        let is_named = self.args.estimator.as_ref().is_some_and(|asked| asked.kinds().len() < EstimatorKind::ALL.len());
        if held_out && is_named && asked.kinds().contains(&EstimatorKind::Analytic) {
            return Err(Failure::Input(anyhow!(
                "--estimator analytic is for L alone: of --validation-design take automatic or implicit"
            )));
        }
        Ok(asked.kinds().iter().copied().filter(|kind| !held_out || *kind != EstimatorKind::Analytic).collect())
    }

    fn solve_by<'a, S: Solver<Problem<'a>>>(
        &mut self,
        problem: &Problem<'a>,
        x: &[f64],
        solver: &S,
        kinds: &[EstimatorKind],
        (target, columns): (f64, fn(&S::State) -> f64),
    ) -> Result<Found, Failure> {
        let mut solution = Solve::new(problem, solver, x).stop(Stop::steps(0)).run_in(self.ctx)?;
        let (initial, is_gap) = (solution.residual(), solution.state().residual_is_gap());
        // Where residuals are gaps, at a gap of `target`.
        let tolerance = if is_gap && initial > 0.0 { target / initial } else { self.args.tolerance };
        solution.resume(Stop::tolerance(tolerance).within(self.args.iterations), self.ctx)?;
        let mut gradients = Vec::new();
        for &kind in kinds {
            let found = match kind {
                EstimatorKind::Analytic => solution.gradient_in(&Envelope, &ByGap(Analytic), self.ctx),
                EstimatorKind::Implicit => {
                    self.with_outer(|outer, ctx| solution.gradient_in(outer, &implicit(), ctx))?
                }
                EstimatorKind::Automatic => continue,
            };
            gradients.push((kind, found));
        }
        Ok(Found {
            z: solution.z().to_vec(),
            status: solution.status(),
            steps: solution.steps(),
            gap: solution.state().residual_is_gap().then(|| solution.residual()),
            cost: solution.cost(),
            columns: columns(solution.state()),
            sweeps: None,
            gradients,
        })
    }

    fn solve_unrolled<'a, S: Replay<Problem<'a>>>(
        &mut self,
        problem: &Problem<'a>,
        x: &[f64],
        solver: &S,
        kinds: &[EstimatorKind],
        target: f64,
    ) -> Result<Found, Failure> {
        let mut found = self.solve_by(problem, x, solver, kinds, (target, |_| 0.0))?;
        if kinds.contains(&EstimatorKind::Automatic) {
            let solve = Solve::new(problem, solver, x).stop(Stop::steps(found.steps));
            let solution = solve.record(Checkpoints::within(TAPE)).run_in(self.ctx)?;
            let gradient = self.with_outer(|outer, ctx| solution.gradient_in(outer, &ByGap(Automatic), ctx))?;
            found.gradients.push((EstimatorKind::Automatic, gradient));
        }
        Ok(found)
    }

    /// g2 through sweeps, as many as the gap takes to fall to `target`.
    fn automatic<'a>(
        &mut self,
        problem: &Problem<'a>,
        x: &[f64],
        solver: &CoordinateDescent,
        target: f64,
    ) -> Result<(Result<Gradient, EstimateError>, SweepsReport), Failure> {
        let mut solution = Solve::new(problem, solver, x).stop(Stop::steps(0)).run_in(self.ctx)?;
        // Where no gap is known, how far a sweep moves, of how far the first would.
        let first = self.args.tolerance * solution.residual();
        let (mut sweeps, mut converged, mut gradient) = (1, false, vec![0.0; problem.latent_len()]);
        let mut memo = vec![0.0; problem.memo_len()];
        while sweeps <= self.args.iterations {
            solution.resume(Stop::steps(sweeps), self.ctx)?;
            progress::check_interrupt()?;
            problem.smooth().grad_z(solution.z(), x, &mut gradient, &mut memo, self.ctx);
            let at = Point { z: solution.z(), x, memo: &memo, grad_z: &gradient };
            let gap = problem.gap(at, at);
            converged = gap.map_or(solution.residual() <= first, |gap| gap <= target);
            if converged || !solution.residual().is_finite() {
                break;
            }
            sweeps = (sweeps + 1 + sweeps / 8).min(self.args.iterations.max(sweeps + 1));
        }
        let steps = solution.steps();
        drop(solution);
        let sweeps = SweepsReport { count: steps, converged };
        let solve = Solve::new(problem, solver, x).stop(Stop::steps(steps)).record(Checkpoints::within(TAPE));
        let solution = solve.run_in(self.ctx)?;
        let gradient = self.with_outer(|outer, ctx| solution.gradient_in(outer, &ByGap(Automatic), ctx))?;
        Ok((gradient, sweeps))
    }

    /// Numbers of the entries of D, those of the column of ones left out; of anything else all of them.
    fn without_ones(&self, problem: &Problem<'_>, values: &[f64]) -> Vec<f64> {
        if !(self.args.intercept && problem.is_of_design()) {
            return values.to_vec();
        }
        let (last, mut kept, mut next) = (problem.design().columns() - 1, Vec::with_capacity(values.len()), 0);
        problem.design().for_each_entry(|_, column, _| {
            if column != last {
                kept.push(values[next]);
            }
            next += 1;
        });
        kept
    }

    /// Calls `estimate` with the outer function: L, or the losses of the validation rows.
    fn with_outer<'a, T>(
        &mut self,
        estimate: impl FnOnce(&dyn Outer<Problem<'a>>, &mut Ctx) -> T,
    ) -> Result<T, Failure> {
        let Some((design, y)) = &self.data.validation else { return Ok(estimate(&Envelope, self.ctx)) };
        struct Judge<'b, 'a, T, E> {
            design: &'b Design,
            y: &'b [f64],
            estimate: E,
            ctx: &'b mut Ctx,
            marker: std::marker::PhantomData<(&'a (), T)>,
        }
        impl<'a, T, E: FnOnce(&dyn Outer<Problem<'a>>, &mut Ctx) -> T> LossVisitor for Judge<'_, 'a, T, E> {
            type Output = Result<T, Failure>;

            fn visit<L: NamedLoss>(self, loss: L) -> Self::Output {
                let refused = |error: anyhow::Error| Failure::Input(error);
                let rows = Glm::new(self.design.clone(), loss, 0.0).map_err(|error| refused(error.into()))?;
                let outer = HeldOut::new(&rows, self.y)?;
                Ok((self.estimate)(&outer, self.ctx))
            }
        }
        let judge = Judge { design, y, estimate, ctx: &mut *self.ctx, marker: std::marker::PhantomData };
        self.args.problem.visit(1, judge).map_err(|error| Failure::Input(error.into()))?
    }

    fn write(
        &mut self,
        folder: &Folder,
        problem: &Problem<'_>,
        x: &[f64],
        found: &Found,
        (lambda, lambda_max, scale): (f64, f64, f64),
        (points, coefficients): (Vec<PathReport>, Vec<Coefficient>),
    ) -> Result<ExitCode, Failure> {
        let args = self.args;
        let features = problem.latent_len() - usize::from(args.intercept);
        let z = &found.z[..features];
        let (mut gradient, mut memo) = (vec![0.0; problem.latent_len()], vec![0.0; problem.memo_len()]);
        problem.smooth().grad_z(&found.z, x, &mut gradient, &mut memo, self.ctx);
        let kinks = problem.kinks(x, &found.z, &gradient);
        let at = Point { z: &found.z, x, memo: &memo, grad_z: &[] };
        let objective = problem.value(at, self.ctx);
        let gap = found.gap;
        // z is off by the root of a gap, about.
        let left = gap.map_or(args.tolerance, |gap| gap / scale.max(f64::MIN_POSITIVE));
        let largest = z.iter().fold(0.0_f64, |largest, z| largest.max(z.abs()));
        let kinks = KinksReport::new(kinks, left.sqrt().max(ROUNDING), largest);
        let support = z.iter().filter(|z| **z != 0.0).count();

        let (mut notes, mut estimators) = (String::new(), BTreeMap::new());
        let mut failed = found.status == Status::Diverged;
        for kind in EstimatorKind::ALL.iter().filter(|kind| found.gradients.iter().all(|(found, _)| found != *kind)) {
            folder.remove(&format!("{kind}.npy"))?;
        }
        for (kind, gradient) in &found.gradients {
            let file = format!("{kind}.npy");
            match gradient {
                Ok(gradient) => {
                    let value = self.without_ones(problem, &gradient.value);
                    folder.write(&file, |out| write_vector(out, &value))?;
                }
                Err(_) => folder.remove(&file)?,
            }
            failed |= gradient.is_err();
            let linear = gradient.as_ref().ok().and_then(|gradient| gradient.linear);
            if let Some(message) = message(gradient, linear).filter(|_| gradient.is_err() || !self.quiet) {
                warn(&format!("{kind}: {message}"));
            }
            if let Ok(gradient) = gradient {
                notes.push_str(&format!("{kind}: ‖g‖ = {:e}; {}\n", norm(&gradient.value), certified(gradient)));
            }
            let cost = gradient.as_ref().ok().map(|gradient| gradient.cost);
            estimators.insert(kind.name(), EstimateReport::new(gradient, cost));
        }
        let mut written = Vec::new();
        if found.status == Status::Diverged {
            folder.remove("z.npy")?;
            warn("a number overflowed: there is no z");
        } else {
            folder.write("z.npy", |out| write_vector(out, z))?;
            written.push("z.npy".to_owned());
        }
        if args.path.is_some() {
            folder.write_named_table("path.csv", csv_of(points.iter()))?;
            folder.write_named_table("path-z.csv", csv_of(coefficients.iter()))?;
            let title = format!("{} on {}: path of {} lambdas", args.problem, args.design.display(), points.len());
            written.extend(["path.csv".to_owned(), "path-z.csv".to_owned()]);
            written.extend(folder.write_plots([("path.svg".to_owned(), plot(&title, &points, &coefficients))])?);
        } else {
            OF_PATHS.into_iter().try_for_each(|file| folder.remove(file))?;
        }
        let file = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let report = LassoReport {
            schema: SCHEMA,
            problem: args.problem.to_string(),
            design: args.design.display().to_string(),
            target: file(&args.target),
            rows: problem.design().rows(),
            columns: features,
            entries: problem.design().entries() - if args.intercept { problem.design().rows() } else { 0 },
            lambda,
            lambda_max,
            l1_ratio: args.l1_ratio,
            nonnegative: args.nonnegative,
            penalty_weights: file(&args.penalty_weights),
            weights: file(&args.weights),
            wrt: args.wrt.name(),
            parameters: self.without_ones(problem, x).len(),
            method: args.method.name(),
            tolerance: args.tolerance,
            status: found.status.name(),
            iterations: found.steps,
            objective,
            gap,
            relative_gap: gap.map(|gap| gap / scale),
            support,
            intercept: args.intercept.then(|| found.z[features]),
            kinks,
            cost: found.cost.into(),
            columns_seconds: found.columns,
            sweeps: found.sweeps,
            estimators,
            path: points,
        };
        folder.write_report(&report)?;
        if !self.quiet {
            let gap = gap.map_or_else(|| "no gap is known".to_owned(), |gap| format!("gap {gap:.1e}"));
            print(&format!(
                "{} after {} steps: L = {objective:e}, {gap}; {support} of {features} coefficients at lambda {lambda:e} \
                 ({:.4} lambda_max), {:.3} s\n{notes}",
                found.status.name(),
                found.steps,
                lambda / lambda_max,
                found.cost.seconds
            ))?;
            if let Some(SweepsReport { count, converged: false }) = found.sweeps {
                warn(&format!(
                    "automatic: {count} sweeps of plain coordinate descent did not reach the tolerance: it is the derivative of \
                     what they reach, not of z (--iterations N takes more)"
                ));
            }
            if !found.gradients.is_empty()
                && let Some(note) = kinks.note()
            {
                warn(&note);
            }
            written.insert(0, "report.json".to_owned());
            print(&format!("written to {}: {}\n", args.output.display(), written.join(", ")))?;
        }
        Ok(if failed { ExitCode::from(ESTIMATOR_FAILED) } else { ExitCode::SUCCESS })
    }
}

/// What numbers of the size of z, and slacks, are known to at the best.
const ROUNDING: f64 = 1e-10;

/// What a path leaves.
const OF_PATHS: [&str; 3] = ["path.csv", "path-z.csv", "path.svg"];

/// Bytes that the automatic estimator may record in.
const TAPE: u64 = 1 << 30;

/// g3 on the support.
fn implicit() -> ByGap<OnSupport<Auto>> {
    ByGap(OnSupport::new(Auto::default()))
}

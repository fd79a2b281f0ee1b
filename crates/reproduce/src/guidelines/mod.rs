//! Which estimator to take: what each costs, in passes over D and in bytes, for the accuracy that it gives.
//!
//! Gradient descent with step 1/L on logistic and ridge regression, L / lambda given, D of n rows and m columns, normal or shipped; every second row is held out. Beyond z_T,
//! which takes T + 1 passes, with one reverse pass a step and one product an iteration:
//!
//! | | passes | bytes recorded |
//! |---|---|---|
//! | g1 | 0 | 0 |
//! | g2 by a tape | T | 8 T min(n, m), none of ridge regression |
//! | g2 by c checkpoints and blocks of l steps, N = ceil(T / l) | T + r T - l binomial(c + r, r - 1) + N - 1 | within the budget |
//! | g3 by conjugate gradient | iterations + 2, and one for each time that it begins again | 0 |
//!
//! r is the least number with N <= binomial(c + r, r). Conjugate gradient to a relative residual of e takes at most ln(2 sqrt(C) / e) / ln((sqrt(C) + 1) / (sqrt(C) - 1))
//! iterations, C = L / lambda, whatever T: of A-norms 2 ((sqrt(C) - 1) / (sqrt(C) + 1))^k is left, and of residuals at most sqrt(C) times that.
//!
//! With A = 1 - rho L_zz and e = z_T - z* of ridge regression, g2 over the last K steps is g* + L_xz A^K e, which is g1 after K steps more: passes backwards are worth what passes forwards are, but that they need the tape.
//! Where f is not L, g2 has the error T kappa^T and takes 2 T passes, g3 has kappa^T for T and sqrt(C).

mod measured;
mod shown;

use danskin::adaptive::Outcome as Ended;
use danskin::ctx::Ctx;
use danskin_bench::choice::SolverKind;

use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::fit::FLOOR;
use crate::repeat::{largest, median, repeat};
use crate::verdict::{Rule, Verdict};

/// Relative errors that are asked for.
const WANTED: [f64; 3] = [1e-2, 1e-4, 1e-8];
/// Relative residuals of conjugate gradient.
const RESIDUALS: [f64; 3] = [1e-3, 1e-6, 1e-12];
/// T at the most; g2 is looked at up to half of it, where it has taken as many passes.
const LAST: usize = 1024;
/// The T at which records other than a whole tape are looked at.
const SOME: [usize; 4] = [8, 32, 128, 512];
/// Numbers that checkpoints may take, over m.
const BUDGET: usize = 10;

/// The experiment.
pub(crate) struct Guidelines;

/// How a gradient is had from z_T.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Analytic,
    Tape,
    Checkpoints,
    /// Over the last half of the steps.
    Truncated,
    /// To one of `RESIDUALS`.
    Cg(usize),
    Cholesky,
}

impl Way {
    const ALL: [Self; 8] = [
        Self::Analytic,
        Self::Tape,
        Self::Checkpoints,
        Self::Truncated,
        Self::Cg(0),
        Self::Cg(1),
        Self::Cg(2),
        Self::Cholesky,
    ];

    fn name(self) -> String {
        match self {
            Self::Analytic => "g1".to_owned(),
            Self::Tape => "g2 tape".to_owned(),
            Self::Checkpoints => "g2 checkpoints".to_owned(),
            Self::Truncated => "g2 last half".to_owned(),
            Self::Cg(k) => format!("g3 cg {:.0e}", RESIDUALS[k]),
            Self::Cholesky => "g3 cholesky".to_owned(),
        }
    }
}

/// What f is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// L.
    Itself,
    /// The loss on the rows held out.
    HeldOut,
}

impl Of {
    const ALL: [Self; 2] = [Self::Itself, Self::HeldOut];

    fn name(self) -> &'static str {
        match self {
            Self::Itself => "L",
            Self::HeldOut => "another",
        }
    }
}

/// g3, however the system is solved.
const IMPLICIT: &[Way] = &[Way::Cg(0), Way::Cg(1), Way::Cg(2), Way::Cholesky];

/// What is chosen from by the passes that it takes in all: a solver with the ways that are looked at.
const FIXED: [(&str, SolverKind, &[Way]); 6] = [
    ("gd, g1", SolverKind::GradientDescent, &[Way::Analytic]),
    ("gd, g2", SolverKind::GradientDescent, &[Way::Tape]),
    ("gd, g3", SolverKind::GradientDescent, IMPLICIT),
    ("nesterov, g2", SolverKind::Nesterov, &[Way::Tape]),
    ("lbfgs, g1", SolverKind::Lbfgs, &[Way::Analytic]),
    ("lbfgs, g3", SolverKind::Lbfgs, IMPLICIT),
];
/// Those that there are where f is not L.
const OF_ANY: [usize; 4] = [1, 2, 3, 5];
/// What finds its T itself.
const ADAPTIVE: &str = "`Adaptive`";
/// What knowing T beforehand may save: a bound is met later than the error is.
const HINDSIGHT: f64 = 1.5;
/// The share of what is asked that bounds on rounding may keep from being proved: they grow with n, m and L / lambda, and 1e-8 is near what they are at the largest
/// of the source's sizes.
const SELDOM: f64 = 0.05;

/// One gradient.
#[derive(Clone, Debug)]
struct Reading {
    by: SolverKind,
    way: Way,
    of: Of,
    t: usize,
    /// Passes and seconds of z_T.
    of_z: u64,
    seconds_of_z: f64,
    /// Passes, bytes and seconds beyond it.
    passes: u64,
    bytes: u64,
    seconds: f64,
    /// Of these bytes, those of the record.
    recorded: u64,
    /// ‖g - g*‖ / ‖g*‖.
    error: f64,
    /// Of the linear solve.
    iterations: Option<usize>,
    /// Times that it began again, from a residual computed anew.
    restarts: Option<usize>,
    /// c and l.
    division: Option<(usize, usize)>,
}

impl Reading {
    fn total(&self) -> f64 {
        (self.of_z + self.passes) as f64
    }
}

/// What `Adaptive` gave.
#[derive(Clone, Debug)]
struct Chosen {
    wanted: f64,
    ended: Ended,
    passes: u64,
    /// ‖g - g*‖ / ‖g*‖.
    error: f64,
    /// What it proves of that; NaN where it proves nothing.
    bound: f64,
    /// Of the bound, what rounding may have done.
    rounding: f64,
}

impl Chosen {
    fn is_met(&self) -> bool {
        self.ended == Ended::Met
    }

    /// Whether rounding is all that kept it from proving what was asked: it could have done more than half of that.
    fn is_at_floor(&self) -> bool {
        self.ended == Ended::FloorReached && self.rounding > 0.5 * self.wanted
    }
}

/// One instance.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    name: String,
    n: usize,
    m: usize,
    entries: usize,
    /// L / lambda.
    condition: f64,
    /// Whether L is quadratic.
    is_ridge: bool,
    readings: Vec<Reading>,
    chosen: Vec<Chosen>,
    /// ‖g2 by checkpoints - g2 by the tape‖ / ‖g*‖.
    apart: Vec<f64>,
    /// ‖g2 over the last K steps - g1 after K steps more‖ / ‖g*‖, for K = T/2 and K = T.
    shifted: Vec<f64>,
}

/// n over k, of numbers so small that it does not overflow.
fn binomial(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |value, i| value * (n - i) / (i + 1))
}

/// Passes of a reverse pass over T steps by c checkpoints and blocks of l steps.
fn by_checkpoints(t: usize, (c, l): (usize, usize)) -> f64 {
    let (t, c, l) = (t as u64, c as u64, l as u64);
    let blocks = t.div_ceil(l);
    let r = (0..).find(|&r| blocks <= binomial(c + r, r)).unwrap_or_default();
    let spared = if r == 0 { 0 } else { l * binomial(c + r, r - 1) };
    (t + r * t - spared + blocks - 1) as f64
}

/// Iterations of conjugate gradient at the most.
fn most_iterations(condition: f64, residual: f64) -> f64 {
    let root = condition.sqrt();
    ((2.0 * root / residual).ln() / ((root + 1.0) / (root - 1.0)).ln()).ceil()
}

impl Run {
    /// By gradient descent, f = L.
    fn of(&self, way: Way) -> impl Iterator<Item = &Reading> {
        let is_asked =
            move |one: &&Reading| one.by == SolverKind::GradientDescent && one.way == way && one.of == Of::Itself;
        self.readings.iter().filter(is_asked)
    }

    /// Passes to a relative error of `wanted`, z_T among them, by each of `FIXED`: the fewest over T; infinite where no T looked at does, NaN where an error is.
    fn fixed(&self, of: Of, wanted: f64) -> [f64; 6] {
        FIXED.map(|(_, by, ways)| {
            let is_asked = |one: &&Reading| one.by == by && one.of == of && ways.contains(&one.way);
            let passes = |one: &Reading| match one.error {
                error if error.is_nan() => f64::NAN,
                error if error <= wanted => one.total(),
                _ => f64::INFINITY,
            };
            let fewer = self.readings.iter().filter(is_asked).map(|one| -passes(one));
            -largest(fewer.chain([f64::NEG_INFINITY]))
        })
    }

    /// The same by `Adaptive`.
    fn adaptive(&self, of: Of, wanted: f64) -> f64 {
        let met = self.chosen.iter().find(|chosen| chosen.wanted == wanted && chosen.is_met() && of == Of::Itself);
        met.map_or(f64::INFINITY, |chosen| chosen.passes as f64)
    }
}

/// The least.
fn fewest(passes: &[f64]) -> f64 {
    passes.iter().copied().fold(f64::INFINITY, f64::min)
}

/// What is farthest from `expected`; NaN of none, and where there is one.
fn farthest(expected: f64, values: impl IntoIterator<Item = f64>) -> f64 {
    let farther = |a: f64, b: f64| if b.is_nan() || (b - expected).abs() > (a - expected).abs() { b } else { a };
    values.into_iter().reduce(farther).unwrap_or(f64::NAN)
}

impl Guidelines {
    fn verdicts(runs: &[Run]) -> Vec<Verdict> {
        let all = |way: Way| runs.iter().flat_map(move |run| run.of(way).map(move |reading| (run, reading)));
        let by_cg = || (0..RESIDUALS.len()).flat_map(|k| all(Way::Cg(k)).map(move |(run, reading)| (k, run, reading)));
        let of_loss = |is_ridge: bool| runs.iter().filter(move |run| run.is_ridge == is_ridge);
        let mut verdicts = Vec::new();
        let mut claim =
            |claim: String, predicted, rule, found| verdicts.push(Verdict::new(claim, predicted, rule, found));

        let more = all(Way::Analytic).map(|(_, one)| one.of_z as f64 - one.t as f64);
        claim("passes of z_T less T".to_owned(), 1.0, Rule::Equal, farthest(1.0, more));
        let own = all(Way::Analytic).map(|(_, one)| one.passes as f64);
        claim("passes of g1 beyond z_T".to_owned(), 0.0, Rule::Equal, largest(own));
        let own = all(Way::Tape).map(|(_, one)| one.passes as f64 / one.t as f64);
        claim("passes of g2 by a tape over T".to_owned(), 1.0, Rule::Equal, farthest(1.0, own));
        let tape = all(Way::Tape).filter(|(run, _)| !run.is_ridge);
        let share = tape.map(|(run, one)| one.recorded as f64 / (8 * one.t * run.n.min(run.m)) as f64);
        claim("bytes of the tape over 8 T min(n, m)".to_owned(), 1.0, Rule::Equal, farthest(1.0, share));
        let tape = all(Way::Tape).filter(|(run, _)| run.is_ridge).map(|(_, one)| one.recorded as f64);
        claim("bytes of the tape of ridge regression".to_owned(), 0.0, Rule::Equal, largest(tape));

        let held = all(Way::Checkpoints).map(|(run, one)| one.recorded as f64 / (8 * BUDGET * run.m) as f64);
        claim("bytes of checkpoints and records over their budget".to_owned(), 1.0, Rule::AtMost, largest(held));
        let again = all(Way::Checkpoints).filter(|(run, _)| !run.is_ridge).map(|(_, one)| {
            one.passes as f64 / one.division.map_or(f64::NAN, |division| by_checkpoints(one.t, division))
        });
        let text = "passes of g2 by checkpoints over T + r T - l binomial(c + r, r - 1) + N - 1";
        claim(text.to_owned(), 1.0, Rule::Equal, farthest(1.0, again));
        let apart = largest(runs.iter().flat_map(|run| run.apart.iter().copied()));
        claim("g2 by checkpoints less g2 by the tape".to_owned(), 0.0, Rule::Equal, apart);

        let beyond = by_cg().map(|(_, _, one)| {
            let products = one.iterations.zip(one.restarts).map(|(iterations, restarts)| iterations + restarts);
            one.passes as f64 - products.map_or(f64::NAN, |products| products as f64)
        });
        let text = "passes of g3 less its iterations and the times that it began again";
        claim(text.to_owned(), 2.0, Rule::Equal, farthest(2.0, beyond));
        let share = by_cg().map(|(k, run, one)| {
            let most = most_iterations(run.condition, RESIDUALS[k]);
            one.iterations.map_or(f64::NAN, |iterations| iterations as f64 / most)
        });
        let text = "iterations of g3 over what C = L / lambda bounds them by, at any T";
        claim(text.to_owned(), 1.0, Rule::AtMost, largest(share));

        let shifted = largest(of_loss(true).flat_map(|run| run.shifted.iter().copied()));
        let text = "ridge: g2 over the last K steps less g1 after K steps more, K = T/2 and T";
        claim(text.to_owned(), FLOOR, Rule::AtMost, shifted);
        for wanted in WANTED {
            let ratio = |run: &Run| {
                let [g1, g2, ..] = run.fixed(Of::Itself, wanted);
                // Where neither comes to it there is nothing to compare.
                Some(g2 / g1).filter(|_| !(g1.is_infinite() && g2.is_infinite()))
            };
            let ratios = of_loss(true).filter_map(ratio);
            let text = format!("ridge: fewest passes to {wanted:.0e} by g2 over those by g1");
            claim(text, 1.0, Rule::Equal, farthest(1.0, ratios));
            let text = format!("logistic: fewest passes to {wanted:.0e} by g2 over those by g1, median");
            // To first order in z_T - z*, as above; the T looked at are up to 1.5 times apart.
            claim(text, 1.0, Rule::Factor(1.5), median(of_loss(false).filter_map(ratio)));
        }
        // Half the steps, and for them at most the iterations above: fewer where g1 takes T of the order of C.
        for wanted in WANTED {
            let ratio = |run: &Run| {
                let [g1, _, g3, ..] = run.fixed(Of::Itself, wanted);
                // Where g1 does not come to it there is nothing to compare with.
                Some(g3 / g1).filter(|_| !g1.is_infinite())
            };
            let text = format!("fewest passes to {wanted:.0e} by g3 over those by g1, largest");
            claim(text, 1.0, Rule::AtMost, largest(runs.iter().filter_map(ratio)));
        }
        // The same steps, and iterations in the place of steps backwards.
        for wanted in WANTED {
            let ratio = |run: &Run| {
                let [_, g2, g3, ..] = run.fixed(Of::HeldOut, wanted);
                Some(g3 / g2).filter(|_| !g2.is_infinite())
            };
            let text =
                format!("f the loss on rows held out: fewest passes to {wanted:.0e} by g3 over those by g2, largest");
            claim(text, 1.0, Rule::AtMost, largest(runs.iter().filter_map(ratio)));
        }
        let chosen = || runs.iter().flat_map(|run| run.chosen.iter().map(move |chosen| (run, chosen)));
        let errors = chosen().filter(|(_, one)| one.is_met()).map(|(_, one)| one.error / one.wanted);
        claim(
            "error of `Adaptive` over what was asked, where it says that it met that".to_owned(),
            1.0,
            Rule::AtMost,
            largest(errors),
        );
        let errors = chosen().map(|(_, one)| one.error / one.bound);
        claim("error of `Adaptive` over its own bound".to_owned(), 1.0, Rule::AtMost, largest(errors));
        let short = |is_meant: &dyn Fn(&Chosen) -> bool| {
            chosen().filter(|(_, one)| !one.is_met() && is_meant(one)).count() as f64
        };
        let text = "gradients for which `Adaptive` did not meet what was asked, for another reason than rounding";
        claim(text.to_owned(), 0.0, Rule::Equal, short(&|one| !one.is_at_floor()));
        let text = "share of gradients for which its bound on rounding kept `Adaptive` from meeting what was asked";
        let share = short(&Chosen::is_at_floor) / chosen().count() as f64;
        claim(text.to_owned(), SELDOM, Rule::AtMost, share);
        let ratio = |(run, one): (&Run, &Chosen)| {
            run.adaptive(Of::Itself, one.wanted) / fewest(&run.fixed(Of::Itself, one.wanted))
        };
        let text = "passes of `Adaptive` over those of the fixed estimator that takes the fewest, median";
        claim(text.to_owned(), HINDSIGHT, Rule::AtMost, median(chosen().map(ratio)));
        verdicts
    }
}

impl Experiment for Guidelines {
    type Measured = Vec<Run>;

    const NAME: &'static str = "guidelines";
    const ABOUT: &'static str =
        "which estimator to take: passes and bytes against accuracy, for n, m and T on a grid and on real data";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Vec<Run>, Failure> {
        let cases = measured::cases(size);
        repeat(cases.len(), ctx, |k, ctx| cases[k as usize].run(ctx))
    }

    fn show(&self, runs: &Vec<Run>) -> Outcome {
        let drawings = runs.iter().take(2).flat_map(|run| [run.errors(), run.errors_in_time(), run.memory()]).collect();
        Outcome {
            verdicts: Self::verdicts(runs),
            tables: vec![shown::instances(runs), shown::costs(runs), shown::least(runs)],
            drawings: vec![("costs", drawings)],
            documents: vec![("guidelines", shown::document(runs))],
            ..Outcome::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_alike, assert_notices_nan, assert_passes, failing};

    /// The claims that fail once `damage` is done to every run.
    fn broken(sound: &[Run], damage: impl Fn(&mut Run)) -> Vec<String> {
        let mut broken = sound.to_vec();
        broken.iter_mut().for_each(damage);
        failing(&Guidelines, &broken)
    }

    /// The same, done to every reading for which `is_meant` holds.
    fn misread(sound: &[Run], is_meant: impl Fn(&Reading) -> bool, damage: impl Fn(&mut Reading)) -> Vec<String> {
        broken(sound, |run| run.readings.iter_mut().filter(|one| is_meant(one)).for_each(&damage))
    }

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = Guidelines.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&Guidelines, &sound);
        let guide = include_str!("../../../../docs/choosing.md");
        let document = shown::document(&sound);
        let written: Vec<&str> = guide.lines().skip(guide.lines().count() - document.lines().count()).collect();
        assert_alike(&document, &written.join("\n"));

        let fails = |found: Vec<String>, claim: &str| {
            assert!(found.iter().any(|found| found.starts_with(claim)), "{claim}: {found:#?}");
        };
        let by = |way: Way| move |one: &Reading| one.way == way;
        fails(misread(&sound, |_| true, |one| one.of_z += 1), "passes of z_T");
        fails(misread(&sound, by(Way::Analytic), |one| one.passes += 1), "passes of g1");
        fails(misread(&sound, by(Way::Tape), |one| one.passes += 1), "passes of g2 by a tape");
        fails(misread(&sound, by(Way::Tape), |one| one.recorded += 8), "bytes of the tape over");
        fails(misread(&sound, by(Way::Tape), |one| one.recorded += 8), "bytes of the tape of ridge");
        fails(misread(&sound, by(Way::Checkpoints), |one| one.recorded *= 2), "bytes of checkpoints");
        fails(misread(&sound, by(Way::Checkpoints), |one| one.passes += 1), "passes of g2 by checkpoints");
        fails(broken(&sound, |run| run.apart[0] = 1e-16), "g2 by checkpoints less");
        fails(misread(&sound, by(Way::Cg(1)), |one| one.passes += 1), "passes of g3");
        fails(
            misread(&sound, by(Way::Cg(2)), |one| one.iterations = one.iterations.map(|count| 2 * count)),
            "iterations of g3",
        );
        fails(broken(&sound, |run| run.shifted[0] = 1e-9), "ridge: g2 over the last K");
        // Errors of half the power, as those of another estimator.
        let halved = misread(&sound, by(Way::Tape), |one| one.error = one.error.sqrt());
        let implicit = |one: &Reading| IMPLICIT.contains(&one.way);
        let of_g3 = misread(&sound, implicit, |one| one.error = one.error.sqrt());
        let late = broken(&sound, |run| run.chosen.iter_mut().for_each(|chosen| chosen.passes *= 2));
        fails(late, "passes of `Adaptive`");
        fails(
            misread(&sound, by(Way::Cg(1)), |one| one.restarts = one.restarts.map(|count| count + 1)),
            "passes of g3",
        );
        let wrong = broken(&sound, |run| run.chosen[0].error *= 100.0);
        fails(wrong.clone(), "error of `Adaptive` over what was asked");
        fails(wrong, "error of `Adaptive` over its own bound");
        let short = |ended: Ended, rounding: f64| {
            broken(&sound, |run| run.chosen[0] = Chosen { ended, rounding, ..run.chosen[0].clone() })
        };
        for (ended, rounding) in [(Ended::BudgetExhausted, 1.0), (Ended::FloorReached, 1e-12)] {
            let found = short(ended, rounding);
            fails(found, "gradients for which `Adaptive` did not meet");
        }
        let floored = short(Ended::FloorReached, 1.0);
        fails(floored, "share of gradients for which its bound on rounding");
        // One of them is told, and is no reason to fail.
        let mut told = sound.clone();
        let one = &mut told[0].chosen[2];
        *one = Chosen { ended: Ended::FloorReached, rounding: 0.9e-8, bound: 1.5e-8, ..one.clone() };
        assert_passes(&Guidelines, &told);
        assert!(shown::document(&told).contains("did not prove a relative error of 1e-8"));
        // The last runs are of ridge regression.
        assert_notices_nan(&Guidelines, &sound, |m| &mut m[0].apart[0]);
        assert_notices_nan(&Guidelines, &sound, |m| &mut m.last_mut().unwrap().shifted[0]);
        assert_notices_nan(&Guidelines, &sound, |m| &mut m[0].chosen[0].error);
        assert_notices_nan(&Guidelines, &sound, |m| &mut m[0].chosen[0].bound);
        assert_notices_nan(&Guidelines, &sound, |m| {
            &mut m[0].readings.iter_mut().find(|one| one.way == Way::Tape && one.of == Of::HeldOut).unwrap().error
        });
        for wanted in WANTED {
            fails(halved.clone(), &format!("ridge: fewest passes to {wanted:.0e}"));
            fails(halved.clone(), &format!("logistic: fewest passes to {wanted:.0e}"));
            fails(of_g3.clone(), &format!("fewest passes to {wanted:.0e} by g3"));
            fails(of_g3.clone(), &format!("f the loss on rows held out: fewest passes to {wanted:.0e}"));
        }
    }
}

//! One estimator at one t: seconds of z_t, seconds beyond it, and the memory of the process.

use danskin::ctx::{Cost, Ctx};
use danskin::prelude::*;
use danskin::vector::distance;
use serde::{Deserialize, Serialize};

use super::plan::Missing;
use crate::choice::{AnyProblem, Choices, EstimatorKind};
use crate::report;
use crate::resident::{Resident, Watch};
use crate::trajectory::{Snapshot, trajectory};

/// One estimator at one t, and the memory of the process meanwhile.
#[derive(Clone, Debug)]
pub struct Timed {
    estimator: EstimatorKind,
    snapshot: Snapshot,
    resident: Option<Resident>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// `"ok"`, or the doubt about a linear solve.
    pub status: String,
    /// That doubt on one line.
    pub message: Option<String>,
    /// Steps taken.
    pub steps: usize,
    /// Seconds of z_t; with a tape, filling it included.
    pub z_seconds: f64,
    /// Seconds of the gradient beyond z_t.
    pub gradient_seconds: f64,
    /// ‖g - g*‖; `None` where it overflows.
    pub error: Option<f64>,
    /// Passes over D of z_t and the gradient together.
    pub passes: u64,
    /// Most bytes held at once beyond problem, x, z and the result.
    pub peak_bytes: u64,
    /// Memory of the process.
    pub resident: Option<Resident>,
}

impl Timed {
    /// Computes z_t and the gradient by `estimator` as `choices` say, from `initial`, 0 where `None`.
    ///
    /// # Errors
    ///
    /// [`SolveError`], as of [`trajectory`].
    ///
    /// # Panics
    ///
    /// Never: one stop gives one snapshot.
    pub fn take(
        problem: &AnyProblem,
        x: &[f64],
        initial: Option<&[f64]>,
        estimator: EstimatorKind,
        choices: &Choices,
        stop: Stop,
        ctx: &mut Ctx,
    ) -> Result<Self, SolveError> {
        let choices = Choices { estimators: vec![estimator], ..choices.clone() };
        let watch = Watch::start();
        let mut snapshots = trajectory(problem, x, initial, &choices, &[stop], ctx)?;
        let resident = watch.end();
        Ok(Self { estimator, snapshot: snapshots.pop().expect("one stop, one snapshot"), resident })
    }

    /// With the error against g* = `reference`, of length p.
    ///
    /// # Errors
    ///
    /// [`Missing`] where there is no gradient.
    pub fn sample(&self, reference: &[f64]) -> Result<Sample, Missing> {
        let Self { estimator, snapshot, resident } = self;
        let Some((_, gradient)) = snapshot.estimates.first() else { return Err(Missing::not_unrolled()) };
        let (linear, own) = gradient.as_ref().map_or((None, Cost::default()), |found| (found.linear, found.cost));
        let (status, message) = (report::status(gradient, linear), report::message(gradient, linear));
        let Ok(found) = gradient else { return Err(Missing::new(status, message.unwrap_or_default())) };
        let whole = snapshot.cost_with(*estimator, own);
        let error = distance(&found.value, reference);
        Ok(Sample {
            status: status.to_owned(),
            message,
            steps: snapshot.steps,
            z_seconds: snapshot.cost.seconds,
            gradient_seconds: snapshot.own_cost(*estimator, own).seconds,
            error: Some(error).filter(|error| error.is_finite()),
            passes: whole.passes,
            peak_bytes: whole.peak_bytes,
            resident: *resident,
        })
    }
}

//! `report.json` and `report.csv` of `danskin bench`, as `docs/schemas` has them.

use std::collections::BTreeMap;

use danskin::design::Footprint;
use serde::Serialize;

use super::Span;
use super::gradient::Sample;
use super::machine::Machine;
use super::passes::{PassKind, PassSamples};
use super::plan::{Budget, Found, Measured, Missing, Work};
use crate::choice::EstimatorKind;
use crate::report::{Instance, ReferenceReport, SCHEMA, csv_of};
use crate::resident::Resident;

/// A design that is measured on.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The problem on it.
    pub instance: Instance,
    /// How its entries lie in memory.
    pub footprint: Footprint,
    /// g*.
    pub reference: ReferenceReport,
    /// Lines above its tables.
    pub heading: String,
}

/// `report.json`.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    schema: u32,
    machine: MachineReport,
    samples: usize,
    pub(super) designs: Vec<DesignReport>,
}

#[derive(Clone, Debug, Serialize)]
struct MachineReport {
    #[serde(flatten)]
    machine: Machine,
    bandwidth: Vec<BandwidthReport>,
}

/// The best of all designs.
#[derive(Clone, Copy, Debug, Serialize)]
struct BandwidthReport {
    threads: usize,
    gigabytes_per_second: f64,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct DesignReport {
    #[serde(skip)]
    pub(super) heading: String,
    #[serde(flatten)]
    pub(super) instance: Instance,
    storage: StorageReport,
    reference: ReferenceReport,
    pub(super) passes: Vec<PassesReport>,
    pub(super) estimators: Vec<EstimatorReport>,
}

/// A [`Footprint`].
#[derive(Clone, Copy, Debug, Serialize)]
struct StorageReport {
    index_bytes: usize,
    value_bytes: usize,
    row_bytes: u64,
    transpose_bytes: Option<u64>,
}

impl From<Footprint> for StorageReport {
    fn from(footprint: Footprint) -> Self {
        let Footprint { index_bytes, value_bytes, row_bytes, transpose_bytes } = footprint;
        Self { index_bytes, value_bytes, row_bytes, transpose_bytes }
    }
}

/// The passes on one number of threads.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PassesReport {
    pub(super) threads: usize,
    pub(super) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    pub(super) probe: Option<ProbeReport>,
    pub(super) passes: Vec<PassReport>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ProbeReport {
    bytes: u64,
    pub(super) seconds: Span,
    pub(super) gigabytes_per_second: f64,
}

/// One pass; rates are those of the least seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct PassReport {
    pub(super) pass: PassKind,
    pub(super) seconds: Span,
    pub(super) nanoseconds_per_entry: f64,
    pub(super) bytes_per_entry: f64,
    pub(super) gigabytes_per_second: f64,
    pub(super) share_of_probe: f64,
}

/// One estimator at one T, in one budget, on one number of threads.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EstimatorReport {
    pub(super) estimator: EstimatorKind,
    pub(super) iterations: usize,
    pub(super) budget: String,
    pub(super) memory: Option<u64>,
    pub(super) threads: usize,
    pub(super) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// `None` without a gradient.
    #[serde(flatten)]
    pub(super) found: Option<FoundReport>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct FoundReport {
    steps: usize,
    error: Option<f64>,
    pub(super) relative_error: Option<f64>,
    pub(super) passes: u64,
    pub(super) peak_bytes: u64,
    pub(super) resident: Option<Resident>,
    pub(super) seconds: SecondsReport,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SecondsReport {
    pub(super) z: Span,
    pub(super) gradient: Span,
    pub(super) together: Span,
}

impl BenchReport {
    /// Of what was `measured` on `machine` in so many `samples`; the designs of its cases are those of `subjects`.
    #[must_use]
    pub fn new(machine: Machine, samples: usize, subjects: &[Subject], measured: &[Measured]) -> Self {
        let mut designs: Vec<DesignReport> = subjects
            .iter()
            .map(|subject| DesignReport {
                heading: subject.heading.clone(),
                instance: subject.instance.clone(),
                storage: subject.footprint.into(),
                reference: subject.reference.clone(),
                passes: Vec::new(),
                estimators: Vec::new(),
            })
            .collect();
        let mut bandwidth = BTreeMap::<usize, f64>::new();
        for one in measured {
            let (design, subject) = (&mut designs[one.case.design], &subjects[one.case.design]);
            match one.case.work {
                Work::Passes => {
                    let report = PassesReport::new(one, subject);
                    if let Some(probe) = report.probe {
                        let best = bandwidth.entry(report.threads).or_default();
                        *best = best.max(probe.gigabytes_per_second);
                    }
                    design.passes.push(report);
                }
                Work::Gradient { estimator, iterations, memory } => {
                    let (status, message, found) = match FoundReport::of(one, subject.reference.gradient_norm) {
                        Ok((sample, found)) => (sample.status.clone(), sample.message.clone(), Some(found)),
                        Err(Missing { status, message }) => (status, Some(message), None),
                    };
                    design.estimators.push(EstimatorReport {
                        estimator,
                        iterations,
                        budget: one.case.budget.to_string(),
                        memory,
                        threads: one.case.threads,
                        status,
                        message,
                        found,
                    });
                }
            }
        }
        let bandwidth = bandwidth.into_iter();
        let bandwidth =
            bandwidth.map(|(threads, gigabytes_per_second)| BandwidthReport { threads, gigabytes_per_second });
        let machine = MachineReport { machine, bandwidth: bandwidth.collect() };
        Self { schema: SCHEMA, machine, samples, designs }
    }

    /// What was not found, in words, each once.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for design in &self.designs {
            let name = &design.instance.design;
            let passes = design.passes.iter().filter(|passes| passes.probe.is_none());
            let passes = passes.map(|passes| format!("passes over {name}: {}", reason(&passes.message)));
            let estimators = design.estimators.iter().filter(|one| one.found.is_none()).map(|one| {
                let EstimatorReport { estimator, iterations, message, .. } = one;
                format!("{estimator} at t = {iterations} on {name}: {}", reason(message))
            });
            for failure in passes.chain(estimators) {
                if !failures.contains(&failure) {
                    failures.push(failure);
                }
            }
        }
        failures
    }

    /// `report.csv`: one line for each estimator, T, budget, number of threads and design.
    ///
    /// # Errors
    ///
    /// Those of the csv library.
    pub fn csv(&self) -> Result<String, csv::Error> {
        csv_of(self.designs.iter().flat_map(|design| {
            design.estimators.iter().map(|one| {
                let found = one.found;
                let seconds = found.map(|found| found.seconds);
                CsvLine {
                    design: &design.instance.design,
                    estimator: one.estimator,
                    iterations: one.iterations,
                    budget: &one.budget,
                    memory: one.memory,
                    threads: one.threads,
                    status: &one.status,
                    error: found.and_then(|found| found.error),
                    relative_error: found.and_then(|found| found.relative_error),
                    z_seconds_min: seconds.map(|seconds| seconds.z.min),
                    z_seconds_median: seconds.map(|seconds| seconds.z.median),
                    gradient_seconds_min: seconds.map(|seconds| seconds.gradient.min),
                    gradient_seconds_median: seconds.map(|seconds| seconds.gradient.median),
                    seconds_min: seconds.map(|seconds| seconds.together.min),
                    seconds_median: seconds.map(|seconds| seconds.together.median),
                    passes: found.map(|found| found.passes),
                    peak_bytes: found.map(|found| found.peak_bytes),
                    resident_before_bytes: found.and_then(|found| Some(found.resident?.before_bytes)),
                    resident_peak_bytes: found.and_then(|found| Some(found.resident?.peak_bytes)),
                }
            })
        }))
    }
}

fn reason(message: &Option<String>) -> &str {
    message.as_deref().unwrap_or_default()
}

#[derive(Debug, Serialize)]
struct CsvLine<'a> {
    design: &'a str,
    estimator: EstimatorKind,
    iterations: usize,
    budget: &'a str,
    memory: Option<u64>,
    threads: usize,
    status: &'a str,
    error: Option<f64>,
    relative_error: Option<f64>,
    z_seconds_min: Option<f64>,
    z_seconds_median: Option<f64>,
    gradient_seconds_min: Option<f64>,
    gradient_seconds_median: Option<f64>,
    seconds_min: Option<f64>,
    seconds_median: Option<f64>,
    passes: Option<u64>,
    peak_bytes: Option<u64>,
    resident_before_bytes: Option<u64>,
    resident_peak_bytes: Option<u64>,
}

/// Why `one`, which found nothing of its kind, is missing.
fn missing(one: &Measured) -> Missing {
    one.missing.clone().unwrap_or_else(|| Missing::process_failed("it found something else than asked for"))
}

impl PassesReport {
    fn new(one: &Measured, subject: &Subject) -> Self {
        let samples: Vec<&PassSamples> = one
            .found
            .iter()
            .filter_map(|found| match found {
                Found::Passes(samples) => Some(samples),
                Found::Gradient(_) => None,
            })
            .collect();
        let threads = one.case.threads;
        let rate = |bytes: u64, seconds: Span| bytes as f64 / seconds.min * 1e-9;
        let seconds = Span::of(samples.iter().flat_map(|samples| samples.probe.iter().copied()));
        let (None, Some(seconds), Some(first)) = (&one.missing, seconds, samples.first()) else {
            let Missing { status, message } = missing(one);
            return Self { threads, status, message: Some(message), probe: None, passes: Vec::new() };
        };
        let bytes = first.probe_bytes;
        let probe = ProbeReport { bytes, seconds, gigabytes_per_second: rate(bytes, seconds) };
        let entries = subject.instance.entries.max(1) as f64;
        let passes = PassKind::ALL.iter().filter_map(|&pass| {
            let of_pass =
                samples.iter().flat_map(|samples| samples.passes.iter().filter(move |(kind, _)| *kind == pass));
            let seconds = Span::of(of_pass.flat_map(|(_, seconds)| seconds.iter().copied()))?;
            let bytes = pass.bytes_read(subject.footprint);
            let gigabytes_per_second = rate(bytes, seconds);
            Some(PassReport {
                pass,
                seconds,
                nanoseconds_per_entry: seconds.min / entries * 1e9,
                bytes_per_entry: bytes as f64 / entries,
                gigabytes_per_second,
                share_of_probe: gigabytes_per_second / probe.gigabytes_per_second,
            })
        });
        Self { threads, status: "ok".to_owned(), message: None, passes: passes.collect(), probe: Some(probe) }
    }
}

impl FoundReport {
    /// The first sample, and what all of them say: the least seconds, the largest memory. Everything else is the same in each.
    fn of(one: &Measured, reference_norm: f64) -> Result<(&Sample, Self), Missing> {
        let samples: Vec<&Sample> = one
            .found
            .iter()
            .filter_map(|found| match found {
                Found::Gradient(sample) => Some(sample),
                Found::Passes(_) => None,
            })
            .collect();
        let span = |seconds: fn(&Sample) -> f64| Span::of(samples.iter().map(|sample| seconds(sample)));
        let z = span(|sample| sample.z_seconds);
        let gradient = span(|sample| sample.gradient_seconds);
        let together = span(|sample| sample.z_seconds + sample.gradient_seconds);
        let (None, Some(&first), Some(z), Some(gradient), Some(together)) =
            (&one.missing, samples.first(), z, gradient, together)
        else {
            return Err(missing(one));
        };
        let found = Self {
            steps: first.steps,
            error: first.error,
            relative_error: first.error.map(|error| error / reference_norm).filter(|error| error.is_finite()),
            passes: first.passes,
            peak_bytes: first.peak_bytes,
            resident: samples.iter().filter_map(|sample| sample.resident).max_by_key(|resident| resident.peak_bytes),
            seconds: SecondsReport { z, gradient, together },
        };
        Ok((first, found))
    }
}

impl EstimatorReport {
    /// The estimator, and where it is given, its budget of memory.
    pub(super) fn name(&self) -> String {
        if self.budget == Budget::Unlimited.to_string() {
            self.estimator.to_string()
        } else {
            format!("{}, memory {}", self.estimator, self.budget)
        }
    }
}

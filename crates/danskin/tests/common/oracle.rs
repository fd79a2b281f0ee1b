//! The layout of an oracle case.

use std::collections::BTreeMap;
use std::path::Path;

use danskin::design::Design;
use danskin::vector::{distance, norm};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Case {
    pub name: String,
    pub problem: String,
    pub x: Vec<f64>,
    #[serde(rename = "D_shape")]
    shape: Option<(usize, usize)>,
    #[serde(rename = "D_rowmajor")]
    values: Option<Vec<f64>>,
    #[serde(rename = "C_shape")]
    pub cost_shape: Option<(usize, usize)>,
    #[serde(rename = "C_rowmajor")]
    pub cost: Option<Vec<f64>>,
    pub b: Option<Vec<f64>>,
    /// The data where x is D.
    pub y: Option<Vec<f64>>,
    pub eps: Option<f64>,
    pub lam: Option<f64>,
    pub step: f64,
    pub g_star: Vec<f64>,
    pub runs: BTreeMap<String, Run>,
}

#[derive(Deserialize)]
pub(crate) struct Run {
    pub z: Vec<f64>,
    pub g1: Vec<f64>,
    pub g2: Vec<f64>,
    pub g3: Option<Vec<f64>>,
    pub g3_pinv: Option<Vec<f64>>,
    hess_cond: Option<f64>,
}

impl Run {
    /// The Hessian's condition; infinite where the oracle found none.
    pub(crate) fn condition(&self) -> f64 {
        self.hess_cond.unwrap_or(f64::INFINITY)
    }
}

impl Case {
    pub(crate) fn design(&self) -> Design {
        let (rows, columns) = self.shape.unwrap();
        Design::dense(rows, columns, self.values.clone().unwrap()).unwrap()
    }
}

/// The cases shipped with the tests, and those of the file that `DANSKIN_ORACLE` names.
pub(crate) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let mut cases: Vec<Case> = files.iter().map(|path| serde_json::from_str(&read(path)).unwrap()).collect();
    match std::env::var_os("DANSKIN_ORACLE") {
        Some(path) => {
            #[derive(Deserialize)]
            struct File {
                cases: Vec<Case>,
            }
            cases.extend(serde_json::from_str::<File>(&read(path.as_ref())).unwrap().cases);
        }
        None => eprintln!("DANSKIN_ORACLE is not set: only the shipped oracle cases are run"),
    }
    cases
}

pub(crate) fn relative(found: &[f64], expected: &[f64]) -> f64 {
    let scale = norm(found).max(norm(expected));
    if scale == 0.0 { 0.0 } else { distance(found, expected) / scale }
}

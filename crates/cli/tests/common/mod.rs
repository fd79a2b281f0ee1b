//! A folder with files, the program run in it, and what came of it.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use danskin_data::read_vector;
use serde_json::Value;
use tempfile::TempDir;

/// D = [[1, 2], [0, 3], [1, 0]], labels 1, -1, 1.
pub(crate) const SVM: &str = "1 1:1 2:2\n-1 2:3\n1 1:1\n";

pub(crate) struct Workplace {
    pub(crate) dir: TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("d.svm"), SVM).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    /// Runs `danskin` with the words of `arguments`.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        let mut command = Command::cargo_bin("danskin").unwrap();
        // The cache of whoever runs the tests is none of theirs.
        command.current_dir(self.dir.path()).env("DANSKIN_CACHE", self.path("cache"));
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn vector(&self, name: &str) -> Vec<f64> {
        read_vector(&self.path(name)).unwrap()
    }

    pub(crate) fn report(&self, folder: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(folder).join("report.json")).unwrap()).unwrap()
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The largest difference of two vectors.
pub(crate) fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

//! The memory that the process has in use (its resident set), where the system tells: on Linux.

use std::fs;

use serde::{Deserialize, Serialize};

/// Resident memory over a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resident {
    /// Bytes when it began.
    pub before_bytes: u64,
    /// The most bytes at once until it ended.
    pub peak_bytes: u64,
}

/// The memory of the process from [`Watch::start`] on.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    before_bytes: Option<u64>,
}

impl Watch {
    /// Watches from here on. The peak counts from now where the system lets it be set back; elsewhere it is that of the
    /// whole process, as it is of work that came before.
    #[must_use]
    pub fn start() -> Self {
        // Code 5 sets VmHWM back to VmRSS (proc_pid_clear_refs(5)).
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { before_bytes: status("VmRSS:") }
    }

    /// What was used until now; `None` where the system does not tell.
    #[must_use]
    pub fn end(self) -> Option<Resident> {
        Some(Resident { before_bytes: self.before_bytes?, peak_bytes: status("VmHWM:")? })
    }
}

/// A size in /proc/self/status, in bytes.
fn status(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

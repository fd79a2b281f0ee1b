//! The machine, as far as the system tells.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use serde::Serialize;

/// What is measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Threads that run at once.
    pub cores: usize,
    /// Bytes of all caches of the last level; `None` where the system does not tell (Linux does).
    pub last_level_cache_bytes: Option<u64>,
    /// Operating system and instructions.
    pub system: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self {
            cores: available_parallelism().map_or(1, Into::into),
            last_level_cache_bytes: last_level_cache(Path::new("/sys/devices/system/cpu")),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// The sum over the caches of the highest level below `cpus`, each named by the processors that share it.
fn last_level_cache(cpus: &Path) -> Option<u64> {
    let mut caches = BTreeSet::new();
    for cpu in fs::read_dir(cpus).ok()?.flatten() {
        for cache in fs::read_dir(cpu.path().join("cache")).into_iter().flatten().flatten() {
            let word = |name: &str| Some(fs::read_to_string(cache.path().join(name)).ok()?.trim().to_owned());
            let (Some(level), Some(size), Some(shared)) = (word("level"), word("size"), word("shared_cpu_list")) else {
                continue;
            };
            if let (Ok(level), Some(bytes)) = (level.parse::<u32>(), kibibytes(&size)) {
                caches.insert((level, shared, bytes));
            }
        }
    }
    let last = caches.last()?.0;
    Some(caches.iter().filter(|(level, ..)| *level == last).map(|(.., bytes)| bytes).sum())
}

/// The bytes of a size as "32768K".
fn kibibytes(size: &str) -> Option<u64> {
    size.strip_suffix('K')?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn caches_that_are_shared_count_once() {
        let folder = std::env::temp_dir().join(format!("danskin-caches-{}", std::process::id()));
        for (cpu, index, level, size, shared) in [
            ("cpu0", "index0", "1", "32K", "0"),
            ("cpu0", "index3", "3", "1024K", "0-1"),
            ("cpu1", "index3", "3", "1024K", "0-1"),
            ("cpu2", "index3", "3", "2048K", "2"),
            ("cpu2", "index4", "x", "2048K", "2"),
        ] {
            let cache = folder.join(cpu).join("cache").join(index);
            fs::create_dir_all(&cache).unwrap();
            for (name, text) in [("level", level), ("size", size), ("shared_cpu_list", shared)] {
                fs::write(cache.join(name), format!("{text}\n")).unwrap();
            }
        }
        fs::create_dir_all(folder.join("power")).unwrap();
        let found = last_level_cache(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, Some(3 << 20));
        assert_eq!(last_level_cache(&folder), None);
    }
}

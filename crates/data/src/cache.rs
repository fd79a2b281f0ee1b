//! The folder that fetched files lie in, and the names that a registry in it gives to some of them.
//!
//! No set is registered beyond those inside this crate ([`crate::shipped`]): an entry needs a URL and the SHA-256 of the bytes
//! that it was made from. `registry.json` in the cache holds a user's own entries:
//!
//! ```json
//! [{ "name": "a9a", "url": "https://example.org/a9a.svm.bz2", "sha256": "…" }]
//! ```
//!
//! `columns`, `index_base` (0 or 1) and `label_column` (`first`, `last` or `absent`) say what the file leaves open;
//! `description` is what a list shows.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::checksum::Checksum;
use crate::fetch::{FetchError, Fetched, Fetcher, Progress, file_name};
use crate::{IndexBase, LabelColumn, ReadOptions, Shipped};

pub(crate) const REGISTRY: &str = "registry.json";
/// What the name of a file that is not whole yet ends in.
pub(crate) const PART: &str = ".part";

/// The folder that fetched files lie in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// A data set that can be fetched by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registered {
    /// What it is known by.
    pub name: String,
    /// Where it is fetched from.
    pub url: String,
    /// SHA-256 of the file.
    pub sha256: Checksum,
    /// What it is.
    pub description: String,
    /// How the file is read.
    pub options: ReadOptions,
}

/// There is no cache, or no registry can be read from it. Displays as one line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Neither of the variables that name a folder is set.
    #[error("no folder for fetched files: expected DANSKIN_CACHE, XDG_CACHE_HOME or HOME to be set")]
    NoFolder,
    /// The registry could not be read.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The registry is none.
    #[error("{}: expected a list of sets with name, url and sha256: {reason}", .path.display())]
    Registry {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
}

/// As the registry has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    url: String,
    sha256: String,
    #[serde(default)]
    description: String,
    columns: Option<usize>,
    index_base: Option<u8>,
    label_column: Option<String>,
}

impl Cache {
    /// The one in `folder`, which need not exist.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// That of the user: `DANSKIN_CACHE`, else `danskin` in `XDG_CACHE_HOME` or in `.cache` at home.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoFolder`] if nothing says where.
    pub fn from_environment() -> Result<Self, CacheError> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The XDG specification has relative paths ignored.
        let shared = || set("XDG_CACHE_HOME").filter(|folder| folder.is_absolute());
        let home = || env::home_dir().map(|home| home.join(".cache"));
        let folder = set("DANSKIN_CACHE").or_else(|| Some(shared().or_else(home)?.join("danskin")));
        folder.map(Self::new).ok_or(CacheError::NoFolder)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file called `name`, if it is there whole.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let is_bare = Path::new(name).file_name().is_some_and(|last| last == name) && name != REGISTRY;
        let path = self.folder.join(name);
        (is_bare && !name.ends_with(PART) && path.is_file()).then_some(path)
    }

    /// What the registry in this cache names; nothing if there is none.
    ///
    /// # Errors
    ///
    /// [`CacheError`] if it cannot be read or an entry is wrong.
    pub fn registered(&self) -> Result<Vec<Registered>, CacheError> {
        let path = self.folder.join(REGISTRY);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(CacheError::Io { path, cause }),
        };
        let wrong = |reason| CacheError::Registry { path: path.clone(), reason };
        let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let mut sets: Vec<Registered> = Vec::new();
        for entry in entries {
            let set = Registered::new(entry).map_err(wrong)?;
            if sets.iter().any(|other| other.name == set.name) || Shipped::find(&set.name).is_some() {
                return Err(wrong(format!("{}: expected a name that no other set has", set.name)));
            }
            sets.push(set);
        }
        Ok(sets)
    }
}

impl Registered {
    fn new(entry: Entry) -> Result<Self, String> {
        let Entry { name, url, sha256, description, columns, index_base, label_column } = entry;
        let wrong = |what: &str| Err(format!("{name:?}: expected {what}"));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            return wrong("a name of letters, digits, _ and -");
        }
        if file_name(&url).is_none() {
            return wrong("a url over http or https that ends in the name of a file");
        }
        let Ok(sha256) = sha256.parse() else { return wrong("a sha256 of 64 hexadecimal digits") };
        let index_base = match index_base {
            None => None,
            Some(1) => Some(IndexBase::One),
            Some(0) => Some(IndexBase::Zero),
            Some(_) => return wrong("index_base 0 or 1"),
        };
        let label_column = match label_column.as_deref() {
            None => None,
            Some("first") => Some(LabelColumn::First),
            Some("last") => Some(LabelColumn::Last),
            Some("absent") => Some(LabelColumn::Absent),
            Some(_) => return wrong("label_column first, last or absent"),
        };
        let options = ReadOptions { index_base, columns, label_column, max_bytes: None };
        Ok(Self { name, url, sha256, description, options })
    }

    /// The name of its file.
    #[must_use]
    pub fn file(&self) -> &str {
        // A URL without one is refused before.
        file_name(&self.url).unwrap_or_default()
    }

    /// Fetches it into `folder`.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::fetch`].
    pub fn fetch(
        &self,
        fetcher: &Fetcher,
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Fetched, FetchError> {
        fetcher.fetch(&self.url, Some(&self.sha256), folder, progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn registered(text: &str) -> Result<Vec<Registered>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(REGISTRY), text).unwrap();
        let error = |error: CacheError| {
            let line = error.to_string();
            assert!(!line.contains('\n'));
            line.split_once("sha256: ").map_or(line.clone(), |(_, reason)| reason.to_owned())
        };
        Cache::new(folder.path()).registered().map_err(error)
    }

    #[test]
    fn a_registry_is_a_list_of_sets() {
        let set = format!(r#"{{"name": "a", "url": "http://b/c.csv", "sha256": "{SHA}", "label_column": "last"}}"#);
        let sets = registered(&format!("[{set}]")).unwrap();
        assert_eq!((sets.len(), sets[0].file(), sets[0].sha256), (1, "c.csv", SHA.parse().unwrap()));
        assert_eq!(sets[0].options.label_column, Some(LabelColumn::Last));
        assert!(registered("[]").unwrap().is_empty());
        assert!(Cache::new("/nowhere/at/all").registered().unwrap().is_empty());
        for (text, reason) in [
            (format!("[{set}, {set}]"), "a: expected a name that no other set has"),
            (format!("[{}]", set.replace("\"a\"", "\"digits\"")), "digits: expected a name that no other set has"),
            (
                format!("[{}]", set.replace("\"a\"", "\"../a\"")),
                "\"../a\": expected a name of letters, digits, _ and -",
            ),
            (format!("[{}]", set.replace("c.csv", "")), "\"a\": expected a url over http or https"),
            (format!("[{}]", set.replace("ba78", "")), "\"a\": expected a sha256 of 64 hexadecimal digits"),
            (format!("[{}]", set.replace("last", "middle")), "\"a\": expected label_column first, last or absent"),
            (format!("[{}]", set.replace("label_column", "labels")), "unknown field `labels`"),
            ("{}".to_owned(), "invalid type: map, expected a sequence at line 1 column 0"),
            ("[".to_owned(), "EOF while parsing a list at line 1 column 1"),
        ] {
            let found = registered(&text).unwrap_err();
            assert!(found.starts_with(reason), "{found}");
        }
    }

    #[test]
    fn only_whole_files_in_the_folder_itself_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        std::fs::create_dir_all(cache.folder().join("folder.svm")).unwrap();
        for name in ["a.svm", "b.svm.part", "registry.json", "../c.svm"] {
            std::fs::write(cache.folder().join(name), "").unwrap();
        }
        assert_eq!(cache.find("a.svm"), Some(cache.folder().join("a.svm")));
        for name in ["b.svm.part", "registry.json", "../c.svm", "folder.svm", "", ".", "..", "d.svm", "./a.svm"] {
            assert_eq!(cache.find(name), None, "{name}");
        }
    }
}

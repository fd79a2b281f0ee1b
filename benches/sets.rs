//! Designs with labels, from files or, where none are named, of shipped sets.

use std::error::Error;
use std::path::Path;

use danskin::design::Design;
use danskin_data::{ReadOptions, Shipped};

/// Name, design and labels.
pub(crate) type Labelled = (String, Design, Vec<f64>);

/// Those of each of `files`, or of each of `shipped`.
pub(crate) fn labelled(files: &[String], shipped: &[&str]) -> Result<Vec<Labelled>, Box<dyn Error>> {
    let mut sets = Vec::new();
    for name in shipped.iter().filter(|_| files.is_empty()) {
        let set = Shipped::find(name).ok_or("a set that is not shipped")?.load()?;
        sets.push(((*name).to_owned(), set));
    }
    for file in files {
        let set = danskin_data::read(Path::new(file), &ReadOptions::default())?;
        let name = Path::new(file).file_name().map_or(file.clone(), |name| name.to_string_lossy().into_owned());
        sets.push((name, set));
    }
    sets.into_iter().map(|(name, set)| Ok((name, set.design, set.labels.ok_or("a design without labels")?))).collect()
}

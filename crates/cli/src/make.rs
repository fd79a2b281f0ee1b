//! `danskin data make`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use danskin_data::make::{MakeError, Recipe, Synthetic, Task, WriteError};
use danskin_data::write_vector;

use crate::args::MakeArgs;
use crate::failure::Failure;
use crate::output::{Together, print};
use crate::progress;

pub(crate) fn run(args: &MakeArgs, quiet: bool) -> Result<(), Failure> {
    let refused = |error: MakeError| Failure::Input(error.into());
    let synthetic = recipe(args).prepare().map_err(refused)?;
    let paths = paths(&args.output, &synthetic).map_err(Failure::Input)?;
    progress::watch_for_interrupts();
    let mut files = Together::open(&paths)?;
    let [design, targets, z] = files.files();
    write_vector(z, synthetic.planted()).map_err(|error| unwritten(&paths[2], error))?;
    write(&synthetic, &paths[0], design, targets, quiet)?;
    files.keep()?;
    print(&describe(args, &synthetic, &paths))
}

/// Writes the design, whose file is called `path`, and the targets.
pub(crate) fn write(
    synthetic: &Synthetic,
    path: &Path,
    design: &mut File,
    targets: &mut File,
    quiet: bool,
) -> Result<(), Failure> {
    synthetic.write(design, targets, progress::count("rows", quiet)).map_err(|error| match error {
        WriteError::Interrupted => Failure::Interrupted,
        // Of the two files the design is the one that fills a disk.
        WriteError::Io(error) => unwritten(path, error),
        _ => Failure::Output(error.into()),
    })?;
    progress::check_interrupt()
}

pub(crate) fn unwritten(path: &Path, error: io::Error) -> Failure {
    Failure::Output(anyhow::Error::new(error).context(path.display().to_string()))
}

fn recipe(args: &MakeArgs) -> Recipe {
    let mut recipe = Recipe::new(args.kind, args.rows, args.columns).task(args.task).seed(args.seed);
    if let Some(entries) = args.per_row {
        recipe = recipe.per_row(entries);
    }
    if let Some(share) = args.density {
        recipe = recipe.density(share);
    }
    if let Some(deviation) = args.noise {
        recipe = recipe.noise(deviation);
    }
    recipe
}

/// The files of design, targets and planted z.
fn paths(design: &Path, synthetic: &Synthetic) -> anyhow::Result<[PathBuf; 3]> {
    let (ending, storage) = if synthetic.is_dense() { ("npy", "dense") } else { ("npz", "sparse") };
    let found = design.extension().filter(|found| found.eq_ignore_ascii_case(ending));
    let shown = || format!("--output {}", design.display());
    found
        .with_context(|| format!("expected a name that ends in .{ending}: this design is {storage}"))
        .with_context(shown)?;
    let paths = [design.to_owned(), design.with_extension("targets.npy"), design.with_extension("z.npy")];
    match paths.iter().find(|path| path.is_dir()) {
        Some(path) => Err(anyhow!("{}: expected a file, found a directory", path.display())).with_context(shown),
        None => Ok(paths),
    }
}

/// What was made, and a command that uses it.
fn describe(args: &MakeArgs, synthetic: &Synthetic, paths: &[PathBuf; 3]) -> String {
    let [design, targets, z] = paths.each_ref().map(|path| path.display().to_string());
    let (rows, columns, entries) = (synthetic.rows(), synthetic.columns(), synthetic.entries());
    let (task, kind, seed) = (synthetic.task(), synthetic.kind(), args.seed);
    let y = match task {
        Task::Regression => "numbers, D z and noise",
        Task::Logistic => "-1 and +1, by the logistic function of D z",
        Task::Counts => "counts, of mean exp(D z)",
        _ => task.name(),
    };
    format!(
        "{design}: {rows} x {columns}, {entries} entries, {kind}, seed {seed}\n{targets}: {y}\n{z}: the planted z\n\
         danskin gradient --problem {} --design {} --targets {} --condition 100 --iterations 100 --output out\n",
        task.loss(),
        quoted(&design),
        quoted(&targets),
    )
}

/// `word` as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "._-/:\\".contains(character);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        assert_eq!(quoted("a/b-1_é.npz"), "a/b-1_é.npz");
        assert_eq!(quoted("a b's.npz"), r"'a b'\''s.npz'");
    }
}

//! Files that appear whole or not at all: written under a temporary name beside their own, then renamed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use danskin_bench::PlotError;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// Prints to stdout. A reader that closed the pipe has seen enough: that is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Output(anyhow::Error::new(error).context("stdout")))
        }
        _ => Ok(()),
    }
}

/// The report's file.
pub(crate) const REPORT: &str = "report.json";

/// The table's file.
const TABLE: &str = "report.csv";

/// The folder that `--output` names.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The folders made for it, the outermost last.
    made: Vec<PathBuf>,
}

impl Folder {
    /// The folder at `path`, made if it is missing. Done before the work, so that what cannot be written is said early.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let folder = Self { path: path.to_owned(), made: missing.map(Path::to_owned).collect() };
        if path.exists() && !path.is_dir() {
            return Err(Failure::Output(anyhow::anyhow!(
                "--output {}: expected a folder, found a file",
                path.display()
            )));
        }
        fs::create_dir_all(path)
            .and_then(|()| tempfile::tempfile_in(path).map(drop))
            .with_context(|| format!("--output {}", path.display()))
            .map_err(Failure::Output)?;
        Ok(folder)
    }

    /// Writes the file `name` by `write`.
    pub(crate) fn write(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let path = self.path.join(name);
        let written = || -> io::Result<()> {
            let mut file = temporary(&self.path)?;
            let mut buffered = io::BufWriter::new(file.as_file_mut());
            write(&mut buffered)?;
            buffered.flush()?;
            drop(buffered);
            file.persist(&path)?;
            Ok(())
        };
        written().with_context(|| path.display().to_string()).map_err(Failure::Output)
    }

    /// Writes the report.
    pub(crate) fn write_report(&self, report: &impl serde::Serialize) -> Result<(), Failure> {
        self.write(REPORT, |out| {
            serde_json::to_writer_pretty(&mut *out, report)?;
            out.write_all(b"\n")
        })
    }

    /// Writes the table, `text` if it could be made.
    pub(crate) fn write_table<E>(&self, text: Result<String, E>) -> Result<(), Failure>
    where
        Result<String, E>: Context<String, E>,
    {
        self.write_named_table(TABLE, text)
    }

    /// Writes a table under `name`.
    pub(crate) fn write_named_table<E>(&self, name: &str, text: Result<String, E>) -> Result<(), Failure>
    where
        Result<String, E>: Context<String, E>,
    {
        let text = text.with_context(|| name.to_owned()).map_err(Failure::Output)?;
        self.write(name, |out| out.write_all(text.as_bytes()))
    }

    /// Writes the plots, each under its name, and returns the names; one with nothing to draw is removed instead.
    pub(crate) fn write_plots(
        &self,
        plots: impl IntoIterator<Item = (String, Result<String, PlotError>)>,
    ) -> Result<Vec<String>, Failure> {
        let mut written = Vec::new();
        for (name, plot) in plots {
            match plot {
                Ok(svg) => {
                    self.write(&name, |out| out.write_all(svg.as_bytes()))?;
                    written.push(name);
                }
                Err(PlotError::NothingToDraw) => self.remove(&name)?,
                Err(error) => return Err(Failure::Output(anyhow::Error::new(error).context(name))),
            }
        }
        Ok(written)
    }

    /// Where report, table and `plots` are, on one line after an empty one.
    pub(crate) fn written(&self, plots: &[String]) -> String {
        let files = [&[REPORT.to_owned(), TABLE.to_owned()], plots].concat();
        format!("\nwritten to {}: {}\n", self.path.display(), files.join(", "))
    }

    /// `failure`, after report, table and `plots` were removed where it is that of a solve: what an earlier run left would pass
    /// for the result of this one.
    pub(crate) fn without_results(&self, failure: Failure, plots: impl IntoIterator<Item = String>) -> Failure {
        if !matches!(failure, Failure::Solve(_)) {
            return failure;
        }
        let mut files = [REPORT.to_owned(), TABLE.to_owned()].into_iter().chain(plots);
        files.try_for_each(|file| self.remove(&file)).err().unwrap_or(failure)
    }

    /// Removes the file `name` that an earlier run may have left: it would pass for a result of this one.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::Output(anyhow::Error::new(error).context(path.display().to_string())))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Folder {
    /// Folders made for results that never came are taken away again; one that holds anything stays.
    fn drop(&mut self) {
        for folder in &self.made {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Files that get their names together, all of them or none.
#[derive(Debug)]
pub(crate) struct Together<const N: usize>([(PathBuf, NamedTempFile); N]);

impl<const N: usize> Together<N> {
    /// A temporary file beside each of `paths`, in a folder that exists.
    pub(crate) fn open(paths: &[PathBuf; N]) -> Result<Self, Failure> {
        let open = |path: &PathBuf| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let file = temporary(folder).with_context(|| path.display().to_string()).map_err(Failure::Output)?;
            Ok((path.clone(), file))
        };
        let files = paths.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        let files = files.try_into().map_err(|_| Failure::Output(anyhow::anyhow!("expected {N} files")))?;
        Ok(Self(files))
    }

    /// What to write into.
    pub(crate) fn files(&mut self) -> [&mut fs::File; N] {
        self.0.each_mut().map(|(_, file)| file.as_file_mut())
    }

    /// Gives the files their names, the first one last: where it is, the others are.
    pub(crate) fn keep(self) -> Result<(), Failure> {
        let mut kept = Vec::new();
        for (path, file) in self.0.into_iter().rev() {
            if let Err(error) = file.persist(&path) {
                for path in &kept {
                    let _ = fs::remove_file(path);
                }
                return Err(Failure::Output(anyhow::Error::new(error.error).context(path.display().to_string())));
            }
            kept.push(path);
        }
        Ok(())
    }
}

/// A temporary file with the permissions of any new file, which the umask decides.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

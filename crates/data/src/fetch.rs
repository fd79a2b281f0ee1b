//! Files over HTTP: resumed where a connection drops or stalls, and checked before they get their name.
//!
//! A file is received under its name and `.part`, and renamed once it is whole and, where its SHA-256 is known, right. What
//! an earlier run left under `.part` is gone on with only where that is known: nothing else tells whether the rest still
//! belongs to it. Within one run the server's `ETag` or `Last-Modified` does.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use crate::cache::{PART, REGISTRY};
use crate::checksum::Checksum;

/// How files are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetcher {
    /// A connection on which nothing happens for so long is given up.
    pub stall: Duration,
    /// How often to try without a byte more than before. At least once.
    pub attempts: u32,
    /// The pause before the second attempt; each further one is twice as long, up to 16 times this.
    pub pause: Duration,
}

impl Default for Fetcher {
    /// 30 seconds, 5 attempts, half a second.
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), attempts: 5, pause: Duration::from_millis(500) }
    }
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Where.
    pub path: PathBuf,
    /// Its SHA-256, computed from its bytes.
    pub sha256: Checksum,
    /// Its size.
    pub bytes: u64,
    /// Whether it had been there before, so that nothing was fetched.
    pub was_there: bool,
}

/// How far a fetch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the file that are there.
    pub received: u64,
    /// Its size, where the server says it.
    pub total: Option<u64>,
}

/// A file could not be fetched. Displays as one line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL is none from which a file can be fetched and named.
    #[error("{url:?}: expected http:// or https://, a host, and a path that ends in the name of a file")]
    Url {
        /// What was given.
        url: String,
    },
    /// The server refuses.
    #[error("{url}: expected status 200 or 206, the server answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status, 404 where there is no such file.
        status: u16,
    },
    /// The server's certificate is not trusted, or it redirects without end.
    #[error("{url}: {cause}")]
    Request {
        /// What was asked for.
        url: String,
        /// What is wrong.
        cause: Box<ureq::Error>,
    },
    /// The connection failed, dropped, stalled or broke the protocol, again and again.
    #[error("{url}: given up at {received} bytes after {attempts} attempt(s) in a row without one more: {cause}")]
    GivenUp {
        /// What was asked for.
        url: String,
        /// Bytes that are there.
        received: u64,
        /// Attempts that brought nothing.
        attempts: u32,
        /// What ended the last one.
        cause: io::Error,
    },
    /// The file is not the one that was expected. It is removed.
    #[error("{url}: expected sha256 {expected}, found {found} of {bytes} bytes")]
    Checksum {
        /// What was asked for.
        url: String,
        /// Its SHA-256 as it was given.
        expected: Checksum,
        /// That of what was received.
        found: Checksum,
        /// How much was received.
        bytes: u64,
    },
    /// Another program fetches the same file.
    #[error("{}: expected a file of our own, another program is writing it", .path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// A file here could not be read or written.
    #[error("{}: {cause}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// What ends an attempt.
enum Ended {
    /// Another one may do better.
    Broken(io::Error),
    /// Another one will not.
    Refused(FetchError),
}

impl From<FetchError> for Ended {
    fn from(error: FetchError) -> Self {
        Self::Refused(error)
    }
}

impl Fetcher {
    /// Fetches `url` into `folder`, which is made if missing, and tells `progress` how far it has come.
    ///
    /// A file that is there under its name already is not fetched again: if its SHA-256 is `sha256`, or if that is not
    /// given.
    ///
    /// # Errors
    ///
    /// [`FetchError`] if the URL is none, the server refuses, every attempt fails, the file is not the expected one, or it
    /// cannot be written.
    pub fn fetch(
        &self,
        url: &str,
        sha256: Option<&Checksum>,
        folder: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Fetched, FetchError> {
        let name = file_name(url).ok_or_else(|| FetchError::Url { url: url.to_owned() })?;
        let (path, part) = (folder.join(name), folder.join(format!("{name}{PART}")));
        let at = |path: &Path| {
            let path = path.to_owned();
            move |cause| FetchError::File { path, cause }
        };
        let made = !folder.exists();
        fs::create_dir_all(folder).map_err(at(folder))?;
        let there = || right_file(&path, sha256).map_err(at(&path));
        if let Some(fetched) = there()? {
            return Ok(fetched);
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&part).map_err(at(&part))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(FetchError::Busy { path: part }),
            // Where files cannot be locked, the checksum finds what two writers spoil.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        // What was opened may be what another program has finished and renamed since.
        if let Some(fetched) = there()? {
            let _ = fs::remove_file(&part);
            return Ok(fetched);
        }
        let mut download =
            Download { url, part: &part, file: &file, is_known: sha256.is_some(), validator: None, resumed: false };
        let received = self.receive(&mut download, sha256, progress);
        // What can be gone on with stays.
        if received.is_err() && (sha256.is_none() || file.metadata().is_ok_and(|data| data.len() == 0)) {
            let _ = fs::remove_file(&part);
            if made {
                let _ = fs::remove_dir(folder);
            }
        }
        let (found, bytes) = received?;
        fs::rename(&part, &path).map_err(at(&path))?;
        Ok(Fetched { path, sha256: found, bytes, was_there: false })
    }

    /// Receives all of a file; its checksum and size.
    fn receive(
        &self,
        download: &mut Download<'_>,
        sha256: Option<&Checksum>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Checksum, u64), FetchError> {
        let (mut most, mut in_vain, mut once_more) = (0, 0, false);
        loop {
            let cause = match download.attempt(self.stall, progress) {
                Ok(()) => {
                    let (found, bytes) = Checksum::of(download.file).map_err(|cause| download.local(cause))?;
                    let Some(expected) = sha256.copied().filter(|expected| *expected != found) else {
                        return Ok((found, bytes));
                    };
                    download.truncate(0)?;
                    if once_more || !download.resumed {
                        return Err(FetchError::Checksum { url: download.url.to_owned(), expected, found, bytes });
                    }
                    // Its parts may belong to different files: once more, in one piece.
                    (download.validator, download.is_known, once_more) = (None, false, true);
                    continue;
                }
                Err(Ended::Refused(error)) => return Err(error),
                Err(Ended::Broken(cause)) => cause,
            };
            let received = download.length()?;
            in_vain = if received > most { 1 } else { in_vain + 1 };
            most = most.max(received);
            if in_vain >= self.attempts {
                return Err(FetchError::GivenUp { url: download.url.to_owned(), received, attempts: in_vain, cause });
            }
            std::thread::sleep(self.pause * (1 << (in_vain - 1).min(4)));
        }
    }
}

/// A file on its way.
struct Download<'a> {
    url: &'a str,
    part: &'a Path,
    file: &'a File,
    /// Whether a checksum will tell if what an earlier run left belongs to it.
    is_known: bool,
    /// What the server said that tells it.
    validator: Option<String>,
    /// Whether it comes in parts.
    resumed: bool,
}

impl Download<'_> {
    /// That something is wrong with the file here.
    fn local(&self, cause: io::Error) -> FetchError {
        FetchError::File { path: self.part.to_owned(), cause }
    }

    fn length(&self) -> Result<u64, FetchError> {
        Ok(self.file.metadata().map_err(|cause| self.local(cause))?.len())
    }

    /// Keeps the first `length` bytes; the next one is written after them.
    fn truncate(&self, length: u64) -> Result<(), FetchError> {
        let mut file = self.file;
        let cut = file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length)));
        cut.map(|_| ()).map_err(|cause| self.local(cause))
    }

    /// Asks for what is missing and receives as much of it as comes.
    fn attempt(&mut self, stall: Duration, progress: &mut dyn FnMut(Progress)) -> Result<(), Ended> {
        if !self.is_known && self.validator.is_none() {
            self.truncate(0)?;
        }
        let start = self.length()?;
        let response = self.request(start, stall).map_err(|error| self.failed(error))?;
        let range = text(&response, header::CONTENT_RANGE).and_then(Range::parse);
        let (start, total) = match (response.status(), range) {
            (StatusCode::OK | StatusCode::PARTIAL_CONTENT, _) if is_encoded(&response) => {
                let cause = io::Error::other("the server answered with an encoded body, though none was asked for");
                return Err(Ended::Broken(cause));
            }
            (StatusCode::OK, _) => (0, number(&response, header::CONTENT_LENGTH)),
            (StatusCode::PARTIAL_CONTENT, Some(Range { first: Some(first), total })) if first == start => {
                (start, total)
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(Range { total: Some(total), .. }))
                if total == start && start > 0 =>
            {
                self.resumed = true;
                return Ok(());
            }
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, _) if start > 0 => {
                self.truncate(0)?;
                return Err(broken("the server answered with another range than it was asked for"));
            }
            (StatusCode::PARTIAL_CONTENT, _) => {
                return Err(broken("the server answered with a part, and was asked for the whole"));
            }
            (status, _) if is_passing(status) => {
                return Err(Ended::Broken(io::Error::other(format!("the server answered {}", status.as_u16()))));
            }
            (status, _) => {
                let (url, status) = (self.url.to_owned(), status.as_u16());
                return Err(Ended::Refused(FetchError::Status { url, status }));
            }
        };
        self.resumed = start > 0;
        // A weak tag promises less than the same bytes.
        self.validator = text(&response, header::ETAG)
            .filter(|tag| !tag.starts_with("W/"))
            .or_else(|| text(&response, header::LAST_MODIFIED))
            .map(str::to_owned);
        self.truncate(start)?;
        self.copy(response, Progress { received: start, total }, progress)
    }

    fn request(&self, start: u64, stall: Duration) -> Result<Response<Body>, ureq::Error> {
        let stall = Some(stall);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_resolve(stall)
            .timeout_connect(stall)
            .timeout_send_request(stall)
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .user_agent(concat!("danskin/", env!("CARGO_PKG_VERSION")));
        // A proxy has another idea of what this machine is.
        let config = if is_local(self.url) { config.proxy(None) } else { config };
        let mut request = Agent::from(config.build()).get(self.url).header(header::ACCEPT_ENCODING, "identity");
        if start > 0 {
            request = request.header(header::RANGE, format!("bytes={start}-"));
            if let Some(validator) = &self.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        request.call()
    }

    /// Appends the body of `response`.
    fn copy(
        &self,
        response: Response<Body>,
        mut so_far: Progress,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Ended> {
        let (mut body, mut file) = (response.into_body().into_reader(), self.file);
        let mut buffer = vec![0; 1 << 16];
        loop {
            progress(so_far);
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    file.write_all(&buffer[..read]).map_err(|cause| self.local(cause))?;
                    so_far.received += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Ended::Broken(error)),
            }
        }
        match so_far.total {
            Some(total) if so_far.received < total => Err(broken("the connection ended before the file")),
            _ => Ok(()),
        }
    }

    /// Whether a request that failed may be made again.
    fn failed(&self, error: ureq::Error) -> Ended {
        use ureq::Error::{ConnectionFailed, Io, Protocol, Timeout};
        match error {
            // Invalid data is a certificate that is not trusted.
            Io(cause) if cause.kind() != io::ErrorKind::InvalidData => Ended::Broken(cause),
            error @ (Timeout(_) | Protocol(_) | ConnectionFailed) => Ended::Broken(io::Error::other(error)),
            error => Ended::Refused(FetchError::Request { url: self.url.to_owned(), cause: Box::new(error) }),
        }
    }
}

/// The file at `path`, if it is there and nothing is known against it.
fn right_file(path: &Path, sha256: Option<&Checksum>) -> io::Result<Option<Fetched>> {
    if !path.exists() {
        return Ok(None);
    }
    let (found, bytes) = Checksum::of_file(path)?;
    let is_right = sha256.is_none_or(|expected| *expected == found);
    Ok(is_right.then(|| Fetched { path: path.to_owned(), sha256: found, bytes, was_there: true }))
}

fn broken(why: &'static str) -> Ended {
    Ended::Broken(io::Error::other(why))
}

/// Whether a server that answers so may answer otherwise soon.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

/// Whether the body is not the file, but another coding of it.
fn is_encoded(response: &Response<Body>) -> bool {
    text(response, header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity")
}

fn text(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn number(response: &Response<Body>, name: header::HeaderName) -> Option<u64> {
    text(response, name)?.parse().ok()
}

/// `bytes FIRST-LAST/TOTAL`, either of which may be `*`.
#[derive(Debug, PartialEq)]
struct Range {
    first: Option<u64>,
    total: Option<u64>,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let first = range.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
        Some(Self { first, total: total.trim().parse().ok() })
    }
}

/// What stands between the scheme and the query of a URL over HTTP.
fn location(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    rest.split(['?', '#']).next()
}

/// The name that the file at `url` gets: the last part of its path.
pub(crate) fn file_name(url: &str) -> Option<&str> {
    let (host, path) = location(url)?.split_once('/')?;
    let name = path.rsplit('/').next()?;
    let fits = !host.is_empty()
        && !matches!(name, "" | "." | ".." | REGISTRY)
        && !name.ends_with(PART)
        && name.len() < 200
        && url.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    fits.then_some(name)
}

fn is_local(url: &str) -> bool {
    let host = location(url).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|local| host.strip_prefix(local).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_their_file() {
        for (url, name) in [
            ("https://example.org/a/b.svm.gz", Some("b.svm.gz")),
            ("http://example.org:8080/b.npz?version=1/2#top", Some("b.npz")),
            ("https://example.org", None),
            ("https://example.org/", None),
            ("https:///b.svm", None),
            ("https://example.org/a/..", None),
            ("https://example.org/a\\b", None),
            ("https://example.org/a b", None),
            ("https://example.org/?b.svm", None),
            ("ftp://example.org/b.svm", None),
            ("b.svm", None),
            ("https://example.org/b.svm.part", None),
            ("https://example.org/registry.json", None),
        ] {
            assert_eq!(file_name(url), name, "{url}");
        }
        assert!(is_local("http://localhost:1/a") && is_local("http://127.0.0.1/a") && is_local("http://[::1]:80/a"));
        assert!(!is_local("http://localhost.org/a") && !is_local("http://example.org/127.0.0.1"));
    }

    #[test]
    fn ranges_are_read() {
        let range = |first, total| Some(Range { first, total });
        assert_eq!(Range::parse("bytes 5-9/10"), range(Some(5), Some(10)));
        assert_eq!(Range::parse("bytes 5-9/*"), range(Some(5), None));
        assert_eq!(Range::parse("bytes */10"), range(None, Some(10)));
        assert_eq!(Range::parse("lines 5-9/10"), None);
        assert_eq!(Range::parse("bytes 5"), None);
    }
}

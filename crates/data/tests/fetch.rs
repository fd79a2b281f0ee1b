//! Fetching from a server that drops, stalls, corrupts and refuses: the right file, or one error.

#![cfg(feature = "fetch")]

#[path = "common/server.rs"]
mod server;

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use danskin_data::{Checksum, FetchError, Fetched, Fetcher};
use server::{Reply, Server};
use tempfile::TempDir;

const FETCHER: Fetcher = Fetcher { stall: Duration::from_secs(1), attempts: 3, pause: Duration::from_millis(1) };

/// A file of 300 kB in which no two parts are alike.
fn file() -> Vec<u8> {
    (0..75_000u32).flat_map(u32::to_le_bytes).collect()
}

struct Place {
    folder: TempDir,
    server: Server,
}

impl Place {
    fn new(replies: Vec<Reply>) -> Self {
        Self { folder: TempDir::new().unwrap(), server: Server::new(replies) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn fetch(&self, sha256: Option<Checksum>) -> Result<Fetched, FetchError> {
        FETCHER.fetch(&self.server.url("f.bin"), sha256.as_ref(), self.path(), &mut |_| {})
    }

    /// That the whole file was fetched, and nothing else is left.
    fn check_whole(&self, fetched: &Fetched) {
        assert_eq!(fs::read(&fetched.path).unwrap(), file());
        assert_eq!((fetched.sha256, fetched.bytes), (Checksum::of_bytes(&file()), 300_000));
        assert_eq!(self.names(), ["f.bin"]);
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn known() -> Option<Checksum> {
    Some(Checksum::of_bytes(&file()))
}

fn dropped(sends: usize) -> Reply {
    Reply { sends, ..Reply::good(&file()) }
}

#[test]
fn a_file_is_fetched_once() {
    let place = Place::new(vec![Reply::good(&file())]);
    let mut seen = Vec::new();
    let url = place.server.url("f.bin?download=1#here");
    let fetched = FETCHER.fetch(&url, None, place.path(), &mut |p| seen.push((p.received, p.total))).unwrap();
    place.check_whole(&fetched);
    assert!(!fetched.was_there);
    assert!(seen.is_sorted() && seen[0] == (0, Some(300_000)) && seen[seen.len() - 1] == (300_000, Some(300_000)));
    for sha256 in [None, known()] {
        assert!(place.fetch(sha256).unwrap().was_there);
    }
    assert_eq!(place.server.ranges().len(), 1);
}

#[test]
fn a_wrong_file_that_is_there_is_replaced() {
    let place = Place::new(vec![Reply::good(&file())]);
    fs::write(place.path().join("f.bin"), "wrong").unwrap();
    let fetched = place.fetch(known()).unwrap();
    assert!(!fetched.was_there);
    place.check_whole(&fetched);
}

#[test]
fn what_a_dropped_connection_left_is_gone_on_with() {
    let tagged = |reply| Reply { tag: Some("\"7\""), ..reply };
    // With a checksum, and by the server's tag.
    for (sha256, tag) in [(known(), false), (None, true)] {
        let replies = [dropped(100_000), dropped(150_000), Reply::good(&file())];
        let place = Place::new(replies.map(|reply| if tag { tagged(reply) } else { reply }).into());
        place.check_whole(&place.fetch(sha256).unwrap());
        assert_eq!(place.server.ranges(), ["", "100000-", "250000-"]);
    }
    // With neither nothing tells whether the rest belongs to it.
    let place = Place::new(vec![dropped(100_000), Reply::good(&file())]);
    place.check_whole(&place.fetch(None).unwrap());
    assert_eq!(place.server.ranges(), ["", ""]);
}

#[test]
fn what_an_earlier_run_left_is_gone_on_with_if_a_checksum_tells() {
    let place = Place::new(vec![dropped(100_000), dropped(0)]);
    let error = place.fetch(known()).unwrap_err();
    assert!(matches!(error, FetchError::GivenUp { received: 100_000, attempts: 3, .. }), "{error}");
    assert_eq!(place.names(), ["f.bin.part"]);
    let place = Place { folder: place.folder, server: Server::new(vec![Reply::good(&file())]) };
    place.check_whole(&place.fetch(known()).unwrap());
    assert_eq!(place.server.ranges(), ["100000-"]);
    // All of it was there but for its name.
    fs::rename(place.path().join("f.bin"), place.path().join("f.bin.part")).unwrap();
    place.check_whole(&place.fetch(known()).unwrap());
    assert_eq!(place.server.ranges(), ["100000-", "300000-"]);
    // What belongs to another file, as long as this one or longer, is not believed.
    for left in [vec![7; 1000], vec![7; 300_000], vec![7; 400_000]] {
        fs::remove_file(place.path().join("f.bin")).unwrap();
        fs::write(place.path().join("f.bin.part"), &left).unwrap();
        place.check_whole(&place.fetch(known()).unwrap());
        fs::remove_file(place.path().join("f.bin")).unwrap();
        fs::write(place.path().join("f.bin.part"), &left).unwrap();
        place.check_whole(&place.fetch(None).unwrap());
    }
}

#[test]
fn a_stalled_connection_is_given_up_and_gone_on_with() {
    let stalled = |sends| Reply { stalls: true, ..dropped(sends) };
    let place = Place::new(vec![stalled(100_000), stalled(100_000), Reply::good(&file())]);
    place.check_whole(&place.fetch(known()).unwrap());
    assert_eq!(place.server.ranges(), ["", "100000-", "200000-"]);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let plain = |sends| Reply { ranges: false, ..dropped(sends) };
    let place = Place::new(vec![plain(100_000), plain(usize::MAX)]);
    place.check_whole(&place.fetch(known()).unwrap());
    assert_eq!(place.server.ranges(), ["", "100000-"]);
    let place = Place::new(vec![plain(100_000)]);
    let error = place.fetch(known()).unwrap_err();
    assert!(matches!(error, FetchError::GivenUp { attempts: 3, .. }), "{error}");
}

#[test]
fn corrupt_bytes_are_found_and_removed() {
    let mut altered = file();
    altered[200_000] ^= 1;
    let place = Place::new(vec![Reply::good(&altered)]);
    let error = place.fetch(known()).unwrap_err();
    assert!(matches!(error, FetchError::Checksum { bytes: 300_000, .. }), "{error}");
    assert_eq!(place.names(), [""; 0]);
    assert_eq!(place.server.ranges().len(), 1);
    // Parts of two files are fetched once more in one piece.
    let place = Place::new(vec![Reply { sends: 250_000, ..Reply::good(&altered) }, Reply::good(&file())]);
    place.check_whole(&place.fetch(known()).unwrap());
    assert_eq!(place.server.ranges(), ["", "250000-", ""]);
    // But not for ever.
    let place = Place::new(vec![Reply { sends: 250_000, tag: Some("\"7\""), ..Reply::good(&altered) }]);
    let error = place.fetch(known()).unwrap_err();
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    assert_eq!(place.server.ranges(), ["", "250000-", "", "250000-"]);
}

#[test]
fn a_size_that_is_not_said_is_checked_by_the_checksum() {
    let silent = |sends| Reply { length: false, ..dropped(sends) };
    let place = Place::new(vec![silent(usize::MAX)]);
    place.check_whole(&place.fetch(None).unwrap());
    let place = Place::new(vec![silent(100_000)]);
    let error = place.fetch(known()).unwrap_err();
    assert!(matches!(error, FetchError::Checksum { bytes: 100_000, .. }), "{error}");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn a_refusal_is_final_and_a_passing_failure_is_not() {
    for status in [400, 401, 403, 404, 410, 204] {
        let place = Place::new(vec![Reply::status(status)]);
        let error = place.fetch(known()).unwrap_err();
        assert!(matches!(error, FetchError::Status { status: found, .. } if found == status), "{error}");
        assert_eq!((place.names(), place.server.ranges().len()), (vec![], 1));
        assert!(!error.to_string().contains('\n'));
    }
    for status in [408, 429, 500, 503] {
        let place = Place::new(vec![Reply::status(status), Reply::good(&file())]);
        place.check_whole(&place.fetch(None).unwrap());
        let place = Place::new(vec![Reply::status(status)]);
        let error = place.fetch(None).unwrap_err();
        assert!(error.to_string().ends_with(&format!(": the server answered {status}")), "{error}");
        assert_eq!((place.names(), place.server.ranges().len()), (vec![], 3));
    }
}

#[test]
fn nobody_answers() {
    let folder = TempDir::new().unwrap();
    // The port is free again once the listener is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = FETCHER.fetch(&format!("http://127.0.0.1:{port}/f.bin"), None, folder.path(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::GivenUp { received: 0, attempts: 3, .. }), "{error}");
    for url in ["f.bin", "http://127.0.0.1", "file:///f.bin", "http://[/f.bin"] {
        let error = FETCHER.fetch(url, None, folder.path(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, FetchError::Url { .. } | FetchError::Request { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn files_that_cannot_be_written_are_named() {
    let place = Place::new(vec![Reply::good(&file())]);
    let in_the_way = place.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let error = FETCHER.fetch(&place.server.url("f.bin"), None, &in_the_way, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, FetchError::File { path, .. } if *path == in_the_way), "{error}");
    let part = place.path().join("f.bin.part");
    let other = OpenOptions::new().write(true).create_new(true).open(&part).unwrap();
    other.lock().unwrap();
    let error = place.fetch(None).unwrap_err();
    assert!(matches!(&error, FetchError::Busy { path } if *path == part), "{error}");
    drop(other);
    place.fetch(None).unwrap();
}

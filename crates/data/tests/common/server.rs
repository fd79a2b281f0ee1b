//! A server of one file, with all that can go wrong.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What one request is answered.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether a request for a part gets that part.
    pub(crate) ranges: bool,
    /// The `ETag`.
    pub(crate) tag: Option<&'static str>,
    /// After so many bytes of the body nothing more comes.
    pub(crate) sends: usize,
    /// Whether the connection then stays open.
    pub(crate) stalls: bool,
    /// Whether the size is said.
    pub(crate) length: bool,
}

impl Reply {
    /// All of `body`, as it should be.
    pub(crate) fn good(body: &[u8]) -> Self {
        let body = body.to_vec();
        Self { status: 200, body, ranges: true, tag: None, sends: usize::MAX, stalls: false, length: true }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::good(b"no") }
    }
}

/// A server whose replies follow each other; the last one repeats.
pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for (k, stream) in listener.incoming().enumerate() {
                let reply = replies[k.min(replies.len() - 1)].clone();
                let seen = Arc::clone(&seen);
                thread::spawn(move || answer(&stream.unwrap(), &reply, &seen));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/sets/{name}", self.address)
    }

    /// The ranges that were asked for, in order; empty where all was.
    pub(crate) fn ranges(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: &TcpStream, reply: &Reply, seen: &Mutex<Vec<String>>) {
    let mut start = 0;
    let mut asked = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap_or_default().to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            asked = range.to_owned();
            start = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    seen.lock().unwrap().push(asked.clone());
    let total = reply.body.len();
    let partial = reply.ranges && !asked.is_empty() && reply.status == 200;
    let (status, range) = match partial {
        true if start >= total => (416, format!("content-range: bytes */{total}\r\n")),
        true => (206, format!("content-range: bytes {start}-{}/{total}\r\n", total - 1)),
        false => (reply.status, String::new()),
    };
    let body = if partial { &reply.body[start.min(total)..] } else { &reply.body[..] };
    let length = if reply.length { format!("content-length: {}\r\n", body.len()) } else { String::new() };
    let tag = reply.tag.map_or_else(String::new, |tag| format!("etag: {tag}\r\n"));
    let head = format!("HTTP/1.1 {status} x\r\n{length}{range}{tag}connection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..reply.sends.min(body.len())]);
    let _ = stream.flush();
    if reply.stalls {
        thread::sleep(Duration::from_secs(20));
    }
}

//! A file server whose behaviour is set by the test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// How a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Correctly.
    Well,
    /// With an HTML page, for every request.
    Page,
    /// With this status.
    Status(u16),
    /// With half of the announced bytes.
    Half,
    /// Correctly, except that archives are cut after this number of bytes.
    CutArchives(usize),
    /// Correctly, except that archives are sent in four pieces with pauses.
    Slow,
    /// Never.
    Silent,
    /// Correctly, except that ranges are ignored.
    Whole,
    /// With an unrequested content encoding.
    Encoded,
    /// With an endless body.
    Endless,
}

/// A server of the files in a directory, with ETags.
pub(crate) struct Server {
    /// The address of the directory.
    pub(crate) address: String,
    manner: Arc<Mutex<Manner>>,
    /// The number of requests.
    pub(crate) asked: Arc<AtomicUsize>,
    /// The number of "not modified" responses.
    pub(crate) unchanged: Arc<AtomicUsize>,
    /// The bytes of files that it sent, without headers.
    pub(crate) sent: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Of the files in `dir`.
    pub(crate) fn of(dir: PathBuf) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/wake/", listener.local_addr().unwrap());
        let manner = Arc::new(Mutex::new(Manner::Well));
        let (asked, unchanged) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let stopped = Arc::<AtomicBool>::default();
        let sent = Arc::default();
        let server = Server { address, manner, asked, unchanged, sent, stopped };
        let (manner, asked) = (server.manner.clone(), server.asked.clone());
        let sent = server.sent.clone();
        let (unchanged, stopped) = (server.unchanged.clone(), server.stopped.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (dir, manner) = (dir.clone(), *manner.lock().unwrap());
                let (asked, unchanged, sent) = (asked.clone(), unchanged.clone(), sent.clone());
                thread::spawn(move || {
                    asked.fetch_add(1, Ordering::Relaxed);
                    // The client may have gone.
                    let _ = answer(stream, &dir, manner, &unchanged, &sent);
                });
            }
        });
        server
    }

    /// Changes its behaviour from now on.
    pub(crate) fn is(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let host = self.address.trim_start_matches("http://").split('/').next().unwrap();
        let _ = TcpStream::connect(host);
    }
}

fn answer(
    mut stream: TcpStream,
    dir: &std::path::Path,
    manner: Manner,
    unchanged: &AtomicUsize,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut tag, mut from, mut same) = (None, 0, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-none-match:") {
            tag = Some(value.trim().to_owned());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-range:") {
            same = Some(value.trim().to_owned());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = value.trim().trim_end_matches('-').parse().unwrap();
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches("/wake/").to_owned();
    let file = dir.join(&path);
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n")
    };
    match manner {
        Manner::Page => {
            let page = b"<html>Welcome</html>";
            stream.write_all(
                head("200 OK", page.len(), "content-type: text/html; charset=utf-8\r\n").as_bytes(),
            )?;
            return stream.write_all(page);
        }
        Manner::Status(status) => {
            // A server that is retried needs time to change its behaviour.
            let after = format!("retry-after: {}\r\n", u8::from(status == 503));
            return stream.write_all(head(&format!("{status} No"), 0, &after).as_bytes());
        }
        Manner::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 65536])?;
            }
        }
        Manner::Silent => loop {
            thread::sleep(std::time::Duration::from_secs(1));
            if stream.write_all(b"").is_err() {
                return Ok(());
            }
        },
        Manner::Well | Manner::Half | Manner::Encoded | Manner::Whole => {}
        Manner::CutArchives(_) | Manner::Slow => {}
    }
    let mut bytes = Vec::new();
    match fs::File::open(&file) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(_) => return stream.write_all(head("404 Not Found", 0, "").as_bytes()),
    };
    let sum = bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let own = format!("\"{}-{sum}\"", bytes.len());
    if tag.as_deref() == Some(&own) {
        unchanged.fetch_add(1, Ordering::Relaxed);
        return stream.write_all(head("304 Not Modified", 0, "").as_bytes());
    }
    let is_part = from > 0 && manner != Manner::Whole && same.is_none_or(|same| same == own);
    if is_part && from >= bytes.len() {
        return stream.write_all(head("416 Range Not Satisfiable", 0, "").as_bytes());
    }
    let from = if is_part { from } else { 0 };
    let (whole, bytes) = (bytes.len(), &bytes[from..]);
    let encoded = if manner == Manner::Encoded { "content-encoding: br\r\n" } else { "" };
    let range = format!("content-range: bytes {from}-{}/{whole}\r\n", whole.saturating_sub(1));
    let (status, range) = if is_part { ("206 Partial Content", &*range) } else { ("200 OK", "") };
    let more = format!("etag: {own}\r\n{encoded}{range}");
    stream.write_all(head(status, bytes.len(), &more).as_bytes())?;
    let length = match manner {
        Manner::Half => bytes.len() / 2,
        Manner::CutArchives(most) if is_archive(&path) => bytes.len().min(most),
        _ => bytes.len(),
    };
    sent.fetch_add(length, Ordering::Relaxed);
    if manner == Manner::Slow && path.ends_with(".tar.zst") {
        for piece in bytes.chunks(bytes.len().div_ceil(4)) {
            stream.write_all(piece)?;
            thread::sleep(std::time::Duration::from_millis(400));
        }
        return Ok(());
    }
    stream.write_all(&bytes[..length])
}

fn is_archive(path: &str) -> bool {
    path.ends_with(".tar.zst") || path.ends_with(".tgz")
}

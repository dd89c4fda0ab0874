//! A registry behind a server of files.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::scene::{Scene, get};

/// How a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As servers of files do.
    Well,
    /// With a page for people, whatever is asked for.
    Page,
    /// With this status.
    Status(u16),
    /// With half of what it says that it will send.
    Half,
    /// With bytes that are encoded, though nobody asked for that.
    Encoded,
    /// With bytes without end.
    Endless,
}

/// A server of the files in a directory, with tags.
struct Server {
    address: String,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<AtomicUsize>,
    unchanged: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    fn of(dir: PathBuf) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/wake/", listener.local_addr().unwrap());
        let manner = Arc::new(Mutex::new(Manner::Well));
        let (asked, unchanged) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let stopped = Arc::<AtomicBool>::default();
        let server = Server { address, manner, asked, unchanged, stopped };
        let (manner, asked) = (server.manner.clone(), server.asked.clone());
        let (unchanged, stopped) = (server.unchanged.clone(), server.stopped.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (dir, manner) = (dir.clone(), *manner.lock().unwrap());
                let (asked, unchanged) = (asked.clone(), unchanged.clone());
                thread::spawn(move || {
                    asked.fetch_add(1, Ordering::Relaxed);
                    // Whoever asked may have gone.
                    let _ = answer(stream, &dir, manner, &unchanged);
                });
            }
        });
        server
    }

    fn is(&self, manner: Manner) {
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
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut tag = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("if-none-match:") {
            tag = Some(value.trim().to_owned());
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
            return stream
                .write_all(head(&format!("{status} No"), 0, "retry-after: 0\r\n").as_bytes());
        }
        Manner::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 65536])?;
            }
        }
        Manner::Well | Manner::Half | Manner::Encoded => {}
    }
    let mut bytes = Vec::new();
    match fs::File::open(&file) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(_) => return stream.write_all(head("404 Not Found", 0, "").as_bytes()),
    };
    let own =
        format!("\"{}-{}\"", bytes.len(), bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>());
    if tag.as_deref() == Some(&own) {
        unchanged.fetch_add(1, Ordering::Relaxed);
        return stream.write_all(head("304 Not Modified", 0, "").as_bytes());
    }
    let encoded = if manner == Manner::Encoded { "content-encoding: br\r\n" } else { "" };
    stream
        .write_all(head("200 OK", bytes.len(), &format!("etag: {own}\r\n{encoded}")).as_bytes())?;
    let sent = if manner == Manner::Half { bytes.len() / 2 } else { bytes.len() };
    stream.write_all(&bytes[..sent])
}

#[test]
fn a_registry_behind_a_server_gives_the_same_lock() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let pkgs = format!("text: {}", get("text", "^2"));
    let (near, far) = (scene.user(&pkgs), scene.user_of(&server.address, &pkgs));
    near.build(&["//app"]);
    far.build(&["//app"]);
    assert_eq!(near.read("wake.lock"), far.read("wake.lock"));
    assert_eq!(far.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    // Asked again, it says that nothing changed.
    far.wake(["update"]).run().success();
    assert_eq!(server.unchanged.load(Ordering::Relaxed), 1);
    scene.publish("text", "2.1.0", "");
    far.wake(["update"]).run().success().mentions("~ acme/text 2.0.1 -> 2.1.0");
    // With nothing to do, and offline, nobody is asked.
    far.build(&["//app"]);
    let before = server.asked.load(Ordering::Relaxed);
    far.build_runs_nothing(&["//app"]);
    far.wake(["build", "//app", "--offline", "--rebuild"]).run().success();
    assert_eq!(server.asked.load(Ordering::Relaxed), before);
}

#[test]
fn n4_answers_that_are_not_what_they_should_be_are_named() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let user = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    for (manner, code, said) in [
        (Manner::Page, 9, "a page for people came instead of the file"),
        (Manner::Encoded, 9, "the answer is encoded"),
        (Manner::Half, 9, "it broke off"),
        (Manner::Endless, 9, "more than 16 MiB come"),
        (Manner::Status(500), 9, "500"),
        (Manner::Status(401), 10, "401"),
        (Manner::Status(403), 10, "403"),
    ] {
        server.is(manner);
        let failed = user.wake(["build", "//app"]).run().code(code);
        failed.mentions("registry `main`: http://127.0.0.1:").mentions(said);
        assert!(!user.path("wake.lock").exists(), "{manner:?}");
    }
    server.is(Manner::Well);
    user.build(&["//app"]);
}

#[test]
fn what_may_do_another_time_is_asked_again() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let user = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    server.is(Manner::Status(503));
    let child = user.json_build(&["//app"]).spawn();
    while server.asked.load(Ordering::Relaxed) < 2 {
        thread::yield_now();
    }
    server.is(Manner::Well);
    assert!(child.wait_with_output().unwrap().status.success());
    let denied = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    server.is(Manner::Status(404));
    let before = server.asked.load(Ordering::Relaxed);
    denied.wake(["build", "//app"]).run().code(9).mentions("there is no registry at");
    // What is not there is not asked for again.
    assert_eq!(server.asked.load(Ordering::Relaxed) - before, 2);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let user = scene.user_of(&address, &format!("text: {}", get("text", "^2")));
    user.wake(["build", "//app"]).run().code(9).mentions(&format!("registry `main`: {address}/"));
}

/// A server that is nobody's of ours.
#[test]
fn any_server_of_files_will_do() {
    if !wake_tests::has_program("python3") {
        return wake_tests::skip("any_server_of_files_will_do", "python3 is not here");
    }
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let serve = "import functools, http.server as h, sys\n\
                 handler = functools.partial(h.SimpleHTTPRequestHandler, directory=sys.argv[1])\n\
                 server = h.ThreadingHTTPServer(('127.0.0.1', 0), handler)\n\
                 print(server.server_port, flush=True)\n\
                 server.serve_forever()\n";
    let mut child = std::process::Command::new("python3")
        .args(["-c", serve])
        .arg(scene.registry())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let address = format!("http://127.0.0.1:{}/", port.trim());
    let user = scene.user_of(&address, &format!("text: {}", get("text", "^2")));
    let built = user.json_build(&["//app"]).run();
    let absent = scene.user_of(&address, &format!("text: {}", get("tone", "^2")));
    let failed = absent.wake(["build", "//app"]).run();
    child.kill().unwrap();
    child.wait().unwrap();
    built.success();
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    failed.code(6).mentions("acme/tone");
}

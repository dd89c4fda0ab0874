//! Interrupted and resumed archives from a container registry.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::containers::Registry;
use crate::scene::{Scene, all_of, get, toml};

/// The size of a file with incompressible bytes.
const LARGE: usize = 1 << 20;

/// A proxy in front of a registry that passes on a number of bytes of each blob, and then closes the connection.
struct Cutter {
    host: String,
    most: Arc<AtomicUsize>,
    /// The bytes of blobs that came through, including headers.
    sent: Arc<AtomicUsize>,
}

impl Cutter {
    fn before(host: &str) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cutter = Cutter {
            host: listener.local_addr().unwrap().to_string(),
            most: Arc::new(AtomicUsize::new(usize::MAX)),
            sent: Arc::default(),
        };
        let (behind, most, sent) = (host.to_owned(), cutter.most.clone(), cutter.sent.clone());
        // It lives as long as the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behind, most, sent) = (behind.clone(), most.clone(), sent.clone());
                // The client may have gone.
                thread::spawn(move || pass(stream, &behind, &most, &sent));
            }
        });
        cutter
    }
}

/// Passes on one request and its response; then closes the connection, so that it is not reused.
fn pass(
    mut client: TcpStream,
    behind: &str,
    most: &AtomicUsize,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let is_blob = head.split(' ').nth(1).is_some_and(|path| path.contains("/blobs/"));
    let mut server = TcpStream::connect(behind)?;
    server.write_all(head.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes())?;
    let most = if is_blob { most.load(Ordering::Relaxed) } else { usize::MAX };
    let passed = std::io::copy(&mut server.take(most as u64), &mut client)?;
    if is_blob {
        sent.fetch_add(passed as usize, Ordering::Relaxed);
    }
    client.shutdown(Shutdown::Both)
}

#[test]
fn an_interrupted_archive_from_a_container_registry_is_resumed() {
    let test = "an_interrupted_archive_from_a_container_registry_is_resumed";
    let scene = Scene::new();
    let base = scene.publisher.base().join("containers");
    let Some(registry) = Registry::start(test, &base, "") else { return };
    scene.publisher.write("wake.toml", toml(&registry.address()));
    scene.write("text", "2.0.1", "", "wc -c < data > out.txt");
    let mut state = 1u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    scene.publisher.write("text/data", (0..LARGE).map(|_| byte()).collect::<Vec<u8>>());
    scene.publisher.wake(["publish", "text", "--no-verify"]).run().success();
    let cutter = Cutter::before(&registry.host);
    let address = format!("oci://{}/wake", cutter.host);
    let pkgs = format!("text: {}", get("text", "^2"));
    let user = || {
        let user = scene.user_of(&address, &pkgs);
        user.wake(["lock"]).run().success();
        cutter.sent.store(0, Ordering::Relaxed);
        user
    };
    // Within one run.
    let patient = user();
    cutter.most.store(300_000, Ordering::Relaxed);
    patient.build(&["//app"]);
    assert_eq!(patient.result_text("//app:app", "out.txt").trim(), LARGE.to_string());
    let sent = cutter.sent.load(Ordering::Relaxed);
    assert!(sent < LARGE + LARGE / 10, "{sent} bytes came of one archive of {LARGE}");
    // In a later run: in this one it never makes enough progress.
    let hasty = user();
    cutter.most.store(120_000, Ordering::Relaxed);
    hasty.wake(["build", "//app"]).run().code(9).mentions("the transfer was interrupted");
    let kept = || {
        let all = all_of(&hasty.store().join("registry"));
        let is_part = |path: &std::path::Path| path.parent().unwrap().ends_with("part");
        all.into_iter().filter(|(path, _)| is_part(path)).collect::<Vec<_>>()
    };
    assert_eq!(kept().len(), 1);
    cutter.most.store(usize::MAX, Ordering::Relaxed);
    hasty.build(&["//app"]);
    assert_eq!(hasty.result_text("//app:app", "out.txt").trim(), LARGE.to_string());
    let sent = cutter.sent.load(Ordering::Relaxed);
    assert!(sent < LARGE + LARGE / 10, "{sent} bytes came of one archive of {LARGE}");
    assert_eq!(kept().len(), 0);
}

//! Servers that only pretend to be a container registry.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

use crate::scene::{Scene, get};

/// `wake:canary7d21` in base64.
const AUTH: &str = "d2FrZTpjYW5hcnk3ZDIx";

/// The end of a response that never ends.
const STALL: &str = "{\"tags\":[\"1.0.0\",";

/// A server that gives the same response to every request, except those for a token.
struct Answering {
    host: String,
    answer: Arc<Mutex<String>>,
    token: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    fn new() -> Answering {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (answer, token, asked) = (Arc::default(), Arc::default(), Arc::default());
        let answering = Answering { host, answer, token, asked };
        let (answer, token) = (answering.answer.clone(), answering.token.clone());
        let asked = answering.asked.clone();
        // It lives as long as the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = [&answer, &token].map(|answer| answer.lock().unwrap().clone());
                let asked = asked.clone();
                // The client may have gone.
                thread::spawn(move || reply(stream, &answers, &asked));
            }
        });
        answering
    }

    fn answers(&self, head: &str, body: &str) {
        *self.answer.lock().unwrap() =
            format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n{body}");
    }

    fn gives_token(&self, token: &str) {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        *self.token.lock().unwrap() = format!("{head}{{\"token\":\"{token}\"}}");
    }

    /// The headers of the requests for a token, and of the others.
    fn asked(&self) -> (String, String) {
        let asked = self.asked.lock().unwrap().clone();
        let (token, other): (Vec<String>, Vec<String>) =
            asked.into_iter().partition(|head| head.starts_with("GET /token"));
        (token.concat(), other.concat())
    }
}

fn reply(
    mut stream: TcpStream,
    [answer, token]: &[String; 2],
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let answer = if head.starts_with("GET /token") { token } else { answer };
    asked.lock().unwrap().push(head);
    stream.write_all(answer.as_bytes())?;
    match answer.ends_with(STALL) {
        true => reader.read_to_end(&mut Vec::new()).map(drop),
        false => Ok(()),
    }
}

#[test]
fn n4_a_server_that_is_not_a_container_registry_is_named() {
    let server = Answering::new();
    let scene = Scene::new();
    let user = scene
        .user_of(&format!("oci://{}/wake", server.host), &format!("text: {}", get("text", "^2")));
    let html = "200 OK\r\ncontent-type: text/html; charset=utf-8";
    for (head, body, code, said) in [
        (
            html,
            "<html>Welcome</html>",
            9,
            "the server returned an HTML page instead of a registry response",
        ),
        ("200 OK\r\ncontent-encoding: gzip", "x", 9, "the response has a content encoding"),
        ("200 OK\r\ncontent-length: 50", "{\"tags\":", 9, "the transfer was interrupted"),
        ("200 OK", "[]", 9, "its tag list is invalid"),
        ("200 OK", &*"x".repeat(17 << 20), 9, "the response is larger than 16 MiB"),
        ("500 No\r\nretry-after: 0", "", 9, "500"),
        ("401 No", "", 10, "401"),
        ("403 No", "", 10, "403"),
        (
            "401 No\r\nwww-authenticate: Bearer realm=\"http://example.org/token\"",
            "",
            9,
            "not encrypted",
        ),
        ("404 No", "", 9, "there is no registry at"),
        (
            "200 OK\r\nlink: <https://example.org/v2/>; rel=\"next\"",
            "{\"tags\":[\"1.0.0\"]}",
            9,
            "continues on another server",
        ),
    ] {
        server.answers(head, body);
        let failed = user.wake(["build", "//app"]).run().code(code);
        failed.mentions(said).mentions(&format!("oci://{}", server.host));
        assert!(!user.path("wake.lock").exists(), "{head}");
    }
    // A list ends when the next page adds nothing.
    server.answers("200 OK\r\nlink: </v2/next>; rel=\"next\"", "{\"tags\":[\"latest\"]}");
    user.wake(["build", "//app"]).run().code(6).mentions("acme/text");
}

/// Every byte may take half a minute.
#[test]
fn n4_a_stalled_registry_is_named() {
    let server = Answering::new();
    let scene = Scene::new();
    let pkgs = format!("text: {}", get("text", "^2"));
    let user = scene.user_of(&format!("oci://{}/wake", server.host), &pkgs);
    server.answers("200 OK\r\ncontent-length: 5000", STALL);
    user.wake(["build", "//app"]).run().code(9).mentions("acme/text: the transfer was interrupted");
}

#[test]
fn a_login_is_not_sent_to_foreign_token_servers() {
    for is_elsewhere in [false, true] {
        let server = Answering::new();
        let tokens = if is_elsewhere { &Answering::new() } else { &server };
        let scene = Scene::new();
        let pkgs = format!("text: {}", get("text", "^2"));
        let user = scene.user_of(&format!("oci://{}/wake", server.host), &pkgs);
        let file = user.base().join("auth.json");
        let auths = json!({ "auths": { server.host.as_str(): { "auth": AUTH } } });
        fs::write(&file, auths.to_string()).unwrap();
        let realm = format!("http://{}/token", tokens.host);
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\",scope=\"a:b c\"");
        server.answers(&format!("401 No\r\nwww-authenticate: {challenge}"), "");
        tokens.gives_token("token5e2f");
        let failed = user.wake(["build", "//app"]).env("REGISTRY_AUTH_FILE", &file).run().code(10);
        let by = ["used the login from `", "` was not sent to the token server "];
        let failed = failed.mentions("401").mentions(by[usize::from(is_elsewhere)]);
        assert!(!failed.stderr.contains(AUTH) && !failed.stderr.contains("token5e2f"));
        let (for_token, _) = tokens.asked();
        assert!(for_token.contains("GET /token?service=s&scope=a:b%20c "), "{for_token}");
        assert_eq!(for_token.contains(&format!("Basic {AUTH}")), !is_elsewhere, "{for_token}");
        let (_, others) = server.asked();
        assert!(others.contains("Bearer token5e2f") && !others.contains(AUTH), "{others}");
    }
}

//! Logins for registries: where they are stored, where they are sent, and that they are never shown.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use wake_tests::{Finished, Project, Wake};

use crate::scene::{Scene, all_of, get, toml};

/// What must never be shown: a password, the password with its name in base64, and a token.
const PASSWORD: &str = "canary7d21";
const AUTH: &str = "d2FrZTpjYW5hcnk3ZDIx";
const TOKEN: &str = "tokencanary93";

/// A file server that requires one of these, and records requests.
struct Guarded {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
    elsewhere: Arc<Mutex<Option<String>>>,
}

impl Guarded {
    fn of(dir: PathBuf) -> Guarded {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = Guarded { host, asked: Arc::default(), elsewhere: Arc::default() };
        let (asked, elsewhere) = (server.asked.clone(), server.elsewhere.clone());
        // It lives as long as the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (dir, asked, elsewhere) = (dir.clone(), asked.clone(), elsewhere.clone());
                // The client may have gone.
                thread::spawn(move || answer(stream, &dir, &asked, &elsewhere));
            }
        });
        server
    }

    fn address(&self) -> String {
        format!("http://{}/wake", self.host)
    }

    fn asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap()).concat()
    }
}

fn answer(
    mut stream: TcpStream,
    dir: &Path,
    asked: &Mutex<Vec<String>>,
    elsewhere: &Mutex<Option<String>>,
) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let said = [format!("Basic {AUTH}"), format!("Bearer {TOKEN}")];
    let is_let_in = said.iter().any(|said| head.contains(said.as_str()));
    asked.lock().unwrap().push(head);
    let elsewhere = elsewhere.lock().unwrap().clone();
    if let Some(elsewhere) = elsewhere {
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: {elsewhere}{path}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        );
        return stream.write_all(head.as_bytes());
    }
    let file = fs::read(dir.join(path.trim_start_matches("/wake/")));
    let (status, bytes) = match file {
        _ if !is_let_in => ("401 Unauthorized", Vec::new()),
        Ok(bytes) => ("200 OK", bytes),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = bytes.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nwww-authenticate: Basic realm=\"wake\"\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&bytes)
}

/// Checks that none of these appears in the output, the checkout, the store, or what commands saw.
#[track_caller]
fn is_hidden(finished: Finished, user: &Project) -> Finished {
    let secrets = [PASSWORD, AUTH, TOKEN];
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!secrets.iter().any(|secret| said.contains(secret)), "{said}");
    for dir in [user.root().to_owned(), user.store()] {
        if !dir.exists() {
            continue;
        }
        for (path, bytes) in all_of(&dir) {
            let holds =
                |secret: &&str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!secrets.iter().any(holds), "{}", path.display());
        }
    }
    finished
}

fn written(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// A user whose step prints everything it can see of its environment.
fn user(scene: &Scene, address: &str) -> Project {
    let user = scene.user_of(address, &format!("text: {}", get("text", "^1")));
    user.write_script(
        "app/app.sh",
        "#!/bin/sh\nset -eu\nenv >&2\ncat /proc/*/environ >&2 2>/dev/null || :\ncat \"$@\" > out.txt\n",
    );
    user
}

fn build(user: &Project) -> Wake {
    user.wake(["--message-format", "json", "build", "//app", "-v"])
}

#[test]
fn n3_logins_are_found_in_order_and_never_shown() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let server = Guarded::of(scene.registry());
    let address = server.address();
    let config = |user: &Project, text: &str, mode: u32| {
        written(&user.base().join("home/.config/wake"), "credentials.toml", text, mode)
    };
    let without = user(&scene, &address);
    let failed = is_hidden(without.wake(["lock"]).run().code(10), &without);
    let said = failed.redacted_stderr().replace(&server.host, "[HOST]");
    assert_eq!(
        said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>(),
        [
            "error: registry `main`: http://[HOST]/wake/index/acme/text.jsonl: 401 Unauthorized; no login was found",
            "help: run `wake login main` to store a login",
        ]
    );
    // The environment variable, with a token and with a name.
    for (value, heard) in [
        (TOKEN.to_owned(), format!("Bearer {TOKEN}")),
        (format!("wake:{PASSWORD}"), format!("Basic {AUTH}")),
    ] {
        let user = user(&scene, &address);
        server.asked();
        is_hidden(build(&user).env("WAKE_TOKEN_MAIN", value).run().success(), &user);
        assert!(server.asked().contains(&heard));
        assert_eq!(user.result_text("//app:app", "out.txt"), "text 1.0.0\n");
    }
    let wrong = user(&scene, &address);
    let failed = build(&wrong).env("WAKE_TOKEN_MAIN", "wake:wrong").run().code(10);
    let failed = is_hidden(failed, &wrong);
    assert!(failed.stdout.contains("used the login from `WAKE_TOKEN_MAIN`"), "{}", failed.stdout);
    assert!(!failed.stdout.contains("wrong"), "{}", failed.stdout);
    // wake's own file: for this address and everything below it, and no other.
    let table = |address: &str| format!("[\"{address}\"]\ntoken = \"{TOKEN}\"\n");
    let own = user(&scene, &address);
    config(&own, &table(&address), 0o600);
    is_hidden(build(&own).run().success(), &own);
    for elsewhere in [
        format!("https://{}/wake", server.host),
        format!("{address}/x"),
        "http://127.0.0.1".to_owned(),
    ] {
        let other = user(&scene, &address);
        config(&other, &table(&elsewhere), 0o600);
        server.asked();
        is_hidden(build(&other).run().code(10), &other);
        assert!(!server.asked().contains("authorization"), "{elsewhere}");
    }
    let open = user(&scene, &address);
    config(&open, &table(&address), 0o644);
    let failed = is_hidden(open.wake(["lock"]).run().code(10), &open);
    assert_eq!(
        failed
            .redacted_stderr()
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>(),
        [
            "error: `[BASE]/home/.config/wake/credentials.toml`: it contains logins but is accessible to other users",
            "help: run `chmod 600 [BASE]/home/.config/wake/credentials.toml`, and change the passwords if others may have read them",
        ]
    );
    // Other programs' logins for file servers.
    let netrc = user(&scene, &address);
    let text = format!("machine 127.0.0.1 login wake password {PASSWORD}\n");
    written(&netrc.base().join("home"), ".netrc", &text, 0o600);
    is_hidden(build(&netrc).run().success(), &netrc);
    // If there is nothing to do, no file is read, even if it is unreadable.
    config(&netrc, "nonsense", 0o644);
    netrc.build_runs_nothing(&["//app"]);
}

#[test]
fn n2_a_login_is_sent_only_to_its_registry() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let (first, second) = (Guarded::of(scene.registry()), Guarded::of(scene.registry()));
    *first.elsewhere.lock().unwrap() = Some(format!("http://{}", second.host));
    let user = user(&scene, &first.address());
    let failed = build(&user).env("WAKE_TOKEN_MAIN", TOKEN).run().code(10);
    is_hidden(failed, &user);
    assert!(first.asked().contains(TOKEN));
    let heard = second.asked();
    assert!(heard.contains("GET /wake/") && !heard.contains("uthorization"), "{heard}");
    // Nor over an unencrypted connection: the address is on this machine, but its name does not say so.
    let name = format!("http://{}.localdomain:1/wake", "localhost");
    let far = self::user(&scene, &name);
    let failed = build(&far).env("WAKE_TOKEN_MAIN", TOKEN).env("http_proxy", first.address()).run();
    is_hidden(failed, &far);
    assert!(!first.asked().contains(TOKEN));
}

#[test]
fn n3_credential_helpers_are_used_and_never_quoted() {
    let scene = Scene::new();
    let server = Guarded::of(scene.registry());
    let host = &server.host;
    let user =
        scene.user_of(&format!("oci://{host}/wake"), &format!("text: {}", get("text", "^1")));
    let bin = user.base().join("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let stub = |script: &str| {
        let temporary = written(&bin, "new", &format!("#!/bin/sh\n{script}\n"), 0o755);
        let copied = std::process::Command::new("cp")
            .arg("-p")
            .arg(temporary)
            .arg(bin.join("docker-credential-stub"))
            .status();
        assert!(copied.unwrap().success());
    };
    let config = |value: serde_json::Value| {
        written(&user.base().join("home/.docker"), "config.json", &value.to_string(), 0o600)
    };
    let run =
        || is_hidden(build(&user).env("PATH", &path).env("WAKE_TOKEN_OTHER", TOKEN).run(), &user);
    // `oci.rs` tests Debian's registry; this test checks which server receives what.
    *server.elsewhere.lock().unwrap() = None;
    let log = user.base().join("asked");
    stub(&format!(
        "cat > {0}; env >> {0}; echo '{{\"Username\":\"wake\",\"Secret\":\"{PASSWORD}\"}}'",
        log.display()
    ));
    for file in [
        json!({ "credHelpers": { host.as_str(): "stub" }, "auths": { host.as_str(): { "auth": "d3Jvbmc6d3Jvbmc=" } } }),
        json!({ "credsStore": "stub" }),
    ] {
        config(file);
        let asked = challenged(&run, &server);
        assert!(asked.contains(&format!("Basic {AUTH}")), "{asked}");
        let seen = fs::read_to_string(&log).unwrap();
        assert!(seen.starts_with(host.as_str()) && !seen.contains(TOKEN), "{seen}");
    }
    config(json!({ "auths": { host.as_str(): { "auth": AUTH } }, "credsStore": "absent" }));
    assert!(challenged(&run, &server).contains(&format!("Basic {AUTH}")));
    for (script, said) in [
        (
            format!("echo {PASSWORD}; echo {PASSWORD} >&2; exit 2"),
            "credential helper `docker-credential-stub` failed",
        ),
        (
            format!("echo {PASSWORD}"),
            "credential helper `docker-credential-stub` returned no valid login",
        ),
    ] {
        stub(&script);
        config(json!({ "credsStore": "stub" }));
        let failed = run().code(10);
        assert!(failed.stdout.contains(said), "{}", failed.stdout);
    }
    config(json!({ "credsStore": "gone" }));
    assert!(
        run()
            .code(10)
            .stdout
            .contains("credential helper `docker-credential-gone` is not in `PATH`")
    );
}

/// What a server receives when it demands authentication.
fn challenged(run: &dyn Fn() -> Finished, server: &Guarded) -> String {
    server.asked();
    run();
    server.asked()
}

/// A call with a text on its standard input.
fn told(call: &Wake, text: &str, user: &Project) -> Finished {
    let mut child = call.command().stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let finished = call.finished(child.wait_with_output().unwrap());
    is_hidden(finished, user)
}

#[test]
fn n3_login_records_a_valid_login_and_logout_removes_it() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let server = Guarded::of(scene.registry());
    let user = user(&scene, &server.address());
    let file = user.base().join("home/.config/wake/credentials.toml");
    let log_in = user.wake(["login", "main", "--username", "wake"]);
    let refused = told(&log_in, "wrong\n", &user).code(10);
    refused.mentions("401 Unauthorized; used the login from the input");
    assert!(!file.exists());
    told(&log_in, &format!("{PASSWORD}\n"), &user).success().mentions("Saved the login for `main`");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    is_hidden(build(&user).run().success(), &user);
    told(&user.wake(["login", "main"]), TOKEN, &user).success();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("[\"{}\"]\ntoken = \"{TOKEN}\"\n", server.address())
    );
    user.wake(["logout", "main"]).run().success().mentions("Forgot the login for `main`");
    user.wake(["logout", "main"])
        .run()
        .success()
        .mentions("nothing: no login for `main` was saved");
    user.wake(["update"]).run().code(10);
    told(&user.wake(["login", "main"]), "", &user)
        .code(2)
        .mentions("cannot read the login: empty input");
    told(&user.wake(["login", "mian"]), TOKEN, &user).code(2).mentions("did you mean `main`?");
    user.write("wake.toml", toml("file:../registry"));
    told(&user.wake(["login", "main"]), TOKEN, &user).code(2).mentions("a directory needs none");
    user.write("wake.toml", toml("http://example.org/wake"));
    told(&user.wake(["login", "main"]), TOKEN, &user)
        .code(2)
        .mentions("the connection to it is not encrypted");
}

/// A server that answers the header of each request by a function, and records requests.
fn serve(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let asked = Arc::<Mutex<String>>::default();
    let heard = asked.clone();
    // It lives as long as the process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
            heard.lock().unwrap().push_str(&head);
            let _ = stream.write_all(answer(&head).as_bytes());
        }
    });
    (host, asked)
}

fn answered(status: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{more}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A token server on another host receives a login only after `wake login` has recorded it.
#[test]
fn n3_a_foreign_token_server_needs_a_recorded_login() {
    let (tokens, heard) = serve(|head| match head.contains(AUTH) {
        true => answered("200 OK", "", "{\"token\":\"given5e2f\"}"),
        false => answered("401 No", "", ""),
    });
    let realm =
        format!("www-authenticate: Bearer realm=\"http://{tokens}/token\",service=\"s\"\r\n");
    let (host, _) = serve(move |head| match head.contains("Bearer given5e2f") {
        true if head.starts_with("GET /v2/ ") => answered("200 OK", "", "{}"),
        true => answered("200 OK", "", "{\"tags\":[]}"),
        false => answered("401 No", &realm, ""),
    });
    let scene = Scene::new();
    let user =
        scene.user_of(&format!("oci://{host}/wake"), &format!("text: {}", get("text", "^1")));
    let table = format!("[\"oci://{host}\"]\nusername = \"wake\"\npassword = \"{PASSWORD}\"\n");
    let file = written(&user.base().join("home/.config/wake"), "credentials.toml", &table, 0o600);
    let denied = is_hidden(user.wake(["lock"]).run().code(10), &user);
    denied
        .mentions(&format!("credentials.toml` was not sent to the token server {tokens}"))
        .mentions("which `wake login` has not recorded for it");
    assert!(!heard.lock().unwrap().contains("uthorization"));
    let log_in = user.wake(["login", "main", "-u", "wake"]);
    told(&log_in, &format!("{PASSWORD}\n"), &user)
        .success()
        .mentions(&format!("{tokens} issues tokens for `main` and will be sent the login"));
    let noted = fs::read_to_string(&file).unwrap();
    assert!(noted.ends_with(&format!("token-server = \"{tokens}\"\n")), "{noted}");
    // The login is now accepted, and there is no such package.
    is_hidden(user.wake(["lock"]).run().code(6), &user);
    assert!(heard.lock().unwrap().contains(AUTH));
}

/// A mirror is another location, whatever the name of its registry.
#[test]
fn n3_a_login_in_a_variable_is_not_sent_to_mirrors() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let (server, mirror) = (Guarded::of(scene.registry()), Guarded::of(scene.registry()));
    let user = user(&scene, &server.address());
    let text = format!("[mirrors]\nmain = \"{}\"\n", mirror.address());
    written(&user.base().join("home/.config/wake"), "config.toml", &text, 0o600);
    let built = build(&user).env("WAKE_TOKEN_MAIN", TOKEN).run().success();
    is_hidden(built, &user);
    let heard = mirror.asked();
    assert!(heard.contains("GET /wake/") && !heard.contains("uthorization"), "{heard}");
    assert!(server.asked().contains(TOKEN));
}

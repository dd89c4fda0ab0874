//! Files and trees from other machines, identified by their digests. The server is Python's.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use wake_tests::{Expect, Finished, Project, expect, has_program, project, skip};

/// A server of the directory `served` of a project; it stops on drop.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn of(project: &Project) -> Server {
        let code = "import functools, http.server, sys\n\
                    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])\n\
                    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)\n\
                    print(server.server_address[1], flush=True)\n\
                    server.serve_forever()\n";
        Server::running(code, &project.base().join("served"))
    }

    /// Runs the server `code`, which gets a directory and prints its port.
    fn running(code: &str, dir: &Path) -> Server {
        let mut command = Command::new("python3");
        command.args(["-c", code]).arg(dir).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Server { child, port: line.trim().parse().unwrap() }
    }

    /// The errors, without the port number and the final line of a failed build.
    fn said(&self, run: &Finished) -> String {
        let said = run.redacted_stderr().replace(&format!(":{}/", self.port), ":PORT/");
        said.lines().filter(|line| !line.starts_with('[')).map(|line| format!("{line}\n")).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A project next to `served/words.txt`, and `served/kit.tar.gz` with `kit-1/bin/hello` and `kit-1/words`.
fn with_served() -> Project {
    let project = project().file("wake.toml", "").build();
    let served = project.base().join("served");
    fs::create_dir_all(served.join("kit-1/bin")).unwrap();
    fs::write(served.join("words.txt"), "one two\n").unwrap();
    fs::write(served.join("kit-1/words"), "kit\n").unwrap();
    project.write_script("../served/kit-1/bin/hello", "#!/bin/sh\necho hello > out.txt\n");
    let tar =
        Command::new("tar").args(["-czf", "kit.tar.gz", "kit-1"]).current_dir(&served).status();
    assert!(tar.unwrap().success());
    project
}

fn sha256(project: &Project, name: &str) -> String {
    let path = project.base().join("served").join(name);
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// A package `//` whose module `m` runs `exec`, with `what` as `fetched`.
fn step(project: &Project, what: &str, exec: &str) {
    project.write(
        "PKG.libsonnet",
        format!(
            "function(wake)\n  local fetched = {what};\n  wake.pkg(\n    wake.pkgInfo('root', '1.0.0'),\n    modules={{\n      \
             m: function(wake, pkg) wake.module('m', outputs=function(wake, pkg) {{ text: './out.txt' }}, exec={exec}),\n    }},\n  )\n"
        ),
    );
}

const COPY: &str = "wake.exec(wake.program('cp'), args=[fetched, 'out.txt'])";

#[test]
fn a_file_is_fetched_only_once() {
    let project = with_served();
    let server = Server::of(&project);
    let digest = sha256(&project, "words.txt");
    let what = format!("wake.fetch('{}', sha256='{digest}')", server.url("words.txt"));
    step(&project, &what, COPY);
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    assert_eq!(project.result_text("//:m", "out.txt"), "one two\n");
    drop(server);
    // Also without the snapshot, and for another command.
    fs::remove_dir_all(project.path(".wake")).unwrap();
    project.build_runs_nothing(&[]);
    step(
        &project,
        &what,
        "wake.exec(wake.program('tee'), args=['out.txt'], env={ WORDS: fetched })",
    );
    assert_eq!(project.json_build(&["--offline"]).run().success().events().ran(), ["//:m"]);
}

#[test]
fn programs_of_an_unpacked_archive_run() {
    let project = with_served();
    let server = Server::of(&project);
    let digest = sha256(&project, "kit.tar.gz");
    let url = server.url("kit.tar.gz");
    let what = format!("wake.fetch('{url}', sha256='{digest}', unpack=true, strip=1)");
    step(
        &project,
        &what,
        "wake.exec(wake.program('cp'), args=[fetched { path+: 'words' }, 'out.txt'])",
    );
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "kit\n");
    step(&project, &what, "wake.exec(fetched { path+: 'bin/hello' })");
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "hello\n");
    let what = format!("wake.fetch('{url}', sha256='{digest}', unpack=true, strip=2)");
    step(
        &project,
        &what,
        "wake.exec(wake.program('cp'), args=[fetched { path+: 'words' }, 'out.txt'])",
    );
    project.wake(["build"]).run().code(5).mentions("`strip` is 2, but the top of the archive");
}

#[test]
fn a_fetched_tree_can_be_the_root() {
    if !wake_tests::has_busybox("a root file system that is fetched") {
        return;
    }
    let project = with_served();
    let served = project.base().join("served");
    fs::create_dir_all(served.join("root/bin")).unwrap();
    fs::copy("/bin/busybox", served.join("root/bin/busybox")).unwrap();
    let tar = Command::new("tar")
        .args(["-cf", "root.tar", "-C", "root", "."])
        .current_dir(&served)
        .status();
    assert!(tar.unwrap().success());
    let server = Server::of(&project);
    let digest = sha256(&project, "root.tar");
    let what = format!("wake.fetch('{}', sha256='{digest}', unpack=true)", server.url("root.tar"));
    step(
        &project,
        &what,
        "wake.exec(wake.program('busybox'), args=['touch', 'out.txt'], rootfs=fetched)",
    );
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
}

#[test]
fn a_fetched_file_of_a_dependency_is_an_input() {
    let project = with_served();
    let server = Server::of(&project);
    let digest = sha256(&project, "words.txt");
    project.write(
        "lib/PKG.libsonnet",
        format!(
            "function(wake) wake.pkg(\n  wake.pkgInfo('lib', '1.0.0'),\n  inputs=function(wake, pkg) {{ words: wake.fetch('{}', sha256='{digest}') }},\n)\n",
            server.url("words.txt")
        ),
    );
    project.write(
        "PKG.libsonnet",
        "function(wake)\n  wake.pkg(\n    wake.pkgInfo('root', '1.0.0'),\n    pkgs={ lib: wake.getPkg(wake.pkgInfo('lib', '*'), from='./lib') },\n    modules={\n      \
         m: function(wake, pkg) wake.module('m', outputs=function(wake, pkg) { text: './out.txt' },\n        \
         files=function(wake, module) [wake.file('./here', from='pkg.lib.input.words')],\n        \
         exec=wake.exec(wake.program('cp'), args=['here', 'out.txt'])),\n    },\n  )\n",
    );
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "one two\n");
}

#[test]
fn the_next_address_is_tried_if_the_first_fails() {
    let project = with_served();
    let server = Server::of(&project);
    let digest = sha256(&project, "words.txt");
    let (gone, there) = (server.url("gone.txt"), server.url("words.txt"));
    step(&project, &format!("wake.fetch(['{gone}', '{there}'], sha256='{digest}')"), COPY);
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "one two\n");
}

/// The mirrors of addresses below `https://files.example.org/pub/`, in this order.
fn mirrors(project: &Project, of_person: &[String], of_workspace: &[String]) {
    let table = |places: &[String]| match places {
        [] => String::new(),
        places => format!("[mirrors]\n\"https://files.example.org/pub/\" = {places:?}\n"),
    };
    project.write("wake.toml", table(of_workspace));
    project.write("../home/.config/wake/config.toml", table(of_person));
}

#[test]
fn mirrors_are_tried_first_and_their_files_verified() {
    let project = with_served();
    let server = Server::of(&project);
    let digest = sha256(&project, "words.txt");
    // There is no such machine.
    let what = format!("wake.fetch('https://files.example.org/pub/words.txt', sha256='{digest}')");
    step(&project, &what, COPY);
    let other = project.base().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("words.txt"), "something else\n").unwrap();
    let (there, wrong) = (server.url(""), format!("file://{}", other.display()));
    let gone = format!("file://{}", project.base().join("gone").display());

    // Wrong or missing files are skipped; the user's mirrors come first.
    mirrors(&project, &[wrong.clone(), gone.clone()], std::slice::from_ref(&there));
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "one two\n");

    // If no address has the file, each result is reported; a wrong file takes precedence over an unreachable server.
    fs::remove_dir_all(project.store()).unwrap();
    fs::remove_dir_all(project.path(".wake")).unwrap();
    mirrors(&project, &[gone], std::slice::from_ref(&wrong));
    let failed = project.wake(["build", "--offline"]).run().code(7);
    failed
        .mentions("gone/words.txt: No such file or directory")
        .mentions("other/words.txt: its SHA-256 is")
        .mentions("https://files.example.org/pub/words.txt: ");

    // A directory is not another machine, so it is used even offline.
    let served = format!("file:{}", project.base().join("served").display());
    mirrors(&project, &[], &[there, served]);
    project.json_build(&["--offline"]).run().success();
    assert_eq!(project.result_text("//:m", "out.txt"), "one two\n");

    // Without a digest nothing can be verified, so no mirror is asked for it.
    let undigested = "wake.fetch('https://files.example.org/pub/words.txt')";
    step(&project, undigested, COPY);
    let failed = project.wake(["build", "--offline"]).run().code(5);
    failed.mentions("write the digest published by its authors");
}

#[test]
fn invalid_mirrors_are_errors() {
    let project = with_served();
    let said = |line: &str| {
        project.write("wake.toml", format!("[mirrors]\n{line}\n"));
        project.wake(["ls"]).run().code(2).redacted_stderr()
    };
    expect![[r#"
        error: `https://example.org/pub` is not an address prefix
         --> wake.toml:2:1
          |
        2 | "https://example.org/pub" = "file:/srv"
          | ^^^^^^^^^^^^^^^^^^^^^^^^^
          help: use a prefix with `https://` or `http://` that ends with `/`: `"https://example.org/pub/"`
    "#]].assert_eq(&said("\"https://example.org/pub\" = \"file:/srv\""));
    expect![[r#"
        error: `acme` is not an address prefix
         --> wake.toml:2:1
          |
        2 | acme = "file:/srv"
          | ^^^^
          help: use a prefix with `https://` or `http://` that ends with `/`: `"https://example.org/pub/"`
    "#]].assert_eq(&said("acme = \"file:/srv\""));
    expect![[r#"
        error: `/srv` is not a place of files: `https:`, `http:` or `file:`
         --> wake.toml:2:26
          |
        2 | "https://example.org/" = ["/srv"]
          |                          ^^^^^^^^
    "#]]
    .assert_eq(&said("\"https://example.org/\" = [\"/srv\"]"));
    expect![[r#"
        error: invalid type: integer `3`, expected an address or a list of them
         --> wake.toml:2:26
          |
        2 | "https://example.org/" = 3
          |                          ^
    "#]]
    .assert_eq(&said("\"https://example.org/\" = 3"));
}

#[test]
fn fetch_errors_name_the_fault() {
    let project = with_served();
    let server = Server::of(&project);
    let digest = sha256(&project, "words.txt");
    let url = server.url("words.txt");
    let fails = |what: &str, code: i32, expected: Expect| {
        step(&project, what, COPY);
        let run = project.wake(["build"]).run().code(code);
        expected.assert_eq(&server.said(&run).replace(&digest, "SHA-256"));
        run
    };
    let other = "0".repeat(64);
    let run = fails(
        &format!("wake.fetch('{url}', sha256='{other}')"),
        7,
        expect![[r#"
        error: //:m: http://127.0.0.1:PORT/words.txt: its SHA-256 is [DIGEST]
         --> PKG.libsonnet:2:19
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/words.txt', sha256='[DIGEST]');
          |                   ^^^^^^^^^^
          help: `sha256` is [DIGEST]: correct it, or the address
        failed: //:m
    "#]],
    );
    assert!(run.stderr.contains(&format!("its SHA-256 is {digest}")), "{run}");
    let run = fails(
        &format!("wake.fetch('{url}')"),
        5,
        expect![[r#"
        error: //:m: `http://127.0.0.1:PORT/words.txt` is fetched without a digest
         --> PKG.libsonnet:2:19
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/words.txt');
          |                   ^^^^^^^^^^
          help: if this is the right content, write `sha256='[DIGEST]'`
        failed: //:m
    "#]],
    );
    assert!(run.stderr.contains(&format!("write `sha256='{digest}'`")), "{run}");
    let of = |url: &str, more: &str| format!("wake.fetch('{url}', sha256='{digest}'{more})");
    fails(
        &of(&server.url("gone"), ""),
        9,
        expect![[r#"
        error: //:m: http://127.0.0.1:PORT/gone: HTTP status 404 Not Found
         --> PKG.libsonnet:2:19
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/gone', sha256='[DIGEST]');
          |                   ^^^^^^^^^^
          help: more addresses can be given: `wake.fetch([url, mirror], …)`
        failed: //:m
    "#]],
    );
    fails(
        &of(&server.url("kit-1/"), ""),
        7,
        expect![[r#"
        error: //:m: http://127.0.0.1:PORT/kit-1/: its SHA-256 is [DIGEST], and it is a web page
         --> PKG.libsonnet:2:19
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/kit-1/', sha256='[DIGEST]');
          |                   ^^^^^^^^^^
          help: `sha256` is [DIGEST]: correct it, or the address
        failed: //:m
    "#]],
    );
    fails(
        &of(&url, ", unpack=true"),
        5,
        expect![[r#"
        error: //:m: the archive is truncated after 8 bytes
         --> PKG.libsonnet:2:19
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/words.txt', sha256='[DIGEST]', unpack=true);
          |                   ^^^^^^^^^^
        failed: //:m
    "#]],
    );
    fails(
        "wake.fetch('ftp://x/y', sha256=null)",
        5,
        expect![[r#"
        error: `ftp://x/y` is not an address that starts with `https://` or `http://`
         --> PKG.libsonnet:2:30
          |
        2 |   local fetched = wake.fetch('ftp://x/y', sha256=null);
          |                              ^^^^^^^^^^^
          = note: exec() is called at PKG.libsonnet:6:103
          = note: evaluated for `//:m`
    "#]],
    );
    fails(
        &format!("wake.fetch('{url}', sha256='ABC')"),
        5,
        expect![[r#"
        error: `sha256` of fetch() must be 64 lower-case hexadecimal digits
         --> PKG.libsonnet:2:73
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/words.txt', sha256='ABC');
          |                                                                         ^^^^^
          = note: exec() is called at PKG.libsonnet:6:103
          = note: evaluated for `//:m`
    "#]],
    );
    fails(
        &format!("wake.fetch('{url}', strip=1)"),
        5,
        expect![[r#"
        error: `strip` of fetch() requires `unpack=true`
         --> PKG.libsonnet:2:72
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/words.txt', strip=1);
          |                                                                        ^
          = note: exec() is called at PKG.libsonnet:6:103
          = note: evaluated for `//:m`
    "#]],
    );
    step(&project, &of(&url, ""), COPY);
    let offline = project.wake(["build", "--offline"]).run().code(9);
    expect![[r#"
        error: //:m: http://127.0.0.1:PORT/words.txt: network access is disabled (offline)
         --> PKG.libsonnet:2:19
          |
        2 |   local fetched = wake.fetch('http://127.0.0.1:PORT/words.txt', sha256='[DIGEST]');
          |                   ^^^^^^^^^^
          help: run without `--offline` to fetch it and keep it in the store
        failed: //:m
    "#]]
    .assert_eq(&server.said(&offline));
}

/// Answers every request over TLS with a redirect to an unencrypted address.
const REDIRECTS: &str = "import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header('Location', 'http://127.0.0.1:9/words.txt')
        self.send_header('Content-Length', '0')
        self.end_headers()
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '/cert.pem', sys.argv[1] + '/key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
";

#[test]
fn a_redirect_to_an_unencrypted_address_is_refused() {
    if !has_program("openssl") {
        return skip("a_redirect_to_an_unencrypted_address_is_refused", "needs openssl");
    }
    let project = with_served();
    let dir = project.base().join("served");
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 \
        -subj '/CN=test authority' -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=localhost
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > extensions
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out cert.pem";
    let made = Command::new("sh").args(["-ec", script]).current_dir(&dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let server = Server::running(REDIRECTS, &dir);
    let url = server.url("words.txt").replace("http:", "https:");
    let digest = sha256(&project, "words.txt");
    step(&project, &format!("wake.fetch('{url}', sha256='{digest}')"), COPY);
    let run = project.wake(["build"]).env("SSL_CERT_FILE", dir.join("ca.pem")).run().code(9);
    expect![[r#"
        error: //:m: https://127.0.0.1:PORT/words.txt: it redirects to `http://127.0.0.1:9/words.txt`, which is not encrypted and is not followed
         --> PKG.libsonnet:2:19
          |
        2 |   local fetched = wake.fetch('https://127.0.0.1:PORT/words.txt', sha256='[DIGEST]');
          |                   ^^^^^^^^^^
          help: more addresses can be given: `wake.fetch([url, mirror], …)`
        failed: //:m
    "#]].assert_eq(&server.said(&run));
}

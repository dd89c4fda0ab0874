//! Network access of retrievers: granted, or not available.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wake_tests::{Project, expect};

use crate::scene::{app, asked, get_by, local, shown, tool};

/// A server on the loopback device that sends a word, and the number of requests.
fn server() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"from the network\n");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 16]);
        }
    });
    (port, count)
}

/// `//app` with a package that an exec of `//tool` gets from a server; `//tool` is declared with `granted`.
fn scene(port: u16, granted: &str) -> Project {
    let project =
        app(&[local("tool", granted), get_by("tool", "a", "*", ", network=true")]).build();
    let body = format!(
        "import socket\nwith socket.create_connection(('127.0.0.1', {port}), timeout=20) as there:\n    \
         said = there.makefile().read()\nanswer(package(asked['requests'][0], data=said))"
    );
    tool(&project, "tool", "", &body);
    project
}

const GRANTED: &str = ", permissions=['network']";

#[test]
fn calls_with_network_permission_are_not_cached() {
    let (port, count) = server();
    let project = scene(port, GRANTED);
    assert_eq!(asked(&project.build(&["//app"])), [("//tool".to_owned(), 1)]);
    assert_eq!((shown(&project), count.load(Ordering::SeqCst)), ("from the network\n".into(), 1));
    // Locked packages are in the store; calls with network access are not cached.
    project.build_runs_nothing(&["//app"]);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    project.wake(["update", "x/a"]).run().success();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn a_missing_permission_is_reported_with_where_to_grant_it() {
    let (port, count) = server();
    let project = scene(port, "");
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: retriever //tool asks for the network without permission
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve', network=true)),
          |          ^^^^^^^^^^^
          help: grant it where //app gets it at app/PKG.libsonnet:6:13: `permissions=['network']`
               Error 1 error in [TIME]
    "#]]);
    // The chain begins with the root.
    let project = scene(port, GRANTED);
    project.write(
        "PKG.libsonnet",
        "function(wake)\n  wake.pkg(\n    wake.pkgInfo('root', '1.0.0'),\n    pkgs={ app: wake.getPkg(wake.pkgInfo('app', '*'), from='./app') },\n  )\n",
    );
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: retriever //tool asks for the network without permission
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve', network=true)),
          |          ^^^^^^^^^^^
          help: grant it where //app gets it at app/PKG.libsonnet:6:13: `permissions=['network']`
          help: grant it where // gets it at PKG.libsonnet:4:17: `permissions=['network']`
               Error 1 error in [TIME]
    "#]]);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn an_exec_must_request_the_network() {
    let (port, count) = server();
    let project = scene(port, GRANTED);
    project.edit("app/PKG.libsonnet", ", network=true", "");
    project
        .wake(["build", "//app"])
        .run()
        .code(1)
        .mentions("Connection refused")
        .mentions("retriever //tool failed: exit 1");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn offline_builds_call_only_retrievers_without_network() {
    let (port, count) = server();
    let project = scene(port, GRANTED);
    let run = project.wake(["build", "//app", "--quiet", "--offline"]).run();
    run.code(9).says(expect![[r#"
        error: retriever //tool asks for the network, but `--offline` does not allow it
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve', network=true)),
          |          ^^^^^^^^^^^
          = note: the store does not have x/a *
               Error 1 error in [TIME]
    "#]]);
    assert_eq!(count.load(Ordering::SeqCst), 0);
    project.build(&["//app"]);
    project.wake(["build", "//app", "--offline"]).run().success();
    let other = project.base().join("other-store");
    let run = project.wake(["build", "//app", "--quiet", "--frozen"]).store(&other).run();
    run.code(9).says(expect![[r#"
        error: retriever //tool asks for the network, but `--offline` does not allow it
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve', network=true)),
          |          ^^^^^^^^^^^
          = note: the store does not have x/a *
               Error 1 error in [TIME]
    "#]]);
    assert_eq!(count.load(Ordering::SeqCst), 1);

    let project = crate::scene::scene(&[crate::scene::get("a", "*")], crate::scene::GIVE);
    let build = project.json_build(&["//app"]).arg("--offline").run().success().events();
    assert_eq!(asked(&build), [("//tool".to_owned(), 1)]);
}

#[test]
fn secrets_of_the_user_do_not_reach_retrievers() {
    let body = "import glob\nsaid = json.dumps(dict(os.environ)) + json.dumps(glob.glob(os.path.expanduser('~/.*')) + glob.glob('/home/*') + glob.glob('/root/*'))\n\
        answer(package(asked['requests'][0], data=said))";
    let project = crate::scene::scene(&[crate::scene::get("a", "*")], body);
    std::fs::write(project.base().join("home/.netrc"), "machine x password canary-4711").unwrap();
    project.wake(["build", "//app"]).env("WAKE_TOKEN_MAIN", "canary-4711").run().success();
    let said = shown(&project);
    assert!(said.contains("PATH") && !said.contains("canary") && !said.contains("netrc"), "{said}");
}

//! Registries that cannot be reached, or give wrong responses.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::Ordering;

use wake_tests::{Project, expect};

use super::says;
use crate::attacks::trees;
use crate::mirrors::settings;
use crate::nginx::Nginx;
use crate::oci::certificates;
use crate::scene::{Scene, get};
use crate::server::{Manner, Server};

fn user(scene: &Scene, address: &str) -> Project {
    scene.user_of(address, &format!("text: {}", get("text", "^2")))
}

/// N4: the error says what was received, and from where; nothing is locked or added to the store.
#[test]
fn n4_invalid_responses() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let user = user(&scene, &server.address);
    settings(&user, "[http]\ntimeout = \"1s\"\n");
    let cases = [
        (
            Manner::Page,
            9,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: the server returned an HTML page instead of the file
             help: use `--offline` to build with what is in the store
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Encoded,
            9,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: the response has a content encoding
             help: use `--offline` to build with what is in the store
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Half,
            9,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: the transfer was interrupted: Peer disconnected
             help: use `--offline` to build with what is in the store
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Endless,
            9,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: the file is larger than 16 MiB
             help: use `--offline` to build with what is in the store
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Status(500),
            9,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: 500 Internal Server Error
             help: use `--offline` to build with what is in the store
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Status(418),
            9,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: 418 I'm a teapot
             help: use `--offline` to build with what is in the store
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Status(401),
            10,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: 401 Unauthorized; no login was found
             help: run `wake login main` to store a login
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Status(403),
            10,
            expect![[r#"
            error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: 403 Forbidden; no login was found
             help: run `wake login main` to store a login
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Status(404),
            9,
            expect![[r#"
            error: there is no registry at `http://127.0.0.1:PORT/wake`
             help: check its address in `[registries]` of `wake.toml`
             help: run `wake publish` to create one in an empty directory
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            Manner::Silent,
            9,
            expect![[r#"
                error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: it did not respond in time
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
    ];
    for (manner, code, expected) in cases {
        server.is(manner);
        says(&user.wake(["build", "//app", "--quiet"]).run().code(code), &[], &expected);
        assert!(!user.path("wake.lock").exists(), "{manner:?}");
        assert_eq!(trees(&user), 0, "{manner:?}");
    }
    server.is(Manner::Well);
    user.build(&["//app"]);
}

/// What was seen before does not replace a registry that does not answer.
#[test]
fn an_old_index_is_not_used_silently() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let user = user(&scene, &server.address);
    user.build(&["//app"]);
    let lock = user.read("wake.lock");
    scene.publish("text", "2.1.0", "");
    server.is(Manner::Status(500));
    says(
        &user.wake(["update", "--quiet"]).run().code(9),
        &[],
        &expect![[r#"
        error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: 500 Internal Server Error
         help: use `--offline` to build with what is in the store
    "#]],
    );
    assert_eq!(user.read("wake.lock"), lock);
    // Locked packages in the store need no registry.
    user.wake(["build", "//app", "--rebuild"]).run().success();
    let asked = server.asked.load(Ordering::Relaxed);
    user.wake(["build", "//app", "--offline", "--rebuild"]).run().success();
    assert_eq!(server.asked.load(Ordering::Relaxed), asked);
}

#[test]
fn an_unreachable_server() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for (address, expected) in [
        (
            format!("http://127.0.0.1:{port}/wake"),
            expect![[r#"
                error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: Connection refused (os error 111)
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
        (
            "https://registry.invalid/wake".to_owned(),
            expect![[r#"
                error: registry `main`: https://registry.invalid/wake/index/acme/text.jsonl: failed to lookup address information
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
        (
            format!("oci://127.0.0.1:{port}/wake"),
            expect![[r#"
                error: registry `main`: oci://127.0.0.1:PORT/wake/acme/text: Connection refused (os error 111)
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
        (
            format!("file:{}", scene.registry().display()),
            expect![[r#"
                error: there is no registry at `file://[SCENE]/registry`
                 help: check its address in `[registries]` of `wake.toml`
                 help: run `wake publish` to create one in an empty directory
                       Error 1 error in [TIME]
            "#]],
        ),
    ] {
        let failed = user(&scene, &address).wake(["build", "//app", "--quiet"]).run().code(9);
        let base = scene.publisher.base().display().to_string();
        says(&failed, &[(&base, "[SCENE]")], &expected);
    }
}

/// N3: the error says which login was used, and never its value.
#[test]
fn n3_a_rejected_login() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    // An address on this machine may receive a login without encryption.
    let user = user(&scene, &server.address);
    server.is(Manner::Status(401));
    let build = user.wake(["build", "//app", "--quiet"]);
    let failed = build.env("WAKE_TOKEN_MAIN", "ada:canary5f1e").run().code(10);
    assert!(!failed.stderr.contains("canary5f1e"));
    says(
        &failed,
        &[],
        &expect![[r#"
        error: registry `main`: http://127.0.0.1:PORT/wake/index/acme/text.jsonl: 401 Unauthorized; used the login from `WAKE_TOKEN_MAIN`
         help: run `wake login main` to store a login
               Error 1 error in [TIME]
    "#]],
    );
    let bad = user.base().join("home/.config/wake/credentials.toml");
    fs::create_dir_all(bad.parent().unwrap()).unwrap();
    fs::write(&bad, "[\"x\"\ntoken = \"canary5f1e\"\n").unwrap();
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o600)).unwrap();
    let failed = user.wake(["build", "//app", "--quiet"]).run().code(10);
    assert!(!failed.stderr.contains("canary5f1e"));
    says(
        &failed,
        &[],
        &expect![[r#"
        error: `[BASE]/home/.config/wake/credentials.toml`: invalid credentials file at line 1
         help: recreate the file with the tool that wrote it
               Error 1 error in [TIME]
    "#]],
    );
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o644)).unwrap();
    let failed = user.wake(["build", "//app", "--quiet"]).run().code(10);
    assert!(!failed.stderr.contains("canary5f1e"));
    says(
        &failed,
        &[],
        &expect![[r#"
        error: `[BASE]/home/.config/wake/credentials.toml`: it contains logins but is accessible to other users
         help: run `chmod 600 [BASE]/home/.config/wake/credentials.toml`, and change the passwords if others may have read them
               Error 1 error in [TIME]
    "#]],
    );
}

/// N1, N2: wrong certificates, and unencrypted connections.
#[test]
fn n1_untrusted_certificates() {
    if !Nginx::is_here("n1_untrusted_certificates") {
        return;
    }
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let dir = scene.publisher.base().join("server");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    certificates(&dir);
    let script = "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index.txt\\nnew_certs_dir=.\\nserial=serial\\ndefault_md=sha256\\npolicy=p\\n[p]\\ncommonName=supplied\\n' > ca.conf
        touch index.txt; echo 01 > serial
        openssl ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key -in request.pem -out expired.pem -startdate 20200101000000Z -enddate 20200201000000Z -extfile extensions
        printf 'subjectAltName=DNS:example.org\\nbasicConstraints=CA:FALSE\\n' > elsewhere
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile elsewhere -out elsewhere.pem
        openssl x509 -req -in request.pem -signkey key.pem -days 2 -extfile extensions -out own.pem";
    let made = Command::new("sh").args(["-ec", script]).current_dir(&dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let files =
        format!("alias {}/; default_type application/octet-stream;", scene.registry().display());
    let ca = format!("[http]\nca = \"{}/ca.pem\"\n", dir.display());
    for (certificate, ca, expected) in [
        (
            "cert.pem",
            "",
            expect![[r#"
                error: registry `main`: https://127.0.0.1:PORT/wake/index/acme/text.jsonl: its certificate was rejected: it is not signed by a trusted authority; add your own with `ca` in `config.toml` or SSL_CERT_FILE
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
        (
            "own.pem",
            &*ca,
            expect![[r#"
                error: registry `main`: https://127.0.0.1:PORT/wake/index/acme/text.jsonl: its certificate was rejected: it is not signed by a trusted authority; add your own with `ca` in `config.toml` or SSL_CERT_FILE
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
        (
            "expired.pem",
            &*ca,
            expect![[r#"
                error: registry `main`: https://127.0.0.1:PORT/wake/index/acme/text.jsonl: its certificate was rejected: it has expired
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
        (
            "elsewhere.pem",
            &*ca,
            expect![[r#"
                error: registry `main`: https://127.0.0.1:PORT/wake/index/acme/text.jsonl: its certificate was rejected: it is not valid for `127.0.0.1`
                 help: use `--offline` to build with what is in the store
                       Error 1 error in [TIME]
            "#]],
        ),
    ] {
        let nginx = Nginx::answering(&dir, &files, certificate);
        let user = user(&scene, &nginx.address);
        settings(&user, ca);
        says(&user.wake(["build", "//app", "--quiet"]).run().code(9), &[], &expected);
        assert_eq!(trees(&user), 0);
    }
    // N2: a redirect to an unencrypted address, whatever is there.
    let plain = Server::of(scene.registry());
    let redirect = format!("return 302 {}$1;", plain.address);
    let nginx = Nginx::answering(&dir, &redirect, "cert.pem");
    let user = user(&scene, &nginx.address);
    settings(&user, &ca);
    says(
        &user.wake(["build", "//app", "--quiet"]).run().code(9),
        &[],
        &expect![[r#"
            error: registry `main`: https://127.0.0.1:PORT/wake/index/acme/text.jsonl: it redirects to `http://127.0.0.1:PORT/wake/`, which is not encrypted and is not followed
             help: use `--offline` to build with what is in the store
                   Error 1 error in [TIME]
        "#]],
    );
    assert_eq!(plain.asked.load(Ordering::Relaxed), 0);
}

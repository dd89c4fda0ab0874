//! Registries with wrong contents.

use std::fs;
use std::path::Path;
use std::process::Command;

use wake_tests::{Project, expect};

use super::says;
use crate::attacks::trees;
use crate::scene::{Scene, get, toml};
use crate::signing::generate;

const ARCHIVE: &str = "pkgs/acme/text/1.0.0.tar.zst";

fn user(scene: &Scene) -> Project {
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    user.wake(["lock"]).run().success();
    user
}

/// Checks that a build fails like this and adds nothing to the store.
#[track_caller]
fn fails(user: &Project, names: &[(&str, &str)], expected: &expect_test::Expect) {
    let failed = user.wake(["build", "//app", "--quiet"]).run().code(7);
    says(&failed, names, expected);
    assert_eq!(trees(user), 0);
    assert_eq!(fs::read_dir(user.store().join("tmp")).map_or(0, |left| left.count()), 0);
}

#[test]
fn n4_content_that_differs_from_the_lock() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    scene.publish("tone", "1.0.0", "");
    let user = user(&scene);
    let there = scene.registry().join(ARCHIVE);
    fs::copy(scene.registry().join("pkgs/acme/tone/1.0.0.tar.zst"), &there).unwrap();
    fails(
        &user,
        &[],
        &expect![[r#"
        error: package `text`: registry `main`: acme/text 1.0.0: its archive contains [DIGEST], expected [DIGEST]
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: nothing was stored
          = note: its content in wake.lock is [DIGEST]
          help: ask the registry's operator
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_log_that_differs_from_the_lock() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene);
    let lock = user.read("wake.lock");
    let line = lock.lines().nth(1).unwrap();
    let (rest, _) = line.rsplit_once(' ').unwrap();
    user.write("wake.lock", format!("wake-lock 1\n{rest} {}\n", "1".repeat(64)));
    let failed = user.wake(["update", "--quiet"]).run().code(7);
    says(
        &failed,
        &[],
        &expect![[r#"
        error: registry `main` has acme/text 1.0.0 with content [DIGEST], but `wake.lock` has [DIGEST]
         help: ask the registry's operator what happened to it
         help: remove its line from `wake.lock` to choose another version
    "#]],
    );
}

#[test]
fn metadata_of_other_files() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    for path in ["index/acme/text.jsonl", "pkgs/acme/text/1.0.0.json"] {
        let text = scene.read(path).replace("\"license\":\"MIT\"", "\"license\":\"ISC\"");
        fs::write(scene.registry().join(path), text).unwrap();
    }
    fails(
        &user(&scene),
        &[],
        &expect![[r#"
        error: registry `main`: acme/text 1.0.0: `license` in its metadata does not match its files
         = note: nothing was stored
         help: ask the registry's operator
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn n5_a_rewritten_log() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let before = scene.read("index/acme/text.jsonl");
    scene.publish("text", "1.1.0", "");
    let user = user(&scene);
    let log = scene.registry().join("index/acme/text.jsonl");
    fs::write(&log, before).unwrap();
    says(
        &user.wake(["update"]).run().code(7),
        &[],
        &expect![[r#"
        error: registry `main`: index/acme/text.jsonl was truncated or rewritten: line 2 has changed
         help: ask the registry's operator; run `wake registry forget main` to accept its current state
    "#]],
    );
}

#[test]
fn n8_missing_and_foreign_signatures() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene);
    let (ours, our_id) = generate(&user, "ours");
    let address = format!("file:{}", scene.registry().display());
    let trust = format!("\n[trust]\nacme = {{ keys = [\"{ours}\"], require = \"provenance\" }}\n");
    user.write("wake.toml", toml(&address) + &trust);
    fails(
        &user,
        &[(&our_id, "[OURS]")],
        &expect![[r#"
        error: package `text`: registry `main`: acme/text 1.0.0: it is not signed
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: trusted keys: [OURS]
          = note: nothing was stored
          help: ask the package's publisher, or change the trusted keys: `[trust]` in `wake.toml`
               Error 1 error in [TIME]
    "#]],
    );
    let (_, their_id) = generate(&scene.publisher, "theirs");
    scene.publisher.wake(["publish", "text", "--no-verify"]).run().success();
    fails(
        &user,
        &[(&our_id, "[OURS]"), (&their_id, "[THEIRS]")],
        &expect![[r#"
        error: package `text`: registry `main`: acme/text 1.0.0: it is signed by [THEIRS], which is not a trusted key
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: trusted keys: [OURS]
          = note: nothing was stored
          help: ask the package's publisher, or change the trusted keys: `[trust]` in `wake.toml`
               Error 1 error in [TIME]
    "#]],
    );
}

/// Creates an archive with GNU tar or another program, from the files that `prepare` creates in an empty directory.
fn hostile(scene: &Scene, user: &Project, script: &str) {
    let dir = user.base().join("hostile");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).unwrap();
    let archive = scene.registry().join(ARCHIVE);
    let _ = fs::remove_file(&archive);
    let made = Command::new("sh")
        .args(["-euc", script])
        .current_dir(&dir)
        .env("ARCHIVE", &archive)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// X1 to X14, through the one extractor: the offending entry is named.
#[test]
fn x_hostile_archives() {
    if !wake_tests::has_program("python3") {
        return wake_tests::skip("x_hostile_archives", "needs python3");
    }
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene);
    // Entries as written by Python's `tarfile`: name, kind, target or contents.
    let tar = |entries: &str| {
        format!(
            "python3 - <<'E'\nimport io, os, tarfile\nwith tarfile.open(os.environ['ARCHIVE'], 'w', format=tarfile.PAX_FORMAT) as tar:\n  \
             for name, kind, text in [{entries}]:\n    one = tarfile.TarInfo(name)\n    one.type = kind\n    \
             data = b''\n    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE): one.linkname = text\n    else: data = text.encode()\n    \
             one.size = len(data)\n    tar.addfile(one, io.BytesIO(data))\nE\n"
        )
    };
    let file = |name: &str| format!("('{name}', tarfile.REGTYPE, 'x')");
    let of = |name: &str, kind: &str, to: &str| format!("('{name}', tarfile.{kind}, '{to}')");
    let cases = [
        ("x1 upwards", tar(&file("../x"))),
        ("x1 absolute", tar(&file("/etc/x"))),
        ("x1 backslashes", tar(&file("..\\\\x"))),
        ("x1 a drive", tar(&file("C:/x"))),
        ("x2 through a link", tar(&[of("a", "SYMTYPE", "/tmp"), file("a/x")].join(", "))),
        ("x3 a link out", tar(&of("PKG.libsonnet", "SYMTYPE", "/etc/passwd"))),
        ("x4 a link beside", tar(&of("a", "SYMTYPE", "../tone"))),
        (
            "x5 a directory that becomes a link",
            tar(&[file("a/x"), of("a", "SYMTYPE", "b")].join(", ")),
        ),
        ("x6 twice", tar(&[file("a"), file("a")].join(", "))),
        ("x6 cases", tar(&[file("readme"), file("README")].join(", "))),
        ("x6 a dot at the end", tar(&file("a."))),
        ("x6 forms of a letter", tar(&[file("\\u00e9"), file("e\\u0301")].join(", "))),
        ("x8 a long name", tar(&file(&"n".repeat(300)))),
        ("x11 a hard link", tar(&[file("a"), of("b", "LNKTYPE", "a")].join(", "))),
        ("x13 a device", tar(&of("null", "CHRTYPE", ""))),
        ("x13 a pipe", tar(&of("pipe", "FIFOTYPE", ""))),
        (
            "x14 bytes behind",
            tar(&file("a")) + "printf 'more than an archive%1000s' x >> \"$ARCHIVE\"\n",
        ),
        ("x14 cut short", tar(&file("a")) + "truncate -s 700 \"$ARCHIVE\"\n"),
        ("x10 no archive", "printf '<html>no</html>' > \"$ARCHIVE\"".to_owned()),
    ];
    let mut all = String::new();
    for (what, script) in &cases {
        hostile(&scene, &user, script);
        let failed = user.wake(["build", "//app", "--quiet"]).run().code(7);
        let said = failed.redacted_stderr();
        let first = said.lines().next().unwrap_or_default();
        let (_, first) = first.split_once(&format!("{ARCHIVE}: ")).unwrap_or(("", first));
        all += &format!("{what}: {first}\n");
        assert!(
            said.contains("nothing was stored") && said.contains("ask the registry's operator"),
            "{said}"
        );
        assert_eq!(trees(&user), 0, "{what}");
        assert_eq!(
            fs::read_dir(user.store().join("tmp")).map_or(0, |left| left.count()),
            0,
            "{what}"
        );
        assert!(!Path::new("/tmp/x").exists() && !Path::new("/etc/x").exists());
    }
    expect![[r#"
        x1 upwards: path `../x` in the archive contains `..`
        x1 absolute: path `/etc/x` in the archive is absolute
        x1 backslashes: path `..\\x` in the archive has a name that is not portable
        x1 a drive: path `C:/x` in the archive has a name that is not portable
        x2 through a link: link `a` points outside the tree: `/tmp`
        x3 a link out: link `PKG.libsonnet` points outside the tree: `/etc/passwd`
        x4 a link beside: link `a` points outside the tree: `../tone`
        x5 a directory that becomes a link: `a` appears twice in the archive
        x6 twice: `a` appears twice in the archive
        x6 cases: `README` and `readme` are the same name on some file systems
        x6 a dot at the end: path `a.` in the archive has a name that is not portable
        x6 forms of a letter: `é` and `é` are the same name on some file systems
        x8 a long name: path `nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn` in the archive has a name of more than 255 bytes
        x11 a hard link: `b` is a hard link, which this kind of ware cannot hold
        x13 a device: `null` is a device, which this kind of ware cannot hold
        x13 a pipe: `pipe` is a pipe, which this kind of ware cannot hold
        x14 bytes behind: data follows the end of the archive at byte 10240
        x14 cut short: the archive is truncated after 700 bytes
        x10 no archive: the archive is truncated after 15 bytes
    "#]].assert_eq(&all);
    // One of them in full.
    hostile(&scene, &user, &cases[0].1);
    fails(
        &user,
        &[],
        &expect![[r#"
        error: package `text`: registry `main`: pkgs/acme/text/1.0.0.tar.zst: path `../x` in the archive contains `..`
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: nothing was stored
          = note: its content in wake.lock is [DIGEST]
          help: ask the registry's operator
               Error 1 error in [TIME]
    "#]],
    );
}

/// X7: small archives that unpack to large ones.
#[test]
fn x7_archive_bombs() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene);
    if !wake_tests::has_program("zstd") {
        return wake_tests::skip("x7_archive_bombs", "needs zstd");
    }
    hostile(&scene, &user, "truncate -s 300M zeros; tar -cf - zeros | zstd -q > \"$ARCHIVE\"");
    fails(
        &user,
        &[],
        &expect![[r#"
            error: package `text`: registry `main`: pkgs/acme/text/1.0.0.tar.zst: the archive exceeds the limit of 1024 uncompressed bytes for each compressed one
             --> app/PKG.libsonnet:5:18
              |
            5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
              |                  ^^^^^^^^^^^
              = note: nothing was stored
              = note: its content in wake.lock is [DIGEST]
              help: ask the registry's operator
                   Error 1 error in [TIME]
        "#]],
    );
    hostile(&scene, &user, "truncate -s 3G zeros; tar -Scf - zeros | zstd -q > \"$ARCHIVE\"");
    fails(
        &user,
        &[],
        &expect![[r#"
        error: package `text`: registry `main`: pkgs/acme/text/1.0.0.tar.zst: the archive's header at byte 0 is malformed: a sparse file, which is not supported
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: nothing was stored
          = note: its content in wake.lock is [DIGEST]
          help: ask the registry's operator
               Error 1 error in [TIME]
    "#]],
    );
}

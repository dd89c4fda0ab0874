//! The `debian` example: Debian packages from an archive in a directory, and from this machine's mirror.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wake_tests::{Project, example, expect, has_program, skip, skipped};

use crate::scene::asked;

/// Builds the library `greet`: the packages `libgreet1` and `libgreet1-dev`, and the index of an archive with them.
const MAKE: &str = r#"
set -eu
mkdir -p "$1/pool" build && cd build
printf 'const char *greet(void);\n' > greet.h
printf '#include "greet.h"\nconst char *greet(void) { return "hello from a Debian package"; }\n' > greet.c
cc -c greet.c && ar rcs libgreet.a greet.o
package() { # name, version, depends
    mkdir -p "$1/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: Nobody <nobody@example.org>\nDepends: %s\nDescription: greets\n' "$1" "$2" "$3" > "$1/DEBIAN/control"
    dpkg-deb --root-owner-group --build "$1" "$archive/pool" > dpkg.log
}
archive=$1
mkdir -p libgreet1++/usr/share/greet libgreet1++/etc/alternatives
echo words > libgreet1++/usr/share/greet/words
ln -s /usr/share/greet/words libgreet1++/etc/alternatives/words
mkdir -p libgreet1++/DEBIAN && printf '#!/bin/sh\nexit 0\n' > libgreet1++/DEBIAN/postinst && chmod 755 libgreet1++/DEBIAN/postinst
touch 'libgreet1++/usr/share/greet/a:b'
package libgreet1++ 1:1.2.13.dfsg-1 'libc6 (>= 2.14)'
mkdir -p libgreet1-dev/usr/include libgreet1-dev/usr/lib/x86_64-linux-gnu
cp greet.h libgreet1-dev/usr/include/ && cp libgreet.a libgreet1-dev/usr/lib/x86_64-linux-gnu/
package libgreet1-dev 1:1.2.13.dfsg-1 'libgreet1++ (= 1:1.2.13.dfsg-1), libc6-dev | libc-dev'
cd "$archive" && dpkg-scanpackages --multiversion pool > Packages 2> ../../scan.log
"#;

const MAIN: &str =
    "#include <stdio.h>\n#include <greet.h>\n\nint main(void) { puts(greet()); return 0; }\n";

fn has_tools(test: &str) -> bool {
    let missing = ["dpkg-deb", "dpkg-scanpackages", "gpgv"].into_iter().find(|it| !has_program(it));
    if let Some(missing) = missing {
        skip(test, missing);
    }
    missing.is_none()
}

/// The example with an archive that has the library `greet`.
fn with_archive() -> Project {
    let project = example("debian");
    let archive = project.path("debian/archive");
    fs::create_dir_all(&archive).unwrap();
    let made = Command::new("sh")
        .args(["-c", MAKE, "make"])
        .arg(&archive)
        .current_dir(project.base())
        .status();
    assert!(made.unwrap().success());
    project.write(
        "app/library.libsonnet",
        "{ name: 'libgreet1-dev', version: '^1.2', link: 'greet' }\n",
    );
    project.write("app/main.c", MAIN);
    project
}

#[test]
fn a_program_is_linked_with_a_library_from_debian_packages() {
    if !has_tools("a_program_is_linked_with_a_library_from_debian_packages") {
        return;
    }
    let project = with_archive();
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build), [("//debian".to_owned(), 1), ("//debian".to_owned(), 1)]);
    let run = project.wake(["run", "//app"]).run().success();
    assert_eq!(run.stdout, "hello from a Debian package\n");
    let lock = project.read("wake.lock");
    let lines: Vec<Vec<&str>> =
        lock.lines().skip(1).map(|line| line.split(' ').collect()).collect();
    let named: Vec<_> = lines.iter().map(|line| line[..3].join(" ")).collect();
    assert_eq!(
        named,
        [
            "deb/libgreet1-dev 1.2.13+1.dfsg-1 via:debian",
            "deb/libgreet1xx 1.2.13+1.dfsg-1 via:debian"
        ]
    );
    // What a package cannot contain is omitted with a message; absolute links become relative.
    let content = lines[1][3];
    let package =
        project.wake(["store", "cat", &format!("{content}/PKG.libsonnet")]).run().success();
    assert!(package.stdout.contains(
        r#"'left-out': ["postinst (a script)", "usr/share/greet/a:b (a name that is not portable)"]"#
    ), "{}", package.stdout);
    let link =
        project.wake(["store", "ls", &format!("{content}/root/etc/alternatives")]).run().success();
    assert_eq!(link.stdout, "words -> ../../usr/share/greet/words\n");
    project.build_runs_nothing(&["//app"]);
}

#[test]
fn a_package_missing_from_the_archive_is_reported() {
    if !has_tools("a_package_missing_from_the_archive_is_reported") {
        return;
    }
    let project = with_archive();
    project.write(
        "app/library.libsonnet",
        "{ name: 'libgreet1-dev', version: '^2', link: 'greet' }\n",
    );
    project.wake(["build", "//app", "--quiet"]).run().code(6).says(expect![[r#"
        error: retriever //debian has no deb/libgreet1-dev ^2: the archive has 1.2.13+1.dfsg-1
          --> app/PKG.libsonnet:10:16
           |
        10 |       library: wake.getPkg(
           |                ^^^^^^^^^^^
               Error 1 error in [TIME]
    "#]]);
    project.write(
        "app/library.libsonnet",
        "{ name: 'libgreet1-dev', version: '^1', link: 'greet' }\n",
    );
    let deb = fs::read_dir(project.path("debian/archive/pool"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for path in deb.filter(|path| path.to_string_lossy().contains("libgreet1-dev")) {
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(b'\n');
        fs::write(path, bytes).unwrap();
    }
    project
        .wake(["build", "//app", "--quiet"])
        .run()
        .code(1)
        .mentions("is not what the archive lists");
}

/// The archive in this machine's package sources: its address and a suite.
fn mirror() -> Option<(String, String)> {
    let dir = Path::new("/etc/apt");
    let mut files: Vec<PathBuf> = vec![dir.join("sources.list")];
    files.extend(
        fs::read_dir(dir.join("sources.list.d"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path()),
    );
    let texts: Vec<String> =
        files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?.to_owned();
    for text in texts {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let address = match words.as_slice() {
                ["URIs:", address, ..] => address,
                ["deb", address, name, ..] if *name == suite => address,
                _ => continue,
            };
            // The main archive, not that of the security team.
            if address.trim_end_matches('/').ends_with("/debian") {
                return Some(((*address).to_owned(), suite));
            }
        }
    }
    None
}

#[test]
fn a_program_is_linked_with_a_library_from_a_mirror() {
    const TEST: &str = "a_program_is_linked_with_a_library_from_a_mirror";
    const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
    if !has_tools(TEST) {
        return;
    }
    let Some((address, suite)) = mirror() else {
        return skipped(TEST, "the package sources of this machine name no Debian archive");
    };
    if !Path::new(KEYS).exists() {
        return skip(TEST, "debian-archive-keyring");
    }
    // The sandbox does not have the user's proxy either.
    let reached = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + '/dists/' + sys.argv[2] + '/InRelease', timeout=30)";
    let reached =
        Command::new("python3").env_clear().args(["-c", reached, &address, &suite]).output();
    if !reached.unwrap().status.success() {
        return skipped(TEST, "the package archive of this machine cannot be reached");
    }
    let project = example("debian");
    let archive = format!(
        "{{\n  architecture: 'amd64',\n  provided: ['libc6', 'libc6-dev', 'libc-dev'],\n  mirror: '{address}',\n  suite: '{suite}',\n  component: 'main',\n}}\n"
    );
    project.write("app/archive.libsonnet", archive);
    // Without a key, nothing is trusted.
    project.wake(["build", "//app", "--quiet"]).run().code(1).mentions("there is no key in keys/");
    fs::create_dir(project.path("debian/keys")).unwrap();
    fs::copy(KEYS, project.path("debian/keys/archive.gpg")).unwrap();
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build)[0], ("//debian".to_owned(), 1));
    let lock = project.read("wake.lock");
    assert!(lock.contains("deb/zlib1g-dev 1.") && lock.contains("deb/zlib1g 1."), "{lock}");
    let run = project.wake(["run", "//app"]).run().success();
    assert!(run.stdout.starts_with("0 bytes are 8 in zlib 1."), "{}", run.stdout);
    project.wake(["build", "//app", "--frozen"]).run().success();
    // Without the permission, there is no network.
    project.edit("PKG.libsonnet", ", permissions=['network']", "");
    let run = project.wake(["update", "--quiet"]).run();
    run.code(6).mentions("retriever //debian asks for the network without permission");
}

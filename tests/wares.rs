//! `wake ware`: packing, unpacking, scanning and mirroring from the command line, and everything that can go wrong.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use wake_tests::{Project, copy_of_binary, expect, fixtures, is_root, project};

/// A tree with a file of each type, and an empty warehouse.
fn bed() -> Project {
    let project = project()
        .file("tree/a.txt", "text\n")
        .script("tree/sub/run", "#!/bin/sh\n")
        .link("tree/link", "a.txt")
        .build();
    fs::create_dir(project.path("warehouse")).unwrap();
    project
}

fn wake(project: &Project, line: &str) -> wake_tests::Finished {
    project.wake(line.split(' ')).run()
}

fn id(project: &Project, line: &str) -> String {
    wake(project, line).success().stdout.trim().to_owned()
}

#[test]
fn the_proxy_in_the_environment_is_used() {
    let root = format!(
        "rootfs={{ ware: 'tar:{}', warehouses: ['http://wares.invalid/x'] }}",
        "7".repeat(64)
    );
    let project = project().step_with("m", "true", &root).build();
    let (proxy, asked) = refusing_proxy();
    for line in ["ware scan tar --source http://wares.invalid/x", "build //:m"] {
        let by = |name: &str| project.wake(line.split(' ')).env(name, &proxy);
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            assert_ne!(by(name).run().code, 0, "{line}");
            assert_eq!(asked.try_recv().as_deref(), Ok("wares.invalid:80"), "{line}, {name}");
        }
        by("HTTPS_PROXY").run();
        by("HTTP_PROXY").env("NO_PROXY", "invalid").run();
        assert!(asked.try_recv().is_err(), "{line}");
    }
}

/// A proxy that refuses everything, and the requests it gets.
fn refusing_proxy() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = request.next().unwrap().unwrap();
            while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            tell.send(first.split(' ').nth(1).unwrap().to_owned()).unwrap();
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    (url, asked)
}

#[test]
fn a_tree_is_restored_unchanged_from_a_warehouse() {
    let project = bed();
    for packtype in ["tar", "tree"] {
        let ware =
            id(&project, &format!("ware pack {packtype} tree --target ca+file://./warehouse"));
        assert!(ware.starts_with(&format!("{packtype}:")), "{ware}");
        assert_eq!(ware, id(&project, &format!("ware id {packtype} tree")));
        let back = format!("back-{packtype}");
        for placer in ["copy", "direct"] {
            project.write(&format!("{back}/old"), "what was there before");
            id(
                &project,
                &format!(
                    "ware unpack {ware} {back} --source ca+file://./warehouse --placer {placer}"
                ),
            );
            assert!(!project.path(&format!("{back}/old")).exists());
            assert_eq!(project.read(&format!("{back}/a.txt")), "text\n");
            assert_eq!(
                fs::read_link(project.path(&format!("{back}/link"))).unwrap(),
                Path::new("a.txt")
            );
            assert_eq!(ware, id(&project, &format!("ware id {packtype} {back}")), "{placer}");
        }
    }
}

#[test]
fn only_the_tree_type_includes_links() {
    let project = bed();
    let ids =
        |project: &Project| ["tar", "tree"].map(|t| id(project, &format!("ware id {t} tree")));
    let before = ids(&project);
    fs::remove_file(project.path("tree/link")).unwrap();
    std::os::unix::fs::symlink("sub/run", project.path("tree/link")).unwrap();
    let after = ids(&project);
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
}

#[test]
fn foreign_archives_are_scanned_listed_and_mirrored() {
    let project = bed();
    let ware = id(&project, "ware pack tar tree --target file://./ours.tgz");
    let owner = "--owner=0:1000 --group=0:1000 --mtime=@1262304000 --sort=name";
    for (flag, name) in [("-c", "plain.tar"), ("-cj", "t.bz2"), ("-cJ", "t.xz"), ("-cz", "t.gz")] {
        let made = Command::new("tar")
            .args(owner.split(' '))
            .args([flag, "-f"])
            .arg(project.path(name))
            .arg("-C")
            .arg(project.path("tree"))
            .arg(".")
            .status();
        if !made.is_ok_and(|status| status.success()) {
            wake_tests::skip(
                "foreign_archives_are_scanned_listed_and_mirrored",
                "GNU tar cannot write this archive",
            );
            continue;
        }
        let scanned = id(&project, &format!("ware scan tar --source file://./{name}"));
        let packed = id(&project, "ware id tar tree --filters uid=1000,gid=1000");
        assert_eq!(scanned, packed, "{name}");
    }
    let listed = wake(&project, "ware ls tar --source file://./ours.tgz").success().stdout;
    let paths: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(paths, [".", "a.txt", "link", "sub", "sub/run"], "{listed}");
    assert_eq!(
        ware,
        id(
            &project,
            &format!(
                "ware mirror {ware} --target ca+file://./warehouse --source file://./ours.tgz"
            )
        )
    );
    let hash = ware.strip_prefix("tar:").unwrap();
    let there = format!("warehouse/{}/{}/{hash}", &hash[..3], &hash[3..6]);
    assert_eq!(
        fs::read(project.path(&there)).unwrap(),
        fs::read(project.path("ours.tgz")).unwrap()
    );
}

#[test]
fn a_missing_path_packs_to_the_empty_id() {
    let project = bed();
    assert_eq!(id(&project, "ware pack tar absent"), "tar:-");
    wake(&project, "ware unpack tar:- back").code(1).says(expect![[r#"
        error: `tar:-` stands for a path that did not exist: there is nothing to unpack
         = note: category rio-usage-error, exit code 1
    "#]]);
}

#[test]
fn a_tree_with_another_id_is_refused() {
    let project = bed();
    let ware = id(&project, "ware pack tar tree --target file://./ours.tgz");
    project.write("tree/a.txt", "other\n");
    let other = id(&project, "ware id tar tree");
    let finished =
        wake(&project, &format!("ware unpack {other} back --source file://./ours.tgz")).code(7);
    let expected = format!("error: hash mismatch: expected `{other}`, got `{ware}`\n");
    assert!(finished.stderr.starts_with(&expected), "{}", finished.stderr);
    assert!(!project.path("back").exists());
    wake(
        &project,
        &format!("ware mirror {other} --target ca+file://./warehouse --source file://./ours.tgz"),
    )
    .code(7);
    assert_eq!(
        fs::read_dir(project.path("warehouse")).unwrap().count(),
        0,
        "a partial file is left over"
    );
}

#[test]
fn a_damaged_archive_changes_nothing() {
    let project = bed();
    project.write("tree/long", vec![7; 300_000]);
    let ware = id(&project, "ware pack tar tree --target file://./ours.tgz");
    let whole = fs::read(project.path("ours.tgz")).unwrap();
    project.write("back/kept", "kept");
    for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
        project.write("cut.tgz", &whole[..cut]);
        let line = format!("ware unpack {ware} back --source file://./cut.tgz");
        wake(&project, &line).code(6).mentions("category rio-ware-corrupt, exit code 6");
        assert_eq!(project.read("back/kept"), "kept");
    }
}

/// All temporary files below a directory.
fn left_behind(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(".tmp.") {
            found.push(path);
        } else if entry.file_type().unwrap().is_dir() {
            found.extend(left_behind(&path));
        }
    }
    found
}

/// Passes an archive to every command that reads one; each must refuse it with this message and leave nothing.
#[track_caller]
fn is_refused_everywhere(project: &Project, archive: &str, expected: &str) {
    let ware = "tar:729LuUdChuu7traKQHNVAoWD9AjmrdCY4QUquhU6sPeRktVKrHo4k4cSaiQ523Nn4D";
    let source = format!("--source file://./{archive}");
    project.write("back/kept", "kept");
    for line in [
        format!("ware scan tar {source}"),
        format!("ware ls tar {source}"),
        format!("ware mirror {ware} --target ca+file://./warehouse {source}"),
        format!("ware unpack {ware} back {source}"),
        format!("ware unpack {ware} back {source} --placer direct"),
    ] {
        let run = wake(project, &line).code(6);
        let words = format!("error: {expected}\n = note: category rio-ware-corrupt, exit code 6\n");
        assert_eq!((run.stderr.as_str(), run.stdout.as_str()), (&*words, ""), "{line}");
    }
    let input = json!({
        "formula": {"inputs": {"/": ware}, "action": {"exec": ["/bin/sh"]}, "outputs": {}},
        "context": {"fetchUrls": {"/": [format!("file://./{archive}")]}},
    });
    project.write("f.json", input.to_string());
    let run = wake(project, "-q formula run f.json").code(6);
    assert!(run.stderr.contains(expected), "{run}");
    assert_eq!(project.read("back/kept"), "kept");
    assert_eq!(fs::read_dir(project.path("warehouse")).unwrap().count(), 0);
    for dir in [project.root(), &project.store()] {
        assert_eq!(left_behind(dir), [] as [&Path; 0]);
    }
}

#[test]
fn a_truncated_archive_is_refused_by_every_command() {
    let project = bed();
    id(&project, "ware pack tar tree --target file://./ours.tgz");
    let plain = Command::new("gzip").args(["-dc"]).arg(project.path("ours.tgz")).output().unwrap();
    project.write("cut.tar", &plain.stdout[..700]);
    is_refused_everywhere(&project, "cut.tar", "the archive is truncated after 700 bytes");
    // A header that announces more than any disk can hold.
    let mut huge = plain.stdout[512..1024].to_vec();
    huge[124..136].copy_from_slice(b"77777777777\0");
    huge[148..156].fill(b' ');
    let sum: u32 = huge.iter().map(|&byte| u32::from(byte)).sum();
    huge[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    huge.extend([b'x'; 512]);
    project.write("huge.tar", &huge);
    is_refused_everywhere(&project, "huge.tar", "the archive is truncated after 1024 bytes");
}

#[test]
fn an_archive_bomb_is_refused_by_every_command() {
    let project = bed();
    let script = "import lzma, sys, tarfile\n\
                  info = tarfile.TarInfo('zeros'); info.size = 100 << 20\n\
                  with lzma.open(sys.argv[1], 'wb', preset=0) as file, \\\n\
                  tarfile.open(fileobj=file, mode='w') as tar: tar.addfile(info, open('/dev/zero', 'rb'))";
    let python =
        Command::new("python3").args(["-c", script]).arg(project.path("bomb.tar.xz")).status();
    if !python.is_ok_and(|status| status.success()) {
        return wake_tests::skip(
            "an_archive_bomb_is_refused_by_every_command",
            "needs `python3` with `lzma`",
        );
    }
    assert!(fs::metadata(project.path("bomb.tar.xz")).unwrap().len() < 20_000);
    let expected =
        "the archive exceeds the limit of 4096 uncompressed bytes for each compressed one";
    is_refused_everywhere(&project, "bomb.tar.xz", expected);
}

#[test]
fn unreachable_warehouses_and_missing_wares_are_distinguished() {
    let project = bed();
    let ware = id(&project, "ware id tar tree");
    let from = |source: &str| wake(&project, &format!("ware unpack {ware} back --source {source}"));
    from("ca+file://./absent").code(3).says(expect![[r#"
        error: no warehouse is available for `[WARE]`
            warehouse `ca+file://[ROOT]/absent` is unavailable: No such file or directory (os error 2)
         = note: category rio-warehouse-unavailable, exit code 3
    "#]]);
    from("ca+file://./warehouse").code(5).says(expect![[r#"
        error: no warehouse has `[WARE]`
            warehouse `ca+file://[ROOT]/warehouse` does not have `[WARE]`
         = note: category rio-ware-not-found, exit code 5
    "#]]);
    wake(&project, "ware pack tar tree --target ca+file://./absent")
        .code(3)
        .mentions("rio-warehouse-unavailable");
    wake(&project, "ware pack tar tree --target https://localhost/")
        .code(4)
        .mentions("rio-warehouse-unwritable");
}

#[test]
fn invalid_arguments_are_usage_errors() {
    let project = bed();
    let says = |line: &str, text: &str| {
        let finished = wake(&project, line).code(2);
        assert!(finished.stderr.contains(text), "{line}\n{}", finished.stderr);
    };
    says("ware pack rar tree", "`rar`");
    says("ware unpack nonsense back", "`nonsense`");
    says("ware scan tar --source ./plain", "has no scheme");
    says("ware pack tar tree --filters uid=me", "uid");
    says("ware pack tar tree --filters colour=red", "colour");
}

#[test]
fn a_rejecting_filter_names_the_file() {
    let project = bed();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o4755);
    fs::set_permissions(project.path("tree/sub/run"), mode).unwrap();
    wake(&project, "ware pack tar tree")
        .code(13)
        .mentions("sub/run")
        .mentions("rio-filter-rejection");
    id(&project, "ware pack tar tree --filters setid=ignore");
}

/// Packed trees with published ids.
#[test]
fn packed_trees_have_their_published_ids() {
    let Some(dir) = fixtures("packed_trees_have_their_published_ids", "timeless") else { return };
    let cases: Vec<Value> =
        serde_json::from_slice(&fs::read(dir.join("hashes.json")).unwrap()).unwrap();
    let project = bed();
    let mut compared = 0;
    for case in cases.iter().filter(|case| case["kind"] == "tar scan") {
        let file = dir.join(case["input"]["file"].as_str().unwrap());
        let scanned = id(&project, &format!("ware scan tar --source file://{}", file.display()));
        assert_eq!(scanned, format!("tar:{}", case["expected"].as_str().unwrap()));
        compared += 1;
    }
    for (number, case) in cases.iter().filter(|case| case["kind"] == "pack tree").enumerate() {
        let input = &case["input"];
        let root = format!("published-{number}");
        make(&project.path(&root), input);
        let filters = ["uid", "gid"].map(|key| format!("{key}={}", input[key])).join(",");
        let line = format!("ware pack tar {root} --filters {filters},mtime=@{}", input["mtime"]);
        assert_eq!(
            id(&project, &line),
            format!("tar:{}", case["expected"].as_str().unwrap()),
            "{case}"
        );
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
}

/// Creates the tree that a case describes: names with their content, null for directories.
fn make(root: &Path, input: &Value) {
    let mode = |text: &Value| {
        let octal = text.as_str().unwrap_or("0o755").trim_start_matches("0o").to_owned();
        std::os::unix::fs::PermissionsExt::from_mode(u32::from_str_radix(&octal, 8).unwrap())
    };
    fs::create_dir_all(root).unwrap();
    for entry in input["entries"].as_array().unwrap() {
        let path = root.join(entry[0].as_str().unwrap());
        match entry[1].as_str() {
            Some(text) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
                fs::set_permissions(&path, mode(&input["filemode"])).unwrap();
            }
            None => fs::create_dir_all(&path).unwrap(),
        }
    }
    fs::set_permissions(root, mode(&input["rootmode"])).unwrap();
}

#[test]
fn an_ordinary_user_unpacks_a_read_only_tree() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = project().file("tree/f", "text\n").build();
    let set = |path: &str, mode| {
        fs::set_permissions(project.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("tree/f", 0o444);
    set("tree", 0o555);
    let ware = id(&project, "ware pack tree tree --target file://./ours.tgz");
    // The other user must be able to write here and to find the program.
    let program = copy_of_binary(project.base());
    for dir in [project.root(), project.base()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let store = project.base().join("their-store");
    for placer in ["none", "copy", "direct", "direct"] {
        let args = ["ware", "unpack", &ware, "back", "--source", "file://./ours.tgz", "--placer"];
        let call = project.wake(args).arg(placer).program(&program).store(&store);
        let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        let call = if is_root() { call.wrapper(other) } else { call };
        call.run().success();
        if placer != "none" {
            assert_eq!(project.read("back/f"), "text\n");
            let mode = fs::metadata(project.path("back")).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o555, "{placer}");
        }
    }
    // So that the project can be removed.
    set("tree", 0o755);
    set("back", 0o755);
    let left: Vec<_> =
        fs::read_dir(project.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".tmp")), "{left:?}");
}

/// A warehouse that sends half of a packed ware, and the rest on request.
fn slow_warehouse(packed: Vec<u8>) -> (String, std::sync::mpsc::Sender<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ware", listener.local_addr().unwrap());
    let (go_on, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
        while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", packed.len());
        let (one, two) = packed.split_at(packed.len() / 2);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(one).unwrap();
        // Without a request the connection ends, and with it the test.
        if told.recv_timeout(std::time::Duration::from_secs(60)).is_ok() {
            stream.write_all(two).unwrap();
        }
    });
    (url, go_on)
}

/// Both ends of a new terminal.
fn terminal() -> (fs::File, fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = fs::File::options().read(true).write(true).open(name).unwrap();
    (ours.into(), theirs)
}

#[test]
fn only_a_terminal_shows_the_progress_of_a_large_ware() {
    let project = bed();
    // Incompressible data: Knuth's MMIX generator.
    let mut state = 1u64;
    let bytes = std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    project.write("tree/large", bytes.take(3_000_000).collect::<Vec<u8>>());
    let ware = id(&project, "ware pack tar tree --target file://./ours.tgz");
    let packed = fs::read(project.path("ours.tgz")).unwrap();
    let (url, go_on) = slow_warehouse(packed.clone());
    let (mut ours, theirs) = terminal();
    let scan = project.wake(["ware", "scan", "tar", "--source", &url]).env("TERM", "xterm");
    let child = scan.command().stderr(theirs).spawn().unwrap();
    let mut shown = String::new();
    while !shown.contains(" MB of 3.0 MB") {
        let mut buffer = [0; 4096];
        let read = std::io::Read::read(&mut ours, &mut buffer).unwrap();
        shown += &String::from_utf8_lossy(&buffer[..read]);
    }
    assert!(shown.contains("Scanning") && shown.contains("=>"), "{shown:?}");
    go_on.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), ware);

    let (url, go_on) = slow_warehouse(packed);
    go_on.send(()).unwrap();
    let piped = wake(&project, &format!("ware scan tar --source {url}")).success();
    assert_eq!((piped.stdout.trim(), &*piped.stderr), (&*ware, ""));
}

/// A password is sent only to the warehouse: it does not appear in errors, events, logs, records, source lines or reports.
#[test]
fn n3_a_password_in_an_address_is_never_shown() {
    let secret = "hunter2-canary";
    let project = bed();
    let id = id(&project, "ware id tree tree");
    let git = format!("git:{}", "1".repeat(40));
    let addresses = [
        format!("http://me:{secret}@127.0.0.1:1/x"),
        format!("ca+http://{secret}@127.0.0.1:1/x"),
        format!("http://127.0.0.1:1/x?token={secret}"),
        format!("unknown://me:{secret}@host/x"),
        format!("http://me:{secret}@"),
    ];
    let check = |run: &wake_tests::Finished| {
        assert!(!run.stderr.contains(secret) && !run.stdout.contains(secret), "{run}");
    };
    for address in &addresses {
        for ware in [&id, &git] {
            for json in [&[][..], &["--message-format", "json"]] {
                let args = ["ware", "unpack", ware, "out", "--source", address];
                let run = project.wake(json).args(args).run();
                assert!(run.code != 0, "{run}");
                check(&run);
            }
        }
        project.write(
            "PKG.libsonnet",
            "function(wake) wake.pkg(wake.pkgInfo('p', '1.0.0'), files=['./f'], modules={ m: './m' })",
        );
        project.write_script("f", "#!/bin/sh\n");
        let module = format!(
            "function(wake, pkg) wake.module('m', outputs=function(wake, pkg) {{ o: './o' }}, exec=wake.exec('./f', \
             rootfs={{ ware: '{id}', warehouses: ['{address}'] }}))"
        );
        project.write("m", &module);
        for args in [&["build"][..], &["--message-format", "json", "build"], &["plan"], &["log"]] {
            check(&project.wake(args).run());
        }
        let config = format!("at={address}");
        check(&project.wake(["build", "--config", &config]).run());
    }
    let logs = fs::read_dir(project.path(".wake/runs")).unwrap();
    let texts: Vec<String> =
        logs.map(|log| fs::read_to_string(log.unwrap().path()).unwrap()).collect();
    assert!(texts.len() > 5 && texts.iter().all(|text| !text.contains(secret)));
}

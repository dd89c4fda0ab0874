//! What a command sees, tested through packages as users write them. Attacks are tested in wake-exec.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, project};

/// The lines of a script's output.
#[track_caller]
fn lines(project: &Project) -> Vec<String> {
    project.build(&[]);
    project.result_text("//:m", "out.txt").lines().map(str::to_owned).collect()
}

#[track_caller]
fn check(script: &str, expected: &[&str]) {
    assert_eq!(lines(&project().step("m", script).build()), expected, "{script}");
}

#[test]
fn the_environment_is_fixed_and_small() {
    let project = project()
        .step_with("m", "env | sort > out.txt", "env={ LEVEL: 3, LIST: ['a', 'b'] }")
        .build();
    let lines = lines(&project);
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split('=').next()).collect();
    // `PWD` is set by the shell itself.
    let expected =
        ["HOME", "LANG", "LEVEL", "LIST", "PATH", "PWD", "SOURCE_DATE_EPOCH", "TMPDIR", "TZ"];
    assert_eq!(names, expected);
    for line in ["LANG=C.UTF-8", "LEVEL=3", "LIST=a b", "TZ=UTC", "PWD=/work"] {
        assert!(lines.iter().any(|found| found == line), "no {line} in {lines:?}");
    }
}

#[test]
fn only_declared_files_are_visible() {
    let project =
        project().step("m", "find . -type f | sort > out.txt").file("secret.txt", "").build();
    let lines = lines(&project);
    assert!(lines.contains(&"./step.sh".to_owned()), "{lines:?}");
    for hidden in ["./secret.txt", "./PKG.libsonnet", "./step.libsonnet", "./wake.lock"] {
        assert!(!lines.contains(&hidden.to_owned()), "{hidden} is not declared: {lines:?}");
    }
}

#[test]
fn files_of_the_machine_are_not_visible() {
    let project = project().step("m", "true").build();
    let root = project.root().display().to_string();
    let store = project.store().display().to_string();
    project.write_script(
        "step.sh",
        &format!(
            "#!/bin/sh\nfor path in /etc/shadow /etc/hostname {root} {store} /home /root /var /sys/kernel /dev/sda; do\n  \
             test -e \"$path\" && echo \"$path\"\ndone > out.txt\ntrue\n"
        ),
    );
    assert_eq!(lines(&project), [] as [&str; 0]);
}

#[test]
fn the_user_and_localhost_have_names() {
    let script = "{ whoami; id -un; id -gn; getent hosts localhost; getent hosts wake; } > out.txt
python3 -c 'import os, pwd, socket
print(pwd.getpwuid(os.getuid()).pw_dir, os.path.expanduser(\"~\"))
for family, *_, address in socket.getaddrinfo(\"localhost\", 80, type=socket.SOCK_STREAM):
    print(address[0])' >> out.txt";
    let localhost = "::1             localhost wake";
    check(
        script,
        &["wake", "wake", "wake", localhost, localhost, "/tmp/home /tmp/home", "::1", "127.0.0.1"],
    );
}

#[test]
fn a_command_can_serve_on_localhost() {
    let script = "python3 -c 'import socket, threading
for family, host in [(socket.AF_INET, \"127.0.0.1\"), (socket.AF_INET6, \"::1\"), (socket.AF_INET, \"localhost\")]:
    server = socket.socket(family)
    server.bind((host, 0))
    server.listen()
    def answer():
        connection, _ = server.accept()
        connection.sendall(connection.recv(9).upper())
        connection.close()
    threading.Thread(target=answer).start()
    client = socket.create_connection((host, server.getsockname()[1]), timeout=9)
    client.sendall(b\"heard\")
    print(client.recv(9).decode())' > out.txt";
    check(script, &["HEARD"; 3]);
}

#[test]
fn system_links_into_etc_resolve_as_on_the_host() {
    let inside = |target: &std::path::Path| {
        let name = target.strip_prefix("/etc").ok()?.components().next()?;
        let name = name.as_os_str().to_str()?;
        let is_shown = ["alternatives", "ssl", "perl"].contains(&name)
            || ["java-", "python"].iter().any(|start| name.starts_with(start));
        is_shown.then_some(())
    };
    let mut links = Vec::new();
    let mut dirs = vec![(std::path::PathBuf::from("/usr"), 0)];
    while let Some((dir, depth)) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && depth < 4 && !path.ends_with("share/doc") {
                dirs.push((path, depth + 1));
            } else if kind.is_symlink()
                && inside(&std::fs::read_link(&path).unwrap()).is_some()
                && std::fs::canonicalize(&path).is_ok_and(|end| !end.starts_with("/usr/local"))
            {
                links.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    let script =
        "while read -r path; do [ -e \"$path\" ] || echo \"$path\"; done < links > out.txt";
    let project = project()
        .pkg("files=['./step.sh', './links'], modules={ m: './step.libsonnet' }")
        .module(
            "step.libsonnet",
            "m",
            "outputs=function(wake, pkg) { text: './out.txt' }, exec=wake.exec('./step.sh')",
        )
        .script("step.sh", &format!("#!/bin/sh\n{script}\n"))
        .file("links", &(links.join("\n") + "\n"))
        .build();
    assert!(!links.is_empty());
    let private = |path: &&String| !path.ends_with("private");
    let expected: Vec<&String> = links.iter().filter(|path| !private(path)).collect();
    let missing = lines(&project);
    assert!(missing.iter().all(|path| expected.contains(&path)), "{missing:?}");
}

#[test]
fn files_directories_and_links_have_a_fixed_time() {
    let project = project()
        .pkg("files=wake.dir('./src') + ['./step.sh'], modules={ m: './step.libsonnet' }")
        .module(
            "step.libsonnet",
            "m",
            "outputs=function(wake, pkg) { text: './out.txt' }, exec=wake.exec('./step.sh')",
        )
        .file("src/deep/er/a", "a")
        .link("src/link", "deep/er/a")
        .script(
            "step.sh",
            "#!/bin/sh\nall=$(find / -xdev -printf '%T@ %p\\n'; find /etc /work /tmp /dev/shm -printf '%T@ %p\\n')
echo \"$all\" | grep -v -e '^315619200.0000000000 ' -e ' /etc/alternatives' -e ' /etc/ssl/certs' > out.txt; true\n",
        )
        .build();
    // Files mounted from the host have the host's times.
    let host =
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/dev/pts"];
    let devices = ["null", "zero", "full", "random", "urandom", "tty"];
    let lines = lines(&project);
    let others = lines.iter().filter(|line| {
        let (_, path) = line.split_once(' ').unwrap();
        let device = path.strip_prefix("/dev/").unwrap_or_default();
        !host.contains(&path) && !devices.contains(&device)
    });
    assert_eq!(others.collect::<Vec<_>>(), [] as [&String; 0]);
}

#[test]
fn the_directory_and_the_user_are_always_the_same() {
    check("{ pwd; uname -n; id -u; umask; } > out.txt", &["/work", "wake", "1000", "0022"]);
}

#[test]
fn there_is_no_network() {
    let script = "python3 -c 'import socket
try:
    socket.create_connection((\"127.0.0.1\", 9), timeout=2)
    print(\"connected\")
except OSError as error:
    print(\"refused\")
names = [line.split(\":\")[0].strip() for line in open(\"/proc/net/dev\") if \":\" in line]
print(names)' > out.txt";
    check(script, &["refused", "['lo']"]);
}

#[test]
fn there_are_no_other_processes() {
    check(
        "ls /proc | grep -c '^[0-9]' > count; test \"$(cat count)\" -le 6; echo few > out.txt",
        &["few"],
    );
}

#[test]
fn a_config_is_one_line_of_canonical_json() {
    let config = "config={ z: 1, a: [true, null, 'ü'], n: 0.5 }";
    let project = project().step_with("m", "cat > out.txt", config).build();
    assert_eq!(lines(&project), ["{\"a\":[true,null,\"ü\"],\"n\":0.5,\"z\":1}"]);
}

#[test]
fn without_a_config_standard_input_is_empty() {
    check("wc -c < /dev/stdin | tr -d ' ' > out.txt", &["0"]);
}

#[test]
fn inputs_are_read_only() {
    let project = project()
        .pkg(
            "pkgs={ lib: wake.getPkg(wake.pkgInfo('lib', '^1'), from='./lib') },\n    \
             files=['./step.sh', './own.txt'], modules={ m: './m.libsonnet' }",
        )
        .pkg_at(
            "lib",
            "lib",
            "files=['./a.txt'], inputs=function(wake, pkg) { a: wake.ref('./a.txt') }",
        )
        .file("lib/a.txt", "of another\n")
        .file("own.txt", "own\n")
        .module(
            "m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./step.sh', args=[wake.ref('pkg.lib.input.a')])",
        )
        .script(
            "step.sh",
            "#!/bin/sh\necho \"$1\" > out.txt\ncat \"$1\" >> out.txt\n\
             (echo x > \"$1\") 2>/dev/null || echo refused >> out.txt\n\
             (echo x > \"$(dirname \"$1\")/new\") 2>/dev/null || echo refused >> out.txt\n",
        )
        .build();
    let expected = ["./.wake/pkgs/@lib@1.0.0/a.txt", "of another", "refused", "refused"];
    assert_eq!(lines(&project), expected);
    assert_eq!(project.read("lib/a.txt"), "of another\n");
    assert_eq!(project.read("own.txt"), "own\n");
}

#[test]
fn undeclared_files_are_dropped() {
    let project = project()
        .step("m", "mkdir -p tree/sub empty; echo 1 > tree/sub/a; echo 2 > left; touch out.txt; chmod +x out.txt")
        .build();
    project.edit(
        "step.libsonnet",
        "'./out.txt'",
        "'./out.txt', tree: './tree/', empty: './empty/'",
    );
    project.build(&[]);
    let found: Vec<String> =
        wake_tests::read_tree(&project.result("//:m", "")).into_keys().collect();
    assert_eq!(found, ["empty/", "out.txt", "tree/", "tree/sub/", "tree/sub/a"]);
}

#[test]
fn a_daemon_is_killed_with_the_command() {
    let marker = wake_tests::Marker::default();
    let script =
        format!("(setsid sleep {} </dev/null >/dev/null 2>&1 &) ; touch out.txt", marker.seconds);
    project().step("m", &script).build().build(&[]);
    assert!(!marker.is_alive());
}

#[test]
fn an_empty_root_has_only_the_inputs() {
    let project = project().step_with("m", "touch out.txt", "rootfs=wake.EMPTY").build();
    let run = project.wake(["build"]).run();
    // Not even a shell to run the script.
    assert_eq!(run.code, 1, "{run}");
}

#[test]
fn the_instantiated_module_is_available_as_json() {
    let project = project()
        .step("m", "python3 -c 'import json; m = json.load(open(\".wake/module.json\")); print(m[\"name\"], m[\"config\"])' > out.txt")
        .build();
    assert_eq!(lines(&project), ["m {}"]);
}

#[test]
fn a_weaker_sandbox_is_always_reported() {
    let project = project().step("m", "touch out.txt").build();
    project.build(&[]);
    let weak = project.wake(["--sandbox", "weak", "build"]).run().success();
    weak.mentions("weak");
    // Its results are cached separately.
    project.build_runs_nothing(&[]);
}

#[test]
fn a_command_may_have_no_outputs() {
    let project = project().step("m", "true").build();
    project.edit("step.libsonnet", "outputs=function(wake, pkg) { text: './out.txt' },", "");
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    project.build_runs_nothing(&[]);
}

/// A package with a step that does something to `data` and prints the result.
fn with_data(script: &str, size: usize) -> Project {
    let project = project()
        .pkg("files=['./step.sh', './data'], modules={ m: './step.libsonnet' }")
        .module(
            "step.libsonnet",
            "m",
            "outputs=function(wake, pkg) { text: './out.txt' }, exec=wake.exec('./step.sh')",
        )
        .script("step.sh", &format!("#!/bin/sh\nset -u\n{{ {script}; }} > out.txt 2>&1; true\n"))
        .build();
    project.write("data", "abc\n".repeat(size / 4));
    project
}

#[test]
fn a_source_looks_the_same_whatever_its_size_age_and_links() {
    let look = "stat -c '%a %u %g %h %Y %F' data; head -c 3 data";
    for deed in [
        "true",
        "echo x >> data",
        "chmod u+w data; echo x >> data; tail -c 3 data",
        "sed -i s/a/x/ data; head -c 3 data",
        "gzip -n data; ls data* | tr -d '\\n'",
        "mv data other; rm other; ls data",
        "rm data; echo new > data; cat data; chmod 600 data",
    ] {
        let mut said = Vec::new();
        for size in [8, 200_000, 700_000, 2 << 20] {
            let after = look.replace(" %Y", "");
            let project = with_data(&format!("{look}; {deed}; {after}"), size);
            project.build(&[]);
            said.push(project.result_text("//:m", "out.txt"));
            // Old, with another mode and a second hard link.
            let data = std::fs::File::options().write(true).open(project.path("data")).unwrap();
            data.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
            data.set_permissions(mode).unwrap();
            std::fs::hard_link(project.path("data"), project.path("second")).unwrap();
            project.wake(["build", "--rebuild"]).run().success();
            said.push(project.result_text("//:m", "out.txt"));
        }
        assert!(said.iter().all(|it| *it == said[0]), "{deed}: {said:?}");
    }
}

/// A package with `count` files besides those that a script does something to; the script prints the result and leaves a directory.
fn with_many(script: &str, count: usize) -> Project {
    let project = project()
        .pkg("files=wake.dir(['step.sh', 'data/**', 'more/**']), modules={ m: './step.libsonnet' }")
        .module(
            "step.libsonnet",
            "m",
            "outputs=function(wake, pkg) { text: './out.txt', left: './left/' }, exec=wake.exec('./step.sh')",
        )
        .script(
            "step.sh",
            &format!("#!/bin/sh\nset -u\nLC_ALL=C; export LC_ALL\n{{ {script}; }} > out.txt 2>&1; mkdir -p left; true\n"),
        )
        .script("data/sub/run", "#!/bin/sh\necho ran\n")
        .file("data/sub/deep/g", "g\n")
        .file("data/f", "abc\n")
        .file("data/second", "abc\n")
        .build();
    for number in 0..count {
        project.write(&format!("more/{}/{number}", number % 20), format!("{number}\n"));
    }
    project
}

#[test]
fn a_source_looks_the_same_among_any_number_of_sources() {
    let look = "find data | sort | xargs stat -c '%n %a %u %g %F'; cat data/f; data/sub/run";
    for deed in [
        // Programs cannot distinguish them by times, names or file systems.
        "find data -type f | sort | xargs stat -c '%n %h %s %Y'; stat -c %Y data/sub; find . -xdev -path '*data/*' | sort",
        "tar --one-file-system -cf - data | tar -t | sort; cp -rx data left; find left | sort",
        "test $(stat -c %d data) = $(stat -c %d data/f) && echo one file system",
        "echo x >> data/f; chmod u+w data/f; echo y >> data/f; sed -i s/a/z/ data/second; cat data/second",
        "rm -rf data/sub; mkdir data/sub; ls -a data/sub; touch data/sub/new",
        "mv data other; find other | sort; mv other data",
        "mv data/f data/sub/deep/g; ln data/second data/third; stat -c %h data/second; ln -s f data/link; rm data/sub/run; touch data/f",
        "mv data/sub left; find left | sort; mkdir -p data/sub; touch data/sub/run",
        "chmod -R u+w data; chmod 700 data/sub; touch -d @7 data/f; stat -c %Y data/f; cp -p data/f kept; stat -c %Y kept; truncate -s 2 data/f",
        "rmdir data/sub; rm data/sub/deep/g; rmdir data/sub/deep; mkdir data/sub/deep; ls -a data/sub/deep",
    ] {
        let mut left = Vec::new();
        for count in [3, 700] {
            let project = with_many(&format!("{look}; {deed}; {look}"), count);
            for again in [&["build"][..], &["build", "--rebuild"]] {
                project.wake(again).run().success();
                left.push(wake_tests::read_tree(&project.result("//:m", "")));
            }
            assert_eq!(project.read("data/f"), "abc\n");
            let listed = "ls more/*/* | wc -l; cat more/7/7 more/0/0 2>&1 | tail -1";
            if count == 700 {
                project.write_script(
                    "step.sh",
                    &format!("#!/bin/sh\n{{ {listed}; }} > out.txt; mkdir left\n"),
                );
                project.build(&[]);
                assert_eq!(
                    project.result_text("//:m", "out.txt"),
                    "700\n0\n",
                    "what another command did is gone"
                );
            }
        }
        assert!(left.iter().all(|it| *it == left[0]), "{deed}: {left:#?}");
    }
}

#[test]
fn an_edit_of_one_among_many_sources_is_noticed() {
    let project = with_many("cat data/f; ls more/*/* | wc -l; cat more/3/203", 600);
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "abc\n600\n203\n");
    project.write("data/f", "other\n");
    project.write("more/3/203", "edited\n");
    project.write("more/new", "");
    std::fs::remove_file(project.path("more/4/204")).unwrap();
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "other\n599\nedited\n");
    project.write("data/f", "abc\n");
    project.write("more/3/203", "203\n");
    std::fs::remove_file(project.path("more/new")).unwrap();
    project.write("more/4/204", "204\n");
    let again = project.build(&[]);
    assert_eq!(again.hit(), ["//:m"]);
    // With few sources left, they are copied again.
    std::fs::remove_dir_all(project.path("more")).unwrap();
    project.write("more/3/203", "few\n");
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out.txt"), "abc\n1\nfew\n");
}

#[test]
fn writes_through_a_mapping_do_not_change_earlier_results() {
    let project = with_data("head -c 3 data", 2 << 20);
    let elsewhere = with_data("head -c 3 data", 2 << 20);
    let python = "import mmap, sys
f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 4096); m[0:3] = b'abc'
print('mapped', flush=True); sys.stdin.readline(); m[0:3] = b'xyz'
print('written', flush=True); sys.stdin.readline()";
    let mut writer = std::process::Command::new("python3")
        .args(["-c", python, project.path("data").to_str().unwrap()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = std::io::BufReader::new(writer.stdout.take().unwrap());
    let mut hear = || std::io::BufRead::read_line(&mut told, &mut String::new()).unwrap();
    hear();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    project.build(&[]);
    std::io::Write::write_all(writer.stdin.as_mut().unwrap(), b"\n").unwrap();
    hear();
    // Its times are unchanged, so it is taken to be unchanged, and commands get the old content.
    project.wake(["build", "--rebuild"]).run().success();
    let other = elsewhere.json_build(&[]).store(project.store()).run().success().events();
    assert_eq!(other.ran(), [] as [&str; 0]);
    assert_eq!(elsewhere.result_text("//:m", "out.txt"), "abc");
    drop(writer.stdin.take());
    writer.wait().unwrap();
}

#[test]
fn an_edit_of_a_large_source_is_noticed() {
    let project = with_data("head -c 3 data", 1 << 20);
    for text in ["one\n", "two\n", "one\n"] {
        project.write("data", text.repeat(1 << 18));
        project.build(&[]);
        assert_eq!(project.result_text("//:m", "out.txt"), text.trim());
    }
    // Even if the store's copies of it are changed.
    let kept = std::process::Command::new("find")
        .args([project.store().join("tree").to_str().unwrap(), "-name", "data"])
        .output()
        .unwrap();
    let kept = String::from_utf8(kept.stdout).unwrap();
    assert_eq!(kept.lines().count(), 2);
    for place in kept.lines() {
        let file = std::path::Path::new(place);
        std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .unwrap();
        std::fs::write(file, "bad\n".repeat(1 << 18)).unwrap();
    }
    project.wake(["build", "--rebuild"]).run().success();
    assert_eq!(project.result_text("//:m", "out.txt"), "one");
}

#[test]
fn renaming_a_directory_with_a_large_source_suggests_mv() {
    let project = project()
        .step("m", "mv data moved; ls moved > out.txt")
        .file("data/small.txt", "small")
        .file("data/large.bin", &"x".repeat(300 << 10))
        .build();
    let own = "'./step.sh'";
    project.edit("PKG.libsonnet", own, "'./step.sh', './data/small.txt', './data/large.bin'");
    assert_eq!(lines(&project), ["large.bin", "small.txt"]);
    let rename = "#!/bin/sh\nexec python3 -c \"import os; os.rename('data', 'moved')\"\n";
    project.write_script("step.sh", rename);
    let help = "help: the directory `./data` cannot be renamed because it holds sources of 256 KiB or more: copy it with \
                `mv`, or rename its files";
    project.wake(["build"]).run().code(1).mentions(help);
    // Each of many sources is provided this way.
    project.write("data/large.bin", "small");
    project.edit(
        "PKG.libsonnet",
        "'./data/large.bin'",
        "'./data/large.bin'] + wake.dir('more/*') + [",
    );
    for number in 0..300 {
        project.write(&format!("more/{number}"), "x");
    }
    let help = "help: the directory `./data` cannot be renamed because the step has so many sources: copy it with \
                `mv`, or rename its files";
    project.wake(["build"]).run().code(1).mentions(help);
    std::fs::remove_dir_all(project.path("more")).unwrap();
    project.write("more/one", "x");
    // Otherwise the rename succeeds, and other failures do not mention directories.
    project.write_script("step.sh", &rename.replace("moved'", "out.txt'"));
    project.wake(["build"]).run().success();
    project.write("data/large.bin", "x".repeat(300 << 10));
    project.write_script("step.sh", "#!/bin/sh\necho other >&2; exit 1\n");
    let run = project.wake(["build"]).run().code(1);
    assert!(!run.stderr.contains("cannot be renamed"), "{}", run.stderr);
}

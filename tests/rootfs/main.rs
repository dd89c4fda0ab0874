//! `wake.exec(rootfs=…)`: every kind of root file system, built, rebuilt, and invalid.

#![allow(clippy::unwrap_used)]

mod refused;

use std::fs;
use std::process::Command;

use wake_tests::{Project, copy_tree, expect, has_busybox, project};

/// A module `//:m` whose command lists the files it sees in the root file system that `rootfs` names.
fn listing(rootfs: &str) -> Project {
    let project = project()
        .pkg("files=['./list.sh', wake.dir('packed')], modules={ m: './m.libsonnet' }")
        .script("list.sh", "#!/bin/sh\nset -eu\nls / > out.txt\ncat /etc/name >> out.txt\n")
        .file("packed/keep", "")
        .build();
    project.busybox_root("root", &["sh", "ls", "cat"]);
    project.write("root/etc/name", "first\n");
    fs::create_dir(project.path("warehouse")).unwrap();
    module(&project, rootfs);
    project
}

/// Rewrites the module `//:m`.
fn module(project: &Project, rootfs: &str) {
    // On a separate line, so that messages show whole lines.
    let rootfs = rootfs.replace(", warehouse", ",\n      warehouse");
    let text = format!(
        "function(wake, pkg, config={{}})
  wake.module(
    'm',
    pkgFiles=['./list.sh'],
    outputs=function(wake, pkg) {{ text: './out.txt' }},
    exec=wake.exec('./list.sh', rootfs={rootfs}),
  )
"
    );
    project.write("m.libsonnet", text);
}

/// Writes a module that creates root file systems on the host from files of the package.
fn maker(project: &Project, name: &str, outputs: &str, script: &str) {
    project.write_script(&format!("{name}.sh"), &format!("#!/bin/sh\nset -eu\n{script}\n"));
    let text = format!(
        "function(wake, pkg, config={{}})
  wake.module(
    '{name}',
    outputs=function(wake, pkg) {{ {outputs} }},
    pkgFiles=['./{name}.sh', wake.dir('packed')],
    exec=wake.exec('./{name}.sh'),
  )
"
    );
    project.write(&format!("{name}.libsonnet"), text);
    project.edit("PKG.libsonnet", "files=[", &format!("files=['./{name}.sh', "));
    let modules = format!("modules={{ {name}: './{name}.libsonnet',");
    project.edit("PKG.libsonnet", "modules={", &modules);
}

fn pack(project: &Project, kind: &str, dir: &str) -> String {
    let target = ["--target", "ca+file://./warehouse"];
    let packed = project.wake(["ware", "pack", kind, dir]).args(target).run().success();
    packed.stdout.trim().to_owned()
}

/// Packs the directory `root` into `to`.
fn tar(project: &Project, to: &str) {
    let mut tar = Command::new("tar");
    tar.args(["-C", "root", "-czf", to, "."]).current_dir(project.root());
    assert!(tar.status().unwrap().success());
}

/// The files a command sees in a root with these directories: theirs and the sandbox's own, none of the host.
const SEEN: &str = "bin\ndev\netc\nproc\ntmp\nwork\n";

#[track_caller]
fn shows(project: &Project, name: &str) {
    assert_eq!(project.result_text("//:m", "out.txt"), format!("{SEEN}{name}\n"));
}

#[test]
fn a_ware_is_fetched_once_and_is_hermetic() {
    if !has_busybox("a_ware_is_fetched_once_and_is_hermetic") {
        return;
    }
    for kind in ["tar", "tree"] {
        let project = listing("null");
        let id = pack(&project, kind, "root");
        let warehouses = "['ca+file://./gone', 'ca+file://./warehouse']";
        module(&project, &format!("{{ ware: '{id}', warehouses: {warehouses} }}"));
        assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
        shows(&project, "first");
        project.build_runs_nothing(&["//:m"]);
        // Now from the store; its origin is not part of the key either.
        fs::remove_dir_all(project.path("warehouse")).unwrap();
        // A `tar` id does not cover links: a tree unpacked from it is reused only with the same warehouse addresses.
        let named = match kind {
            "tar" => format!("{{ ware: '{id}', warehouses: {warehouses} }}"),
            _ => format!("'{id}'"),
        };
        module(&project, &named);
        project.build_runs_nothing(&["//:m"]);
        project.edit("list.sh", "set -eu", "set -eu # again");
        assert_eq!(project.build(&["//:m"]).ran(), ["//:m"], "{kind}");
        // Another package database is another host, which does not affect this command.
        let why = project.wake(["why", "--json", "//:m"]).run().success().stdout;
        assert!(!why.contains("host"), "{why}");
    }
}

#[test]
fn a_ware_unpacked_by_a_formula_needs_no_warehouse() {
    if !has_busybox("a_ware_unpacked_by_a_formula_needs_no_warehouse") {
        return;
    }
    let project = listing("null");
    let id = pack(&project, "tree", "root");
    // With the filters of formulas: the store has it under the id after filtering.
    let lossless = "uid=follow,gid=follow,setid=follow,dev=follow";
    let unpack = ["ware", "unpack", &id, "none", "--placer", "none", "--filters", lossless];
    project.wake(unpack).args(["--source", "ca+file://./warehouse"]).run().success();
    fs::remove_dir_all(project.path("warehouse")).unwrap();
    module(&project, &format!("{{ ware: '{id}' }}"));
    assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
    shows(&project, "first");
}

#[test]
fn a_directory_of_the_package_is_a_root() {
    if !has_busybox("a_directory_of_the_package_is_a_root") {
        return;
    }
    for rootfs in ["'./root'", "wake.ref('./root')"] {
        let project = listing(rootfs);
        project.edit("PKG.libsonnet", "wake.dir('packed')", "wake.dir('root')");
        assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
        shows(&project, "first");
        project.build_runs_nothing(&["//:m"]);
        project.touch("root/etc/name");
        project.build_runs_nothing(&["//:m"]);
        project.write("root/etc/name", "second\n");
        assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
        shows(&project, "second");
        project.write("root/etc/more", "listed\n");
        assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
    }
}

#[test]
fn an_archive_of_the_package_is_unpacked_again_when_it_changes() {
    if !has_busybox("an_archive_of_the_package_is_unpacked_again_when_it_changes") {
        return;
    }
    let project = listing("wake.ref('./packed/root.tgz')");
    tar(&project, "packed/root.tgz");
    assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
    shows(&project, "first");
    project.build_runs_nothing(&["//:m"]);
    project.touch("packed/root.tgz");
    project.build_runs_nothing(&["//:m"]);
    // Only one data file differs, so the snapshot is used.
    project.write("root/etc/name", "second\n");
    tar(&project, "packed/root.tgz");
    assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
    shows(&project, "second");
    project.edit("list.sh", "set -eu", "set -eu # again");
    assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
    shows(&project, "second");
    // Packed by another program, but the same tree.
    let mut tar = Command::new("tar");
    tar.args(["-C", "root", "-cJf", "packed/root.tgz", "."]).current_dir(project.root());
    if tar.output().unwrap().status.success() {
        project.build_runs_nothing(&["//:m"]);
    }
}

#[test]
fn an_output_directory_or_archive_of_a_module_is_a_root() {
    if !has_busybox("an_output_directory_or_archive_of_a_module_is_a_root") {
        return;
    }
    let project = listing("null");
    project.write("packed/name", "first\n");
    let script = "mkdir -p out/bin out/etc; cp /bin/busybox out/bin/; cp packed/name out/etc/
for name in sh ls cat; do ln -s busybox out/bin/$name; done";
    maker(&project, "tree", "root: './out/'", script);
    let archive = format!("{script}\ntar -C out -czf root.tgz --mtime=@0 --sort=name .");
    maker(&project, "archive", "root: './root.tgz'", &archive);
    for made in ["tree", "archive"] {
        module(&project, "wake.ref('module.made.output.root')");
        let needs = format!("'m',\n    modules={{ made: pkg.modules.{made}({{}}) }},");
        project.edit("m.libsonnet", "'m',", &needs);
        project.write("packed/name", "first\n");
        let label = format!("//:{made}");
        project.build(&["//:m"]);
        shows(&project, "first");
        project.build_runs_nothing(&["//:m"]);
        project.write("packed/name", "second\n");
        let mut expected = [label.as_str(), "//:m"];
        expected.sort_unstable();
        assert_eq!(project.build(&["//:m"]).ran(), expected);
        shows(&project, "second");
        // An equal output causes no further work.
        let script = format!("{made}.sh");
        project.edit(&script, "set -eu", "set -eu # again");
        assert_eq!(project.build(&["//:m"]).ran(), [label.as_str()]);
        project.edit("list.sh", "set -eu", &format!("set -eu # after {made}"));
        assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);
        shows(&project, "second");
    }
}

#[test]
fn the_files_of_a_package_or_module_are_a_root() {
    if !has_busybox("the_files_of_a_package_or_module_are_a_root") {
        return;
    }
    let project = listing("'pkg.os'");
    project.edit(
        "PKG.libsonnet",
        "modules=",
        "pkgs={ os: wake.getPkg(wake.pkgInfo('os', '*'), from='./root') }, modules=",
    );
    project.write(
        "root/PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('os', '1.0.0'), files=[wake.dir('bin'), wake.dir('etc')])\n",
    );
    project.build(&["//:m"]);
    // Without its sources, as always.
    shows(&project, "first");
    project.write("root/etc/name", "second\n");
    assert_eq!(project.build(&["//:m"]).ran(), ["//:m"]);

    let script = "mkdir bin etc; cp /bin/busybox bin/; echo made > etc/name
for name in sh ls cat; do ln -s busybox bin/$name; done";
    maker(&project, "tree", "bin: './bin/', etc: './etc/'", script);
    module(&project, "'module.made'");
    project.edit("m.libsonnet", "'m',", "'m',\n    modules={ made: pkg.modules.tree({}) },");
    project.build(&["//:m"]);
    shows(&project, "made");
}

#[test]
fn another_checkout_with_the_same_store_reuses_the_root() {
    if !has_busybox("another_checkout_with_the_same_store_reuses_the_root") {
        return;
    }
    let one = listing("wake.ref('./packed/root.tgz')");
    tar(&one, "packed/root.tgz");
    one.build(&[]);
    let other = project().build();
    copy_tree(one.root(), other.root());
    let build = || other.json_build(&[]).store(one.store()).run().success().events();
    assert_eq!(build().ran(), [] as [&str; 0]);
    other.write("root/etc/name", "second\n");
    tar(&other, "packed/root.tgz");
    assert_eq!(build().ran(), ["//:m"]);
    shows(&other, "second");
    shows(&one, "first");
}

#[test]
fn why_traces_a_changed_root_to_its_file_or_module() {
    if !has_busybox("why_traces_a_changed_root_to_its_file_or_module") {
        return;
    }
    let project = listing("'./root'");
    project.edit("PKG.libsonnet", "wake.dir('packed')", "wake.dir('root')");
    project.build(&[]);
    project.write("root/etc/name", "second\n");
    project.wake(["why", "//:m"]).run().success().prints(expect![[r#"
        //:m would run because of: changed rootfs
          changed rootfs  tree b4166d9ab2a2 -> tree 088f282c1bed  at root/etc/name
          unchanged: [N] other fields
    "#]]);

    let project = listing("wake.ref('./packed/root.tgz')");
    tar(&project, "packed/root.tgz");
    project.build(&["//:m"]);
    project.write("root/etc/name", "second\n");
    tar(&project, "packed/root.tgz");
    project.wake(["why", "//:m"]).run().success().prints(expect![[r#"
        //:m would run because of: changed rootfs
          changed rootfs  tree b4166d9ab2a2 -> tree 088f282c1bed  at packed/root.tgz
          unchanged: [N] other fields
    "#]]);

    let project = listing("wake.ref('module.made.output.root')");
    let script = "mkdir -p out/bin out/etc; cp /bin/busybox out/bin/; cp packed/name out/etc/
for name in sh ls cat; do ln -s busybox out/bin/$name; done";
    maker(&project, "tree", "root: './out/'", script);
    project.edit("m.libsonnet", "'m',", "'m',\n    modules={ made: pkg.modules.tree({}) },");
    project.write("packed/name", "first\n");
    project.build(&["//:m"]);
    project.write("packed/name", "second\n");
    project.build(&["//:m"]);
    project.wake(["why", "//:m"]).run().success().prints(expect![[r#"
        //:m ran last because of: changed rootfs
          changed rootfs  tree b4166d9ab2a2 -> tree 088f282c1bed
            because //:tree ran last because of: changed inputs packed/name
              changed inputs.packed/name  file dbada8e50433 -> file a74e619132c4  at packed/name
              unchanged: [N] other fields
          unchanged: [N] other fields
    "#]]);
}

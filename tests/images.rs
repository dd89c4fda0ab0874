//! `wake image`: what exists, what is built, by which scripts, and what is said of images that are wrong.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, ProjectBuilder, Wake, expect, project};

/// A document for podman, with lines below the distribution.
fn document(lines: &str) -> String {
    format!("build_specifications:\n  frontier:\n    podman:\n      ubuntu:\n{lines}")
}

/// Three images in a directory: an operating system in two versions, a compiler, a program.
fn images() -> ProjectBuilder {
    let from_base = "@from\n    %(__base__)\n";
    project()
        .file("images/os/22.04/specifications.yaml", &document(""))
        .file("images/os/22.04/templates/ubuntu.vtmp", "@from\n    r.example/os:%(__tag__)\n")
        .file("images/os/24.04/specifications.yaml", &document(""))
        .file("images/os/24.04/templates/ubuntu.vtmp", "@from\n    r.example/os:%(__tag__)\n")
        .file("images/cc/12/specifications.yaml", &document("        dependencies: [os]\n"))
        .file("images/cc/12/templates/ubuntu.vtmp", from_base)
        .file(
            "images/app/1/specifications.yaml",
            &document("        dependencies:\n          - cc@^11\n          - os@_22.04\n        prolog: get.sh\n"),
        )
        .file("images/app/1/templates/ubuntu.vtmp", &format!("{from_base}@run\n    make\n    make\n"))
        .file("images/app/1/frontier/get.sh", "fetch it\n")
}

fn image(project: &Project, args: &[&str]) -> Wake {
    let lead = ["image", "-s", "frontier", "-b", "podman", "-d", "ubuntu", "-i", "images"];
    project.wake(lead.into_iter().chain(args.iter().copied())).env("VELOCITY_BUILD_DIR", "/b")
}

const HEADING: &str = "==> System: frontier\n==> Backend: podman\n==> Distro: ubuntu\n\n";

#[test]
fn what_exists_and_what_targets_come_to() {
    let project = images().build();
    let avail = image(&project, &["avail"]).run().code(0);
    let listed = "==> app\n\t1\n==> cc\n\t12\n==> os\n\t22.04\n\t24.04\n\n";
    assert_eq!(avail.stdout, format!("{HEADING}{listed}"));
    let spec = image(&project, &["spec", "app"]).run().code(0);
    let tree = "  > app@=1\n     ^os@=22.04\n     ^cc@=12\n        ^os@=22.04\n\n";
    assert_eq!(spec.stdout, format!("{HEADING}{tree}"));
    let alone = image(&project, &["spec", "cc"]).run().code(0);
    assert_eq!(alone.stdout, format!("{HEADING}  > cc@=12\n     ^os@=24.04\n\n"));
}

#[test]
fn variables_of_the_environment_say_what_flags_do_not() {
    let project = images().build();
    let wake = |args: &[&str]| {
        let wake = project.wake(["image"].into_iter().chain(args.iter().copied()));
        wake.env("VELOCITY_IMAGE_DIR", "images")
            .env("VELOCITY_SYSTEM", "frontier")
            .env("VELOCITY_BACKEND", "podman")
            .env("VELOCITY_DISTRO", "ubuntu")
    };
    assert!(wake(&["avail"]).run().code(0).stdout.contains("==> app"));
    assert!(!wake(&["-s", "summit", "avail"]).run().code(0).stdout.contains("==> app"));
}

#[test]
fn scripts_and_commands_are_printed_and_nothing_is_run() {
    let project = images().build();
    let squash = ["-A", "value: --squash; when: app"];
    let with = |args: &[&str]| image(&project, &[args, &squash].concat()).run().code(0);
    let plan = with(&["plan", "app", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let ids: Vec<String> = (0..3)
        .map(|number| plan["builds"][number]["id"].as_str().unwrap()[..12].to_owned())
        .collect();
    let mut script = with(&["script", "app"]).stdout;
    for (number, id) in ids.iter().enumerate() {
        script = script.replace(id, &format!("<{number}>"));
    }
    expect![[r"
        ==> System: frontier
        ==> Backend: podman
        ==> Distro: ubuntu

        ==> Build Order:
        	os@=22.04
        	cc@=12
        	app@=1

        ==> <0>: BUILD os@=22.04 --DRY-RUN ...
        ==> <0>: GENERATING SCRIPT ...
        	SCRIPT: /b/<0>/script
        	FROM r.example/os:22.04
        	
        ==> <0>: BUILDING ...
        	#!/usr/bin/env bash
        	podman build -f /b/<0>/script -t localhost/<0>:latest .;
        ==> <0>: IMAGE localhost/<0>:latest (os@=22.04)

        ==> <1>: BUILD cc@=12 --DRY-RUN ...
        ==> <1>: GENERATING SCRIPT ...
        	SCRIPT: /b/<1>/script
        	FROM localhost/<0>:latest
        	
        ==> <1>: BUILDING ...
        	#!/usr/bin/env bash
        	podman build -f /b/<1>/script -t localhost/<1>:latest .;
        ==> <1>: IMAGE localhost/<1>:latest (cc@=12)

        ==> <2>: BUILD app@=1 --DRY-RUN ...
        ==> <2>: COPYING FILES ...
        	FILE: images/app/1/frontier/get.sh -> /b/<2>/get.sh
        ==> <2>: GENERATING SCRIPT ...
        	SCRIPT: /b/<2>/script
        	FROM localhost/<1>:latest
        	
        	RUN make && \
        	    make
        	
        ==> <2>: RUNNING PROLOG ... && BUILDING ...
        	#!/usr/bin/env bash
        	set -e
        	fetch it
        	podman build --squash -f /b/<2>/script -t localhost/app-1_cc-12_os-22.04__frontier-ubuntu:latest .;
        ==> <2>: IMAGE localhost/app-1_cc-12_os-22.04__frontier-ubuntu:latest (app@=1)

        ==> podman untag localhost/<0>:latest
        ==> podman untag localhost/<1>:latest
    "]]
    .assert_eq(&script);
}

#[test]
fn a_new_image_can_be_built_upon() {
    let project = images().build();
    image(&project, &["create", "tool", "2.0"]).run().code(0);
    let spec = image(&project, &["spec", "tool"]).run().code(0);
    assert_eq!(spec.stdout, format!("{HEADING}  > tool@=2.0\n\n"));
    image(&project, &["create", "tool", "2.0"]).run().code(2).says(expect![[r"
        error: `images/tool/2.0/specifications.yaml` is there already
    "]]);
}

#[test]
fn what_does_not_fit_is_shown_with_its_lines() {
    let project = images().build();
    image(&project, &["spec", "app", "os@=24.04"]).run().code(6).says(expect![[r"
        error: nothing fits:
            `os@=24.04` is asked for
            `app@=1` needs `os@_22.04` (images/app/1/specifications.yaml:7:13)
         help: change one of these lines, or ask for another version
    "]]);
    image(&project, &["spec", "ap"]).run().code(4).says(expect![[r"
        error: there is no image `ap` for system `frontier`, backend `podman`, distro `ubuntu`
         help: did you mean `app`?
    "]]);
}

#[test]
fn documents_that_are_wrong_are_shown_at_their_place() {
    let project = images()
        .file("images/app/2/specifications.yaml", &document("        dependancies: [cc]\n"))
        .build();
    image(&project, &["avail"]).run().code(5).says(expect![[r"
        error: unknown key `dependancies` in `ubuntu`
         --> images/app/2/specifications.yaml:5:9
          |
        5 |         dependancies: [cc]
          |         ^
          help: did you mean `dependencies`?
    "]]);
    project.write("images/app/2/specifications.yaml", document("        dependencies: [gpu]\n"));
    image(&project, &["spec", "os"]).run().code(5).says(expect![[r"
        error: `app@=2` needs `gpu`, which no image is
         --> images/app/2/specifications.yaml:5:24
          |
        5 |         dependencies: [gpu]
          |                        ^
          help: the images are `app`, `cc`, `os`
    "]]);
    project.write("images/app/2/specifications.yaml", document(""));
    project.write("images/app/2/templates/ubuntu.vtmp", "@from\n    %(__bas__)\n");
    image(&project, &["script", "app@=2"]).run().code(5).says(expect![[r"
        error: variable `__bas__` is not defined
         --> images/app/2/templates/ubuntu.vtmp:2:5
          |
        2 |     %(__bas__)
          |     ^
          help: did you mean `__base__`?
    "]]);
}

#[test]
fn calls_that_are_wrong() {
    let project = images().build();
    image(&project, &["plan", "app", "-V", "nme: x"]).run().code(2).says(expect![[r"
        error: `--variable 'nme: x'`: `nme` is unknown
         help: write `--variable 'name: NAME; value: TEXT'`
    "]]);
    project.wake(["image", "-i", "nowhere", "avail"]).run().code(5).says(expect![[r"
        error: `nowhere`: there is no such directory
         help: `wake image --images DIR` or VELOCITY_IMAGE_DIR says where images are
    "]]);
    let project = project_with_unknown_backend();
    project.wake(["image", "-i", "images", "-b", "dokcer", "plan", "a"]).run().code(2).says(
        expect![[r"
        error: `dokcer` is no backend that builds images
         help: there are apptainer, singularity, docker, podman, buildah and openshift
    "]],
    );
}

/// An image that exists for whatever is asked for.
fn project_with_unknown_backend() -> Project {
    project().file("images/a/specs.yaml", "versions: [{spec: 1}]\n").build()
}

#[test]
fn a_person_configures_once() {
    let project = project()
        .file("images/a/specs.yaml", "versions: [{spec: 8.10}, {spec: '9'}]\n")
        .file("images/a/templates/default.vtmp", "@from\n    os:{{ release }}\n")
        .file(
            "config/config.yaml",
            "velocity: {system: summit, backend: docker, image_path: images}\nconstraints: {variables: [{name: release, value: 7}]}\n",
        )
        .build();
    let plan = project
        .wake(["image", "script", "a@:8"])
        .env("VELOCITY_CONFIG_DIR", project.path("config"))
        .run()
        .code(0);
    assert!(plan.stdout.contains("\tFROM os:7\n"), "{}", plan.stdout);
    assert!(plan.stdout.contains("docker build -f"), "{}", plan.stdout);
    plan.says(expect![[r#"
        warning: `8.10` is `8.1` to YAML and to Velocity: here it is `8.10`
         --> images/a/specs.yaml:1:19
          |
        1 | versions: [{spec: 8.10}, {spec: '9'}]
          |                   ^
          help: write `"8.10"`
    "#]]);
}

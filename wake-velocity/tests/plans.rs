//! Plans: names, commands, order, identities.

#![allow(clippy::unwrap_used)]

mod shared;

use std::path::Path;

use expect_test::expect;
use serde_json::Value;
use shared::{Images, first, images, plan, read};
use wake_model::digest::{BlobDigest, Digest};
use wake_velocity::plan::{Base, BuildId, ContextFile, Identity, Plan, Surroundings};
use wake_velocity::script::{Backend, Limits};
use wake_velocity::solve::solve;

fn chain() -> Images {
    images(&[
        ("os/22.04/specifications.yaml", &first("podman", &[])),
        ("os/22.04/templates/ubuntu.vtmp", "@from\n    r.example/os:%(__tag__)\n"),
        ("cc/12/specifications.yaml", &first("podman", &["dependencies: [os]"])),
        (
            "cc/12/templates/ubuntu.vtmp",
            "@from\n    %(__base__)\n@run\n    make -j %(__threads__)\n",
        ),
        (
            "app/1/specifications.yaml",
            &first(
                "podman",
                &[
                    "dependencies: [cc, os]",
                    "prolog: get.sh",
                    "arguments: [--no-cache]",
                    "variables: {x: 1}",
                ],
            ),
        ),
        ("app/1/templates/ubuntu.vtmp", "@from\n    %(__base__)\n@copy\n    data /data\n"),
        ("app/1/frontier/get.sh", "#!/bin/sh\n# fetches\nfetch it   # now\n"),
        ("app/1/frontier/data", "1"),
        ("app/1/summit/data", "2"),
    ])
}

#[test]
fn each_image_is_built_from_the_one_before() {
    let plan = plan(&chain(), "podman", &["app"]).unwrap();
    let mut said = String::new();
    for build in &plan.builds {
        said.push_str(&format!("-- {}\n{}{}", build.image.name, build.script, build.build));
        build.context.iter().for_each(|file| said.push_str(&format!("+ {}\n", file.path)));
    }
    plan.finish(false).iter().for_each(|command| said.push_str(&format!("$ {command}\n")));
    for (number, build) in plan.builds.iter().enumerate() {
        said = said.replace(&build.id.0.short(12), &format!("<{number}>"));
    }
    expect![[r"
        -- os
        FROM r.example/os:22.04

        #!/usr/bin/env bash
        podman build -f /build/<0>/script -t localhost/<0>:latest .;
        -- cc
        FROM localhost/<0>:latest

        RUN make -j 3

        #!/usr/bin/env bash
        podman build -f /build/<1>/script -t localhost/<1>:latest .;
        -- app
        FROM localhost/<1>:latest

        COPY data /data

        #!/usr/bin/env bash
        set -e
        fetch it   
        podman build --no-cache -f /build/<2>/script -t localhost/app-1_cc-12_os-22.04__frontier-ubuntu:latest .;
        + data
        + get.sh
        $ podman untag localhost/<0>:latest
        $ podman untag localhost/<1>:latest
    "]]
    .assert_eq(&said);
    assert!(plan.finish(true).is_empty());
}

#[test]
fn the_second_generation_names_the_last_image_afterwards() {
    let files = images(&[
        ("os/specs.yaml", "versions: [{spec: '22.04'}]\n"),
        ("os/templates/default.vtmp", "@from\n    os:{{ __version__ }}\n"),
        (
            "app/specs.yaml",
            "versions: [{spec: 1}]
dependencies: [{spec: os}]
files: [{name: data}, {name: tool}]
prologs:
- script: |
    fetch it
    fetch more
variables: [{name: say, value: \"it's; so\"}]
",
        ),
        (
            "app/templates/default.vtmp",
            "@from\n    {{ __base__ }}\n@label\n    id {{ __image_id__ }}\n",
        ),
        ("app/files/data/x", "1"),
        ("app/files/tool", "2"),
    ]);
    let plan = plan(&files, "apptainer", &["app"]).unwrap();
    let [os, app] = &plan.builds[..] else { panic!("two images") };
    let (os, id) = (os.id.0.short(12), app.id.0.short(12));
    let dir = format!("/build/app-1-{id}");
    assert_eq!(
        app.build,
        format!(
            "#!/usr/bin/env bash
set -e
### VARIABLES ###
source {dir}/variables
### PROLOG ###
fetch it
fetch more
### BUILD ###
apptainer build {dir}/{id}.sif {dir}/script;
"
        )
    );
    assert_eq!(
        app.script,
        format!(
            "Bootstrap: localimage
From: /build/os-22.04-{os}/{os}.sif

%labels
id {id}
"
        )
    );
    let paths: Vec<&str> = app.context.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["data/x", "tool"]);
    assert_eq!(
        plan.finish(false),
        [format!("cp {dir}/{id}.sif /here/app-1_os-22.04_frontier-ubuntu.sif")]
    );
    let variables = plan.variables_file(app).unwrap();
    for line in [
        "export say='it'\\''s; so'\n",
        "export __os__version__=22.04\n",
        "export __os__version_patch__=''\n",
        "export __version_major__=1\n",
        &format!("export __image_id__={id}\n"),
    ] {
        assert!(variables.contains(line), "{line} in {variables}");
    }
}

/// The identities of all builds after changing one of the surroundings.
fn ids_with(files: &Images, change: impl Fn(&mut Surroundings<'_>)) -> Vec<BuildId> {
    let catalog = read(files, "podman").unwrap();
    let solution = solve(&catalog, &["app".to_owned()]).unwrap();
    let mut surroundings = Surroundings {
        build_dir: "/build".to_owned(),
        working_dir: "/here".to_owned(),
        name: None,
        threads: 3,
        arch: "x86_64".to_owned(),
        timestamp: "today".to_owned(),
        limits: Limits::default(),
        digest: &|_| None,
    };
    change(&mut surroundings);
    let plan = Plan::new(&catalog, files, &solution, Backend::Podman, &surroundings).unwrap();
    plan.builds.iter().map(|build| build.id).collect()
}

#[test]
fn an_identity_changes_with_what_matters_and_with_nothing_else() {
    let before = ids_with(&chain(), |_| {});
    let ids = |path: &str, text: &str| {
        let mut files = chain();
        let old = files.insert(format!("images/{path}"), text.as_bytes().to_vec());
        assert_ne!(old.as_deref(), Some(text.as_bytes()), "the text changes");
        ids_with(&files, |_| {})
    };
    let app = |lines: &[&str]| ids("app/1/specifications.yaml", &first("podman", lines));
    let all = [
        "dependencies: [cc, os]",
        "prolog: get.sh",
        "arguments: [--no-cache]",
        "variables: {x: 1}",
    ];
    let with = |at: usize, line: &'static str| {
        let mut lines = all;
        lines[at] = line;
        app(&lines)
    };
    // These affect only the last image.
    for changed in [
        with(1, ""),
        with(2, "arguments: []"),
        with(3, "variables: {x: 2}"),
        with(3, "variables: {y: 1}"),
        ids("app/1/frontier/data", "2"),
        ids("app/1/frontier/more", ""),
        ids("app/1/frontier/get.sh", "fetch more\n"),
        ids("app/1/templates/ubuntu.vtmp", "@from\n    %(__base__)\n"),
    ] {
        assert_eq!(changed[..2], before[..2]);
        assert_ne!(changed[2], before[2]);
    }
    // The contents of the first image affect all that follow.
    for changed in [
        ids("os/22.04/templates/ubuntu.vtmp", "@from\n    r.example/os:22\n"),
        ids_with(&chain(), |surroundings| surroundings.digest = &|_| Some("sha256:1".to_owned())),
        ids_with(&chain(), |surroundings| surroundings.arch = "aarch64".to_owned()),
    ] {
        assert!((0..3).all(|at| changed[at] != before[at]));
    }
    // A comment, another system's files, another directory, another day.
    for unchanged in [
        with(1, "prolog: get.sh # a comment"),
        ids("app/1/summit/data", "3"),
        ids_with(&chain(), |surroundings| {
            surroundings.build_dir = "/other".to_owned();
            surroundings.working_dir = "/there".to_owned();
            surroundings.name = Some("other".to_owned());
            surroundings.timestamp = "tomorrow".to_owned();
            surroundings.threads = 16;
        }),
    ] {
        assert_eq!(unchanged, before);
    }
}

#[test]
fn vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/image_build.json");
    let content: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let texts = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let id = |value: &Value| BuildId(text(value).parse::<Digest>().unwrap());
    for case in content["cases"].as_array().unwrap() {
        let base = match &case["base"]["build"] {
            Value::Null => Base::Image {
                name: text(&case["base"]["image"]),
                digest: case["base"]["digest"].as_str().map(str::to_owned),
            },
            build => Base::Build(id(build)),
        };
        let file = |file: &Value| ContextFile {
            path: text(&file["path"]),
            executable: file["executable"].as_bool().unwrap(),
            digest: BlobDigest::of(text(&file["content"]).as_bytes()),
            source: "somewhere".to_owned(),
        };
        let variables = case["variables"].as_object().unwrap().iter();
        let identity = Identity {
            name: text(&case["name_of_image"]),
            version: text(&case["version"]),
            system: text(&case["system"]),
            backend: text(&case["backend"]),
            distro: text(&case["distro"]),
            engine: text(&case["engine"]).parse().unwrap(),
            arch: text(&case["arch"]),
            base,
            needs: case["needs"].as_array().unwrap().iter().map(id).collect(),
            variables: variables.map(|(name, value)| (name.clone(), text(value))).collect(),
            arguments: texts(&case["arguments"]),
            template: BlobDigest::of(text(&case["template"]).as_bytes()),
            context: case["context"].as_array().unwrap().iter().map(file).collect(),
            prolog: case["prolog"].is_array().then(|| texts(&case["prolog"])),
        };
        let hex: String = identity.encoded().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, text(&case["encoded"]), "{}", case["name"]);
        assert_eq!(identity.id().to_string(), text(&case["digest"]), "{}", case["name"]);
    }
}

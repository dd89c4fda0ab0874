//! `wake codespec`: versions, output and errors.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use wake_tests::{Project, expect, project};

const NEGATING: &str = "\
name: negatingcodespec
buffers:
  inputs:
    - input
  outputs:
    - output
image: registry.example.org/ffmpeg
args:
  - $(INPUT_PIPE)
  - -vf
  - negate
  - $(OUTPUT_PIPE)
";

fn codespecs() -> Project {
    project().file("negating.yml", NEGATING).build()
}

fn create(project: &Project, args: &[&str]) -> String {
    let done = project.wake(["codespec", "create"].iter().chain(args)).run().code(0);
    assert_eq!(done.stderr, "", "{args:?}");
    done.stdout.trim_end().to_owned()
}

fn show(project: &Project, args: &[&str]) -> Value {
    let shown = project.wake(["codespec", "show"].iter().chain(args)).run().code(0);
    serde_json::from_str(&shown.stdout).unwrap()
}

#[test]
fn equal_flags_and_files_are_one_version() {
    let project = codespecs();
    let flags = [
        "negatingcodespec",
        "--image",
        "registry.example.org/ffmpeg",
        "--input",
        "input",
        "--output",
        "output",
        "--",
        "$(INPUT_PIPE)",
        "-vf",
        "negate",
        "$(OUTPUT_PIPE)",
    ];
    assert_eq!(create(&project, &flags), "1");
    assert_eq!(create(&project, &["-f", "negating.yml"]), "1");
    assert_eq!(create(&project, &["-f", "negating.yml", "--env", "MY_ENV=MY_VALUE"]), "2");
    assert_eq!(create(&project, &["-f", "negating.yml", "-e", "MY_ENV=MY_VALUE"]), "2");
    // Only the latest version is compared.
    assert_eq!(create(&project, &["-f", "negating.yml"]), "3");
    let (first, third) = (
        show(&project, &["negatingcodespec", "--version", "1"]),
        show(&project, &["negatingcodespec"]),
    );
    assert_eq!((&first["version"], &third["version"]), (&1.into(), &3.into()));
    assert_eq!(first["contentId"], third["contentId"]);
    assert_eq!(show(&project, &["negatingcodespec", "-v", "2"])["env"]["MY_ENV"], "MY_VALUE");
    assert_eq!(show(&project, &["negatingcodespec/versions/2"])["version"], 2);
}

#[test]
fn yaml_json_and_jsonnet_are_one_model() {
    let project = project()
        .file("a.yml", "name: a\nimage: i\nargs: ['1']\nenv: {B: b, A: $(B)}\n")
        .file("a.json", "{\"name\": \"a\", \"image\": \"i\", \"args\": [\"1\"], \"env\": {\"B\": \"b\", \"A\": \"$(B)\"}}")
        .file(
            "a.jsonnet",
            "local lib = import 'lib.libsonnet';\nlib.job('a') { args: [std.toString(1)], env: [{ name: 'B', value: 'b' }, { name: 'A', value: '$(B)' }] }\n",
        )
        .file("lib.libsonnet", "{ job(name):: { name: name, image: 'i' } }\n")
        .file("wrong.jsonnet", "{ name: 'a', image: 'i', argz: [] }\n")
        .build();
    for file in ["a.yml", "a.json", "a.jsonnet"] {
        assert_eq!(create(&project, &["-f", file]), "1", "{file}");
    }
    let wrong = project.wake(["codespec", "create", "-f", "wrong.jsonnet"]).run().code(5);
    expect![[r#"
        error: `wrong.jsonnet`: unknown key `argz` in the codespec
         help: did you mean `args`?
    "#]]
    .assert_eq(&wrong.stderr);
}

#[test]
fn a_codespec_is_shown_as_it_was_created() {
    let project = codespecs();
    let args =
        ["-f", "negating.yml", "--cpu-limit", "1500m", "--gpu", "1", "-r", "2", "-e", "Z=1,A=$(Z)"];
    assert_eq!(create(&project, &args), "1");
    let shown = project.wake(["codespec", "show", "negatingcodespec"]).run().code(0).stdout;
    let value: Value = serde_json::from_str(&shown).unwrap();
    let [created, id] = ["createdAt", "contentId"].map(|key| value[key].as_str().unwrap());
    expect![[r#"
        {
          "kind": "job",
          "name": "negatingcodespec",
          "version": 1,
          "createdAt": "<time>",
          "contentId": "<id>",
          "buffers": {
            "inputs": [
              "input"
            ],
            "outputs": [
              "output"
            ]
          },
          "image": "registry.example.org/ffmpeg",
          "args": [
            "$(INPUT_PIPE)",
            "-vf",
            "negate",
            "$(OUTPUT_PIPE)"
          ],
          "env": {
            "Z": "1",
            "A": "$(Z)"
          },
          "resources": {
            "limits": {
              "cpu": "1500m"
            },
            "gpu": "1"
          },
          "maxReplicas": 2
        }
    "#]]
    .assert_eq(&shown.replace(created, "<time>").replace(id, "<id>"));
    project.write("shown.json", &shown);
    assert_eq!(create(&project, &["-f", "shown.json"]), "1");
}

#[test]
fn a_list_has_the_latest_versions_sorted_by_name() {
    let project = codespecs();
    for name in ["b-2", "b_1", "a", "c"] {
        assert_eq!(create(&project, &[name, "--image", "i"]), "1");
    }
    assert_eq!(create(&project, &["a", "--image", "j"]), "2");
    let list = |args: &[&str]| {
        let listed = project.wake(["codespec", "list"].iter().chain(args)).run().code(0);
        let all: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
        let text = |one: &Value| format!("{} {}", one["name"].as_str().unwrap(), one["version"]);
        all.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(list(&[]), "a 2, b-2 1, b_1 1, c 1");
    assert_eq!(list(&["--prefix", "b_"]), "b_1 1");
    assert_eq!(list(&["-p", "B"]), "");
    assert_eq!(list(&["-l", "2"]), "a 2, b-2 1");
}

#[test]
fn concurrent_equal_codespecs_are_one_version() {
    let project = codespecs();
    let wake = || project.wake(["codespec", "create", "-f", "negating.yml"]);
    let children: Vec<_> = (0..6).map(|_| wake().spawn()).collect();
    for child in children {
        let done = wake().finished(child.wait_with_output().unwrap()).code(0);
        assert_eq!(done.stdout, "1\n");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let project = project()
        .file(
            "endpoints.yml",
            "kind: job\nname: negatingcodespec\nimage: i\nendpoints:\n  myEndpoint: 8888\n",
        )
        .file("twice.yml", "name: n\nimage: i\nimage: j\n")
        .file(
            "reference.yml",
            "name: n\nimage: i\nbuffers: {inputs: [input]}\nargs: [$(INPUT_PIP), $$(X)]\n",
        )
        .build();
    let told = |args: &[&str], code| {
        let done = project.wake(["codespec"].iter().chain(args)).run().code(code);
        assert_eq!(done.stdout, "");
        done.stderr
    };
    expect![[r#"
        error: job codespecs cannot have endpoints
         --> endpoints.yml:5:3
          |
        5 |   myEndpoint: 8888
          |   ^
          help: remove `endpoints`, or make it a worker codespec: `kind: worker`
    "#]]
    .assert_eq(&told(&["create", "-f", "endpoints.yml"], 5));
    expect![[r#"
        error: `image` appears twice, first on line 2
         --> twice.yml:3:1
          |
        3 | image: j
          | ^
          help: remove one of them
    "#]]
    .assert_eq(&told(&["create", "-f", "twice.yml"], 5));
    expect![[r#"
        error: if `--file` is not provided, a name for the codespec is required
         help: run `wake codespec create NAME …`, or add `name:` to the file
    "#]]
    .assert_eq(&told(&["create", "--image", "i"], 2));
    expect![[r#"
        error: unexpected positional args `x y`
         help: container arguments must be preceded by `--` and placed at the end of the command line
    "#]]
    .assert_eq(&told(&["create", "n", "--image", "i", "x", "y"], 2));
    expect![[r#"
        error: `--memory-limit`: `1K` is not a quantity: expected a number, optionally followed by `n`, `u`, `m`, `k`, `M`, `G`, `T`, `P`, `E`, `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei` or `eN`
    "#]]
    .assert_eq(&told(&["create", "n", "--image", "i", "--memory-limit", "1K"], 2));
    expect![[r#"
        error: the codespec `n` was not found
         help: run `wake codespec list` to list the codespecs
    "#]]
    .assert_eq(&told(&["show", "n"], 4));
    let warned = project.wake(["codespec", "create", "-f", "reference.yml"]).run().code(0);
    assert_eq!(warned.stdout, "1\n");
    expect![[r#"
        warning: `$(INPUT_PIP)` is not expanded: there is no variable `INPUT_PIP`
         --> reference.yml:4:8
          |
        4 | args: [$(INPUT_PIP), $$(X)]
          |        ^
          help: did you mean `$(INPUT_PIPE)`?
    "#]]
    .assert_eq(&warned.stderr);
    expect![[r#"
        error: the version `7` of codespec `n` was not found: the latest version is `1`
    "#]]
    .assert_eq(&told(&["show", "n", "--version", "7"], 4));
    expect![[r#"
        error: the codespec reference `N` is invalid: it should be in the form `<codespec_name>` or `<codespec_name>/versions/<version_number>`
    "#]]
    .assert_eq(&told(&["show", "N"], 2));
}

#[test]
fn a_changed_version_is_reported_with_its_file() {
    let project = codespecs();
    create(&project, &["-f", "negating.yml"]);
    let place = project.store().join("codespec/negatingcodespec/1");
    let text = std::fs::read_to_string(&place).unwrap();
    std::fs::write(&place, text.replace("negate", "negates")).unwrap();
    for args in [&["show", "negatingcodespec"][..], &["create", "-f", "negating.yml"]] {
        let told = project.wake(["codespec"].iter().chain(args)).run().code(7).stderr;
        assert!(told.contains("negatingcodespec/1` is damaged: "), "{told}");
    }
}

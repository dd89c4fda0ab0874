//! Configs: where they come from, what types they have, and when two are the same.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, project};

/// A package whose module writes the config that its function saw.
fn echo(parameter: &str) -> Project {
    project()
        .pkg("files=['./keep.sh'], modules={ echo: './echo.libsonnet' }")
        .file(
            "echo.libsonnet",
            &format!(
                "function(wake, pkg, {parameter})\n  wake.module(\n    'echo',\n    \
                 outputs=function(wake, pkg) {{ text: './out.txt' }},\n    \
                 exec=wake.exec('./keep.sh', config={{ saw: config }}),\n  )\n"
            ),
        )
        .script("keep.sh", "#!/bin/sh\ncat > out.txt\n")
        .build()
}

#[track_caller]
fn check(parameter: &str, args: &[&str], expected: &str) {
    let project = echo(parameter);
    project.wake(["build"]).args(args).run().success();
    // Of a configuration of its own the link has a name of its own.
    let links: Vec<_> = std::fs::read_dir(project.path(".wake/out")).unwrap().collect();
    let [Ok(link)] = links.as_slice() else { panic!("{links:?}") };
    let text = std::fs::read_to_string(link.path().join("out.txt")).unwrap();
    assert_eq!(text, format!("{{\"saw\":{expected}}}\n"));
}

#[test]
fn a_default_is_taken_when_nothing_is_given() {
    check("config={ level: 2 }", &[], r#"{"level":2}"#);
    check("config='fast'", &[], r#""fast""#);
}

#[test]
fn without_a_default_the_config_is_an_empty_object() {
    check("config", &[], "{}");
}

#[test]
fn what_is_given_replaces_the_default() {
    check("config={ level: 2 }", &["--config", "opt=3"], r#"{"opt":3}"#);
}

#[test]
fn values_are_json_where_they_parse_and_text_elsewhere() {
    let args =
        ["--config", "a=1", "--config", "b=x y", "--config", "c=true", "--config", "d=[1, \"z\"]"];
    check("config", &args, r#"{"a":1,"b":"x y","c":true,"d":[1,"z"]}"#);
    check("config", &["--config", "a=\"1\""], r#"{"a":"1"}"#);
    check("config", &["--config", "a="], r#"{"a":""}"#);
    check("config", &["--config", "a=b=c"], r#"{"a":"b=c"}"#);
}

#[test]
fn a_whole_config_is_json_of_any_type() {
    check("config", &["--config-json", r#"[1, {"b": null}]"#], r#"[1,{"b":null}]"#);
    check("config", &["--config-json", r#"{"b": 2, "a": 1e2}"#], r#"{"a":100,"b":2}"#);
}

#[test]
fn a_config_that_says_the_same_is_the_same_module() {
    let project = echo("config={ a: 1, b: 2 }");
    project.build(&[]);
    project.build_runs_nothing(&["--config-json", r#"{"b": 2.0, "a": 1}"#]);
    let build = project.build(&["--config-json", r#"{"a": 1, "b": 3}"#]);
    assert_eq!(build.ran(), ["//:echo"]);
    project.build_runs_nothing(&[]);
}

#[test]
fn numbers_keep_their_value() {
    check("config", &["--config", "a=0.1"], r#"{"a":0.1}"#);
    check("config", &["--config", "a=9007199254740991"], r#"{"a":9007199254740991}"#);
    check("config", &["--config", "a=1e-7"], r#"{"a":1e-7}"#);
}

#[test]
fn a_config_must_be_a_pair() {
    let project = echo("config");
    project.wake(["build", "--config", "fast"]).run().code(2).mentions("`--config fast`");
    project.wake(["build", "--config-json", "{"]).run().code(2).mentions("JSON");
}

#[test]
fn each_configuration_has_a_link_of_its_own() {
    let project = echo("config={ level: 2 }");
    project.build(&[]);
    project.build(&["--config", "level=3"]);
    let links: Vec<String> = std::fs::read_dir(project.path(".wake/out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let configured: Vec<&String> = links.iter().filter(|name| name.starts_with("echo@")).collect();
    assert_eq!((links.len(), configured.len()), (2, 1), "{links:?}");
    let text = |link: &str| {
        std::fs::read_to_string(project.path(".wake/out").join(link).join("out.txt")).unwrap()
    };
    assert_eq!(text("echo"), "{\"saw\":{\"level\":2}}\n");
    assert_eq!(text(configured[0]), "{\"saw\":{\"level\":3}}\n");
    // The link is called as the module is.
    let listed = project.wake(["log", "-o", &format!("//:{}", configured[0])]).run().success();
    assert_eq!(listed.stdout, "");
}

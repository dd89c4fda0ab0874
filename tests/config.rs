//! Configs: their sources, their types, and when two are equal.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, expect, project};

/// A package whose module writes the config that its function received.
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
    let text = project.result_text("//:echo", "out.txt");
    assert_eq!(text, format!("{{\"saw\":{expected}}}\n"));
}

#[test]
fn the_default_is_used_when_no_config_is_given() {
    check("config={ level: 2 }", &[], r#"{"level":2}"#);
    check("config='fast'", &[], r#""fast""#);
}

#[test]
fn without_a_default_the_config_is_an_empty_object() {
    check("config", &[], "{}");
}

#[test]
fn given_keys_replace_those_of_the_default() {
    let default = "config={ level: 2, name: 'x' }";
    check(default, &["--config", "level=3"], r#"{"level":3,"name":"x"}"#);
    check(default, &["--config-json", r#"{"opt":3}"#], r#"{"opt":3}"#);
    let computed = "config={ level: std.length([1, 2]), name: 'x' }";
    check(computed, &["--config", "name=y"], r#"{"level":2,"name":"y"}"#);
}

#[test]
fn a_key_missing_from_the_default() {
    let project = echo("config={ level: 2 }");
    project.wake(["build", "--config", "levle=3"]).run().code(5).says(expect![[r#"
        error: module `echo` has no config key `levle`
         --> echo.libsonnet:1:1
          |
        1 | function(wake, pkg, config={ level: 2 })
          | ^^^^^^^^
          = note: evaluated for `//:echo` with the config {"levle":3}
          help: did you mean `level`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    echo("config=[1]").wake(["build", "--config", "a=3"]).run().code(5).says(expect![[r#"
        error: the default config of module `echo` is a list, which has no keys to set
         --> echo.libsonnet:1:1
          |
        1 | function(wake, pkg, config=[1])
          | ^^^^^^^^
          = note: evaluated for `//:echo` with the config {"a":3}
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn values_that_do_not_parse_as_json_are_text() {
    let args =
        ["--config", "a=1", "--config", "b=x y", "--config", "c=true", "--config", "d=[1, \"z\"]"];
    check("config", &args, r#"{"a":1,"b":"x y","c":true,"d":[1,"z"]}"#);
    check("config", &["--config", "a=\"1\""], r#"{"a":"1"}"#);
    check("config", &["--config", "a="], r#"{"a":""}"#);
    check("config", &["--config", "a=b=c"], r#"{"a":"b=c"}"#);
}

#[test]
fn a_whole_config_may_be_json_of_any_type() {
    check("config", &["--config-json", r#"[1, {"b": null}]"#], r#"[1,{"b":null}]"#);
    check("config", &["--config-json", r#"{"b": 2, "a": 1e2}"#], r#"{"a":100,"b":2}"#);
}

#[test]
fn equal_configs_name_the_same_module() {
    let project = echo("config={ a: 1, b: 2 }");
    project.build(&[]);
    project.build_runs_nothing(&["--config-json", r#"{"b": 2.0, "a": 1}"#]);
    let build = project.build(&["--config-json", r#"{"a": 1, "b": 3}"#]);
    assert_eq!(build.ran(), ["//:echo a=1 b=3"]);
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
fn each_configuration_has_its_own_link() {
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
    // The names in links and labels can be used as targets.
    for name in [configured[0].as_str(), "echo level=3"] {
        let label = format!("//:{name}");
        let listed = project.wake(["log", "-o", &label]).run().success();
        assert_eq!(listed.stdout, "");
        project.build_runs_nothing(&[&label]);
        let why = project.wake(["why", &label]).run().success();
        assert!(why.stdout.contains("//:echo level=3"), "{}", why.stdout);
    }
}

/// A module `all` that needs a module `unit` for each of these configurations.
fn units(label: &str, configs: &str) -> Project {
    project()
        .pkg("files=['./keep.sh'], modules={ unit: './unit.libsonnet', all: './all.libsonnet' }")
        .file(
            "unit.libsonnet",
            &format!(
                "function(wake, pkg, config={{ src: 'none' }})\n  wake.module('unit', {label} outputs=function(wake, pkg) {{ o: './out.txt' }},\n    exec=wake.exec('./keep.sh', config=config))\n"
            ),
        )
        .file(
            "all.libsonnet",
            &format!(
                "function(wake, pkg)\n  local all = {configs};\n  wake.module('all', modules={{ ['u%d' % i]: pkg.modules.unit(all[i]) for i in std.range(0, std.length(all) - 1) }}, outputs=function(wake, pkg) {{}})\n"
            ),
        )
        .script("keep.sh", "#!/bin/sh\ncat > out.txt\n")
        .build()
}

/// Builds `all`; returns the labels of its units, each of which can be built, explained and looked up by its label.
fn labels(project: &Project) -> Vec<String> {
    let built = project.build(&[":all"]);
    let units = built.ran().into_iter().filter(|label| label.starts_with("//:unit"));
    let units: Vec<String> = units.map(str::to_owned).collect();
    for label in &units {
        project.build_runs_nothing(&[label]);
        let why = project.wake(["why", label]).run().success().stdout;
        assert!(why.contains(label.split(" @").next().unwrap()), "{why}");
        project.wake(["plan", label]).run().success();
        project.wake(["log", "-o", label]).run().success();
    }
    units
}

#[test]
fn steps_are_named_by_their_configuration() {
    let project = units("", "[{ src: './a.c' }, { src: './b.c', opt: 2 }, { src: 'a b' }, {}]");
    assert_eq!(
        labels(&project),
        ["//:unit opt=2 src=./b.c", "//:unit src=\"a b\"", "//:unit src=./a.c", "//:unit {}"]
    );
}

#[test]
fn a_long_configuration_is_shortened() {
    let project = units("", "[{ src: std.repeat('x', 200) }]");
    let [label] = labels(&project).try_into().unwrap();
    assert!(label.starts_with("//:unit src=xxx") && label.contains("x… @"), "{label}");
}

#[test]
fn a_module_can_set_its_own_label() {
    let project = units("label=config.src,", "[{ src: 'a.c' }, { src: 'b.c' }]");
    assert_eq!(labels(&project), ["//:unit a.c", "//:unit b.c"]);
}

#[test]
fn results_with_the_same_label_are_distinguished() {
    let project = units("label='x',", "[{ src: 'a.c' }, { src: 'b.c' }]");
    let labels = labels(&project);
    assert!(labels.iter().all(|label| label.starts_with("//:unit x @")), "{labels:?}");
    assert_ne!(labels[0], labels[1]);
}

#[test]
fn an_unknown_label_is_an_error() {
    let project = units("label=config.src,", "[{ src: 'a.c' }]");
    project.wake(["build", "//:unit a.d"]).run().code(2).says(expect![[r#"
        error: no module of the workspace depends on `//:unit a.d`
         help: did you mean `//:unit a.c`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    project.wake(["build", "//:unit src=1", "--config", "x=1"]).run().code(2).says(expect![[r#"
            error: a target with a configuration cannot be combined with `--config`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]]);
    let long = units("label=std.repeat('x', 101),", "[{}]");
    long.wake(["build", ":all"]).run().code(5).says(expect![[r#"
        error: `label` of module() must be one line of at most 100 characters
         --> unit.libsonnet:2:29
          |
        2 |   wake.module('unit', label=std.repeat('x', 101), outputs=function(wake, pkg) { o: './out.txt' },
          |                             ^^^^^^^^^^^^^^^^^^^^
          = note: evaluated for `//:unit` with the config {}
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

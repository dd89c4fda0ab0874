//! Existing Jsonnet: vendored libraries in packages, and files outside packages.

#![allow(clippy::unwrap_used)]

use std::fs;

use wake_tests::{Expect, Project, expect, project};

/// A library as jsonnet-bundler vendors it: at a path named after its repository, with a link of its short name, and with
/// imports of its own files and of another library. It is written like dashboard libraries: objects of functions
/// that return objects to add, fields that extend existing ones, documentation beside the code.
fn vendored() -> Project {
    project()
        .file(
            "vendor/example.org/boards-libsonnet/main.libsonnet",
            "local d = import 'example.org/doc-util/main.libsonnet';
{
  '#': d.pkg('boards', 'example.org/boards-libsonnet', 'Dashboards.'),
  dashboard: import 'dashboard.libsonnet',
  panel: import 'panel/main.libsonnet',
}
",
        )
        .file(
            "vendor/example.org/boards-libsonnet/dashboard.libsonnet",
            "{
  new(title): { title: title, panels: [], schemaVersion: 39 },
  withTags(tags): { tags: (if std.isArray(tags) then tags else [tags]) },
  withTagsMixin(tags): { tags+: (if std.isArray(tags) then tags else [tags]) },
  withPanels(panels): {
    panels+: [panels[i] { id: i + 1, gridPos+: { y: 8 * i } } for i in std.range(0, std.length(panels) - 1)],
  },
  time: { withFrom(from): { time+: { from: from } }, withTo(to): { time+: { to: to } } },
}
",
        )
        .file(
            "vendor/example.org/boards-libsonnet/panel/main.libsonnet",
            "/** All panels are alike. **/
local base = { gridPos: { x: 0, w: 24, h: 8 } };
{
  timeSeries: {
    new(title): base { type: 'timeseries', title: title },
    queryOptions: { withTargets(targets): { targets: targets } },
  },
  query(expr, legend=''): { expr: expr, [if legend != '' then 'legendFormat']: legend },
}
",
        )
        .file(
            "vendor/example.org/doc-util/main.libsonnet",
            "{ pkg(name, url, help): { name: name, help: '%s (%s)' % [help, url] } }\n",
        )
        .link("vendor/boards", "example.org/boards-libsonnet")
        .file(
            "boards.libsonnet",
            "local boards = import 'boards/main.libsonnet';
local panel = boards.panel;
local series(title, metric) =
  panel.timeSeries.new(title)
  + panel.timeSeries.queryOptions.withTargets([panel.query('rate(%s[5m])' % metric, '{{pod}}')]);
{
  'requests.json':
    boards.dashboard.new('Requests')
    + boards.dashboard.withTags('web')
    + boards.dashboard.withTagsMixin(['generated'])
    + boards.dashboard.time.withFrom('now-6h')
    + boards.dashboard.time.withTo('now')
    + boards.dashboard.withPanels([series('All', 'requests_total'), series('Failed', 'errors_total')]),
}
",
        )
        .file(
            "dashboards.libsonnet",
            "local all = import 'boards.libsonnet';
function(wake, pkg)
  wake.module(
    'dashboards',
    files=function(wake, module) [wake.file('./' + name, from=all[name], dump=true) for name in std.objectFields(all)],
    outputs=function(wake, pkg) { requests: './requests.json' },
  )
",
        )
        .pkg("imports=['./vendor'], modules={ dashboards: './dashboards.libsonnet' }")
        .build()
}

fn written(project: &Project) -> serde_json::Value {
    serde_json::from_str(&project.result_text("//:dashboards", "requests.json")).unwrap()
}

#[test]
fn a_vendored_library_generates_dashboards() {
    let project = vendored();
    project.build(&[]);
    let panel = |id: u32, title: &str, metric: &str| {
        serde_json::json!({
            "gridPos": { "x": 0, "y": 8 * (id - 1), "w": 24, "h": 8 }, "id": id, "title": title, "type": "timeseries",
            "targets": [{ "expr": format!("rate({metric}[5m])"), "legendFormat": "{{pod}}" }],
        })
    };
    let expected = serde_json::json!({
        "title": "Requests", "schemaVersion": 39, "tags": ["web", "generated"], "time": { "from": "now-6h", "to": "now" },
        "panels": [panel(1, "All", "requests_total"), panel(2, "Failed", "errors_total")],
    });
    assert_eq!(written(&project), expected);
    project.build_runs_nothing(&[]);

    project.edit("vendor/example.org/boards-libsonnet/dashboard.libsonnet", "39", "40");
    project.build(&[]);
    assert_eq!(written(&project)["schemaVersion"], 40);
}

#[test]
fn a_file_outside_a_package_is_evaluated_in_its_directory() {
    let project = project()
        .file("sub/main.jsonnet", "{ a: import 'a.libsonnet', b: import '../b.libsonnet' }\n")
        .file("sub/a.libsonnet", "'beside'\n")
        .file("a.libsonnet", "'not this one'\n")
        .file("b.libsonnet", "import 'lib/c.libsonnet'\n")
        .file("vendor/lib/c.libsonnet", "'vendored'\n")
        .build();
    let wake = |line: &str| project.wake(line.split(' ')).run();
    let run = wake("eval -J vendor -f sub/main.jsonnet").success();
    let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(value, serde_json::json!({ "a": "beside", "b": "vendored" }));

    let run = wake("eval -f sub/main.jsonnet").code(5);
    assert!(run.stderr.contains(" --> b.libsonnet:1:8"), "{}", run.stderr);
}

#[test]
fn imports_are_relative_to_the_file_in_packages() {
    let project = project()
        .pkg("")
        .file("sub/main.jsonnet", "import 'a.libsonnet'\n")
        .file("sub/a.libsonnet", "'beside'\n")
        .file("a.libsonnet", "'not this one'\n")
        .build();
    for (dir, file) in [("", "sub/main.jsonnet"), ("sub", "main.jsonnet")] {
        for args in [["eval", "-f", file].as_slice(), &["eval", file]] {
            let run = project.wake(args).cwd(project.path(dir)).run().success();
            assert_eq!(run.stdout, "\"beside\"\n");
        }
    }
}

#[test]
fn a_result_that_is_not_plain_data_names_its_file() {
    let package = project().pkg("").file("f.jsonnet", "function(x) x\n").build();
    let alone = project().file("f.jsonnet", "{ a: function(x) x }\n").build();
    let says = |project: &Project, typed: &str, expected: Expect| {
        let said = project.wake(["eval", typed]).run().code(5).redacted_stderr();
        expected.assert_eq(&said);
    };
    says(
        &package,
        "f.jsonnet",
        expect![[r#"
        error: `f.jsonnet`: the result contains a function: only plain values are allowed
    "#]],
    );
    says(
        &package,
        "function(x) x",
        expect![[r#"
        error: the result contains a function: only plain values are allowed
    "#]],
    );
    says(
        &alone,
        "f.jsonnet",
        expect![[r#"
        error: `[ROOT]/f.jsonnet`: the result contains a function at `a`: only plain values are allowed
    "#]],
    );
    says(
        &alone,
        "function(x) x",
        expect![[r#"
        error: the result contains a function: only plain values are allowed
    "#]],
    );
}

#[test]
fn values_are_printed_like_other_engines_print_them() {
    let project = project().build();
    let wake = |args: &[&str]| project.wake(args.iter().copied()).run();
    assert_eq!(wake(&["eval", "-S", "'a\\nb'"]).success().stdout, "a\nb\n");
    wake(&["eval", "-S", "1"]).code(2);
    assert_eq!(
        wake(&["eval", "-y", "[1, { a: 2 }]"]).success().stdout,
        "---\n1\n---\n{\n  \"a\": 2\n}\n...\n"
    );
    wake(&["eval", "-o", "out.json", "{ a: 1 }"]).success();
    assert_eq!(project.read("out.json"), "{\n  \"a\": 1\n}\n");

    let several = "{ 'a.json': [1], 'b.txt': 'b' }";
    wake(&["eval", "-m", "out", several]).code(2).mentions("--create-output-dirs");
    let run = wake(&["eval", "-c", "-m", "out", several]).success();
    assert_eq!(run.stdout, "out/a.json\nout/b.txt\n");
    assert_eq!(project.read("out/a.json"), "[\n  1\n]\n");
    wake(&["eval", "-S", "-m", "out", "{ 'b.txt': 'b' }"]).success();
    assert_eq!(project.read("out/b.txt"), "b\n");
    wake(&["eval", "-m", "out", "{ '../c': 1 }"]).code(2);
    assert!(!fs::exists(project.path("c")).unwrap());

    // A repository may have links in the directory that lead to files of others.
    project.write("mine/file", "mine");
    std::os::unix::fs::symlink("../mine/file", project.path("out/link")).unwrap();
    std::os::unix::fs::symlink("../mine", project.path("out/dir")).unwrap();
    wake(&["eval", "-S", "-m", "out", "{ link: 'new' }"]).success();
    assert_eq!(project.read("out/link"), "new\n");
    wake(&["eval", "-S", "-c", "-m", "out", "{ 'dir/file': 'new' }"]).code(2).mentions(
        "error: cannot write `out/dir/file`: `dir` is a symbolic link, which is not followed",
    );
    assert_eq!(project.read("mine/file"), "mine");
}

#[test]
fn an_error_of_a_module_function_names_the_module_and_its_config() {
    let project = project()
        .pkg("modules={ unit: './unit.libsonnet', all: './all.libsonnet' }")
        .file("all.libsonnet", "function(wake, pkg) wake.module('all', modules={ a: pkg.modules.unit({ level: 9 }) })\n")
        .file("unit.libsonnet", "function(wake, pkg, config={ level: 1 }) wake.module('unit', metadata=1 / (9 - config.level))\n")
        .build();
    project.wake(["build", ".:unit"]).run().success();
    let run = project.wake(["build", ".:all"]).run().code(5);
    run.mentions("unit.libsonnet:1:71").mentions("`//:unit` with the config {\"level\":9}");
}

#[test]
fn a_missing_import_outside_a_workspace_is_named_by_path() {
    let project = project().build();
    let plain = project.base().join("plain");
    fs::create_dir(&plain).unwrap();
    fs::write(plain.join("e.jsonnet"), "import './no/x.libsonnet'").unwrap();
    let run = project.wake(["-C", "../plain", "eval", "-f", "e.jsonnet"]).run().code(5);
    let said = format!("there is no file `{}` to import", plain.join("no/x.libsonnet").display());
    assert!(run.stderr.contains(&said), "{said}\n{run}");
}

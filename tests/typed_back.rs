//! Every name that wake prints can be typed: labels, packages, links and commands are collected from its whole output, as
//! text and as JSON, and passed to every command that accepts such a name.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use wake_tests::{Finished, Project, project};

/// Packages by path, in directories with various names, and from the store; modules by functions, with and without labels,
/// with equal labels, with long ones, and with characters that are special in a shell.
fn workspace() -> Project {
    let project = project()
        .file("wake.toml", "")
        .file(
            "PKG.libsonnet",
            r#"local step(wake, name, label, script, modules={}) = wake.module(
  name,
  label=label,
  modules=modules,
  outputs=function(wake, pkg) { text: './out.txt', tool: './bin/tool' },
  exec=wake.exec(wake.program('sh'), args=['-euc', 'mkdir bin; echo "echo ran" > bin/tool; chmod +x bin/tool; ' + script + ' > out.txt']),
);
local unit = function(wake, pkg, config={ src: null })
  if config.src == null then step(wake, 'unit', null, 'echo all') else step(wake, 'unit', config.src, 'echo ' + std.length(config.src));
local same = function(wake, pkg, config={ n: 0 }) step(wake, 'same', if config.n == 0 then null else 'alike', 'echo %d' % config.n);
local conf = function(wake, pkg, config={}) step(wake, 'conf', null, 'echo %s' % std.md5(std.toString(config)));
function(wake) wake.pkg(
  wake.pkgInfo('root', '1.0.0'),
  files=['./tool.txt'],
  profiles={ fast: { 'opt.level': 3 } },
  pkgs={
    text: wake.getPkg(wake.pkgInfo('text', '^2', 'acme')),
    tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='./tool', global=true),
    taker: wake.getPkg(wake.pkgInfo('taker', '*'), from='./taker'),
    got: wake.getPkg(wake.pkgInfo('got', '^1', 'far'), from=wake.exec('pkg.tool./retrieve')),
    x: wake.getPkg(wake.pkgInfo('x', '*'), from='./libs/x'),
  },
  modules={
    plain: function(wake, pkg) step(wake, 'plain', null, 'echo plain'),
    unit: unit,
    same: same,
    conf: conf,
    'conf.part': function(wake, pkg) step(wake, 'conf.part', null, 'echo part'),
    needs: function(wake, pkg, config) wake.module('needs'),
    all: function(wake, pkg) step(wake, 'all', null, 'echo all', modules={
      ['u' + src]: pkg.modules.unit({ src: src }) for src in ['src/a.c', 'a b.c', ":it's", '$HOME', '@x', 'ü—“']
    } + { ['s%d' % n]: pkg.modules.same({ n: n }) for n in [1, 2] } + {
      ['c' + std.toString(config)]: pkg.modules.conf(config)
      for config in [{ opt: 2, s: '3' }, { s: "it's; $x `y` \"z\"", list: [1, 'a  b', null] }, { 'a b': '*' }, { long: std.repeat('é', 200) }, { e: '', u: 'http://a:8/b' }]
    } + { text: pkg.pkgs.text.modules.made({ n: 1 }), got: pkg.pkgs.got.modules.made({ n: 2 }), x: pkg.pkgs.x.modules.x() }),
    image: function(wake, pkg) wake.module('image', outputs=function(wake, pkg) { image: './image/' },
      exec=wake.image(files={ '/bin/tool': { from: './tool.txt' } }, entrypoint=['/bin/tool'])),
    opt: function(wake, pkg) step(wake, 'opt', 'at ' + wake.option('opt.level', 2) + ' ' + wake.option('opt.name', 'x'), 'echo opt'),

    good: function(wake, pkg) wake.module('good', test=true, tags=['quick'], exec=wake.exec(wake.program('true'))),
    bad: function(wake, pkg, config={ n: 1 }) wake.module('bad', label='worse than bad', test=true, exec=wake.exec(wake.program('sh'), args=['-c', 'exit %d' % config.n])),
    tests: function(wake, pkg) wake.module('tests', test=true, modules={ bad: pkg.modules.bad({ n: 0 }) }, exec=wake.exec(wake.program('true'))),
  },
)
"#,
        )
        .file("tool.txt", "tool\n")
        .pkg_at("tool", "tool", "files=['./retrieve'],")
        .pkg_at("taker", "taker", "pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from=wake.GLOBAL) },")
        .script("tool/retrieve", "#!/bin/sh\nexit 1\n")
        .build();
    for (number, dir) in ["libs/x", "odd dir", "v@1", "a:b", "p'q"].into_iter().enumerate() {
        let name = ["x", "b", "c", "d", "e"][number];
        project.write(
            &format!("{dir}/PKG.libsonnet"),
            format!(
                "function(wake) wake.pkg(wake.pkgInfo('{name}', '1.0.0'), modules={{ x: function(wake, pkg, config={{ k: 1 }}) wake.module('x',\n  \
             outputs=function(wake, pkg) {{ o: './o' }}, exec=wake.exec(wake.program('sh'), args=['-c', 'pwd > o'])),\n  \
             y: function(wake, pkg) wake.module('y', modules={{ x: pkg.modules.x({{ k: 'a b' }}) }}) }})\n"
            ),
        );
    }
    project.write(
        "../published/PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('text', '2.0.1', 'acme'), modules={ made: function(wake, pkg, config={ n: 0 }) wake.module('made',\n  \
         outputs=function(wake, pkg) { o: './o' }, exec=wake.exec(wake.program('sh'), args=['-c', 'echo made > o; echo said'])) })\n",
    );
    project.write(
        "../retrieved/PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('got', '1.4.0', 'far'), modules={ made: function(wake, pkg, config={ n: 0 }) wake.module('made',\n  \
         outputs=function(wake, pkg) { o: './o' }, exec=wake.exec(wake.program('sh'), args=['-c', 'echo made > o; echo said'])) })\n",
    );
    let import = |dir: &str| {
        project.wake(["store", "import"]).args([project.path(dir)]).run().success().stdout
    };
    let (text, got) = (import("../published"), import("../retrieved"));
    // A retrieved package; its retriever is not called as long as it is in the store.
    let lock = format!("wake-lock 1\nacme/text 2.0.1 acme {text}far/got 1.4.0 via:tool {got}");
    project.write("wake.lock", lock);
    project
}

fn git(project: &Project, args: &[&str]) {
    let identity =
        ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "safe.directory=*"];
    let git = Command::new("git").args(identity).args(args).current_dir(project.root()).output();
    assert!(git.unwrap().status.success());
}

fn looks_like_a_name(text: &str) -> bool {
    ["//", "acme/text@2.0.1", "far/got@1.4.0"].iter().any(|begin| text.starts_with(begin))
}

/// The names of packages and modules among the texts of a value.
fn names_in(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if looks_like_a_name(text) => {
            names.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| names_in(value, names)),
        Value::Object(fields) => fields.values().for_each(|value| names_in(value, names)),
        _ => {}
    }
}

/// Parses JSON output, either one value or one value per line.
fn values(text: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    values.map(|value| value.unwrap_or_else(|error| panic!("{error}: {text}"))).collect()
}

/// Calls that print names as JSON.
const AS_JSON: [&[&str]; 11] = [
    &["--message-format", "json", "build", "-k", "//..."],
    &["--message-format", "json", "test", "//..."],
    &["ls", "--all", "--json", "//..."],
    &["plan", "--json", "//..."],
    &["graph", "--format", "json", "//..."],
    &["query", "--format", "json", "deps(//...)"],
    &["affected", "--json", "--since", "HEAD~1"],
    &["tree", "--json"],
    &["log", "--json"],
    &["log", "--records", "--json"],
    &["log", "--critical-path", "--json"],
];

/// Calls that print them as text.
const AS_TEXT: [&[&str]; 12] = [
    &["build", "-k", "//..."],
    &["build", "-vv", "--rebuild", "-k", "//..."],
    &["test", "-v", "//..."],
    &["ls", "--all", "//..."],
    &["plan", "//..."],
    &["query", "deps(//...)"],
    &["affected", "--since", "HEAD~1"],
    &["why", "//:all"],
    &["log", "--records"],
    &["log", "--critical-path"],
    &["log", "--failed"],
    &["tree"],
];

#[test]
fn every_printed_name_is_accepted_by_every_command() {
    let project = workspace();
    git(&project, &["init", "-q"]);
    project.write(".gitignore", ".wake\n");
    git(&project, &["add", ".gitignore"]);
    git(&project, &["commit", "-qm", "first"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "-qm", "second"]);
    let mut names = BTreeSet::new();
    for call in AS_JSON {
        let printed = project.wake(call).run();
        assert!([0, 1, 3].contains(&printed.code), "{printed}");
        values(&printed.stdout).iter().for_each(|value| names_in(value, &mut names));
    }
    let (modules, pkgs): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| {
        let at = name.find(':');
        at.is_some() && **name != "//a:b"
    });
    assert!(modules.len() > 30 && pkgs.len() > 4, "{names:#?}");
    let ran: BTreeSet<String> = {
        let mut ran = BTreeSet::new();
        let records = project.wake(["log", "--records", "--json"]).run().success().stdout;
        values(&records).iter().for_each(|value| names_in(value, &mut ran));
        ran
    };
    let mut faults = Vec::new();
    let mut takes = |name: &str, call: Vec<&str>, codes: &[i32]| {
        let run = project.wake(&call).run();
        if !codes.contains(&run.code) {
            let last = run.stderr.lines().take(3).collect::<Vec<_>>().join(" / ");
            faults.push(format!("{name}: {} gives {}: {last}", call[0], run.code));
        }
    };
    for name in &ran {
        takes(name, vec!["log", "--records", name], &[0]);
    }
    for name in &modules {
        let query = format!("'{}'", name.replace('\'', "''"));
        let is_failing = name.contains("worse") || **name == "//:bad";
        takes(name, vec!["build", name], if is_failing { &[0, 1, 3] } else { &[0] });
        takes(name, vec!["plan", name], &[0]);
        takes(name, vec!["graph", name], &[0]);
        takes(name, vec!["why", name], &[0]);
        takes(name, vec!["log", "-o", name], &[0]);
        takes(name, vec!["ls", name], &[0]);
        takes(name, vec!["affected", name], &[0]);
        takes(name, vec!["query", &query], &[0]);
        if !name.ends_with(":y") && !["//:needs", "//:image"].contains(&name.as_str()) {
            takes(name, vec!["exec", name, "--", "true"], &[0]);
        }
        if name.starts_with("//:unit ") || name.starts_with("//:conf") {
            takes(name, vec!["run", name], &[0]);
        }
        if name.starts_with("//:good") {
            takes(name, vec!["test", name], &[0]);
        }
    }
    for name in &pkgs {
        for command in ["build", "plan", "graph", "ls", "tree", "affected"] {
            takes(name, vec![command, name], &[0, 1, 3]);
        }
        let query = format!("'{}'", name.replace('\'', "''"));
        // A package without modules selects none.
        let has_none = ["//tool", "//taker"].contains(&name.as_str());
        takes(name, vec!["query", &query], if has_none { &[4] } else { &[0] });
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));

    // Text output uses the same names.
    for call in AS_TEXT {
        let printed = project.wake(call).run();
        for line in printed.stdout.lines().chain(printed.stderr.lines()) {
            let Some(at) = line.find("//").filter(|_| !line.contains("http")) else { continue };
            let is_known = names.iter().any(|name| line[at..].starts_with(&**name));
            assert!(is_known, "{call:?} speaks of something unknown: {line}");
        }
    }
    // Each line of the tree begins with a package.
    for line in project.wake(["tree"]).run().success().stdout.lines() {
        let is_known = pkgs.iter().any(|name| line.trim_start().starts_with(&***name));
        assert!(is_known, "unknown line in the tree: {line}");
    }
}

#[test]
fn every_printed_option_can_be_set() {
    let project = workspace();
    let unknown = project.wake(["build", "//:opt", "--set", "zzzzzz=1"]).run().code(2).stderr;
    let read = unknown.split_once("help: this build reads ").unwrap().1;
    let names: Vec<&str> = read.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    assert_eq!(names, ["opt.level", "opt.name"]);
    for name in names {
        project.wake(["build", "//:opt", "--set", &format!("{name}=7")]).run().success();
    }
    let near = project.wake(["build", "//:opt", "--set", "@fats"]).run().code(2).stderr;
    assert!(near.contains("did you mean `@fast`?"), "{near}");
    project.wake(["build", "//:opt", "--set", "@fast"]).run().success();
    project.wake(["log", "-o", "//:opt"]).run().success();
}

#[test]
fn every_printed_name_of_an_image_is_accepted() {
    let project = workspace();
    let build = project.json_build(&["//:image"]).run().success().events();
    let linked: Vec<String> =
        build.of_kind("linked").map(|event| event["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(linked, [".wake/out/image"]);
    let place = format!("{}/image", linked[0]);
    let shown = project.wake(["image", "inspect", "--json", &place]).run().success();
    let image: Value = serde_json::from_str(&shown.stdout).unwrap();
    let digest = image["digest"].as_str().unwrap();
    let pulled = project.wake(["image", "pull", &place]).run().success().stdout;
    let pulled = pulled.trim_end();
    assert_eq!(pulled, format!("{place}@{digest}"));
    for name in [&place, pulled, &format!("oci:{place}"), &format!("oci:{pulled}")] {
        project.wake(["image", "inspect", name]).run().success();
    }
    let another = format!("{place}@sha256:{}", "0".repeat(64));
    project.wake(["image", "inspect", &another]).run().code(6);
    for call in [["inspect", "--sbom"], ["inspect", "--provenance"]] {
        project.wake(["image"]).args(call).args([&place]).run().success();
    }
}

#[test]
fn command_lines_in_the_log_can_be_typed() {
    let project = workspace();
    project.wake(["build", "//:unit :it's", "--set", "opt.name=a b"]).run();
    let log = project.wake(["log"]).run().success().stdout;
    let columns = log.lines().next().unwrap().split("  ").map(str::trim);
    let typed = columns.into_iter().find(|part| part.starts_with("wake "));
    let mut shell = project.wake([] as [&str; 0]).command();
    let program = shell.get_program().to_owned();
    let line = format!("exec \"$0\" {}", typed.unwrap().strip_prefix("wake ").unwrap());
    shell_like(&mut shell, &line, &program);
    let again = project.wake(["log"]).run().success().stdout;
    assert_eq!(again.lines().count(), 2, "{again}");
    assert!(again.lines().all(|line| line.contains(typed.unwrap())), "{again}");
}

/// The commands that a text suggests.
fn suggested(run: &Finished) -> Vec<String> {
    let said = format!("{}{}", run.stderr, run.stdout);
    let quoted = said.split('`').skip(1).step_by(2).filter(|text| text.starts_with("wake "));
    let logs = said.lines().filter_map(|line| line.trim().strip_prefix("log: "));
    quoted.chain(logs).map(str::to_owned).collect()
}

#[test]
fn every_suggested_command_is_valid() {
    let project = workspace();
    let calls: [&[&str]; 18] = [
        &["build", "//:needs"],
        &["build", "//:nothing"],
        &["build", "nothing"],
        &["build", "//:unit src/b.c"],
        &["build", "acme/text@2.0.2:made"],
        &["test", "//..."],
        &["build", "//:bad worse than bad"],
        &["exec", "//:all", "--", "true"],
        &["shell", "//:unit"],
        &["shell", "--failed"],
        &["log", "-o", "//:nothing"],
        &["log", "nothing"],
        &["why", "//:plain"],
        &["plan", "--format", "formula", "//:all"],
        &["query", "//:nothing"],
        &["build", "nowhere/at/all"],
        &["affected"],
        &["log", "--records", "//:nothing"],
    ];
    let mut found = 0;
    for call in calls {
        let run = project.wake(call).run();
        for command in suggested(&run) {
            let typed = command.strip_prefix("wake ").unwrap();
            // A placeholder.
            let is_form = typed
                .split([' ', '='])
                .any(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()));
            if is_form {
                continue;
            }
            found += 1;
            let mut shell = project.wake([] as [&str; 0]).command();
            let program = shell.get_program().to_owned();
            let line = format!("exec \"$0\" {typed}");
            let again = shell_like(&mut shell, &line, &program);
            assert!(again != 2, "{call:?} suggests `{command}`, which is no command\n{run}");
        }
    }
    assert!(found >= 4, "{found}");
}

/// The exit code of a line for a shell, with the environment of `like`, in which `$0` is `program`.
fn shell_like(like: &mut Command, line: &str, program: &std::ffi::OsStr) -> i32 {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).arg(program).env_clear();
    shell.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(like.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
    shell.output().unwrap().status.code().unwrap()
}

//! The `wheels` example: Python packages from wheels in a directory.

use std::process::Command;

use wake_tests::{Project, example, expect};

use crate::scene::asked;

/// Builds pure Python wheels in a directory: name, version, requirements, the text of the module.
const MAKE: &str = r#"
import sys, zipfile
directory = sys.argv[1]
def wheel(name, version, text, *requires, tag='py3-none-any'):
    with zipfile.ZipFile('%s/%s-%s-%s.whl' % (directory, name, version, tag), 'w') as archive:
        archive.writestr(name + '/__init__.py', text)
        info = '%s-%s.dist-info/' % (name, version)
        lines = ['Metadata-Version: 2.1', 'Name: ' + name, 'Version: ' + version]
        archive.writestr(info + 'METADATA', '\n'.join(lines + ['Requires-Dist: ' + one for one in requires]) + '\n\nText: x\n')
        archive.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nTag: ' + tag + '\n')
greet = 'from kind_words import WORD\ndef greet(name="world"): return WORD + ", " + name + "!"\n'
wheel('greeting', '2.1', greet, 'Kind.Words (>=1.0,<2,!=1.2)', 'absent ; extra == "more"')
wheel('greeting', '1.0', 'def greet(name="world"): return "old"\n')
wheel('kind_words', '1.0', 'WORD = "Hi"\n')
wheel('kind_words', '1.10', 'WORD = "Good day"\n')
wheel('kind_words', '2.0', 'WORD = "Too new"\n')
wheel('kind_words', '3.0', '', tag='cp311-cp311-linux_x86_64')
"#;

fn wheels() -> Project {
    let project = example("wheels");
    let made =
        Command::new("python3").args(["-c", MAKE]).arg(project.path("wheels")).status().unwrap();
    assert!(made.success());
    project
}

#[test]
fn a_program_built_with_wheels_runs() {
    let project = wheels();
    let build = project.build(&["//app"]);
    // The requirements of the first one are requested once it has been retrieved.
    assert_eq!(asked(&build), [("//wheels".to_owned(), 1), ("//wheels".to_owned(), 1)]);
    let run = project.wake(["run", "//app", "--", "Ada"]).run().success();
    assert_eq!(run.stdout, "Good day, Ada!\n");
    let lines = project.read("wake.lock");
    let lines: Vec<&str> =
        lines.lines().skip(1).map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(lines, ["pypi/greeting 2.1.0 via:wheels", "pypi/kind-words 1.10.0 via:wheels"]);
    project.build_runs_nothing(&["//app"]);
    project.wake(["build", "//app", "--frozen"]).run().success();
    project.wake(["tree", "//app"]).run().success().prints(expect![[r#"
        //app 1.0.0
          pypi/greeting@2.1.0  greeting: ^2
            pypi/kind-words@1.10.0  kind-words: >=1.0.0, <2.0.0
            //wheels 1.0.0  wheels: *  (global)
          //wheels 1.0.0  wheels: *  (global)
    "#]]);
}

#[test]
fn a_package_without_a_wheel_is_reported() {
    let project = wheels();
    project.edit("app/PKG.libsonnet", "'^2'", "'^3'");
    project.wake(["build", "//app", "--quiet"]).run().code(6).says(expect![[r#"
        error: retriever //wheels has no pypi/greeting ^3: the wheels beside the retriever have 1.0.0, 2.1.0
         --> app/PKG.libsonnet:7:17
          |
        7 |       greeting: wake.getPkg(
          |                 ^^^^^^^^^^^
               Error 1 error in [TIME]
    "#]]);
    project.edit("app/PKG.libsonnet", "'greeting', '^3'", "'greetings', '^2'");
    project.wake(["build", "//app", "--quiet"]).run().code(6).mentions(
        "retriever //wheels has no pypi/greetings ^2: no wheel beside the retriever has this name",
    );
}

#[test]
fn requirements_match_the_same_versions_as_in_wake() {
    let project = example("wheels");
    let versions = [
        "0.0.7",
        "0.1.5",
        "0.2.0",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2.3+1.dfsg-1",
        "1.10.0",
        "2.0.0-rc.1",
        "2.0.0",
        "3.1.4",
    ];
    let expected = [
        ("*", "3.1.4"),
        ("^1", "1.10.0"),
        ("1.2", "1.10.0"),
        ("~1.2", "1.2.3+1.dfsg-1"),
        ("=1.2.3", "1.2.3+1.dfsg-1"),
        ("1.2.*", "1.2.3+1.dfsg-1"),
        ("^0.1", "0.1.5"),
        ("^0.0.7", "0.0.7"),
        (">=1.0, <2", "1.10.0"),
        (">1.10", "3.1.4"),
        ("<=1.2", "1.2.3+1.dfsg-1"),
        ("<1", "0.2.0"),
        ("^1.0.0-rc.1", "1.10.0"),
        ("=2.0.0-rc.1", "2.0.0-rc.1"),
        ("^4", "None"),
    ];
    let requirements: Vec<&str> = expected.iter().map(|(requirement, _)| *requirement).collect();
    let script = "import json, sys\nfrom requirement import highest\nversions, requirements = json.load(sys.stdin)\nfor one in requirements: print(highest(one, versions))";
    let asked = serde_json::to_string(&(versions, requirements)).unwrap();
    let run = |dir: std::path::PathBuf| {
        use std::io::Write;
        let mut child = Command::new("python3")
            .args(["-c", script])
            .current_dir(dir)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let said = run(project.path("wheels"));
    let found: Vec<(&str, &str)> =
        expected.iter().map(|(requirement, _)| *requirement).zip(said.lines()).collect();
    assert_eq!(found, expected);
    // The two examples are independent.
    assert_eq!(
        project.read("wheels/requirement.py"),
        example("debian").read("debian/requirement.py")
    );
}

//! `wake image`: which images exist, what is built, by which scripts, and the errors for invalid images.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, ProjectBuilder, Wake, expect, fixtures, project};

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
fn avail_lists_images_and_spec_resolves_targets() {
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
fn environment_variables_replace_missing_flags() {
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
fn scripts_and_commands_are_printed_but_not_run() {
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
fn a_created_image_can_be_a_base() {
    let project = images().build();
    image(&project, &["create", "tool", "2.0"]).run().code(0);
    let spec = image(&project, &["spec", "tool"]).run().code(0);
    assert_eq!(spec.stdout, format!("{HEADING}  > tool@=2.0\n\n"));
    image(&project, &["create", "tool", "2.0"]).run().code(2).says(expect![[r"
        error: `images/tool/2.0/specifications.yaml` already exists
    "]]);
}

#[test]
fn conflicting_versions_are_shown_with_their_lines() {
    let project = images().build();
    image(&project, &["spec", "app", "os@=24.04"]).run().code(6).says(expect![[r"
        error: no versions fit together:
            `os@=24.04` is requested
            `app@=1` needs `os@_22.04` (images/app/1/specifications.yaml:7:13)
         help: change one of these lines, or request another version
    "]]);
    image(&project, &["spec", "ap"]).run().code(4).says(expect![[r"
        error: there is no image `ap` for system `frontier`, backend `podman`, distro `ubuntu`
         help: did you mean `app`?
    "]]);
}

#[test]
fn invalid_documents_are_shown_at_the_faulty_position() {
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
        error: `app@=2` needs `gpu`, but there is no such image
         --> images/app/2/specifications.yaml:5:24
          |
        5 |         dependencies: [gpu]
          |                        ^
          help: the available images are `app`, `cc`, `os`
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
fn invalid_calls_are_usage_errors() {
    let project = images().build();
    image(&project, &["plan", "app", "-V", "nme: x"]).run().code(2).says(expect![[r"
        error: `--variable 'nme: x'`: unknown key `nme`
         help: write `--variable 'name: NAME; value: TEXT'`
    "]]);
    project.wake(["image", "-i", "nowhere", "avail"]).run().code(5).says(expect![[r"
        error: `nowhere`: there is no such directory
         help: set the image directory with `wake image --images DIR` or VELOCITY_IMAGE_DIR
    "]]);
    let project = project_with_unknown_backend();
    project.wake(["image", "-i", "images", "-b", "dokcer", "plan", "a"]).run().code(2).says(
        expect![[r"
        error: `dokcer` is not an image backend
         help: use apptainer, singularity, docker, podman, buildah or openshift
    "]],
    );
}

/// An image that exists for every setting.
fn project_with_unknown_backend() -> Project {
    project().file("images/a/specs.yaml", "versions: [{spec: 1}]\n").build()
}

#[test]
fn the_configuration_of_the_user_is_read() {
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
        warning: YAML and Velocity read `8.10` as `8.1`; wake reads it as `8.10`
         --> images/a/specs.yaml:1:19
          |
        1 | versions: [{spec: 8.10}, {spec: '9'}]
          |                   ^
          help: write `"8.10"`
    "#]]);
}

/// The output of Velocity 0.0.0 for these arguments; build ids and times are numbered in order of appearance.
#[test]
fn the_output_matches_velocitys() {
    let Some(dir) = fixtures("the_output_matches_velocitys", "velocity") else { return };
    let project = project().build();
    let mut seen = 0;
    for entry in std::fs::read_dir(dir.join("golden-0.0.0")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".files.txt") || name == "v000-errors.txt" {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let (call, said) = text.split_once('\n').unwrap();
        let (said, exit) = said.split_once("# exit ").unwrap();
        let (args, setting) = call.split_once("args: ").unwrap().1.split_once("  ").unwrap();
        let of = |key: &str| {
            let found = setting.split(' ').find_map(|word| word.strip_prefix(key));
            found.unwrap().to_owned()
        };
        let mut wake = project.wake(["image", "-s", &of("system="), "-b", &of("backend=")]);
        wake = wake.args(["-d", &of("distro="), "-i"]).arg(dir.join("images-seed"));
        let args = args.split(' ').filter(|arg| *arg != "-v");
        let finished = wake.args(args).env("VELOCITY_BUILD_DIR", "/b").run();
        if exit.trim() != "0" {
            assert_ne!(finished.code, 0, "{name}");
            continue;
        }
        let images = dir.join("images-seed").display().to_string();
        let here = project.root().display().to_string();
        let mut expected = said.replace("$BUILD", "/b").replace("$CWD", &here);
        expected = expected.replace("$IMAGES/images-seed", &images).replace(" BUILT [0:00:00]", "");
        // Defects of the original: spec/velocity.md, "What differs".
        expected = expected.replace("['/bin/bash', '-l']", "[\"/bin/bash\", \"-l\"]");
        expected = expected.replace("cd /\n\t    echo hello &&", "cd / && \\\n\t    echo hello &&");
        expected = expected.replace("bash\n\techo \"prolog", "bash\n\tset -e\n\techo \"prolog");
        assert_eq!(numbered(&finished.stdout), numbered(&expected), "{name}");
    }
    assert_eq!(seen, 21);
}

/// A text with its build ids numbered.
fn numbered(text: &str) -> String {
    let mut ids: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| line.contains(": BUILD ")) {
        ids.push(line.split([' ', ':']).nth(1).unwrap());
    }
    let numbers = ids.iter().enumerate();
    let text = numbers
        .fold(text.to_owned(), |text, (number, id)| text.replace(id, &format!("<{number}>")));
    text.trim_end().to_owned()
}

/// A case of the rules: the documents, the call, and what the output must contain, in this order.
struct Corner {
    files: &'static [(&'static str, &'static str)],
    args: &'static [&'static str],
    code: i32,
    answer: &'static [&'static str],
}

/// Derived from the specification alone, not from wake's output.
const CORNERS: [Corner; 14] = [
    // The last operator counts: this is `_` with `1`, and the text before it is ignored.
    Corner {
        files: &[
            ("a/0.9/specifications.yaml", "{}"),
            ("a/1.0-rc/specifications.yaml", "{}"),
            ("a/2/specifications.yaml", "{}"),
        ],
        args: &["spec", "a@=1.0-rc_1"],
        code: 0,
        answer: &["a@=0.9"],
    },
    // Parts after `-` compare as text: rc10 is below rc2; and the shorter is smaller.
    Corner {
        files: &[
            ("a/1.9-rc10/specifications.yaml", "{}"),
            ("a/1.9-rc2/specifications.yaml", "{}"),
            ("a/1.9/specifications.yaml", "{}"),
        ],
        args: &["avail"],
        code: 0,
        answer: &["1.9\n", "1.9-rc10\n", "1.9-rc2\n"],
    },
    // `%11.8` excludes 11.8.1.
    Corner {
        files: &[("a/11.8.1/specifications.yaml", "{}"), ("a/11.2/specifications.yaml", "{}")],
        args: &["spec", "a@=11.2%11.8"],
        code: 4,
        answer: &[],
    },
    Corner {
        files: &[("a/11.8.1/specifications.yaml", "{}"), ("a/11.2/specifications.yaml", "{}")],
        args: &["spec", "a@11.2%11.8"],
        code: 0,
        answer: &["a@=11.2"],
    },
    // `x@1.0` is a name as a whole, and no image has it.
    Corner {
        files: &[("a/1/specifications.yaml", "{dependencies: ['a@1']}")],
        args: &["avail"],
        code: 5,
        answer: &["`a@=1` needs `a@1`, but there is no such image"],
    },
    // `01` and `1` are not the same, and each is at least and at most the other.
    Corner {
        files: &[("a/01/specifications.yaml", "{}")],
        args: &["spec", "a@^1"],
        code: 0,
        answer: &["a@=01"],
    },
    Corner {
        files: &[("a/01/specifications.yaml", "{}")],
        args: &["spec", "a@=1"],
        code: 4,
        answer: &[],
    },
    // A comment starts anywhere, an escaped reference is unchanged, and the built-in `__tag__` overrides a variable.
    Corner {
        files: &[
            ("a/1/specifications.yaml", "{variables: {x: '1 2', __tag__: mine}}"),
            (
                "a/1/templates/ubuntu.vtmp",
                "@run # all\n  echo '#' x\n  echo %(x) \\%(x) %(__tag__)\n\n  ?apptainer no\n  ?docker ?podman yes\n@from\n  r.example/a:1\n",
            ),
        ],
        args: &["script", "a"],
        code: 0,
        answer: &[
            "FROM r.example/a:1\n",
            "RUN echo ' && \\\n",
            "echo 1 2 \\%(x) 1 && \\\n",
            "yes\n",
        ],
    },
    // An argument that is declared later, and a label with a name and a value.
    Corner {
        files: &[
            ("a/1/specifications.yaml", "{}"),
            (
                "a/1/templates/ubuntu.vtmp",
                "@run\n  make @(N)@(N)\n@arg\n  N\n@from\n  r.example/a:1\n@env\n  A  b  c \n@label\n  k v\n",
            ),
        ],
        args: &["script", "a"],
        code: 0,
        answer: &["FROM", "ARG N\n", "RUN make $N$N\n", "ENV A=\"b  c\"\n", "LABEL k=\"v\"\n"],
    },
    // Equal up to the precision of the less precise version; without a suffix it is higher.
    Corner {
        files: &[("a/specs.yaml", "versions: [{spec: ['2.3.4-rc1', '2.3.4', '2.3', '2.4']}]\n")],
        args: &["spec", "a@2.3.4"],
        code: 0,
        answer: &["a@2.3.4\n"],
    },
    // `^base` is the text of the dependency; `!` negates a part.
    Corner {
        files: &[
            (
                "a/specs.yaml",
                "versions: [{spec: '1'}]\ndependencies: [{spec: b}]\nvariables:\n- {name: x, value: no, when: '!^b'}\n- {name: x, value: yes, when: '^b !system=summit'}\n- {name: y, value: both, when: 'a@1 backend=podman'}\n- {name: y, value: no, when: '!backend=podman'}\n",
            ),
            ("b/specs.yaml", "versions: [{spec: '1'}]\n"),
            ("b/templates/default.vtmp", "@from\nr.example/b:1\n"),
            ("a/templates/default.vtmp", "@from\n{{ __base__ }}\n@run\necho {{ x }} {{ y }}\n"),
        ],
        args: &["script", "a"],
        code: 0,
        answer: &["RUN echo yes both\n"],
    },
    // A declaration of scope `build` applies if it holds for an image of the build.
    Corner {
        files: &[
            (
                "a/specs.yaml",
                "versions: [{spec: '1'}]\ndependencies: [{spec: b}]\nvariables: [{name: x, value: none}, {name: x, value: '--b=1 --c=2', when: 'b@1', scope: build}]\n",
            ),
            ("b/specs.yaml", "versions: [{spec: '1.2'}]\n"),
            ("b/templates/default.vtmp", "@from\nr.example/b:1\n"),
            (
                "a/templates/default.vtmp",
                "@from\n{{ __base__ }}\n@run\nmake {{ x }} {{ __b__version_minor__ }} {{ __b__version_patch__ }}\n",
            ),
        ],
        args: &["script", "a"],
        code: 0,
        answer: &["RUN make --b=1 --c=2 2 None\n"],
    },
    // Two conditions on a line, a nested variable, a comment, a variable that is set from here on and in the image.
    Corner {
        files: &[
            (
                "a/specs.yaml",
                "versions: [{spec: '1'}]\nvariables: [{name: x, value: '{{ y }}/z'}, {name: y, value: /opt}]\n",
            ),
            (
                "a/templates/default.vtmp",
                "@from\nr.example/a:1\n@run\n?? backend=podman |> one ?? ?? backend=docker |> two ?? three >>> four\n!envar P {{ x }}\nmake \\\nall\n@pre\n|  ONBUILD\n",
            ),
        ],
        args: &["script", "a"],
        code: 0,
        answer: &[
            "ONBUILD\n",
            "RUN one",
            "three && \\\n",
            "export P=\"/opt/z\" && \\\n",
            "make \\\n",
            "all\n",
            "ENV P=\"/opt/z\"\n",
        ],
    },
    // The last applicable template, and all applicable arguments in order.
    Corner {
        files: &[
            (
                "a/specs.yaml",
                "versions: [{spec: '1'}]\ntemplates: [{name: one}, {name: two, when: 'a@:1'}, {name: three, when: 'a@2:'}]\narguments: [{value: --a}, {value: --no, when: 'distro=debian'}, {value: [--b, --c]}]\n",
            ),
            ("a/templates/two.vtmp", "@from\nr.example/two:1\n"),
        ],
        args: &["script", "a"],
        code: 0,
        answer: &["FROM r.example/two:1\n", "podman build --a --b --c -f "],
    },
];

#[test]
fn corner_cases_follow_the_specification() {
    for (number, Corner { files, args, code, answer }) in CORNERS.iter().enumerate() {
        let mut corner = project();
        for (path, text) in *files {
            let text = match path.ends_with("specifications.yaml") {
                true => {
                    document(&format!("        {text}\n")).replace("ubuntu:\n        ", "ubuntu: ")
                }
                false => (*text).to_owned(),
            };
            corner = corner.file(&format!("images/{path}"), &text);
        }
        let finished = image(&corner.build(), args).run().code(*code);
        let said = format!("{}{}", finished.stdout, finished.redacted_stderr());
        let mut rest = said.as_str();
        for part in *answer {
            let found = rest.split_once(part);
            rest = found.unwrap_or_else(|| panic!("corner {number}: no {part:?} in {said}")).1;
        }
    }
}

#[test]
fn invalid_values_and_templates_are_shown_at_the_faulty_position() {
    let refused = |files: &[(&str, &str)], args: &[&str], expected: wake_tests::Expect| {
        let mut project = project();
        for (path, text) in files {
            project = project.file(&format!("images/{path}"), text);
        }
        image(&project.build(), args).run().code(5).says(expected);
    };
    let one = |leaf: &str| document(&format!("        {leaf}\n"));
    // YAML values of the wrong type.
    let document = one("dependencies: {os: 1}");
    refused(
        &[("a/1/specifications.yaml", &document)],
        &["avail"],
        expect![[r#"
        error: `dependencies` is a mapping: expected a list
         --> images/a/1/specifications.yaml:5:23
          |
        5 |         dependencies: {os: 1}
          |                       ^
    "#]],
    );
    let document = one("arguments: [[--x]]");
    refused(
        &[("a/1/specifications.yaml", &document)],
        &["avail"],
        expect![[r#"
        error: an argument is a list: expected a string
         --> images/a/1/specifications.yaml:5:21
          |
        5 |         arguments: [[--x]]
          |                     ^
    "#]],
    );
    refused(
        &[("a/specs.yaml", "versions: 1.2\n")],
        &["avail"],
        expect![[r#"
        error: `versions` is a string: expected a list
         --> images/a/specs.yaml:1:11
          |
        1 | versions: 1.2
          |           ^
    "#]],
    );
    refused(
        &[("a/specs.yaml", "versions: [{spec: 1, wen: x}]\n")],
        &["avail"],
        expect![[r#"
        error: unknown key `wen` in a version
         --> images/a/specs.yaml:1:22
          |
        1 | versions: [{spec: 1, wen: x}]
          |                      ^
          help: did you mean `when`?
    "#]],
    );
    // Images that depend on each other.
    let (a, b) = (one("dependencies: [b]"), one("dependencies: [a]"));
    let round = [("a/1/specifications.yaml", &*a), ("b/1/specifications.yaml", &*b)];
    refused(
        &round,
        &["spec", "a"],
        expect![[r#"
        error: dependency cycle: `a@=1` needs `b@=1` needs `a@=1`
         --> images/a/1/specifications.yaml:5:24
          |
        5 |         dependencies: [b]
          |                        ^
          help: remove one of these dependencies
    "#]],
    );
    // A missing template, misplaced sections and lines.
    let a = one("{}");
    let with = |template: &'static str| {
        [("a/1/specifications.yaml", a.clone()), ("a/1/templates/ubuntu.vtmp", template.to_owned())]
    };
    refused(
        &[("a/1/specifications.yaml", &a)],
        &["script", "a"],
        expect![[r#"
        error: template `ubuntu` of `a@=1` does not exist
         --> images/a/1/specifications.yaml:4:7
          |
        4 |       ubuntu:
          |       ^
          help: create `images/a/1/templates/ubuntu.vtmp`
    "#]],
    );
    let template = |template: &'static str, args: &[&str], expected| {
        let files = with(template);
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        refused(&files, args, expected);
    };
    template(
        "@from\n    r.example/os:1\n@run\n    true\n@run\n    false\n",
        &["script", "a"],
        expect![[r#"
            error: section `@run` appears twice, first on line 3
             --> images/a/1/templates/ubuntu.vtmp:5:1
              |
            5 | @run
              | ^
              help: merge the two sections
        "#]],
    );
    template(
        "true\n@from\n    r.example/os:1\n",
        &["script", "a"],
        expect![[r#"
        error: this line is outside any section
         --> images/a/1/templates/ubuntu.vtmp:1:1
          |
        1 | true
          | ^
          help: begin the template with a section, such as `@from`
    "#]],
    );
    template(
        "@from\n    r.example/os:1\n@copy\n    data\n",
        &["script", "a"],
        expect![[r#"
        error: `@copy` has 1 word: expected a source and a destination
         --> images/a/1/templates/ubuntu.vtmp:4:5
          |
        4 |     data
          |     ^
    "#]],
    );
    template(
        "@from\n    os\n",
        &["build", "-d", "-e", "apptainer", "a"],
        expect![[r#"
        error: source `os` has a form that Apptainer does not support
         --> images/a/1/templates/ubuntu.vtmp:2:5
          |
        2 |     os
          |     ^
          help: write `REGISTRY/NAME:TAG` or a path that ends in `.sif`
    "#]],
    );
}

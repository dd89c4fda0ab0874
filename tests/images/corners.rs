//! Corner cases of the specification.

use wake_tests::project;

use crate::{document, image};

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

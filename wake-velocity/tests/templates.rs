//! From templates to scripts, by the rules of both generations.

#![allow(clippy::unwrap_used)]

mod shared;

use expect_test::{Expect, expect};
use shared::{first, images, plan, refused};

/// The script of an image of the first generation.
fn script(backend: &str, template: &str) -> String {
    let files = images(&[
        ("a/1/specifications.yaml", &first(backend, &["variables: {x: 'a=b c', y: /opt}"])),
        ("a/1/templates/ubuntu.vtmp", template),
    ]);
    plan(&files, backend, &["a"]).unwrap().builds[0].script.clone()
}

const SECOND: &str = "versions: [{spec: 1.2}]
variables:
- {name: x, value: '--a=1 --b=2'}
- {name: y, value: '/opt/{{ x }}'}
- {name: round, value: 'a {{ again }}'}
- {name: again, value: 'b {{ round }}'}
- {name: __threads__, value: 9}
";

/// The script of an image of the second generation.
fn later(backend: &str, template: &str) -> String {
    let files = images(&[("a/specs.yaml", SECOND), ("a/templates/default.vtmp", template)]);
    plan(&files, backend, &["a"]).unwrap().builds[0].script.clone()
}

fn check(actual: &str, expected: Expect) {
    expected.assert_eq(actual);
}

const ALL: &str = "@entry
    /bin/sh -c \"a b\"
@from
    registry.example/os:1   # where it begins
@pre
    |   before
@arg
    JOBS
@copy
    data   /data
@run
    cd /
    make -j @(JOBS)
    cd /
@env
    PATH %(y)/bin:$PATH
    FLAGS %(x)
@label
    name %(__name__)
    tag %(__tag__)
@post
    |after
";

#[test]
fn a_dockerfile_of_the_first_generation() {
    check(
        &script("podman", ALL),
        expect![[r#"
            FROM registry.example/os:1

            ARG JOBS

            COPY data   /data

            RUN cd / && \
                make -j $JOBS && \
                cd /

            ENV PATH="/opt/bin:$PATH" \
                FLAGS="a=b c"

            LABEL name="a" \
                tag="1"

            ENTRYPOINT ["/bin/sh", "-c", "\"a", "b\""]

        "#]],
    );
}

#[test]
fn a_definition_of_the_first_generation() {
    check(
        &script("apptainer", ALL),
        expect![[r#"
            Bootstrap: docker
            From: registry.example/os:1

               before

            %files
                data   /data

            %post
                cd /
                make -j {{ JOBS }}
                cd /

            %environment
                export PATH="/opt/bin:$PATH"
                export FLAGS="a=b c"

            %labels
                name a
                tag 1

            %runscript
                /bin/sh -c "a b"

            after

        "#]],
    );
}

#[test]
fn docker_and_buildah_get_what_podman_gets() {
    for backend in ["docker", "buildah"] {
        assert_eq!(script(backend, ALL), script("podman", ALL));
    }
    assert_eq!(script("singularity", ALL), script("apptainer", ALL));
}

#[test]
fn only_words_before_a_line_are_conditions() {
    let template = "@from
    r.example/os:1
@run
    ?podman echo podman
    ?apptainer echo apptainer
    ?apptainer ?podman echo both
    ?docker echo ?podman
    test $? = 0 || echo a?b
";
    check(
        &script("podman", template),
        expect![[r"
            FROM r.example/os:1

            RUN echo podman && \
                echo both && \
                test $? = 0 || echo a?b

        "]],
    );
}

#[test]
fn a_command_may_go_on_in_the_next_line() {
    let template = "@from\n    r.example/os:1\n@run\n    a \\\n    b\n    c\n";
    check(
        &script("podman", template),
        expect![[r"
            FROM r.example/os:1

            RUN a \
                b && \
                c

        "]],
    );
}

#[test]
fn a_backslash_keeps_a_reference() {
    let template = "@from\n    r.example/os:1\n@run\n    echo \\%(x) %(y) \\@(Z)\n";
    check(
        &script("podman", template),
        expect![[r"
            FROM r.example/os:1

            RUN echo \%(x) /opt \@(Z)

        "]],
    );
}

#[test]
fn a_definition_without_arguments_has_no_references_to_them() {
    let template = "@from\n    x.sif\n@run\n    echo @(X)\n";
    check(
        &script("apptainer", template),
        expect![[r"
            Bootstrap: localimage
            From: x.sif

            %post
                echo @(X)

        "]],
    );
}

const LATER: &str = ">>> an image
@from
    docker://os:{{ __version_major__ }}
@pre
    |  # before
@run
    ./configure --prefix={{ y }} {{x}}{{x}} >>> all of it
    ?? backend=podman |> echo podman ??; ?? a@2: |> echo new ??; echo end
    !envar CC gcc -O2
    make -j @@ JOBS @@ @@KIND@@
    ./configure --again
@env
    JOBS {{ __threads__ }}
@label
    patch {{ __version_patch__ }}
@post
    after
";

#[test]
fn a_dockerfile_of_the_second_generation() {
    check(
        &later("podman", LATER),
        expect![[r#"
            FROM os:1

            ARG JOBS
            ARG KIND

              # before

            RUN ./configure --prefix=/opt/--a=1 --b=2 --a=1 --b=2--a=1 --b=2 && \
                echo podman; ; echo end && \
                export CC="gcc -O2" && \
                make -j $JOBS $KIND && \
                ./configure --again

            ENV JOBS="9" \
                CC="gcc -O2"

            LABEL patch="None"

            after
        "#]],
    );
}

#[test]
fn a_definition_of_the_second_generation() {
    check(
        &later("apptainer", LATER),
        expect![[r#"
            Bootstrap: docker
            From: os:1

              # before

            %post
            ./configure --prefix=/opt/--a=1 --b=2 --a=1 --b=2--a=1 --b=2
            ; ; echo end
            export CC="gcc -O2"
            make -j {{ JOBS }} {{ KIND }}
            ./configure --again

            %environment
            export JOBS="9"
            export CC="gcc -O2"

            %labels
            patch None

            after
        "#]],
    );
}

#[test]
fn sources_of_each_form() {
    let from = |source: &str| later("apptainer", &format!("@from\n    {source}\n"));
    for (source, bootstrap, name) in [
        ("os:1", "docker", "os:1"),
        ("registry.example/os", "docker", "registry.example/os"),
        ("docker://registry.example:5000/os:1", "docker", "registry.example:5000/os:1"),
        ("oras://registry.example/x:1", "oras", "registry.example/x:1"),
        ("localimage:///a/b", "localimage", "/a/b"),
        ("/a/b.sif", "localimage", "/a/b.sif"),
    ] {
        assert_eq!(from(source), format!("Bootstrap: {bootstrap}\nFrom: {name}\n"));
    }
}

fn wrong(template: &str) -> String {
    let files = [
        ("a/1/specifications.yaml", &*first("podman", &["variables: {url: x}"])),
        ("a/1/templates/ubuntu.vtmp", template),
    ];
    refused(&files, "podman", &["a"])
}

#[test]
fn errors_in_templates_of_the_first_generation() {
    check(
        &wrong("@from\n    r.example/os:1\n@run\n    get %(ulr)\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:4:9: variable `ulr` is not defined
                  get %(ulr)
                      ^
            help: did you mean `url`?"]],
    );
    check(
        &wrong("@from\n    %(__base__)\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:2:5: variable `__base__` is not defined
                  %(__base__)
                  ^
            help: name the base image in `@from`: nothing is built before this image"]],
    );
    check(
        &wrong("    make\n@from\n    r.example/os:1\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:1:5: this line is outside any section
                  make
                  ^
            help: begin the template with a section, such as `@from`"]],
    );
    check(
        &wrong("@from\n    r.example/os:1\n@run\n    a\n@run\n    b\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:5:1: section `@run` appears twice, first on line 3
              @run
              ^
            help: merge the two sections"]],
    );
    check(
        &wrong("@run\n    a\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp: the template has no section `@from`
            help: add it with the name of the base image"]],
    );
    check(
        &wrong("@from\n    r.example/os:1\n@rum\n    b\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:3:1: `@from` has a second line: expected one source
              @rum
              ^
            help: did you mean the section `@run`?"]],
    );
    check(
        &wrong("@from\n@run\n    b\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:1:1: `@from` is empty: expected one source
              @from
              ^"]],
    );
    check(
        &wrong("@from\n    r.example/os:1\n@copy\n    a b c\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:4:5: `@copy` has 3 words: expected a source and a destination
                  a b c
                  ^"]],
    );
    check(
        &wrong("@from\n    r.example/os:1\n@arg\n    JOBS\n@run\n    make -j @(JOB)\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:6:5: argument `JOB` is not declared
                  make -j @(JOB)
                  ^
            help: did you mean `JOBS`?"]],
    );
    check(
        &wrong("@from\n    r.example/os:1\n@entry\n    a\n    b\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:5:5: `@entry` has a second line: expected one command
                  b
                  ^"]],
    );
    check(
        &wrong("@from\n    r.example/os:1\n@label\n    a b c\n"),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:4:5: label `a` must have a value of exactly one word
                  a b c
                  ^"]],
    );
}

#[test]
fn a_source_of_no_form() {
    let files = [
        ("a/1/specifications.yaml", &*first("apptainer", &[])),
        ("a/1/templates/ubuntu.vtmp", "@from\n    os\n"),
    ];
    check(
        &refused(&files, "apptainer", &["a"]),
        expect![[r"
            images/a/1/templates/ubuntu.vtmp:2:5: source `os` has a form that Apptainer does not support
                  os
                  ^
            help: write `REGISTRY/NAME:TAG` or a path that ends in `.sif`"]],
    );
}

#[test]
fn errors_in_templates_of_the_second_generation() {
    let wrong = |template: &str| {
        let files = [("a/specs.yaml", SECOND), ("a/templates/default.vtmp", template)];
        refused(&files, "podman", &["a"])
    };
    check(
        &wrong("@from\n    os:1\n@run\n    echo {{ x }} {{ roundd }}\n"),
        expect![[r"
            images/a/templates/default.vtmp:4:18: variable `roundd` is not defined
                  echo {{ x }} {{ roundd }}
                               ^
            help: did you mean `round`?"]],
    );
    check(
        &wrong("@from\n    os:1\n@run\n    echo {{ round }}\n"),
        expect![[r"
            images/a/templates/default.vtmp:4:10: the value of variable `round` refers to itself
                  echo {{ round }}
                       ^"]],
    );
    check(
        &wrong("@from\n    os:1\n@run\n    !envar X\n"),
        expect![[r"
            images/a/templates/default.vtmp:4:5: `!envar` needs a name and a value
                  !envar X
                  ^
            help: write `!envar NAME VALUE`"]],
    );
    check(
        &wrong("@from\n    os:1\n@run\n    ?? a@: |> x ??\n"),
        expect![[r"
            images/a/templates/default.vtmp:4:5: `a@:` has no version
                  ?? a@: |> x ??
                  ^"]],
    );
    // A comment contains no references.
    let files = images(&[
        ("a/specs.yaml", SECOND),
        ("a/templates/default.vtmp", "@from\n    os:1 >>> {{ nothing }}\n"),
    ]);
    assert!(plan(&files, "podman", &["a"]).is_ok());
}

#[test]
fn text_resembling_a_section_causes_a_warning() {
    let files = images(&[
        ("a/1/specifications.yaml", &first("podman", &[])),
        ("a/1/templates/ubuntu.vtmp", "@from\n    r.example/os:1\n@run\n    x\n@evn\n    A b\n"),
    ]);
    let plan = plan(&files, "podman", &["a"]).unwrap();
    let warnings: Vec<String> = plan
        .warnings
        .iter()
        .map(|warning| format!("{warning}: {}", warning.hint.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        warnings,
        [
            "images/a/1/templates/ubuntu.vtmp:5:1: `@evn` is not a section: it is treated as a line of `@run`: did you mean `@env`?"
        ]
    );
}

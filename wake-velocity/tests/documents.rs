//! Reading documents, and the errors for invalid ones.

#![allow(clippy::unwrap_used)]

mod shared;

use expect_test::{Expect, expect};
use shared::{first, images, plan, read, refused};
use wake_velocity::catalog::Prolog;

fn check(actual: &str, expected: Expect) {
    expected.assert_eq(actual);
}

/// The error for one document of the first generation.
fn one(text: &str) -> String {
    refused(&[("a/1/specifications.yaml", text)], "podman", &["a"])
}

/// The error for one document of the second generation.
fn second(text: &str) -> String {
    refused(&[("a/specs.yaml", text)], "podman", &["a"])
}

const FROM: &str = "@from\n    registry.example/os:1\n";

#[test]
fn variables_and_arguments_have_several_spellings() {
    let of = |lines: &[&str]| {
        let files = images(&[("a/1/specifications.yaml", &first("podman", lines))]);
        let catalog = read(&files, "podman").unwrap();
        let image = &catalog.images[0];
        let variables = image.variables.iter().map(|v| (v.name.clone(), v.value.text.clone()));
        let arguments = image.arguments.iter().map(|argument| argument.text.clone());
        (variables.collect::<Vec<_>>(), arguments.collect::<Vec<_>>())
    };
    let variables = vec![("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())];
    let arguments = vec!["--a b".to_owned()];
    assert_eq!(
        of(&["variables: {x: 1, y: 2}", "arguments: --a b"]),
        (variables.clone(), arguments.clone())
    );
    assert_eq!(
        of(&["variables: [{x: 1}, {y: 2}]", "arguments: ['--a b']"]),
        (variables, arguments)
    );
}

#[test]
fn null_counts_as_an_empty_mapping() {
    let files = images(&[("a/1/specifications.yaml", &first("podman", &[]))]);
    assert_eq!(read(&files, "podman").unwrap().images.len(), 1);
    assert_eq!(read(&files, "apptainer").unwrap().images.len(), 0);
}

#[test]
fn documents_outside_the_build_are_ignored() {
    let text = format!("maintainer: {{name: nobody}}\n{}", first("podman", &["prolog: p.sh"]));
    let files =
        images(&[("a/1/specifications.yaml", &text), (".git/config", "x"), ("README", "x")]);
    let catalog = read(&files, "podman").unwrap();
    assert!(matches!(&catalog.images[0].prolog, Some(Prolog::File(name)) if name.text == "p.sh"));
}

#[test]
fn aliases_and_merges_are_expanded() {
    let text = "build_specifications:
  frontier:
    podman:
      ubuntu: &all
        variables: {x: 1}
    apptainer:
      ubuntu:
        <<: *all
        arguments: [-F]
";
    let files = images(&[("a/1/specifications.yaml", text)]);
    let catalog = read(&files, "apptainer").unwrap();
    assert_eq!(catalog.images[0].variables[0].value.text, "1");
    assert_eq!(catalog.images[0].arguments[0].text, "-F");
}

#[test]
fn a_number_keeps_its_spelling_with_a_warning() {
    let files = images(&[("os/specs.yaml", "versions:\n- spec: [8.9, 8.10]\n- spec: '8.20'\n")]);
    let catalog = read(&files, "podman").unwrap();
    let versions: Vec<&str> = catalog.images.iter().map(|image| image.version.as_str()).collect();
    assert_eq!(versions, ["8.9", "8.10", "8.20"]);
    let warnings: Vec<String> = catalog
        .warnings
        .iter()
        .map(|warning| format!("{warning} ({})", warning.hint.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        warnings,
        [
            "images/os/specs.yaml:2:15: YAML and Velocity read `8.10` as `8.1`; wake reads it as `8.10` (write `\"8.10\"`)"
        ]
    );
}

#[test]
fn invalid_trees_are_refused() {
    check(
        &one("build_specifications: [1]\n"),
        expect![[r"
            images/a/1/specifications.yaml:1:23: `build_specifications` is a list: expected a mapping
              build_specifications: [1]
                                    ^"]],
    );
    check(
        &one("build_spec: {}\n"),
        expect![[r"
            images/a/1/specifications.yaml:1:1: the document has no `build_specifications`
              build_spec: {}
              ^
            help: add `build_specifications: {SYSTEM: {BACKEND: {DISTRO: {}}}}`"]],
    );
    check(
        &one("a: b: c\n"),
        expect![[r"
            images/a/1/specifications.yaml:1:5: invalid YAML: mapping values are not allowed in this context
              a: b: c
                  ^
            help: quote a value that contains `: ` or ends with `:`, such as `gcc@12:`"]],
    );
    check(
        &one("{}\n---\n{}\n"),
        expect![[r"
            images/a/1/specifications.yaml:2:1: a second document begins here: expected one
              ---
              ^"]],
    );
}

#[test]
fn unknown_and_duplicate_keys_are_refused() {
    check(
        &one(&first("podman", &["dependancies: [b]"])),
        expect![[r"
            images/a/1/specifications.yaml:5:9: unknown key `dependancies` in `ubuntu`
                      dependancies: [b]
                      ^
            help: did you mean `dependencies`?"]],
    );
    check(
        &one(&first("podman", &["files: [b]"])),
        expect![[r"
            images/a/1/specifications.yaml:5:9: unknown key `files` in `ubuntu`
                      files: [b]
                      ^
            help: `ubuntu` has the keys `dependencies`, `prolog`, `arguments`, `variables`"]],
    );
    check(
        &one(&first("podman", &["prolog: x", "prolog: y"])),
        expect![[r"
            images/a/1/specifications.yaml:6:9: `prolog` appears twice, first on line 5
                      prolog: y
                      ^
            help: remove one of them"]],
    );
    check(
        &second("versions: [{spec: 1}]\ntemplats: []\n"),
        expect![[r"
            images/a/specs.yaml:2:1: unknown key `templats` in the document
              templats: []
              ^
            help: did you mean `templates`?"]],
    );
    // A mistake is reported wherever it is, not only for the requested setting.
    check(
        &one(&(first("podman", &[]) + "    apptainer: {ubuntu: {prologs: x}}\n")),
        expect![[r"
            images/a/1/specifications.yaml:5:26: unknown key `prologs` in `ubuntu`
                  apptainer: {ubuntu: {prologs: x}}
                                       ^
            help: did you mean `prolog`?"]],
    );
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    check(
        &one(&first("podman", &["dependencies: b"])),
        expect![[r"
            images/a/1/specifications.yaml:5:23: `dependencies` is a string: expected a list
                      dependencies: b
                                    ^"]],
    );
    check(
        &one(&first("podman", &["dependencies: [null]"])),
        expect![[r"
            images/a/1/specifications.yaml:5:24: a dependency is null: expected a string
                      dependencies: [null]
                                     ^"]],
    );
    check(
        &one(&first("podman", &["variables: {x: [1]}"])),
        expect![[r"
            images/a/1/specifications.yaml:5:24: variable `x` is a list: expected a string
                      variables: {x: [1]}
                                     ^"]],
    );
    check(
        &one(&first("podman", &["prolog: ../x.sh"])),
        expect![[r"
            images/a/1/specifications.yaml:5:17: prolog `../x.sh` is not a file below the system directory
                      prolog: ../x.sh
                              ^"]],
    );
    check(
        &second("versions: [{spec: 1}]\ndependencies: [{spec: b, scope: all}]\n"),
        expect![[r"
            images/a/specs.yaml:2:33: scope `all` is unknown: expected `image` or `build`
              dependencies: [{spec: b, scope: all}]
                                              ^"]],
    );
    check(
        &second("versions: [{spec: 1}]\ndependencies: [{spec: b, when: 'a@:'}]\n"),
        expect![[r"
            images/a/specs.yaml:2:32: `a@:` has no version
              dependencies: [{spec: b, when: 'a@:'}]
                                             ^
            help: write `NAME@LOW:`, `NAME@:HIGH` or `NAME@LOW:HIGH`"]],
    );
    check(
        &second("versions: [{spec: 1}]\ndependencies: [{spec: ^b}]\n"),
        expect![[r"
            images/a/specs.yaml:2:23: `^b` contains `^`, which is allowed only in conditions
              dependencies: [{spec: ^b}]
                                    ^
            help: write `NAME`, `NAME@VERSION` or `NAME@LOW:HIGH`"]],
    );
}

#[test]
fn unsatisfiable_dependencies_are_refused() {
    check(
        &one(&first("podman", &["dependencies: ['a@^2']"])),
        expect![[r"
            images/a/1/specifications.yaml:5:24: `a@=1` needs `a@^2`, but there is no such image
                      dependencies: ['a@^2']
                                     ^
            help: the available versions are 1"]],
    );
    check(
        &second("versions: [{spec: 1}]\ndependencies: [{spec: bas}]\n"),
        expect![[r"
            images/a/specs.yaml:2:23: `a@1` needs `bas`, but there is no such image
              dependencies: [{spec: bas}]
                                    ^
            help: the available images are `a`"]],
    );
    // In the second generation, images that are not built may have unsatisfied dependencies.
    let files = images(&[
        ("a/specs.yaml", "versions: [{spec: [1, 2]}]\ndependencies: [{spec: bas, when: a@1}]\n"),
        ("a/templates/default.vtmp", FROM),
    ]);
    assert_eq!(plan(&files, "podman", &["a"]).unwrap().builds.len(), 1);
}

#[test]
fn cyclic_dependencies_are_refused() {
    let files = [
        ("a/1/specifications.yaml", &*first("podman", &["dependencies: [b]"])),
        ("b/1/specifications.yaml", &*first("podman", &["dependencies: [c]"])),
        ("c/1/specifications.yaml", &*first("podman", &["dependencies: [a]"])),
    ];
    check(
        &refused(&files, "podman", &["a"]),
        expect![[r"
            images/a/1/specifications.yaml:5:24: dependency cycle: `a@=1` needs `b@=1` needs `c@=1` needs `a@=1`
                      dependencies: [b]
                                     ^
            help: remove one of these dependencies"]],
    );
}

#[test]
fn invalid_targets_are_refused() {
    let files = [
        ("gcc/11.5/specifications.yaml", &*first("podman", &[])),
        ("gcc/12.3/specifications.yaml", &*first("podman", &[])),
        ("rocm/6/specifications.yaml", &*first("podman", &[])),
    ];
    let told = |targets: &[&str]| refused(&files, "podman", targets);
    check(
        &told(&["gc"]),
        expect![[r"
            there is no image `gc` for system `frontier`, backend `podman`, distro `ubuntu`
            help: did you mean `gcc`?"]],
    );
    check(
        &told(&["gcc@12.3"]),
        expect![[r"
            there is no image `gcc@12.3` for system `frontier`, backend `podman`, distro `ubuntu`
            help: did you mean `gcc@=12.3`?"]],
    );
    check(
        &told(&["gcc@^11", "gcc@_11"]),
        expect![[r"
            no version of `gcc` meets `gcc@^11` and `gcc@_11`
            help: the available versions are 12.3, 11.5"]],
    );
    check(
        &told(&[]),
        expect![[r"
            no image is requested
            help: name an image, such as `gcc`"]],
    );
}

#[test]
fn directories_without_images_are_refused() {
    let spec = first("podman", &[]);
    check(
        &refused(&[("a/1/specifications.yaml", &spec), ("a/2/notes", "")], "podman", &["a"]),
        expect![[r"
            images/a/2/specifications.yaml: there is no such file
            help: every directory of an image is a version and must have this file"]],
    );
    check(
        &refused(
            &[("a/1.0/specifications.yaml", &spec), ("a/1-0/specifications.yaml", &spec)],
            "podman",
            &["a"],
        ),
        expect![[r"
            images/a/1.0/specifications.yaml:4:7: `1.0` and `1-0` are the same version of `a`
                    ubuntu:
                    ^
            help: rename one of them: `-` and `.` are equivalent in versions"]],
    );
    check(
        &refused(
            &[("a/1/specifications.yaml", &spec), ("b/specs.yaml", "versions: []")],
            "podman",
            &["a"],
        ),
        expect![[r"
            images/a: `images/a` has no `specs.yaml`, but `images/b` does
            help: add one: every directory next to it needs one, unless its name begins with `.`"]],
    );
}

#[test]
fn missing_files_are_refused() {
    let prolog = first("podman", &["prolog: p.sh"]);
    check(
        &refused(
            &[("a/1/specifications.yaml", &prolog), ("a/1/templates/ubuntu.vtmp", FROM)],
            "podman",
            &["a"],
        ),
        expect![[r"
            images/a/1/specifications.yaml:5:17: prolog `p.sh` does not exist
                      prolog: p.sh
                              ^
            help: create `images/a/1/frontier/p.sh`"]],
    );
    check(
        &refused(&[("a/1/specifications.yaml", &first("podman", &[]))], "podman", &["a"]),
        expect![[r"
            images/a/1/specifications.yaml:4:7: template `ubuntu` of `a@=1` does not exist
                    ubuntu:
                    ^
            help: create `images/a/1/templates/ubuntu.vtmp`"]],
    );
    let spec = "versions: [{spec: 1}]\nfiles:\n- name: data\n";
    check(
        &refused(&[("a/specs.yaml", spec), ("a/templates/default.vtmp", FROM)], "podman", &["a"]),
        expect![[r"
            images/a/specs.yaml:3:9: file `data` of `a` does not exist
              - name: data
                      ^
            help: create `images/a/files/data`"]],
    );
}

#[test]
fn a_condition_that_never_holds_causes_a_warning() {
    let text = "versions: [{spec: 1, when: 'sytem=frontier'}, {spec: 2.x}]\n";
    let catalog = read(&images(&[("a/specs.yaml", text)]), "podman").unwrap();
    let warnings: Vec<String> = catalog.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "images/a/specs.yaml:1:28: `sytem=frontier` never holds",
            "images/a/specs.yaml:1:54: version `2.x` compares equal to every other version",
        ]
    );
}

#[test]
fn declarations_of_what_is_built_along_count_for_all_kinds() {
    let files = images(&[
        (
            "mpi/specs.yaml",
            "versions: [{spec: 1}]
variables:
- {name: flags, value: none}
- {name: flags, value: --with-rocm, when: 'rocm@5:', scope: build}
arguments:
- {value: -x, when: rocm, scope: build}
- {value: -y, when: cuda, scope: build}
",
        ),
        ("mpi/templates/default.vtmp", "@from\n    os:1\n@run\n    ./configure {{ flags }}\n"),
        ("rocm/specs.yaml", "versions: [{spec: 6}]\ndependencies: [{spec: mpi}]\n"),
        ("rocm/templates/default.vtmp", "@from\n    {{ __base__ }}\n"),
    ]);
    let flags = |targets: &[&str]| {
        let plan = plan(&files, "podman", targets).unwrap();
        let arguments = plan.builds[0].image.arguments.iter().map(|one| one.text.clone());
        (plan.builds[0].script.clone(), arguments.collect::<Vec<_>>())
    };
    assert_eq!(flags(&["mpi"]), ("FROM os:1\n\nRUN ./configure none\n".to_owned(), vec![]));
    assert_eq!(
        flags(&["rocm"]),
        ("FROM os:1\n\nRUN ./configure --with-rocm\n".to_owned(), vec!["-x".to_owned()])
    );
}

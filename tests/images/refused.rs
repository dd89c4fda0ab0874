//! Invalid images and calls.

use wake_tests::{expect, project};

use crate::{document, image, images, project_with_unknown_backend};

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

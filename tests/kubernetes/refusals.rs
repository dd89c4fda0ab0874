//! Jobs that cannot be run in a cluster, and the errors.

use wake_tests::{expect, project};

use crate::scene::{Runs, SITE, Scene, output, run};

const OUTPUT: &str = "{outputs: [output]}";

fn scene() -> Scene {
    Scene::new(&run(OUTPUT, "true", ""), Runs::Nothing)
}

#[test]
fn a_machine_without_kubectl_says_so() {
    let project = project().file("run.yml", &run("{}", "true", "")).build();
    let args = ["job", "run", "--engine", "kubernetes", "-f", "run.yml"];
    let nowhere = project.path("nothing");
    project.wake(args).env("PATH", nowhere).run().code(10).says(expect![[r#"
        error: `kubectl` was not found
         help: install it, or set `kubectl` in `[kubernetes]` of `config.toml`; use `--engine here` to run the job locally
    "#]]);
    let told = project.wake(["job", "list"]).run().code(0).stdout;
    assert!(told.contains("could not be submitted to Kubernetes"), "{told}");
}

#[test]
fn a_missing_context_or_namespace_is_reported() {
    let scene = scene();
    scene.set(&format!("{SITE}context = \"nope\"\n"));
    scene.in_cluster("run", &[]).run().code(10).says(expect![[r#"
        error: Kubernetes refused the request: cannot locate context nope
         help: run `kubectl config get-contexts` to list the contexts; set the run's `cluster`, or `context` in `[kubernetes]` of `config.toml`
    "#]]);
    // The run's `cluster` takes precedence.
    scene.project.write("run.yml", run(OUTPUT, "true", "cluster: lab\n"));
    let id = scene.create(&[]);
    let place = scene.show(&id)["engine"]["id"].as_str().unwrap().to_owned();
    assert_eq!(place, format!("science/{}@lab", scene.name(&id)));
    scene.set(&format!("{SITE}namespace = \"nope\"\n"));
    scene.in_cluster("run", &[]).run().code(10).says(expect![[r#"
        error: Kubernetes refused the request: namespaces "nope" not found
         help: set `namespace` in `[kubernetes]` of `config.toml`
    "#]]);
    let last = scene.last();
    assert_eq!(last["statusReason"], "could not be submitted to Kubernetes");
    assert_eq!(output(&scene.project, &last)["state"], "failed");
    assert_eq!(scene.objects(&format!("wake-{}-", last["id"])), [""; 0]);
}

#[test]
fn the_error_of_the_api_server_is_shown() {
    let scene = scene();
    scene.refuses("error: error validating \"STDIN\": error validating data: ValidationError(Job.spec.template.spec.initContainers[1]): unknown field \"restartPolicy\" in io.k8s.api.core.v1.Container; if you choose to ignore these errors, turn validation off with --validate=false");
    scene.in_cluster("run", &[]).run().code(10).says(expect![[r#"
        error: Kubernetes refused the request: error validating data: ValidationError(Job.spec.template.spec.initContainers[1]): unknown field "restartPolicy" in io.k8s.api.core.v1.Container
         help: use Kubernetes 1.29 or later for streams
    "#]]);
    scene.refuses("Error from server (Forbidden): error when creating \"STDIN\": jobs.batch is forbidden: User \"u\" cannot create resource \"jobs\" in API group \"batch\" in the namespace \"default\"");
    scene.in_cluster("run", &[]).run().code(10).says(expect![[r#"
        error: Kubernetes refused the request: jobs.batch is forbidden: User "u" cannot create resource "jobs" in API group "batch" in the namespace "default"
    "#]]);
}

#[test]
fn unsupported_options_are_refused_before_anything_is_created() {
    let scene = scene();
    scene.in_cluster("run", &["--rootfs", "host"]).run().code(2).says(expect![[r#"
        error: `--rootfs` does not work in a cluster, which has no directories of this machine
         help: omit `--rootfs` to run the codespec's image
    "#]]);
    scene.project.edit("run.yml", "registry.example.org/some@", "oci:./some@");
    scene.in_cluster("run", &[]).run().code(2).says(expect![[r#"
        error: image `oci:./some@sha256:[DIGEST]` is local to this machine, so a cluster cannot pull it
         help: push it with `wake image push oci:./some@sha256:[DIGEST] HOST/REPOSITORY:TAG`
    "#]]);
    assert_eq!(scene.job(&["list"]).run().code(0).stdout.trim(), "[]");
    assert_eq!(scene.calls(), "");
}

#[test]
fn a_job_with_streams_needs_an_image_and_a_claim() {
    let scene = scene();
    scene.set("");
    scene.in_cluster("run", &[]).run().code(2).says(expect![[r#"
        error: a job with buffers needs an image that contains `wake`, and none is configured
         help: set `image` in `[kubernetes]` of `config.toml`
    "#]]);
    scene.set("[kubernetes]\nkubectl = \"bin/kubectl\"\n");
    scene.job(&["list"]).run().code(2).says(expect![[r#"
        error: `kubectl` must be the absolute path of a program
         --> [BASE]/home/.config/wake/config.toml:2:11
          |
        2 | kubectl = "bin/kubectl"
          |           ^^^^^^^^^^^^^
    "#]]);
}

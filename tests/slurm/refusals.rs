//! Jobs that cannot be run on Slurm, and the errors.

use wake_tests::{expect, is_root, project, skipped};

use crate::cluster::Cluster;
use crate::scene::{Scene, run};

const SCRIPT: &str = "echo done > \"$OUTPUT_PIPE\"";
const OUTPUT: &str = "{outputs: [output]}";

#[test]
fn a_machine_without_slurm_says_so() {
    let project = project().file("run.yml", &run(OUTPUT, SCRIPT, "")).build();
    let args = ["job", "run", "--engine", "slurm", "--rootfs", "host", "-f", "run.yml"];
    let nowhere = project.path("nothing");
    project.wake(args).env("PATH", nowhere).run().code(10).says(expect![[r#"
        error: `sbatch` was not found
         help: this machine cannot submit jobs to Slurm; use `--engine here` to run the job locally
    "#]]);
    let told = project.wake(["job", "list"]).run().code(0).stdout;
    assert!(told.contains("could not be submitted to Slurm"), "{told}");
}

#[test]
fn the_error_of_slurm_is_shown() {
    let Some(scene) = Scene::new("the_error_of_slurm_is_shown", &run(OUTPUT, SCRIPT, "")) else {
        return;
    };
    scene.set("[slurm]\npartition = \"nowhere\"\n");
    scene.on_slurm("run", &[]).run().code(10).says(expect![[r#"
        error: Slurm refused the request: invalid partition specified: nowhere; Batch job submission failed: Invalid partition name specified
         help: run `sinfo` to list the partitions; set `nodePool` of the run, or `partition` in `[slurm]` of `config.toml`
    "#]]);
    scene.set("[slurm]\narguments = [\"--gres=gpu:1\"]\n");
    scene.on_slurm("run", &[]).run().code(10).says(expect![[r#"
        error: Slurm refused the request: Invalid generic resource (gres) specification
    "#]]);
    scene.set("");
    scene.project.write("run.yml", run(OUTPUT, SCRIPT, "  replicas: 5000\n"));
    scene.on_slurm("run", &[]).run().code(10).says(expect![[r#"
        error: Slurm refused the request: Batch job submission failed: Invalid job array specification
         help: run fewer replicas: each is a task of a job array, and the site limits arrays by `MaxArraySize`
    "#]]);
    let last = scene.last();
    assert_eq!(last["status"], "Failed");
    assert_eq!(crate::scene::output(&scene.project, &last)["state"], "failed");
}

#[test]
fn invalid_settings_are_reported_with_their_place() {
    let project = project().file("run.yml", &run(OUTPUT, SCRIPT, "")).build();
    let told = |settings: &str| {
        project.write("../home/.config/wake/config.toml", settings);
        project.wake(["job", "list"]).run().code(2)
    };
    told("[slurm]\narguments = [\"long\"]\n").says(expect![[r#"
        error: `long` is not an option of `sbatch`, such as `--qos=long`
         --> [BASE]/home/.config/wake/config.toml:2:14
          |
        2 | arguments = ["long"]
          |              ^^^^^^
    "#]]);
    told("[slurm]\narguments = [\"--array=0-9\"]\n").says(expect![[r#"
        error: `--array` is set by wake itself
         --> [BASE]/home/.config/wake/config.toml:2:14
          |
        2 | arguments = ["--array=0-9"]
          |              ^^^^^^^^^^^^^
    "#]]);
    told("[slurm]\nwake = \"bin/wake\"\n").says(expect![[r#"
        error: `wake` must be the absolute path of a program
         --> [BASE]/home/.config/wake/config.toml:2:8
          |
        2 | wake = "bin/wake"
          |        ^^^^^^^^^^
    "#]]);
    told("[slurm]\npartition = \"\"\n").says(expect![[r#"
        error: `partition` is not a name
         --> [BASE]/home/.config/wake/config.toml:2:13
          |
        2 | partition = ""
          |             ^^
    "#]]);
    told("[slurm]\nqueue = \"long\"\n").says(expect![[r#"
        error: unknown field `queue`, expected one of `partition`, `account`, `arguments`, `wake`
         --> [BASE]/home/.config/wake/config.toml:2:1
          |
        2 | queue = "long"
          | ^^^^^
    "#]]);
}

#[test]
fn a_node_without_the_store_or_the_program_is_reported() {
    let test = "a_node_without_the_store_or_the_program_is_reported";
    if !is_root() {
        return skipped(test, "only root can hide a directory from a node");
    }
    let project = project().file("run.yml", &run(OUTPUT, SCRIPT, "")).build();
    let Some(cluster) = Cluster::start_without(test, project.base()) else { return };
    let scene = Scene { cluster, project };
    let failed = scene.on_slurm("run", &[]).run().code(1).stderr;
    let reason = "cannot access the store: it must be on a file system shared with the nodes";
    assert!(failed.contains(reason), "{failed}");
    drop(scene);

    let Some(scene) = Scene::new(test, &run(OUTPUT, SCRIPT, "")) else { return };
    scene.set("[slurm]\nwake = \"/nowhere/wake\"\n");
    let failed = scene.on_slurm("run", &[]).run().code(1).stderr;
    assert!(failed.contains("(exit code 127)"), "{failed}");
}

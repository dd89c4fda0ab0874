//! Images as roots of recipe commands.

use std::fs;

use wake_tests::{Finished, Project, has_busybox};

use crate::busybox_image;
use crate::containers::Registry;

const CLASS: &str = "\
name: fasta
version: 0.0.1
description: Sequences
seek_keys:
  fasta: { value: '{genome}.fa', type: file, description: The sequences }
  tools: { value: tools.txt, type: file, description: What the container has }
parents: []
";

/// A recipe that reports which container it runs in.
fn write_recipe(project: &Project, container: &str) {
    let text = format!(
        "name: fasta\nversion: 0.0.1\noutput_asset_class: fasta\ndescription: Sequences\ncontainer: '{container}'\n\
         inputs: {{files: {{fasta: {{description: A FASTA file}}}}}}\ncommand_template_list:\n\
         - cat {{{{files.fasta}}}} > {{{{asset_outfolder}}}}/{{{{genome}}}}.fa\n\
         - echo $WHO /bin/* > {{{{asset_outfolder}}}}/tools.txt\n\
         custom_properties: {{who: echo $WHO}}\ndefault_tag: 'x{{{{custom_properties.who}}}}'\n"
    );
    project.write("docs/fasta_asset_recipe.yaml", text);
}

fn bed() -> Project {
    let project = busybox_image();
    project.edit("base.libsonnet", "env={ PATH: '/bin' }", "env={ PATH: '/bin', WHO: 'you' }");
    project.build(&["//:base"]);
    add_registry(&project);
    project
}

/// An empty registry, the class of the recipe, and its inputs.
fn add_registry(project: &Project) {
    project.write("docs/fasta_asset_class.yaml", CLASS);
    project.write("seq.fa", ">chr1\nACGTACGTAA\nACG\n");
    let folder = project.path("g");
    let config =
        format!("config_version: 0.5\ngenome_folder: {}\ngenomes: {{}}\n", folder.display());
    project.write("g/genome_config.yaml", config);
}

fn build(project: &Project, asset: &str) -> Finished {
    let global = ["recipe", "--genome-config", "g/genome_config.yaml", "build", asset];
    let rest = ["--files", "fasta=seq.fa", "--documents", "docs"];
    project.wake(global.iter().chain(&rest)).run()
}

/// How many of how many actions ran.
fn counted(finished: &Finished) -> String {
    let line = finished.stderr.lines().find(|line| line.contains("Finished")).unwrap();
    line.split(" in ").next().unwrap().rsplit("Finished ").next().unwrap().to_owned()
}

fn tools(project: &Project, genome: &str, tag: &str) -> String {
    let path = format!("g/alias/{genome}/fasta/{tag}/tools.txt");
    fs::read_to_string(project.path(&path)).unwrap()
}

#[test]
fn a_recipe_runs_in_its_container_which_is_in_the_key() {
    if !has_busybox("a_recipe_runs_in_its_container_which_is_in_the_key") {
        return;
    }
    let project = bed();
    let dir = project.base().join("registry");
    let Some(registry) =
        Registry::start("a_recipe_runs_in_its_container_which_is_in_the_key", &dir, "")
    else {
        return;
    };
    let name = |tag: &str| format!("{}/wake/os/busybox:{tag}", registry.host);
    let push = |tag: &str| {
        project.wake(["image", "push", ".wake/out/base/image", &name(tag)]).run().success();
    };
    push("1");
    write_recipe(&project, &name("1"));
    assert_eq!(counted(&build(&project, "tiny/fasta").code(0)), "2 actions");
    let all = "/bin/busybox /bin/cat /bin/id /bin/ls /bin/sh\n";
    assert_eq!(tools(&project, "tiny", "xyou"), format!("you {all}"));
    assert!(counted(&build(&project, "tiny/fasta").code(0)).contains("all cached"));
    // Another name of the same image, and the same image in a layout.
    push("2");
    write_recipe(&project, &name("2"));
    assert!(counted(&build(&project, "small/fasta").code(0)).contains("all cached"));
    write_recipe(&project, "oci:.wake/out/base/image");
    assert!(counted(&build(&project, "third/fasta").code(0)).contains("all cached"));
    // Another image with the same name: its files change, then its variables.
    project.edit("base.libsonnet", "'ls', ", "");
    project.build(&["//:base"]);
    push("1");
    write_recipe(&project, &name("1"));
    assert_eq!(counted(&build(&project, "tiny/fasta:less").code(0)), "2 actions");
    project.edit("base.libsonnet", "WHO: 'you'", "WHO: 'me'");
    project.build(&["//:base"]);
    push("1");
    assert_eq!(counted(&build(&project, "tiny/fasta").code(0)), "2 actions");
    assert_eq!(tools(&project, "tiny", "xme"), format!("me {}", all.replace("/bin/ls ", "")));
}

#[test]
fn an_unavailable_container_is_reported_before_anything_runs() {
    let project = wake_tests::project().build();
    add_registry(&project);
    for (container, code, told) in [
        ("databio/refgenie:latest", 5, "has no registry host"),
        ("oci:nowhere", 5, "is not an image layout"),
    ] {
        write_recipe(&project, container);
        let finished = build(&project, "tiny/fasta").code(code);
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
        assert!(finished.stderr.contains("is the container of the recipe"), "{}", finished.stderr);
        assert!(finished.stderr.contains("--rootfs host"), "{}", finished.stderr);
        assert!(!finished.stderr.contains("Registered"), "{}", finished.stderr);
    }
}

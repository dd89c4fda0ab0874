//! A project with an empty asset registry and two recipes.

use std::path::{Path, PathBuf};

use wake_tests::{Finished, Project, project};

/// Two short sequences. The digest of this genome was computed by refgenie.
pub(crate) const SEQUENCES: &str = ">chr1\nACGTACGTAA\nACG\n>chr2 desc\nTTTT\n";
/// That digest.
pub(crate) const GENOME: &str = "4e88f10ceb549493a658a41991ffa249af078781d28aa9e2";

pub(crate) const FASTA_CLASS: &str = "\
name: fasta
version: 0.0.1
description: Sequences
seek_keys:
  fasta: { value: '{genome}.fa', type: file, description: The sequences }
  chrom_sizes: { value: '{genome}.chrom.sizes', type: file, description: Their lengths }
parents: []
";

pub(crate) const FASTA: &str = r#"name: fasta
version: 0.0.1
output_asset_class: fasta
description: Sequences and their lengths
inputs:
  files:
    fasta: { description: A FASTA file }
  params: null
  assets: null
command_template_list:
  - cp {{files.fasta}} {{asset_outfolder}}/{{genome}}.fa
  - "awk '/^>/{if(n)print n\"\\t\"l; n=substr($1,2); l=0; next}{l+=length($0)}END{print n\"\\t\"l}' {{asset_outfolder}}/{{genome}}.fa > {{asset_outfolder}}/{{genome}}.chrom.sizes"
custom_properties:
  version: echo 1.2.3-a
default_tag: "{{custom_properties.version}}"
"#;

pub(crate) const COUNT_CLASS: &str = "\
name: count
version: 0.0.1
description: A number of sequences
seek_keys:
  count: { value: '{genome}_{asset}.txt', type: file, description: The number }
  threads: { value: '{params[threads]}', type: number, description: How many threads }
  label: { value: 'n-{params[threads]}', type: string, description: A text }
parents: []
";

pub(crate) const COUNT: &str = r#"name: count
version: 0.0.1
output_asset_class: count
description: How many sequences there are
inputs:
  files: {}
  params:
    threads: { description: How many threads, default: 1 }
  assets:
    sequences: { asset_class: fasta, description: The sequences, default: fasta }
command_template_list:
  - grep -c '>' {{assets.sequences}} > {{asset_outfolder}}/{{genome}}_{{asset}}.txt
  - echo threads {{params.threads}} >> {{asset_outfolder}}/{{genome}}_{{asset}}.txt
default_tag: "t{{params.threads}}x"
"#;

/// An empty registry, with both recipes in `docs`.
pub(crate) fn bed() -> Project {
    let config = "config_version: 0.5\ngenome_folder: .\ngenomes: {}\n";
    let project = project()
        .file("docs/fasta_asset_class.yaml", FASTA_CLASS)
        .file("docs/fasta_asset_recipe.yaml", FASTA)
        .file("docs/count_asset_class.yaml", COUNT_CLASS)
        .file("docs/count_asset_recipe.yaml", COUNT)
        .file("seq.fa", SEQUENCES)
        .file("g/genome_config.yaml", config)
        .build();
    let config = project.path("g/genome_config.yaml");
    let text = config_text(&project);
    std::fs::write(config, text).unwrap();
    project
}

fn config_text(project: &Project) -> String {
    let folder = project.path("g");
    format!("config_version: 0.5\ngenome_folder: {}\ngenomes: {{}}\n", folder.display())
}

pub(crate) fn recipe(project: &Project, args: &[&str]) -> Finished {
    let global = ["recipe", "--genome-config", "g/genome_config.yaml"];
    project.wake(global.iter().chain(args)).run()
}

/// Builds with the documents in `docs` and the tools of this machine.
pub(crate) fn build(project: &Project, args: &[&str]) -> Finished {
    let all = [args, &["--documents", "docs", "--rootfs", "host"]].concat();
    recipe(project, &[&["build"], &all[..]].concat())
}

pub(crate) fn data(project: &Project, below: &str) -> PathBuf {
    project.path("g/data").join(GENOME).join(below)
}

pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn config(project: &Project) -> String {
    text(&project.path("g/genome_config.yaml"))
}

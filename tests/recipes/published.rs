//! Published recipes, unmodified: with real tools where Debian packages them, else with stand-ins.

use std::process::{Command, Stdio};

use wake_tests::{Project, fixtures, has_busybox, has_program, skip};

use crate::bed::{bed, config, recipe, text};

/// Some genes in common annotation formats.
const GTF: &str = "1\tensembl\tgene\t1000\t2000\t.\t+\t.\tgene_id \"E1\"; gene_version \"1\"; gene_name \"A\";\n\
    1\tensembl\texon\t1000\t1400\t.\t+\t.\tgene_id \"E1\"; gene_version \"1\"; transcript_id \"T1\"; transcript_version \"1\"; exon_number \"1\"; gene_name \"A\";\n";
const REFGENE: &str =
    "0\tNM_1\tchr1\t+\t10\t900\t20\t800\t2\t10,500,\t100,900,\t0\tA\tcmpl\tcmpl\t0,0,\n";

fn write_packed(project: &Project, path: &str, content: &str) {
    project.write("plain", content);
    let script = format!("gzip -nc plain > {path}");
    let mut sh = Command::new("sh");
    assert!(sh.args(["-c", &script]).current_dir(project.root()).status().unwrap().success());
}

/// Builds with the documents of the fixtures.
fn build(project: &Project, documents: &std::path::Path, args: &[&str]) -> wake_tests::Finished {
    let documents = documents.display().to_string();
    let places = ["--documents", "small", "--documents", &documents];
    recipe(project, &[&["build"], args, &places].concat())
}

#[test]
fn every_published_recipe_plans_and_runs() {
    const TEST: &str = "every_published_recipe_plans_and_runs";
    let Some(documents) = fixtures(TEST, "refgenie") else { return };
    for tool in ["samtools", "bwa", "bowtie2-build", "hisat2-build", "STAR", "salmon", "file"] {
        if !has_program(tool) {
            return skip(TEST, &format!("no `{tool}`"));
        }
    }
    let project = bed();
    project.write("seq.fa", crate::tools::genome());
    write_packed(&project, "txome.fa.gz", &crate::tools::transcripts());
    write_packed(&project, "x.gtf.gz", GTF);
    write_packed(&project, "x.refgene.gz", REFGENE);
    write_packed(&project, "x.bed.gz", "chr1\t1\t100\ta\t0\t+\t1\t100\t0\t1\t99,\t0,\n");
    // Unmodified, its index of any genome takes 1.5 GB.
    let star = "star_index_asset_recipe.yaml";
    let published = text(&documents.join("recipes").join(star));
    let small = published.replace("genomeGenerate", "genomeGenerate --genomeSAindexNbases 5");
    assert_ne!(small, published);
    project.write(&format!("small/{star}"), small);
    let targets = [
        "tiny/fasta",
        "tiny/fasta_txome:v1",
        "tiny/bwa_index",
        "tiny/bowtie2_index",
        "tiny/hisat2_index",
        "tiny/star_index",
        "tiny/salmon_sa_index",
        "tiny/bed12",
        "tiny/ensembl_gtf",
        "tiny/refgene_anno",
    ];
    let files = [
        "--rootfs",
        "host",
        "--files",
        "fasta.fasta=seq.fa",
        "fasta_txome.fasta=txome.fa.gz",
        "bedgz=x.bed.gz",
        "ensembl_gtf=x.gtf.gz",
        "refgene=x.refgene.gz",
        "--params",
        "threads=2",
        // An asset without a seek key of its own name resolves to its directory.
        "--assets",
        "fasta_txome=fasta_txome.fasta:v1",
    ];
    let args = [&targets[..], &files[..]].concat();
    let documents_dir = documents.display().to_string();
    let plan = recipe(&project, &[&["plan"], &args[..], &["--documents", &documents_dir]].concat());
    let plan = plan.code(0);
    for target in targets {
        assert!(plan.stdout.contains(target), "{target}: {}", plan.stdout);
    }
    // The transcriptome recipe does not make the `dict` that its class declares, so the asset is not registered.
    let alone = ["tiny/fasta_txome:v1", "--rootfs", "host", "--files", "fasta=txome.fa.gz"];
    let promised = build(&project, &documents, &alone);
    assert!(promised.code(5).stderr.contains("seek key `dict`"));
    let class = text(&documents.join("asset_classes/fasta_asset_class.yaml"));
    let (before, _) = class.split_once("  dict:").unwrap();
    project.write("small/fasta_asset_class.yaml", format!("{before}parents: []\n"));
    let txome = "fasta_txome_asset_recipe.yaml";
    project.write(&format!("small/{txome}"), text(&documents.join("recipes").join(txome)));
    let done = build(&project, &documents, &args).code(0);
    assert_eq!(done.stderr.matches("Registered").count(), targets.len(), "{}", done.stderr);
    let read = |path: &str| text(&project.path(&format!("g/alias/tiny/{path}")));
    assert_eq!(read("ensembl_gtf/default/tiny_ensembl_TSS.bed"), "chr1\t1020\t1120\tA\tT1\t+\n");
    assert_eq!(read("refgene_anno/default/tiny_TSS.bed"), "chr1\t10\t10\tA\t.\t+\n");
    salmon_finds_what_it_indexed(&project);
}

/// The salmon index works: reads cut from the transcripts map to them.
fn salmon_finds_what_it_indexed(project: &Project) {
    let seek = project.wake(["asset", "seek", "tiny/salmon_sa_index.dir"]);
    let seek = seek.env("REFGENIE", project.path("g/genome_config.yaml")).run().success();
    let transcripts = crate::tools::transcripts();
    let sequence = transcripts.lines().nth(1).unwrap();
    let reads: String = (0..200)
        .map(|at| format!("@r{at}\n{}\n+\n{}\n", &sequence[at..at + 100], "I".repeat(100)))
        .collect();
    project.write("reads.fq", reads);
    let quant = Command::new("salmon")
        .args(["quant", "-l", "A", "-p", "1", "-r", "reads.fq", "-o", "quant", "-i"])
        .arg(seek.stdout.trim_end())
        .current_dir(project.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(quant.unwrap().success());
    let table = project.read("quant/quant.sf");
    let counts = table.lines().skip(1).map(|line| {
        let mut fields = line.split('\t');
        (fields.next().unwrap().to_owned(), fields.next_back().unwrap().parse::<f64>().unwrap())
    });
    let counts: Vec<_> = counts.collect();
    assert_eq!(counts[0].0, "t1");
    assert!(counts[0].1 > 150.0, "{counts:?}");
}

#[test]
fn published_recipes_of_tools_that_nobody_packages_run_with_stand_ins() {
    const TEST: &str = "published_recipes_of_tools_that_nobody_packages_run_with_stand_ins";
    let Some(documents) = fixtures(TEST, "refgenie") else { return };
    if !has_busybox(TEST) {
        return;
    }
    let project = bed();
    write_packed(&project, "x.gtf.gz", GTF);
    // A root with a `cellranger` script that does what the recipe expects.
    let programs = [
        "sh", "cat", "cp", "cut", "grep", "gunzip", "ls", "mkdir", "readlink", "rm", "sed", "tr",
        "awk",
    ];
    project.busybox_root("root", &programs);
    project.write_script(
        "root/bin/cellranger",
        "#!/bin/sh\ncase $1 in\n  mkgtf) cp \"$2\" \"$3\" ;;\n  mkref)\n    case $2 in --version) printf '\\n\\n\\n\\n\\na b stand-in\\n'; exit ;; esac\n    \
         mkdir ref && cp \"${3#--fasta=}\" ref/genome.fa && cp \"${4#--genes=}\" ref/genes.gtf ;;\nesac\n",
    );
    let wake = |args: &[&str]| {
        let call = project.wake(args.iter().copied());
        call.env("REFGENIE", project.path("g/genome_config.yaml")).run()
    };
    wake(&["genome", "init", "seq.fa", "--alias", "tiny"]).success();
    project.write("made/fasta/tiny.fa", crate::bed::SEQUENCES);
    let keys = r#"{"fasta": "tiny.fa"}"#;
    let fasta = ["asset", "add", "tiny/fasta:v1", "--path", "made/fasta", "--class", "fasta"];
    wake(&[&fasta[..], &["--seek-keys", keys]].concat()).success();
    let gtf = ["asset", "add", "tiny/gencode_gtf:v1", "--path", "x.gtf.gz", "--class", "gtf"];
    wake(&gtf).success();
    project.write(
        "made/salmon/gentrome.fa",
        ">T1 a b c d e gene_symbol:A\nACGT\n>T2 a b c d e gene_symbol:B\nAC\n",
    );
    let salmon = ["asset", "add", "tiny/salmon_partial_sa_index:v1", "--path", "made/salmon"];
    wake(&[&salmon[..], &["--class", "salmon_partial_sa_index"]].concat()).success();

    let root = project.path("root").display().to_string();
    let targets = ["tiny/cellranger_reference", "tiny/tgMap", "--rootfs", &root];
    build(&project, &documents, &targets).code(0);
    assert!(config(&project).contains("stand-in:"), "{}", config(&project));
    let read = |path: &str| text(&project.path(&format!("g/alias/tiny/{path}")));
    assert_eq!(read("cellranger_reference/stand-in/ref/genome.fa"), crate::bed::SEQUENCES);
    assert_eq!(read("cellranger_reference/stand-in/ref/genes.gtf"), GTF);
    let map = read("tgMap/default/tiny_txp2gene.tsv");
    assert_eq!(map.lines().count(), 2, "{map}");
    assert!(map.starts_with("T1\t") && map.contains('A'), "{map}");
}

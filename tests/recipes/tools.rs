//! Real aligners index a small genome: recipes give the same result as running the tools by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wake_tests::{Project, has_program, skip};

use crate::bed::{bed, build};

/// One index: the commands of its recipe, and the same by hand, which makes `OUT` from `IN.fa`.
struct Index {
    name: &'static str,
    tool: &'static str,
    seek: &'static str,
    commands: &'static str,
    version: &'static str,
    by_hand: &'static str,
}

const INDEXES: [Index; 5] = [
    Index {
        name: "bwa_index",
        tool: "bwa",
        seek: "bwa_index: { value: '{genome}.fa', type: file }",
        commands: "  - ln -sf {{assets.fasta}} {{asset_outfolder}}\n  - bwa index {{asset_outfolder}}/{{genome}}.fa\n",
        version: "bwa 2>&1 | awk '/^Version/{print \"bwa-\" $2}'",
        by_hand: "ln -s $IN OUT/G.fa && bwa index OUT/G.fa",
    },
    Index {
        name: "bowtie2_index",
        tool: "bowtie2-build",
        seek: "bowtie2_index: { value: '{genome}', type: prefix }",
        commands: "  - bowtie2-build --threads {{params.threads}} {{assets.fasta}} {{asset_outfolder}}/{{genome}}\n",
        version: "bowtie2-build --version | awk 'NR==1{print $3}'",
        by_hand: "bowtie2-build --threads 1 $IN OUT/G",
    },
    Index {
        name: "hisat2_index",
        tool: "hisat2-build",
        seek: "hisat2_index: { value: '{genome}', type: prefix }",
        commands: "  - hisat2-build {{assets.fasta}} {{asset_outfolder}}/{{genome}}\n",
        version: "hisat2-build --version | awk 'NR==1{print $3}'",
        by_hand: "hisat2-build $IN OUT/G",
    },
    Index {
        name: "star_index",
        tool: "STAR",
        seek: "star_index: { value: '.', type: directory }",
        commands: "  - mkdir -p {{asset_outfolder}}\n  - STAR --runThreadN {{params.threads}} --runMode genomeGenerate --genomeSAindexNbases 5 --genomeDir {{asset_outfolder}} --genomeFastaFiles {{assets.fasta}} --outFileNamePrefix /tmp/\n",
        version: "STAR --version",
        by_hand: "STAR --runThreadN 1 --runMode genomeGenerate --genomeSAindexNbases 5 --genomeDir OUT --genomeFastaFiles $IN --outFileNamePrefix $TMP/",
    },
    Index {
        name: "salmon_index",
        tool: "salmon",
        seek: "salmon_index: { value: '.', type: directory }",
        commands: "  - salmon index --no-version-check -p {{params.threads}} -t {{assets.fasta}} -i {{asset_outfolder}}\n",
        version: "salmon --no-version-check --version | awk '{print $2}'",
        by_hand: "salmon index --no-version-check -p 1 -t $IN -i OUT",
    },
];

/// Some thousand pseudo-random bases.
pub(crate) fn genome() -> String {
    let mut bases = bases();
    let mut text = String::new();
    for number in 1..=3 {
        text.push_str(&format!(">chr{number} made\n"));
        for _ in 0..40 + number {
            text.extend(bases.by_ref().take(60));
            text.push('\n');
        }
    }
    text
}

/// Two transcripts of that genome, each on one line.
pub(crate) fn transcripts() -> String {
    let bases: String = bases().take(1300).collect();
    format!(">t1 made\n{}\n>t2 made\n{}\n", &bases[..800], &bases[900..])
}

fn bases() -> impl Iterator<Item = char> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b"ACGT"[(state >> 32) as usize % 4])
    })
}

fn write_index(project: &Project, index: &Index) {
    let Index { name, seek, commands, version, .. } = index;
    project.write(
        &format!("docs/{name}_asset_class.yaml"),
        format!("name: {name}\nversion: 0.0.1\ndescription: An index\nseek_keys:\n  {seek}\nparents: []\n"),
    );
    project.write(
        &format!("docs/{name}_asset_recipe.yaml"),
        format!(
            "name: {name}\nversion: 0.0.1\noutput_asset_class: {name}\ndescription: An index\ninputs:\n  files: null\n\
             \x20 params:\n    threads: {{ description: Threads, default: 1 }}\n  assets:\n    fasta: {{ asset_class: fasta, \
             description: The sequences, default: fasta }}\ncommand_template_list:\n{commands}custom_properties:\n  \
             version: {version}\ndefault_tag: '{{{{custom_properties.version}}}}'\n"
        ),
    );
}

/// The files below a directory by name, with `called` replaced by `G`.
fn files(dir: &Path, called: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().replace(called, "G");
    files.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

fn only_dir(dir: &Path) -> PathBuf {
    let mut entries: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

#[test]
fn indexes_are_what_the_tools_make_by_hand() {
    const TEST: &str = "indexes_are_what_the_tools_make_by_hand";
    for tool in INDEXES.iter().map(|index| index.tool).chain(["samtools"]) {
        if !has_program(tool) {
            return skip(TEST, &format!("no `{tool}`"));
        }
    }
    let project = bed();
    project.write("seq.fa", genome());
    let sequences = crate::bed::FASTA.replace("custom_properties:\n  version: echo 1.2.3-a", "  - samtools faidx {{asset_outfolder}}/{{genome}}.fa\ncustom_properties:\n  version: samtools --version-only | awk -F+ '{print \"samtools-\" $1}'");
    project.write("docs/fasta_asset_recipe.yaml", sequences);
    INDEXES.iter().for_each(|index| write_index(&project, index));
    let targets: Vec<String> = INDEXES.iter().map(|index| format!("tiny/{}", index.name)).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    build(&project, &[&targets[..], &["--files", "fasta=seq.fa"]].concat()).code(0);

    let genome = only_dir(&project.path("g/data"));
    let digest = genome.file_name().unwrap().to_str().unwrap();
    let fasta = only_dir(&genome.join("fasta"));
    let by_hand = project.path("by_hand");
    std::fs::create_dir(&by_hand).unwrap();
    std::fs::copy(project.path("seq.fa"), by_hand.join("G.fa")).unwrap();
    run(&by_hand, "samtools faidx G.fa", &fasta);
    let index = std::fs::read(fasta.join(format!("{digest}.fa.fai"))).unwrap();
    assert_eq!(index, std::fs::read(by_hand.join("G.fa.fai")).unwrap());

    let sequences = fasta.join(format!("{digest}.fa"));
    for index in &INDEXES {
        let dir = by_hand.join(index.name);
        std::fs::create_dir_all(dir.join("OUT")).unwrap();
        run(&dir, index.by_hand, &sequences);
        let mut made = files(&only_dir(&genome.join(index.name)), digest);
        let mut expected = files(&dir.join("OUT"), "G");
        for all in [&mut made, &mut expected] {
            // They contain paths and times.
            for name in [
                "genomeParameters.txt",
                "Log.out",
                "info.json",
                "pre_indexing.log",
                "ref_indexing.log",
            ] {
                all.remove(name);
            }
        }
        assert!(made.len() >= 5, "{}: {:?}", index.name, made.keys());
        assert!(made.keys().eq(expected.keys()), "{:?} {:?}", made.keys(), expected.keys());
        let differ = made.iter().filter(|(name, bytes)| expected[*name] != **bytes);
        let differ: Vec<_> = differ.map(|(name, _)| name).collect();
        assert!(differ.is_empty(), "{}: {differ:?}", index.name);
    }
}

fn run(dir: &Path, script: &str, sequences: &Path) {
    let status = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .env("IN", sequences)
        .env("TMP", dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{script}");
}

//! Registering, finding, renaming and removing assets through the public interface.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use crate::*;

const DIGEST: &str = "4e88f10ceb549493a658a41991ffa249af078781d28aa9e2";

struct Fixture {
    dir: tempfile::TempDir,
    registry: Registry,
}

fn path(text: &str) -> RegistryPath {
    text.parse().unwrap()
}

fn id(text: &str) -> AssetId {
    format!("{DIGEST}/{text}").parse().unwrap()
}

fn key(key: &str, kind: SeekType, value: &str) -> SeekEntry {
    SeekEntry { key: key.parse().unwrap(), kind, value: value.to_owned() }
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("g/genome_config.yaml");
        let registry =
            Registry::create(&config, None, &["http://refgenomes.example.org".to_owned()]).unwrap();
        Fixture { dir, registry }
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let place = self.dir.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, text).unwrap();
        place
    }

    fn genome(&self) -> NewGenome {
        let fasta = self.write("t.fa", ">chr1\nACGTACGTAA\nACG\n>chr2 desc\nTTTT\n");
        NewGenome {
            genome: Genome::of_fasta(&fasta).unwrap(),
            aliases: vec!["tiny".parse().unwrap()],
            description: None,
        }
    }

    fn asset(&self, name: &str, tag: &str, file: &str) -> Registration {
        let tree = self.dir.path().join(format!("made/{name}-{tag}"));
        self.write(&format!("made/{name}-{tag}/{DIGEST}.{file}"), &format!("{name} {tag}\n"));
        Registration {
            id: id(&format!("{name}:{tag}")),
            tree,
            class: Some(name.parse().unwrap()),
            description: Some("an asset".to_owned()),
            tag_description: None,
            seek_keys: vec![key(name, SeekType::File, &format!("{DIGEST}.{file}"))],
            parents: Vec::new(),
            custom_properties: vec![("version".to_owned(), "1.0".to_owned())],
            build: None,
            excluded: Excluded::default(),
            built: UNIX_EPOCH + Duration::from_secs(1_795_217_280),
            existing: Existing::Refuse,
            genome: Some(self.genome()),
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.registry.config()).unwrap()
    }

    fn folder(&self) -> &Path {
        self.registry.genome_folder()
    }
}

fn seek(catalog: &Catalog, text: &str) -> SeekValue {
    let path = path(text);
    let found = catalog.find(&path).unwrap();
    found.seek_there(path.seek_key.as_ref()).unwrap()
}

#[test]
fn a_registered_asset_is_found_by_alias_and_digest() {
    let fixture = Fixture::new();
    let mut asset = fixture.asset("fasta", "1.2.3-a", "fa");
    asset.seek_keys.push(key("cores", SeekType::Number, "4"));
    asset.build = Some(BuildRecord::default());
    let registered = fixture.registry.register(&asset).unwrap();
    let catalog = fixture.registry.read().unwrap();
    let links = fixture.folder().join("alias/tiny/fasta/1.2.3-a");
    for named in ["tiny/fasta", "tiny/fasta:1.2.3-a", &format!("{DIGEST}/fasta.fasta")] {
        assert_eq!(seek(&catalog, named), SeekValue::Path(links.join("tiny.fa")), "{named}");
    }
    assert_eq!(seek(&catalog, "tiny/fasta.dir"), SeekValue::Path(links.clone()));
    assert_eq!(seek(&catalog, "tiny/fasta.cores"), SeekValue::Value(json!(4)));
    assert_eq!(fs::read_to_string(links.join("tiny.fa")).unwrap(), "fasta 1.2.3-a\n");
    assert!(links.join("_refgenie_build/tiny_fasta__1.2.3-a.flag").is_file());
    let found = catalog.find(&path("tiny/fasta")).unwrap();
    assert_eq!(found.digest().unwrap(), registered.digest);
    assert_eq!(found.data_dir(), registered.dir);
    assert_eq!(found.entry.date_built.as_deref(), Some("2026-11-20_23:28"));
    assert!(fixture.text().contains("cores: \"4\"\n"), "{}", fixture.text());
    assert!(fixture.text().contains("version: \"1.0\"\n"), "{}", fixture.text());
    let sequences = catalog.sequences(found.genome).unwrap().unwrap();
    assert_eq!(sequences.len(), 2);
    let left: Vec<_> = fs::read_dir(fixture.folder().join(".wake/staging")).unwrap().collect();
    assert!(left.is_empty());
}

#[test]
fn an_invalid_asset_leaves_the_registry_unchanged() {
    let fixture = Fixture::new();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    let before = fixture.text();
    let refused = |change: &dyn Fn(&mut Registration)| {
        let mut asset = fixture.asset("report", "b", "txt");
        change(&mut asset);
        let error = fixture.registry.register(&asset).unwrap_err();
        assert_eq!(fixture.text(), before, "{error}");
        assert!(!fixture.folder().join(format!("data/{DIGEST}/report")).exists());
        error.to_string()
    };
    let one = |kind, value: &'static str| {
        move |asset: &mut Registration| asset.seek_keys = vec![key("k", kind, value)]
    };
    assert!(refused(&one(SeekType::File, "none")).contains("file `none` does not exist"));
    assert!(refused(&one(SeekType::Directory, "none")).contains("directory `none` does not exist"));
    assert!(refused(&one(SeekType::Prefix, "none")).contains("no file path starts with"));
    assert!(refused(&one(SeekType::Number, "four")).contains("`four` is not a number"));
    assert!(refused(&one(SeekType::File, "../x")).contains("points outside"));
    assert!(refused(&one(SeekType::File, "/etc/passwd")).contains("points outside"));
    assert!(
        refused(&|asset| asset.id.tag = "1.0".parse().unwrap())
            .contains("would read it as a number")
    );
    assert!(refused(&|asset| asset.seek_keys.push(asset.seek_keys[0].clone())).contains("twice"));
    assert!(
        refused(&|asset| asset.id = "abcd/report:b".parse().unwrap()).contains("no genome `abcd`")
    );
    assert!(
        refused(&|asset| {
            asset.id = id("fasta:b");
            asset.class = Some("other".parse().unwrap());
        })
        .contains("has class `fasta`")
    );
    assert!(
        refused(&|asset| {
            asset.id = id("fasta:a");
            asset.class = None;
        })
        .contains("already exists")
    );
    fs::create_dir_all(fixture.folder().join(format!("data/{DIGEST}/left/b"))).unwrap();
    assert!(refused(&|asset| asset.id = id("left:b")).contains("exists but is not registered"));
}

#[test]
fn an_existing_asset_is_replaced_on_request() {
    let fixture = Fixture::new();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    let mut child = fixture.asset("report", "b", "txt");
    child.parents = vec![id("fasta:a")];
    fixture.registry.register(&child).unwrap();
    let mut again = fixture.asset("fasta", "a", "fasta");
    fixture.write(&format!("made/fasta-a/{DIGEST}.fa"), "other\n");
    again.existing = Existing::Replace;
    fixture.registry.register(&again).unwrap();
    let catalog = fixture.registry.read().unwrap();
    let found = catalog.find(&path("tiny/fasta")).unwrap();
    assert_eq!(found.entry.children[0].id, Some(id("report:b")));
    let links = fixture.folder().join("alias/tiny/fasta/a");
    assert_eq!(fs::read_to_string(links.join("tiny.fa")).unwrap(), "other\n");
    assert!(links.join("tiny.fasta").is_file());
}

#[test]
fn unknown_keys_are_preserved() {
    let fixture = Fixture::new();
    let text =
        fixture.text().replace("genomes: {}", "mine: {a: [1, \"1\", yes], b: 0x10}\ngenomes: {}");
    fs::write(fixture.registry.config(), format!("# ours\n\n{text}")).unwrap();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    let text = fixture.text();
    assert!(text.starts_with("# ours\n\nconfig_version: 0.5\n"), "{text}");
    assert!(text.contains("mine:\n  a:\n    - 1\n    - \"1\"\n    - yes\n  b: 0x10\n"), "{text}");
}

#[test]
fn an_asset_can_be_retagged_and_removed() {
    let fixture = Fixture::new();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    let mut child = fixture.asset("report", "b", "txt");
    child.parents = vec![id("fasta:a")];
    fixture.registry.register(&child).unwrap();
    fixture.registry.retag(&id("fasta:a"), &"v2".parse().unwrap(), Existing::Refuse).unwrap();
    let catalog = fixture.registry.read().unwrap();
    assert!(
        matches!(seek(&catalog, "tiny/fasta"), SeekValue::Path(path) if path.ends_with("alias/tiny/fasta/v2/tiny.fa"))
    );
    assert!(!fixture.folder().join("alias/tiny/fasta/a").exists());
    let found = catalog.find(&path("tiny/report")).unwrap();
    assert_eq!(found.entry.parents[0].id, Some(id("fasta:v2")));
    let error = fixture.registry.remove(&id("fasta:v2"), Relatives::Keep).unwrap_err();
    assert!(error.to_string().starts_with("`tiny/fasta:v2` is a parent of "), "{error}");
    fixture.registry.remove(&id("report:b"), Relatives::Keep).unwrap();
    assert!(!fixture.text().contains("report"));
    fixture.registry.remove(&id("fasta:v2"), Relatives::Keep).unwrap();
    let catalog = fixture.registry.read().unwrap();
    assert!(catalog.genomes()[0].assets.is_empty());
    assert!(!fixture.folder().join(format!("data/{DIGEST}/fasta/v2")).exists());
}

#[test]
fn a_genome_is_found_by_each_of_its_aliases() {
    let fixture = Fixture::new();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    let name = |text: &str| text.parse::<GenomeName>().unwrap();
    fixture.registry.add_alias(&name("tiny"), &name("GRCh.1"), AliasOwner::Nobody).unwrap();
    let catalog = fixture.registry.read().unwrap();
    let SeekValue::Path(file) = seek(&catalog, "GRCh.1/fasta") else { panic!() };
    assert!(file.ends_with("alias/GRCh.1/fasta/a/GRCh.1.fa") && file.is_file());
    let other = NewGenome {
        genome: Genome::of_fasta(&fixture.write("o.fa", ">a\nA\n")).unwrap(),
        aliases: vec![name("GRCh.1")],
        description: None,
    };
    let error = fixture.registry.add_genome(&other).unwrap_err();
    assert_eq!(error.to_string(), format!("`GRCh.1` already names genome {DIGEST}"));
    fixture.registry.add_genome(&NewGenome { aliases: vec![name("o")], ..other }).unwrap();
    assert!(fixture.registry.add_alias(&name("o"), &name("GRCh.1"), AliasOwner::Nobody).is_err());
    fixture.registry.add_alias(&name("o"), &name("GRCh.1"), AliasOwner::Anybody).unwrap();
    let catalog = fixture.registry.read().unwrap();
    assert_ne!(catalog.genome(&name("GRCh.1")).unwrap().digest.as_str(), DIGEST);
    assert!(!fixture.folder().join("alias/GRCh.1/fasta").exists());
    fixture.registry.remove_alias(&name("tiny")).unwrap();
    let catalog = fixture.registry.read().unwrap();
    assert!(catalog.genome(&name("tiny")).is_err());
    assert!(!fixture.folder().join("alias/tiny").exists());
    let SeekValue::Path(file) = seek(&catalog, &format!("{DIGEST}/fasta")) else { panic!() };
    assert!(file.ends_with(format!("data/{DIGEST}/fasta/a/{DIGEST}.fa")));
}

#[test]
fn a_missing_name_is_reported_with_a_suggestion() {
    let fixture = Fixture::new();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    let catalog = fixture.registry.read().unwrap();
    let said = |text: &str| {
        let path = path(text);
        let error =
            catalog.find(&path).and_then(|found| found.seek(path.seek_key.as_ref())).unwrap_err();
        format!("{error}; {}", error.hint().unwrap_or_default())
    };
    assert_eq!(said("tinny/fasta"), "no genome `tinny` in the registry; did you mean `tiny`?");
    assert_eq!(said("tiny/fata"), "genome `tiny` has no asset `fata`; did you mean `fasta`?");
    assert_eq!(said("tiny/bwa_index"), "genome `tiny` has no asset `bwa_index`; it has `fasta`");
    assert_eq!(said("tiny/fasta:zz"), "asset `tiny/fasta` has no tag `zz`; it has `a`");
    assert_eq!(
        said("tiny/fasta.fsta"),
        "`tiny/fasta:a` has no seek key `fsta`; did you mean `fasta`?"
    );
    assert_eq!(said("fasta"), "`fasta` does not name a genome; write `GENOME/fasta`");
}

#[test]
fn an_interrupted_change_is_completed() {
    let fixture = Fixture::new();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    let old = fixture.text();
    let data = fixture.folder().join(format!("data/{DIGEST}/fasta"));
    let new = old.replace(" a:\n", " b:\n").replace("default_tag: a", "default_tag: b");
    let draft = fixture.registry.config().with_file_name(".genome_config.yaml.new");
    let steps = [
        json!({"move": {"from": format!("data/{DIGEST}/fasta/a"), "to": format!("data/{DIGEST}/fasta/b")}}),
        json!("config"),
    ];
    let journal = json!({"wake": 1, "steps": steps}).to_string();
    // Interrupted before its first step, and between the two.
    for step in 0..2 {
        fs::write(&draft, &new).unwrap();
        fs::write(fixture.folder().join(".wake/journal"), &journal).unwrap();
        if step == 1 {
            fs::rename(data.join("a"), data.join("b")).unwrap();
        }
        let catalog = fixture.registry.read().unwrap();
        assert!(catalog.get(&id("fasta:b")).is_some() && data.join("b").is_dir());
        assert!(!fixture.folder().join(".wake/journal").exists() && !draft.exists());
        fs::rename(data.join("b"), data.join("a")).unwrap();
        fs::write(fixture.registry.config(), &old).unwrap();
    }
    // A journal with a path outside the registry is rejected.
    let journal = journal.replace("/fasta/b", "/../../../x");
    fs::write(fixture.folder().join(".wake/journal"), journal).unwrap();
    assert!(fixture.registry.read().unwrap_err().to_string().contains("points outside"));
}

#[test]
fn staging_of_a_killed_process_is_removed() {
    let fixture = Fixture::new();
    let left = fixture.folder().join(".wake/staging/sleft");
    fs::create_dir_all(left.join("data")).unwrap();
    fs::write(fixture.registry.config().with_file_name("lock-write-genome_config.yaml"), "wake\n")
        .unwrap();
    fixture.registry.register(&fixture.asset("fasta", "a", "fa")).unwrap();
    assert!(!left.exists());
    assert!(!fixture.registry.config().with_file_name("lock-write-genome_config.yaml").exists());
}

#[test]
fn an_error_in_a_configuration_has_its_place() {
    let fixture = Fixture::new();
    let said = |text: &str| {
        fs::write(fixture.registry.config(), text).unwrap();
        match fixture.registry.read().unwrap_err() {
            AssetError::Document(fault) => {
                format!("{}:{}: {}", fault.place.line, fault.place.column, fault.message)
            }
            other => panic!("{other}"),
        }
    };
    assert_eq!(said("config_version: 0.3\n"), "1:17: unsupported configuration version 0.3");
    assert_eq!(said("a: 1\n"), "1:1: not a registry configuration: `config_version` is missing");
    assert_eq!(
        said("config_version: 0.4\ngenomes: []\n"),
        "2:10: `genomes` is a list: expected a mapping"
    );
    assert_eq!(
        said("config_version: 0.4\ngenomes:\n  ../x:\n    aliases: []\n"),
        "3:3: `../x` is not a valid genome digest: it contains `/`"
    );
    assert_eq!(
        said("config_version: 0.4\ngenomes:\n  d:\n    aliases: [..]\n"),
        "4:15: `..` is not a valid genome name: it names a directory"
    );
    assert_eq!(
        said("config_version: 0.4\ngenomes:\n  d:\n    assets: {a: {tags: {..: {}}}}\n"),
        "4:25: `..` is not a valid tag: it names a directory"
    );
    assert!(said("config_version: [\n").contains("invalid YAML"));
    assert_eq!(
        said("config_version: 0.4\na: 1\na: 2\n"),
        "3:1: `a` appears twice, first on line 2"
    );
}

#[test]
fn registries_of_refgenie_are_read() {
    let fixture = Fixture::new();
    let text = format!(
        "config_version: 0.4\ngenome_servers: http://a\ngenomes:\n  {DIGEST}:\n    aliases:\n    - tiny\n    assets:\n      fasta:\n        asset_class: fasta\n        tags:\n          1.0:\n            asset_path: fasta\n            seek_keys:\n              dir: .\n              fasta: {DIGEST}.fa\n              cores: 4\n              up: ../../x\n"
    );
    fs::write(fixture.registry.config(), text).unwrap();
    let registry = Registry::open(fixture.registry.config(), &|_| None).unwrap();
    let catalog = registry.read().unwrap();
    let found = catalog.find(&path("tiny/fasta")).unwrap();
    assert_eq!(found.id.tag.as_str(), "1.0");
    let links = registry.genome_folder().join("alias/tiny/fasta/1.0");
    assert_eq!(found.seek(None).unwrap(), SeekValue::Path(links.join("tiny.fa")));
    let error = found.seek(Some(&"up".parse().unwrap())).unwrap_err();
    assert!(error.to_string().contains("`../../x` points outside `tiny/fasta:1.0`"), "{error}");
    // Without a class a value is a path, as in refgenie of that generation; with one it has the declared type.
    let key = "cores".parse().unwrap();
    assert_eq!(found.seek(Some(&key)).unwrap(), SeekValue::Path(links.join("4")));
    let class = "name: fasta\nparents: [above]\nseek_keys: {fasta: {value: x, type: file}}\n";
    let above = "name: above\nseek_keys: {cores: {value: \"4\", type: number}}\n";
    for (name, text) in [("fasta", class), ("above", above)] {
        let document = NewDocument {
            kind: DocumentKind::Class,
            name: name.to_owned(),
            text: text.as_bytes().to_vec(),
            version: "0.0.1".to_owned(),
            description: "d".to_owned(),
            source: "self-added".to_owned(),
            output_class: None,
        };
        registry.put_document(&document, Existing::Refuse).unwrap();
        registry.put_document(&document, Existing::Refuse).unwrap();
    }
    let catalog = registry.read().unwrap();
    let found = catalog.find(&path("tiny/fasta")).unwrap();
    assert_eq!(found.seek(Some(&key)).unwrap(), SeekValue::Value(json!(4)));
    // The unquoted number is now quoted.
    assert!(fixture.text().contains("cores: \"4\"\n") && fixture.text().contains("fasta: 4e88"));
    registry.remove_document(DocumentKind::Class, "above").unwrap();
    assert!(registry.read().unwrap().class_file("above").is_none());
}

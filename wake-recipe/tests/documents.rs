//! Documents of every form, and the errors of invalid ones.

#![allow(clippy::unwrap_used)]

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use wake_recipe::class::{Classes, ParentClass};
use wake_recipe::recipe::{Generation, ParamType};
use wake_recipe::template::Values;
use wake_recipe::{AssetClass, Recipe};
use wake_yaml::DocumentError;

const RECIPE: &str = r#"
name: index
version: 0.0.1
output_asset_class: index
description: An index of sequences
inputs:
  files:
    table: { description: A table }
  params:
    threads: { description: How many threads, default: 1, type: integer, minimum: 1 }
    mode: { description: How, choices: [fast, small], default: fast }
  assets:
    sequences:
      asset_class: fasta
      description: The sequences
      default: fasta.fai:v1
container: null
command_template_list:
  - |
    mkdir -p {{asset_outfolder}}/x
    index -t {{params.threads}} {{assets.sequences}} {{asset_outfolder}}/{{genome}}
  - cp {{files.table}} {{asset_outfolder}}/{% if params.mode == "fast" %}f{% else %}s{% endif %}
custom_properties:
  version: index --version
default_tag: "v{{custom_properties.version}}"
checksum_exclude_list: [".*\\.log"]
test:
  genome: abc
  inputs: { table: table.tsv }
  outputs:
    index: { checksum: D41D8CD98F00B204E9800998ECF8427E }
    size: { value: 4 }
"#;

fn values() -> Values {
    let values = json!({
        "genome": "G",
        "asset": "index",
        "asset_outfolder": "/out",
        "tag": "t",
        "params": { "threads": 2, "mode": "fast" },
        "files": { "table": "/in/table.tsv" },
        "assets": { "sequences": "/in/G.fa.fai" },
        "custom_properties": { "version": "9" },
    });
    match values {
        Value::Object(values) => values,
        _ => unreachable!(),
    }
}

fn told(error: DocumentError) -> String {
    let hint = error.hint.as_ref().map_or(String::new(), |hint| format!("\n  help: {hint}"));
    format!("{error}{hint}")
}

#[track_caller]
fn refused(from: &str, to: &str, expected: Expect) {
    assert!(RECIPE.contains(from), "{from}");
    let text = RECIPE.replacen(from, to, 1);
    let told = match Recipe::read("index.yaml", text.as_bytes()) {
        Err(error) => told(error),
        Ok(recipe) => {
            let mut told = String::new();
            for warning in recipe.warnings.clone() {
                told += &format!("warning: {}\n", crate::told(warning));
            }
            let rendered = recipe.commands.iter().map(|command| command.render(&values()));
            rendered.filter_map(Result::err).for_each(|error| told += &crate::told(error));
            told
        }
    };
    expected.assert_eq(&told);
}

#[test]
fn a_recipe_declares_inputs_commands_and_tests() {
    let recipe = Recipe::read("index.yaml", RECIPE.as_bytes()).unwrap();
    assert_eq!((recipe.warnings.len(), recipe.generation), (0, Generation::Current));
    assert_eq!(recipe.container, None);
    let threads = &recipe.inputs.params[0];
    assert_eq!(threads.default, Some(json!(1)));
    assert_eq!(threads.kind, Some(ParamType::Integer(Some(1), None)));
    assert_eq!(threads.parse("3"), Ok(json!(3)));
    for typed in ["0", "x", "1.5", ""] {
        assert!(threads.parse(typed).is_err(), "{typed}");
    }
    assert_eq!(
        recipe.inputs.params[1].parse("slow").unwrap_err(),
        "parameter `mode` must be one of `fast`, `small`, not `slow`"
    );
    let default = recipe.inputs.assets[0].default.as_ref().unwrap();
    assert_eq!(default.path.to_string(), "fasta.fai:v1");
    let commands: Vec<_> =
        recipe.commands.iter().map(|command| command.render(&values()).unwrap()).collect();
    assert_eq!(
        commands,
        ["mkdir -p /out/x\nindex -t 2 /in/G.fa.fai /out/G", "cp /in/table.tsv /out/f"]
    );
    assert_eq!(recipe.default_tag.unwrap().render(&values()).unwrap(), "v9");
    assert_eq!(recipe.test.unwrap().outputs.len(), 2);
}

#[test]
fn an_asset_input_is_also_found_by_its_class_if_unambiguous() {
    let recipe = Recipe::read("index.yaml", RECIPE.as_bytes()).unwrap();
    let called = |name: &str| recipe.inputs.asset(name).map(|input| input.name.to_string());
    assert_eq!(called("sequences").as_deref(), Some("sequences"));
    assert_eq!(called("fasta").as_deref(), Some("sequences"));
    assert_eq!(called("other"), None);
    let two = RECIPE
        .replace("  assets:\n", "  assets:\n    more: { asset_class: fasta, description: More }\n");
    let recipe = Recipe::read("index.yaml", two.as_bytes()).unwrap();
    assert!(recipe.inputs.asset("fasta").is_none());
    assert_eq!(recipe.inputs.asset("more").unwrap().name.as_str(), "more");
}

#[test]
fn null_counts_as_absent() {
    let text = RECIPE.replace("  version: index --version", "  version: echo 1")
        + "\ncommand_templates: null\n";
    // A key of another form counts even if its value is null.
    assert!(Recipe::read("r.yaml", text.as_bytes()).is_err());
    let all_null = "name: a\nversion: '1'\noutput_asset_class: a\ndescription: null\n\
        inputs: {files: null, params: ~, assets: null}\ncontainer: null\n\
        command_template_list: [true]\ncustom_properties: null\ndefault_tag: null\n\
        checksum_exclude_list: null\ntest: null\n";
    let recipe = Recipe::read("r.yaml", all_null.as_bytes()).unwrap();
    assert_eq!((recipe.container.as_ref(), recipe.description.as_str()), (None, "a"));
    let text = recipe.document().text();
    assert!(!text.contains("container"), "{text}");
    // The written document can be read again.
    let again = Recipe::read("again.json", text.as_bytes()).unwrap();
    assert_eq!(again.document(), recipe.document());
}

#[test]
fn null_entries_of_named_mappings_are_absent() {
    let text = RECIPE
        .replace("  version: index --version", "  version: null\n  other: ~\n  third: echo 1")
        .replace("table: { description: A table }", "table: null")
        .replace("index: { checksum: D41D8CD98F00B204E9800998ECF8427E }", "index: null");
    let recipe = Recipe::read("index.yaml", text.as_bytes()).unwrap();
    let names = recipe.custom_properties.iter().map(|property| property.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["third"]);
    assert!(recipe.inputs.files.is_empty());
    assert_eq!(recipe.test.unwrap().outputs.len(), 1);
    let text = BASE.replace("a: {value: '{genome}.a', type: file}", "a: null");
    let class = AssetClass::read("base.yaml", text.as_bytes()).unwrap();
    assert_eq!(class.seek_keys.len(), 1);
}

#[test]
fn errors_use_the_key_names_of_the_form() {
    let text = "name: a\nversion: '1'\noutput_asset_class: a\ncommand_templates: [true]\n\
        input_params: {n: {description: n, default: 1}}\ncustom_seek_keys: [x]\n";
    let error = Recipe::read("a.yaml", text.as_bytes()).unwrap_err();
    let expected = "a.yaml:6:19: `custom_seek_keys` is a list: expected a mapping";
    assert_eq!(error.to_string(), expected);
    let text = text.replace("[x]", "{v: echo 1}").replace("[true]", "yes");
    let error = Recipe::read("a.yaml", text.as_bytes()).unwrap_err();
    let expected = "a.yaml:4:20: `command_templates` is a string: expected a list";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn json_and_computed_values_are_read_alike() {
    let recipe = Recipe::read("index.yaml", RECIPE.as_bytes()).unwrap();
    let text = recipe.document().text();
    let value: Value = serde_json::from_str(&text).unwrap();
    let computed = Recipe::computed("index.jsonnet", &value).unwrap();
    let again: Value = serde_json::from_str(&computed.document().text()).unwrap();
    assert_eq!(again, value);
    let mut wrong = value;
    wrong["inputs"]["files"]["table"] = json!({ "descripton": "x" });
    let error = Recipe::computed("index.jsonnet", &wrong).unwrap_err();
    assert_eq!(error.to_string(), "index.jsonnet: unknown key `descripton` in file `table`");
}

#[test]
fn an_error_in_a_document_has_its_place_and_a_suggestion() {
    refused(
        "command_template_list",
        "command_template_lst",
        expect![[r#"
        index.yaml:18:1: unknown key `command_template_lst` in the recipe
          help: did you mean `command_template_list`?"#]],
    );
    refused(
        "asset_class: fasta",
        "asset_clas: fasta",
        expect![[r#"
        index.yaml:14:7: unknown key `asset_clas` in asset `sequences`
          help: did you mean `asset_class`?"#]],
    );
    refused(
        "  params:",
        "  parms:",
        expect![[r#"
        index.yaml:9:3: unknown key `parms` in `inputs`
          help: did you mean `params`?"#]],
    );
    refused(
        "container: null",
        "author: me",
        expect![[r#"
        warning: index.yaml:17:1: unknown key `author` in the recipe
          help: the recipe has the keys `name`, `version`, `description`, `output_asset_class`, `inputs`, `command_template_list`, `custom_properties`, `default_tag`, `container`, `checksum_exclude_list`, `test`
    "#]],
    );
    refused(
        "container: null",
        "docker_image: x",
        expect![[r#"
        index.yaml:17:1: `docker_image` belongs to the renamed recipe form, but `inputs` belongs to the current form
          help: use the keys of one form"#]],
    );
    refused(
        "version: 0.0.1",
        "version: 0 1",
        expect![[r#"
        index.yaml:3:10: `version` must be one word"#]],
    );
    refused(
        "table: { description: A table }",
        "a/b: { description: A table }",
        expect![[r#"
        index.yaml:8:5: `a/b` is not a valid input name: it contains a space, `/` or `=`"#]],
    );
    refused(
        "default: 1, type: integer",
        "default: one, type: integer",
        expect!["index.yaml:10:56: the default of parameter `threads` is a string"],
    );
    refused(
        "type: integer",
        "type: integr",
        expect![[r#"
        index.yaml:10:65: `integr` is not a parameter type
          help: did you mean `integer`?"#]],
    );
    refused(
        "{ value: 4 }",
        "{ value: 4, md5sum: d41d8cd98f00b204e9800998ecf8427e }",
        expect!["index.yaml:32:5: output `size` of `test` has more than one expectation"],
    );
    refused(
        "D41D8CD98F00B204E9800998ECF8427E",
        "xyz",
        expect![[r#"
        index.yaml:31:24: `xyz` is not an MD5 digest
          help: an MD5 digest has 32 hexadecimal digits"#]],
    );
    refused(
        "fasta.fai:v1",
        "a/b/c",
        expect!["index.yaml:16:16: `a/b/c` is not a valid registry path: it has more than one `/`"],
    );
    refused(
        r#"[".*\\.log"]"#,
        r#"["("]"#,
        expect!["index.yaml:26:25: invalid regular expression `(`: error: unclosed group"],
    );
}

#[test]
fn a_template_error_has_its_line() {
    refused(
        "{{params.threads}}",
        "{{params.thread}}",
        expect![[r#"
        index.yaml:21:16: `params.thread` is not defined
          help: did you mean `params.threads`?"#]],
    );
    refused(
        "{{files.table}}",
        "{{file.table}}",
        expect![[r#"
        index.yaml:22:10: `file` is not defined
          help: did you mean `files`?"#]],
    );
    refused(
        "{{files.table}}",
        "{{files.table",
        expect![[r#"
        index.yaml:22:22: invalid Jinja template: unexpected `{`, expected end of variable block
          help: put literal braces between `{% raw %}` and `{% endraw %}`"#]],
    );
    refused(
        "{{files.table}}",
        "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
        expect![[r#"
        index.yaml:22:5: this template runs too long
          help: the limit is 200000 instructions; loop in the shell instead"#]],
    );
    refused(
        "{{files.table}}",
        "{% for i in range(20000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
        expect!["index.yaml:22:5: this template produces more than 1024 KiB"],
    );
}

#[test]
fn invalid_jinja_of_published_recipes_is_read_with_a_warning() {
    refused(
        "{{files.table}}",
        "{{{files.table}}}",
        expect![[r#"
        warning: index.yaml:22:8: `{{{files.table}}}` is not valid Jinja; it is read as `{{files.table}}`
          help: use two braces
    "#]],
    );
    // Each occurrence is shown at its own place, even if the text around it is the same.
    refused(
        "cp {{files.table}}",
        "cp {{{files.table}}} x; cp {{{files.table}}} x; cp",
        expect![[r#"
        warning: index.yaml:22:8: `{{{files.table}}}` is not valid Jinja; it is read as `{{files.table}}`
          help: use two braces
        warning: index.yaml:22:32: `{{{files.table}}}` is not valid Jinja; it is read as `{{files.table}}`
          help: use two braces
    "#]],
    );
    let text = RECIPE.replace("cp {{files.table}}", "awk '{{ n=int($9); for(;;) {print n;}}}'");
    let recipe = Recipe::read("index.yaml", text.as_bytes()).unwrap();
    assert_eq!(recipe.warnings.len(), 1);
    let command = recipe.commands[1].render(&values()).unwrap();
    assert_eq!(command, "awk '{{ n=int($9); for(;;) {print n;}}}' /out/f");
}

#[test]
fn values_are_formatted_as_in_python() {
    let text = RECIPE.replace("{{files.table}}", "{{params.yes}} {{params.real}} {{params.list}}");
    let recipe = Recipe::read("index.yaml", text.as_bytes()).unwrap();
    let mut values = values();
    values["params"] =
        json!({ "yes": true, "real": 1.0, "list": [1, "a"], "mode": "", "threads": 1 });
    assert_eq!(recipe.commands[1].render(&values).unwrap(), "cp True 1.0 [1, 'a'] /out/s");
}

struct ByName(Vec<AssetClass>);

impl Classes for ByName {
    fn class(&self, _: &AssetClass, parent: &ParentClass) -> Result<AssetClass, DocumentError> {
        let found = self.0.iter().find(|class| class.name.as_str() == parent.name());
        found.cloned().ok_or_else(|| parent.error("there is no such class"))
    }
}

const BASE: &str = "name: base\nversion: '1'\ndescription: Base\nseek_keys:\n\
    \x20 a: {value: '{genome}.a', type: file}\n  b: {value: '{genome}.b', type: prefix}\n";
const CHILD: &str = "name: child\nseek_keys:\n  n: {value: '{params[cores]}', type: number}\n\
    \x20 b: {value: '{asset}.b', type: file}\nparents: [base]\n";

#[test]
fn inherited_seek_keys_come_first_and_can_be_overridden() {
    let base = AssetClass::read("base.yaml", BASE.as_bytes()).unwrap();
    let child = AssetClass::read("child.yaml", CHILD.as_bytes()).unwrap();
    let keys = child.seek_keys(&ByName(vec![base])).unwrap();
    let mut values = values();
    values["params"] = json!({ "cores": 4 });
    let entries = keys.resolve(&values).unwrap();
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| format!("{} {} {}", entry.key, entry.kind, entry.value))
        .collect();
    assert_eq!(entries, ["a file G.a", "b file index.b", "dir directory .", "n number 4"]);
    values["params"] = json!({ "cores": "four" });
    let error = keys.resolve(&values).unwrap_err();
    assert_eq!(error.to_string(), "child.yaml:3:14: seek key `n`: `four` is not a number");
    values["params"] = json!({});
    let error = keys.resolve(&values).unwrap_err();
    assert_eq!(error.to_string(), "child.yaml:3:15: `params.cores` is not defined");
}

#[test]
fn classes_that_inherit_from_each_other_are_refused() {
    let one = AssetClass::read("one.yaml", b"name: one\nseek_keys: {}\nparents: [two]\n").unwrap();
    let two = AssetClass::read("two.yaml", b"name: two\nseek_keys: {}\nparents: [one]\n").unwrap();
    let error = one.seek_keys(&ByName(vec![one.clone(), two])).unwrap_err();
    let expected =
        "two.yaml:3:11: asset classes inherit from each other in a cycle: `one` -> `two` -> `one`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_long_chain_of_classes_is_not_called_a_cycle() {
    let class = |number: usize, parents: &str| {
        let text = format!("name: c{number}\nseek_keys: {{}}\nparents: [{parents}]\n");
        AssetClass::read("c.yaml", text.as_bytes()).unwrap()
    };
    let chain = |length: usize| {
        let parents = (0..length).map(|number| class(number, &format!("c{}", number + 1)));
        ByName(parents.chain([class(length, "")]).collect())
    };
    let (short, long) = (chain(31), chain(32));
    assert!(short.0[0].seek_keys(&short).is_ok());
    let error = long.0[0].seek_keys(&long).unwrap_err();
    let expected = "c.yaml:3:11: more than 32 asset classes inherit from each other";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_seek_key_of_an_unknown_type_is_refused() {
    let text = BASE.replace("type: prefix", "type: prefx");
    let error = AssetClass::read("base.yaml", text.as_bytes()).unwrap_err();
    assert_eq!(
        told(error),
        "base.yaml:6:34: `prefx` is not a seek key type\n  help: did you mean `prefix`?"
    );
    // Older documents have bare values.
    let old =
        AssetClass::read("old.yaml", b"name: old\nseek_keys: {fasta: '{genome}.fa'}\n").unwrap();
    assert_eq!(old.seek_keys[0].kind.to_string(), "file");
}

#[test]
fn the_older_form_declares_its_own_seek_keys() {
    let text = r#"{
	"name": "child", "description": "A child",
	"assets": { "child": "{genome}_child.fa.gz" },
	"required_assets": [{ "key": "fasta", "default": "fasta", "description": "sequences" }],
	"required_parameters": [{ "key": "n", "default": "3", "description": "number" }],
	"required_files": [],
	"container": "databio/refgenie",
	"command_list": ["awk '{{print {n}}}' {fasta} > {asset_outfolder}/{genome}_child.fa.gz"]
}"#;
    let recipe = Recipe::read("child.json", text.as_bytes()).unwrap();
    assert_eq!((recipe.generation, recipe.class_name()), (Generation::Older, "child"));
    let mut values = values();
    values.insert("n".to_owned(), json!("3"));
    values.insert("fasta".to_owned(), json!("/in/x.fa"));
    let command = recipe.commands[0].render(&values).unwrap();
    assert_eq!(command, "awk '{print 3}' /in/x.fa > /out/G_child.fa.gz");
    let wrong = text.replace("{fasta}", "{fast}");
    let recipe = Recipe::read("child.json", wrong.as_bytes()).unwrap();
    let error = recipe.commands[0].render(&values).unwrap_err();
    assert_eq!(
        told(error),
        "child.json:8:40: `fast` is not defined\n  help: did you mean `fasta`?"
    );
}

#[test]
fn published_documents_are_read() {
    let Some(dir) = wake_tests::fixtures("published_documents_are_read", "refgenie") else {
        return;
    };
    let files = |below: &str| {
        let mut files: Vec<_> = std::fs::read_dir(dir.join(below))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let mut warned = Vec::new();
    let (mut recipes, mut classes) = (0, 0);
    for path in ["recipes", "legacy_json", "registry_v1", "golden_run/defs"].map(files).concat() {
        let (file, bytes) = (path.display().to_string(), std::fs::read(&path).unwrap());
        if file.contains("_schema") {
            continue;
        }
        if file.contains("asset_class") {
            AssetClass::read(&file, &bytes).unwrap();
            classes += 1;
            continue;
        }
        let recipe = Recipe::read(&file, &bytes).unwrap();
        recipes += 1;
        let again = Recipe::read("again.json", recipe.document().text().as_bytes());
        if recipe.generation == Generation::Current {
            assert_eq!(again.unwrap().document(), recipe.document());
        }
        warned.extend((!recipe.warnings.is_empty()).then(|| recipe.name.to_string()));
    }
    for path in files("asset_classes") {
        AssetClass::read("class.yaml", &std::fs::read(&path).unwrap()).unwrap();
        classes += 1;
    }
    assert_eq!((recipes, classes), (12 + 2 + 4 + 2, 28 + 4 + 2));
    assert_eq!(warned, ["ensembl_gtf", "refgene_anno"]);
}

#[test]
fn duplicate_inputs_and_missing_commands_are_shown_at_their_place() {
    let text = r#"{
	"name": "child", "assets": { "child": "x" },
	"required_files": [{ "key": "a" }, { "key": "b" },
		{ "key": "a" }],
	"command_list": ["true"]
}"#;
    let error = Recipe::read("child.json", text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "child.json:4:12: duplicate file input `a`");
    let text = text.replace("[\"true\"]", "[]").replace("\t\t{ \"key\": \"a\" }", "");
    let error = Recipe::read("child.json", text.as_bytes()).unwrap_err();
    assert_eq!(
        told(error),
        "child.json:5:18: the recipe has no commands\n  help: add the commands that make the asset"
    );
}

//! Writes a recipe as JSON with ordered keys, for the build record.

use serde_json::Value;
use wake_asset::Json;

use super::{Expectation, OutputClass, Recipe, RecipeTest};

fn plain(value: impl Into<Value>) -> Json {
    Json::Value(value.into())
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl Recipe {
    /// Converts the recipe to the form with `inputs` and `command_template_list`, whatever its own form; names in its commands
    /// are not converted. Absent keys are left out, since refgenie cannot read its own nulls.
    pub fn document(&self) -> Json {
        let mut entries = vec![
            ("name", plain(self.name.as_str())),
            ("version", plain(self.version.as_str())),
            ("output_asset_class", plain(self.class_name())),
            ("description", plain(self.description.as_str())),
            ("inputs", self.inputs_document()),
        ];
        if let Some(container) = &self.container {
            entries.push(("container", plain(container.as_str())));
        }
        let commands = self.commands.iter().map(|command| plain(command.source())).collect();
        entries.push(("command_template_list", Json::List(commands)));
        let properties = self.custom_properties.iter();
        let properties: Vec<_> = properties
            .map(|property| (property.name.to_string(), plain(property.command.as_str())))
            .collect();
        entries.push(("custom_properties", some(Json::Object(properties))));
        if let Some(tag) = &self.default_tag {
            entries.push(("default_tag", plain(tag.source())));
        }
        if !self.checksum_exclude.is_empty() {
            let excluded = self.checksum_exclude.iter().map(|one| plain(one.as_str())).collect();
            entries.push(("checksum_exclude_list", Json::List(excluded)));
        }
        entries.push(("test", self.test.as_ref().map_or(plain(Value::Null), test_document)));
        let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
        Json::Object(entries.collect())
    }

    /// Returns the name of its output class.
    pub fn class_name(&self) -> &str {
        match &self.output_class {
            OutputClass::Named(class) => class.as_str(),
            OutputClass::Own(class) => class.name.as_str(),
        }
    }

    fn inputs_document(&self) -> Json {
        let described =
            |description: &String| ("description".to_owned(), plain(description.as_str()));
        let files = self.inputs.files.iter().map(|input| {
            (input.name.to_string(), Json::Object(vec![described(&input.description)]))
        });
        let params = self.inputs.params.iter().map(|input| {
            let mut entries = vec![described(&input.description)];
            entries.extend(input.default.clone().map(|value| ("default".to_owned(), plain(value))));
            (input.name.to_string(), Json::Object(entries))
        });
        let assets = self.inputs.assets.iter().map(|input| {
            let class = ("asset_class".to_owned(), plain(input.class.as_str()));
            let mut entries = vec![class, described(&input.description)];
            let default = input.default.as_ref().map(|default| default.path.to_string());
            entries.extend(default.map(|path| ("default".to_owned(), plain(path))));
            (input.name.to_string(), Json::Object(entries))
        });
        object([
            ("files", some(Json::Object(files.collect()))),
            ("params", some(Json::Object(params.collect()))),
            ("assets", some(Json::Object(assets.collect()))),
        ])
    }
}

/// Replaces an empty object with null.
fn some(document: Json) -> Json {
    match document {
        Json::Object(entries) if entries.is_empty() => plain(Value::Null),
        document => document,
    }
}

fn test_document(test: &RecipeTest) -> Json {
    let mut entries = Vec::new();
    if let Some(genome) = &test.genome {
        entries.push(("genome".to_owned(), plain(genome.as_str())));
    }
    let files =
        test.files.iter().map(|file| (file.name.to_string(), plain(file.location.as_str())));
    let files = object([("files", Json::Object(files.collect()))]);
    entries.push(("inputs".to_owned(), files));
    let outputs = test.outputs.iter().map(|output| {
        let expected = match &output.expectation {
            Expectation::Md5(sum) => ("md5sum", plain(sum.as_str())),
            Expectation::Value(value) => ("value", plain(value.clone())),
        };
        (output.key.to_string(), object([expected]))
    });
    entries.push(("outputs".to_owned(), Json::Object(outputs.collect())));
    Json::Object(entries)
}

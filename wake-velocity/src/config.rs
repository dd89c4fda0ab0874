//! Settings for all images: `config.yaml`, and additions on the command line.

use wake_yaml::{DocumentError, Fields, Node, Place, Warning, Yaml, list, list_or_one, text};

use crate::VELOCITY;
use crate::catalog::{Addition, Variable, Written};
use crate::spec::Condition;

/// A configuration; absent settings are `None`.
#[derive(Debug, Default)]
pub struct Config {
    /// The system of the setting.
    pub system: Option<String>,
    /// The backend of the setting.
    pub backend: Option<String>,
    /// The distribution of the setting.
    pub distro: Option<String>,
    /// The image directories, separated by `:`.
    pub image_path: Option<String>,
    /// The build directory.
    pub build_dir: Option<String>,
    /// The CPU limit of builds on a cluster.
    pub cpu_limit: Option<String>,
    /// Their memory limit.
    pub memory_limit: Option<String>,
    /// Additions to images for which a condition holds.
    pub additions: Vec<(Condition, Addition)>,
    /// Likely mistakes.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Parses a configuration; `file` is for messages.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut yaml = Yaml::parse(file, bytes, VELOCITY)?;
        let root = yaml.root.clone();
        let mut config = Self::default();
        let mut fields = Fields::of(&yaml, &root, "the configuration")?;
        if let Some(node) = fields.take("velocity") {
            config.velocity(&mut yaml, node)?;
        }
        if let Some(node) = fields.take("constraints") {
            config.constraints(&mut yaml, node)?;
        }
        if let Some(node) = fields.take("openshift") {
            let mut fields = Fields::of(&yaml, node, "`openshift`")?;
            config.cpu_limit = limit(&mut yaml, &mut fields, "cpu")?;
            config.memory_limit = limit(&mut yaml, &mut fields, "memory")?;
            fields.finish_tolerant(&yaml)?;
        }
        fields.finish_tolerant(&yaml)?;
        config.warnings = yaml.warnings;
        Ok(config)
    }

    fn velocity(&mut self, yaml: &mut Yaml, node: &Node) -> Result<(), DocumentError> {
        let mut fields = Fields::of(yaml, node, "`velocity`")?;
        self.system = optional(yaml, &mut fields, "system")?;
        self.backend = optional(yaml, &mut fields, "backend")?;
        self.distro = optional(yaml, &mut fields, "distro")?;
        self.image_path = optional(yaml, &mut fields, "image_path")?;
        self.build_dir = optional(yaml, &mut fields, "build_dir")?;
        // Logging is configured elsewhere.
        fields.take("logging");
        fields.take("config_dir");
        fields.finish_tolerant(yaml)
    }

    fn constraints(&mut self, yaml: &mut Yaml, node: &Node) -> Result<(), DocumentError> {
        let mut fields = Fields::of(yaml, node, "`constraints`")?;
        if let Some(node) = fields.take("arguments") {
            for node in list(yaml, node, "`arguments`")? {
                let mut fields = Fields::of(yaml, node, "an item of `arguments`")?;
                let value = fields.need(yaml, "value")?;
                let values = list_or_one(yaml, value, "`value`")?;
                let when = condition(yaml, &mut fields)?;
                fields.finish(yaml)?;
                for (text, mark) in values {
                    let argument = Written { text, at: yaml.source.place(mark) };
                    self.additions.push((when.clone(), Addition::Argument(argument)));
                }
            }
        }
        if let Some(node) = fields.take("variables") {
            for node in list(yaml, node, "`variables`")? {
                let mut fields = Fields::of(yaml, node, "an item of `variables`")?;
                let name = fields.need(yaml, "name")?;
                let name = text(yaml, name, "`name`")?;
                let value = fields.need(yaml, "value")?;
                let at = yaml.source.place(value.at);
                let value = Written { text: text(yaml, value, "`value`")?, at };
                let when = condition(yaml, &mut fields)?;
                fields.finish(yaml)?;
                self.additions.push((when, Addition::Variable(Variable { name, value })));
            }
        }
        fields.finish_tolerant(yaml)
    }
}

fn optional(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Option<String>, DocumentError> {
    fields.take(key).map(|node| text(yaml, node, &format!("`{key}`"))).transpose()
}

/// `cpu: {limit: 1000m}`
fn limit(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Option<String>, DocumentError> {
    let Some(node) = fields.take(key) else { return Ok(None) };
    let mut fields = Fields::of(yaml, node, &format!("`{key}`"))?;
    let limit = optional(yaml, &mut fields, "limit")?;
    fields.finish(yaml)?;
    Ok(limit)
}

fn condition(yaml: &mut Yaml, fields: &mut Fields<'_>) -> Result<Condition, DocumentError> {
    let Some(node) = fields.take("when") else { return Ok(Condition::default()) };
    let written = text(yaml, node, "`when`")?;
    Condition::parse(&written).map_err(|part| {
        let error = yaml.source.error(node.at, format!("`{part}` has no version"));
        error.with_hint("write `NAME@LOW:`, `NAME@:HIGH` or `NAME@LOW:HIGH`")
    })
}

/// What is added on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// `value: …; when: …`
    Argument,
    /// `name: …; value: …; when: …`
    Variable,
}

/// Parses an addition such as `name: prefix; value: /opt`; the error says what is wrong.
pub fn added(kind: Added, written: &str) -> Result<(Condition, Addition), String> {
    let (mut name, mut value, mut when) = (None, None, None);
    for part in written.split(';').filter(|part| !part.trim().is_empty()) {
        let (key, text) =
            part.split_once(':').ok_or_else(|| format!("`{}` has no `:`", part.trim()))?;
        let (key, text) = (key.trim(), text.trim().to_owned());
        let place = match key {
            "name" if kind == Added::Variable => &mut name,
            "value" => &mut value,
            "when" => &mut when,
            _ => return Err(format!("unknown key `{key}`")),
        };
        if place.replace(text).is_some() {
            return Err(format!("`{key}` appears twice"));
        }
    }
    let when = Condition::parse(&when.unwrap_or_default())
        .map_err(|part| format!("`{part}` has no version"))?;
    let value = Written {
        text: value.ok_or_else(|| "it has no `value`".to_owned())?,
        at: Place::whole("the command line"),
    };
    let addition = match kind {
        Added::Argument => Addition::Argument(value),
        Added::Variable => {
            let name = name.ok_or_else(|| "it has no `name`".to_owned())?;
            Addition::Variable(Variable { name, value })
        }
    };
    Ok((when, addition))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read() {
        let text = "velocity:
  system: frontier
  image_path: /a:/b
  logging: {level: DEBUG}
openshift:
  cpu: {limit: 2000m}
constraints:
  arguments:
    - value: [--a, --b]
      when: backend=podman
  variables:
    - {name: x, value: 'a=b'}
";
        let config = Config::parse("config.yaml", text.as_bytes()).unwrap();
        assert_eq!(config.system.as_deref(), Some("frontier"));
        assert_eq!(config.image_path.as_deref(), Some("/a:/b"));
        assert_eq!(config.cpu_limit.as_deref(), Some("2000m"));
        assert_eq!((config.distro, config.additions.len()), (None, 3));
    }

    #[test]
    fn a_mistyped_key_is_named() {
        let error = Config::parse("c", b"velocity: {sytem: x}").unwrap_err();
        assert_eq!(error.to_string(), "c:1:12: unknown key `sytem` in `velocity`");
        assert_eq!(error.hint.as_deref(), Some("did you mean `system`?"));
    }

    #[test]
    fn additions_on_the_command_line_are_parsed() {
        let (when, addition) =
            added(Added::Variable, "name: x; value: a b: c; when: backend=podman").unwrap();
        assert_eq!(when.parts.len(), 1);
        let Addition::Variable(variable) = addition else { panic!() };
        assert_eq!((variable.name.as_str(), variable.value.text.as_str()), ("x", "a b: c"));
        for (written, wrong) in [
            ("value", "`value` has no `:`"),
            ("value: 1; nme: x", "unknown key `nme`"),
            ("value: 1; value: 2", "`value` appears twice"),
            ("name: x", "it has no `value`"),
            ("value: 1", "it has no `name`"),
            ("name: x; value: 1; when: a@:", "`a@:` has no version"),
        ] {
            assert_eq!(added(Added::Variable, written).unwrap_err(), wrong);
        }
    }
}

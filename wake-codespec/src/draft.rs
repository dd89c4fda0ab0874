//! A codespec as written: checked for its form only, with anything possibly missing.

use wake_yaml::{DocumentError, Fields, Node, Value, Yaml, mismatch};

use crate::quantity::Quantity;
use crate::said::Said;
use crate::scalar::{number, quantity, text, texts};

/// The entries of a mapping, in order.
pub(crate) type Pairs<T> = Vec<(Said<String>, Said<T>)>;

/// A codespec as written. Empty values count as absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) kind: Option<Said<String>>,
    pub(crate) name: Option<Said<String>>,
    pub(crate) version: Option<Said<u64>>,
    pub(crate) created_at: Option<Said<String>>,
    pub(crate) image: Option<Said<String>>,
    pub(crate) command: Vec<Said<String>>,
    pub(crate) args: Vec<Said<String>>,
    pub(crate) working_dir: Option<Said<String>>,
    pub(crate) env: Pairs<String>,
    pub(crate) identity: Option<Said<String>>,
    pub(crate) resources: DraftResources,
    pub(crate) max_replicas: Option<Said<u64>>,
    pub(crate) inputs: Vec<Said<String>>,
    pub(crate) outputs: Vec<Said<String>>,
    pub(crate) sockets: Vec<Said<DraftSocket>>,
    pub(crate) endpoints: Pairs<u64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct DraftResources {
    pub(crate) cpu_request: Option<Said<Quantity>>,
    pub(crate) memory_request: Option<Said<Quantity>>,
    pub(crate) cpu_limit: Option<Said<Quantity>>,
    pub(crate) memory_limit: Option<Said<Quantity>>,
    pub(crate) gpu: Option<Said<Quantity>>,
    pub(crate) shm: Option<Said<Quantity>>,
}

#[derive(Clone, Debug)]
pub(crate) struct DraftSocket {
    pub(crate) port: Said<u64>,
    pub(crate) input: Option<Said<String>>,
    pub(crate) output: Option<Said<String>>,
}

/// Reads the mapping of a codespec; `path` is its path in the document, such as `job.codespec.`, or empty at the top.
pub(crate) fn read(yaml: &Yaml, node: &Node, path: &str) -> Result<Draft, DocumentError> {
    let what = |key: &str| format!("`{path}{key}`");
    let mut fields = Fields::of(yaml, node, &of(path, "the codespec"))?;
    let string = |node: &std::sync::Arc<Node>, key: &str| text(yaml, node, &what(key));
    let mut draft = Draft {
        kind: fields.take("kind").map(|node| string(node, "kind")).transpose()?,
        name: said(fields.take("name").map(|node| string(node, "name")).transpose()?),
        version: fields
            .take("version")
            .map(|node| number(yaml, node, &what("version")))
            .transpose()?,
        created_at: fields.take("createdAt").map(|node| string(node, "createdAt")).transpose()?,
        image: said(fields.take("image").map(|node| string(node, "image")).transpose()?),
        command: list(yaml, fields.take("command"), &what("command"))?,
        args: list(yaml, fields.take("args"), &what("args"))?,
        working_dir: said(
            fields.take("workingDir").map(|node| string(node, "workingDir")).transpose()?,
        ),
        identity: said(fields.take("identity").map(|node| string(node, "identity")).transpose()?),
        max_replicas: fields
            .take("maxReplicas")
            .map(|node| number(yaml, node, &what("maxReplicas")))
            .transpose()?,
        ..Draft::default()
    };
    // Filled in when a codespec is shown.
    let _ = fields.take("contentId");
    if let Some(node) = fields.take("env") {
        draft.env = variables(yaml, node, &format!("{path}env"))?;
    }
    if let Some(node) = fields.take("resources") {
        draft.resources = resources(yaml, node, &format!("{path}resources"))?;
    }
    if let Some(node) = fields.take("buffers") {
        let mut buffers = Fields::of(yaml, node, &what("buffers"))?;
        draft.inputs = list(yaml, buffers.take("inputs"), &what("buffers.inputs"))?;
        draft.outputs = list(yaml, buffers.take("outputs"), &what("buffers.outputs"))?;
        buffers.finish(yaml)?;
    }
    if let Some(node) = fields.take("sockets") {
        draft.sockets = sockets(yaml, node, &format!("{path}sockets"))?;
    }
    if let Some(node) = fields.take("endpoints") {
        draft.endpoints = endpoints(yaml, node, &format!("{path}endpoints"))?;
    }
    fields.finish(yaml)?;
    Ok(draft)
}

/// The name of a mapping in messages.
pub(crate) fn of(path: &str, top: &str) -> String {
    match path.strip_suffix('.') {
        Some(path) => format!("`{path}`"),
        None => top.to_owned(),
    }
}

/// Treats an empty text as absent.
fn said(text: Option<Said<String>>) -> Option<Said<String>> {
    text.filter(|text| !text.value.is_empty())
}

fn list(
    yaml: &Yaml,
    node: Option<&std::sync::Arc<Node>>,
    what: &str,
) -> Result<Vec<Said<String>>, DocumentError> {
    node.map_or(Ok(Vec::new()), |node| texts(yaml, node, what))
}

/// Reads variables from a mapping, or from a list of `{name, value}`, which keeps their order in Jsonnet.
fn variables(yaml: &Yaml, node: &Node, path: &str) -> Result<Pairs<String>, DocumentError> {
    let mut all: Pairs<String> = Vec::new();
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let value = text(yaml, &entry.value, &format!("`{path}.{}`", entry.key))?;
                all.push((Said::at(entry.at, entry.key.clone()), value));
            }
        }
        Value::List(items) => {
            for (number, item) in items.iter().enumerate() {
                let what = format!("`{path}[{number}]`");
                let mut fields = Fields::of(yaml, item, &what)?;
                let name = fields.need(yaml, "name")?;
                let name = text(yaml, name, &format!("`{path}[{number}].name`"))?;
                let value = fields.need(yaml, "value")?;
                let value = text(yaml, value, &format!("`{path}[{number}].value`"))?;
                fields.finish(yaml)?;
                if all.iter().any(|(known, _)| known.value == name.value) {
                    let message = format!("`{}` is listed twice in `{path}`", name.value);
                    let error = yaml.source.error(item.at, message);
                    return Err(error.with_hint("remove one of them"));
                }
                all.push((name, value));
            }
        }
        _ => return Err(mismatch(yaml, node, &format!("`{path}`"), "a mapping")),
    }
    Ok(all)
}

fn resources(yaml: &Yaml, node: &Node, path: &str) -> Result<DraftResources, DocumentError> {
    let mut fields = Fields::of(yaml, node, &format!("`{path}`"))?;
    let amount = |node: Option<&std::sync::Arc<Node>>, key: &str| {
        node.map(|node| quantity(yaml, node, &format!("`{path}.{key}`"))).transpose()
    };
    let mut all = DraftResources {
        gpu: amount(fields.take("gpu"), "gpu")?,
        shm: amount(fields.take("shm"), "shm")?,
        ..DraftResources::default()
    };
    for key in ["requests", "limits"] {
        let Some(node) = fields.take(key) else { continue };
        let mut amounts = Fields::of(yaml, node, &format!("`{path}.{key}`"))?;
        let cpu = amount(amounts.take("cpu"), &format!("{key}.cpu"))?;
        let memory = amount(amounts.take("memory"), &format!("{key}.memory"))?;
        amounts.finish(yaml)?;
        match key {
            "requests" => (all.cpu_request, all.memory_request) = (cpu, memory),
            _ => (all.cpu_limit, all.memory_limit) = (cpu, memory),
        }
    }
    fields.finish(yaml)?;
    Ok(all)
}

fn sockets(yaml: &Yaml, node: &Node, path: &str) -> Result<Vec<Said<DraftSocket>>, DocumentError> {
    let items = wake_yaml::list(yaml, node, &format!("`{path}`"))?;
    let socket = |(at, item): (usize, &std::sync::Arc<Node>)| {
        let path = format!("{path}[{at}]");
        let mut fields = Fields::of(yaml, item, &format!("`{path}`"))?;
        let port = fields.need(yaml, "port")?;
        let port = number(yaml, port, &format!("`{path}.port`"))?;
        let name = |node: Option<&std::sync::Arc<Node>>, key: &str| {
            node.map(|node| text(yaml, node, &format!("`{path}.{key}`"))).transpose()
        };
        let input = said(name(fields.take("inputBuffer"), "inputBuffer")?);
        let output = said(name(fields.take("outputBuffer"), "outputBuffer")?);
        fields.finish(yaml)?;
        Ok(Said::at(item.at, DraftSocket { port, input, output }))
    };
    items.iter().enumerate().map(socket).collect()
}

fn endpoints(yaml: &Yaml, node: &Node, path: &str) -> Result<Pairs<u64>, DocumentError> {
    let Value::Map(entries) = &node.value else {
        return Err(mismatch(yaml, node, &format!("`{path}`"), "a mapping"));
    };
    let endpoint = |entry: &wake_yaml::Entry| {
        let port = number(yaml, &entry.value, &format!("`{path}.{}`", entry.key))?;
        Ok((Said::at(entry.at, entry.key.clone()), port))
    };
    entries.iter().map(endpoint).collect()
}

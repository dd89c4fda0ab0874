//! Equality of codespecs: the content id, equal for codespecs that cannot be told apart by running them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wake_model::{ValueDigest, json};

use crate::codespec::{Amounts, Codespec, Role, Socket};
use crate::expand::references;
use crate::name::BufferName;
use crate::quantity::Quantity;

impl Codespec {
    /// Returns its content id, which is the same for equal codespecs, whatever their names.
    ///
    /// The order of buffers, sockets and endpoints does not matter, quantities are compared by value, and the order of variables matters
    /// only if one refers to another. Source: `spec/codespecs.md`.
    pub fn id(&self) -> ValueDigest {
        json::digest(&self.identity_value())
    }

    /// Returns the JSON value whose digest is the content id.
    pub fn identity_value(&self) -> Value {
        let Codespec {
            image,
            command,
            args,
            working_dir,
            env,
            identity,
            resources,
            max_replicas,
            role,
        } = self;
        let mut all = Map::new();
        let mut put = |key: &str, value: Value| {
            let is_nothing = match &value {
                Value::Null => true,
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                _ => false,
            };
            if !is_nothing {
                all.insert(key.to_owned(), value);
            }
        };
        put("kind", json!(self.kind().as_str()));
        put("image", json!(image));
        put("command", json!(command));
        put("args", json!(args));
        put("workingDir", json!(working_dir));
        put("env", json!(variables(env)));
        put("identity", json!(identity));
        put("requests", amounts(&resources.requests));
        put("limits", amounts(&resources.limits));
        put("gpu", quantity(resources.gpu));
        put("shm", quantity(resources.shm));
        put("maxReplicas", json!(max_replicas));
        match role {
            Role::Job { inputs, outputs, sockets } => {
                put("inputs", sorted(inputs));
                put("outputs", sorted(outputs));
                let mut sockets: Vec<&Socket> = sockets.iter().collect();
                sockets.sort_by_key(|socket| socket.port);
                let socket = |socket: &&Socket| {
                    let name =
                        |name: &Option<BufferName>| json!(name.as_ref().map(BufferName::as_str));
                    json!([socket.port, name(&socket.input), name(&socket.output)])
                };
                put("sockets", sockets.iter().map(socket).collect());
            }
            Role::Worker { endpoints } => put("endpoints", json!(endpoints)),
        }
        Value::Object(all)
    }
}

/// Returns the variables, sorted if their order does not matter.
fn variables(env: &[(String, String)]) -> Vec<&(String, String)> {
    let names: BTreeSet<&str> = env.iter().map(|(name, _)| name.as_str()).collect();
    let refers = env.iter().any(|(_, value)| references(value).any(|name| names.contains(name)));
    let mut all: Vec<&(String, String)> = env.iter().collect();
    if !refers {
        all.sort();
    }
    all
}

fn sorted(names: &[BufferName]) -> Value {
    let mut names: Vec<&str> = names.iter().map(BufferName::as_str).collect();
    names.sort_unstable();
    json!(names)
}

fn amounts(amounts: &Amounts) -> Value {
    let Amounts { cpu, memory } = amounts;
    let all = [("cpu", cpu), ("memory", memory)];
    let said = all.into_iter().filter_map(|(key, amount)| Some((key, amount.as_ref()?)));
    said.map(|(key, amount)| (key.to_owned(), json!(amount.canonical())))
        .collect::<Map<_, _>>()
        .into()
}

fn quantity(amount: Option<Quantity>) -> Value {
    json!(amount.map(|amount| amount.canonical()))
}

//! Serializes codespecs as JSON in Tyger's form.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::codespec::{Amounts, Codespec, Resources, Role, Socket};
use crate::name::{BufferName, CodespecName};
use crate::quantity::Quantity;

/// A codespec with its metadata. Properties are in reading order, and variables keep their order.
pub struct Shown<'a> {
    /// The codespec.
    pub codespec: &'a Codespec,
    /// Its name.
    pub name: Option<&'a CodespecName>,
    /// Its version.
    pub version: Option<u32>,
    /// When the version was created, in RFC 3339 form.
    pub created_at: Option<&'a str>,
    /// Its content id.
    pub id: Option<&'a str>,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Shown { codespec, name, version, created_at, id } = self;
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
        } = codespec;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", codespec.kind().as_str())?;
        some(&mut map, "name", name.map(CodespecName::as_str))?;
        some(&mut map, "version", *version)?;
        some(&mut map, "createdAt", *created_at)?;
        some(&mut map, "contentId", *id)?;
        if let Role::Job { inputs, outputs, sockets } = role {
            let buffers = [("inputs", inputs), ("outputs", outputs)];
            let buffers = buffers.map(|(key, names)| {
                (key, names.iter().map(BufferName::as_str).collect::<Vec<_>>())
            });
            let buffers: Vec<_> =
                buffers.into_iter().filter(|(_, names)| !names.is_empty()).collect();
            some(&mut map, "buffers", (!buffers.is_empty()).then_some(Ordered(&buffers)))?;
            let sockets: Vec<ShownSocket<'_>> = sockets.iter().map(ShownSocket).collect();
            some(&mut map, "sockets", (!sockets.is_empty()).then_some(sockets))?;
        }
        map.serialize_entry("image", image)?;
        some(&mut map, "command", (!command.is_empty()).then_some(command))?;
        some(&mut map, "args", (!args.is_empty()).then_some(args))?;
        some(&mut map, "workingDir", working_dir.as_ref())?;
        some(&mut map, "env", (!env.is_empty()).then_some(Ordered(env)))?;
        some(&mut map, "identity", identity.as_ref())?;
        let nothing = *resources == Resources::default();
        some(&mut map, "resources", (!nothing).then_some(ShownResources(resources)))?;
        some(&mut map, "maxReplicas", *max_replicas)?;
        if let Role::Worker { endpoints } = role {
            some(&mut map, "endpoints", (!endpoints.is_empty()).then_some(endpoints))?;
        }
        map.end()
    }
}

fn some<M: SerializeMap>(
    map: &mut M,
    key: &str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, &value))
}

/// Serializes pairs as an object, in their order.
struct Ordered<'a, K, V>(&'a [(K, V)]);

impl<K: Serialize, V: Serialize> Serialize for Ordered<'_, K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

struct ShownSocket<'a>(&'a Socket);

impl Serialize for ShownSocket<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Socket { port, input, output } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("port", port)?;
        some(&mut map, "inputBuffer", input.as_ref().map(BufferName::as_str))?;
        some(&mut map, "outputBuffer", output.as_ref().map(BufferName::as_str))?;
        map.end()
    }
}

struct ShownResources<'a>(&'a Resources);

impl Serialize for ShownResources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Resources { requests, limits, gpu, shm } = self.0;
        let mut map = serializer.serialize_map(None)?;
        let amounts = |amounts: &Amounts| {
            let all = [("cpu", amounts.cpu), ("memory", amounts.memory)];
            let said = all.into_iter().filter_map(|(key, amount)| Some((key, text(amount)?)));
            Some(said.collect::<Vec<_>>()).filter(|said| !said.is_empty())
        };
        some(&mut map, "requests", amounts(requests).as_deref().map(Ordered))?;
        some(&mut map, "limits", amounts(limits).as_deref().map(Ordered))?;
        some(&mut map, "gpu", text(*gpu))?;
        some(&mut map, "shm", text(*shm))?;
        map.end()
    }
}

fn text(amount: Option<Quantity>) -> Option<String> {
    amount.map(|amount| amount.to_string())
}

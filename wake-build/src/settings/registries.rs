//! The tables of registries.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use wake_model::Name;
use wake_model::nearest::nearest;
use wake_registry::{Address, PublicKey};

use super::file::{Fault, Table};
use super::trust::{Namespace, TrustSettings, TrustTable, read_keys};

/// The registries of a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegistrySettings {
    /// The address of each registry, by its name here.
    pub addresses: BTreeMap<Name, Address>,
    /// The keys that must sign the head of a registry; other registries need no signature.
    pub keys: BTreeMap<Name, Vec<PublicKey>>,
    /// Whose signatures packages must have.
    pub trust: TrustSettings,
    /// The one registry for each namespace.
    namespaces: BTreeMap<Namespace, Name>,
}

/// A registry as written: its address, or a table with that.
pub(super) struct RegistryEntry {
    url: String,
    keys: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistryTable {
    url: String,
    #[serde(default)]
    keys: Vec<Spanned<String>>,
}

impl<'de> Deserialize<'de> for RegistryEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RegistryEntry, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = RegistryEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address, or a table with `url` and `keys`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RegistryEntry, E> {
        Ok(RegistryEntry { url: text.to_owned(), keys: Vec::new() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RegistryEntry, A::Error> {
        let table = RegistryTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RegistryEntry { url: table.url, keys: table.keys })
    }
}

impl RegistrySettings {
    /// Returns the registry for a namespace.
    pub fn of(&self, namespace: Option<&Name>) -> Option<&Name> {
        Namespace::find(&self.namespaces, namespace)
    }

    /// Returns the configured namespaces, with none for packages without one.
    pub(crate) fn named(&self) -> impl Iterator<Item = Option<Name>> {
        self.namespaces.keys().filter_map(|namespace| match namespace {
            Namespace::None => Some(None),
            Namespace::Named(name) => Some(Some(name.clone())),
            Namespace::Other => None,
        })
    }

    /// Returns whether there are no registries.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Reads the tables `registries`, `namespaces` and `trust` of a file in `dir`.
    pub(super) fn new(
        registries: &Table<RegistryEntry>,
        namespaces: &Table,
        trust: &Table<TrustTable>,
        dir: &Path,
    ) -> Result<RegistrySettings, Fault> {
        let trust = TrustSettings::read(trust)?;
        let mut settings = RegistrySettings { trust, ..RegistrySettings::default() };
        for (name, entry) in registries {
            let called: Name = name.get_ref().parse().map_err(|error| Fault::at(name, error))?;
            let RegistryEntry { url, keys } = entry.get_ref();
            let address = Address::parse(url, dir).map_err(|error| Fault::at(entry, error))?;
            let keys = read_keys(keys)?;
            if !keys.is_empty() && matches!(address, Address::Oci { .. }) {
                let wrong = "a container registry has no head to sign";
                return Err(Fault::at(entry, wrong).help(
                    "use `[trust]` to require signatures of the packages themselves".to_owned(),
                ));
            }
            if !keys.is_empty() {
                settings.keys.insert(called.clone(), keys);
            }
            settings.addresses.insert(called, address);
        }
        for (namespace, registry) in namespaces {
            let of = Namespace::parse(namespace.get_ref());
            let of = of.map_err(|error| Fault::at(namespace, error))?;
            let known = registry.get_ref().parse::<Name>().ok();
            let known = known.filter(|name| settings.addresses.contains_key(name));
            let known = known.ok_or_else(|| settings.unknown(registry))?;
            settings.namespaces.insert(of, known);
        }
        Ok(settings)
    }

    fn unknown(&self, registry: &Spanned<String>) -> Fault {
        let name = registry.get_ref();
        let near = nearest(name, self.addresses.keys().map(Name::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add it: `[registries]` `{name} = \"ADDRESS\"`"),
        };
        Fault::at(registry, format!("there is no registry `{name}`")).help(help)
    }
}

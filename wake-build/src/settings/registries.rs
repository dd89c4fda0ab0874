//! The tables that say where published packages come from.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use wake_model::Name;
use wake_model::nearest::nearest;
use wake_registry::Address;

use super::file::Fault;

/// Where published packages come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegistrySettings {
    /// Each registry's address, by what it is called here.
    pub addresses: BTreeMap<Name, Address>,
    /// Which registry has the packages of a namespace, and nobody else.
    namespaces: BTreeMap<Namespace, Name>,
}

/// A key of `[namespaces]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Namespace {
    /// `""`: packages that have none.
    None,
    /// `*`: every one that is not named.
    Other,
    Named(Name),
}

/// A table whose keys and values have places.
pub(super) type Table = BTreeMap<Spanned<String>, Spanned<String>>;

impl RegistrySettings {
    /// The registry that has the packages of a namespace.
    pub fn of(&self, namespace: Option<&Name>) -> Option<&Name> {
        let own = namespace.map_or(Namespace::None, |name| Namespace::Named(name.clone()));
        let other = || self.namespaces.get(&Namespace::Other).filter(|_| namespace.is_some());
        self.namespaces.get(&own).or_else(other)
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// What the tables `registries` and `namespaces` of a file in `dir` say.
    pub(super) fn new(
        registries: &Table,
        namespaces: &Table,
        dir: &Path,
    ) -> Result<RegistrySettings, Fault> {
        let mut settings = RegistrySettings::default();
        for (name, address) in registries {
            let called = name.get_ref().parse().map_err(|error| Fault::at(name, error))?;
            let address = Address::parse(address.get_ref(), dir)
                .map_err(|error| Fault::at(address, error))?;
            settings.addresses.insert(called, address);
        }
        for (namespace, registry) in namespaces {
            let of = match namespace.get_ref().as_str() {
                "" => Namespace::None,
                "*" => Namespace::Other,
                named => {
                    let name = named.parse();
                    Namespace::Named(name.map_err(|error| Fault::at(namespace, error))?)
                }
            };
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
            None => format!("say where it is: `[registries]` `{name} = \"ADDRESS\"`"),
        };
        Fault::at(registry, format!("no registry is called `{name}`")).help(help)
    }
}

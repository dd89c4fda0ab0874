//! `[trust]` of `wake.toml`: whose signatures the packages of a namespace must have.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use wake_model::Name;
use wake_registry::{Demand, PublicKey, Trust};

use super::file::{Fault, Table};

/// A key in a table by namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Namespace {
    /// `""`: packages without a namespace.
    None,
    /// `*`: every namespace that is not listed.
    Other,
    /// A single namespace.
    Named(Name),
}

impl Namespace {
    /// Parses a key.
    pub(super) fn parse(text: &str) -> Result<Namespace, <Name as std::str::FromStr>::Err> {
        Ok(match text {
            "" => Namespace::None,
            "*" => Namespace::Other,
            named => Namespace::Named(named.parse()?),
        })
    }

    /// Returns a table's entry for a namespace, or else the entry for all others.
    pub(super) fn find<'t, T>(
        table: &'t BTreeMap<Namespace, T>,
        of: Option<&Name>,
    ) -> Option<&'t T> {
        let own = of.map_or(Namespace::None, |name| Namespace::Named(name.clone()));
        let other = || table.get(&Namespace::Other).filter(|_| of.is_some());
        table.get(&own).or_else(other)
    }
}

/// Whose signatures the packages of each namespace must have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrustSettings(BTreeMap<Namespace, Trust>);

/// The entry of a namespace in `wake.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustTable {
    #[serde(default)]
    keys: Vec<Spanned<String>>,
    require: Option<Spanned<String>>,
}

impl TrustSettings {
    /// Returns the requirements for the packages of a namespace; none if there are none.
    pub fn of(&self, namespace: Option<&Name>) -> Option<&Trust> {
        Namespace::find(&self.0, namespace).filter(|trust| trust.demand != Demand::Nothing)
    }

    /// Returns a text that differs whenever the requirements do.
    pub(crate) fn text(&self) -> String {
        let line = |(namespace, Trust { keys, demand }): (&Namespace, &Trust)| {
            let keys: Vec<String> = keys.iter().map(PublicKey::to_string).collect();
            format!("{namespace:?} {demand:?} {}\n", keys.join(" "))
        };
        self.0.iter().map(line).collect()
    }

    /// Reads the table `trust`.
    pub(super) fn read(table: &Table<TrustTable>) -> Result<TrustSettings, Fault> {
        let mut settings = TrustSettings::default();
        for (namespace, trust) in table {
            let of = Namespace::parse(namespace.get_ref());
            let of = of.map_err(|error| Fault::at(namespace, error))?;
            let demand = match &trust.get_ref().require {
                None => Demand::Signature,
                Some(text) => demand_of(text)?,
            };
            let keys = read_keys(&trust.get_ref().keys)?;
            if keys.is_empty() && demand != Demand::Nothing {
                let wrong = "no key is trusted here, so no package could be";
                return Err(Fault::at(trust, wrong).help(
                    "add `keys = [\"ed25519:…\"]`, as `wake key show` prints them, or `require = \"none\"`".to_owned(),
                ));
            }
            settings.0.insert(of, Trust { keys, demand });
        }
        Ok(settings)
    }
}

fn demand_of(text: &Spanned<String>) -> Result<Demand, Fault> {
    match text.get_ref().as_str() {
        "signature" => Ok(Demand::Signature),
        "provenance" => Ok(Demand::Provenance),
        "none" => Ok(Demand::Nothing),
        other => Err(Fault::at(text, format!("`require` is `{other}`"))
            .help("use `signature`, `provenance` or `none`".to_owned())),
    }
}

/// Parses keys.
pub(super) fn read_keys(written: &[Spanned<String>]) -> Result<Vec<PublicKey>, Fault> {
    let key = |text: &Spanned<String>| {
        let parsed = text.get_ref().parse();
        parsed.map_err(|error: wake_registry::ParseKeyError| Fault::at(text, error))
    };
    written.iter().map(key).collect()
}

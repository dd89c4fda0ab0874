//! `[trust]` of `wake.toml`: whose signatures the packages of a namespace must have.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use wake_model::Name;
use wake_registry::{Demand, PublicKey, Trust};

use super::file::{Fault, Table};

/// A key of a table by namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Namespace {
    /// `""`: packages that have none.
    None,
    /// `*`: every one that is not named.
    Other,
    /// One.
    Named(Name),
}

impl Namespace {
    /// What is written for it.
    pub(super) fn parse(text: &str) -> Result<Namespace, <Name as std::str::FromStr>::Err> {
        Ok(match text {
            "" => Namespace::None,
            "*" => Namespace::Other,
            named => Namespace::Named(named.parse()?),
        })
    }

    /// What a table says of a namespace; where it says nothing, what it says of all that are not named.
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

/// What `wake.toml` says of a namespace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustTable {
    #[serde(default)]
    keys: Vec<Spanned<String>>,
    require: Option<Spanned<String>>,
}

impl TrustSettings {
    /// What the packages of a namespace must have; none where nothing is demanded of them.
    pub fn of(&self, namespace: Option<&Name>) -> Option<&Trust> {
        Namespace::find(&self.0, namespace).filter(|trust| trust.demand != Demand::Nothing)
    }

    /// All of it as one text, which is another one where anything else is demanded.
    pub(crate) fn text(&self) -> String {
        let line = |(namespace, Trust { keys, demand }): (&Namespace, &Trust)| {
            let keys: Vec<String> = keys.iter().map(PublicKey::to_string).collect();
            format!("{namespace:?} {demand:?} {}\n", keys.join(" "))
        };
        self.0.iter().map(line).collect()
    }

    /// What the table `trust` says.
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
                let wrong = "no key counts here, so nothing could be trusted";
                return Err(Fault::at(trust, wrong).help(
                    "`keys = [\"ed25519:…\"]`, as `wake key show` prints them; or `require = \"none\"`".to_owned(),
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
            .help("it may be `signature`, `provenance` or `none`".to_owned())),
    }
}

/// Keys as they are written.
pub(super) fn read_keys(written: &[Spanned<String>]) -> Result<Vec<PublicKey>, Fault> {
    let key = |text: &Spanned<String>| {
        let parsed = text.get_ref().parse();
        parsed.map_err(|error: wake_registry::ParseKeyError| Fault::at(text, error))
    };
    written.iter().map(key).collect()
}

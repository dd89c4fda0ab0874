//! Inputs from the command line: files, parameters and assets, for all recipes or for one.

use wake_asset::{AssetName, GenomeName};
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic};

/// Inputs from the command line.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Files: `--files`.
    pub files: Vec<GivenValue>,
    /// Parameters: `--params`.
    pub params: Vec<GivenValue>,
    /// Assets: `--assets`.
    pub assets: Vec<GivenValue>,
}

/// A value for inputs of one name: `NAME=VALUE`, `ASSET.NAME=VALUE` or `GENOME/ASSET.NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenValue {
    /// The text before the `=`.
    pub key: String,
    /// The text after it.
    pub value: String,
}

/// The kind of input that a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenKind {
    /// A file.
    File,
    /// A parameter.
    Param,
    /// An asset.
    Asset,
}

impl GivenKind {
    /// Returns the flag for inputs of this kind.
    pub fn flag(self) -> &'static str {
        match self {
            GivenKind::File => "--files",
            GivenKind::Param => "--params",
            GivenKind::Asset => "--assets",
        }
    }
}

impl GivenValue {
    /// Parses an argument of `flag`.
    pub fn parse(typed: &str, flag: &str) -> Result<GivenValue, Diagnostic> {
        match typed.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(GivenValue { key: key.to_owned(), value: value.to_owned() })
            }
            _ => {
                let message = format!("invalid value `{typed}` for `{flag}`");
                Err(Diagnostic::error(Class::Usage, message).help(format!(
                    "write `{flag} NAME=VALUE`, and name the assets to build before the flags"
                )))
            }
        }
    }

    /// Returns how specifically it matches the input `name` of an asset; none if it does not match.
    fn closeness(&self, genome: &[&str], asset: &AssetName, name: &str) -> Option<u8> {
        if self.key == name {
            return Some(0);
        }
        let whose = self.key.strip_suffix(name)?.strip_suffix('.')?;
        match whose.split_once('/') {
            None => (whose == asset.as_str()).then_some(1),
            Some((of, one)) => (genome.contains(&of) && one == asset.as_str()).then_some(2),
        }
    }
}

impl Given {
    fn values(&self, kind: GivenKind) -> &[GivenValue] {
        match kind {
            GivenKind::File => &self.files,
            GivenKind::Param => &self.params,
            GivenKind::Asset => &self.assets,
        }
    }

    /// Finds the value for one of the inputs `names` of an asset, with its index: the most specific one, and the last of those.
    pub(crate) fn find(
        &self,
        kind: GivenKind,
        genome: &[&str],
        asset: &AssetName,
        names: &[&str],
    ) -> Option<(usize, &str)> {
        let closeness = |value: &GivenValue| {
            names.iter().filter_map(|name| value.closeness(genome, asset, name)).max()
        };
        let found = self.values(kind).iter().enumerate();
        let found = found.filter_map(|(number, value)| Some((closeness(value)?, number, value)));
        let (_, number, value) =
            found.max_by_key(|(closeness, number, _)| (*closeness, *number))?;
        Some((number, &value.value))
    }

    /// Fails if a value matches no input of any recipe.
    pub(crate) fn check_used(
        &self,
        kind: GivenKind,
        used: &[usize],
        known: &[String],
    ) -> Result<(), Diagnostic> {
        let unused = self.values(kind).iter().enumerate().find(|(number, value)| {
            // Of several values with one key, only the last is used.
            !used.contains(number)
                && !used.iter().any(|&one| self.values(kind)[one].key == value.key)
        });
        let Some((_, value)) = unused else { return Ok(()) };
        let (flag, key) = (kind.flag(), &value.key);
        let what = match kind {
            GivenKind::File => "file",
            GivenKind::Param => "parameter",
            GivenKind::Asset => "asset",
        };
        let message = format!("`{flag} {key}=…` matches no {what} input of these recipes");
        let diagnostic = Diagnostic::error(Class::Usage, message);
        let last = key.rsplit('.').next().unwrap_or(key);
        Err(match (nearest(last, known.iter().map(String::as_str)), known) {
            (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
            (None, []) => diagnostic.help(format!("none of these recipes has {what} inputs")),
            (None, known) => diagnostic.help(format!("the inputs are `{}`", known.join("`, `"))),
        })
    }
}

/// Returns all names of a genome: the one on the command line, its digest, its aliases.
pub(crate) fn names_of_genome<'a>(
    called: &'a GenomeName,
    digest: &'a str,
    aliases: &'a [GenomeName],
) -> Vec<&'a str> {
    let mut names = vec![called.as_str(), digest];
    names.extend(aliases.iter().map(GenomeName::as_str));
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_most_specific_value_wins_then_the_last() {
        let parse = |text: &&str| GivenValue::parse(text, "--files").unwrap();
        let typed = ["x=1", "fasta.x=2", "hg/fasta.x=3", "x=4", "mm/fasta.x=5", "x.y=6"];
        let given = Given { files: typed.iter().map(parse).collect(), ..Given::default() };
        let find = |genome: &str, asset: &str, name: &str| {
            let asset = asset.parse().unwrap();
            let found = given.find(GivenKind::File, &[genome], &asset, &[name]);
            found.map(|(_, value)| value.to_owned())
        };
        assert_eq!(find("hg", "fasta", "x").as_deref(), Some("3"));
        assert_eq!(find("rn", "fasta", "x").as_deref(), Some("2"));
        assert_eq!(find("rn", "other", "x").as_deref(), Some("4"));
        assert_eq!(find("rn", "other", "x.y").as_deref(), Some("6"));
        assert_eq!(find("rn", "other", "z"), None);
        let unused = given.check_used(GivenKind::File, &[1, 2, 3, 5], &["z".to_owned()]);
        let message = "`--files mm/fasta.x=…` matches no file input of these recipes";
        assert_eq!(unused.unwrap_err().message, message);
        assert!(GivenValue::parse("tiny/fasta", "--files").is_err());
    }
}

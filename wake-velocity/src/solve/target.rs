use crate::catalog::{Catalog, Generation, Image};
use crate::spec::{FirstSpec, SecondSpec};
use crate::version::{Range, Release, Tag};

use super::error::SolveError;

/// A requested image.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) written: String,
    pub(super) name: String,
    range: Versions,
}

#[derive(Debug)]
enum Versions {
    First(Range<Tag>),
    Second(Range<Release>),
}

impl Target {
    pub(super) fn parse(written: &str, generation: Generation) -> Result<Self, SolveError> {
        let (name, range) = match generation {
            Generation::First => {
                let FirstSpec { name, range } = FirstSpec::parse(written);
                (name, Versions::First(range))
            }
            Generation::Second => {
                let help =
                    "write `NAME`, `NAME@VERSION`, `NAME@LOW:`, `NAME@:HIGH` or `NAME@LOW:HIGH`";
                let malformed =
                    || SolveError::Malformed { target: written.to_owned(), help: help.to_owned() };
                let SecondSpec { name, range } =
                    SecondSpec::target(written).ok_or_else(malformed)?;
                (name, Versions::Second(range))
            }
        };
        Ok(Self { written: written.to_owned(), name, range })
    }

    /// Whether an image of this name is in the requested range.
    pub(super) fn takes(&self, image: &Image) -> bool {
        match &self.range {
            Versions::First(range) => range.contains(&Tag::new(&image.version)),
            Versions::Second(range) => range.contains(&Release::new(&image.version)),
        }
    }
}

/// The hint for a target whose name no image has.
pub(super) fn help(catalog: &Catalog, name: &str) -> Option<String> {
    let names = || catalog.images.iter().map(|image| image.name.as_str());
    let before = name.split_once('@').map_or(name, |(before, _)| before);
    if before != name && names().any(|known| known == before) {
        let version = &name[before.len() + 1..];
        return Some(format!("did you mean `{before}@={version}`?"));
    }
    if let Some(near) = wake_model::nearest::nearest(before, names()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let mut names: Vec<&str> = names().collect();
    names.dedup();
    match names[..] {
        [] => Some(
            "no image in the directory is for this system, backend and distribution".to_owned(),
        ),
        _ => Some(format!("the available images are `{}`", names.join("`, `"))),
    }
}

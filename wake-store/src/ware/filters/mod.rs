//! Pack and unpack filters: which metadata of a tree is kept, changed or refused.
//!
//! A filter is written as `uid=1000,mtime=@1262304000` or, in a formula, as a JSON object of strings. Unset fields take
//! a default; the caller chooses the default among the presets.

mod rules;
mod syntax;

pub use rules::FilterRejection;
pub(crate) use rules::{Passage, Rules};
pub use syntax::ParseFiltersError;

use super::node::DEFAULT_TIME;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// From a file system to a ware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pack {}

/// From a ware to a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpack {}

/// One of [`Pack`] and [`Unpack`]: they differ in the word for "leave unchanged" and in what only unpacking can do.
pub trait Direction: Clone + Copy + fmt::Debug + PartialEq + Eq + 'static {
    /// The word for "leave unchanged".
    const PASS: &'static str;
    /// Whether `uid=mine`, `gid=mine` and `mtime=now` are allowed.
    const LOCAL: bool;
    /// The name of the direction: `pack` or `unpack`.
    const NAME: &'static str;
}

impl Direction for Pack {
    const PASS: &'static str = "keep";
    const LOCAL: bool = false;
    const NAME: &'static str = "pack";
}

impl Direction for Unpack {
    const PASS: &'static str = "follow";
    const LOCAL: bool = true;
    const NAME: &'static str = "unpack";
}

/// What to do with owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Leave them unchanged.
    Pass,
    /// Use the user or group of the process that unpacks.
    Mine,
    /// Use this ID.
    Id(u32),
}

/// What to do with modification times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mtime {
    /// Leave them unchanged.
    Pass,
    /// Use the time of unpacking.
    Now,
    /// Use this time, in seconds since 1970.
    At(i64),
}

/// What to do with a special property of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// Leave it unchanged.
    Pass,
    /// Drop it.
    Ignore,
    /// Refuse the tree.
    Reject,
}

/// A filter; each field may be unset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters<D: Direction> {
    /// User IDs.
    pub uid: Option<Owner>,
    /// Group IDs.
    pub gid: Option<Owner>,
    /// Modification times.
    pub mtime: Option<Mtime>,
    /// The sticky bit; never [`Special::Reject`].
    pub sticky: Option<Special>,
    /// The set-user and set-group bits.
    pub setid: Option<Special>,
    /// Block and character devices.
    pub dev: Option<Special>,
    /// Which direction the filter is for; has no content.
    pub direction: PhantomData<D>,
}

/// A filter for packing.
pub type PackFilters = Filters<Pack>;
/// A filter for unpacking.
pub type UnpackFilters = Filters<Unpack>;

impl<D: Direction> Default for Filters<D> {
    fn default() -> Self {
        Self::UNSET
    }
}

impl<D: Direction> Filters<D> {
    /// Nothing is set.
    pub const UNSET: Self = Self {
        uid: None,
        gid: None,
        mtime: None,
        sticky: None,
        setid: None,
        dev: None,
        direction: PhantomData,
    };

    /// Everything is left unchanged.
    pub const LOSSLESS: Self = Self {
        uid: Some(Owner::Pass),
        gid: Some(Owner::Pass),
        mtime: Some(Mtime::Pass),
        sticky: Some(Special::Pass),
        setid: Some(Special::Pass),
        dev: Some(Special::Pass),
        direction: PhantomData,
    };

    /// Returns the filter with each unset field taken from `defaults`.
    pub fn apply(self, defaults: Self) -> Self {
        Self {
            uid: self.uid.or(defaults.uid),
            gid: self.gid.or(defaults.gid),
            mtime: self.mtime.or(defaults.mtime),
            sticky: self.sticky.or(defaults.sticky),
            setid: self.setid.or(defaults.setid),
            dev: self.dev.or(defaults.dev),
            direction: PhantomData,
        }
    }

    /// Returns the fields that are set, as in a formula's JSON object.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        syntax::pairs(self).into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Parses the JSON object form. Every value is a string, as in the published documents.
    pub fn from_map<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ParseFiltersError> {
        let mut filters = Self::UNSET;
        for (key, value) in pairs {
            syntax::set(&mut filters, key, value)?;
        }
        Ok(filters)
    }
}

impl PackFilters {
    /// The default for the outputs of a formula: owner 1000:1000 and [`DEFAULT_TIME`], nothing refused.
    pub const FLATTEN: Self = Self {
        uid: Some(Owner::Id(1000)),
        gid: Some(Owner::Id(1000)),
        mtime: Some(Mtime::At(DEFAULT_TIME)),
        ..Self::LOSSLESS
    };
    /// The default for packing by hand: [`Self::FLATTEN`], with devices and setid bits refused.
    pub const CONSERVATIVE: Self =
        Self { setid: Some(Special::Reject), dev: Some(Special::Reject), ..Self::FLATTEN };
}

impl UnpackFilters {
    /// The default for scanning: nothing changed, devices and setid bits refused.
    pub const CONSERVATIVE: Self =
        Self { setid: Some(Special::Reject), dev: Some(Special::Reject), ..Self::LOSSLESS };
    /// The default for unpacking by hand: [`Self::CONSERVATIVE`], with everything owned by the calling user.
    pub const LOW_PRIV: Self =
        Self { uid: Some(Owner::Mine), gid: Some(Owner::Mine), ..Self::CONSERVATIVE };
}

/// Prints `key=value` pairs of the set fields in the published order, joined by commas.
impl<D: Direction> fmt::Display for Filters<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> =
            syntax::pairs(self).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

impl<D: Direction> FromStr for Filters<D> {
    type Err = ParseFiltersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        syntax::parse(text)
    }
}

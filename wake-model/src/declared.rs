//! What a `PKG.libsonnet` and the functions of a module give, as JSON: written by the evaluator, read by the build.
//!
//! `spec/jsonnet-api.md` says what each of it means. The fields stand in the order in which they are written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::package::{GetPkg, PkgInfo};
use crate::path::RelPath;
use crate::sorted::NameMap;

/// The declaration of a package.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageDecl {
    /// The files it names, sorted, each there once.
    pub files: Vec<RelPath>,
    /// Whether it has inputs to compute.
    pub has_inputs: bool,
    /// The directories in which imports are looked for that are not found beside the importing file, in this order.
    #[serde(default)]
    pub imports: Vec<RelPath>,
    /// What is said of it for people and other programs; null where its modules are not known.
    pub metadata: Value,
    /// Where the functions of its modules stand; none: it takes the packages that it names to say that.
    pub modules: Option<NameMap<ModuleSource>>,
    /// Who it is.
    #[serde(rename = "pkgInfo")]
    pub info: PkgInfo,
    /// Its packages, by the key it knows them under.
    pub pkgs: NameMap<GetPkg>,
    /// What it sets options of the build to, if it is the root package.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Value>,
    /// The same by the names of profiles, each of which counts where a person asks for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, BTreeMap<String, Value>>,
}

/// The longest limit of time that a command may be given, in seconds: a year.
pub const LONGEST_TIMEOUT: u32 = 31_536_000;

/// Whether a command may be given so many seconds.
pub fn is_timeout(seconds: f64) -> bool {
    seconds > 0.0 && seconds <= f64::from(LONGEST_TIMEOUT)
}

/// What a package says of its modules and of itself once its packages are known.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateDecl {
    /// What is said of it for people and other programs.
    pub metadata: Value,
    /// Where the functions of its modules stand.
    pub modules: NameMap<ModuleSource>,
}

/// Where the function of a module stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModuleSource {
    /// It is what this file of the package yields.
    File(RelPath),
    /// It is a value in the package's own file.
    Inline(InlineFunction),
}

/// A function where only JSON can be: `{"type": "function"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlineFunction {
    /// What it says that it is.
    #[serde(rename = "type")]
    pub kind: FunctionKind,
}

/// The one thing that an [`InlineFunction`] can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// A function.
    Function,
}

impl ModuleSource {
    /// The file that yields it; none for a value in the package's own file.
    pub fn file(&self) -> Option<&RelPath> {
        match self {
            ModuleSource::File(path) => Some(path),
            ModuleSource::Inline(_) => None,
        }
    }
}

/// The bytes that a text such as `'512 MiB'` says; units are powers of two.
pub fn memory_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

/// The declaration of a module and, unless it waits for other modules, what its functions gave.
///
/// Each reader names what it reads the values as: `Own` those that make the module the one it is, `Seen` those that other
/// modules see, `Run` those that decide what is run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Module<'a, Own, Seen, Run> {
    /// Its configuration, as given or as its default says.
    pub config: Own,
    /// Whether the module's default says the same, as far as that is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// What tells this configuration from others for people.
    #[serde(borrow, default)]
    pub label: Option<Cow<'a, str>>,
    /// What is said of it for people and other programs.
    #[serde(borrow)]
    pub metadata: &'a RawValue,
    /// The ids of the modules that it needs, by its own key for them.
    #[serde(borrow)]
    pub modules: BTreeMap<Cow<'a, str>, &'a RawValue>,
    /// Its name in its package.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// What the outputs function gave.
    pub outputs: Seen,
    /// The package whose files the command sees, where that is not the module's own.
    pub pkg: Own,
    /// Which of the package's files the command sees; none: all.
    pub pkg_files: Option<Vec<String>>,
    /// Words by which people choose among modules, sorted, each there once.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Cow<'a, str>>,
    /// How it is tested, if it is a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestDecl>,
    /// What is run; none: the outputs are taken from what lies there.
    #[serde(borrow)]
    pub exec: Option<Exec<'a, Run>>,
    /// The file objects beyond the package's files; none where it waits for other modules.
    pub files: Option<Vec<Run>>,
    /// What the inputs function gave.
    #[serde(default)]
    pub inputs: Seen,
    /// The ids of the modules that it waits for; none if it is complete.
    #[serde(borrow)]
    pub pending: Option<&'a RawValue>,
}

/// How a module is tested whose command is a test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestDecl {
    /// Whether nothing runs beside it.
    pub exclusive: bool,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// Seconds; none: what its command says, else [`TEST_TIMEOUT`].
    pub timeout: Option<f64>,
}

/// The seconds that a test may take for which nothing is said.
pub const TEST_TIMEOUT: u32 = 300;

/// What is run, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec<'a, T> {
    /// Its arguments.
    pub args: Vec<T>,
    /// What it gets on standard input.
    pub config: T,
    /// The file in which it says what it has read.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub depfile: Option<Cow<'a, str>>,
    /// Its environment.
    #[serde(borrow)]
    pub env: BTreeMap<Cow<'a, str>, T>,
    /// Whether it may reach the network.
    pub network: bool,
    /// The file object of the program.
    #[serde(rename = "ref")]
    pub program: T,
    /// Hints and limits.
    pub resources: T,
    /// The file system below.
    pub rootfs: T,
    /// Seconds.
    pub timeout: Option<f64>,
}

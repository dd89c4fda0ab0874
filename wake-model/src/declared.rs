//! The JSON results of `PKG.libsonnet` and of module functions: written by the evaluator, read by the build.
//!
//! `spec/jsonnet-api.md` defines their meaning. Fields are in the order in which they are written.

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
    /// The files it lists, sorted, without duplicates.
    pub files: Vec<RelPath>,
    /// Whether it has an `inputs` function.
    pub has_inputs: bool,
    /// The directories to search, in order, for imports that are not found beside the importing file.
    #[serde(default)]
    pub imports: Vec<RelPath>,
    /// Metadata for people and other programs; null if the modules are not known.
    pub metadata: Value,
    /// Where the functions of its modules are; `None` if finding out requires the dependencies.
    pub modules: Option<NameMap<ModuleSource>>,
    /// Its identity.
    #[serde(rename = "pkgInfo")]
    pub info: PkgInfo,
    /// Its dependencies, by key.
    pub pkgs: NameMap<GetPkg>,
    /// The option values it sets, if it is the root package.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Value>,
    /// Option values by profile name; a profile counts if a person selects it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, BTreeMap<String, Value>>,
}

/// The longest allowed time limit of a command, in seconds: one year.
pub const LONGEST_TIMEOUT: u32 = 31_536_000;

/// Whether `seconds` is a valid time limit of a command.
pub fn is_timeout(seconds: f64) -> bool {
    seconds > 0.0 && seconds <= f64::from(LONGEST_TIMEOUT)
}

/// The declarations of a package that are available once its dependencies are known.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateDecl {
    /// Metadata for people and other programs.
    pub metadata: Value,
    /// Where the functions of its modules are.
    pub modules: NameMap<ModuleSource>,
}

/// Where the function of a module is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModuleSource {
    /// The result of this file of the package.
    File(RelPath),
    /// A value in the package file.
    Inline(InlineFunction),
}

/// Stands for a function in JSON: `{"type": "function"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlineFunction {
    /// The kind.
    #[serde(rename = "type")]
    pub kind: FunctionKind,
}

/// The only kind of [`InlineFunction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// A function.
    Function,
}

impl ModuleSource {
    /// Returns the file that contains the function; `None` for a value in the package file.
    pub fn file(&self) -> Option<&RelPath> {
        match self {
            ModuleSource::File(path) => Some(path),
            ModuleSource::Inline(_) => None,
        }
    }
}

/// Parses a size such as `'512 MiB'` into bytes; units are powers of two.
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

/// The declaration of a module and, unless it waits for other modules, the results of its functions.
///
/// Each reader chooses the types of the values: `Own` for those that identify the module, `Seen` for those visible to
/// other modules, `Run` for those that determine what is run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Module<'a, Own, Seen, Run> {
    /// Its config, as given or as declared by its default.
    pub config: Own,
    /// Whether the config equals the module's default, as far as is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// A label that tells this configuration from others for people.
    #[serde(borrow, default)]
    pub label: Option<Cow<'a, str>>,
    /// Metadata for people and other programs.
    #[serde(borrow)]
    pub metadata: &'a RawValue,
    /// The ids of its dependencies, by key.
    #[serde(borrow)]
    pub modules: BTreeMap<Cow<'a, str>, &'a RawValue>,
    /// Its name in its package.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The result of `outputs`.
    pub outputs: Seen,
    /// The package whose files the command sees, if it is not the module's own.
    pub pkg: Own,
    /// The files of the package that the command sees; `None` for all.
    pub pkg_files: Option<Vec<String>>,
    /// Words that select modules, sorted, without duplicates.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Cow<'a, str>>,
    /// How it is tested, if it is a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestDecl>,
    /// The command; `None` if the outputs are taken from the inputs as they are.
    #[serde(borrow)]
    pub exec: Option<Exec<'a, Run>>,
    /// The file objects in addition to the package's files; `None` if it waits for other modules.
    pub files: Option<Vec<Run>>,
    /// The result of `inputs`.
    #[serde(default)]
    pub inputs: Seen,
    /// The ids of the modules that it waits for; `None` if it is complete.
    #[serde(borrow)]
    pub pending: Option<&'a RawValue>,
}

/// How a test module is run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestDecl {
    /// Whether no other command runs at the same time.
    pub exclusive: bool,
    /// How often it is retried after a failure.
    pub retries: u32,
    /// The time limit in seconds; `None` for that of the command, else [`TEST_TIMEOUT`].
    pub timeout: Option<f64>,
}

/// The default time limit of a test, in seconds.
pub const TEST_TIMEOUT: u32 = 300;

/// The command as the user wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec<'a, T> {
    /// Its arguments.
    pub args: Vec<T>,
    /// The value for standard input.
    pub config: T,
    /// The file in which the command lists what it has read.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub depfile: Option<Cow<'a, str>>,
    /// Its environment.
    #[serde(borrow)]
    pub env: BTreeMap<Cow<'a, str>, T>,
    /// Whether it may use the network.
    pub network: bool,
    /// The file object of the program.
    #[serde(rename = "ref")]
    pub program: T,
    /// Hints and limits.
    pub resources: T,
    /// The root file system.
    pub rootfs: T,
    /// The time limit in seconds.
    pub timeout: Option<f64>,
}

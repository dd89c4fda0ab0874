//! Settings for clusters that run jobs: Slurm and Kubernetes.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::file::Fault;

/// Settings for submitting jobs to Slurm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlurmSettings {
    /// The partition, unless a run names a node pool.
    pub partition: Option<String>,
    /// The account to charge.
    pub account: Option<String>,
    /// Further arguments of `sbatch`.
    pub arguments: Vec<String>,
    /// The program `wake` on the nodes, if it is not the one that submits.
    pub wake: Option<PathBuf>,
}

/// Settings for submitting jobs to Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// The client program, if it is not `kubectl` on the search path.
    pub kubectl: Option<PathBuf>,
    /// The kubeconfig context.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The image that contains wake.
    pub image: Option<String>,
    /// The claim of the volume that contains the store.
    pub claim: Option<String>,
    /// The store's path in the volume; empty: at the top.
    pub store: String,
    /// The node label whose value is a node pool.
    pub pool_label: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KubernetesTable {
    kubectl: Option<Spanned<PathBuf>>,
    context: Option<Spanned<String>>,
    namespace: Option<Spanned<String>>,
    image: Option<Spanned<String>>,
    claim: Option<Spanned<String>>,
    store: Option<Spanned<String>>,
    pool_label: Option<Spanned<String>>,
}

impl KubernetesTable {
    pub(super) fn settings(&self) -> Result<KubernetesSettings, Fault> {
        let KubernetesTable { kubectl, context, namespace, image, claim, store, pool_label } = self;
        let optional = |key: &str, text: &Option<Spanned<String>>| {
            text.as_ref().map(|text| word(key, text)).transpose()
        };
        Ok(KubernetesSettings {
            kubectl: kubectl.as_ref().map(|path| program("kubectl", path)).transpose()?,
            context: optional("context", context)?,
            namespace: optional("namespace", namespace)?,
            image: optional("image", image)?,
            claim: optional("claim", claim)?,
            store: store.as_ref().map(below).transpose()?.unwrap_or_default(),
            pool_label: optional("pool-label", pool_label)?,
        })
    }
}

/// Checks a path below the top of a volume.
fn below(path: &Spanned<String>) -> Result<String, Fault> {
    let text = path.get_ref();
    let is_below =
        !text.starts_with('/') && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match is_below {
        true => Ok(text.clone()),
        false => Err(Fault::at(
            path,
            "`store` must be a path from the top of the volume, such as `wake/store`",
        )),
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlurmTable {
    partition: Option<Spanned<String>>,
    account: Option<Spanned<String>>,
    #[serde(default)]
    arguments: Vec<Spanned<String>>,
    wake: Option<Spanned<PathBuf>>,
}

/// Options of `sbatch` that wake sets itself, in long and short form.
const OWN: [&str; 14] = [
    "--array",
    "-a",
    "--output",
    "-o",
    "--error",
    "-e",
    "--parsable",
    "--requeue",
    "--test-only",
    "--wait",
    "-W",
    "--wrap",
    "--job-name",
    "-J",
];

impl SlurmTable {
    pub(super) fn settings(&self) -> Result<SlurmSettings, Fault> {
        let SlurmTable { partition, account, arguments, wake } = self;
        Ok(SlurmSettings {
            partition: partition.as_ref().map(|text| word("partition", text)).transpose()?,
            account: account.as_ref().map(|text| word("account", text)).transpose()?,
            arguments: arguments.iter().map(argument).collect::<Result<_, _>>()?,
            wake: wake.as_ref().map(|path| program("wake", path)).transpose()?,
        })
    }
}

fn word(key: &str, text: &Spanned<String>) -> Result<String, Fault> {
    let is_name = |text: &str| {
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    match is_name(text.get_ref()) {
        true => Ok(text.get_ref().clone()),
        false => Err(Fault::at(text, format!("`{key}` is not a name"))),
    }
}

fn argument(text: &Spanned<String>) -> Result<String, Fault> {
    let argument = text.get_ref();
    let is_option = argument.len() > 1
        && argument.starts_with('-')
        && !argument.contains(|c: char| c.is_control());
    if !is_option {
        // It would be taken for the script.
        let message = format!("`{argument}` is not an option of `sbatch`, such as `--qos=long`");
        return Err(Fault::at(text, message));
    }
    let name = argument.split_once('=').map_or(argument.as_str(), |(name, _)| name);
    match OWN.contains(&name) {
        true => Err(Fault::at(text, format!("`{name}` is set by wake itself"))),
        false => Ok(argument.clone()),
    }
}

fn program(key: &str, path: &Spanned<PathBuf>) -> Result<PathBuf, Fault> {
    match path.get_ref().is_absolute() {
        true => Ok(path.get_ref().clone()),
        false => Err(Fault::at(path, format!("`{key}` must be the absolute path of a program"))),
    }
}

//! What a person is told where a cluster does not do what it was asked for.

use wake_kubernetes::KubernetesError;
use wake_steps::diagnostic::{Class, Diagnostic};

/// What a person is told, and what can be done.
pub(super) fn refusal(error: KubernetesError) -> Diagnostic {
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        KubernetesError::NoProgram(_) => diagnostic.help(
            "install it, or say where it is: `kubectl` below `[kubernetes]` in `config.toml`; `--engine here` runs the job on this machine",
        ),
        KubernetesError::Away { .. } => diagnostic.help(
            "`kubectl cluster-info` asks it as well; `kubectl config current-context` says which one that is where neither `cluster` of the run nor `context` below `[kubernetes]` in `config.toml` names another",
        ),
        KubernetesError::Refused { said } if said.contains("context") => diagnostic.help(
            "`kubectl config get-contexts` has those that there are; `cluster` of the run names one, else `context` below `[kubernetes]` in `config.toml`",
        ),
        KubernetesError::Refused { said } if said.starts_with("namespaces ") => {
            diagnostic.help("`namespace` below `[kubernetes]` in `config.toml` names one")
        }
        KubernetesError::Refused { said } if said.contains("nitContainers[") => {
            diagnostic.help("streams need Kubernetes 1.29 or later")
        }
        KubernetesError::Refused { said } if said.contains("completionMode") => {
            diagnostic.help("several replicas need Kubernetes 1.22 or later")
        }
        _ => diagnostic,
    }
}

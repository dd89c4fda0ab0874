//! Diagnostics for requests that a cluster refuses.

use wake_kubernetes::KubernetesError;
use wake_steps::diagnostic::{Class, Diagnostic};

/// Turns a Kubernetes error into a diagnostic with help.
pub(super) fn refusal(error: KubernetesError) -> Diagnostic {
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        KubernetesError::NoProgram(_) => diagnostic.help(
            "install it, or set `kubectl` in `[kubernetes]` of `config.toml`; use `--engine here` to run the job locally",
        ),
        KubernetesError::Away { .. } => diagnostic.help(
            "run `kubectl cluster-info` to check; the cluster is the one in `kubectl config current-context` unless the run's `cluster` or `context` in `[kubernetes]` of `config.toml` names another",
        ),
        KubernetesError::Refused { said } if said.contains("context") => diagnostic.help(
            "run `kubectl config get-contexts` to list the contexts; set the run's `cluster`, or `context` in `[kubernetes]` of `config.toml`",
        ),
        KubernetesError::Refused { said } if said.starts_with("namespaces ") => {
            diagnostic.help("set `namespace` in `[kubernetes]` of `config.toml`")
        }
        KubernetesError::Refused { said } if said.contains("nitContainers[") => {
            diagnostic.help("use Kubernetes 1.29 or later for streams")
        }
        KubernetesError::Refused { said } if said.contains("completionMode") => {
            diagnostic.help("use Kubernetes 1.22 or later for several replicas")
        }
        _ => diagnostic,
    }
}

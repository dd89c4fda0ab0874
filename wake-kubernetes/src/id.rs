//! The location of a job's objects.

use std::fmt;
use std::str::FromStr;

use crate::run::RunName;

/// The name and location of a job's objects: `[NAMESPACE/]NAME[@CONTEXT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesId {
    /// The namespace; none for that of the pod that wake itself runs in.
    pub namespace: Option<String>,
    /// The name.
    pub name: RunName,
    /// The `kubectl` context; none for the cluster that wake itself runs in.
    pub context: Option<String>,
}

/// The text is not a valid id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Kubernetes job id: expected `[NAMESPACE/]NAME[@CONTEXT]`")]
pub struct ParseKubernetesIdError(String);

impl FromStr for KubernetesId {
    type Err = ParseKubernetesIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseKubernetesIdError(text.to_owned());
        // Neither names nor namespaces contain `@` or `/`; contexts may contain both.
        let (place, context) = match text.split_once('@') {
            Some((place, context)) => (place, Some(context)),
            None => (text, None),
        };
        let (namespace, name) = match place.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, place),
        };
        let is_label = |text: &str| {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            !text.is_empty() && !text.starts_with('-') && text.chars().all(fits)
        };
        if !namespace.is_none_or(is_label) || context == Some("") {
            return Err(wrong());
        }
        Ok(KubernetesId {
            namespace: namespace.map(str::to_owned),
            name: name.parse().map_err(|_| wrong())?,
            context: context.map(str::to_owned),
        })
    }
}

impl fmt::Display for KubernetesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)?;
        match &self.context {
            Some(context) => write!(f, "@{context}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_parsed_and_displayed() {
        for text in ["wake-7-ab", "science/wake-7-ab", "wake-7-ab@x", "a/b@arn:aws:eks:c/d@e"] {
            assert_eq!(text.parse::<KubernetesId>().unwrap().to_string(), text);
        }
        let context = Some("arn:aws:eks:c/d@e".to_owned());
        assert_eq!("a/b@arn:aws:eks:c/d@e".parse::<KubernetesId>().unwrap().context, context);
        for wrong in ["", "/a", "a/", "a@", "@a", "A/b", "a/B", "a/b/c", "-x/a"] {
            assert!(wrong.parse::<KubernetesId>().is_err(), "{wrong}");
        }
    }
}

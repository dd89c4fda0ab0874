//! Files that look as if they held a secret: what is published cannot be taken back.

use regex::bytes::Regex;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::evaluate::Evaluator;
use crate::file_set::FileSet;
use crate::files::{FileState, read_at_most};
use crate::pkg_place::PkgPlace;

/// Bytes of a file that are looked at.
const LOOKED_AT: u64 = 4 << 20;

/// Names of files that hold secrets and little else.
const NAMES: [&str; 12] = [
    ".env",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials.toml",
];

/// What secrets look like, and what they are called.
const FORMS: [(&str, &str); 5] = [
    (r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----", "a private key"),
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "an access key of AWS"),
    (r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{60,})", "a token of GitHub"),
    (r"\bglpat-[0-9A-Za-z_-]{20}", "a token of GitLab"),
    (r"\bxox[abprs]-[0-9A-Za-z-]{10,}", "a token of Slack"),
];

/// Refuses a package with a file that looks as if it held a secret, unless that file is `allowed`.
pub(super) fn check_secrets(
    set: &FileSet,
    place: &PkgPlace,
    evaluator: &Evaluator,
    allowed: &[String],
) -> Result<(), Diagnostic> {
    let forms: Vec<(Regex, &str)> =
        FORMS.iter().filter_map(|(form, what)| Some((Regex::new(form).ok()?, *what))).collect();
    for (path, state) in set {
        if !matches!(state, FileState::File { .. })
            || allowed.iter().any(|allowed| allowed.trim_start_matches("./") == path.as_str())
        {
            continue;
        }
        let what = if path.file_name().is_some_and(|name| NAMES.contains(&name)) {
            Some("passwords or keys, as its name says")
        } else {
            let host = evaluator.files.absolute_in(place, path);
            let bytes = read_at_most(&host, LOOKED_AT).unwrap_or_default();
            forms.iter().find(|(form, _)| form.is_match(&bytes)).map(|(_, what)| *what)
        };
        if let Some(what) = what {
            let message = format!("`{}` seems to hold {what}", place.file_label(path.as_str()));
            return Err(Diagnostic::error(Class::Evaluation, message)
                .note("nothing was sent: what is published cannot be taken back")
                .help("take it out of `files`")
                .help(format!("if it is no secret: `--allow-secret {path}`")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_are_known_by_their_form() {
        let found = |text: &str| {
            FORMS
                .iter()
                .find(|(form, _)| Regex::new(form).unwrap().is_match(text.as_bytes()))
                .map(|(_, what)| *what)
        };
        let key = ["-----BEGIN RSA PRIV", "ATE KEY-----"].concat();
        assert_eq!(found(&key), Some("a private key"));
        assert_eq!(found(&["AKIA", "ABCDEFGHIJKLMNOP"].concat()), Some("an access key of AWS"));
        let token = ["gh", "p_", &"a".repeat(36)].concat();
        assert_eq!(found(&token), Some("a token of GitHub"));
        for text in ["-----BEGIN PUBLIC KEY-----", "AKIA", "ghp_short", "a private key"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}

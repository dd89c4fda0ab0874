//! Replaces `refgenie://` references in text with paths.

use crate::error::AssetError;
use crate::registry_path::RegistryPath;

/// The prefix of a reference.
const SCHEME: &str = "refgenie://";

/// Replaces each `refgenie://genome/asset.key:tag` with the result of `value`.
///
/// A reference ends at the first character that cannot be part of it; a trailing `.` or `:` is not included. The first error is returned with its line.
pub fn populate(
    text: &str,
    mut value: impl FnMut(&RegistryPath) -> Result<String, AssetError>,
) -> Result<String, (usize, AssetError)> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    let mut line = 1;
    while let Some(at) = rest.find(SCHEME) {
        let (before, behind) = (&rest[..at], &rest[at + SCHEME.len()..]);
        line += before.matches('\n').count();
        let is_of_path =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+' | '/' | ':');
        let length = behind.find(|c| !is_of_path(c)).unwrap_or(behind.len());
        let path = behind[..length].trim_end_matches(['.', ':']);
        let named = path.parse::<RegistryPath>().map_err(AssetError::from);
        let value = named.and_then(|path| value(&path)).map_err(|error| (line, error))?;
        done.push_str(before);
        done.push_str(&value);
        rest = &behind[path.len()..];
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_are_replaced() {
        let value = |path: &RegistryPath| Ok(format!("<{path}>"));
        let said = |text| populate(text, value).map_err(|(line, error)| format!("{line}: {error}"));
        let text = "a: refgenie://hg38/fasta.fai:1.2-a, b.\n\"refgenie://hg38/fasta\" refgenie://x/y. é refgenie://x/y:";
        let expected = "a: <hg38/fasta.fai:1.2-a>, b.\n\"<hg38/fasta>\" <x/y>. é <x/y>:";
        assert_eq!(said(text), Ok(expected.to_owned()));
        assert_eq!(said("http://x"), Ok("http://x".to_owned()));
        assert!(said("a\n\nrefgenie://a/b/c").is_err_and(|error| error.starts_with("3: ")));
        assert!(said("refgenie://").is_err());
    }
}

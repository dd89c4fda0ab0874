//! Texts in which assets are named, with the paths in place of the names.

use crate::error::AssetError;
use crate::registry_path::RegistryPath;

/// What comes before a registry path in such a text.
const SCHEME: &str = "refgenie://";

/// Puts what `value` says of each `refgenie://genome/asset.key:tag` into its place.
///
/// A name ends where no part of one can go on; a `.` or `:` behind it is not part of it. The error is the first one, with its line.
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
    fn names_are_replaced_and_nothing_else() {
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

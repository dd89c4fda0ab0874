//! References to images, as users write them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::digest::ImageDigest;

/// The location of an image, and which of the images there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageReference {
    /// `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`: in a container registry.
    Registry {
        /// The host, with its port if one is given.
        host: String,
        /// The repository.
        repository: String,
        /// The tag; `latest` if neither a tag nor a digest is given.
        tag: Option<String>,
        /// The digest of its manifest or index.
        digest: Option<ImageDigest>,
    },
    /// `oci:DIR[:NAME][@DIGEST]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]`: on this machine.
    Local {
        /// The format.
        form: LocalForm,
        /// The directory or the archive.
        path: PathBuf,
        /// The name of the image, if there are several.
        name: Option<String>,
        /// The digest of its manifest or index.
        digest: Option<ImageDigest>,
        /// The name to show in messages, if different.
        called: Option<String>,
    },
}

/// The on-disk format of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalForm {
    /// A directory with the layout of image-spec.
    Layout,
    /// The same in a tar archive.
    OciArchive,
    /// What `docker save` writes.
    DockerArchive,
}

/// Why a text is not a reference to an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReferenceError {
    /// It has no registry host.
    #[error("`{0}` has no registry host: write `HOST/{0}`")]
    NoHost(String),
    /// The name of its repository is invalid.
    #[error(
        "`{0}` is not a repository name: expected lower-case letters and digits, separated by `.`, `_`, `__` or `-`"
    )]
    Repository(String),
    /// Its tag is invalid.
    #[error("`{0}` is not a tag: expected at most 128 letters, digits, `_`, `.` and `-`")]
    Tag(String),
    /// What follows `@` is not a digest.
    #[error("`{0}` is not a digest: expected `sha256:` and 64 hexadecimal digits")]
    Digest(String),
    /// It has no file name.
    #[error("`{0}` does not name a file")]
    Empty(String),
    /// It is a URL.
    #[error("`{0}` is a URL: images are named without a scheme, as in `HOST/REPOSITORY:TAG`")]
    Address(String),
}

impl LocalForm {
    const ALL: [LocalForm; 3] =
        [LocalForm::Layout, LocalForm::OciArchive, LocalForm::DockerArchive];

    fn prefix(self) -> &'static str {
        match self {
            LocalForm::Layout => "oci",
            LocalForm::OciArchive => "oci-archive",
            LocalForm::DockerArchive => "docker-archive",
        }
    }
}

impl ImageReference {
    /// Parses a reference; relative paths start at `base`. A `docker://` prefix is ignored.
    pub fn parse(text: &str, base: &Path) -> Result<ImageReference, ParseReferenceError> {
        for form in LocalForm::ALL {
            if let Some(rest) =
                text.strip_prefix(form.prefix()).and_then(|rest| rest.strip_prefix(':'))
            {
                return local(form, rest, text, base);
            }
        }
        let rest = text.strip_prefix("docker://").unwrap_or(text);
        if rest.contains("://") {
            return Err(ParseReferenceError::Address(text.to_owned()));
        }
        remote(rest)
    }

    /// The image at `path`, shown as `called`: a layout if it is a directory, otherwise an archive of either kind.
    pub fn of_file(path: &Path, called: &str) -> ImageReference {
        let form = if path.is_dir() { LocalForm::Layout } else { LocalForm::OciArchive };
        let called = Some(called.to_owned());
        ImageReference::Local { form, path: path.to_owned(), name: None, digest: None, called }
    }

    /// An image that only exists in the store.
    pub(crate) fn nowhere(digest: ImageDigest) -> ImageReference {
        let path = PathBuf::from("/nonexistent");
        let (form, called) = (LocalForm::Layout, None);
        ImageReference::Local { form, path, name: None, digest: Some(digest), called }
    }

    /// The digest, if the reference contains one.
    pub fn digest(&self) -> Option<&ImageDigest> {
        match self {
            ImageReference::Registry { digest, .. } | ImageReference::Local { digest, .. } => {
                digest.as_ref()
            }
        }
    }

    /// The same reference with this digest.
    pub fn pinned(&self, to: ImageDigest) -> ImageReference {
        let mut pinned = self.clone();
        match &mut pinned {
            ImageReference::Registry { digest, .. } | ImageReference::Local { digest, .. } => {
                *digest = Some(to);
            }
        }
        pinned
    }

    /// Whether it is in a registry, so its tag may point to another image later.
    pub fn is_remote(&self) -> bool {
        matches!(self, ImageReference::Registry { .. })
    }
}

fn local(
    form: LocalForm,
    rest: &str,
    text: &str,
    base: &Path,
) -> Result<ImageReference, ParseReferenceError> {
    let (rest, digest) = split_digest(rest)?;
    let (path, name) = match rest.split_once(':') {
        Some((path, name)) => (path, Some(name.to_owned())),
        None => (rest, None),
    };
    if path.is_empty() || name.as_ref().is_some_and(String::is_empty) {
        return Err(ParseReferenceError::Empty(text.to_owned()));
    }
    Ok(ImageReference::Local { form, path: base.join(path), name, digest, called: None })
}

fn remote(text: &str) -> Result<ImageReference, ParseReferenceError> {
    let (rest, digest) = split_digest(text)?;
    let no_host = || ParseReferenceError::NoHost(text.to_owned());
    let (host, path) = rest.split_once('/').ok_or_else(no_host)?;
    let is_host = (host.contains(['.', ':']) || host == "localhost")
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
        && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    if !is_host {
        return Err(no_host());
    }
    let (repository, tag) = match path.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (path, None),
    };
    if !is_repository(repository) {
        return Err(ParseReferenceError::Repository(repository.to_owned()));
    }
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        return Err(ParseReferenceError::Tag(tag.to_owned()));
    }
    Ok(ImageReference::Registry {
        host: host.to_ascii_lowercase(),
        repository: repository.to_owned(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

fn split_digest(text: &str) -> Result<(&str, Option<ImageDigest>), ParseReferenceError> {
    match text.split_once('@') {
        None => Ok((text, None)),
        Some((rest, digest)) => match digest.parse() {
            Ok(digest) => Ok((rest, Some(digest))),
            Err(_) => Err(ParseReferenceError::Digest(digest.to_owned())),
        },
    }
}

/// Source: distribution-spec 1.1, "Pulling manifests".
fn is_repository(name: &str) -> bool {
    let is_word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        let mut separators = part.split(|c: char| c.is_ascii() && is_word(c as u8));
        let ends = |byte: Option<&u8>| byte.copied().is_some_and(is_word);
        ends(part.as_bytes().first())
            && ends(part.as_bytes().last())
            && separators.all(|between| {
                matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-')
            })
    };
    name.len() <= 255 && name.split('/').all(is_part)
}

/// Source: distribution-spec 1.1, "Pulling manifests".
fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128
        && tag.starts_with(is_word)
        && tag.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, digest) = match self {
            ImageReference::Registry { host, repository, tag, digest } => {
                write!(f, "{host}/{repository}")?;
                (tag, digest)
            }
            ImageReference::Local { called: Some(called), .. } => return f.write_str(called),
            ImageReference::Local { form, path, name, digest, called: None } => {
                write!(f, "{}:{}", form.prefix(), path.display())?;
                (name, digest)
            }
        };
        if let Some(name) = name {
            write!(f, ":{name}")?;
        }
        match digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ImageReference, ParseReferenceError> {
        ImageReference::parse(text, Path::new("/ws"))
    }

    #[test]
    fn names_are_displayed_as_they_were_parsed() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for text in [
            "registry.example.org/os/debian:12",
            "localhost:5000/a",
            "localhost/a/b__c/d-e.f",
            &format!("r.example.org/a@{digest}"),
            &format!("r.example.org/a:1@{digest}"),
            "oci:/x/y:name",
            "docker-archive:/x.tar",
        ] {
            assert_eq!(parse(text).map(|name| name.to_string()), Ok(text.to_owned()));
        }
        let shown = |text| parse(text).map(|name| name.to_string());
        assert_eq!(shown("oci:x"), Ok("oci:/ws/x".to_owned()));
        assert_eq!(shown("docker://r.example.org/a"), Ok("r.example.org/a".to_owned()));
        assert_eq!(shown("R.Example.org/a"), Ok("r.example.org/a".to_owned()));
    }

    #[test]
    fn invalid_names_are_explained() {
        let message = |text: &str| parse(text).err().map(|error| error.to_string());
        for (text, problem) in [
            ("debian:12", "`debian:12` has no registry host: write `HOST/debian:12`"),
            (
                "library/debian",
                "`library/debian` has no registry host: write `HOST/library/debian`",
            ),
            (
                "https://r.example.org/a",
                "`https://r.example.org/a` is a URL: images are named without a scheme, as in `HOST/REPOSITORY:TAG`",
            ),
            (
                "u:p@r.example.org/a",
                "`r.example.org/a` is not a digest: expected `sha256:` and 64 hexadecimal digits",
            ),
            (
                "r.example.org/A",
                "`A` is not a repository name: expected lower-case letters and digits, separated by `.`, `_`, `__` or `-`",
            ),
            (
                "r.example.org/a..b",
                "`a..b` is not a repository name: expected lower-case letters and digits, separated by `.`, `_`, `__` or `-`",
            ),
            (
                "r.example.org/a/../b",
                "`a/../b` is not a repository name: expected lower-case letters and digits, separated by `.`, `_`, `__` or `-`",
            ),
            (
                "r.example.org/a:",
                "`` is not a tag: expected at most 128 letters, digits, `_`, `.` and `-`",
            ),
            (
                "r.example.org/a:-x",
                "`-x` is not a tag: expected at most 128 letters, digits, `_`, `.` and `-`",
            ),
            ("oci:", "`oci:` does not name a file"),
            ("oci:x:", "`oci:x:` does not name a file"),
        ] {
            assert_eq!(message(text).as_deref(), Some(problem), "{text}");
        }
    }
}

//! Events of a package: the lines of its log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wake_model::{Release, TreeDigest, Version, json};

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A version was published.
    Publish {
        /// When, in seconds since 1970.
        at: u64,
        /// Its archive.
        archive: ArchiveSum,
        /// How many attestations came with it.
        attestations: u64,
        /// Its metadata.
        meta: Box<Release>,
    },
    /// A version was published in a format that this version of wake cannot use.
    Later {
        /// The version, as written.
        version: String,
    },
    /// A version was yanked: it is not chosen anew.
    Yank {
        /// When, in seconds since 1970.
        at: u64,
        /// The version.
        version: Version,
        /// Why.
        reason: String,
        /// What to use instead.
        instead: Option<String>,
    },
    /// A version is no longer yanked.
    Unyank {
        /// When, in seconds since 1970.
        at: u64,
        /// The version.
        version: Version,
    },
    /// The archive of a version was removed; its name and version stay taken.
    Tombstone {
        /// When, in seconds since 1970.
        at: u64,
        /// The version.
        version: Version,
        /// What its content was.
        content: TreeDigest,
        /// Why.
        reason: String,
    },
    /// Somebody else signed a published version.
    Attest {
        /// When, in seconds since 1970.
        at: u64,
        /// The version.
        version: Version,
        /// How many attestations there are now.
        attestations: u64,
    },
    /// An unknown event that is not critical.
    Unknown,
}

/// The archive of a version, as stored in one registry. Compressing the same content again may give different bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveSum {
    /// SHA-256 of the bytes, as hexadecimal digits.
    pub sha256: String,
    /// Their number.
    pub size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Written {
    Publish {
        archive: ArchiveSum,
        at: u64,
        attestations: u64,
        meta: Value,
    },
    Yank {
        at: u64,
        reason: String,
        #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
        instead: Option<String>,
        version: Version,
    },
    Unyank {
        at: u64,
        version: Version,
    },
    Tombstone {
        at: u64,
        content: TreeDigest,
        reason: String,
        version: Version,
    },
    Attest {
        at: u64,
        attestations: u64,
        version: Version,
    },
}

impl Event {
    /// Whether it is about a version that was published before.
    pub(crate) fn is_statement(&self) -> bool {
        matches!(
            self,
            Event::Yank { .. }
                | Event::Unyank { .. }
                | Event::Tombstone { .. }
                | Event::Attest { .. }
                | Event::Unknown
        )
    }

    /// Parses a line; the error says what is wrong with it.
    pub fn parse(line: &str) -> Result<Event, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let is_known = matches!(
            value["kind"].as_str(),
            Some("publish" | "yank" | "unyank" | "tombstone" | "attest")
        );
        if !is_known {
            return match (&value["kind"], &value["critical"]) {
                (Value::String(kind), Value::Bool(true)) => Err(format!(
                    "`{kind}` is critical, and this version of wake does not support it"
                )),
                (Value::String(_), _) => Ok(Event::Unknown),
                _ => Err("it has no `kind`".to_owned()),
            };
        }
        let written = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(match written {
            Written::Publish { archive, at, attestations, meta } => {
                let version = meta["version"].as_str().unwrap_or_default().to_owned();
                match Release::of(meta) {
                    Ok(meta) => Event::Publish { at, archive, attestations, meta: Box::new(meta) },
                    Err(wake_model::release::ReleaseError::Later(_)) => Event::Later { version },
                    Err(error) => return Err(format!("the metadata: {error}")),
                }
            }
            Written::Yank { at, reason, instead, version } => {
                Event::Yank { at, version, reason, instead }
            }
            Written::Unyank { at, version } => Event::Unyank { at, version },
            Written::Tombstone { at, content, reason, version } => {
                Event::Tombstone { at, version, content, reason }
            }
            Written::Attest { at, attestations, version } => {
                Event::Attest { at, version, attestations }
            }
        })
    }

    /// Returns the line with its line feed, or `None` for events that only later versions of wake write.
    pub fn line(&self) -> Option<String> {
        let written = match self.clone() {
            Event::Publish { at, archive, attestations, meta } => {
                Written::Publish { archive, at, attestations, meta: meta.value() }
            }
            Event::Yank { at, version, reason, instead } => {
                Written::Yank { at, reason, instead, version }
            }
            Event::Unyank { at, version } => Written::Unyank { at, version },
            Event::Tombstone { at, version, content, reason } => {
                Written::Tombstone { at, content, reason, version }
            }
            Event::Attest { at, version, attestations } => {
                Written::Attest { at, attestations, version }
            }
            Event::Later { .. } | Event::Unknown => return None,
        };
        let value = serde_json::to_value(written).ok()?;
        Some(json::canonical(&value) + "\n")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        let meta = r#"{"api":1,"content":"50c464d5e4fb18531ea04c5409eeb85d66d314877723f732a1581830eb8d38e8","files":4,"modules":["greet"],"name":"greet","namespace":"acme","pkgs":{},"size":687,"version":"1.2.0","wake":1}"#;
        let publish = format!(
            "{{\"archive\":{{\"sha256\":\"badf1d3d\",\"size\":551}},\"at\":1764547200,\"attestations\":1,\"kind\":\"publish\",\"meta\":{meta}}}\n"
        );
        let lines = [
            &*publish,
            "{\"at\":1764633600,\"kind\":\"yank\",\"reason\":\"prints to the wrong file\",\"use\":\"^1.2.1\",\"version\":\"1.2.0\"}\n",
            "{\"at\":1764633700,\"kind\":\"unyank\",\"version\":\"1.2.0\"}\n",
            "{\"at\":1764633800,\"attestations\":2,\"kind\":\"attest\",\"version\":\"1.2.0\"}\n",
        ];
        for line in lines {
            assert_eq!(Event::parse(line).unwrap().line().unwrap(), line);
        }
        let later = publish.replace("\"wake\":1", "\"wake\":2");
        assert_eq!(Event::parse(&later), Ok(Event::Later { version: "1.2.0".to_owned() }));
    }

    #[test]
    fn unknown_events_are_skipped_unless_critical() {
        assert_eq!(Event::parse(r#"{"kind":"praise"}"#), Ok(Event::Unknown));
        for line in ["", "{}", "[]", r#"{"kind":"praise","critical":true}"#, r#"{"kind":"yank"}"#] {
            assert!(Event::parse(line).is_err(), "{line}");
        }
    }
}

//! The packages listed in a distribution's package database. Source: deb-status(5); Alpine's "Apk spec", the
//! installed database.

use std::collections::BTreeMap;

use wake_model::{Manifest, Node, RelPath};

/// A package of a distribution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SystemPackage {
    pub(super) name: String,
    pub(super) version: String,
    /// Its package-url. Source: package-url, "deb" and "apk".
    pub(super) purl: String,
}

/// The databases of dpkg, of images without dpkg, and of apk.
const DPKG: &str = "var/lib/dpkg/status";
const DPKG_PARTS: &str = "var/lib/dpkg/status.d";
const APK: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// The packages of the distribution, sorted; `text` reads a file.
pub(super) fn packages(
    files: &Manifest,
    text: &dyn Fn(&str) -> Option<String>,
) -> Vec<SystemPackage> {
    let system = System::of(text);
    let mut found = Vec::new();
    let status = text(DPKG);
    let parts = RelPath::parse(DPKG_PARTS).ok().and_then(|dir| files.subtree(&dir));
    let parts = parts.iter().flat_map(|parts| parts.iter()).map(|(path, _)| path.as_str());
    let parts = parts.filter(|path| !path.ends_with(".md5sums"));
    let parts: Vec<String> =
        parts.filter_map(|path| text(&format!("{DPKG_PARTS}/{path}"))).collect();
    for stanza in status.iter().chain(&parts).flat_map(|text| stanzas(text)) {
        let is_there = stanza.get("Status").is_none_or(|status| status.ends_with(" installed"));
        found.extend(system.package("deb", "debian", &stanza).filter(|_| is_there));
    }
    for installed in APK.iter().filter_map(|path| text(path)) {
        for stanza in stanzas(&installed) {
            let short = |long: &'static str, short: &str| Some((long, *stanza.get(short)?));
            let named = [short("Package", "P"), short("Version", "V"), short("Architecture", "A")];
            found.extend(system.package("apk", "alpine", &named.into_iter().flatten().collect()));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The directories of rpm's database, and its three formats, none of which is supported.
const RPM: [&str; 2] = ["var/lib/rpm", "usr/lib/sysimage/rpm"];
const RPM_FORMS: [&str; 3] = ["Packages", "Packages.db", "rpmdb.sqlite"];

/// A package database in the image that is not supported.
pub(super) fn unread(files: &Manifest) -> Option<String> {
    let forms = |dir: &'static str| RPM_FORMS.map(|form| format!("{dir}/{form}"));
    RPM.into_iter().flat_map(forms).find(|path| {
        let path = RelPath::parse(path);
        path.is_ok_and(|path| matches!(files.get(&path), Some(Node::File { .. })))
    })
}

/// How a distribution identifies itself. Source: os-release(5).
struct System {
    id: Option<String>,
    version: Option<String>,
}

impl System {
    fn of(text: &dyn Fn(&str) -> Option<String>) -> System {
        let text = text("usr/lib/os-release").or_else(|| text("etc/os-release"));
        let value = |name: &str| {
            let lines = text.as_deref().unwrap_or_default().lines();
            let value = lines.filter_map(|line| line.split_once('=')).find(|(key, _)| *key == name);
            value.map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
        };
        System { id: value("ID"), version: value("VERSION_ID") }
    }

    fn package(
        &self,
        kind: &str,
        usual: &str,
        stanza: &BTreeMap<&str, &str>,
    ) -> Option<SystemPackage> {
        let (name, version) = (stanza.get("Package")?, stanza.get("Version")?);
        let id = self.id.as_deref().unwrap_or(usual);
        let (id, name_there) = (escaped(id), escaped(name));
        let mut purl = format!("pkg:{kind}/{id}/{name_there}@{}", escaped(version));
        let distro = self.version.as_ref().map(|version| format!("{id}-{}", escaped(version)));
        let arch = stanza.get("Architecture").map(|arch| escaped(arch));
        let qualifiers = [("arch", arch), ("distro", distro)];
        let qualifiers = qualifiers.into_iter().filter_map(|(key, value)| Some((key, value?)));
        for (number, (key, value)) in qualifiers.enumerate() {
            purl += &format!("{}{key}={value}", if number == 0 { '?' } else { '&' });
        }
        Some(SystemPackage { name: (*name).to_owned(), version: (*version).to_owned(), purl })
    }
}

/// Package stanzas, separated by empty lines; continuation lines are skipped.
fn stanzas(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    text.split("\n\n").map(|stanza| {
        let lines = stanza.lines().filter(|line| !line.starts_with([' ', '\t']));
        let fields = lines.filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name, value.trim())).collect()
    })
}

/// Percent-encodes a part of a package-url.
fn escaped(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(byte);
    text.bytes()
        .map(|byte| match is_plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_lists_of_dpkg_and_apk_are_read() {
        let files = Manifest::default();
        let texts = BTreeMap::from([
            ("usr/lib/os-release", "NAME=x\nID=debian\nVERSION_ID=\"12\"\n"),
            (
                DPKG,
                "Package: libstdc++6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.2.0-14+deb12u1\nDescription: a\n b: c\n\n\
                 Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: broken\n",
            ),
            (APK[0], "C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\n\nP:zlib\nV:1\n\n"),
        ]);
        let text = |path: &str| texts.get(path).map(|text| (*text).to_owned());
        let purls: Vec<String> =
            packages(&files, &text).into_iter().map(|package| package.purl).collect();
        assert_eq!(
            purls,
            [
                "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12",
                "pkg:apk/debian/musl@1.2.4-r2?arch=x86_64&distro=debian-12",
                "pkg:apk/debian/zlib@1?distro=debian-12",
            ]
        );
    }
}

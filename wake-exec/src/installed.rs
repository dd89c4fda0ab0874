//! The installed packages according to package databases, for display; keys use the bytes of the databases.

use std::collections::BTreeMap;

/// Adds the packages that a database lists, with their versions; nothing for databases that are not text.
///
/// Source: deb-control(5) and dpkg's `status`; the index format of apk; the directory names of pacman.
pub(crate) fn add_packages(database: &str, bytes: &[u8], packages: &mut BTreeMap<String, String>) {
    let text = String::from_utf8_lossy(bytes);
    match database {
        "var/lib/dpkg/status" => packages.extend(text.split("\n\n").filter_map(of_dpkg)),
        "lib/apk/db/installed" | "usr/lib/apk/db/installed" => {
            packages.extend(text.split("\n\n").filter_map(|stanza| {
                let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
                Some((field("P:")?.to_owned(), field("V:")?.to_owned()))
            }));
        }
        "var/lib/pacman/local" => packages.extend(text.lines().filter_map(of_pacman)),
        _ => {}
    }
}

/// Parses a fully installed package.
fn of_dpkg(stanza: &str) -> Option<(String, String)> {
    let field =
        |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    field("Status")?.ends_with(" ok installed").then_some(())?;
    let name = match (field("Package")?, field("Multi-Arch"), field("Architecture")) {
        // Several of these may be installed side by side.
        (name, Some("same"), Some(architecture)) => format!("{name}:{architecture}"),
        (name, _, _) => name.to_owned(),
    };
    Some((name, field("Version")?.to_owned()))
}

/// `name-version-release`.
fn of_pacman(entry: &str) -> Option<(String, String)> {
    let (rest, _) = entry.rsplit_once('-')?;
    let (name, _) = rest.rsplit_once('-')?;
    Some((name.to_owned(), entry.get(name.len() + 1..)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(database: &str, text: &str) -> Vec<String> {
        let mut packages = BTreeMap::new();
        add_packages(database, text.as_bytes(), &mut packages);
        packages.into_iter().map(|(name, version)| format!("{name} {version}")).collect()
    }

    #[test]
    fn dpkg_packages_are_listed_except_half_installed_ones() {
        let status = "Package: gcc\nStatus: install ok installed\nArchitecture: amd64\nVersion: 4:12.2.0-3\nDescription: x\n Version: 9\n
Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n
Package: half\nStatus: install ok half-installed\nVersion: 1\n
Package: libc6\nStatus: hold ok installed\nArchitecture: i386\nMulti-Arch: same\nVersion: 2.36\n\n";
        assert_eq!(listed("var/lib/dpkg/status", status), ["gcc 4:12.2.0-3", "libc6:i386 2.36"]);
    }

    #[test]
    fn packages_of_other_package_managers_are_listed() {
        let apk = "C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\n\nP:zlib\nV:1.3-r0\n\n";
        assert_eq!(listed("lib/apk/db/installed", apk), ["musl 1.2.4-r2", "zlib 1.3-r0"]);
        let pacman = "ALPM_DB_VERSION\ngcc-libs-13.2.1-3\nzlib-1:1.3-1";
        assert_eq!(listed("var/lib/pacman/local", pacman), ["gcc-libs 13.2.1-3", "zlib 1:1.3-1"]);
        assert_eq!(listed("var/lib/rpm/Packages", apk), [] as [&str; 0]);
    }
}

//! Distribution packages installed on this machine, their files and dependencies, from dpkg's database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use wake_model::nearest::nearest;

/// dpkg's list of installed packages.
const STATUS: &str = "var/lib/dpkg/status";
/// dpkg's file lists.
const INFO: &str = "var/lib/dpkg/info";
/// dpkg's alternatives.
const ALTERNATIVES: &str = "var/lib/dpkg/alternatives";

/// Why packages of the distribution are not available.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostPackagesError {
    /// There is no supported package database.
    #[error("this machine has no supported package database: dpkg's `/{STATUS}` does not exist")]
    NoDatabase,
    /// A package is not installed, or not completely.
    #[error("the package `{name}` {state}")]
    NotInstalled {
        /// Its name in the request.
        name: String,
        /// `is not installed`, or dpkg's status.
        state: String,
        /// The installed package with the most similar name.
        near: Option<String>,
    },
    /// A dependency of a package is not installed.
    #[error("the package `{name}` needs `{needs}`, which is not installed")]
    Broken {
        /// The package.
        name: String,
        /// The dependency, as written.
        needs: String,
    },
    /// The database cannot be read.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Installed {
    name: String,
    /// Its unique name: with the architecture, if that is not the machine's.
    key: String,
    version: String,
    arch: String,
    /// Its dependencies, each with alternatives.
    depends: Vec<Dependency>,
    /// The names that it provides.
    provides: Vec<String>,
}

/// Alternative packages, one of which is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dependency {
    text: String,
    alternatives: Vec<String>,
}

/// The packages of this machine.
#[derive(Debug, Default)]
pub(crate) struct Distribution {
    root: PathBuf,
    /// The machine's architecture, which is that of dpkg itself; empty if dpkg is not installed.
    native: String,
    /// By name; packages of another architecture with it: `libc6:i386`.
    installed: BTreeMap<String, Installed>,
    /// Packages that are not completely installed, with their status.
    partial: BTreeMap<String, String>,
    /// The packages that provide a name.
    providers: BTreeMap<String, Vec<String>>,
}

/// Packages with all their dependencies.
#[derive(Debug)]
pub(crate) struct Closure<'d> {
    distribution: &'d Distribution,
    packages: BTreeSet<&'d str>,
}

/// A file or link of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostFile {
    /// A regular file, with its path.
    File(PathBuf),
    /// A link, with its target.
    Link(String),
}

impl Distribution {
    /// Reads dpkg's database of the system below `root`.
    pub(crate) fn read(root: &Path) -> Result<Distribution, HostPackagesError> {
        let path = root.join(STATUS);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(HostPackagesError::NoDatabase);
            }
            Err(source) => return Err(HostPackagesError::Io { path, source }),
        };
        let dpkg = text.split("\n\n").map(fields).find(|fields| is(fields, "Package", "dpkg"));
        let native = dpkg.and_then(|fields| Some(fields.get("Architecture")?.trim().to_owned()));
        let (root, native) = (root.to_owned(), native.unwrap_or_default());
        let mut found = Distribution { root, native, ..Distribution::default() };
        for stanza in text.split("\n\n") {
            found.add(stanza);
        }
        Ok(found)
    }

    fn add(&mut self, stanza: &str) {
        let fields = fields(stanza);
        let field = |name: &str| fields.get(name).map(|value| value.trim().to_owned());
        let Some(name) = field("Package") else { return };
        let arch = field("Architecture").unwrap_or_default();
        let key = self.key(&name, &arch);
        let status = field("Status").unwrap_or_default();
        if status != "install ok installed" && status != "hold ok installed" {
            let state = status.rsplit(' ').next().unwrap_or_default();
            if !matches!(state, "config-files" | "not-installed" | "") {
                self.partial.insert(key, state.to_owned());
            }
            return;
        }
        let depends = ["Pre-Depends", "Depends"].into_iter().filter_map(field);
        let depends =
            depends.flat_map(|list| list.split(',').filter_map(Dependency::of).collect::<Vec<_>>());
        let provides = field("Provides").unwrap_or_default();
        let provides: Vec<String> = provides.split(',').filter_map(bare_name).collect();
        for provided in &provides {
            let provided = self.key(provided, &arch);
            self.providers.entry(provided).or_default().push(key.clone());
        }
        let version = field("Version").unwrap_or_default();
        let depends = depends.collect();
        let package = Installed { name, key: key.clone(), version, arch, depends, provides };
        self.installed.entry(key).or_insert(package);
    }

    /// Returns the unique name of a package of an architecture.
    fn key(&self, name: &str, arch: &str) -> String {
        let is_foreign = !matches!(arch, "" | "all" | "any") && !self.native.is_empty();
        match is_foreign && arch != self.native {
            true => format!("{name}:{arch}"),
            false => name.to_owned(),
        }
    }

    /// Returns the packages of these names with all their dependencies.
    pub(crate) fn closure(&self, names: &[String]) -> Result<Closure<'_>, HostPackagesError> {
        let mut packages = BTreeSet::new();
        let mut open = Vec::new();
        for name in names {
            let (bare, arch) = name.split_once(':').unwrap_or((name, ""));
            let key = self.key(bare, arch);
            let found = self.installed.get(&key).ok_or_else(|| self.not_installed(&key))?;
            open.push(found);
        }
        while let Some(package) = open.pop() {
            if !packages.insert(package.key.as_str()) {
                continue;
            }
            for dependency in &package.depends {
                let found = dependency.alternatives.iter().find_map(|name| {
                    // A dependency of a foreign package has the same architecture, or `all`.
                    self.named(&self.key(name, &package.arch)).or_else(|| self.named(name))
                });
                let broken = || HostPackagesError::Broken {
                    name: package.name.clone(),
                    needs: dependency.text.clone(),
                };
                open.push(found.ok_or_else(broken)?);
            }
        }
        Ok(Closure { distribution: self, packages })
    }

    /// Returns the installed package with this name, or that provides it.
    fn named(&self, name: &str) -> Option<&Installed> {
        let provider = || self.installed.get(self.providers.get(name)?.iter().min()?);
        self.installed.get(name).or_else(provider)
    }

    fn not_installed(&self, name: &str) -> HostPackagesError {
        let state = match self.partial.get(name) {
            Some(state) => format!("is not completely installed: its dpkg status is {state}"),
            None => "is not installed".to_owned(),
        };
        let begin = format!("{name}:");
        let mut of_others = self.installed.range(begin.clone()..).map(|(key, _)| key);
        if let Some(other) = of_others.next().filter(|key| key.starts_with(&begin)) {
            let arch = &other[begin.len()..];
            let state = format!("is installed for {arch}, but not for {}", self.native);
            return HostPackagesError::NotInstalled {
                name: name.to_owned(),
                state,
                near: Some(other.clone()),
            };
        }
        let near = nearest(name, self.installed.keys().map(String::as_str)).map(str::to_owned);
        HostPackagesError::NotInstalled { name: name.to_owned(), state, near }
    }
}

impl Closure<'_> {
    /// Returns the names and versions, a line each, sorted.
    pub(crate) fn listing(&self) -> String {
        let packages =
            self.packages.iter().filter_map(|name| self.distribution.installed.get(*name));
        packages.map(|it| format!("{} {} {}\n", it.name, it.version, it.arch)).collect()
    }

    /// Returns every file and link of the packages by its path from the root, with the links of the chosen alternatives.
    /// Devices, pipes, and what not everyone can read are left out.
    pub(crate) fn files(&self) -> Result<BTreeMap<String, HostFile>, HostPackagesError> {
        let mut found = BTreeMap::new();
        let mut merged = Merged::of(&self.distribution.root);
        for name in &self.packages {
            let Some(package) = self.distribution.installed.get(*name) else { continue };
            for path in self.listed(package)? {
                self.add(&merged.place(&path), &mut found);
            }
        }
        self.add_alternatives(&mut merged, &mut found);
        for (top, target) in merged.used {
            found.insert(top, HostFile::Link(target));
        }
        Ok(found)
    }

    /// Returns the paths in a package, without the leading slash.
    fn listed(&self, package: &Installed) -> Result<Vec<String>, HostPackagesError> {
        let info = self.distribution.root.join(INFO);
        let Installed { name, arch, .. } = package;
        let places = [format!("{name}:{arch}.list"), format!("{name}.list")];
        for place in places {
            let path = info.join(place);
            match fs::read_to_string(&path) {
                Ok(text) => {
                    let lines = text.lines().filter_map(|line| line.strip_prefix('/'));
                    let paths = lines.filter(|path| !path.is_empty() && *path != ".");
                    return Ok(paths.map(str::to_owned).collect());
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => return Err(HostPackagesError::Io { path, source }),
            }
        }
        Ok(Vec::new())
    }

    fn add(&self, path: &str, found: &mut BTreeMap<String, HostFile>) {
        let host = self.distribution.root.join(path);
        let Ok(stat) = fs::symlink_metadata(&host) else { return };
        if stat.is_symlink() {
            let target = fs::read_link(&host).ok();
            let target = target.and_then(|target| target.to_str().map(str::to_owned));
            found.extend(target.map(|target| (path.to_owned(), HostFile::Link(target))));
        } else if stat.is_file() && fs::File::open(&host).is_ok() {
            found.insert(path.to_owned(), HostFile::File(host));
        }
    }

    /// Adds the links of alternatives whose targets exist.
    fn add_alternatives(&self, merged: &mut Merged, found: &mut BTreeMap<String, HostFile>) {
        let dir = self.distribution.root.join(ALTERNATIVES);
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let text = fs::read_to_string(&file).unwrap_or_default();
            for (name, link) in alternative_links(name, &text) {
                let Some(link) = link.strip_prefix('/') else { continue };
                let choice = format!("etc/alternatives/{name}");
                let target = fs::read_link(self.distribution.root.join(&choice)).ok();
                let Some(target) = target.as_ref().and_then(|target| target.to_str()) else {
                    continue;
                };
                let Some(absolute) = target.strip_prefix('/') else { continue };
                if !found.contains_key(&merged.place(absolute)) {
                    continue;
                }
                found.insert(choice.clone(), HostFile::Link(target.to_owned()));
                found.insert(merged.place(link), HostFile::Link(format!("/{choice}")));
            }
        }
    }
}

/// Top-level directories that are links into `/usr`, where the files are that packages list below them.
struct Merged {
    links: BTreeMap<String, String>,
    /// Those that occurred in a path.
    used: BTreeMap<String, String>,
}

impl Merged {
    fn of(root: &Path) -> Merged {
        const TOPS: [&str; 7] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32"];
        let link = |top: &str| {
            let target = fs::read_link(root.join(top)).ok()?;
            let target = target.to_str()?.trim_start_matches('/');
            target.starts_with("usr/").then(|| (top.to_owned(), target.to_owned()))
        };
        let links: BTreeMap<String, String> = TOPS.into_iter().filter_map(link).collect();
        // Programs of all kinds use these short paths.
        let used = links.clone();
        Merged { links, used }
    }

    fn place(&mut self, path: &str) -> String {
        let (top, rest) = path.split_once('/').unwrap_or((path, ""));
        match self.links.get(top) {
            Some(target) if !rest.is_empty() => format!("{target}/{rest}"),
            _ => path.to_owned(),
        }
    }
}

impl Dependency {
    fn of(text: &str) -> Option<Dependency> {
        let alternatives: Vec<String> = text.split('|').filter_map(bare_name).collect();
        let text = text.trim().to_owned();
        (!alternatives.is_empty()).then_some(Dependency { text, alternatives })
    }
}

/// Returns `libc6` for ` libc6:any (>= 2.34)`.
fn bare_name(text: &str) -> Option<String> {
    let name = text.trim().split([' ', '(', ':']).next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

fn is(fields: &BTreeMap<&str, String>, name: &str, value: &str) -> bool {
    fields.get(name).is_some_and(|found| found.trim() == value)
}

/// Returns the fields of a stanza, with continuation lines joined.
fn fields(stanza: &str) -> BTreeMap<&str, String> {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let mut last = "";
    for line in stanza.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = fields.get_mut(last) {
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name;
            fields.insert(name, value.to_owned());
        }
    }
    fields
}

/// Returns the links of an alternative and its slaves, each with its name in `/etc/alternatives`.
fn alternative_links(name: &str, text: &str) -> Vec<(String, String)> {
    let mut lines = text.lines();
    // The mode, automatic or manual.
    lines.next();
    let Some(link) = lines.next() else { return Vec::new() };
    let mut links = vec![(name.to_owned(), link.to_owned())];
    while let Some(slave) = lines.next().filter(|slave| !slave.is_empty()) {
        let Some(link) = lines.next() else { break };
        links.push((slave.to_owned(), link.to_owned()));
    }
    links
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    /// A system with a compiler, its dependencies, and `extra`.
    fn system(gcc: &str, extra: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for dir in ["usr/bin", "usr/lib", "etc/alternatives", INFO, ALTERNATIVES] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        let status = format!(
            "Package: gcc\nStatus: install ok installed\nArchitecture: amd64\nVersion: {gcc}\n\
             Depends: libc6 (>= 2), as | binutils-any,\n cpp\n\n\
             Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n\n\
             Package: cpp\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n\
             Package: binutils\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3\nProvides: as (= 3)\n\n\
             Package: half\nStatus: install ok half-configured\nVersion: 1\n\n{extra}"
        );
        fs::write(root.join(STATUS), status).unwrap();
        let lists = [
            ("gcc", "/.\n/usr\n/usr/bin\n/usr/bin/gcc\n"),
            ("libc6:amd64", "/lib/libc.so.6\n"),
            ("binutils", "/usr/bin/as\n/usr/bin/gone\n"),
            ("cpp", "/usr/bin/cpp\n"),
        ];
        for (name, list) in lists {
            fs::write(root.join(format!("{INFO}/{name}.list")), list).unwrap();
        }
        for file in ["usr/bin/gcc", "usr/lib/libc.so.6", "usr/bin/as", "usr/bin/web"] {
            fs::write(root.join(file), file).unwrap();
        }
        symlink("gcc", root.join("usr/bin/cpp")).unwrap();
        fs::write(
            root.join(format!("{ALTERNATIVES}/cc")),
            "auto\n/usr/bin/cc\ncc.1\n/usr/share/cc.1\n\n/usr/bin/gcc\n20\n",
        )
        .unwrap();
        symlink("/usr/bin/gcc", root.join("etc/alternatives/cc")).unwrap();
        dir
    }

    fn gcc_of(dir: &Path) -> (String, BTreeMap<String, HostFile>) {
        let found = Distribution::read(dir).unwrap();
        let closure = found.closure(&["gcc".to_owned()]).unwrap();
        (closure.listing(), closure.files().unwrap())
    }

    #[test]
    fn packages_include_their_dependencies() {
        let dir = system("12", "");
        let (listing, files) = gcc_of(dir.path());
        assert_eq!(listing, "binutils 3 amd64\ncpp 1 all\ngcc 12 amd64\nlibc6 2 amd64\n");
        let paths: Vec<&str> = files.keys().map(String::as_str).collect();
        let expected = [
            "bin",
            "etc/alternatives/cc",
            "lib",
            "usr/bin/as",
            "usr/bin/cc",
            "usr/bin/cpp",
            "usr/bin/gcc",
            "usr/lib/libc.so.6",
        ];
        assert_eq!(paths, expected);
        assert_eq!(files["usr/bin/cc"], HostFile::Link("/etc/alternatives/cc".into()));
        assert_eq!(files["lib"], HostFile::Link("usr/lib".into()));
    }

    #[test]
    fn other_installed_packages_are_not_included() {
        let web = "Package: web\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n";
        let (plain, other) = (system("12", ""), system("12", web));
        fs::write(other.path().join(format!("{INFO}/web.list")), "/usr/bin/web\n").unwrap();
        assert_eq!(gcc_of(plain.path()).0, gcc_of(other.path()).0);
        assert!(!gcc_of(other.path()).1.contains_key("usr/bin/web"));
        assert_ne!(gcc_of(plain.path()).0, gcc_of(system("13", "").path()).0);
    }

    #[test]
    fn packages_of_another_architecture_are_distinct() {
        let of = |name: &str, arch: &str, rest: &str| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\nVersion: 1\n{rest}\n"
            )
        };
        let extra = [
            of("libc6", "i386", ""),
            of("wine", "i386", "Depends: libc6, cpp\n"),
            of("dpkg", "amd64", ""),
        ];
        let dir = system("12", &extra.concat());
        let found = Distribution::read(dir.path()).unwrap();
        let listing = |name: &str| Ok(found.closure(&[name.to_owned()])?.listing());
        let says = |name: &str| listing(name).map_err(|error: HostPackagesError| error.to_string());
        assert_eq!(says("libc6").unwrap(), "libc6 2 amd64\n");
        assert_eq!(says("libc6:amd64").unwrap(), "libc6 2 amd64\n");
        assert_eq!(says("libc6:i386").unwrap(), "libc6 1 i386\n");
        assert_eq!(says("wine:i386").unwrap(), "cpp 1 all\nlibc6 1 i386\nwine 1 i386\n");
        assert_eq!(
            says("wine").unwrap_err(),
            "the package `wine` is installed for i386, but not for amd64"
        );
        assert_eq!(says("gcc:i386").unwrap_err(), "the package `gcc:i386` is not installed");
    }

    #[test]
    fn missing_packages_are_named() {
        let dir = system(
            "12",
            "Package: bad\nStatus: install ok installed\nVersion: 1\nDepends: none (>= 1)\n",
        );
        let found = Distribution::read(dir.path()).unwrap();
        let says = |name: &str| found.closure(&[name.to_owned()]).unwrap_err().to_string();
        assert_eq!(says("gccc"), "the package `gccc` is not installed");
        assert_eq!(
            says("half"),
            "the package `half` is not completely installed: its dpkg status is half-configured"
        );
        assert_eq!(says("bad"), "the package `bad` needs `none (>= 1)`, which is not installed");
        let HostPackagesError::NotInstalled { near, .. } =
            found.closure(&["gccc".to_owned()]).unwrap_err()
        else {
            panic!("another error")
        };
        assert_eq!(near.as_deref(), Some("gcc"));
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(Distribution::read(empty.path()), Err(HostPackagesError::NoDatabase)));
    }
}

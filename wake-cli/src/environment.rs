//! The environment of the process: its variables, read once, and a few other properties.
#![expect(clippy::disallowed_methods, reason = "all others are told from here")]

use std::collections::BTreeMap;
use std::env::ArgsOs;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;

use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::ware::{Route, Secret, without_secrets};
use wake_store::{Owners, SAFE_DIRECTORY, SafeDirectories};

/// Every environment variable that wake uses, unparsed.
///
/// Nothing else in the program reads the environment, so this list is complete, except for variables in paths of an asset registry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Environment {
    /// `WAKE_STORE`: the store directory.
    pub(crate) store: Option<PathBuf>,
    /// `XDG_CACHE_HOME`, else `HOME/.cache`.
    pub(crate) cache: Option<PathBuf>,
    /// The user's directory of settings, keys and logins: `XDG_CONFIG_HOME/wake`, else `HOME/.config/wake`.
    pub(crate) config: Option<PathBuf>,
    /// `WAKE_PROGRESS`, unparsed.
    pub(crate) progress: Option<String>,
    /// `NO_COLOR` is set and not empty. Source: no-color.org.
    pub(crate) no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`. Source: bixense.com/clicolors.
    pub(crate) force_color: bool,
    /// The CI service that runs the build, if any.
    pub(crate) ci: Ci,
    /// The locale's characters are UTF-8.
    pub(crate) utf8: bool,
    /// `TERM`: the kind of terminal; `dumb` is one without cursor movement.
    pub(crate) terminal_kind: Option<String>,
    /// `COLUMNS`, for terminals whose size is unknown.
    pub(crate) columns: Option<usize>,
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, first in lower case, then in upper case; `SSL_CERT_FILE`; `PATH`, `HOME` and
    /// `SSH_AUTH_SOCK`, for `git`; `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR`, `DOCKER_CONFIG` and `NETRC`; `WAKE_TOKEN_NAME` for each registry. `wake doctor` also searches `PATH` for other `wake` programs.
    pub(crate) route: Route,
    /// `WAKE_SAFE_DIRECTORY`: directories separated by `:`, or `*` for all; and `SUDO_UID`, the user for whom root works.
    pub(crate) owners: Owners,
    /// `REFGENIE`: the configuration of the asset registry.
    pub(crate) refgenie: Option<PathBuf>,
    /// The variables of Velocity.
    pub(crate) velocity: Velocity,
    /// `DOCKER_CONFIG`, `DOCKER_CONTEXT`, `DOCKER_HOST`, `KUBECONFIG`: for the tools that build images.
    pub(crate) engines: BTreeMap<String, String>,
    /// `TMPDIR`: where crash reports are written.
    pub(crate) temporary: Option<PathBuf>,
}

/// The variables of Velocity, of both generations.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Velocity {
    /// `VELOCITY_IMAGE_PATH`, else `VELOCITY_IMAGE_DIR`: image directories, separated by `:`.
    pub(crate) image_path: Option<String>,
    /// `VELOCITY_SYSTEM`.
    pub(crate) system: Option<String>,
    /// `VELOCITY_BACKEND`.
    pub(crate) backend: Option<String>,
    /// `VELOCITY_DISTRO`.
    pub(crate) distro: Option<String>,
    /// `VELOCITY_BUILD_DIR`.
    pub(crate) build_dir: Option<String>,
    /// `VELOCITY_CONFIG_DIR`, else `HOME/.velocity`.
    pub(crate) config_dir: Option<PathBuf>,
    /// `VELOCITY_OPENSHIFT_CPU_LIMIT`.
    pub(crate) cpu_limit: Option<String>,
    /// `VELOCITY_OPENSHIFT_MEMORY_LIMIT`.
    pub(crate) memory_limit: Option<String>,
}

/// The variables of tools that build images. Source: docker(1), oc(1).
const ENGINES: [&str; 4] = ["DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST", "KUBECONFIG"];

/// The CI service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ci {
    /// Not in CI.
    #[default]
    No,
    /// `CI` is set.
    Some,
    /// `GITHUB_ACTIONS` is `true`, so annotations are supported.
    GitHub,
}

impl Environment {
    /// Whether the terminal has no cursor movement.
    pub(crate) fn is_dumb(&self) -> bool {
        self.terminal_kind.as_deref() == Some("dumb")
    }

    /// Reads the environment of this process.
    pub(crate) fn read() -> Self {
        let mut environment = Environment::from(|name| std::env::var_os(name));
        environment.route.tokens = tokens(std::env::vars_os());
        environment
    }

    /// Reads the variables from any source; an empty value counts as unset.
    fn from(look_up: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| look_up(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let proxy = |name: &str| text(&name.to_ascii_lowercase()).or_else(|| text(name));
        let locale = text("LC_ALL").or_else(|| text("LC_CTYPE")).or_else(|| text("LANG"));
        // Source: the base directory specification.
        let base = |name: &str, below_home: &str| {
            let named = set(name).map(PathBuf::from).filter(|path| path.is_absolute());
            named.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(below_home)))
        };
        Environment {
            store: set("WAKE_STORE").map(PathBuf::from),
            cache: base("XDG_CACHE_HOME", ".cache"),
            config: base("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("wake")),
            progress: text("WAKE_PROGRESS"),
            no_color: set("NO_COLOR").is_some(),
            force_color: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            ci: match (text("GITHUB_ACTIONS").as_deref(), set("CI")) {
                (Some("true"), _) => Ci::GitHub,
                (_, Some(_)) => Ci::Some,
                _ => Ci::No,
            },
            utf8: locale.is_some_and(|locale| is_utf8(&locale)),
            terminal_kind: text("TERM"),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
            route: Route {
                offline: false,
                http_proxy: proxy("HTTP_PROXY"),
                https_proxy: proxy("HTTPS_PROXY"),
                all_proxy: proxy("ALL_PROXY"),
                no_proxy: proxy("NO_PROXY"),
                authorities: set("SSL_CERT_FILE").map(PathBuf::from),
                more_authorities: None,
                mirrors: Vec::new(),
                at_once: None,
                patience: None,
                logins: logins(set),
                tokens: BTreeMap::new(),
                own_logins: base("XDG_CONFIG_HOME", ".config")
                    .map(|dir| dir.join("wake/credentials.toml")),
                netrc: set("NETRC")
                    .map(PathBuf::from)
                    .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".netrc"))),
                search_path: set("PATH"),
                home: set("HOME"),
                ssh_agent: set("SSH_AUTH_SOCK"),
            },
            owners: Owners {
                behind_root: text("SUDO_UID").and_then(|user| user.parse().ok()),
                safe: set(SAFE_DIRECTORY)
                    .map_or_else(SafeDirectories::default, |value| safe(&value)),
            },
            velocity: Velocity {
                image_path: text("VELOCITY_IMAGE_PATH").or_else(|| text("VELOCITY_IMAGE_DIR")),
                system: text("VELOCITY_SYSTEM"),
                backend: text("VELOCITY_BACKEND"),
                distro: text("VELOCITY_DISTRO"),
                build_dir: text("VELOCITY_BUILD_DIR"),
                config_dir: base("VELOCITY_CONFIG_DIR", ".velocity"),
                cpu_limit: text("VELOCITY_OPENSHIFT_CPU_LIMIT"),
                memory_limit: text("VELOCITY_OPENSHIFT_MEMORY_LIMIT"),
            },
            refgenie: set("REFGENIE").map(PathBuf::from),
            engines: ENGINES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), text(name)?)))
                .collect(),
            temporary: set("TMPDIR").map(PathBuf::from),
        }
    }
}

/// Returns a variable that occurs in a configured path.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the logins for registries, by the names of their variables.
fn tokens(all: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, Secret> {
    let text = |(name, value): (OsString, OsString)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let is_one = name.starts_with("WAKE_TOKEN_") && !value.is_empty();
        is_one.then(|| (name, Secret::new(value)))
    };
    all.filter_map(text).collect()
}

/// Returns where container tools keep logins. Source: containers-auth.json(5), docker-login(1).
fn logins(set: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let below = |name: &str, path: &str| Some(PathBuf::from(set(name)?).join(path));
    let files = [
        set("REGISTRY_AUTH_FILE").map(PathBuf::from),
        below("XDG_RUNTIME_DIR", "containers/auth.json"),
        below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json")),
    ];
    files.into_iter().flatten().collect()
}

/// Properties of the process other than arguments and environment.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// The directory it was started in.
    pub(crate) cwd: PathBuf,
    /// Standard error is a terminal.
    pub(crate) terminal: bool,
    /// The command line.
    pub(crate) argv: Vec<String>,
}

impl Process {
    /// Queries the system about this process.
    pub(crate) fn this() -> Result<Self, Diagnostic> {
        let cwd = std::env::current_dir().map_err(|source| {
            Diagnostic::error(
                Class::Environment,
                format!("cannot determine the current directory: {source}"),
            )
        })?;
        let argv = shown_arguments().collect();
        Ok(Process { cwd, terminal: std::io::stderr().is_terminal(), argv })
    }
}

/// Returns the command line, starting with the program's name.
pub(crate) fn arguments() -> ArgsOs {
    std::env::args_os()
}

/// Returns the command line without passwords in URLs, for logs and reports.
pub(crate) fn shown_arguments() -> impl Iterator<Item = String> {
    arguments().map(|arg| without_secrets(&arg.to_string_lossy()).into_owned())
}

/// Returns the path of this program, to start it as a worker.
pub(crate) fn program() -> Result<PathBuf, Diagnostic> {
    std::env::current_exe().map_err(|source| {
        Diagnostic::error(
            Class::Environment,
            format!("cannot determine the path of the wake executable: {source}"),
        )
    })
}

fn safe(value: &OsStr) -> SafeDirectories {
    if value == "*" {
        return SafeDirectories::All;
    }
    SafeDirectories::These(std::env::split_paths(value).filter(|dir| dir.is_absolute()).collect())
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8") || locale.contains("utf-8@")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Environment {
        Environment::from(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let environment = with(&[("NO_COLOR", ""), ("WAKE_STORE", ""), ("CI", "")]);
        assert_eq!(environment, Environment::default());
    }

    #[test]
    fn the_cache_is_xdg_before_home() {
        assert_eq!(with(&[("HOME", "/home/a")]).cache, Some(PathBuf::from("/home/a/.cache")));
        let both = with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")]);
        assert_eq!(both.cache, Some(PathBuf::from("/c")));
        // The base directory specification calls a relative path invalid and says to ignore it.
        let relative = with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "c")]);
        assert_eq!(relative.cache, Some(PathBuf::from("/home/a/.cache")));
    }

    #[test]
    fn settings_keys_and_logins_are_in_the_config_directory() {
        let config = |set: &[(&str, &str)]| with(set).config.map(|path| path.display().to_string());
        assert_eq!(config(&[("HOME", "/h")]).as_deref(), Some("/h/.config/wake"));
        let both = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")];
        assert_eq!(config(&both).as_deref(), Some("/x/wake"));
        assert_eq!(config(&[]), None);
    }

    #[test]
    fn the_first_locale_variable_wins() {
        assert!(with(&[("LANG", "de_DE.UTF-8")]).utf8);
        assert!(with(&[("LANG", "C.utf8")]).utf8);
        assert!(!with(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]).utf8);
        assert!(!with(&[]).utf8);
    }

    #[test]
    fn crash_reports_go_to_the_temporary_directory() {
        assert_eq!(with(&[("TMPDIR", "/t")]).temporary, Some(PathBuf::from("/t")));
        assert_eq!(with(&[]).temporary, None);
    }

    #[test]
    fn safe_directories_are_absolute_paths() {
        let safe = |value: &str| with(&[(SAFE_DIRECTORY, value)]).owners.safe;
        assert_eq!(safe("*"), SafeDirectories::All);
        let these = SafeDirectories::These(vec!["/a".into(), "/b c".into()]);
        assert_eq!(safe("/a:/b c:d:"), these);
        assert_eq!(safe(""), SafeDirectories::default());
        assert_eq!(with(&[("SUDO_UID", "1000")]).owners.behind_root, Some(1000));
        assert_eq!(with(&[("SUDO_UID", "-1")]).owners.behind_root, None);
    }

    #[test]
    fn logins_of_container_tools_are_found() {
        let files = |set: &[(&str, &str)]| {
            let logins = with(set).route.logins;
            logins.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let all =
            [("REGISTRY_AUTH_FILE", "/a.json"), ("XDG_RUNTIME_DIR", "/run/1"), ("HOME", "/h")];
        let expected = ["/a.json", "/run/1/containers/auth.json", "/h/.docker/config.json"];
        assert_eq!(files(&all), expected);
        assert_eq!(files(&[("DOCKER_CONFIG", "/d"), ("HOME", "/h")]), ["/d/config.json"]);
    }

    #[test]
    fn n3_logins_are_not_shown() {
        let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let all = [pair("WAKE_TOKEN_MAIN", "canary"), pair("WAKE_TOKEN_X", ""), pair("WAKE", "x")];
        let found = tokens(all.into_iter());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["WAKE_TOKEN_MAIN"]);
        assert!(!format!("{found:?}").contains("canary"));
    }

    #[test]
    fn proxy_variables_can_be_lower_or_upper_case() {
        let both = with(&[("http_proxy", "small:1"), ("HTTP_PROXY", "LARGE:1")]).route;
        assert_eq!(both.http_proxy.as_deref(), Some("small:1"));
        let large = with(&[("HTTPS_PROXY", "s:1"), ("ALL_PROXY", "a:1"), ("NO_PROXY", "*")]).route;
        let found = [large.https_proxy, large.all_proxy, large.no_proxy];
        assert_eq!(found.map(Option::unwrap_or_default), ["s:1", "a:1", "*"]);
        assert_eq!(large.http_proxy, None);
    }

    #[test]
    fn ci_services_are_recognized() {
        assert_eq!(with(&[("CI", "1"), ("GITHUB_ACTIONS", "true")]).ci, Ci::GitHub);
        assert_eq!(with(&[("CI", "true")]).ci, Ci::Some);
        assert!(!with(&[("CLICOLOR_FORCE", "0")]).force_color);
        assert!(with(&[("CLICOLOR_FORCE", "1")]).force_color);
    }
}

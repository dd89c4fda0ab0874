//! How other machines are reached, as whoever starts wake decides.

use super::secrets::Secret;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Files that are fetched at once, where nobody says otherwise.
const AT_ONCE: usize = 8;
/// Files that are fetched at once at most.
pub const MOST_AT_ONCE: usize = 64;
/// How long each step before the first byte of an answer may take, and the wait for any further byte, where nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where else the files lie whose addresses begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressMirror {
    /// What they begin with, to the end of a directory: `https://example.org/pub/`; of images `oci://registry.example.org/`.
    pub begin: String,
    /// What stands there instead, the first that is asked first: `https:`, `http:` or `file:`; of images `oci:` or `file:`.
    pub places: Vec<String>,
}

/// How other machines are reached. The default is directly, by what lies in the usual places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Whether nothing leads to another machine.
    pub offline: bool,
    /// The proxy for `http` addresses.
    pub http_proxy: Option<String>,
    /// The proxy for `https` addresses.
    pub https_proxy: Option<String>,
    /// The proxy for all that have none by their scheme.
    pub all_proxy: Option<String>,
    /// Who is reached without a proxy: hosts, each with all below it, between commas, or `*`.
    pub no_proxy: Option<String>,
    /// A file of PEM certificates: who may vouch for servers, instead of whom the system trusts.
    pub authorities: Option<PathBuf>,
    /// A file of PEM certificates of who may vouch for servers as well.
    pub more_authorities: Option<PathBuf>,
    /// Where else files lie that are known by their content.
    pub mirrors: Vec<AddressMirror>,
    /// How many files are fetched at once.
    pub at_once: Option<usize>,
    /// How long each step before the first byte of an answer may take, and the wait for any further byte.
    pub patience: Option<Duration>,
    /// Files that say with which name and password registries of containers are asked, the first that knows one first.
    pub logins: Vec<PathBuf>,
    /// Logins of the environment for registries, by the names of their variables.
    pub tokens: BTreeMap<String, Secret>,
    /// The file of logins that `wake login` notes.
    pub own_logins: Option<PathBuf>,
    /// The file of logins for servers of files: `.netrc`.
    pub netrc: Option<PathBuf>,
    /// Where `git` and what it starts are looked for.
    pub search_path: Option<OsString>,
    /// Where `git` finds a person's passwords, in `.netrc`.
    pub home: Option<OsString>,
    /// The socket of the agent that has a person's keys for `ssh`.
    pub ssh_agent: Option<OsString>,
}

impl Route {
    /// How many files are fetched at once.
    pub fn at_once(&self) -> usize {
        self.at_once.unwrap_or(AT_ONCE).clamp(1, MOST_AT_ONCE)
    }

    /// The addresses at which a file that is known by its content is asked for: those of mirrors, of which the one that names most of
    /// the address comes first, then its own.
    pub fn addresses(&self, url: &str) -> Vec<String> {
        let of = |mirror: &'_ AddressMirror| {
            Some((mirror.begin.len(), url.strip_prefix(&mirror.begin)?.to_owned()))
        };
        let mut found: Vec<_> =
            self.mirrors.iter().filter_map(|mirror| Some((of(mirror)?, &mirror.places))).collect();
        found.sort_by_key(|((named, _), _)| std::cmp::Reverse(*named));
        let elsewhere = found.iter().flat_map(|((_, rest), places)| {
            places.iter().map(move |place| format!("{place}{rest}"))
        });
        elsewhere.chain([url.to_owned()]).collect()
    }

    /// Whether a text is the address of a proxy.
    pub fn is_proxy(text: &str) -> bool {
        ureq::Proxy::new(text).is_ok()
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience.unwrap_or(PATIENCE)
    }

    /// The proxy by which `url` is reached, if there is one.
    pub(super) fn proxy(&self, url: &str) -> Option<&str> {
        let (scheme, rest) = url.split_once("://")?;
        let own = if scheme == "https" { &self.https_proxy } else { &self.http_proxy };
        let proxy = own.as_ref().or(self.all_proxy.as_ref())?;
        (!self.goes_directly(host(rest))).then_some(proxy)
    }

    /// Source: curl(1), `NO_PROXY`, which `git` follows as well.
    fn goes_directly(&self, host: &str) -> bool {
        let mut names = self.no_proxy.as_deref().unwrap_or_default().split([',', ' ']);
        names.any(|name| {
            let name = name.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
            let host = host.to_ascii_lowercase();
            let above = host.strip_suffix(&name).is_some_and(|below| below.ends_with('.'));
            name == "*" || !name.is_empty() && (name == host || above)
        })
    }
}

/// The host of an address behind its scheme, without user and port.
fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_asked_first_and_the_nearest_of_them_before_others() {
        let mirror = |begin: &str, places: &[&str]| AddressMirror {
            begin: begin.to_owned(),
            places: places.iter().map(|&place| place.to_owned()).collect(),
        };
        let mirrors = vec![
            mirror("https://a/", &["https://m/a/", "file:///m/"]),
            mirror("https://a/pub/", &["https://near/"]),
            mirror("https://a/pub/", &["https://next/"]),
            mirror("https://b/", &["https://no/"]),
        ];
        let route = Route { mirrors, ..Route::default() };
        let expected = [
            "https://near/x.gz?y",
            "https://next/x.gz?y",
            "https://m/a/pub/x.gz?y",
            "file:///m/pub/x.gz?y",
            "https://a/pub/x.gz?y",
        ];
        assert_eq!(route.addresses("https://a/pub/x.gz?y"), expected);
        assert_eq!(route.addresses("https://c/x"), ["https://c/x"]);
    }

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_have_none() {
        let text = |text: &str| Some(text.to_owned());
        let route = Route {
            http_proxy: text("h:1"),
            https_proxy: text("s:2"),
            no_proxy: text("localhost, .Inner.example,*.wide.example,::1"),
            ..Route::default()
        };
        for (url, proxy) in [
            ("http://a/x", Some("h:1")),
            ("https://a:443/x", Some("s:2")),
            ("https://localhost.example/", Some("s:2")),
            ("http://localhost:80/", None),
            ("https://u:p@inner.example/", None),
            ("https://deep.INNER.example/", None),
            ("https://notinner.example/", Some("s:2")),
            ("http://a.wide.example?x@b", None),
            ("http://[::1]:8/", None),
        ] {
            assert_eq!(route.proxy(url), proxy, "{url}");
        }
        let all = Route { all_proxy: text("all:3"), ..Route::default() };
        assert_eq!(
            (all.proxy("http://a/"), all.proxy("https://a/")),
            (Some("all:3"), Some("all:3"))
        );
        let none = Route { no_proxy: text("*"), ..all };
        assert_eq!(none.proxy("http://a/"), None);
        assert_eq!(Route::default().proxy("http://a/"), None);
    }
}

//! Network settings, as chosen by the user who runs wake.

use super::secrets::Secret;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The default number of files fetched at the same time.
const AT_ONCE: usize = 8;
/// The maximum number of files fetched at the same time.
pub const MOST_AT_ONCE: usize = 64;
/// The default timeout of each step before the first byte of a response, and of waiting for any further byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// An alternative location for files whose addresses have a common prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressMirror {
    /// The prefix, up to the end of a directory: `https://example.org/pub/`; for images `oci://registry.example.org/`.
    pub begin: String,
    /// The replacements for the prefix, in the order in which they are tried: `https:`, `http:` or `file:`; for images
    /// `oci:` or `file:`.
    pub places: Vec<String>,
}

/// How the network is accessed. By default directly, with the system's usual settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Whether network access is disabled.
    pub offline: bool,
    /// The proxy for `http` addresses.
    pub http_proxy: Option<String>,
    /// The proxy for `https` addresses.
    pub https_proxy: Option<String>,
    /// The proxy for addresses without a proxy for their scheme.
    pub all_proxy: Option<String>,
    /// Hosts that are accessed without a proxy, each including its subdomains, comma-separated, or `*`.
    pub no_proxy: Option<String>,
    /// A PEM file of certificate authorities that replace the system's.
    pub authorities: Option<PathBuf>,
    /// A PEM file of additional certificate authorities.
    pub more_authorities: Option<PathBuf>,
    /// Mirrors of files that are identified by their content.
    pub mirrors: Vec<AddressMirror>,
    /// How many files are fetched at the same time.
    pub at_once: Option<usize>,
    /// The timeout of each step before the first byte of a response, and of waiting for any further byte.
    pub patience: Option<Duration>,
    /// Files with user names and passwords for container registries, in order of precedence.
    pub logins: Vec<PathBuf>,
    /// Logins for registries from the environment, by variable name.
    pub tokens: BTreeMap<String, Secret>,
    /// The file in which `wake login` stores logins.
    pub own_logins: Option<PathBuf>,
    /// The file of logins for file servers: `.netrc`.
    pub netrc: Option<PathBuf>,
    /// Where `git` and the programs it starts are looked up.
    pub search_path: Option<OsString>,
    /// The home directory, where `git` finds the user's passwords in `.netrc`.
    pub home: Option<OsString>,
    /// The socket of the user's `ssh` agent.
    pub ssh_agent: Option<OsString>,
}

impl Route {
    /// Returns how many files are fetched at the same time.
    pub fn at_once(&self) -> usize {
        self.at_once.unwrap_or(AT_ONCE).clamp(1, MOST_AT_ONCE)
    }

    /// Returns the addresses at which a file that is identified by its content is looked for: those of mirrors, the one
    /// with the longest prefix first, then its own.
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

    /// Returns whether a text is the address of a proxy.
    pub fn is_proxy(text: &str) -> bool {
        ureq::Proxy::new(text).is_ok()
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience.unwrap_or(PATIENCE)
    }

    /// Returns the proxy for `url`, if there is one.
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

/// Returns the host of an address after its scheme, without user and port.
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
    fn mirrors_come_first_with_the_longest_prefix_before_others() {
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
    fn each_scheme_has_its_proxy_and_some_hosts_none() {
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

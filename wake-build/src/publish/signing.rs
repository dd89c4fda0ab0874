//! Signing what is published.

use wake_model::{Name, Release};
use wake_registry::{
    Address, Attestation, Directory, HeadKeys, KeyError, KeyRing, NamedKey, Provenance, Registry,
    SecretKey,
};
use wake_steps::clock;
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Level};

use super::verification::Verified;
use super::{Candidate, PublishRequest, PublishStep};
use crate::registries::registry_failure;
use crate::session::Session;
use crate::workspace::WORKSPACE_FILE;

/// Who signs what is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// The user's key, if there is one.
    #[default]
    IfPossible,
    /// The key with this name, or in this file.
    By(String),
    /// Nobody.
    Nobody,
}

impl Session {
    /// Signs the present state of a directory registry, valid for a number of seconds; returns its number, and the key used.
    pub fn sign_registry(
        &self,
        name: &str,
        key: Option<&str>,
        holds: u64,
    ) -> Result<(u64, NamedKey), Failure> {
        let (name, address) = self.registries.named(name)?;
        let Address::Dir(dir) = address else {
            let message =
                format!("`{address}` is not a directory, and only directories have a head to sign");
            return Err(Diagnostic::error(Class::Usage, message).into());
        };
        let key = self.head_key(name, key)?;
        let mut directory = Directory::existing(dir, name).map_err(registry_failure)?;
        let now = clock::unix_ms() / 1000;
        let head = directory.sign(&key.key, now, holds).map_err(registry_failure)?;
        Ok((head.serial, key))
    }

    /// Returns the key for signing a registry: the named one, else one that its readers trust, else the only one.
    fn head_key(&self, name: &Name, named: Option<&str>) -> Result<NamedKey, Diagnostic> {
        let ring = self.key_ring();
        let believed = self.registries.settings().keys.get(name);
        if let Some(named) = named {
            let key = ring.find(named, &self.options.cwd).map_err(key_failure)?;
            let counts = believed.is_none_or(|keys| keys.contains(&key.key.public()));
            return match counts {
                true => Ok(key),
                false => {
                    let id = key.key.public().id();
                    let message =
                        format!("`{WORKSPACE_FILE}` does not trust {id} for registry `{name}`");
                    Err(Diagnostic::error(Class::Usage, message)
                        .help(format!("add it to `keys` of `{name}` first")))
                }
            };
        }
        let mut keys = ring.all().map_err(key_failure)?;
        if let Some(believed) = believed {
            keys.retain(|key| believed.contains(&key.key.public()));
        }
        one_of(keys).and_then(|key| key.ok_or_else(no_key))
    }

    /// Returns the keys that may sign a registry. `first` is preferred.
    pub(super) fn head_keys(
        &self,
        name: &Name,
        address: &Address,
        first: Option<&NamedKey>,
    ) -> Result<HeadKeys, Diagnostic> {
        if !matches!(address, Address::Dir(_)) {
            return Ok(HeadKeys::default());
        }
        let believed = self.registries.settings().keys.get(name).cloned().unwrap_or_default();
        let mut own: Vec<SecretKey> = first.iter().map(|key| key.key.clone()).collect();
        own.extend(self.key_ring().all().map_err(key_failure)?.into_iter().map(|key| key.key));
        Ok(HeadKeys { believed, own })
    }

    /// Returns the user's key for signing anything other than packages; none if it is not signed.
    pub(crate) fn key_of_person(&self, signing: &Signing) -> Result<Option<NamedKey>, Diagnostic> {
        let ring = self.key_ring();
        match signing {
            Signing::Nobody => Ok(None),
            Signing::By(text) => Ok(Some(ring.find(text, &self.options.cwd).map_err(key_failure)?)),
            Signing::IfPossible => one_of(ring.all().map_err(key_failure)?),
        }
    }

    /// Returns the key that signs what is published; none if it is not signed.
    pub(super) fn signing_key(
        &self,
        request: &PublishRequest,
        candidates: &[Candidate],
        say: &mut dyn FnMut(PublishStep),
    ) -> Result<Option<NamedKey>, Diagnostic> {
        let ring = self.key_ring();
        let key = match &request.signing {
            Signing::Nobody => None,
            Signing::By(text) => Some(ring.find(text, &self.options.cwd).map_err(key_failure)?),
            Signing::IfPossible => {
                let mut keys = ring.all().map_err(key_failure)?;
                if keys.len() > 1 {
                    keys.retain(|key| candidates.iter().all(|one| self.counts(key, one)));
                }
                one_of(keys)?
            }
        };
        for candidate in candidates {
            let namespace = candidate.release.namespace.as_ref();
            let Some(trust) = self.registries.trust(namespace) else { continue };
            let label = &candidate.label;
            match &key {
                None if request.signing != Signing::Nobody => {
                    let message = format!("{label}: `{WORKSPACE_FILE}` requires a signature");
                    return Err(Diagnostic::error(Class::Usage, message)
                        .note(format!("trusted keys: {}", trust.ids()))
                        .help(
                            "run `wake key generate` to create a key, or use `--no-sign` to publish it unsigned",
                        ));
                }
                Some(key) if !self.counts(key, candidate) => {
                    let message = format!(
                        "{label}: it would be signed by {}, which `{WORKSPACE_FILE}` does not trust",
                        key.key.public().id()
                    );
                    let mut warning = Diagnostic::error(Class::Evaluation, message)
                        .note(format!("trusted keys: {}", trust.ids()));
                    warning.level = Level::Warning;
                    say(PublishStep::Warning(Box::new(warning)));
                }
                _ => {}
            }
        }
        Ok(key)
    }

    /// Returns whether this workspace trusts a key for a package.
    fn counts(&self, key: &NamedKey, candidate: &Candidate) -> bool {
        let trust = self.registries.trust(candidate.release.namespace.as_ref());
        trust.is_none_or(|trust| trust.keys.contains(&key.key.public()))
    }

    /// Returns whether a key has signed a published version.
    pub(super) fn has_signed(&self, key: &NamedKey, of: &Candidate) -> Result<bool, Diagnostic> {
        let Candidate { release, registry, address, .. } = of;
        let web = self.registries.web().clone();
        let reader = Registry::new(registry.clone(), address.clone(), web);
        let (pkg, meter) = (release.pkg_name(), self.registries.meter());
        let lines = reader.attestations(&pkg, &release.version, meter).map_err(registry_failure)?;
        let keys = [key.key.public()];
        let is_its = |one: &Attestation| {
            one.is_about(&release.content) && one.envelope.signer(&keys).is_some()
        };
        Ok(Attestation::all(&lines).iter().any(is_its))
    }

    /// Returns the attestation of a key for a package that was verified: a line.
    pub(super) fn attest(
        &self,
        release: &Release,
        verified: &Verified,
        request: &PublishRequest,
        key: &NamedKey,
    ) -> String {
        let provenance = Provenance {
            wake: env!("CARGO_PKG_VERSION").to_owned(),
            sandbox: self.machine.sandbox().as_ref().to_owned(),
            verified: request.verify,
            allowed_secrets: request.allowed.clone(),
            source: request.source.clone(),
            materials: verified.materials.clone(),
            steps: verified.steps.clone(),
        };
        provenance.sign(release, &key.key)
    }

    fn key_ring(&self) -> KeyRing {
        KeyRing::of(self.options.config.as_deref())
    }
}

/// Returns the only one of several keys, an error if there are more, or none without keys.
fn one_of(mut keys: Vec<NamedKey>) -> Result<Option<NamedKey>, Diagnostic> {
    if keys.len() > 1 {
        let names: Vec<&str> = keys.iter().map(|key| &*key.name).collect();
        let message = format!("several keys can sign it: {}", names.join(", "));
        let diagnostic = Diagnostic::error(Class::Usage, message);
        return Err(diagnostic.help("choose one with `--key NAME`"));
    }
    Ok(keys.pop())
}

fn no_key() -> Diagnostic {
    Diagnostic::error(Class::Usage, "no key to sign it with")
        .help("run `wake key generate` to create one, or give one with `--key FILE`")
}

/// Returns the diagnostic for a key that cannot be used.
pub fn key_failure(error: KeyError) -> Diagnostic {
    let message = error.to_string();
    match error {
        KeyError::Absent { .. } => Diagnostic::error(Class::Usage, message)
            .help("run `wake key list` to list your keys; give a file by its path, `./key.pem`"),
        KeyError::Taken { .. } => Diagnostic::error(Class::Usage, message)
            .help("give the new key another name: the old one identifies what it has signed"),
        KeyError::Open { path, .. } => {
            Diagnostic::error(Class::Environment, message).help(format!(
                "run `chmod 600 {}`, and create a new key if others may have read it",
                path.display()
            ))
        }
        KeyError::NoKey { .. } | KeyError::Io { .. } => {
            Diagnostic::error(Class::Environment, message)
        }
    }
}

//! Whose signatures are trusted for content, and whether one of them is present.

use std::collections::BTreeSet;

use wake_model::TreeDigest;

use crate::attestation::Attestation;
use crate::key::PublicKey;

/// What is required of the packages of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The trusted keys.
    pub keys: Vec<PublicKey>,
    /// What they must have signed.
    pub demand: Demand,
}

/// What must have been signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// Any statement about the content.
    Signature,
    /// The provenance of the content.
    Provenance,
}

/// Why content is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// There is no statement about it.
    #[error("it is not signed")]
    Unsigned,
    /// It is signed only by keys that are not trusted.
    #[error("it is signed by {}, which is not a trusted key", list(.0))]
    OtherKeys(Vec<String>),
    /// A signature that claims to be by a trusted key is invalid.
    #[error("its signature by {0} is invalid")]
    Forged(String),
    /// A trusted key signed a statement about different content.
    #[error("{0} signed different content")]
    OtherContent(String),
    /// A trusted key signed it, but not its provenance.
    #[error("it is signed by {0}, but without provenance")]
    NoProvenance(String),
}

impl Trust {
    /// Returns the trusted key that signed what is required of `content`, among the attestations in `bytes`; `None`
    /// if nothing is required.
    pub fn check(
        &self,
        bytes: &[u8],
        content: &TreeDigest,
    ) -> Result<Option<&PublicKey>, Distrust> {
        if self.demand == Demand::Nothing {
            return Ok(None);
        }
        let attestations = Attestation::all(bytes);
        let mut best = Distrust::Unsigned;
        for attestation in &attestations {
            let Some(key) = attestation.envelope.signer(&self.keys) else { continue };
            let is_enough = self.demand == Demand::Signature || attestation.is_provenance();
            match attestation.is_about(content) {
                true if is_enough => return Ok(Some(key)),
                true => best = Distrust::NoProvenance(key.id()),
                false if best == Distrust::Unsigned => best = Distrust::OtherContent(key.id()),
                false => {}
            }
        }
        if best != Distrust::Unsigned {
            return Err(best);
        }
        let ids: BTreeSet<String> = self.keys.iter().map(PublicKey::id).collect();
        let claimed = claimed(attestations.iter());
        if let Some(forged) = claimed.iter().find(|id| ids.contains(*id)) {
            return Err(Distrust::Forged(forged.clone()));
        }
        Err(match claimed.is_empty() {
            true => Distrust::Unsigned,
            false => Distrust::OtherKeys(claimed.into_iter().collect()),
        })
    }

    /// The ids of the trusted keys.
    pub fn ids(&self) -> String {
        list(&self.keys.iter().map(PublicKey::id).collect::<Vec<_>>())
    }
}

/// The ids of the keys that claim to have signed something about `content`, sorted. No signature is verified.
pub fn said_signers(bytes: &[u8], content: &TreeDigest) -> Vec<String> {
    let attestations = Attestation::all(bytes);
    claimed(attestations.iter().filter(|one| one.is_about(content))).into_iter().collect()
}

/// The ids of the keys that attestations claim as their signers; empty ids are left out.
fn claimed<'a>(attestations: impl Iterator<Item = &'a Attestation>) -> BTreeSet<String> {
    let ids = attestations.flat_map(|attestation| attestation.envelope.claimed());
    ids.filter(|id| !id.is_empty()).map(shown).collect()
}

/// Shortens and escapes a key id that comes from elsewhere.
fn shown(id: &str) -> String {
    id.chars().take(64).flat_map(char::escape_debug).collect()
}

fn list(ids: &[String]) -> String {
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::attestation::Provenance;
    use crate::envelope::Envelope;
    use crate::key::SecretKey;
    use crate::key::tests::key_of_the_rfc;
    use serde_json::json;
    use wake_model::Release;

    fn release(content: &str) -> Release {
        let content = content.repeat(32);
        Release::of(json!({"api":1,"content":content,"files":0,"modules":[],"name":"a","pkgs":{},"size":0,"version":"1.0.0","wake":1})).unwrap()
    }

    #[test]
    fn n8_only_a_key_that_counts_vouches_for_content() {
        let (ours, theirs) = (key_of_the_rfc(), SecretKey::generate().unwrap());
        let (release, other) = (release("ab"), release("cd"));
        let trust = |demand| Trust { keys: vec![ours.public()], demand };
        let check = |text: &str, demand| {
            let trust = trust(demand);
            trust.check(text.as_bytes(), &release.content).map(|key| key.map(PublicKey::id))
        };
        let provenance = Provenance::default();
        let (good, foreign) =
            (provenance.sign(&release, &ours), provenance.sign(&release, &theirs));
        let elsewhere = provenance.sign(&other, &ours);
        let id = ours.public().id();
        assert_eq!(check("", Demand::Nothing), Ok(None));
        for demand in [Demand::Signature, Demand::Provenance] {
            assert_eq!(check(&good, demand), Ok(Some(id.clone())));
            assert_eq!(
                check(&[&*elsewhere, &*foreign, &*good].concat(), demand),
                Ok(Some(id.clone()))
            );
            assert_eq!(check("", demand), Err(Distrust::Unsigned));
            assert_eq!(
                check(&foreign, demand),
                Err(Distrust::OtherKeys(vec![theirs.public().id()]))
            );
            assert_eq!(check(&elsewhere, demand), Err(Distrust::OtherContent(id.clone())));
            let forged = foreign.replace(&theirs.public().id(), &id);
            assert_eq!(check(&forged, demand), Err(Distrust::Forged(id.clone())));
        }
        let statement =
            provenance.statement(&release).replace("slsa.dev/provenance", "example.org/praise");
        let praise =
            Envelope::sign("application/vnd.in-toto+json", statement.into_bytes(), &ours).line();
        assert_eq!(check(&praise, Demand::Signature), Ok(Some(id.clone())));
        assert_eq!(check(&praise, Demand::Provenance), Err(Distrust::NoProvenance(id)));
    }
}

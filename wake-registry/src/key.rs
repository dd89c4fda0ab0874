//! Ed25519 keys, in the file formats that other programs use. Source: RFC 8032, RFC 8410.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The prefix of a public key in settings.
const KIND: &str = "ed25519:";
/// How many digits of its digest make up a key's id.
const ID_DIGITS: usize = 16;

/// A key that verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A key that signs. It cannot be displayed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// Why something is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeyError {
    /// It is not written as a public key.
    #[error("expected `ed25519:` and 32 bytes in base64, as printed by `wake key show`")]
    Form,
    /// It is not a point of the curve, or a weak one that verifies arbitrary signatures.
    #[error("this key cannot be used to verify signatures")]
    Weak,
    /// The file does not contain a key.
    #[error(
        "expected an unencrypted Ed25519 key in PEM, as written by `openssl genpkey -algorithm ed25519`"
    )]
    Pem,
}

impl PublicKey {
    /// Its id: the first 16 digits of the SHA-256 of its bytes.
    pub fn id(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.get(..ID_DIGITS).unwrap_or(&digits).to_owned()
    }

    /// Whether these bytes were signed with the matching secret key.
    pub(crate) fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify_strict(bytes, &signature).is_ok())
    }

    /// Parses a PEM file.
    pub fn from_pem(text: &str) -> Result<PublicKey, ParseKeyError> {
        let key = VerifyingKey::from_public_key_pem(text).map_err(|_| ParseKeyError::Pem)?;
        PublicKey::strong(key)
    }

    /// Returns the text of its PEM file, which other programs can read.
    pub fn to_pem(&self) -> String {
        // 32 bytes can always be encoded.
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    fn strong(key: VerifyingKey) -> Result<PublicKey, ParseKeyError> {
        if key.is_weak() { Err(ParseKeyError::Weak) } else { Ok(PublicKey(key)) }
    }
}

impl FromStr for PublicKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<PublicKey, ParseKeyError> {
        let bytes = text.strip_prefix(KIND).and_then(|rest| STANDARD.decode(rest).ok());
        let bytes: [u8; 32] =
            bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(ParseKeyError::Form)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| ParseKeyError::Weak)?;
        PublicKey::strong(key)
    }
}

/// The form used in settings.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl SecretKey {
    /// Generates a new key.
    pub fn generate() -> std::io::Result<SecretKey> {
        let mut bytes = [0; 32];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(
                &mut bytes[filled..],
                rustix::rand::GetRandomFlags::empty(),
            )?;
        }
        Ok(SecretKey(SigningKey::from_bytes(&bytes)))
    }

    /// Parses a PEM file.
    pub fn from_pem(text: &str) -> Result<SecretKey, ParseKeyError> {
        SigningKey::from_pkcs8_pem(text).map(SecretKey).map_err(|_| ParseKeyError::Pem)
    }

    /// Returns the text of its PEM file, which other programs can read.
    pub(crate) fn to_pem(&self) -> String {
        // Older programs cannot read files that also contain the public key.
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let text = bytes.to_pkcs8_pem(LineEnding::LF);
        text.map(|text| (*text).clone()).unwrap_or_default()
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs these bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).to_bytes().to_vec()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().id())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Source: RFC 8032, 7.1, test 1.
    const SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

    /// The key of that test.
    pub(crate) fn key_of_the_rfc() -> SecretKey {
        let byte = |at: usize| u8::from_str_radix(&SECRET[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..SECRET.len()).step_by(2).map(byte).collect();
        SecretKey(SigningKey::from_bytes(&bytes.try_into().unwrap()))
    }

    #[test]
    fn keys_are_called_by_their_digest_and_come_back_as_they_were() {
        let secret = key_of_the_rfc();
        let public = secret.public();
        assert_eq!(public.id(), "21fe31dfa154a261");
        assert_eq!(public.to_string(), "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        assert_eq!(public.to_string().parse(), Ok(public.clone()));
        assert_eq!(PublicKey::from_pem(&public.to_pem()), Ok(public.clone()));
        assert_eq!(SecretKey::from_pem(&secret.to_pem()).unwrap().public(), public);
        let signature: String = secret.sign(b"").iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            signature
                .starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
        );
        assert!(public.has_signed(b"", &secret.sign(b"")));
        assert!(!public.has_signed(b"x", &secret.sign(b"")));
        assert!(!public.has_signed(b"", b"short"));
        assert_eq!(format!("{secret:?}"), "SecretKey(21fe31dfa154a261)");
    }

    #[test]
    fn every_new_key_is_another_one() {
        let (one, two) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        assert_ne!(one.public(), two.public());
    }

    #[test]
    fn invalid_keys_are_refused() {
        for text in ["", "ed25519:", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "ed25519:AAAA"]
        {
            assert_eq!(text.parse::<PublicKey>(), Err(ParseKeyError::Form), "{text}");
        }
        // The neutral element, for which every signature of a certain form would be valid.
        let weak = format!("{KIND}{}", STANDARD.encode([[1].as_slice(), &[0; 31]].concat()));
        assert_eq!(weak.parse::<PublicKey>(), Err(ParseKeyError::Weak));
        assert!(
            SecretKey::from_pem("-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n")
                .is_err()
        );
    }
}

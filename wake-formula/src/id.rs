use std::fmt;
use wake_store::ware::cbor::{Cbor, Item, KeyOrder};
use wake_store::ware::{Sha384Digest, base58};

/// The identity of a formula: what it computes, not where its inputs come from or its outputs go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormulaId(String);

impl FormulaId {
    /// Returns the id as written in run records.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns base58 of SHA-384 over CBOR with keys in the order given: repeatr's ids.
    pub(crate) fn of_cbor(item: &Item) -> Self {
        let mut cbor = Cbor::new();
        cbor.item(item, KeyOrder::AsGiven);
        Self(Sha384Digest::of(cbor.as_bytes()).to_string())
    }

    /// Returns a CIDv1 in base58 of SHA-384 over DAG-CBOR: warpforge's ids.
    pub(crate) fn of_dag_cbor(item: &Item) -> Self {
        /// CIDv1, codec dag-cbor, multihash sha2-384 of 48 bytes.
        const PREFIX: [u8; 4] = [0x01, 0x71, 0x20, 0x30];
        let mut cbor = Cbor::new();
        cbor.item(item, KeyOrder::LengthFirst);
        let digest = Sha384Digest::of(cbor.as_bytes());
        Self(format!("z{}", base58(&[&PREFIX[..], digest.as_bytes()].concat())))
    }
}

impl fmt::Display for FormulaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! Writes the small subset of CBOR (RFC 7049) that ware and formula ids are computed from.
//!
//! Heads are always minimal, lengths definite except where a caller opens an indefinite array.

/// A CBOR document under construction.
#[derive(Clone, Debug, Default)]
pub struct Cbor {
    bytes: Vec<u8>,
}

impl Cbor {
    /// Starts an empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends an integer.
    pub fn int(&mut self, value: i64) {
        if value >= 0 {
            self.head(0, value as u64);
        } else {
            self.head(1, !(value as u64));
        }
    }

    /// Appends a byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.head(2, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Appends a text string.
    pub fn text(&mut self, value: &str) {
        self.head(3, value.len() as u64);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// Appends a text string whose bytes need not be UTF-8, as Go programs write strings.
    pub(crate) fn raw_text(&mut self, value: &[u8]) {
        self.head(3, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Starts an array of `len` items, which the caller appends next.
    pub fn array(&mut self, len: usize) {
        self.head(4, len as u64);
    }

    /// Starts an array of unknown length; [`Cbor::close`] ends it.
    pub fn open_array(&mut self) {
        self.bytes.push(0x9f);
    }

    /// Ends the array started by [`Cbor::open_array`].
    pub fn close(&mut self) {
        self.bytes.push(0xff);
    }

    /// Starts a map of `len` pairs, whose keys and values the caller appends next.
    pub fn map(&mut self, len: usize) {
        self.head(5, len as u64);
    }

    /// Appends `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(if value { 0xf5 } else { 0xf4 });
    }

    /// Appends `null`.
    pub fn null(&mut self) {
        self.bytes.push(0xf6);
    }

    /// Appends a whole value, with map keys in the order `keys`.
    pub fn item(&mut self, item: &Item, keys: KeyOrder) {
        match item {
            Item::Null => self.null(),
            Item::Bool(value) => self.bool(*value),
            Item::Int(value) => self.int(*value),
            Item::Text(value) => self.text(value),
            Item::Array(items) => {
                self.array(items.len());
                items.iter().for_each(|item| self.item(item, keys));
            }
            Item::Map(pairs) => {
                let mut pairs: Vec<&(String, Item)> = pairs.iter().collect();
                if keys == KeyOrder::LengthFirst {
                    pairs.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
                }
                self.map(pairs.len());
                for (key, value) in pairs {
                    self.text(key);
                    self.item(value, keys);
                }
            }
        }
    }

    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        match value {
            0..=23 => self.bytes.push(major | value as u8),
            24..=0xff => self.bytes.extend_from_slice(&[major | 24, value as u8]),
            0x100..=0xffff => {
                self.bytes.push(major | 25);
                self.bytes.extend_from_slice(&(value as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.bytes.push(major | 26);
                self.bytes.extend_from_slice(&(value as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(major | 27);
                self.bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
    }
}

/// A value for [`Cbor::item`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `null`.
    Null,
    /// A Boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Text.
    Text(String),
    /// An array.
    Array(Vec<Item>),
    /// Pairs in the order of their document.
    Map(Vec<(String, Item)>),
}

/// The order of the keys of every map in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// In the given order: repeatr's documents.
    AsGiven,
    /// Shorter keys first, then bytewise: DAG-CBOR, which warpforge uses.
    LengthFirst,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: i64) -> Vec<u8> {
        let mut cbor = Cbor::new();
        cbor.int(value);
        cbor.as_bytes().to_vec()
    }

    // The expectations are the examples of RFC 7049, appendix A.
    #[test]
    fn integers_take_the_fewest_bytes() {
        assert_eq!(int(0), [0x00]);
        assert_eq!(int(23), [0x17]);
        assert_eq!(int(24), [0x18, 0x18]);
        assert_eq!(int(1000), [0x19, 0x03, 0xe8]);
        assert_eq!(int(1_000_000), [0x1a, 0x00, 0x0f, 0x42, 0x40]);
        assert_eq!(int(1_000_000_000_000), [0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0]);
        assert_eq!(int(-1), [0x20]);
        assert_eq!(int(-100), [0x38, 0x63]);
        assert_eq!(int(-1000), [0x39, 0x03, 0xe7]);
    }

    #[test]
    fn length_first_puts_short_keys_before_long_ones() {
        let map = Item::Map(vec![
            ("bb".into(), Item::Int(1)),
            ("aaa".into(), Item::Int(2)),
            ("c".into(), Item::Bool(true)),
        ]);
        let mut cbor = Cbor::new();
        cbor.item(&map, KeyOrder::LengthFirst);
        assert_eq!(cbor.as_bytes(), b"\xa3\x61c\xf5\x62bb\x01\x63aaa\x02");
    }
}

//! Values of fixed size in files, with numbers in little-endian order.

use std::io::Write;

use wake_model::{BlobDigest, Digest};

/// A value that always takes the same number of bytes.
pub(crate) trait Fixed: Sized {
    /// The number of bytes.
    const SIZE: usize;

    /// Writes it.
    fn put(&self, out: &mut impl Write);

    /// Reads it from the start of `bytes`; none if there are too few.
    fn get(bytes: &mut &[u8]) -> Option<Self>;
}

/// Implements it for structs, field by field.
macro_rules! fixed {
    ($($(#[$about:meta])* $seen:vis struct $name:ident {
        $($(#[$field_about:meta])* $field_seen:vis $field:ident: $kind:ty,)*
    })*) => {$(
        $(#[$about])*
        $seen struct $name {
            $($(#[$field_about])* $field_seen $field: $kind,)*
        }

        impl $crate::fixed::Fixed for $name {
            const SIZE: usize = 0 $(+ <$kind as $crate::fixed::Fixed>::SIZE)*;

            fn put(&self, out: &mut impl std::io::Write) {
                $(self.$field.put(out);)*
            }

            fn get(bytes: &mut &[u8]) -> Option<Self> {
                Some($name { $($field: $crate::fixed::Fixed::get(bytes)?,)* })
            }
        }
    )*};
}

pub(crate) use fixed;

impl<const N: usize> Fixed for [u8; N] {
    const SIZE: usize = N;

    fn put(&self, out: &mut impl Write) {
        // Writing to memory with enough room cannot fail.
        let _ = out.write_all(self);
    }

    fn get(bytes: &mut &[u8]) -> Option<Self> {
        let (head, tail) = bytes.split_first_chunk()?;
        *bytes = tail;
        Some(*head)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Fixed for $number {
            const SIZE: usize = size_of::<$number>();

            fn put(&self, out: &mut impl Write) {
                self.to_le_bytes().put(out);
            }

            fn get(bytes: &mut &[u8]) -> Option<Self> {
                Fixed::get(bytes).map(<$number>::from_le_bytes)
            }
        }
    )*};
}

numbers!(u8, u32, u64, i64);

impl<T: Fixed> Fixed for (T, T) {
    const SIZE: usize = 2 * T::SIZE;

    fn put(&self, out: &mut impl Write) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(bytes: &mut &[u8]) -> Option<Self> {
        Some((T::get(bytes)?, T::get(bytes)?))
    }
}

impl Fixed for BlobDigest {
    const SIZE: usize = 32;

    fn put(&self, out: &mut impl Write) {
        self.0.as_bytes().put(out);
    }

    fn get(bytes: &mut &[u8]) -> Option<Self> {
        Some(BlobDigest(Digest::from_bytes(Fixed::get(bytes)?)))
    }
}

//! Unique names for runs and unfinished files.

use crate::clock;
use std::sync::Mutex;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghkmnopqrstvwxyz";

/// Returns a new GUID, `tttttttt-rrrrrrrr-rrrrrrrr`: milliseconds since 1970 modulo 32⁸, then 80 random bits.
///
/// GUIDs of one process differ even within a millisecond: the random part is then incremented.
pub fn new_guid() -> String {
    static LAST: Mutex<(u64, [u8; 16])> = Mutex::new((0, [0; 16]));
    let now = clock::since_1970().as_millis() as u64;
    let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if last.0 == now {
        increment(&mut last.1);
    } else {
        *last = (now, random_digits());
    }
    spell(last.0, &last.1)
}

/// Returns whether `text` has the form of a GUID from [`new_guid`].
pub fn is_guid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, &u8)| match at {
        8 | 17 => *byte == b'-',
        _ => ALPHABET.contains(byte),
    };
    text.len() == 26 && text.as_bytes().iter().enumerate().all(is_right)
}

fn spell(millis: u64, random: &[u8; 16]) -> String {
    let time = (0..8).rev().map(|place| (millis >> (5 * place) & 31) as u8);
    let digits = time.chain(random.iter().copied()).enumerate();
    let mut guid = String::with_capacity(26);
    for (at, digit) in digits {
        if at == 8 || at == 16 {
            guid.push('-');
        }
        guid.push(char::from(ALPHABET[usize::from(digit)]));
    }
    guid
}

/// Increments by one, the last digit first, with carry to the left.
fn increment(random: &mut [u8; 16]) {
    for digit in random.iter_mut().rev() {
        *digit = (*digit + 1) % 32;
        if *digit != 0 {
            return;
        }
    }
}

fn random_digits() -> [u8; 16] {
    let mut bytes = [0u8; 16];
    if rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).is_err() {
        // Without an entropy source, the process and the clock still make GUIDs unique.
        let seed = u128::from(std::process::id()) << 64 | clock::since_1970().as_nanos();
        bytes = seed.to_le_bytes();
    }
    bytes.map(|byte| byte % 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_time_has_its_published_text() {
        // The example record of the Timeless documents was started at 1544875520.111.
        assert!(spell(1_544_875_520_111, &[0; 16]).starts_with("cyrw3c3f-"));
    }

    #[test]
    fn incrementing_carries_over() {
        let mut random = [0; 16];
        random[15] = 31;
        increment(&mut random);
        assert_eq!((random[14], random[15]), (1, 0));
    }

    #[test]
    fn guids_of_one_process_differ() {
        let guids: std::collections::BTreeSet<String> = (0..1000).map(|_| new_guid()).collect();
        assert_eq!(guids.len(), 1000);
        assert!(guids.iter().all(|guid| guid.len() == 26 && is_guid(guid)));
        for text in ["", "guid", "cyrw3c3f-00000000-0000000", "cyrw3c3f-00000000x00000000"] {
            assert!(!is_guid(text), "{text}");
        }
    }
}

//! Values to plant: each as real as its kind, and unlike any other value of any run.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::running::Running;
use crate::model::{Canary, CanaryKind};

impl Running {
    /// Makes a value and keeps it with the evidence. `places`: where the scenario plants it.
    pub fn plant(&mut self, kind: CanaryKind, places: &[&str]) -> String {
        let canary = make(kind, places);
        let value = canary.value.clone();
        self.evidence.canaries.push(canary);
        value
    }
}

pub(super) fn make(kind: CanaryKind, places: &[&str]) -> Canary {
    let value = match kind {
        CanaryKind::BearerToken => format!("tok-{}", letters(32)),
        // Letters that carriers escape, each in its own way.
        CanaryKind::Password => format!("Blue&\"Horse{}", letters(12)),
        // No country has 999.
        CanaryKind::Phone => format!("+999{}", digits(10)),
        CanaryKind::CardNumber => card_number(),
        CanaryKind::Email => format!("person.{}@example.com", letters(12)),
        CanaryKind::Credential => letters(24),
    };
    Canary { kind, value, planted: places.iter().map(|place| place.to_string()).collect() }
}

/// Sixteen digits with a valid last one (Luhn), of a range that no bank has.
fn card_number() -> String {
    let number = format!("999999{}", digits(9));
    let doubled = |place: usize, digit: u32| {
        if place.is_multiple_of(2) { digit * 2 - if digit > 4 { 9 } else { 0 } } else { digit }
    };
    let sum: u32 = number
        .chars()
        .enumerate()
        .filter_map(|(place, digit)| Some(doubled(place, digit.to_digit(10)?)))
        .sum();
    format!("{number}{}", (10 - sum % 10) % 10)
}

fn letters(count: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..count).map(|_| char::from(ALPHABET[(random() % 36) as usize])).collect()
}

fn digits(count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + (random() % 10) as u8)).collect()
}

/// The keys of a new hash map are the system's own randomness.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_of_a_kind_differ() {
        use CanaryKind::*;
        for kind in [BearerToken, Password, Phone, CardNumber, Email, Credential] {
            let (one, other) = (make(kind, &["a"]).value, make(kind, &[]).value);
            assert!(one != other && one.len() >= 13, "{one}");
        }
    }

    #[test]
    fn a_card_number_is_valid_and_nobodys() {
        for _ in 0..100 {
            let number = make(CanaryKind::CardNumber, &[]).value;
            let digits = number.bytes().rev().map(|digit| u32::from(digit - b'0')).enumerate();
            let sum: u32 = digits
                .map(|(place, digit)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit })
                .sum();
            assert!(number.len() == 16 && number.starts_with("999999") && sum.is_multiple_of(10), "{number}");
        }
    }
}

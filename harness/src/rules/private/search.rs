//! Planted values in captured bytes: as they are, and behind the escapes that carriers put on them.
//!
//! One pass of an automaton over the bytes for all values and their base64 and hexadecimal forms; percent and JSON escapes are
//! taken off, a few layers of them, and what is beneath is searched again. Linear in the bytes.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::model::{Canary, CanaryKind};

/// Escapes within escapes that are taken off: a percent-encoded value in a JSON text in a JSON text.
const LAYERS_MAX: usize = 4;
/// What is shorter may stand anywhere by chance.
const NEEDLE_BYTES_MIN: usize = 6;

/// The values that are looked for.
pub(crate) struct Needles<'c> {
    canaries: Vec<&'c Canary>,
    automaton: AhoCorasick,
    /// By pattern: which value it is of, and in which form.
    patterns: Vec<(usize, Form)>,
}

/// A value that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit<'c> {
    /// Its place among the needles' values.
    number: usize,
    pub(crate) kind: CanaryKind,
    pub(crate) planted: &'c [String],
    pub(crate) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Plain,
    Escaped,
    Base64,
    Hexadecimal,
}

impl Hit<'_> {
    /// Whether it is the same value, in whatever form.
    pub(crate) fn is_of_the_same(&self, other: &Hit<'_>) -> bool {
        self.number == other.number
    }
}

impl Form {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Form::Plain => "as it is",
            Form::Escaped => "escaped",
            Form::Base64 => "in base64",
            Form::Hexadecimal => "in hexadecimal",
        }
    }
}

impl<'c> Needles<'c> {
    /// `None`: there is nothing to look for.
    pub(crate) fn of(canaries: impl Iterator<Item = &'c Canary>) -> Option<Needles<'c>> {
        let canaries: Vec<_> = canaries.collect();
        let mut texts = Vec::new();
        let mut patterns = Vec::new();
        for (number, canary) in canaries.iter().enumerate() {
            for spelling in spellings(canary) {
                for (form, text) in forms(spelling) {
                    texts.push(text);
                    patterns.push((number, form));
                }
            }
        }
        if texts.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::new(&texts).ok()?;
        Some(Needles { canaries, automaton, patterns })
    }

    /// What the bytes hold: each value once, in its plainest form.
    pub(crate) fn search(&self, bytes: &[u8]) -> Vec<Hit<'c>> {
        let mut hits = Vec::new();
        self.search_layer(bytes, false, &mut hits);
        let mut layer = unescaped(bytes);
        for _ in 0..LAYERS_MAX {
            let Some(text) = layer else { break };
            self.search_layer(&text, true, &mut hits);
            layer = unescaped(&text);
        }
        hits.sort();
        hits.dedup_by_key(|hit| hit.number);
        hits
    }

    /// Whether the bytes hold any of the values.
    pub(crate) fn hold(&self, bytes: &[u8]) -> bool {
        !self.search(bytes).is_empty()
    }

    fn search_layer(&self, bytes: &[u8], escaped: bool, hits: &mut Vec<Hit<'c>>) {
        for found in self.automaton.find_overlapping_iter(bytes) {
            let (number, form) = self.patterns[found.pattern().as_usize()];
            let canary = self.canaries[number];
            let form = if escaped && form == Form::Plain { Form::Escaped } else { form };
            let hit = Hit { number, kind: canary.kind, planted: &canary.planted, form };
            if !hits.contains(&hit) {
                hits.push(hit);
            }
        }
    }
}

/// How people write a value. Of a number the digits count, of an address what is in front of the `@`.
fn spellings(canary: &Canary) -> Vec<String> {
    let digits = || canary.value.chars().filter(char::is_ascii_digit).collect::<String>();
    let spellings = match canary.kind {
        CanaryKind::Phone => vec![digits()],
        CanaryKind::CardNumber => {
            let digits = digits();
            let groups: Vec<_> =
                digits.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect();
            vec![groups.join(" "), groups.join("-"), digits.clone()]
        }
        CanaryKind::Email => vec![canary.value.split('@').next().unwrap_or_default().to_owned()],
        CanaryKind::BearerToken | CanaryKind::Password | CanaryKind::Credential => vec![canary.value.clone()],
    };
    spellings.into_iter().filter(|spelling| spelling.len() >= NEEDLE_BYTES_MIN).collect()
}

/// What a spelling is looked for as.
fn forms(spelling: String) -> Vec<(Form, String)> {
    let bytes = spelling.as_bytes();
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms =
        vec![(Form::Hexadecimal, hexadecimal.to_ascii_uppercase()), (Form::Hexadecimal, hexadecimal)];
    forms.extend(base64_forms(bytes).into_iter().map(|text| (Form::Base64, text)));
    forms.push((Form::Plain, spelling));
    forms
}

/// The letters of base64 that a value determines, wherever it begins within three bytes, in both alphabets.
fn base64_forms(value: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for shift in 0..3 {
        let shifted = [vec![0; shift], value.to_vec()].concat();
        // The first letters depend on what stands before the value, the last one on what stands behind it.
        let (from, to) = ([0, 2, 3][shift], shifted.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            let form = encoded[from..to].to_owned();
            if form.len() >= NEEDLE_BYTES_MIN && !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// The bytes without one layer of percent and JSON escapes; `None` when there is none.
fn unescaped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(ahead) = bytes[at..].iter().position(|byte| matches!(byte, b'%' | b'\\')) {
        at += ahead;
        let Some((text, length)) = escape(bytes, at) else {
            at += 1;
            continue;
        };
        plain.extend_from_slice(&bytes[copied..at]);
        plain.extend(text);
        at += length;
        copied = at;
    }
    if copied == 0 {
        return None;
    }
    plain.extend_from_slice(&bytes[copied..]);
    Some(plain)
}

/// What the escape at that place stands for, and its length.
fn escape(bytes: &[u8], at: usize) -> Option<(Vec<u8>, usize)> {
    if bytes[at] == b'%' {
        return Some((vec![hex(bytes, at + 1, 2)? as u8], 3));
    }
    match bytes.get(at + 1)? {
        letter @ (b'"' | b'\\' | b'/' | b'\'') => Some((vec![*letter], 2)),
        b'u' if bytes.get(at + 2) == Some(&b'{') => {
            let digits = bytes[at + 3..].iter().take(7).position(|byte| *byte == b'}')?;
            Some((utf_8(hex(bytes, at + 3, digits)?)?, digits + 4))
        }
        b'u' => Some((utf_8(hex(bytes, at + 2, 4)?)?, 6)),
        b'x' => Some((vec![hex(bytes, at + 2, 2)? as u8], 4)),
        _ => None,
    }
}

fn utf_8(code: u32) -> Option<Vec<u8>> {
    Some(char::from_u32(code)?.to_string().into_bytes())
}

fn hex(bytes: &[u8], at: usize, digits: usize) -> Option<u32> {
    bytes
        .get(at..at + digits)?
        .iter()
        .try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(kind: CanaryKind, value: &str) -> Canary {
        Canary { kind, value: value.into(), planted: vec!["a header".into()] }
    }

    fn found(kind: CanaryKind, value: &str, text: &str) -> Option<Form> {
        let canary = canary(kind, value);
        let needles = Needles::of([&canary].into_iter()).unwrap();
        needles.search(text.as_bytes()).first().map(|hit| hit.form)
    }

    const PASSWORD: &str = "Blue\"Horse&7é/x";

    #[test]
    fn a_value_is_found_as_it_is_and_behind_escapes() {
        let found = |text: &str| found(CanaryKind::Password, PASSWORD, text);
        assert_eq!(found(&format!("a {PASSWORD} b")), Some(Form::Plain));
        assert_eq!(found("Blue%22Horse%267%C3%A9%2fx"), Some(Form::Escaped));
        assert_eq!(found("Blue%22Horse&7%c3%a9/x"), Some(Form::Escaped));
        assert_eq!(found(r#"{"p":"Blue\"Horse\u00267\u00e9\/x"}"#), Some(Form::Escaped));
        let twice = serde_json::to_string(&serde_json::to_string(PASSWORD).unwrap()).unwrap();
        assert_eq!(found(&serde_json::to_string(&twice).unwrap()), Some(Form::Escaped));
        assert_eq!(found("Blue%2522Horse%25267%25C3%25A9%252fx"), Some(Form::Escaped));
        assert_eq!(
            found(r#""Blue\"Horse&7\u{e9}/x""#),
            Some(Form::Escaped),
            "as Rust prints it for debugging"
        );
        let hexadecimal: String = PASSWORD.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found(&format!("0x{hexadecimal}00")), Some(Form::Hexadecimal));
        assert_eq!(found(&hexadecimal.to_uppercase()), Some(Form::Hexadecimal));
        assert_eq!(found("Blue\"Horse&7é/"), None);
        assert_eq!(found("%%%\\\\u00zz\\"), None);
    }

    #[test]
    fn base64_is_found_wherever_the_value_begins() {
        for before in ["", "u", "us", "user:", "user:x"] {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let text = engine.encode(format!("{before}{PASSWORD} and more"));
                assert_eq!(
                    found(CanaryKind::Password, PASSWORD, &format!("Basic {text}==")),
                    Some(Form::Base64),
                    "{before}"
                );
            }
        }
    }

    #[test]
    fn numbers_and_addresses_are_found_however_they_are_written() {
        let phone = |text: &str| found(CanaryKind::Phone, "+999 123 4567890", text).is_some();
        assert!(phone("%2B9991234567890") && phone("009991234567890") && !phone("999123456789"));
        let card = |text: &str| found(CanaryKind::CardNumber, "4000123412341234", text).is_some();
        assert!(
            card("4000 1234 1234 1234")
                && card("4000-1234-1234-1234")
                && card("\"4000123412341234\"")
                && !card("4000 12341234 1234")
        );
        let email = |text: &str| found(CanaryKind::Email, "ann.x7f3@example.com", text).is_some();
        assert!(
            email("ann.x7f3%40example.com") && email("ann.x7f3@other.example") && !email("ann@example.com")
        );
    }

    #[test]
    fn what_is_too_short_is_looked_for_by_nobody() {
        assert!(Needles::of([&canary(CanaryKind::Password, "12345")].into_iter()).is_none());
        assert!(Needles::of([&canary(CanaryKind::Password, "123456")].into_iter()).is_some());
        assert!(Needles::of(std::iter::empty()).is_none());
    }

    #[test]
    fn hostile_escapes_end_and_cost_little() {
        let value = canary(CanaryKind::BearerToken, "tok-aaaaaaaaaaaa");
        let needles = Needles::of([&value].into_iter()).unwrap();
        assert!(!needles.hold("%25".repeat(300_000).as_bytes()));
        assert!(!needles.hold("\\".repeat(1_000_000).as_bytes()));
        assert!(!needles.hold("\\u{".repeat(100_000).as_bytes()) && !needles.hold(b"\\u{}\\u{110000}\\x"));
        assert!(needles.search("tok-aaaaaaaaaaaa".repeat(10_000).as_bytes()).len() == 1);
    }
}

//! Text on its way into HTML: made harmless, bounded, escaped.

use crate::model::Severity;
pub(super) use crate::report::escape::xml as escape;
use crate::report::text::{harmless, shortened};

/// Characters of a name; whoever names a scenario or a span may be hostile.
pub(super) const NAME_MAX: usize = 200;
/// Characters of a field of a finding.
pub(super) const FIELD_MAX: usize = 2_000;
/// Characters of a drawing.
pub(super) const TREE_MAX: usize = 20_000;

/// One line of text without characters that hide or reorder, bounded.
pub(super) fn plain(text: &str, characters_max: usize) -> String {
    shortened(&harmless(text, false), characters_max)
}

/// The same with its line feeds.
pub(super) fn lines(text: &str, characters_max: usize) -> String {
    shortened(&harmless(text, true), characters_max)
}

/// A sentence of a report as HTML: what stands between backticks is code.
pub(super) fn prose(text: &str) -> String {
    let text = lines(text, FIELD_MAX);
    let mut html = String::with_capacity(text.len() + 32);
    for (number, part) in text.split('`').enumerate() {
        let last = text.matches('`').count() == number;
        match number % 2 {
            1 if last => html.push_str(&format!("`{}", escape(part))),
            1 => html.push_str(&format!("<code>{}</code>", escape(part))),
            _ => html.push_str(&escape(part)),
        }
    }
    html
}

/// An address within the page. Must equal what the script makes of the same names (`address` in `route.js`).
pub(super) fn fragment(parts: &[&str]) -> String {
    let encode = |part: &&str| {
        part.bytes().fold(String::new(), |text, byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                text + &char::from(byte).to_string()
            }
            byte => format!("{text}%{byte:02X}"),
        })
    };
    parts.iter().map(encode).collect::<Vec<_>>().join("/")
}

/// A small picture from the sprite, for what a word beside it says.
pub(super) fn icon(name: &str) -> String {
    format!("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"#i-{name}\"/></svg>")
}

/// How bad a finding is: a shape and its word. (The verdict `error` is another thing than the severity.)
pub(super) fn severity(severity: Severity) -> String {
    match severity {
        Severity::Error => format!("<span class=\"badge is-fail\">{}error</span>", icon("fail")),
        other => badge(other.word()),
    }
}

/// A verdict or outcome: a shape and its word.
pub(super) fn badge(word: &str) -> String {
    format!("<span class=\"badge is-{word}\">{}{word}</span>", icon(word))
}

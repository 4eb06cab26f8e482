//! What was received, made fit to print: nothing that a sender chose can move a cursor, break a line or fill a page.

use crate::model::{Case, Span};

/// Characters of a name that a finding shows.
const SHOWN_MAX: usize = 80;

/// The text, at most 80 characters of it, control and invisible characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN_MAX) + 4);
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN_MAX {
            out.push('…');
            break;
        }
        match character {
            '`' => out.push('\''),
            _ if is_harmful(character) => out.extend(character.escape_unicode()),
            _ => out.push(character),
        }
    }
    out
}

/// The same between backticks, or `(empty)`.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() { "(empty)".into() } else { format!("`{}`", shown(text)) }
}

/// ``analytics-consumer, span `process click-events` ``: what findings call a span.
pub(crate) fn span_subject(case: &Case, span: Span<'_>) -> String {
    format!("{}, span {}", service_shown(case.service(span)), quoted(span.name()))
}

/// A service's name, or that it has none.
pub(crate) fn service_shown(service: &str) -> String {
    if service.is_empty() { "(no service.name)".into() } else { shown(service) }
}

/// `1 span`, `12 spans`.
pub(crate) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A duration: `840 µs`, `12 ms`.
pub(crate) fn duration(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..10_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{} s", nanos / 1_000_000_000),
    }
}

/// Characters that act instead of showing: controls, and those that reorder or hide their neighbours.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_escaped_and_what_is_long_is_cut() {
        assert_eq!(shown("GET /{code}"), "GET /{code}");
        assert_eq!(shown("\u{1b}[2J\n"), "\\u{1b}[2J\\u{a}");
        assert_eq!(shown("a\u{202e}b`c"), "a\\u{202e}b'c");
        assert_eq!(shown(&"é".repeat(1_000_000)).chars().count(), SHOWN_MAX + 1);
        assert_eq!(quoted(""), "(empty)");
    }
}

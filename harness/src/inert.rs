//! Output that no runner of GitHub obeys. It takes a line for a command when it begins with `::`, behind any white space, or
//! when `##[` stands anywhere in it (actions/runner, `ActionCommand.cs`), whoever printed it.
//!
//! `::stop-commands::` would not do: a runner reads the two streams of a step apart, so a line of one can be obeyed before the
//! other's stop, or after its end.

use std::borrow::Cow;

/// Changes a stream of bytes as it passes, so that no line of it is a command: the second colon of `::` at the beginning of a
/// line, and the bracket of `##[`, are shown as escapes. Holds nothing back: what was written so far is on its way.
#[derive(Debug)]
pub(crate) struct Inert {
    /// Nothing that is seen has been written in this line yet.
    at_start: bool,
    /// The line so far is one colon.
    colon: bool,
    hashes: u8,
}

impl Default for Inert {
    fn default() -> Self {
        Inert { at_start: true, colon: false, hashes: 0 }
    }
}

impl Inert {
    /// The next bytes of the stream, as they may be written.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        for &byte in bytes {
            match byte {
                b':' if self.colon => out.extend_from_slice(b"\\u{3a}"),
                b'[' if self.hashes >= 2 => out.extend_from_slice(b"\\u{5b}"),
                byte => out.push(byte),
            }
            self.hashes = if byte == b'#' { self.hashes.saturating_add(1) } else { 0 };
            self.colon = byte == b':' && self.at_start;
            // What is no ASCII may be white space, or a mark that a decoder drops.
            let unseen = byte <= b' ' || byte >= 0x7f;
            self.at_start = matches!(byte, b'\n' | b'\r') || self.at_start && unseen;
        }
        out
    }
}

/// Whether this process runs in a step of a workflow, so that somebody reads its output for commands.
pub(crate) fn is_needed() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A text that is printed from the beginning of a line on: inert where that is needed.
pub(crate) fn printed(text: &str) -> Cow<'_, str> {
    if is_needed() { Cow::Owned(inert(text)) } else { Cow::Borrowed(text) }
}

/// A document that is printed: inert where that is needed, and still the same document to who reads its format.
pub(crate) fn document(text: &str) -> Cow<'_, str> {
    match is_needed() {
        true => Cow::Owned(inert_document(text)),
        false => Cow::Borrowed(text),
    }
}

/// JSON and XML have spellings of a character that no runner looks for. Neither has `##[` outside of strings and texts, and
/// no line of JSON begins with `::`.
fn inert_document(text: &str) -> String {
    if text.starts_with(['{', '[']) {
        return text.replace("##[", "##\\u005b");
    }
    if text.starts_with("<?xml") {
        let line = |line: &str| match line.trim_start().strip_prefix("::") {
            Some(rest) => format!("{}&#58;:{rest}", &line[..line.len() - rest.len() - 2]),
            None => line.to_string(),
        };
        return text.split_inclusive('\n').map(line).collect::<String>().replace("##[", "##&#91;");
    }
    inert(text)
}

/// The same wherever it is printed.
pub(crate) fn inert(text: &str) -> String {
    // Only ASCII was changed, and to ASCII.
    String::from_utf8(Inert::default().pass(text.as_bytes())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the runner would look for a command in this line.
    fn is_command(line: &str) -> bool {
        line.trim_start().starts_with("::") || line.contains("##[")
    }

    #[test]
    fn no_line_is_a_command_and_other_lines_stay() {
        let table = [
            ("::error::boo", ":\\u{3a}error::boo"),
            ("  \t::error::boo", "  \t:\\u{3a}error::boo"),
            ("\u{a0}\u{3000}::error::boo", "\u{a0}\u{3000}:\\u{3a}error::boo"),
            ("\u{feff}::error::boo", "\u{feff}:\\u{3a}error::boo"),
            ("a\r::error::boo", "a\r:\\u{3a}error::boo"),
            ("said ##[error]boo", "said ##\\u{5b}error]boo"),
            ("####[error]", "####\\u{5b}error]"),
            (":::x", ":\\u{3a}:x"),
            ("std::error::Error", "std::error::Error"),
            (": :error::", ": :error::"),
            ("#[test]\n##\n[x]", "#[test]\n##\n[x]"),
            ("a :: b\nc", "a :: b\nc"),
        ];
        for (text, expected) in table {
            assert_eq!(inert(text), expected);
            assert!(!inert(text).split(['\n', '\r']).any(is_command), "{text:?}");
        }
    }

    #[test]
    fn a_command_in_pieces_is_none_either() {
        let text = "x\n ::stop-commands::a\n##[error]b\n";
        for size in 1..8 {
            let mut inert = Inert::default();
            let out: Vec<u8> = text.as_bytes().chunks(size).flat_map(|piece| inert.pass(piece)).collect();
            assert_eq!(out, super::inert(text).into_bytes());
        }
    }

    #[test]
    fn documents_stay_what_they_are() {
        assert_eq!(inert_document("{\"a\": \"##[error]b\"}\n"), "{\"a\": \"##\\u005berror]b\"}\n");
        let read: serde_json::Value = serde_json::from_str(&inert_document("{\"a\": \"###[x]\"}")).unwrap();
        assert_eq!(read["a"], "###[x]");
        assert_eq!(
            inert_document("<?xml version=\"1.0\"?>\n<a>\n  ::error::b ##[c]</a>\n"),
            "<?xml version=\"1.0\"?>\n<a>\n  &#58;:error::b ##&#91;c]</a>\n"
        );
        assert_eq!(inert_document("# a\n::error::b\n"), "# a\n:\\u{3a}error::b\n");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_printed_is_no_command(text in "[:# \\[\\]a\n\r\u{a0}\u{feff}\u{1b}]{0,40}") {
            assert!(!inert(&text).split(['\n', '\r']).any(is_command), "{text:?}");
        }
    }
}

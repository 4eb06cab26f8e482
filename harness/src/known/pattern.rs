//! Exact texts, or texts with `*` for any characters; `\*` is a star and `\\` a backslash.

use std::fmt;

/// What a subject or a name is compared with. Matching is linear in the text, whatever the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// As it was written.
    text: String,
    /// What stands between the stars; never empty.
    pieces: Vec<String>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Pattern {
        let mut pieces = vec![String::new()];
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let literal = match (character, characters.peek()) {
                ('\\', Some('*' | '\\')) => characters.next(),
                ('*', _) => None,
                _ => Some(character),
            };
            match (literal, pieces.last_mut()) {
                (Some(literal), Some(piece)) => piece.push(literal),
                _ => pieces.push(String::new()),
            }
        }
        Pattern { text: text.into(), pieces }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let (first, rest) = match self.pieces.split_first() {
            Some((only, [])) => return only == text,
            Some(split) => split,
            None => return false,
        };
        let Some((last, between)) = rest.split_last() else { return false };
        let Some(mut text) = text.strip_prefix(first.as_str()) else { return false };
        for piece in between {
            match text.find(piece.as_str()) {
                Some(place) => text = &text[place + piece.len()..],
                None => return false,
            }
        }
        text.ends_with(last.as_str())
    }

    /// `*`, or several of them.
    pub(super) fn is_everything(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(String::is_empty)
    }

    /// Whether it names one text only.
    pub(super) fn is_exact(&self) -> bool {
        self.pieces.len() == 1
    }

    /// The pattern that matches this text and no other.
    pub(super) fn exactly(text: &str) -> String {
        let mut pattern = String::with_capacity(text.len());
        for character in text.chars() {
            if matches!(character, '*' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_everything_else_is_itself() {
        let table = [
            ("url-api", "url-api", true),
            ("url-api", "url-api2", false),
            ("url-*", "url-api", true),
            ("*api", "url-api", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("a*a", "a", false),
            ("*a*", "bab", true),
            ("GET /*", "GET /{code}", true),
            ("url-api, span `GET /*`", "url-api, span `GET /98412`", true),
            ("a.c", "abc", false),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            (r"a\\*", r"a\b", true),
            (r"a\n", r"a\n", true),
            ("a\\", "a\\", true),
            ("ü*日", "ü本日", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_exact_pattern_of_a_text_matches_it_and_nothing_like_it() {
        for text in ["GET /*", r"a\*b", r"\\", "", "*", r"C:\*"] {
            let pattern = Pattern::new(&Pattern::exactly(text));
            assert!(pattern.is_exact() && pattern.matches(text), "{text}");
            assert!(!pattern.matches(&format!("{text}x")), "{text}");
        }
    }

    #[test]
    fn a_hostile_subject_costs_its_length_once() {
        let pattern = Pattern::new(&"a*".repeat(1_000));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(999))));
        assert!(pattern.matches(&"a".repeat(1 << 20)));
    }
}

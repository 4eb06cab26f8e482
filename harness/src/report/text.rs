//! Text as people read it: numbers with separators, hostile strings made harmless, lines wrapped under their label.

use std::fmt::Write;

/// `1 span`, `12 spans`, `1,204 spans`.
pub fn count(number: u64, noun: &str) -> String {
    let noun = match noun.strip_suffix('y') {
        _ if number == 1 => noun.to_string(),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    format!("{} {noun}", thousands(number))
}

/// `1,204`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.8 s`, `3 min 20 s`.
pub fn seconds(seconds: f64) -> String {
    if seconds < 99.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{} min {} s", whole / 60, whole % 60)
}

/// Makes text from outside safe to print: what would move the cursor, colour, reorder or hide text is shown as an escape.
/// Line feeds stay when `lines` is true.
pub fn harmless(text: &str, lines: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' if lines => safe.push('\n'),
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push(' '),
            hidden if is_hidden(hidden) => _ = write!(safe, "\\u{{{:x}}}", u32::from(hidden)),
            plain => safe.push(plain),
        }
    }
    safe
}

/// Control characters, bidirectional overrides and isolates, zero-width and other invisible format characters, and what is
/// no character.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Cuts after so many characters and says how many were left out.
pub fn shortened(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        None => text.to_string(),
        Some((end, _)) => {
            let rest = text[end..].chars().count() as u64;
            format!("{}… ({} more)", &text[..end], count(rest, "character"))
        }
    }
}

/// Breaks text between words so that no line is wider than `width` characters (a longer word stays whole). Line feeds in
/// the text are kept. `None`: no limit.
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return text.lines().map(String::from).collect() };
    text.lines().flat_map(|line| wrap_line(line, width.max(20))).collect()
}

fn wrap_line(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut taken = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        if taken > 0 && taken + 1 + length > width {
            lines.push(std::mem::take(&mut current));
            taken = 0;
        }
        if taken > 0 {
            current.push(' ');
            taken += 1;
        }
        current.push_str(word);
        taken += length;
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_and_the_right_number() {
        assert_eq!(count(0, "span"), "0 spans");
        assert_eq!(count(1, "trace"), "1 trace");
        assert_eq!(count(1_204, "span"), "1,204 spans");
        assert_eq!(count(2, "query"), "2 queries");
        assert_eq!(thousands(1_000_000), "1,000,000");
        assert_eq!(thousands(999), "999");
    }

    #[test]
    fn what_would_move_the_cursor_or_hide_text_is_shown() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\u{202e}c\u{7}", true), "a\\u{1b}[2Jb\\u{d}\\u{202e}c\\u{7}");
        assert_eq!(harmless("a\nb\tc", false), "a\\nb c");
        assert_eq!(harmless("a\nb — ⇢ ü 日本", true), "a\nb — ⇢ ü 日本");
    }

    #[test]
    fn lines_break_between_words_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three four five", Some(20)), ["one two three four", "five"]);
        assert_eq!(wrap(&"x".repeat(30), Some(20)), ["x".repeat(30)]);
        assert_eq!(wrap("a\n\nb", Some(20)), ["a", "", "b"]);
        assert_eq!(wrap("a b", None), ["a b"]);
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("aébcd", 2), "aé… (3 characters more)");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(seconds(0.849), "0.8 s");
        assert_eq!(seconds(200.2), "3 min 20 s");
    }
}

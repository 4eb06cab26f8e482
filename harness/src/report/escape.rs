//! Text from outside made safe for the formats that reports are written in.

use super::text::harmless;

/// For XML and HTML, between tags and within quoted attributes. What XML 1.0 cannot hold, or would reorder or hide text,
/// is shown as an escape.
pub fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for character in harmless(text, true).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            plain => safe.push(plain),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_element_or_attribute() {
        assert_eq!(
            xml("]]><script a='b' c=\"d\">&amp;</script>"),
            "]]&gt;&lt;script a=&#39;b&#39; c=&quot;d&quot;&gt;&amp;amp;&lt;/script&gt;"
        );
    }

    #[test]
    fn what_xml_cannot_hold_is_shown() {
        assert_eq!(
            xml("a\0b\u{1b}c\u{fffe}d\u{ffff}e\u{202e}f\r\ng"),
            "a\\u{0}b\\u{1b}c\\u{fffe}d\\u{ffff}e\\u{202e}f\\u{d}\ng"
        );
        assert_eq!(xml("ü 日本 ⇢ 🙂"), "ü 日本 ⇢ 🙂");
    }
}

//! The diff as Markdown, for the summary of a pull request. What a service emits is escaped: it makes no heading, no link, no
//! mention.

use std::fmt::Write;

use super::Diff;
use super::sections::{Section, compared, overview, sections};
use crate::report::text::{harmless, thousands};

pub(super) fn render(diff: &Diff) -> String {
    let sections = sections(diff);
    let changed = if diff.has_changes() { "what changed" } else { "no changes" };
    let mut text = format!("## Probity: {changed}\n\n");
    for (word, side) in [("From", &diff.a), ("to", &diff.b)] {
        let [verdict, much] = overview(side);
        let end = if word == "to" { "." } else { "" };
        _ = writeln!(text, "{word} {} (**{verdict}**, {much}){end}", escaped(&harmless(&side.path, false)));
    }
    let compared = compared(diff);
    if !compared.is_empty() {
        _ = writeln!(text, "{compared}.");
    }
    text.push('\n');
    sections.iter().for_each(|section| one(&mut text, section));
    text
}

fn one(text: &mut String, section: &Section) {
    let mut title = section.title.to_string();
    title[..1].make_ascii_uppercase();
    let summary = if section.summary.is_empty() { String::new() } else { format!(" ({})", section.summary) };
    _ = writeln!(text, "### {title}{summary}\n");
    for item in &section.items {
        let sign = match item.sign {
            "+" => "new",
            "-" => "gone",
            "~" => "changed",
            word => word,
        };
        _ = writeln!(text, "- **{sign}** {}", escaped(&item.text));
        item.details.iter().for_each(|detail| _ = writeln!(text, "  - {}", escaped(detail)));
    }
    if section.more > 0 {
        _ = writeln!(text, "- and {} more", thousands(section.more as u64));
    }
    for (scenario, tree) in &section.drawings {
        let fence = fence(tree);
        let title = if scenario.is_empty() { String::new() } else { format!("{}\n\n", escaped(scenario)) };
        _ = writeln!(text, "\n{title}{fence}diff\n{}\n{fence}", tree.trim_end());
    }
    text.push('\n');
}

/// Longer than any run of backticks within.
fn fence(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Plain text: what has a meaning in Markdown or HTML, or would mention somebody, loses it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' => {
                safe.extend(['\\', character])
            }
            plain => safe.push(plain),
        }
    }
    // Addresses become links by themselves.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_plain_text() {
        assert_eq!(
            escaped("# [x](https://evil) @team <img> `a` *b* #12"),
            "\\# \\[x\\](https&#58;//evil) &#64;team &lt;img&gt; \\`a\\` \\*b\\* \\#12"
        );
    }

    #[test]
    fn nothing_within_ends_a_fence() {
        assert_eq!(fence("a"), "```");
        assert_eq!(fence("a ``` b ````` c"), "``````");
    }
}

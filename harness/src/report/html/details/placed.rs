//! Where findings are drawn: what arrived at its span, and what was expected under the span that it should hang under.
//!
//! Findings carry the spans that they speak of. The expected place is a line of their drawing, whose line above names a
//! captured span by service, kind and name: the first of those that fits stands for it.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::super::markup;
use super::Build;
use crate::model::{Finding, Severity};
use crate::rules::picture::line_of;

/// Findings whose drawing is looked at.
const DRAWINGS_MAX: usize = 500;

/// `[rule, subject, row, what is expected]`: under which row a finding expects something.
pub(super) fn of(build: &Build, findings: &[Finding]) -> Vec<Value> {
    let wanted: Vec<(&Finding, Expected)> = findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note && !finding.tree.is_empty())
        .take(DRAWINGS_MAX)
        .flat_map(|finding| expected(&finding.tree).into_iter().map(move |place| (finding, place)))
        .collect();
    let rows = rows(build, wanted.iter().map(|(_, place)| place.under.as_str()).collect());
    let entry = |(finding, place): &(&Finding, Expected)| {
        let row = rows.get(place.under.as_str())?;
        Some(json!([
            finding.rule,
            markup::lines(&finding.subject, markup::FIELD_MAX),
            row,
            markup::plain(&place.what, markup::NAME_MAX)
        ]))
    };
    wanted.iter().filter_map(entry).collect()
}

/// The first row of each line that is looked for.
fn rows<'l>(build: &Build, lines: HashSet<&'l str>) -> HashMap<&'l str, u32> {
    let mut rows = HashMap::new();
    if lines.is_empty() {
        return rows;
    }
    for span in build.case.spans.iter() {
        let Some(row) = build.row(span) else { continue };
        let line = line_of(build.case, span).split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(line) = lines.get(line.as_str()) {
            let first = rows.entry(*line).or_insert(row);
            *first = row.min(*first);
        }
    }
    rows
}

struct Expected {
    /// `analytics-consumer CONSUMER process click-events`.
    what: String,
    /// The line that it should hang under.
    under: String,
}

/// The lines that are marked as missing, with the line above each.
fn expected(tree: &str) -> Vec<Expected> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut found = Vec::new();
    for line in tree.lines() {
        let (sign, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        let depth = rest.len() - rest.trim_start().len();
        let (what, remark) = parts(rest.trim_start().trim_start_matches("⇢ "));
        above.retain(|(known, _)| *known < depth);
        if sign.starts_with('-')
            && remark == "expected here"
            && let Some((_, under)) = above.last()
        {
            found.push(Expected { what: what.clone(), under: under.clone() });
        }
        if !sign.starts_with('+') {
            above.push((depth, what));
        }
    }
    found
}

/// A line's text, its columns one blank apart, and the remark behind it.
fn parts(line: &str) -> (String, &str) {
    let (text, remark) = match line.trim_end().rsplit_once("  ") {
        Some((text, remark)) if remark.starts_with("expected ") => (text, remark),
        _ => (line, ""),
    };
    (text.split_whitespace().collect::<Vec<_>>().join(" "), remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_place_is_under_the_line_above_it() {
        let tree = "  url-api SERVER GET /{code}\n-   url-api PRODUCER send click-events        expected under this\n\
                    -     ⇢ analytics-consumer CONSUMER process click-events  expected here\n\
                    + analytics-consumer CONSUMER process click-events      arrived here";
        let found = expected(tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "analytics-consumer CONSUMER process click-events");
        assert_eq!(found[0].under, "url-api PRODUCER send click-events");
    }

    #[test]
    fn columns_of_an_outline_do_not_hide_the_place() {
        let tree = "  url-api               SERVER    GET /{code}\n    url-api             PRODUCER  send click-events\n\
                    -     analytics-consumer CONSUMER  process click-events   expected here\n\
                    -       analytics-consumer CLIENT    INSERT clicks";
        let found = expected(tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "analytics-consumer CONSUMER process click-events");
        assert_eq!(found[0].under, "url-api PRODUCER send click-events");
    }

    #[test]
    fn a_drawing_that_is_none_expects_nothing() {
        for text in ["", "-", "- x  expected here", "é\n-é  expected here", "    \n\n-"] {
            assert!(expected(text).is_empty(), "{text:?}");
        }
    }
}

//! PRIVATE-03: statements are recorded without the values that they were given.

use std::collections::HashMap;

use crate::model::attributes::{Attributes, Key};
use crate::model::{Case, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::log::entries::entries;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, service_shown, span_subject};

pub(crate) static RULE: Rule = Rule {
    id: "PRIVATE-03",
    severity: Severity::Error,
    requirement: "SQL parameters are not captured by default: neither as attributes nor in the text of the statement",
    needs: &["spans", "logs"],
    page: include_str!("../pages/PRIVATE-03.md"),
    judge,
};

/// In front of a parameter's name or number: the conventions' opt-in attributes, and what some instrumentations call them.
const PREFIXES: [&str; 3] = ["db.query.parameter.", "db.operation.parameter.", "db.statement.parameter."];
/// Attributes and log fields that hold all of them.
const WHOLE: [&str; 7] =
    ["db.statement.parameters", "db.query.parameters", "db.sql.parameters", "db.params", "sql.args", "sql.parameters", "bind_args"];

/// Texts of one service that are told apart.
const TEXTS_MAX: usize = 10_000;

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    let mut texts = Texts::default();
    for span in case.spans.iter() {
        let known = Attributes::of(span);
        let is_database = [Key::DbSystem, Key::OldDbSystem].into_iter().any(|key| known.str(key).is_some());
        if !is_database {
            continue;
        }
        judgement.judged();
        for (key, _) in span.attributes().iter().filter(|(key, _)| is_parameter(key)) {
            tally.add(span_subject(case, span), "parameter", Some(span), || Fault {
                required: "no parameters".into(),
                seen: format!("attribute {}", quoted(key)),
                ..captured()
            });
        }
        let text = known.str(Key::DbText).or_else(|| known.str(Key::OldDbStatement));
        if text.is_some_and(|text| texts.vary(case.service(span), text)) {
            tally.add(span_subject(case, span), "value in the text", Some(span), || Fault {
                required: "one text for all calls of this statement".into(),
                seen: "texts that differ in their values alone: the values are written into the statement".into(),
                ..captured()
            });
        }
    }
    for entry in entries(case) {
        for (key, _) in entry.fields.iter().filter(|(key, _)| is_parameter(key)) {
            judgement.judged();
            tally.add(format!("{}, log field {}", service_shown(&entry.service), quoted(key)), "logged", None, || Fault {
                required: "no parameters".into(),
                seen: "a line carries them".into(),
                ..captured()
            });
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

fn is_parameter(key: &str) -> bool {
    PREFIXES.iter().any(|prefix| key.starts_with(prefix)) || WHOLE.contains(&key)
}

fn captured() -> Fault {
    Fault {
        fix: "leave the capture of parameters off, and give values as parameters, not in the text; probity explain PRIVATE-03"
            .into(),
        ..Fault::default()
    }
}

/// Statements by what is left without their literals, with the first text of each.
#[derive(Default)]
struct Texts<'t>(HashMap<(String, String), &'t str>);

impl<'t> Texts<'t> {
    /// Whether another text of the service differs from this one in literals alone.
    fn vary(&mut self, service: &str, text: &'t str) -> bool {
        let key = (service.to_owned(), without_literals(text));
        if key.1 == text || self.0.len() >= TEXTS_MAX && !self.0.contains_key(&key) {
            return false;
        }
        *self.0.entry(key).or_insert(text) != text
    }
}

/// The statement with `?` for each quoted text and each number that is no part of a name or of a placeholder.
fn without_literals(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                // A doubled quote begins the next literal, which is as good.
                letters.by_ref().find(|letter| *letter == '\'');
                plain.push('?');
            }
            '0'..='9' if !(before.is_alphanumeric() || "_$:@?".contains(before)) => {
                while letters.next_if(|next| next.is_ascii_alphanumeric() || *next == '.').is_some() {}
                plain.push('?');
            }
            _ => plain.push(letter),
        }
        before = letter;
    }
    plain
}

#[cfg(test)]
mod tests;

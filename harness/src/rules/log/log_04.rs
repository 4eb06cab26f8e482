//! LOG-04: every key of a line names something, once.

use serde_json::Value;

use crate::model::{Case, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, service_shown};

use super::entries::{Entry, records};
use super::line::Object;

pub(crate) static RULE: Rule = Rule {
    id: "LOG-04",
    severity: Severity::Error,
    requirement: "no malformed keys in log lines: none empty, none twice, none by position, none that a logger makes up",
    needs: &["logs"],
    page: include_str!("../pages/LOG-04.md"),
    judge,
};

/// Keys that loggers make up for values that came without one: Go's log/slog, hclog, log15, go-kit, zerologr.
const MADE_UP: [&str; 6] = ["!BADKEY", "EXTRA_VALUE_AT_END", "LOG15_ERROR", "LOG_ERROR", "(MISSING)", "<no-value>"];

/// In front of the number of a value that was given by its position.
const POSITIONAL: [&str; 9] = ["", "_", "$", "%", "arg", "args", "argument", "param", "positional"];

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    for line in &case.evidence.logs {
        let Some(object) = Object::parse(&line.text) else { continue };
        judgement.judged();
        for (key, value) in &object.fields {
            judge_key(&line.service, key, value, &mut tally);
        }
        for key in &object.twice {
            add(&line.service, key, "twice", "it stands twice in one object", &mut tally);
        }
    }
    for record in records(case) {
        judgement.judged();
        judge_record(&record, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

fn judge_record(record: &Entry<'_>, tally: &mut Tally) {
    for (number, (key, value)) in record.fields.iter().enumerate() {
        judge_key(&record.service, key, value, tally);
        // A record has few attributes: the exporters' limit is 128.
        if record.fields[..number.min(128)].iter().any(|(before, _)| before == key) {
            add(&record.service, key, "twice", "it stands twice in one log record", tally);
        }
    }
}

/// A key and, where its value is an object, the keys in it.
fn judge_key(service: &str, key: &str, value: &Value, tally: &mut Tally) {
    if let Some((kind, seen)) = malformed(key) {
        add(service, key, kind, seen, tally);
    }
    match value {
        Value::Object(inner) => inner.iter().for_each(|(key, value)| judge_key(service, key, value, tally)),
        Value::Array(items) => items.iter().for_each(|item| {
            // The keys of objects in a list, not the list's own.
            if let Value::Object(inner) = item {
                inner.iter().for_each(|(key, value)| judge_key(service, key, value, tally));
            }
        }),
        _ => {}
    }
}

fn malformed(key: &str) -> Option<(&'static str, &'static str)> {
    if key.trim().is_empty() {
        return Some(("empty", "it is empty"));
    }
    if MADE_UP.iter().any(|made_up| key.starts_with(made_up)) {
        return Some(("made up", "the logger made it up for a value that came without a key"));
    }
    let stem = key.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let stem = if stem.len() < key.len() { Some(stem.trim_end_matches(['.', '_', '-'])) } else { None };
    if stem.is_some_and(|stem| POSITIONAL.contains(&stem.to_ascii_lowercase().as_str())) {
        return Some(("positional", "it says which argument the value was, not what it is"));
    }
    key.chars().any(char::is_control).then_some(("control", "it holds control characters"))
}

fn add(service: &str, key: &str, kind: &'static str, seen: &str, tally: &mut Tally) {
    tally.add(format!("{}, key {}", service_shown(service), quoted(key)), kind, None, || Fault {
        required: "a key that names its value, once in its object".into(),
        seen: seen.into(),
        fix: "give every value a key where it is logged, and let the compiler or a linter count them; probity explain LOG-04"
            .into(),
        ..Fault::default()
    });
}

#[cfg(test)]
mod tests;

//! LOG-01: each line is one JSON object with the fields that its profile requires.

use std::collections::HashMap;

use serde_json::Value;

use crate::model::{Case, Exit, Judgement, LogLine, ProcessId, Severity};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, service_shown, shown};

use super::line::Object;
use super::profile::Profile;
use super::time::Time;

pub(crate) static RULE: Rule = Rule {
    id: "LOG-01",
    severity: Severity::Error,
    requirement: "each line is one JSON object with time, level, message and who wrote it, under the keys of its profile",
    needs: &["logs", "processes", "log profile"],
    page: include_str!("../pages/LOG-01.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(profile) = Profile::of(case) else {
        if !case.evidence.logs.is_empty() {
            judgement.not_judged = Some("no line is of a profile that is known".into());
        }
        return judgement;
    };
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    let torn = torn_lines(case);
    for line in case.evidence.logs.iter().filter(|line| !line.text.trim().is_empty()) {
        let stream = if line.stderr { "standard error" } else { "standard output" };
        let subject = || format!("{}, {stream}", service_shown(&line.service));
        match Object::parse(&line.text) {
            Some(object) => {
                judgement.judged();
                judge_fields(profile, line, &object, &mut tally);
            }
            None if line.may_be_cut() => judgement.gap(subject(), "a line is longer than what is kept of one"),
            None if torn.get(&(&line.process, line.stderr)) == Some(&line.line) => {}
            None => {
                judgement.judged();
                tally.add(subject(), "no object", None, || no_object(line));
            }
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// The last lines of processes that were killed: nobody let them write to the end.
fn torn_lines<'c>(case: &'c Case) -> HashMap<(&'c ProcessId, bool), u32> {
    let killed = |line: &&LogLine| {
        let end = case.process(&line.process).and_then(|process| process.end.as_ref());
        end.is_some_and(|end| matches!(end.exit, Exit::Signal(_)))
    };
    let mut last = HashMap::new();
    for line in case.evidence.logs.iter().filter(killed) {
        let known = last.entry((&line.process, line.stderr)).or_insert(line.line);
        *known = line.line.max(*known);
    }
    last
}

fn no_object(line: &LogLine) -> Fault {
    Fault {
        required: "one JSON object a line, and nothing between the lines".into(),
        seen: format!("{} is none", quoted(&line.text)),
        fix: "print through the logger alone, give libraries and panics to it too, and write a stack trace as one field; \
              probity explain LOG-01"
            .into(),
        ..Fault::default()
    }
}

/// What is wrong with a field, by its key.
type Wrong = (&'static str, String);

fn judge_fields(profile: &Profile, line: &LogLine, object: &Object, tally: &mut Tally) {
    let mut report = |key: &str, (kind, seen): Wrong| {
        let subject = format!("{}, field {}", service_shown(&line.service), quoted(key));
        tally.add(subject, kind, None, || Fault {
            required: required(profile, key),
            seen,
            candidates: if kind == "missing" { keys(object) } else { Vec::new() },
            fix: format!(
                "write it with each line under this key (profile {} {}); probity explain LOG-01",
                profile.name, profile.version
            ),
            ..Fault::default()
        });
    };
    if let Some(wrong) = timestamp(profile, profile.find(object, &profile.timestamp)) {
        report(&profile.timestamp, wrong);
    }
    if let Some(wrong) = level(profile, profile.find(object, &profile.level)) {
        report(&profile.level, wrong);
    }
    for key in std::iter::once(&profile.message).chain(&profile.required) {
        match profile.find(object, key) {
            Some(Value::String(text)) if *key == profile.message || !text.is_empty() => {}
            Some(Value::String(_)) => report(key, ("empty", "it is empty".into())),
            Some(other) => report(key, ("type", format!("it is {}", type_of(other)))),
            None => report(key, ("missing", "a line goes without it".into())),
        }
    }
}

fn required(profile: &Profile, key: &str) -> String {
    if key == profile.timestamp {
        format!("a time of RFC 3339{}", if profile.utc { " in UTC" } else { "" })
    } else if key == profile.level {
        "a level".into()
    } else {
        "some text".into()
    }
}

fn timestamp(profile: &Profile, value: Option<&Value>) -> Option<Wrong> {
    let text = match value {
        Some(Value::String(text)) => text,
        Some(other) => return Some(("type", format!("it is {}", type_of(other)))),
        None => return Some(("missing", "a line goes without it".into())),
    };
    match Time::parse(text) {
        None => Some(("form", format!("{} is none", quoted(text)))),
        Some(time) if profile.utc && !time.utc => Some(("zone", format!("{} is local time", quoted(text)))),
        Some(_) => None,
    }
}

fn level(profile: &Profile, value: Option<&Value>) -> Option<Wrong> {
    match value {
        Some(Value::String(word)) if profile.level(word).is_some() => None,
        Some(Value::String(word)) => Some(("unknown", format!("{} is none", quoted(word)))),
        Some(other) => Some(("type", format!("it is {}", type_of(other)))),
        None => Some(("missing", "a line goes without it".into())),
    }
}

pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The first keys that the line does have.
fn keys(object: &Object) -> Vec<String> {
    object.fields.iter().take(10).map(|(key, _)| shown(key)).collect()
}

#[cfg(test)]
mod tests;

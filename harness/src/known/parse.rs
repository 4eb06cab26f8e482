//! Reads the file of known findings. Every error says where it is, what was seen and what belongs there.

use std::fmt;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::pattern::Pattern;
use super::{Entry, KnownFindings, VERSION};
use crate::model::{Date, DateError};
use crate::nearest::nearest;
use crate::rules;

/// The largest file that is read, in bytes.
const FILE_LIMIT: usize = 4 << 20;
/// Characters of a subject, a name or a reason.
const TEXT_LIMIT: usize = 2_000;
/// Problems that are told at once.
const PROBLEMS_MAX: usize = 10;

/// Why a text is no file of known findings: one line for each problem, each with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    problems: Vec<String>,
}

impl ParseError {
    /// What a file looks like.
    pub fn hint(&self) -> &'static str {
        "an entry is `- rule: MSG-02`, a `subject:` or a `scenario:` (exact, or with `*`), a `reason:`, and perhaps \
         `until: YYYY-MM-DD`; `probity explain known` shows a file"
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ParseError {}

/// Reads the text of a file; `file` is how messages name it.
///
/// # Errors
/// What is not YAML, another version, an unknown key or rule, an entry without a reason or without anything that it
/// accepts, a bad date.
pub fn parse(file: &str, text: &str) -> Result<KnownFindings, ParseError> {
    let one = |problem: String| ParseError { problems: vec![problem] };
    if text.len() > FILE_LIMIT {
        return Err(one(format!("{file}: more than {FILE_LIMIT} bytes")));
    }
    let read: File = serde_saphyr::from_str(text).map_err(|error| one(not_read(file, &error)))?;
    let at = |line: u64, column: u64| format!("{file}:{line}:{column}: ");
    match &read.version {
        None => return Err(one(format!("{file}:1:1: `version: {VERSION}` is missing"))),
        Some(version) if version.value != VERSION => {
            let place = at(version.referenced.line(), version.referenced.column());
            let seen = version.value;
            return Err(one(format!("{place}version {seen}: this program reads version {VERSION}")));
        }
        Some(_) => {}
    }
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    for spanned in read.known.unwrap_or_default() {
        let (line, column) = (spanned.referenced.line(), spanned.referenced.column());
        match spanned.value.checked(line, column) {
            Ok(entry) => entries.push(entry),
            Err(Problem { line, column, what }) => problems.push(at(line, column) + &what),
        }
    }
    if problems.is_empty() {
        return Ok(KnownFindings { file: file.into(), entries });
    }
    if let Some(more) = problems.len().checked_sub(PROBLEMS_MAX).filter(|more| *more > 0) {
        problems.truncate(PROBLEMS_MAX);
        problems.push(format!("and {more} more"));
    }
    Err(ParseError { problems })
}

/// The error in one line, without the place that is said in front of it.
fn not_read(file: &str, error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let what = text.lines().next().unwrap_or("not YAML");
    let Some(location) = error.location() else { return format!("{file}: {what}") };
    let (line, column) = (location.line(), location.column());
    let what = what.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(what);
    let what = what.split(", set DuplicateKeyPolicy").next().unwrap_or(what);
    let quoted = ["anchor", "alias", "unexpected character"].iter().any(|word| what.contains(word));
    let remedy = if quoted { "; put a text that begins with `*` or a backtick in quotes" } else { "" };
    format!("{file}:{line}:{column}: {what}{remedy}")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Option<Spanned<u64>>,
    known: Option<Vec<Spanned<Written>>>,
}

/// An entry as it was written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: Option<Spanned<String>>,
    subject: Option<Spanned<String>>,
    scenario: Option<Spanned<String>>,
    reason: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
}

struct Problem {
    line: u64,
    column: u64,
    what: String,
}

impl Problem {
    fn of(spanned: &Spanned<String>, what: String) -> Problem {
        Problem { line: spanned.referenced.line(), column: spanned.referenced.column(), what }
    }
}

impl Written {
    fn checked(self, line: u64, column: u64) -> Result<Entry, Problem> {
        let missing = |what: &str| Problem { line, column, what: what.into() };
        let rule = self.rule.ok_or_else(|| missing("the entry names no `rule`"))?;
        let rule = rules::find(&rule.value).ok_or_else(|| unknown_rule(&rule))?.id;
        let reason = self.reason.filter(|reason| !reason.value.trim().is_empty());
        let reason = reason.ok_or_else(|| missing("the entry gives no `reason`: say why it is accepted"))?;
        if self.subject.is_none() && self.scenario.is_none() {
            return Err(missing(
                "the entry names neither a `subject` nor a `scenario`; `subject: \"*\"` accepts every finding of the rule",
            ));
        }
        let pattern = |written: Option<Spanned<String>>, key: &str| match written {
            Some(written) if written.value.is_empty() => Err(Problem::of(
                &written,
                format!("the `{key}` is empty; leave it out, or write \"*\" for any"),
            )),
            Some(written) => bounded(&written, key).map(|()| Some(Pattern::new(&written.value))),
            None => Ok(None),
        };
        bounded(&reason, "reason")?;
        Ok(Entry {
            rule,
            subject: pattern(self.subject, "subject")?,
            scenario: pattern(self.scenario, "scenario")?,
            reason: reason.value.trim().into(),
            until: self.until.map(|until| date(&until)).transpose()?,
            line,
            column,
        })
    }
}

fn unknown_rule(rule: &Spanned<String>) -> Problem {
    let meant = nearest(&rule.value, rules::all().map(|rule| rule.id));
    let meant =
        meant.map_or("`probity rules` lists them all".into(), |nearest| format!("did you mean `{nearest}`?"));
    let seen: String = rule.value.chars().take(60).collect();
    Problem::of(rule, format!("there is no rule `{seen}`; {meant}"))
}

fn bounded(written: &Spanned<String>, key: &str) -> Result<(), Problem> {
    if written.value.chars().count() <= TEXT_LIMIT {
        return Ok(());
    }
    let what = format!("the `{key}` is longer than {TEXT_LIMIT} characters; `*` stands for any");
    Err(Problem::of(written, what))
}

fn date(until: &Spanned<String>) -> Result<Date, Problem> {
    let seen: String = until.value.chars().take(40).collect();
    until.value.parse().map_err(|error| {
        let what = match error {
            DateError::Form => format!("`{seen}` is no day: write `until: YYYY-MM-DD`"),
            DateError::NoSuchDay => format!("there is no day {seen}"),
        };
        Problem::of(until, what)
    })
}

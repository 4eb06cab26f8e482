//! LOG-06: what one request costs in lines, and which values lines hold at INFO.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::model::{Case, Judgement, Kind, ProcessId, Severity, TraceId};
use crate::rules::Rule;
use crate::rules::exposed::some_values;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, service_shown};

use super::entries::{Entry, events};
use super::profile::{Level, Profile};

pub(crate) static RULE: Rule = Rule {
    id: "LOG-06",
    severity: Severity::Error,
    requirement: "the lines of one request stay in budget; fields of unbounded values appear at WARN and above only, or sampled",
    needs: &["logs", "spans", "log profile", "thresholds"],
    page: include_str!("../pages/LOG-06.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    let mut volume: HashMap<(Option<&ProcessId>, String, TraceId), Volume> = HashMap::new();
    let mut fields = Fields::new(case);
    for entry in events(case) {
        fields.take(&entry);
        if let Some((trace, _)) = entry.span() {
            let known = volume.entry((entry.process, entry.service.clone().into_owned(), trace)).or_default();
            known.take(&entry);
        }
    }
    judge_volume(case, volume, &mut judgement, &mut tally);
    fields.judge(&mut judgement, &mut tally);
    tally.put_into(&mut judgement);
    judgement
}

/// The lines of one process in one trace.
#[derive(Default)]
struct Volume {
    lines: u64,
    events: BTreeMap<String, u64>,
}

/// Events of one request that are told apart.
const EVENTS_MAX: usize = 20;

impl Volume {
    fn take(&mut self, entry: &Entry<'_>) {
        self.lines += 1;
        let event = entry.event();
        if self.events.len() < EVENTS_MAX || self.events.contains_key(&event) {
            *self.events.entry(event).or_default() += 1;
        }
    }

    fn commonest(&self) -> &str {
        self.events.iter().max_by_key(|(event, lines)| (**lines, std::cmp::Reverse(*event))).map_or("", |(event, _)| event)
    }
}

type Volumes<'c> = HashMap<(Option<&'c ProcessId>, String, TraceId), Volume>;

fn judge_volume(case: &Case, volumes: Volumes<'_>, judgement: &mut Judgement, tally: &mut Tally) {
    let budget = case.thresholds().log_lines_per_request;
    let mut excesses = Vec::new();
    for ((process, service, trace), volume) in volumes {
        judgement.judged();
        if volume.lines > budget {
            let request = request_of(case, process, &service, trace);
            excesses.push((format!("{}, {request}", service_shown(&service)), volume));
        }
    }
    // The worst of each kind is the one that is told.
    excesses.sort_by_cached_key(|(subject, volume)| {
        (subject.clone(), std::cmp::Reverse(volume.lines), volume.commonest().to_owned())
    });
    for (subject, volume) in excesses {
        tally.add(subject, "volume", None, || Fault {
            required: format!("at most {} (log_lines_per_request)", count(budget, "line")),
            seen: format!("{}, {} the most", count(volume.lines, "line"), quoted(volume.commonest())),
            fix: "log a loop once, with a count; log rows at DEBUG; probity explain LOG-06".into(),
            ..Fault::default()
        });
    }
}

/// What the process was asked in that trace: its first entry span, else the trace at large.
fn request_of(case: &Case, process: Option<&ProcessId>, service: &str, trace: TraceId) -> String {
    let own = case.spans.trace(trace).filter(|span| match (process, span.process()) {
        (Some(process), Some(other)) => process == other,
        _ => case.service(*span) == service,
    });
    let entry = own.filter(|span| matches!(span.kind(), Kind::Server | Kind::Consumer)).min_by_key(|span| span.start());
    entry.map_or_else(|| "one trace".into(), |span| format!("span {}", quoted(span.name())))
}

/// Marks that a line was chosen among many of its kind.
const SAMPLED: [&str; 5] = ["sampled", "sample_rate", "sampling_rate", "sampling.rate", "log.sampled"];

/// The values of fields at INFO, by service, event and field.
struct Fields {
    budget: usize,
    profile: Option<&'static Profile>,
    values: BTreeMap<(String, String, String), BTreeSet<String>>,
}

/// Fields that are watched, and characters of a value that tell it from another.
const FIELDS_MAX: usize = 10_000;
const VALUE_CHARACTERS_MAX: usize = 64;

impl Fields {
    fn new(case: &Case) -> Self {
        let budget = usize::try_from(case.thresholds().log_field_values).unwrap_or(usize::MAX);
        Fields { budget, profile: Profile::of(case), values: BTreeMap::new() }
    }

    fn take(&mut self, entry: &Entry<'_>) {
        let sampled = entry.fields.iter().any(|(key, _)| SAMPLED.contains(&key.as_str()));
        if entry.level != Some(Level::Info) || sampled {
            return;
        }
        let event = entry.event();
        for (key, value) in &entry.fields {
            if self.profile.is_some_and(|profile| profile.owns(key)) {
                continue;
            }
            if let Some(value) = told_apart(key, value) {
                self.add(entry, &event, key, value);
            }
        }
        // A message with values in it makes an event of each.
        self.add(entry, "", "message", event.clone());
    }

    fn add(&mut self, entry: &Entry<'_>, event: &str, key: &str, value: String) {
        let field = (entry.service.clone().into_owned(), format!("{}\u{0}{event}", entry.logger), key.to_owned());
        if self.values.len() >= FIELDS_MAX && !self.values.contains_key(&field) {
            return;
        }
        let values = self.values.entry(field).or_default();
        if values.len() <= self.budget {
            values.insert(value);
        }
    }

    fn judge(self, judgement: &mut Judgement, tally: &mut Tally) {
        for ((service, place, key), values) in self.values {
            judgement.judged();
            if values.len() <= self.budget {
                continue;
            }
            let (logger, event) = place.split_once('\u{0}').unwrap_or_default();
            let what = match event {
                "" => format!("messages of {}", quoted(logger)),
                event => format!("line {}, field {}", quoted(event), quoted(&key)),
            };
            tally.add(format!("{}, {what}", service_shown(&service)), "values", None, || Fault {
                required: format!("at most {} different values at INFO (log_field_values)", self.budget),
                seen: format!("more: {}", some_values(values.iter().map(String::as_str))),
                fix: "log it at WARN and above or at DEBUG, sample it, or leave the value to the span; probity explain LOG-06"
                    .into(),
                ..Fault::default()
            });
        }
    }
}

/// The value, where it can have too many: text, and numbers that name something. A duration or a size may be anything.
fn told_apart(key: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.chars().take(VALUE_CHARACTERS_MAX).collect()),
        Value::Number(number) if names_something(key) => Some(number.to_string()),
        _ => None,
    }
}

fn names_something(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let last = key.rsplit(['.', '_', '-']).next().unwrap_or_default();
    ["id", "uid", "uuid", "key", "code", "number", "no"].contains(&last) && !key.contains("status")
}

#[cfg(test)]
mod tests;

//! Every captured byte, searched: what was found, and where, in words that do not repeat it.

use super::places::{self, Found};
use super::search::{Form, Hit, Needles};
#[cfg(test)]
use crate::model::Canary;
use crate::model::{CanaryKind, Case, HttpAnswer, Judgement, KeyChange, LogLine, Record, SpanId, TraceId};
use crate::rules::Rule;
use crate::rules::absence::{open_barrier, silence, unexplained_loss};
use crate::rules::log::line::Object;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, service_shown, shown};

/// Places that one judgement keeps: hostile evidence has one in every span.
const LEAKS_MAX: usize = 10_000;

/// Looks for the values of these kinds in all that was captured, and judges each that was planted.
pub(super) fn judge(
    case: &Case,
    rule: &'static Rule,
    is_ours: fn(CanaryKind) -> bool,
    fix: &str,
) -> Judgement {
    let mut judgement = Judgement::default();
    let planted = || case.evidence.canaries.iter().filter(|canary| is_ours(canary.kind));
    let Some(needles) = Needles::of(planted()) else { return judgement };
    planted().for_each(|_| judgement.judged());
    let mut search = Search { case, needles, tally: Tally::new(rule), fix, leaks: 0 };
    search.requests();
    case.evidence.logs.iter().for_each(|line| search.line(line));
    search.answers();
    case.evidence.records.iter().for_each(|record| search.record(record));
    search.keys();
    search.tally.put_into(&mut judgement);
    what_was_not_seen(case, &mut judgement);
    judgement
}

/// What was lost may have held anything.
fn what_was_not_seen(case: &Case, judgement: &mut Judgement) {
    if let Some(why) = open_barrier(case) {
        judgement.gap("telemetry", why);
    }
    for process in &case.evidence.processes {
        let silent = silence(case, process).map(|silent| silent.gap(&process.service));
        if let Some(why) = silent.or_else(|| unexplained_loss(case, process)) {
            judgement.gap(format!("telemetry of {}", service_shown(&process.service)), why);
        }
    }
}

struct Search<'s, 'a> {
    case: &'s Case<'a>,
    needles: Needles<'s>,
    tally: Tally,
    fix: &'s str,
    leaks: usize,
}

impl<'s> Search<'s, '_> {
    fn add(&mut self, place: String, hit: Hit<'s>) {
        self.add_at(place, hit, None, "");
    }

    /// `within`: which of many such places, where there are many.
    fn add_at(&mut self, place: String, hit: Hit<'s>, span: Option<(TraceId, SpanId)>, within: &str) {
        self.leaks += 1;
        if self.leaks > LEAKS_MAX {
            return;
        }
        let fix = self.fix;
        let span = span.and_then(|(trace, id)| self.case.spans.get(trace, id));
        self.tally.add(place, hit.kind.word(), span, || Fault {
            required: format!("no {} in anything that leaves the system", hit.kind.word()),
            seen: format!("{}{within}", seen(hit)),
            fix: fix.into(),
            ..Fault::default()
        });
    }

    fn look(&mut self, text: &str, place: impl FnOnce() -> String) {
        let hits = self.needles.search(text.as_bytes());
        if hits.is_empty() {
            return;
        }
        let place = place();
        hits.into_iter().for_each(|hit| self.add(place.clone(), hit));
    }

    fn requests(&mut self) {
        for request in &self.case.evidence.requests {
            let found = places::within(&self.needles, request);
            if found.is_empty() {
                continue;
            }
            let process = request.process.as_ref().and_then(|id| self.case.process(id));
            let service = process.map_or_else(
                || request.process.as_ref().map_or("an unknown sender".into(), |id| shown(id.as_str())),
                |process| service_shown(&process.service),
            );
            for Found { place, hit, span } in found {
                self.add_at(format!("{service}, {place}"), hit, span, "");
            }
        }
    }

    /// A line, JSON or not. The field is named, not the message: it may be what holds the value.
    fn line(&mut self, line: &LogLine) {
        let hits = self.needles.search(line.text.as_bytes());
        if hits.is_empty() {
            return;
        }
        let service = service_shown(&line.service);
        let object = Object::parse(&line.text);
        let mut named = Vec::new();
        for (key, value) in object.iter().flat_map(|object| &object.fields) {
            let key = if self.needles.hold(key.as_bytes()) { "(withheld)".into() } else { quoted(key) };
            let within = self.needles.search(value.to_string().as_bytes());
            named.extend(within.into_iter().map(|hit| (format!("{service}, log field {key}"), hit)));
        }
        let stream = if line.stderr { "error" } else { "output" };
        for hit in hits {
            if !named.iter().any(|(_, known)| known.is_of_the_same(&hit)) {
                named.push((format!("{service}, a line on standard {stream}"), hit));
            }
        }
        let within = format!(", first in line {} of standard {stream}", line.line);
        named.into_iter().for_each(|(place, hit)| self.add_at(place, hit, None, &within));
    }

    fn answers(&mut self) {
        let evidence = self.case.evidence;
        for scrape in &evidence.scrapes {
            self.exposition(&service_shown(&scrape.service), &scrape.answer);
        }
        for socket in &evidence.sockets {
            socket.metrics.iter().for_each(|answer| self.exposition(&service_shown(&socket.service), answer));
        }
        for target in &evidence.targets {
            target.answer.iter().for_each(|answer| self.exposition(&shown(&target.address), answer));
        }
        // What a user sent may come back to that user. What is the stack's own may not.
        for stimulus in &evidence.stimuli {
            let Some(answer) = &stimulus.answer else { continue };
            let texts = answer.headers.iter().map(|(_, value)| value).chain([&answer.body]);
            let hits: Vec<_> = texts.flat_map(|text| self.needles.search(text.as_bytes())).collect();
            for hit in hits.into_iter().filter(|hit| hit.kind == CanaryKind::Credential) {
                self.add(format!("{}, an answer", service_shown(&stimulus.service)), hit);
            }
        }
    }

    fn exposition(&mut self, whose: &str, answer: &HttpAnswer) {
        // Most hold nothing: one pass over the whole before any line is looked at.
        if !self.needles.hold(answer.body.as_bytes()) {
            return;
        }
        for line in answer.body.lines() {
            let (sample, exemplar) = line.split_once(" # ").unwrap_or((line, ""));
            let family = sample.split(['{', ' ']).next().unwrap_or_default();
            let family =
                if self.needles.hold(family.as_bytes()) { "(withheld)".into() } else { quoted(family) };
            self.look(sample, || format!("{whose}, labels of {family}"));
            self.look(exemplar, || format!("{whose}, exemplar of {family}"));
        }
    }

    fn record(&mut self, record: &Record) {
        let topic = shown(&record.topic);
        let within = format!(", first in {topic}[{}] offset {}", record.partition, record.offset);
        for (key, value) in &record.headers {
            let key = if self.needles.hold(key.as_bytes()) { "(withheld)".into() } else { quoted(key) };
            for hit in self.needles.search(value.as_bytes()) {
                self.add_at(format!("records of {topic}, header {key}"), hit, None, &within);
            }
        }
        for hit in self.needles.search(record.key.as_deref().unwrap_or_default().as_bytes()) {
            self.add_at(format!("records of {topic}, key"), hit, None, &within);
        }
        let declared =
            self.case.declaration.and_then(|declaration| declaration.personal_data.get(&record.topic));
        let by_right = |hit: &Hit<'_>| declared.is_some_and(|kinds| kinds.contains(&hit.kind));
        for hit in self.needles.search(record.value.as_bytes()) {
            if !by_right(&hit) {
                self.add_at(format!("records of {topic}, value"), hit, None, &within);
            }
        }
    }

    fn keys(&mut self) {
        for event in &self.case.evidence.keys {
            self.look(&event.key, || "etcd, a key".into());
            if let KeyChange::Put { value, .. } = &event.change {
                self.look(value, || "etcd, a value".into());
            }
        }
    }
}

/// What was found, without repeating it.
fn seen(hit: Hit<'_>) -> String {
    let planted = match hit.planted {
        [] => "was planted".into(),
        [place] => format!("was planted in {}", shown(place)),
        [place, more @ ..] => format!("was planted in {} and {} more", shown(place), more.len()),
    };
    let form = if hit.form == Form::Plain { String::new() } else { format!(", {}", hit.form.words()) };
    format!("the {} that {planted}{form}", hit.kind.word())
}

/// A planted value, for tables of both rules.
#[cfg(test)]
pub(super) fn canary(kind: CanaryKind, value: &str) -> Canary {
    Canary { kind, value: value.into(), planted: vec!["header `x`".into()] }
}

//! Log lines and OTLP log records as rules read them: when, how loud, what, and in which span.

use std::borrow::Cow;
use std::collections::HashSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use serde_json::Value;

use super::line::Object;
use super::profile::{Level, Profile};
use super::time::Time;
use crate::model::{Case, ExportRequest, LogLine, ProcessId, Signal, SpanId, TraceId};
use crate::rules::text::{quoted, service_shown};

/// What was logged once.
pub(crate) struct Entry<'a> {
    pub(crate) process: Option<&'a ProcessId>,
    pub(crate) service: Cow<'a, str>,
    pub(crate) source: Source,
    pub(crate) at: Option<Time>,
    pub(crate) level: Option<Level>,
    /// Which part of the program wrote it; empty when it does not say.
    pub(crate) logger: String,
    pub(crate) message: String,
    pub(crate) ids: Ids,
    /// All its fields, the profile's too.
    pub(crate) fields: Vec<(String, Value)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// Standard output and error.
    Output,
    Otlp,
}

/// Which span it says that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    None,
    /// What is wrong with them: `all-zero trace_id`.
    Wrong(String),
    Of(TraceId, SpanId),
    /// Of a span that was not sampled, so that nobody has it.
    Unsampled,
}

impl Entry<'_> {
    pub(crate) fn span(&self) -> Option<(TraceId, SpanId)> {
        match self.ids {
            Ids::Of(trace, span) => Some((trace, span)),
            _ => None,
        }
    }

    /// What it is about, whatever the values in it: the message up to its first colon, digits as `#`.
    pub(crate) fn event(&self) -> String {
        event(&self.message)
    }

    /// ``url-api, line `no row matched` ``.
    pub(crate) fn subject(&self) -> String {
        let what = match self.source {
            Source::Output => "line",
            Source::Otlp => "log record",
        };
        format!("{}, {what} {}", service_shown(&self.service), quoted(&self.event()))
    }

    /// Whether the system says that lines like this belong to no request.
    pub(crate) fn is_background(&self, case: &Case) -> bool {
        let origins =
            case.declaration.map(|declaration| declaration.logs.background.as_slice()).unwrap_or_default();
        origins.iter().any(|origin| origin.of(&self.logger, &self.message))
    }
}

/// Of a message, what is kept for its event.
const EVENT_CHARACTERS_MAX: usize = 80;

fn event(message: &str) -> String {
    let before = message.split(':').next().unwrap_or_default();
    let mut event = String::new();
    for character in before.chars().take(EVENT_CHARACTERS_MAX) {
        match character {
            '0'..='9' if event.ends_with('#') => {}
            '0'..='9' => event.push('#'),
            _ => event.push(character),
        }
    }
    event.trim_end().to_owned()
}

/// Everything that was logged: lines as the profile reads them, where there is one, and OTLP records.
pub(crate) fn entries<'c>(case: &'c Case) -> impl Iterator<Item = Entry<'c>> {
    lines(case).chain(records(case))
}

/// Each event once, where a process both prints its lines and exports them: the lines.
pub(crate) fn events<'c>(case: &'c Case) -> impl Iterator<Item = Entry<'c>> {
    let mut print = HashSet::new();
    if Profile::of(case).is_some() {
        print.extend(
            case.evidence.logs.iter().filter(|line| line.text.starts_with('{')).map(|line| &line.process),
        );
    }
    let again = move |entry: &Entry<'_>| entry.process.is_some_and(|process| print.contains(process));
    lines(case).chain(records(case).filter(move |entry| !again(entry)))
}

/// Lines of standard output and error that are JSON objects.
pub(crate) fn lines<'c>(case: &'c Case) -> impl Iterator<Item = Entry<'c>> {
    let profile = Profile::of(case);
    let read = move |line: &'c LogLine| profile.and_then(|profile| of_line(profile, line));
    case.evidence.logs.iter().filter_map(read)
}

fn of_line<'c>(profile: &Profile, line: &'c LogLine) -> Option<Entry<'c>> {
    let object = Object::parse(&line.text)?;
    let text = |key: &str| profile.text(&object, key);
    Some(Entry {
        process: Some(&line.process),
        service: Cow::Borrowed(&line.service),
        source: Source::Output,
        at: text(&profile.timestamp).and_then(Time::parse),
        level: text(&profile.level).and_then(|word| profile.level(word)),
        logger: profile.logger(&object).to_owned(),
        message: text(&profile.message).unwrap_or_default().to_owned(),
        ids: ids(profile, &object),
        fields: object.fields,
    })
}

fn ids(profile: &Profile, object: &Object) -> Ids {
    let flags = profile.flags.as_deref().and_then(|key| profile.text(object, key));
    let (trace, span) = (profile.find(object, &profile.trace), profile.find(object, &profile.span));
    match (trace, span) {
        (None, None) => return Ids::None,
        (Some(_), None) => return Ids::Wrong(format!("{} without {}", profile.trace, profile.span)),
        (None, Some(_)) => return Ids::Wrong(format!("{} without {}", profile.span, profile.trace)),
        (Some(_), Some(_)) => {}
    }
    let read = |key: &str, digits: usize, value: Option<&Value>| {
        let text = value.and_then(Value::as_str).unwrap_or_default();
        let is_hex = text.len() == digits
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        match is_hex {
            false => Err(format!("{key} is not {digits} lowercase hex digits")),
            true if text.bytes().all(|byte| byte == b'0') => Err(format!("all-zero {key}")),
            true => Ok(text.to_owned()),
        }
    };
    match (read(&profile.trace, 32, trace), read(&profile.span, 16, span)) {
        (Err(wrong), _) | (_, Err(wrong)) => Ids::Wrong(wrong),
        // Flags are two hex digits, of which the last bit says whether the span was sampled.
        _ if flags.is_some_and(|flags| u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 0)) => {
            Ids::Unsampled
        }
        (Ok(trace), Ok(span)) => match (TraceId::from_hex(&trace), SpanId::from_hex(&span)) {
            (Some(trace), Some(span)) => Ids::Of(trace, span),
            _ => Ids::None,
        },
    }
}

/// OTLP log records. Requests that do not decode are the ledger's matter.
pub(crate) fn records<'c>(case: &'c Case) -> impl Iterator<Item = Entry<'c>> {
    let requests = case.evidence.requests.iter().filter(|request| request.signal == Signal::Logs);
    requests.flat_map(move |request| of_request(case, request))
}

fn of_request<'c>(case: &'c Case, request: &'c ExportRequest) -> Vec<Entry<'c>> {
    let decoded = ExportLogsServiceRequest::decode(request.bytes.clone()).unwrap_or_default();
    let known =
        request.process.as_ref().and_then(|id| case.process(id)).map(|process| process.service.as_str());
    let mut found = Vec::new();
    for group in decoded.resource_logs {
        let attributes = group.resource.map(|resource| resource.attributes).unwrap_or_default();
        let named = || {
            attributes
                .iter()
                .find(|attribute| attribute.key == "service.name")
                .map(|known| text(&known.value))
        };
        let service = known.map_or_else(|| Cow::Owned(named().unwrap_or_default()), Cow::Borrowed);
        for scoped in group.scope_logs {
            let logger = scoped.scope.map(|scope| scope.name).unwrap_or_default();
            found.extend(
                scoped.log_records.into_iter().map(|record| of_record(request, &service, &logger, record)),
            );
        }
    }
    found
}

fn of_record<'c>(
    request: &'c ExportRequest,
    service: &Cow<'c, str>,
    logger: &str,
    record: LogRecord,
) -> Entry<'c> {
    // Flags of 0 beside ids may be an exporter that sets none; only another bit says that this one was left unset.
    let unsampled = record.flags & 0xff != 0 && record.flags & 1 == 0;
    let ids = match (TraceId::from_slice(&record.trace_id), SpanId::from_slice(&record.span_id)) {
        _ if record.trace_id.is_empty() && record.span_id.is_empty() => Ids::None,
        _ if unsampled => Ids::Unsampled,
        (Some(trace), Some(span)) => Ids::Of(trace, span),
        (None, _) if record.trace_id.is_empty() => Ids::Wrong("span_id without trace_id".into()),
        (_, None) if record.span_id.is_empty() => Ids::Wrong("trace_id without span_id".into()),
        (None, _) => Ids::Wrong("all-zero trace_id".into()),
        (_, None) => Ids::Wrong("all-zero span_id".into()),
    };
    let at = [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|at| *at > 0);
    Entry {
        process: request.process.as_ref(),
        service: service.clone(),
        source: Source::Otlp,
        at: at.map(|at| Time { at, precision: 1, utc: true }),
        level: Level::of_number(record.severity_number),
        logger: logger.to_owned(),
        message: text(&record.body),
        ids,
        fields: record
            .attributes
            .iter()
            .map(|KeyValue { key, value, .. }| (key.clone(), json(value)))
            .collect(),
    }
}

fn text(value: &Option<AnyValue>) -> String {
    match json(value) {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn json(value: &Option<AnyValue>) -> Value {
    match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => Value::from(text.as_str()),
        Some(any_value::Value::BoolValue(value)) => Value::from(*value),
        Some(any_value::Value::IntValue(value)) => Value::from(*value),
        Some(any_value::Value::DoubleValue(value)) => Value::from(*value),
        Some(any_value::Value::ArrayValue(_)) => Value::Array(Vec::new()),
        Some(any_value::Value::KvlistValue(_)) => Value::Object(serde_json::Map::new()),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_message_without_its_values() {
        assert_eq!(event("no row matched"), "no row matched");
        assert_eq!(event("librdkafka: [thrd:127.0.0.1:1]: gone"), "librdkafka");
        assert_eq!(event("took 120 ms for 3 rows"), "took # ms for # rows");
        assert_eq!(event(&"é".repeat(1_000)).chars().count(), EVENT_CHARACTERS_MAX);
        assert_eq!(event(""), "");
    }
}

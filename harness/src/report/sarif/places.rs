//! Where results lie: a line of a file of the project, and the services and spans concerned.

use serde_json::{Value, json};

use super::FIELD_MAX;
use crate::model::{Case, Finding, SourcePlace};
use crate::report::Judged;
use crate::report::view;

/// What paths are relative to.
pub(super) const ROOT: &str = "SRCROOT";
/// Spans that one result names.
const SPANS_MAX: usize = 10;

/// The places of one scenario. Its spans are indexed when a finding first names one.
pub(super) struct Places<'c> {
    judged: Judged<'c>,
    case: Option<Case<'c>>,
}

impl<'c> Places<'c> {
    pub(super) fn of(judged: &Judged<'c>) -> Self {
        Places { judged: *judged, case: None }
    }

    /// One location: the line, if it is known, and who is concerned.
    pub(super) fn of_finding(&mut self, judged: &Judged, finding: &Finding) -> Value {
        let mut names = Vec::new();
        if !finding.spans.is_empty() {
            let case =
                self.case.get_or_insert_with(|| Case::new(self.judged.evidence, self.judged.declaration));
            let spans = finding.spans.iter().filter_map(|(trace, id)| case.spans.get(*trace, *id));
            for span in spans {
                let name = (case.service(span).to_string(), span.name().to_string());
                if !names.contains(&name) && names.len() < SPANS_MAX {
                    names.push(name);
                }
            }
        }
        let logical = match names.is_empty() {
            true => vec![subject(judged, &finding.subject)],
            false => names.iter().map(|(service, span)| of_span(service, span)).collect(),
        };
        location(view::place(judged, finding), logical)
    }

    pub(super) fn of_subject(&self, judged: &Judged, name: &str) -> Value {
        location(view::scenario_place(judged), vec![subject(judged, name)])
    }

    /// The scenario's own line, where the result lies elsewhere.
    pub(super) fn scenario_beside(&self, judged: &Judged, finding: &Finding) -> Option<Value> {
        let place =
            view::scenario_place(judged).filter(|place| view::place(judged, finding) != Some(place))?;
        Some(
            json!({ "physicalLocation": physical(place), "message": { "text": "the scenario that found it" } }),
        )
    }
}

/// Where a scenario is written.
pub(super) fn of_scenario(judged: &Judged) -> Option<Value> {
    view::scenario_place(judged).map(|place| location(Some(place), Vec::new()))
}

fn location(place: Option<&SourcePlace>, logical: Vec<Value>) -> Value {
    let mut location = json!({});
    if let Some(place) = place {
        location["physicalLocation"] = physical(place);
    }
    if !logical.is_empty() {
        location["logicalLocations"] = Value::Array(logical);
    }
    location
}

fn physical(place: &SourcePlace) -> Value {
    json!({
        "artifactLocation": { "uri": uri(&place.file), "uriBaseId": ROOT },
        "region": { "startLine": place.line.max(1) },
    })
}

fn of_span(service: &str, span: &str) -> Value {
    let (service, span) = (view::line(service, FIELD_MAX), view::line(span, FIELD_MAX));
    json!({ "name": span, "fullyQualifiedName": format!("{service} / {span}"), "kind": "span" })
}

fn subject(judged: &Judged, subject: &str) -> Value {
    let subject = view::line(subject, FIELD_MAX);
    let scenario = view::line(&judged.report.name, FIELD_MAX);
    let whole = if scenario.is_empty() { subject.clone() } else { format!("{scenario} / {subject}") };
    json!({ "name": subject, "fullyQualifiedName": whole, "kind": "subject" })
}

/// A relative path as a URI: what is not unreserved is encoded, so that no segment reads as a scheme or a query.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("compose/prometheus.yml"), "compose/prometheus.yml");
        assert_eq!(uri("javascript:alert(1)?a b#c/ü"), "javascript%3Aalert%281%29%3Fa%20b%23c/%C3%BC");
    }
}

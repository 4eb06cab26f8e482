//! The report as SARIF 2.1.0: what code scanning and editors read.
//!
//! Every rule with its page as help; every finding a result at the line where it can be mended, else at that of its scenario,
//! with the services and spans concerned as logical locations. What could not be judged is a result of kind `open`; what
//! went wrong with the run is a notification of its invocation. Fingerprints are the same in every run of the same system.

mod fingerprint;
mod places;

use serde_json::{Map, Value, json};

use super::text::{harmless, shortened};
use super::view;
use super::{Judged, RunReport, Totals};
use crate::model::{Finding, Gap, Known, Outcome, Severity};
use crate::rules::{self, Rule};
use fingerprint::Fingerprints;
use places::Places;

/// Where the schema is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Results in one document; code scanning takes no more than 25,000 and shows 5,000.
const RESULTS_MAX: usize = 5_000;
/// Characters of one field of a message.
const FIELD_MAX: usize = 1_000;
/// Characters of a tree in a message.
const TREE_MAX: usize = 4_000;
/// Notifications of one invocation.
const NOTIFICATIONS_MAX: usize = 500;

/// The document, with a line feed at the end.
pub fn render(run: &RunReport, cases: &[Judged]) -> String {
    let rules: Vec<&Rule> = rules::all().collect();
    let (results, omitted) = results(cases, &rules);
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "probity",
                "fullName": "Probity, observability conformance tests",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            } },
            "automationDetails": { "id": format!("probity/{}/", identifier(&run.subject)) },
            "invocations": [invocation(run, cases, omitted)],
            "originalUriBaseIds": { places::ROOT: { "description": text("the root of the project") } },
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": properties(run),
        }],
    });
    super::json::pretty(&document)
}

fn text(text: &str) -> Value {
    json!({ "text": text })
}

fn properties(run: &RunReport) -> Value {
    let Totals { scenarios, rules, spans, .. } = run.totals();
    let mut properties = Map::from_iter([
        ("verdict".to_string(), json!(run.verdict.word())),
        ("scenarios".to_string(), json!(scenarios)),
        ("rules".to_string(), json!(rules)),
        ("spans".to_string(), json!(spans)),
        ("seconds".to_string(), json!(run.seconds)),
    ]);
    if let Some(evidence) = &run.evidence {
        properties.insert("evidence".into(), json!(view::line(evidence, FIELD_MAX)));
    }
    Value::Object(properties)
}

/// A rule with its page: what it demands, why, how a break shows, how to fix it.
fn descriptor(rule: &Rule) -> Value {
    let family = rule.id.split('-').next().unwrap_or_default().to_ascii_lowercase();
    json!({
        "id": rule.id,
        "shortDescription": text(rule.requirement),
        "fullDescription": text(&first_paragraph(rule.page).unwrap_or_else(|| rule.requirement.into())),
        "help": { "text": rule.page, "markdown": rule.page },
        "defaultConfiguration": { "level": rule.severity.word() },
        "properties": { "tags": ["observability", family] },
    })
}

/// Of a page: what stands under its title.
fn first_paragraph(page: &str) -> Option<String> {
    let paragraph =
        page.split("\n\n").map(str::trim).find(|part| !part.is_empty() && !part.starts_with('#'))?;
    Some(paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "))
}

/// Results in the order of the report, and how many were left out.
fn results(cases: &[Judged], rules: &[&Rule]) -> (Vec<Value>, usize) {
    let suppresses =
        cases.iter().any(|case| case.report.findings.iter().any(|finding| finding.known.is_some()));
    let mut results = Vec::new();
    let mut omitted = 0;
    for case in cases {
        let mut places = Places::of(case);
        let mut fingerprints = Fingerprints::of(&case.report.name);
        let mut add = |mut result: Map<String, Value>, rule: &str, fingerprint: Value| {
            if results.len() >= RESULTS_MAX {
                omitted += 1;
                return;
            }
            result.insert("ruleId".into(), json!(rule));
            if let Some(index) = rules.iter().position(|known| known.id == rule) {
                result.insert("ruleIndex".into(), json!(index));
            }
            result.insert("partialFingerprints".into(), fingerprint);
            result
                .insert("properties".into(), json!({ "scenario": view::line(&case.report.name, FIELD_MAX) }));
            results.push(Value::Object(result));
        };
        for finding in &case.report.findings {
            let fingerprint = fingerprints.next(&finding.rule, &finding.subject, &finding.fault);
            add(result(case, finding, &mut places, suppresses), &finding.rule, fingerprint);
        }
        for rule in case.report.rules.iter().filter(|rule| rule.outcome == Outcome::Incomplete) {
            for gap in &rule.gaps {
                let fingerprint = fingerprints.next(&rule.rule, &gap.subject, "gap");
                add(open(case, gap, &places, suppresses), &rule.rule, fingerprint);
            }
        }
    }
    (results, omitted)
}

fn result(case: &Judged, finding: &Finding, places: &mut Places, suppresses: bool) -> Map<String, Value> {
    let level = match finding.severity {
        Severity::Warning if view::is_red(case.report, finding) => Severity::Error,
        severity => severity,
    };
    let mut result = Map::from_iter([
        ("level".to_string(), json!(level.word())),
        ("message".to_string(), text(&message(case, finding))),
        ("locations".to_string(), json!([places.of_finding(case, finding)])),
    ]);
    if let Some(scenario) = places.scenario_beside(case, finding) {
        result.insert("relatedLocations".into(), json!([scenario]));
    }
    if suppresses {
        result.insert("suppressions".into(), suppressions(finding.known.as_ref()));
    }
    result
}

/// Evidence is missing: neither good nor bad.
fn open(case: &Judged, gap: &Gap, places: &Places, suppresses: bool) -> Map<String, Value> {
    let said = format!("{}: cannot be judged: {}", field(&gap.subject), field(&gap.why));
    let mut result = Map::from_iter([
        ("kind".to_string(), json!("open")),
        ("level".to_string(), json!("none")),
        ("message".to_string(), text(&unlinked(&said))),
        ("locations".to_string(), json!([places.of_subject(case, &gap.subject)])),
    ]);
    if suppresses {
        result.insert("suppressions".into(), json!([]));
    }
    result
}

fn suppressions(known: Option<&Known>) -> Value {
    let suppression = |known: &Known| {
        let end = known.until.map_or_else(String::new, |until| format!(" (until {until})"));
        let why = format!("{}{end}", view::line(&known.reason, FIELD_MAX));
        json!({ "kind": "external", "status": "accepted", "justification": why })
    };
    known.map(suppression).into_iter().collect()
}

/// What a person needs who sees this result alone.
fn message(case: &Judged, finding: &Finding) -> String {
    let mut lines = vec![
        format!("{}: {}", field(&finding.subject), field(&finding.seen)),
        format!("Required: {}", field(&finding.required)),
    ];
    if let Some(nearest) = finding.candidates.first() {
        lines.push(format!("Nearest: {}", field(nearest)));
    }
    if !finding.fix.is_empty() {
        lines.push(format!("Fix: {}", field(&finding.fix)));
    }
    if let Some(again) = &case.report.rerun {
        lines.push(format!("Again: {}", field(again)));
    }
    if !finding.tree.is_empty() {
        lines.push(format!("Tree:\n{}", shortened(&harmless(&finding.tree, true), TREE_MAX)));
    }
    unlinked(&lines.join("\n"))
}

fn field(text: &str) -> String {
    view::line(text, FIELD_MAX)
}

/// In a message `[text](target)` is a link (SARIF 3.11.6); none of ours is.
fn unlinked(text: &str) -> String {
    text.replace("](", "] (")
}

/// The run: whether it could be done, what it came to, and what went wrong beside the findings.
fn invocation(run: &RunReport, cases: &[Judged], omitted: usize) -> Value {
    let mut notifications = Vec::new();
    let mut notify = |level: &str, said: String, place: Option<Value>| {
        let locations: Vec<Value> = place.into_iter().collect();
        notifications
            .push(json!({ "level": level, "message": text(&unlinked(&said)), "locations": locations }));
    };
    if run.interrupted {
        notify("error", "interrupted: this is what was done until then".into(), None);
    }
    run.problems.iter().for_each(|problem| notify("error", field(problem), None));
    for entry in &run.unmatched_known {
        let said = format!("{}: the known finding {} is not there", field(&entry.place), field(&entry.rule));
        notify("error", said, None);
    }
    for case in cases {
        let name = field(view::name(run, case));
        let place = || places::of_scenario(case);
        if let Some(error) = &case.report.error {
            notify("error", format!("{name} could not be run: {}", field(error)), place());
        }
        for reason in &case.report.incomplete {
            notify("error", format!("{name} is incomplete: {}", field(reason)), place());
        }
        if let Some(reason) = &case.report.skipped {
            notify("note", format!("{name} was skipped: {}", field(reason)), place());
        }
    }
    if omitted > 0 {
        notify("warning", format!("{omitted} further results are left out; the evidence has them"), None);
    }
    let failed =
        run.interrupted || !run.problems.is_empty() || cases.iter().any(|case| case.report.error.is_some());
    notifications.truncate(NOTIFICATIONS_MAX);
    json!({
        "executionSuccessful": !failed,
        "exitCode": run.exit_code(),
        "exitCodeDescription": run.verdict.word(),
        "toolExecutionNotifications": notifications,
    })
}

/// Words of an identifier that slashes part.
fn identifier(text: &str) -> String {
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    text.chars().take(100).map(plain).collect()
}

#[cfg(test)]
mod tests;

//! What the shortener exposes after what it was driven to do, truly or as a defect has it.

use std::collections::BTreeMap;

use crate::model::*;
use crate::rules::exposed::last_scrapes;
use crate::rules::metric::otlp::tests::as_pushed;
use crate::rules::metric::testing::{
    BOUNDS, Body, CALLS, DEGRADED, LATENCY, OPENMETRICS, REQUESTS, TEXT, declaration, request,
};
use crate::rules::testing::Shortener;
use crate::rules::traffic::operation_of;

const PROCESSING: &str = "messaging_process_duration_seconds";
const LAG: &str = "messaging_consumer_lag";

/// Declares the families of all services.
pub(super) fn declare(shortener: &mut Shortener) {
    for (service, declared) in shortener.declaration.services.iter_mut().zip(declaration().services) {
        service.families = declared.families;
    }
    shortener.declaration.services[2].families.push(Family {
        name: PROCESSING.into(),
        kind: FamilyKind::Histogram,
        unit: "seconds".into(),
        labels: Vec::new(),
        counts: None,
        slo_bound: None,
    });
    let of = Saturated::ConsumerLag { topic: "click-events".into() };
    shortener.declaration.services[2].saturation = vec![Saturation { family: LAG.into(), of }];
}

/// The last scrape of each service.
pub(super) fn scrape_all(shortener: &mut Shortener) {
    scrape_api(shortener, ScrapeStage::Last);
    let (api, rpc, consumer) = (shortener.api.clone(), shortener.rpc.clone(), shortener.consumer.clone());
    let consumed = shortener.build.evidence().records.len() as u64;
    let mut body =
        runtime().counter("messaging_client_consumed_messages", &[("", consumed)]).gauge(LAG, &[("", 0.0)]);
    if consumed > 0 {
        body = body.histogram(PROCESSING, BOUNDS, &[("", consumed, 0.001)]);
    }
    // Who lost its port is scraped all the same: whoever holds it answers.
    let lost = shortener.is("metrics-port-conflict");
    let text = if lost { last_body(shortener, &api) } else { body.text() };
    shortener.build.scrape(&consumer, ScrapeStage::Last, OPENMETRICS, &text);
    shortener.build.scrape(&rpc, ScrapeStage::Last, OPENMETRICS, &runtime().text());
    push_what_was_scraped(shortener);
}

/// Each process pushes at its end what it exposed last.
fn push_what_was_scraped(shortener: &mut Shortener) {
    let at = shortener.build.now_ms() + 10;
    let evidence = shortener.build.evidence();
    let case = Case::new(&evidence, None);
    let exposed = last_scrapes(&case);
    let pushed = exposed
        .iter()
        .filter_map(|exposed| Some(as_pushed(&exposed.scrape.process, at, exposed.exposition().ok()?)));
    shortener.build.evidence_mut().requests.extend(pushed);
}

fn last_body(shortener: &Shortener, process: &ProcessId) -> String {
    let evidence = shortener.build.evidence();
    let last = evidence.scrapes.iter().rfind(|scrape| scrape.process == *process);
    last.expect("a scrape").answer.body.clone()
}

/// A scrape of url-api at that stage.
pub(super) fn scrape_api(shortener: &mut Shortener, stage: ScrapeStage) {
    let api = shortener.api.clone();
    let body = if shortener.is("metrics-gate-closed") { runtime() } else { exposed(shortener) };
    if !shortener.is("counter-without-total") {
        let text = with_exemplar(shortener, body.text());
        return shortener.build.scrape(&api, stage, OPENMETRICS, &text);
    }
    let extra =
        "# HELP shortener_scrapes Scrapes answered.\n# TYPE shortener_scrapes counter\nshortener_scrapes 1\n";
    shortener.build.scrape(&api, stage, TEXT, &(plain(&body.text()) + extra));
}

/// The first histogram's last bucket leads to a span of url-api.
fn with_exemplar(shortener: &Shortener, text: String) -> String {
    let evidence = shortener.build.evidence();
    let case = Case::new(&evidence, None);
    let Some(span) = case.spans_of(&shortener.api).next() else { return text };
    let Some(at) = text.find("le=\"+Inf\"").and_then(|at| Some(at + text[at..].find('\n')?)) else {
        return text;
    };
    let exemplar = format!(" # {{trace_id=\"{}\",span_id=\"{}\"}} 0.001", span.trace(), span.id());
    format!("{}{exemplar}{}", &text[..at], &text[at..])
}

fn runtime() -> Body {
    Body::default().gauge("process_start_time_seconds", &[("", 1.0)])
}

fn exposed(shortener: &Shortener) -> Body {
    let evidence = shortener.build.evidence();
    let case = Case::new(&evidence, Some(&shortener.declaration));
    let counted = requests(shortener, &case);
    let plain: Vec<_> = counted.iter().map(|((labels, _), count)| (labels.as_str(), *count)).collect();
    let mut by_labels: BTreeMap<&str, u64> = BTreeMap::new();
    plain.iter().for_each(|(labels, count)| *by_labels.entry(labels).or_default() += count);
    let marked: Vec<_> =
        counted.iter().map(|((labels, mark), count)| (format!("{labels}{mark}"), *count)).collect();
    let marked: Vec<_> = marked.iter().map(|(labels, count)| (labels.as_str(), *count)).collect();
    let calls = calls(shortener, &case);
    let calls: Vec<_> = calls.iter().map(|(labels, count)| (labels.as_str(), *count)).collect();
    latency(shortener, by_labels)
        .counter(REQUESTS, &marked)
        .counter(CALLS, &calls)
        .counter("messaging_client_sent_messages", &[("", evidence.records.len() as u64)])
        .counter(DEGRADED, &[("reason=\"rpc_failed\"", degraded(shortener, &case))])
}

/// Requests by their labels, and by the label that a defect adds to them.
fn requests(shortener: &Shortener, case: &Case) -> BTreeMap<(String, String), u64> {
    let mut counted = BTreeMap::new();
    for (number, stimulus) in case.evidence.stimuli.iter().enumerate() {
        let (Some(operation), Some(answer)) = (operation_of(case, stimulus), &stimulus.answer) else {
            continue;
        };
        if answer.status >= 400 && shortener.is("errors-not-counted") {
            continue;
        }
        let mark = match shortener {
            it if it.is("label-short-code") => format!(",short_code=\"c{number}\""),
            it if it.is("label-raw-path") => format!(",path=\"/c{number}\""),
            it if it.is("label-user-agent") => format!(",user_agent=\"client/{number}\""),
            it if it.is("label-client-ip") => ",client_ip=\"203.0.113.7\"".into(),
            _ => String::new(),
        };
        let labels = request(&operation.method, &operation.route, answer.status);
        *counted.entry((labels, mark)).or_default() += 1;
    }
    counted
}

fn latency(shortener: &Shortener, by_labels: BTreeMap<&str, u64>) -> Body {
    let bounds = if shortener.is("buckets-too-coarse") { &[1.0, 5.0, 10.0] } else { BOUNDS };
    let each = if shortener.is("milliseconds-unit") { 1.0 } else { 0.001 };
    if shortener.is("latency-gauge") {
        let last: Vec<_> = by_labels.keys().map(|labels| (*labels, 0.001)).collect();
        return runtime().gauge(LATENCY, &last);
    }
    let series: Vec<_> = by_labels.into_iter().map(|(labels, count)| (labels, count, each)).collect();
    runtime().histogram(LATENCY, bounds, &series)
}

/// Calls by their code, from their spans; one of them was tried twice.
fn calls(shortener: &Shortener, case: &Case) -> BTreeMap<String, u64> {
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    let clients = case.spans.iter().filter(|span| span.kind() == Kind::Client);
    for code in clients.filter_map(|span| span.text("rpc.response.status_code")) {
        *calls.entry(format!("rpc_response_status_code=\"{code}\"")).or_default() += 1;
    }
    if shortener.is("counter-counts-retries") {
        *calls.entry("rpc_response_status_code=\"UNAVAILABLE\"".into()).or_default() += 1;
    }
    calls
}

/// Degraded answers, also those that do not say so.
fn degraded(shortener: &Shortener, case: &Case) -> u64 {
    let answered = |trace| {
        let stimulus = case.evidence.stimuli.iter().find(|stimulus| stimulus.trace == Some(trace));
        stimulus.and_then(|stimulus| stimulus.answer.as_ref()).is_some_and(|answer| answer.status == 200)
    };
    let failed = case.spans.iter().filter(|span| {
        let code = span.text("rpc.response.status_code");
        span.kind() == Kind::Client
            && code.is_some_and(|code| code == "UNAVAILABLE" || code == "DEADLINE_EXCEEDED")
    });
    let degraded = failed.filter(|span| answered(span.trace())).count() as u64;
    if shortener.is("degradation-uncounted") { 0 } else { degraded }
}

/// The same in plain text: counters carry their suffix in the family's name, and nothing ends the body.
fn plain(openmetrics: &str) -> String {
    let counters: Vec<&str> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let renamed = openmetrics.lines().filter(|line| *line != "# EOF").map(|line| {
        let name = line.strip_prefix("# ").and_then(|rest| rest.split(' ').nth(1));
        match name.filter(|name| counters.contains(name)) {
            Some(name) => line.replacen(name, &format!("{name}_total"), 1) + "\n",
            None => format!("{line}\n"),
        }
    });
    renamed.collect()
}

//! What the script knows of the whole run before any scenario's evidence is unpacked: enough to list, filter and search.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::findings::{identified, title};
use super::markup::{self, FIELD_MAX, TREE_MAX, lines, plain};
use super::{Opened, Page, overview};
use crate::model::{Case, Finding, Outcome};
use crate::report::{RuleReport, ScenarioReport, Totals};
use crate::rules;

/// Findings of one rule in one scenario that the page holds.
const FINDINGS_MAX: usize = 50;
/// Findings of the whole page.
const FINDINGS_SUM_MAX: usize = 5_000;
/// Gaps of one rule that the page holds.
const GAPS_MAX: usize = 50;
/// Span names of one scenario that can be found from the first screen.
const NAMES_MAX: usize = 300;
/// Spans that are read for those names: more are of the same shapes.
const SPANS_READ_MAX: usize = 20_000;

#[derive(Serialize)]
pub(super) struct Index {
    tool: &'static str,
    subject: String,
    verdict: &'static str,
    exit_code: u8,
    totals: Totals,
    rules: Vec<Value>,
    scenarios: Vec<Value>,
}

impl Index {
    pub(super) fn of(page: &Page) -> Index {
        let mut room = FINDINGS_SUM_MAX;
        let scenarios = page.scenarios().zip(&page.cases);
        Index {
            tool: concat!("probity ", env!("CARGO_PKG_VERSION")),
            subject: plain(&page.run.subject, markup::NAME_MAX),
            verdict: page.run.verdict.word(),
            exit_code: page.run.exit_code(),
            totals: page.run.totals(),
            rules: rules().map(|(id, requirement)| json!({ "id": id, "requirement": requirement })).collect(),
            scenarios: scenarios
                .map(|((scenario, key), opened)| entry(scenario, key, opened.as_ref(), &mut room))
                .collect(),
        }
    }
}

fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    rules::all().map(|rule| (rule.id, rule.requirement))
}

/// The page of each rule, in their order.
pub(super) fn pages() -> Vec<&'static str> {
    rules::all().map(|rule| rule.page).collect()
}

fn entry(scenario: &ScenarioReport, key: &str, opened: Option<&Opened>, room: &mut usize) -> Value {
    let case = opened.map(|opened| &opened.case);
    let bounded =
        |texts: &[String]| texts.iter().take(50).map(|text| lines(text, FIELD_MAX)).collect::<Vec<_>>();
    let written_at = case.and_then(|case| case.evidence.written_at.as_ref());
    json!({
        "key": key,
        "name": title(scenario),
        "family": plain(&scenario.family, markup::NAME_MAX),
        "verdict": overview::word(scenario.verdict),
        "skipped": scenario.skipped.as_ref().map(|text| lines(text, FIELD_MAX)),
        "error": scenario.error.as_ref().map(|text| lines(text, FIELD_MAX)),
        "incomplete": bounded(&scenario.incomplete),
        "headline": plain(&scenario.headline, markup::NAME_MAX),
        "rerun": scenario.rerun.as_ref().map(|text| plain(text, FIELD_MAX)),
        "written_at": written_at.map(|place| format!("{}:{}", plain(&place.file, markup::NAME_MAX), place.line)),
        "counts": scenario.counts,
        "has_evidence": case.is_some(),
        "services": services(case),
        "names": case.map(names).unwrap_or_default(),
        "rules": scenario.rules.iter().map(rule).collect::<Vec<_>>(),
        "processes": scenario.processes,
        "topics": scenario.topics,
        "barrier": scenario.barrier,
        "ledger": scenario.ledger.iter().map(|entry| json!({
            "process": entry.process,
            "counts": entry.counts,
            "lost": entry.counts.lost(),
            "exporter_says": bounded(&entry.exporter_says),
        })).collect::<Vec<_>>(),
        "findings": findings(scenario, key, room),
    })
}

fn services(case: Option<&Case>) -> Vec<String> {
    let processes = case.into_iter().flat_map(|case| &case.evidence.processes);
    let services: BTreeSet<_> = processes.map(|process| plain(&process.service, markup::NAME_MAX)).collect();
    services.into_iter().collect()
}

/// Services and span names, each pair once.
fn names(case: &Case) -> Vec<(String, String)> {
    let mut names = BTreeSet::new();
    for span in case.spans.iter().take(SPANS_READ_MAX) {
        if names.len() == NAMES_MAX {
            break;
        }
        names.insert((case.service(span).to_owned(), span.name().to_owned()));
    }
    let shown = |text: &str| plain(text, markup::NAME_MAX);
    names.iter().map(|(service, name)| (shown(service), shown(name))).collect()
}

/// `[outcome, subjects, gaps, why not judged, omitted]`.
fn rule(rule: &RuleReport) -> Value {
    let outcome = match rule.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Incomplete => "incomplete",
        Outcome::NotJudged => "not judged",
    };
    let gaps = rule
        .gaps
        .iter()
        .take(GAPS_MAX)
        .map(|gap| (plain(&gap.subject, FIELD_MAX), plain(&gap.why, FIELD_MAX)));
    json!([outcome, rule.subjects, gaps.collect::<Vec<_>>(), rule.not_judged, rule.omitted, rule.rule])
}

fn findings(scenario: &ScenarioReport, key: &str, room: &mut usize) -> Vec<Value> {
    let identified = identified(scenario, key);
    let mut shown = Vec::new();
    for alike in identified.chunk_by(|(_, a), (_, b)| a.rule == b.rule) {
        let take = alike.len().min(FINDINGS_MAX).min(*room);
        *room -= take;
        shown.extend(alike[..take].iter().map(|(id, entry)| finding(id, entry)));
    }
    shown
}

fn finding(id: &str, finding: &Finding) -> Value {
    let candidates = finding.candidates.iter().take(10).map(|text| lines(text, FIELD_MAX));
    json!({
        "id": id,
        "rule": finding.rule,
        "severity": finding.severity,
        "known": finding.known.as_ref().map(|known| plain(&known.reason, FIELD_MAX)),
        "expired": finding.expired.as_ref().map(|known| plain(&known.reason, FIELD_MAX)),
        "at": finding.at.as_ref().map(|at| format!("{}:{}", plain(&at.file, markup::NAME_MAX), at.line)),
        "subject": lines(&finding.subject, FIELD_MAX),
        "required": lines(&finding.required, FIELD_MAX),
        "seen": lines(&finding.seen, FIELD_MAX),
        "candidates": candidates.collect::<Vec<_>>(),
        "tree": lines(&finding.tree, TREE_MAX),
        "fix": lines(&finding.fix, FIELD_MAX),
        "spans": finding.spans.iter().take(100).collect::<Vec<_>>(),
    })
}

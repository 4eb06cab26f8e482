//! Finding cards: the requirement, where, what was required, what was seen, the expected place beside it, the fix.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::Page;
use super::markup::{self, TREE_MAX, badge, escape, fragment, icon, plain, prose};
use crate::model::{Finding, Severity};
use crate::report::ScenarioReport;
use crate::report::text::thousands;

/// Findings of one rule in one scenario that the first screen shows in full.
const IN_FULL_MAX: usize = 3;
/// Further ones of which it shows the subject.
const LISTED_MAX: usize = 20;
const CANDIDATES_MAX: usize = 10;

/// What failed and why: of each scenario its errors and warnings.
pub(super) fn write(html: &mut String, page: &Page) {
    let troubled = |scenario: &ScenarioReport| {
        scenario.error.is_some()
            || !scenario.incomplete.is_empty()
            || scenario.findings.iter().any(|finding| finding.severity != Severity::Note)
    };
    let mut scenarios: Vec<_> = page.scenarios().filter(|(scenario, _)| troubled(scenario)).collect();
    scenarios.sort_by_key(|(scenario, _)| super::overview::rank(scenario.verdict));
    if scenarios.is_empty() {
        return;
    }
    _ = writeln!(html, "<section id=\"findings\" aria-labelledby=\"findings-title\">");
    _ = writeln!(html, "<h2 id=\"findings-title\">What was found, and why</h2>");
    for (scenario, key) in scenarios {
        group(html, scenario, key);
    }
    html.push_str("</section>\n");
}

fn group(html: &mut String, scenario: &ScenarioReport, key: &str) {
    let verdict = super::overview::word(scenario.verdict);
    let address = fragment(&["s", key]);
    _ = writeln!(
        html,
        "<div class=\"group\" data-scenario=\"{}\"><h3>{} <a href=\"#{address}\">{}</a> <span class=\"family\">{}</span></h3>",
        escape(key),
        badge(verdict),
        escape(&title(scenario)),
        escape(&plain(&scenario.family, markup::NAME_MAX))
    );
    if let Some(error) = &scenario.error {
        _ = writeln!(html, "<p class=\"reason is-error\">{} {}</p>", icon("error"), prose(error));
    }
    for reason in scenario.incomplete.iter().take(LISTED_MAX) {
        _ = writeln!(html, "<p class=\"reason is-incomplete\">{} {}</p>", icon("incomplete"), prose(reason));
    }
    let identified = identified(scenario, key);
    let mut loud: Vec<_> =
        identified.iter().filter(|(_, finding)| finding.severity != Severity::Note).collect();
    loud.sort_by_key(|(_, finding)| finding.known.is_some());
    let kind = |finding: &Finding| (finding.rule.clone(), finding.severity, finding.known.is_some());
    for alike in loud.chunk_by(|(_, a), (_, b)| kind(a) == kind(b)) {
        for (id, finding) in alike.iter().take(IN_FULL_MAX) {
            card(html, scenario, key, id, finding);
        }
        others(html, scenario, &alike[alike.len().min(IN_FULL_MAX)..]);
    }
    html.push_str("</div>\n");
}

pub(super) fn title(scenario: &ScenarioReport) -> String {
    if scenario.name.is_empty() { "the run".into() } else { plain(&scenario.name, markup::NAME_MAX) }
}

/// Every finding with its address: stays the same from run to run, as long as rule, subject and fault do.
pub(super) fn identified<'s>(scenario: &'s ScenarioReport, key: &str) -> Vec<(String, &'s Finding)> {
    let mut seen = std::collections::HashMap::new();
    let identify = |finding: &'s Finding| {
        let digest: String = Sha256::digest(format!("{}\0{}", finding.subject, finding.fault))
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let count = seen.entry((finding.rule.as_str(), digest.clone())).or_insert(0u32);
        *count += 1;
        let own = if *count == 1 { digest } else { format!("{digest}-{count}") };
        (fragment(&["f", key, &finding.rule, &own]), finding)
    };
    scenario.findings.iter().map(identify).collect()
}

fn card(html: &mut String, scenario: &ScenarioReport, key: &str, id: &str, finding: &Finding) {
    let rule = scenario.rules.iter().find(|rule| rule.rule == finding.rule);
    let severity = finding.severity.word();
    _ = writeln!(
        html,
        "<article class=\"finding is-{severity}{}\" id=\"{id}\" data-rule=\"{}\"><header>{}<a class=\"rule\" href=\"#{}\">{}</a>\
         <h4>{}</h4></header>",
        if finding.known.is_some() { " is-known" } else { "" },
        escape(&finding.rule),
        markup::severity(finding.severity),
        fragment(&["r", &finding.rule]),
        escape(&finding.rule),
        prose(rule.map_or("", |rule| rule.requirement)),
    );
    _ = writeln!(html, "<div class=\"body\"><dl>");
    if let Some(known) = &finding.known {
        let until = known.until.as_ref().map(|until| format!(" (until {until})")).unwrap_or_default();
        row(html, "known", &prose(&format!("{}{until}: shown, not counted", known.reason)));
    }
    row(html, "where", &prose(&finding.subject));
    if let Some(expired) = &finding.expired {
        let until = expired.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        row(html, "was known", &prose(&format!("{}{until}: it counts again", expired.reason)));
    }
    if let Some(at) = &finding.at {
        row(html, "at", &format!("<code>{}:{}</code>", escape(&plain(&at.file, markup::NAME_MAX)), at.line));
    }
    row(html, "required", &prose(&finding.required));
    row(html, "seen", &prose(&finding.seen));
    if !finding.candidates.is_empty() {
        let shown = finding.candidates.iter().take(CANDIDATES_MAX).map(|candidate| prose(candidate));
        row(html, "nearest", &shown.collect::<Vec<_>>().join("<br>"));
    }
    row(html, "fix", &prose(&finding.fix));
    html.push_str("</dl>");
    if !finding.tree.is_empty() {
        _ = write!(
            html,
            "<figure><figcaption>the place, and what was expected</figcaption>{}</figure>",
            tree(&finding.tree)
        );
    }
    html.push_str("</div><footer>");
    if let Some(command) = &scenario.rerun {
        _ = write!(
            html,
            "<span class=\"again\">again <code class=\"command\">{}</code></span>",
            escape(&plain(command, 400))
        );
    }
    _ = write!(
        html,
        "<span class=\"again\">why <code class=\"command\">probity explain {}</code></span>",
        escape(&finding.rule)
    );
    let (place, words) = look(key, finding);
    _ = write!(html, "<a class=\"js\" href=\"#{place}\">{words}</a>");
    _ = writeln!(html, "<a class=\"js\" href=\"#{id}\">link to this finding</a></footer></article>");
}

/// Where the evidence of a finding can be looked at. Must say the same as `look` in `findings.js`.
fn look(key: &str, finding: &Finding) -> (String, &'static str) {
    if let Some((trace, span)) = finding.spans.first() {
        let parts = ["s", key, "t", &trace.to_string(), "span", &span.to_string()];
        return (fragment(&parts), "open in its trace");
    }
    match finding.rule.split('-').next().unwrap_or_default() {
        "MSG" => (fragment(&["s", key, "records"]), "look at the records"),
        "METRIC" => (fragment(&["s", key, "metrics"]), "look at the metrics"),
        "SCRAPE" => (fragment(&["s", key, "targets"]), "look at the targets"),
        "LOG" | "PRIVATE" => (fragment(&["s", key, "logs"]), "look at the logs"),
        "EXPECT" => (fragment(&["s", key, "traces"]), "look at the traces"),
        _ => (fragment(&["s", key]), "see what happened"),
    }
}

fn row(html: &mut String, term: &str, description: &str) {
    _ = write!(html, "<div><dt>{term}</dt><dd>{description}</dd></div>");
}

/// A drawing in outline notation; marked lines stand out by their sign, their remark and their colour.
fn tree(text: &str) -> String {
    let line = |line: &str| {
        let class = match line.chars().next() {
            Some('-') => " class=\"wanted\"",
            Some('+') => " class=\"arrived\"",
            _ => "",
        };
        format!("<span{class}>{}</span>", escape(line))
    };
    let text = markup::lines(text, TREE_MAX);
    format!("<pre class=\"tree\">{}</pre>", text.lines().map(line).collect::<Vec<_>>().join("\n"))
}

fn others(html: &mut String, scenario: &ScenarioReport, rest: &[&(String, &Finding)]) {
    let Some((_, first)) = rest.first() else { return };
    _ = write!(
        html,
        "<details class=\"also\"><summary>also {}: {} more</summary><ul>",
        escape(&first.rule),
        thousands(rest.len() as u64)
    );
    for (id, finding) in rest.iter().take(LISTED_MAX) {
        _ = write!(html, "<li id=\"{id}\">{}</li>", prose(&finding.subject));
    }
    let omitted = scenario.rules.iter().find(|rule| rule.rule == first.rule).map_or(0, |rule| rule.omitted);
    let unseen = rest.len().saturating_sub(LISTED_MAX) as u64 + omitted;
    if unseen > 0 {
        _ = write!(html, "<li>and {} more like it: report.json has them</li>", thousands(unseen));
    }
    html.push_str("</ul></details>\n");
}

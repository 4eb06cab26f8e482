//! What the run cost: time by phase, backends. All that is the run's own and differs from run to run stands here and nowhere
//! else in the page, both for people and as data for the script.

use std::fmt::Write;

use serde::Serialize;

use super::Page;
use super::embed;
use super::findings::title;
use super::markup::{self, escape, fragment, plain};
use crate::report::text::seconds;
use crate::report::{BackendReport, ScenarioReport};

/// Scenarios that are shown with their phases.
const SLOWEST_MAX: usize = 6;
/// In the order in which they come; others behind them.
const PHASES: [&str; 5] = ["start", "drive", "barrier", "judge", "run"];

#[derive(Serialize)]
struct Own<'a> {
    seconds: f64,
    backends: &'a [BackendReport],
    /// Where the evidence lies, as a person would type it.
    evidence: Option<&'a str>,
    /// Seconds by phase, one a scenario, in the run's order.
    scenarios: Vec<&'a std::collections::BTreeMap<String, f64>>,
}

pub(super) fn write(html: &mut String, page: &Page) {
    let run = page.run;
    _ = writeln!(html, "<!-- the run's own: times and backends, and nowhere else -->");
    _ = writeln!(
        html,
        "<section id=\"cost\" aria-labelledby=\"cost-title\"{}><h2 id=\"cost-title\">What it cost</h2><div class=\"costs\">",
        // Files that were judged have no run of their own.
        if run.seconds == 0.0 && run.backends.is_empty() { " hidden" } else { "" }
    );
    time(html, page);
    backends(html, &run.backends);
    html.push_str("</div>");
    if let Some(evidence) = &run.evidence {
        let evidence = escape(&plain(evidence, markup::FIELD_MAX));
        _ = write!(html, "<p class=\"quiet\">evidence <code class=\"command\">{evidence}</code></p>");
    }
    let own = Own {
        seconds: run.seconds,
        backends: &run.backends,
        evidence: run.evidence.as_deref(),
        scenarios: run.scenarios.iter().map(|scenario| &scenario.seconds).collect(),
    };
    _ = writeln!(
        html,
        "<script type=\"application/json\" id=\"own\">{}</script></section>",
        embed::json(&own)
    );
    _ = writeln!(html, "<!-- end of the run's own -->");
}

/// Seconds of each phase, known ones in their order.
fn phases(scenario: &ScenarioReport) -> Vec<(&str, f64)> {
    let known = PHASES.iter().filter_map(|phase| Some((*phase, *scenario.seconds.get(*phase)?)));
    let others = scenario.seconds.iter().filter(|(phase, _)| !PHASES.contains(&phase.as_str()));
    known.chain(others.map(|(phase, seconds)| (phase.as_str(), *seconds))).collect()
}

fn time(html: &mut String, page: &Page) {
    let mut slowest: Vec<_> = page.scenarios().filter(|(scenario, _)| !scenario.seconds.is_empty()).collect();
    slowest.sort_by(|(a, _), (b, _)| b.total_seconds().total_cmp(&a.total_seconds()));
    let longest = slowest.first().map_or(0.0, |(scenario, _)| scenario.total_seconds());
    let several = slowest.len() > 1;
    _ = write!(
        html,
        "<div class=\"time\"><p class=\"total\"><strong>{}</strong> {}</p>",
        seconds(page.run.seconds),
        if several { "wall time; scenarios run side by side" } else { "wall time" }
    );
    if several {
        html.push_str("<h3>the longest</h3>");
    }
    html.push_str("<table class=\"phases\"><tbody>");
    for (scenario, key) in slowest.iter().take(SLOWEST_MAX) {
        _ = write!(
            html,
            "<tr><th scope=\"row\"><a href=\"#{}\">{}</a></th><td>{}</td><td class=\"number\">{}</td></tr>",
            fragment(&["s", key]),
            escape(&title(scenario)),
            stacked(scenario, longest),
            seconds(scenario.total_seconds())
        );
    }
    html.push_str("</tbody></table>");
    let mut legend: Vec<&str> =
        slowest.iter().flat_map(|(scenario, _)| phases(scenario)).map(|(phase, _)| phase).collect();
    legend.sort_by_key(|phase| {
        (PHASES.iter().position(|known| known == phase).unwrap_or(PHASES.len()), *phase)
    });
    legend.dedup();
    html.push_str("<p class=\"legend\">");
    for phase in legend {
        let total: f64 = slowest.iter().filter_map(|(scenario, _)| scenario.seconds.get(phase)).sum();
        _ = write!(
            html,
            "<span class=\"phase-{0}\">{0} {1}</span> ",
            escape(&plain(phase, 40)),
            seconds(total)
        );
    }
    html.push_str("</p></div>\n");
}

/// A bar of phases on one scale. Drawn as SVG: a width in a style attribute is what the content security policy forbids.
fn stacked(scenario: &ScenarioReport, longest: f64) -> String {
    let mut bar = String::from(
        "<svg class=\"stack\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"",
    );
    for (phase, took) in phases(scenario) {
        _ = write!(bar, "{} {}, ", escape(&plain(phase, 40)), seconds(took));
    }
    bar.push_str("\">");
    let mut at = 0.0;
    for (phase, took) in phases(scenario) {
        let width = if longest > 0.0 { took / longest * 100.0 } else { 0.0 };
        let class = if PHASES.contains(&phase) { phase } else { "other" };
        _ = write!(bar, "<rect class=\"phase-{class}\" x=\"{at:.2}\" width=\"{width:.2}\" height=\"10\"/>");
        at += width;
    }
    bar + "</svg>"
}

fn backends(html: &mut String, backends: &[BackendReport]) {
    if backends.is_empty() {
        return;
    }
    html.push_str("<div class=\"backends\"><h3>backends</h3><div class=\"wide\"><table><thead><tr><th>backend</th><th>provider</th><th>version</th><th>ready after</th></tr></thead><tbody>");
    for backend in backends {
        let cell = |text: &str| escape(&plain(text, markup::NAME_MAX));
        _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"number\">{:.2} s</td></tr>",
            cell(&backend.name),
            cell(&backend.provider),
            cell(&backend.version),
            backend.ready_ms as f64 / 1000.0
        );
    }
    html.push_str("</tbody></table></div>");
    for backend in backends.iter().filter(|backend| !backend.limits.is_empty()) {
        _ = write!(
            html,
            "<details><summary>what this {} cannot do</summary><ul>",
            escape(&plain(&backend.name, markup::NAME_MAX))
        );
        for limit in backend.limits.iter().take(50) {
            _ = write!(html, "<li>{}</li>", markup::prose(limit));
        }
        html.push_str("</ul></details>");
    }
    html.push_str("</div>\n");
}

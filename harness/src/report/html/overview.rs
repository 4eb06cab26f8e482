//! The first screen: verdict, what it comes to, findings, cost, scenarios. It reads without a script.

use std::fmt::Write;

use super::markup::{self, badge, escape, fragment, icon, plain, prose};
use super::{Page, assets, cost, findings};
use crate::model::{Outcome, Verdict};
use crate::report::text::{count, thousands};
use crate::report::{RunReport, ScenarioReport, Totals};

pub(super) fn write(html: &mut String, page: &Page) {
    html.push_str(assets::SPRITE);
    bar(html, page.run);
    html.push_str("<main id=\"overview\" tabindex=\"-1\">\n");
    hero(html, page);
    html.push_str("<noscript><p class=\"reason\">Verdict, findings and scenarios are below. Time lines, traces, metrics and logs need JavaScript; \
                   <code>probity tree</code> and <code>probity check</code> show them in a terminal.</p></noscript>\n");
    findings::write(html, page);
    cost::write(html, page);
    scenarios(html, page);
    html.push_str("</main>\n<main id=\"view\" tabindex=\"-1\" hidden></main>\n");
}

/// The order in which one acts: what failed first.
pub(super) fn rank(verdict: Option<Verdict>) -> u8 {
    match verdict {
        Some(Verdict::Fail) => 0,
        Some(Verdict::Error) => 1,
        Some(Verdict::Incomplete) => 2,
        Some(Verdict::Pass) => 3,
        None => 4,
    }
}

pub(super) fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("skipped", Verdict::word)
}

fn bar(html: &mut String, run: &RunReport) {
    _ = writeln!(
        html,
        "<a class=\"skip\" href=\"#\">to the report</a>\n<header id=\"bar\"><a class=\"brand\" href=\"#\">{}Probity</a>\
         <span class=\"subject\">{}</span><nav class=\"js\" aria-label=\"Report\"><a href=\"#\" data-nav=\"overview\">Overview</a>\
         <a href=\"#scenarios\" data-nav=\"scenarios\">Scenarios</a><a href=\"#rules\" data-nav=\"rules\">Rules</a></nav>\
         <div class=\"tools js\" id=\"tools\"></div></header>",
        icon("mark"),
        escape(&plain(&run.subject, markup::NAME_MAX)),
    );
}

fn hero(html: &mut String, page: &Page) {
    let run = page.run;
    let totals = run.totals();
    let verdict = run.verdict.word();
    _ = writeln!(
        html,
        "<section class=\"hero is-{verdict}\" aria-label=\"Verdict\"><div class=\"verdict\">{}<div><h1>{verdict}</h1><p>{}</p></div></div>",
        icon(verdict),
        sentence(run, &totals)
    );
    strip(html, page);
    html.push_str("<dl class=\"facts\">");
    let red = red_rules(run);
    fact(html, "scenarios", &thousands(totals.scenarios as u64), &breakdown(&totals));
    fact(
        html,
        "rules judged",
        &thousands(totals.rules as u64),
        &if red == 0 { "none red".into() } else { format!("{red} red") },
    );
    let warnings =
        if totals.warnings > 0 { count(totals.warnings as u64, "warning") } else { "no warnings".into() };
    fact(html, "spans", &thousands(totals.spans), &warnings);
    let lost = if totals.lost == 0 { "nothing".into() } else { thousands(totals.lost) };
    fact(html, "lost on the way", &lost, "by the loss ledger");
    html.push_str("</dl>\n");
    if run.interrupted {
        _ = writeln!(
            html,
            "<p class=\"reason is-error\">{} The run was ended by a signal before it was done.</p>",
            icon("error")
        );
    }
    for problem in run.problems.iter().take(20) {
        _ = writeln!(
            html,
            "<p class=\"reason is-error\">{} The evidence is not as it was saved: {}</p>",
            icon("error"),
            prose(problem)
        );
    }
    html.push_str("</section>\n");
}

fn fact(html: &mut String, term: &str, value: &str, more: &str) {
    _ = write!(html, "<div><dt>{term}</dt><dd><strong>{value}</strong> <span>{more}</span></dd></div>");
}

fn red_rules(run: &RunReport) -> usize {
    let red = run.scenarios.iter().flat_map(|scenario| scenario.rules_that(Outcome::Fail));
    red.collect::<std::collections::BTreeSet<_>>().len()
}

fn sentence(run: &RunReport, totals: &Totals) -> String {
    let scenarios = count(totals.scenarios as u64, "scenario");
    let red = red_rules(run) as u64;
    match run.verdict {
        Verdict::Pass => {
            format!("{scenarios}, every rule that had a subject holds, and the evidence is proven complete.")
        }
        Verdict::Fail => {
            format!(
                "{} of {scenarios} failed: {} not hold.",
                totals.fail,
                if red == 1 { "1 rule does".into() } else { format!("{red} rules do") }
            )
        }
        Verdict::Error => {
            "Something that is not the system under test went wrong: what it would have shown is unknown."
                .into()
        }
        Verdict::Incomplete if totals.incomplete == 0 => "Nothing was judged.".into(),
        Verdict::Incomplete => {
            format!(
                "In {} of {scenarios} evidence is missing, so that what was not seen proves nothing.",
                totals.incomplete
            )
        }
    }
}

fn breakdown(totals: &Totals) -> String {
    let parts = [
        (totals.fail, "failed"),
        (totals.error, "with an error"),
        (totals.incomplete, "incomplete"),
        (totals.pass, "passed"),
        (totals.skipped, "skipped"),
    ];
    let told =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}"));
    told.collect::<Vec<_>>().join(", ")
}

/// One mark a scenario, in the run's order: the whole run at a glance.
fn strip(html: &mut String, page: &Page) {
    if page.run.scenarios.len() < 2 {
        return;
    }
    html.push_str("<ol class=\"strip\" aria-label=\"Scenarios at a glance\">");
    for (scenario, key) in page.scenarios() {
        let verdict = word(scenario.verdict);
        let label = format!("{verdict}: {}", findings::title(scenario));
        _ = write!(
            html,
            "<li><a class=\"is-{verdict}\" href=\"#{}\" title=\"{2}\" aria-label=\"{2}\">{1}</a></li>",
            fragment(&["s", key]),
            icon(verdict),
            escape(&label)
        );
    }
    html.push_str("</ol>\n");
}

/// The list of scenarios, worst first.
fn scenarios(html: &mut String, page: &Page) {
    html.push_str("<section id=\"scenarios\" aria-labelledby=\"scenarios-title\"><h2 id=\"scenarios-title\">Scenarios</h2>\
                   <div class=\"js\" id=\"filters\"></div><ul class=\"cases\">\n");
    let mut listed: Vec<_> = page.scenarios().enumerate().collect();
    listed.sort_by_key(|(_, (scenario, _))| rank(scenario.verdict));
    for (number, (scenario, key)) in listed {
        row(html, number, scenario, key);
    }
    html.push_str("</ul></section>\n");
}

fn row(html: &mut String, number: usize, scenario: &ScenarioReport, key: &str) {
    let address = fragment(&["s", key]);
    _ = write!(
        html,
        "<li class=\"case\" id=\"{address}\" data-number=\"{number}\">{}<div class=\"what\"><a href=\"#{address}\">{}</a> <span class=\"family\">{}</span>",
        badge(word(scenario.verdict)),
        escape(&findings::title(scenario)),
        escape(&plain(&scenario.family, markup::NAME_MAX)),
    );
    if let Some(skipped) = &scenario.skipped {
        _ = write!(html, "<p>{}</p>", prose(skipped));
    }
    _ = write!(html, "</div><span class=\"red\">");
    for rule in scenario.rules_that(Outcome::Fail) {
        _ = write!(
            html,
            "<a class=\"rule is-fail\" href=\"#{}\">{}</a> ",
            fragment(&["r", rule]),
            escape(rule)
        );
    }
    for rule in scenario.rules_that(Outcome::Incomplete) {
        _ = write!(
            html,
            "<a class=\"rule is-incomplete\" href=\"#{}\">{}</a> ",
            fragment(&["r", rule]),
            escape(rule)
        );
    }
    _ = writeln!(
        html,
        "</span><span class=\"headline\">{}</span><span class=\"took\"></span></li>",
        escape(&plain(&scenario.headline, markup::NAME_MAX))
    );
}

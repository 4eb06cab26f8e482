//! The first screen: verdict, what it comes to, findings, cost, scenarios. It reads without a script.

use std::fmt::Write;

use super::markup::{self, badge, escape, fragment, icon, plain, prose};
use super::{Page, assets, cost, findings, hero};
use crate::model::{Outcome, Verdict};
use crate::report::{RunReport, ScenarioReport};

pub(super) fn write(html: &mut String, page: &Page) {
    html.push_str(assets::SPRITE);
    bar(html, page.run);
    html.push_str("<main id=\"overview\" tabindex=\"-1\">\n");
    hero::write(html, page);
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

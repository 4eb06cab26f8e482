//! The head of the page: the verdict, what it comes down to, and the whole run at a glance.

use std::fmt::Write;

use super::markup::{escape, fragment, icon, prose};
use super::{Page, findings, overview};
use crate::model::{Finding, Outcome, Verdict};
use crate::report::text::{count, shortened, thousands};
use crate::report::{RunReport, Totals, view};

/// Red rules that are named at once; the cards below have them all.
const RULES_MAX: usize = 6;
/// Characters of what was seen.
const SEEN_MAX: usize = 160;

pub(super) fn write(html: &mut String, page: &Page) {
    let run = page.run;
    let totals = run.totals();
    let verdict = run.verdict.word();
    _ = writeln!(
        html,
        "<section class=\"hero is-{verdict}\" aria-label=\"Verdict\"><div class=\"verdict\">{}<div><h1>{verdict}</h1><p>{}</p></div></div>",
        icon(verdict),
        sentence(run, &totals)
    );
    gist(html, page);
    strip(html, page);
    facts(html, run, &totals);
    if run.interrupted {
        trouble(html, "The run was ended by a signal before it was done.");
    }
    let unmatched = view::unmatched(run);
    if !unmatched.is_empty() {
        trouble(html, "Entries of the file of known findings match nothing:");
        _ = writeln!(html, "<pre class=\"tree\">{}</pre>", escape(&unmatched));
    }
    for threshold in run.overrides() {
        _ = writeln!(html, "<p class=\"reason\">Threshold: {}</p>", prose(&threshold));
    }
    for problem in run.problems.iter().take(20) {
        trouble(html, &format!("The evidence is not as it was saved: {problem}"));
    }
    html.push_str("</section>\n");
}

fn trouble(html: &mut String, text: &str) {
    _ = writeln!(html, "<p class=\"reason is-error\">{} {}</p>", icon("error"), prose(text));
}

fn sentence(run: &RunReport, totals: &Totals) -> String {
    let scenarios = count(totals.scenarios as u64, "scenario");
    let red = count(red_rules(run) as u64, "rule");
    match run.verdict {
        Verdict::Pass => {
            let of = if totals.scenarios == 1 { String::new() } else { format!("{scenarios}: ") };
            let on = match is_proven_complete(run) {
                true => "on evidence that is proven complete",
                false => "in what was captured; nothing proves that this is all",
            };
            uppercased(&format!("{of}every rule that had a subject holds, {on}."))
        }
        Verdict::Fail if totals.scenarios == 1 => format!("{red} broken."),
        Verdict::Fail => format!("{} of {scenarios} failed, {red} broken.", totals.fail),
        Verdict::Error => {
            "Something that is not the system under test went wrong: what it would have shown is unknown."
                .into()
        }
        Verdict::Incomplete if totals.incomplete == 0 => "Nothing was judged.".into(),
        Verdict::Incomplete => {
            format!(
                "In {} of {scenarios} evidence is missing: what was not seen proves nothing.",
                totals.incomplete
            )
        }
    }
}

/// Whether each scenario that was run closed its barrier. Files have none, and a quiet period proves nothing.
fn is_proven_complete(run: &RunReport) -> bool {
    run.scenarios
        .iter()
        .filter(|scenario| scenario.verdict.is_some())
        .all(|scenario| scenario.barrier.is_closed())
}

fn uppercased(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

fn red_rules(run: &RunReport) -> usize {
    let red = run.scenarios.iter().flat_map(|scenario| scenario.rules_that(Outcome::Fail));
    red.collect::<std::collections::BTreeSet<_>>().len()
}

/// The red rules in a line each: where, and what was seen.
fn gist(html: &mut String, page: &Page) {
    // Rules in the order of the catalogue, as they come.
    let mut red: Vec<(&str, Vec<(String, &Finding)>)> = Vec::new();
    for (scenario, key) in page.scenarios() {
        for (id, finding) in findings::identified(scenario, key)
            .into_iter()
            .filter(|(_, finding)| view::is_red(scenario, finding))
        {
            match red.iter_mut().find(|(rule, _)| *rule == finding.rule) {
                Some((_, found)) => found.push((id, finding)),
                None => red.push((&finding.rule, vec![(id, finding)])),
            }
        }
    }
    if red.is_empty() {
        return;
    }
    html.push_str("<ul class=\"gist\">");
    for (rule, found) in red.iter().take(RULES_MAX) {
        let (id, finding) = &found[0];
        let more = match found.len() {
            1 => String::new(),
            several => format!(" <span class=\"quiet\">and {} more</span>", thousands(several as u64 - 1)),
        };
        _ = write!(
            html,
            "<li><a class=\"rule is-fail\" href=\"#{id}\">{}</a> <span>{}: {}{more}</span></li>",
            escape(rule),
            prose(&finding.subject),
            prose(&shortened(&finding.seen, SEEN_MAX))
        );
    }
    if red.len() > RULES_MAX {
        _ = write!(
            html,
            "<li class=\"quiet\">and {} below</li>",
            count((red.len() - RULES_MAX) as u64, "more rule")
        );
    }
    html.push_str("</ul>\n");
}

/// One mark a scenario, in the run's order: the whole run at a glance.
fn strip(html: &mut String, page: &Page) {
    if page.run.scenarios.len() < 2 {
        return;
    }
    html.push_str("<ol class=\"strip\" aria-label=\"Scenarios at a glance\">");
    for (scenario, key) in page.scenarios() {
        let verdict = overview::word(scenario.verdict);
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

fn facts(html: &mut String, run: &RunReport, totals: &Totals) {
    let red = red_rules(run);
    let red = if red == 0 { "none red".into() } else { format!("{red} red") };
    let warnings =
        if totals.warnings > 0 { count(totals.warnings as u64, "warning") } else { "no warnings".into() };
    let lost = if totals.lost == 0 { "nothing".into() } else { thousands(totals.lost) };
    html.push_str("<dl class=\"facts\">");
    fact(html, "scenarios", &thousands(totals.scenarios as u64), &breakdown(totals));
    fact(html, "rules judged", &thousands(totals.rules as u64), &format!("{red}, {warnings}"));
    fact(html, "spans", &thousands(totals.spans), &format!("{lost} lost on the way"));
    // Filled in by the script: the run's own times stand in one place.
    html.push_str("<div class=\"js\" id=\"wall\"></div></dl>\n");
}

fn fact(html: &mut String, term: &str, value: &str, more: &str) {
    _ = write!(html, "<div><dt>{term}</dt><dd><strong>{value}</strong> <span>{more}</span></dd></div>");
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

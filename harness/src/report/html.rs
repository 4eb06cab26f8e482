//! A run as one self-contained HTML page: opened from a file, no network, no build step.
//!
//! The first screen (verdict, findings, what it cost, scenarios) is plain HTML and needs no script; everything else is built by
//! the script when it is looked at. Whatever was captured is hostile: escaped in HTML, embedded as data that never becomes
//! markup, under a content security policy that lets only our own script and style in. The same evidence gives the same bytes;
//! the run's own times stand in one place ([`cost`]).

mod assets;
mod cost;
mod details;
mod embed;
mod findings;
mod hero;
mod index;
mod markup;
mod overview;

use std::collections::HashMap;
use std::fmt::Write;

use super::{Judged, RunReport, ScenarioReport};
use crate::model::Case;
use index::Index;

/// Renders the page. `cases` are those scenarios of the run that have evidence, in the run's order.
pub fn render(run: &RunReport, cases: &[Judged]) -> String {
    let page = Page::new(run, cases);
    let mut html = String::with_capacity(256 << 10);
    head(&mut html, &page);
    overview::write(&mut html, &page);
    data(&mut html, &page);
    _ = write!(html, "<script>{}</script>\n</body>\n</html>\n", assets::script());
    html
}

/// What the parts of the page are written from.
struct Page<'a> {
    run: &'a RunReport,
    /// One a scenario of the run: what its address in the page is.
    keys: Vec<String>,
    /// One a scenario of the run; `None` where there is no evidence of it.
    cases: Vec<Option<Opened<'a>>>,
}

/// A scenario's evidence, indexed once for all that is written from it.
struct Opened<'a> {
    judged: &'a Judged<'a>,
    case: Case<'a>,
}

impl<'a> Page<'a> {
    fn new(run: &'a RunReport, cases: &'a [Judged<'a>]) -> Self {
        // Cases come in the run's order; a scenario that was skipped may have none, or an empty one.
        let mut rest = cases.iter().peekable();
        let opened = |scenario: &ScenarioReport| {
            let judged = rest.next_if(|judged| judged.report.name == scenario.name)?;
            let evidence = judged.evidence;
            let ran = !evidence.requests.is_empty() || !evidence.processes.is_empty();
            ran.then(|| Opened { judged, case: Case::new(evidence, judged.declaration) })
        };
        Page { run, keys: keys(&run.scenarios), cases: run.scenarios.iter().map(opened).collect() }
    }

    /// Scenarios with their keys.
    fn scenarios(&self) -> impl Iterator<Item = (&'a ScenarioReport, &str)> {
        self.run.scenarios.iter().zip(self.keys.iter().map(String::as_str))
    }
}

/// A scenario's name, or `run` where it has none; a name that comes again is numbered.
fn keys(scenarios: &[ScenarioReport]) -> Vec<String> {
    let mut seen: HashMap<String, u64> = HashMap::new();
    let key = |scenario: &ScenarioReport| {
        let name = if scenario.name.is_empty() { "run" } else { scenario.name.as_str() };
        let name = markup::plain(name, markup::NAME_MAX);
        let mut key = name.clone();
        // A numbered name may be another scenario's own.
        while seen.contains_key(&key) {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            key = format!("{name}-{}", *count + 1);
        }
        seen.insert(key.clone(), 0);
        key
    };
    scenarios.iter().map(key).collect()
}

fn head(html: &mut String, page: &Page) {
    let style = assets::style();
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        assets::digest(assets::script()),
        assets::digest(style)
    );
    let title = format!(
        "{} · {} · Probity",
        page.run.verdict.word(),
        markup::escape(&markup::plain(&page.run.subject, markup::NAME_MAX))
    );
    _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    );
}

/// What the script reads: the index as JSON, and packed, each scenario's evidence and the pages of the rules.
fn data(html: &mut String, page: &Page) {
    let index = embed::json(&Index::of(page));
    _ = writeln!(html, "<script type=\"application/json\" id=\"index\">{index}</script>");
    let pages = embed::packed(&index::pages());
    _ = writeln!(html, "<script type=\"text/plain\" id=\"pages\">{pages}</script>");
    let mut budget = details::Budget::default();
    for (number, opened) in page.cases.iter().enumerate() {
        let Some(opened) = opened else { continue };
        let packed = embed::packed(&details::of(opened, &mut budget));
        _ = writeln!(html, "<script type=\"text/plain\" id=\"case-{number}\">{packed}</script>");
    }
}

#[cfg(test)]
mod tests;

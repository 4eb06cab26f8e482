//! The report as JUnit's XML: a suite for each scenario, in it a case for each rule that had something to judge.
//!
//! Valid against the schema of Jenkins' xUnit plugin, `junit-10.xsd`. What turns a run red is a failure or an error here: a
//! rule that fails is a `failure`, what could not be judged or run an `error` with its type (`incomplete`, `error`). What is
//! only noted, known or a warning is in the case's output.

mod xml;

use super::text::seconds as readable;
use super::trees;
use super::view;
use super::{Judged, RuleReport, RunReport, ScenarioReport};
use crate::model::{Case, Finding, Outcome, TraceId};
use crate::outline::View;
use xml::{Element, element};

/// Characters of a name.
const NAME_MAX: usize = 200;
/// Characters of the line that a list of failures shows.
const MESSAGE_MAX: usize = 500;
/// Traces shown whole beside one failure.
const TRACES_MAX: usize = 3;
/// Shapes of trees shown for a scenario.
const SHAPES_MAX: usize = 20;
/// Characters of trees; a tree may have a hundred thousand lines.
const TREES_MAX: usize = 30_000;
/// Bytes of text in the whole document; what comes later is left out, with a word.
const TEXT_MAX: usize = 16 << 20;
/// From this many spans on, trees are left to `probity tree`.
const SPANS_MAX: u64 = 50_000;

/// The document.
pub fn render(run: &RunReport, cases: &[Judged]) -> String {
    let mut suites: Vec<Suite> = own(run).into_iter().collect();
    suites.extend(cases.iter().map(|case| suite(run, case)));
    bound(&mut suites);
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>().to_string();
    let root = element("testsuites")
        .with("name", view::line(&run.subject, NAME_MAX))
        .with("tests", sum(Suite::tests))
        .with("failures", sum(|suite| suite.count("failure")))
        .with("errors", sum(|suite| suite.count("error")))
        .with("time", time(run.seconds));
    let root = suites.iter().fold(root, |root, suite| root.child(suite.element()));
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", root.text())
}

/// Keeps hostile evidence from making a document that nobody can open.
fn bound(suites: &mut [Suite]) {
    let mut left = TEXT_MAX;
    for suite in suites {
        let failures =
            suite.cases.iter_mut().filter_map(|case| case.ended.as_mut().map(|ended| &mut ended.text));
        failures.for_each(|text| take(text, &mut left));
        suite.cases.iter_mut().for_each(|case| take(&mut case.output, &mut left));
        take(&mut suite.trees, &mut left);
    }
}

fn take(text: &mut String, left: &mut usize) {
    match left.checked_sub(text.len()) {
        Some(rest) => *left = rest,
        None => *text = "left out, as this document is long enough: the evidence has it".into(),
    }
}

/// One suite before it is written.
struct Suite {
    name: String,
    attributes: Vec<(&'static str, String)>,
    properties: Vec<(&'static str, String)>,
    cases: Vec<TestCase>,
    trees: String,
}

/// A case, and how it ended: `failure`, `error`, `skipped`, or well.
struct TestCase {
    name: String,
    class: String,
    seconds: Option<f64>,
    ended: Option<Ended>,
    output: String,
}

struct Ended {
    how: &'static str,
    kind: &'static str,
    message: String,
    text: String,
}

impl Suite {
    fn tests(&self) -> usize {
        self.cases.len()
    }

    fn count(&self, how: &str) -> usize {
        self.cases.iter().filter(|case| case.ended.as_ref().is_some_and(|ended| ended.how == how)).count()
    }

    fn element(&self) -> Element {
        let mut suite = element("testsuite")
            .with("name", &self.name)
            .with("tests", self.tests().to_string())
            .with("failures", self.count("failure").to_string())
            .with("errors", self.count("error").to_string())
            .with("skipped", self.count("skipped").to_string());
        for (name, value) in &self.attributes {
            suite = suite.with(name, value);
        }
        if !self.properties.is_empty() {
            let property =
                |(name, value): &(&str, String)| element("property").with("name", name).with("value", value);
            let all = self.properties.iter().map(property);
            suite = suite.child(all.fold(element("properties"), Element::child));
        }
        suite = self.cases.iter().fold(suite, |suite, case| suite.child(case.element()));
        if self.trees.is_empty() { suite } else { suite.child(element("system-out").holding(&self.trees)) }
    }
}

impl TestCase {
    fn new(name: impl Into<String>, class: &str) -> Self {
        TestCase { name: name.into(), class: class.into(), seconds: None, ended: None, output: String::new() }
    }

    fn ended(mut self, how: &'static str, kind: &'static str, message: &str, text: String) -> Self {
        self.ended = Some(Ended { how, kind, message: view::line(message, MESSAGE_MAX), text });
        self
    }

    fn element(&self) -> Element {
        let mut case = element("testcase").with("name", &self.name).with("classname", &self.class);
        if let Some(seconds) = self.seconds {
            case = case.with("time", time(seconds));
        }
        if let Some(ended) = &self.ended {
            let how = element(ended.how).with("type", ended.kind).with("message", &ended.message);
            case = case.child(how.holding(&ended.text));
        }
        if self.output.is_empty() { case } else { case.child(element("system-out").holding(&self.output)) }
    }
}

/// What is wrong with the run as a whole.
fn own(run: &RunReport) -> Option<Suite> {
    let class = view::line(&run.subject, NAME_MAX);
    let mut cases = Vec::new();
    if run.interrupted {
        let case = TestCase::new("the run was not interrupted", &class);
        cases.push(case.ended(
            "error",
            "interrupted",
            "interrupted: what follows was done until then",
            String::new(),
        ));
    }
    if !run.problems.is_empty() {
        let case = TestCase::new("the evidence is as it was saved", &class);
        cases.push(case.ended("error", "damaged", &run.problems[0], run.problems.join("\n")));
    }
    if let Some(first) = run.unmatched_known.first() {
        let case = TestCase::new("every known finding was found", &class);
        let message = format!("{}: {} matches nothing", first.place, first.rule);
        cases.push(case.ended("failure", "unmatched", &message, view::unmatched(run)));
    }
    let name = "the run".to_string();
    (!cases.is_empty()).then(|| Suite {
        name,
        attributes: vec![],
        properties: vec![],
        cases,
        trees: String::new(),
    })
}

fn suite(run: &RunReport, case: &Judged) -> Suite {
    let report = case.report;
    let name = view::line(view::name(run, case), NAME_MAX);
    let class = match report.name.is_empty() {
        true => name.clone(),
        false => format!("{}.{name}", view::line(&run.subject, NAME_MAX)),
    };
    let mut attributes = vec![("time", time(report.total_seconds()))];
    attributes.extend(view::scenario_place(case).map(|place| ("file", place.file.clone())));
    let drawn = Drawn::of(case);
    let mut cases = vec![could_run(report, &class)];
    if report.skipped.is_none() && !report.rules.is_empty() {
        cases.push(is_complete(run, case, &class));
        let judged = report.rules.iter().filter(|rule| is_shown(rule, report));
        cases.extend(judged.map(|rule| rule_case(run, case, rule, &class, drawn.as_ref())));
    }
    let trees = drawn.as_ref().map(Drawn::all).unwrap_or_default();
    Suite { name, attributes, properties: properties(run, case), cases, trees }
}

fn properties(run: &RunReport, case: &Judged) -> Vec<(&'static str, String)> {
    let report = case.report;
    let mut properties = vec![
        ("verdict", report.verdict.map_or("skipped", |verdict| verdict.word()).to_string()),
        ("family", report.family.clone()),
        ("captured", report.headline.clone()),
    ];
    let phases = report.seconds.iter().map(|(phase, seconds)| format!("{phase} {}", readable(*seconds)));
    properties.push(("phases", phases.collect::<Vec<_>>().join(", ")));
    let backend = |backend: &super::BackendReport| {
        format!("{} {} ({})", backend.name, backend.version, backend.provider)
    };
    properties.push(("backends", run.backends.iter().map(backend).collect::<Vec<_>>().join(", ")));
    properties.extend(run.evidence.clone().map(|evidence| ("evidence", evidence)));
    properties.extend(report.rerun.clone().map(|rerun| ("again", rerun)));
    properties.retain(|(_, value)| !value.is_empty());
    properties.into_iter().map(|(name, value)| (name, view::line(&value, MESSAGE_MAX))).collect()
}

fn could_run(report: &ScenarioReport, class: &str) -> TestCase {
    let case = TestCase::new("the scenario was run", class);
    match (&report.skipped, &report.error) {
        (Some(reason), _) => case.ended("skipped", "skipped", reason, String::new()),
        (None, Some(error)) => case.ended("error", "error", error, format!("{error}\n{}", again(report))),
        (None, None) => TestCase { seconds: Some(report.total_seconds()), ..case },
    }
}

fn is_complete(run: &RunReport, case: &Judged, class: &str) -> TestCase {
    let test = TestCase::new("the evidence is complete", class);
    match case.report.incomplete.first() {
        None => test,
        Some(reason) => test.ended(
            "error",
            "incomplete",
            reason,
            view::missing(run, case, None).trim_end().to_string() + "\n" + &again(case.report),
        ),
    }
}

/// A rule without a subject has no case, unless it says why, or somebody needs to read what it found.
fn is_shown(rule: &RuleReport, report: &ScenarioReport) -> bool {
    rule.outcome != Outcome::NotJudged
        || rule.not_judged.is_some()
        || report.findings.iter().any(|finding| finding.rule == rule.rule)
}

fn rule_case(
    run: &RunReport,
    case: &Judged,
    rule: &RuleReport,
    class: &str,
    drawn: Option<&Drawn>,
) -> TestCase {
    let test = TestCase::new(format!("{} {}", rule.rule, rule.requirement), class);
    let findings: Vec<&Finding> =
        case.report.findings.iter().filter(|finding| finding.rule == rule.rule).collect();
    let red: Vec<&Finding> =
        findings.iter().filter(|finding| view::is_red(case.report, finding)).copied().collect();
    let quiet: Vec<&Finding> =
        findings.iter().filter(|finding| !view::is_red(case.report, finding)).copied().collect();
    let said = view::findings(run, case, &quiet, None);
    if let Some(first) = red.first() {
        let more = match red.len() {
            1 => String::new(),
            several => format!(" (and {} more)", several - 1),
        };
        let message = format!("{}: {}{more}", first.subject, first.seen);
        let text = view::findings(run, case, &red, None).trim_end().to_string() + "\n" + &again(case.report);
        let trees = drawn.map(|drawn| drawn.of_findings(&red)).unwrap_or_default();
        return TestCase {
            output: said + &trees,
            ..test.ended("failure", first.severity.word(), &message, text)
        };
    }
    let test = match (rule.outcome, &rule.not_judged) {
        (Outcome::Incomplete, _) => {
            let gap = |gap: &crate::model::Gap| format!("{}: {}", gap.subject, gap.why);
            let gaps: Vec<String> = rule.gaps.iter().map(gap).collect();
            let message = gaps.first().cloned().unwrap_or_default();
            test.ended("error", "incomplete", &message, gaps.join("\n") + "\n" + &again(case.report))
        }
        (Outcome::NotJudged, Some(reason)) => test.ended("skipped", "not judged", reason, String::new()),
        _ => test,
    };
    TestCase { output: said, ..test }
}

fn again(report: &ScenarioReport) -> String {
    report.rerun.as_ref().map_or_else(String::new, |rerun| format!("    again        {rerun}\n"))
}

/// The trees of one scenario, where they are few enough to be drawn.
struct Drawn<'c> {
    case: Case<'c>,
}

impl<'c> Drawn<'c> {
    fn of(judged: &Judged<'c>) -> Option<Self> {
        let spans = judged.report.counts.spans;
        (1..=SPANS_MAX)
            .contains(&spans)
            .then(|| Drawn { case: Case::new(judged.evidence, judged.declaration) })
    }

    fn all(&self) -> String {
        let shapes = View::default().links().shapes(&self.case);
        cut(&trees::folded(&shapes[..shapes.len().min(SHAPES_MAX)]))
    }

    /// The traces that findings concern, whole.
    fn of_findings(&self, findings: &[&Finding]) -> String {
        let mut traces: Vec<TraceId> = Vec::new();
        for (trace, _) in findings.iter().filter_map(|finding| finding.spans.first()) {
            if !traces.contains(trace) && traces.len() < TRACES_MAX {
                traces.push(*trace);
            }
        }
        cut(&traces.iter().map(|trace| trees::of_trace(&self.case, *trace)).collect::<String>())
    }
}

fn cut(text: &str) -> String {
    super::text::shortened(text, TREES_MAX)
}

fn time(seconds: f64) -> String {
    format!("{seconds:.3}")
}

#[cfg(test)]
mod tests;

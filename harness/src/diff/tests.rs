use serde_json::Value;

use super::*;
use crate::judge::judge;
use crate::model::build::{Build, SpanBuild};
use crate::model::{
    Declaration, Evidence, Fault, FaultKind, FaultTarget, Kind, Known, ProcessId, ScrapeStage, Severity,
    Status,
};
use crate::rules::testing::Shortener;

/// One run of one or more scenarios.
struct Run {
    report: RunReport,
    evidence: Vec<(Evidence, Option<Declaration>)>,
}

impl Diff {
    /// As a reader without colour sees it.
    fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.text(None)).to_string()
    }
}

impl Run {
    fn of(evidence: Vec<(Evidence, Option<Declaration>)>) -> Run {
        let judged = evidence.iter().map(|(evidence, declaration)| judge(evidence, declaration.as_ref()));
        Run { report: RunReport::new("shortener", judged.collect()), evidence }
    }

    fn shortener(defect: &'static str) -> Run {
        let shortener = Shortener::with(defect).everything();
        Run::of(vec![(shortener.build.evidence(), Some(shortener.declaration))])
    }

    fn diff(&self, later: &Run) -> Diff {
        let [a, b] = [self.cases(), later.cases()];
        Diff::between(
            &Side { path: "a".into(), report: &self.report, cases: &a },
            &Side { path: "b".into(), report: &later.report, cases: &b },
        )
    }

    fn cases(&self) -> Vec<Judged<'_>> {
        let pairs = self.report.scenarios.iter().zip(&self.evidence);
        pairs
            .map(|(report, (evidence, declaration))| Judged {
                report,
                evidence,
                declaration: declaration.as_ref(),
            })
            .collect()
    }
}

/// Evidence of a scenario with spans of one service.
fn spans(scenario: &str, add: impl Fn(&mut Build, &ProcessId)) -> (Evidence, Option<Declaration>) {
    let mut build = Build::new();
    let api = build.process("url-api");
    add(&mut build, &api);
    build.evidence_mut().scenario = scenario.into();
    (build.evidence(), None)
}

fn request<'b>(build: &'b mut Build, api: &ProcessId, ms: u64) -> SpanBuild<'b> {
    build.span(api, Kind::Server, "GET /items/{id}").attribute("http.route", "/items/{id}").time(0, ms)
}

fn words(diff: &Diff) -> Vec<&str> {
    diff.trees.iter().map(|change| change.words.as_str()).collect()
}

#[test]
fn two_runs_of_the_same_differ_in_nothing() {
    let diff = Run::shortener("").diff(&Run::shortener(""));
    assert!(!diff.has_changes(), "{diff:#?}");
    assert_eq!(diff.scenarios.compared, 1);
    assert!(
        diff.plain().ends_with(&format!("to    b  pass        {} spans\n\nno changes\n", diff.a.spans)),
        "{}",
        diff.plain()
    );
    assert!(diff.markdown().starts_with("## Probity: no changes\n"));
}

#[test]
fn ids_order_numbers_of_traces_and_batches_are_no_change() {
    let few = spans("s", |build, api| {
        let root = request(build, api, 2).add();
        build.span(api, Kind::Client, "SELECT items").child_of(root).add();
    });
    let many = spans("s", |build, api| {
        build.span(api, Kind::Internal, "tick 4711").add();
        for _ in 0..30 {
            let root = request(build, api, 3).add();
            build.span(api, Kind::Client, "SELECT items").child_of(root).add();
        }
    });
    let ticks = spans("s", |build, api| {
        build.span(api, Kind::Internal, "tick 815234").add();
        let root = request(build, api, 9).add();
        build.span(api, Kind::Client, "SELECT items").child_of(root).add();
    });
    assert!(!Run::of(vec![many.clone()]).diff(&Run::of(vec![ticks])).has_changes());
    let diff = Run::of(vec![few]).diff(&Run::of(vec![many]));
    assert_eq!(words(&diff), ["new: root internal span `\"tick {number}\"` of url-api"]);
}

#[test]
fn a_click_that_lost_its_link_is_told_in_words_and_as_a_finding() {
    let diff = Run::shortener("").diff(&Run::shortener("consumer-ignores-headers"));
    let all = words(&diff).join("\n");
    assert!(all.contains("process click-events"), "{all}");
    assert!(diff.new_findings().any(|finding| finding.rule == "MSG-02"), "{:#?}", diff.findings.new);
    assert_eq!(diff.scenarios.verdicts[0].b, "fail");
    assert!(diff.findings.gone.is_empty() && diff.has_changes());
    assert!(diff.drawings[0].tree.contains("+ "), "{:?}", diff.drawings);
    let back = Run::shortener("consumer-ignores-headers").diff(&Run::shortener(""));
    assert_eq!((back.findings.new.len(), back.findings.gone.len()), (0, diff.findings.new.len()));
}

#[test]
fn findings_that_stay_are_neither_new_nor_gone_and_known_ones_are_no_news() {
    let broken = || Run::shortener("health-traced");
    let same = broken().diff(&broken());
    assert!(same.findings.new.is_empty() && same.findings.gone.is_empty() && !same.findings.still.is_empty());
    assert!(!same.has_changes());
    let mut later = broken();
    for finding in &mut later.report.scenarios[0].findings {
        finding.known = Some(Known { reason: "later".into(), until: None });
    }
    let diff = Run::shortener("").diff(&later);
    assert!(!diff.findings.new.is_empty());
    assert_eq!(diff.new_findings().count(), 0);
    assert!(diff.plain().contains("known: later"));
}

#[test]
fn a_renamed_span_is_told_once_for_all_scenarios_with_the_smallest_drawing() {
    let scenario = |name: &str, query: &'static str, more: usize| {
        spans(name, move |build, api| {
            let root = request(build, api, 2).add();
            build.span(api, Kind::Client, query).child_of(root).add();
            for number in 0..more {
                build
                    .span(api, Kind::Internal, &format!("step {}", char::from(b'a' + number as u8)))
                    .child_of(root)
                    .add();
            }
        })
    };
    let run = |query| Run::of(vec![scenario("large", query, 5), scenario("small", query, 0)]);
    let diff = run("SELECT urls").diff(&run("SELECT links"));
    let expected = "renamed: client span under `GET /items/{id}`, from `SELECT urls` to `SELECT links`";
    assert_eq!(words(&diff), [expected]);
    assert_eq!(diff.trees[0].scenarios, In { count: 2, first: vec!["large".into(), "small".into()] });
    assert_eq!(diff.drawings.iter().map(|drawing| drawing.scenario.as_str()).collect::<Vec<_>>(), ["small"]);
    let spans: Vec<_> =
        diff.spans.iter().map(|change| (change.name.as_str(), change.change, change.spans)).collect();
    assert_eq!(spans, [("SELECT links", "came", 2), ("SELECT urls", "went", 2)]);
}

#[test]
fn a_query_for_each_item_is_a_count_and_chance_is_none() {
    let queries = |numbers: &'static [usize]| {
        spans("s", move |build, api| {
            for number in numbers {
                let root = request(build, api, 2).add();
                (0..*number)
                    .for_each(|_| _ = build.span(api, Kind::Client, "SELECT items").child_of(root).add());
            }
        })
    };
    let diff = |a, b| Run::of(vec![queries(a)]).diff(&Run::of(vec![queries(b)]));
    let one_to_ten = diff(&[1, 1], &[10, 12]);
    let expected =
        "count: client span `SELECT items` of url-api under `GET /items/{id}` came 1 for each, now 10 to 12";
    assert_eq!(words(&one_to_ten), [expected]);
    assert_eq!(words(&diff(&[1, 3], &[3, 5])), [""; 0], "the numbers meet");
    assert_eq!(words(&diff(&[2, 2], &[2])), [""; 0]);
}

#[test]
fn where_a_fault_lay_on_something_numbers_and_errors_are_chance() {
    let scenario = |queries: usize, failed: bool| {
        let (mut evidence, declaration) = spans("s", |build, api| {
            let root = request(build, api, 2).add();
            for _ in 0..queries {
                let status = if failed { Status::Error } else { Status::Unset };
                build.span(api, Kind::Client, "SELECT items").child_of(root).status(status).add();
            }
        });
        evidence.faults.push(Fault {
            kind: FaultKind::Refuse,
            on: FaultTarget::Backend("postgres".into()),
            began: 1,
            ended: None,
            fenced: false,
        });
        (evidence, declaration)
    };
    let diff = Run::of(vec![scenario(1, false)]).diff(&Run::of(vec![scenario(7, true)]));
    assert_eq!(words(&diff), [""; 0]);
    assert!(!diff.has_changes(), "{diff:#?}");
}

#[test]
fn attributes_come_go_and_change_their_type_and_a_few_are_chance() {
    let run = |change: &'static dyn Fn(usize, SpanBuild)| {
        Run::of(vec![spans("s", |build, api| {
            (0..10).for_each(|number| change(number, request(build, api, 2)))
        })])
    };
    let keys = |diff: &Diff| {
        let told = diff.attributes.iter();
        told.map(|change| format!("{} {} {}/{}", change.change, change.key, change.with, change.of))
            .collect::<Vec<_>>()
    };
    let plain = run(&|_, span| _ = span.add());
    let tenant = run(&|_, span| _ = span.attribute("tenant", "a").add());
    let rare =
        run(&|number, span| _ = if number < 4 { span.attribute("tenant", "a").add() } else { span.add() });
    let number = run(&|_, span| _ = span.attribute("tenant", 7).add());
    assert_eq!(keys(&plain.diff(&tenant)), ["came tenant 10/10"]);
    assert_eq!(keys(&tenant.diff(&plain)), ["went tenant 10/10"]);
    assert_eq!(keys(&plain.diff(&rare)), [""; 0]);
    assert_eq!(keys(&rare.diff(&plain)), [""; 0]);
    let retyped = tenant.diff(&number);
    assert_eq!(keys(&retyped), ["type tenant 10/10"]);
    assert_eq!(retyped.attributes[0].types, Some(["string".into(), "int".into()]));
    assert!(retyped.plain().contains("  ~ url-api SERVER GET /items/{id}: tenant now int, was string\n"));
}

#[test]
fn resource_attributes_come_and_go_by_service() {
    let scenario = |version: Option<&'static str>| {
        let mut build = Build::new();
        let api = build.process("url-api");
        build.resource(&api, "service.version", version);
        request(&mut build, &api, 2).add();
        (build.evidence(), None)
    };
    let diff = Run::of(vec![scenario(Some("1"))]).diff(&Run::of(vec![scenario(None)]));
    assert!(diff.plain().contains("  - resource of url-api: service.version\n"), "{}", diff.plain());
}

#[test]
fn series_are_compared_by_family_label_number_and_growth() {
    let body = |codes: u32, label: &str| {
        let line = |n: u32| format!("clicks_total{{{label}=\"{n}\"}} 1\n");
        format!("# TYPE clicks counter\n{}# EOF\n", (0..codes).map(line).collect::<String>())
    };
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let scenario = |before: String, after: String| {
        let mut build = Build::new();
        let api = build.process("url-api");
        build.scrape(&api, ScrapeStage::Before, openmetrics, &before);
        build.pass(10);
        build.scrape(&api, ScrapeStage::Last, openmetrics, &after);
        build.evidence_mut().scenario = "s".into();
        Run::of(vec![(build.evidence(), None)])
    };
    let few = scenario(body(1, "status"), body(3, "status"));
    let same = scenario(body(1, "status"), body(4, "status"));
    let many = scenario(body(1, "status"), body(90, "status"));
    let renamed = scenario(body(1, "status"), body(3, "code"));
    let told = |diff: &Diff| {
        let change =
            |change: &SeriesChange| format!("{} {} {}>{}", change.change, change.family, change.a, change.b);
        diff.series.iter().map(change).collect::<Vec<_>>()
    };
    assert_eq!(told(&few.diff(&same)), [""; 0]);
    assert_eq!(told(&few.diff(&many)), ["growth clicks 2>89", "series clicks 3>90"]);
    let labels = few.diff(&renamed);
    assert!(
        labels.plain().contains("  ~ url-api, family clicks: label code came, label status went\n"),
        "{}",
        labels.plain()
    );
    let none = scenario("# EOF\n".into(), "# EOF\n".into());
    assert_eq!(told(&few.diff(&none)), ["went clicks 3>0"]);
    assert_eq!(told(&none.diff(&few)), ["came clicks 0>3"]);
    let gauge =
        scenario(body(1, "status"), body(3, "status").replace("counter", "gauge").replace("_total", ""));
    let retyped = few.diff(&gauge);
    assert_eq!(told(&retyped), ["type clicks 3>3"]);
    assert!(
        retyped.plain().contains("  ~ url-api, family clicks: is a gauge, was a counter\n"),
        "{}",
        retyped.plain()
    );
}

#[test]
fn slower_operations_are_told_beside_the_run_as_a_whole() {
    let run = |milliseconds: [u64; 6]| {
        Run::of(vec![spans("s", move |build, api| {
            for (number, ms) in milliseconds.into_iter().enumerate() {
                for _ in 0..25 {
                    build
                        .span(api, Kind::Internal, &format!("step {}", char::from(b'a' + number as u8)))
                        .time(0, ms)
                        .add();
                }
            }
        })])
    };
    let quick = run([10; 6]);
    let one_slower = quick.diff(&run([10, 10, 10, 40, 10, 10]));
    assert_eq!(
        one_slower.durations.slower.iter().map(|slow| slow.name.as_str()).collect::<Vec<_>>(),
        ["step d"]
    );
    assert_eq!(one_slower.durations.slower[0].ratio, 4.0);
    assert!(!one_slower.has_changes(), "durations depend on the machine");
    let text = one_slower.plain();
    assert!(text.contains("  slower url-api INTERNAL step d: × 4.0, 40 ms instead of 10 ms\n"), "{text}");
    let machine = quick.diff(&run([30; 6]));
    assert!(
        machine.durations.slower.is_empty() && machine.durations.run_ratio == 3.0,
        "{:?}",
        machine.durations
    );
    let faster = quick.diff(&run([10, 10, 2, 10, 10, 10]));
    assert_eq!(faster.durations.faster[0].name, "step c");
}

#[test]
fn scenarios_of_one_side_only_are_named_and_their_findings_are_new_or_not_judged() {
    let named = |name: &str, defect: &'static str| {
        let shortener = Shortener::with(defect).everything();
        let mut evidence = shortener.build.evidence();
        evidence.scenario = name.into();
        (evidence, Some(shortener.declaration))
    };
    let a = Run::of(vec![named("stays", ""), named("went", "health-traced")]);
    let b = Run::of(vec![named("stays", ""), named("came", "health-traced")]);
    let diff = a.diff(&b);
    assert_eq!(
        (diff.scenarios.only_a.clone(), diff.scenarios.only_b.clone()),
        (vec!["went".to_string()], vec!["came".to_string()])
    );
    assert!(diff.new_findings().all(|finding| finding.scenario == "came") && diff.findings.gone.is_empty());
    assert!(diff.not_judged_any_more() && diff.has_changes());
    assert!(!b.diff(&b).not_judged_any_more());
}

#[test]
fn one_program_is_compared_with_one_whatever_they_are_called() {
    let one = |name: &str| Run::of(vec![spans(name, |build, api| _ = request(build, api, 2).add())]);
    assert_eq!(one("").diff(&one("s")).scenarios.compared, 1);
    assert_eq!(one("r").diff(&one("s")).scenarios.compared, 0);
    let nothing = Run::of(vec![(Evidence::default(), None)]);
    assert_eq!(nothing.diff(&one("")).scenarios.only_b.len(), 1);
}

#[test]
fn hostile_names_make_no_escape_no_mention_and_no_endless_work() {
    let hostile = "\u{1b}[2J\u{202e}# [x](https://evil) @team ``` <script>\nfail";
    let scenario = |count: usize| {
        spans("s", move |build, api| {
            request(build, api, 2).attribute(hostile, "x").add();
            for number in 0..count {
                build
                    .span(api, Kind::Internal, &format!("{hostile} {}", "abcdefghij".repeat(number % 7 + 1)))
                    .add();
            }
            (0..count * 20).for_each(|number| {
                _ = build.span(api, Kind::Server, &format!("job-{}", letters(number))).add()
            });
        })
    };
    let diff = Run::of(vec![scenario(0)]).diff(&Run::of(vec![scenario(400)]));
    assert!(
        words(&diff).iter().any(|words| words.starts_with("more than 5000 different places")),
        "{:?}",
        words(&diff)
    );
    let (text, markdown) = (anstream::adapter::strip_str(&diff.text(Some(100))).to_string(), diff.markdown());
    assert!(!text.contains("\u{1b}[2J") && !text.contains('\u{202e}'));
    assert!(
        !markdown.contains("@team") && !markdown.contains("<script>") && !markdown.contains("https://evil")
    );
    assert!(text.lines().count() < 200, "{}", text.lines().count());
    assert!(serde_json::from_str::<Value>(&diff.json(0)).is_ok());
}

/// Words without digits, which outlines would show alike.
fn letters(mut number: usize) -> String {
    let mut word = String::new();
    for _ in 0..4 {
        word.push(char::from(b'g' + (number % 20) as u8));
        number /= 20;
    }
    word
}

#[test]
fn every_field_of_the_json_is_documented() {
    let page = include_str!("../../../docs/json.md");
    let page = &page[page.find("probity-diff").unwrap()..];
    let mut value: Value =
        serde_json::from_str(&Run::shortener("").diff(&Run::shortener("consumer-ignores-headers")).json(1))
            .unwrap();
    let mut known = serde_json::to_value(FindingChange {
        scenario: String::new(),
        rule: String::new(),
        severity: Severity::Error,
        subject: String::new(),
        fault: String::new(),
        required: String::new(),
        seen: String::new(),
        known: Some(Known { reason: String::new(), until: "2026-12-31".parse().ok() }),
    })
    .unwrap();
    let mut undocumented = Vec::new();
    let mut waiting = vec![value.take(), known.take()];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => fields.into_iter().for_each(|(key, value)| {
                if !page.contains(&format!("`{key}`")) {
                    undocumented.push(key);
                }
                waiting.push(value);
            }),
            Value::Array(entries) => waiting.extend(entries),
            _ => {}
        }
    }
    assert_eq!(undocumented, [""; 0]);
}

use super::*;
use crate::judge::judge;
use crate::model::build::{Build, declaration};
use crate::model::{Evidence, Fence, Kind};
use crate::report::BackendReport;

/// A click whose consumer was killed, with a hostile name.
fn evidence(name: &str) -> Evidence {
    let mut build = Build::new();
    let api = build.process("url-api");
    let consumer = build.process("analytics-consumer");
    build.change_process(&consumer, |process| process.fence = Fence::Open { why: "killed (SIGKILL)".into() });
    let root = build.span(&api, Kind::Server, "GET /{code}").attribute("http.route", "/{code}").add();
    build.span(&api, Kind::Producer, name).child_of(root).add();
    build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(root.trace);
    build.record("click-events", &[("traceparent", &root.traceparent())]);
    build.log(&api, &format!("{{\"level\":\"INFO\",\"message\":\"{name}\"}}"));
    build.evidence()
}

fn page_of(evidence: &Evidence, seconds: f64) -> String {
    let declaration = declaration();
    let mut report = judge(evidence, Some(&declaration));
    report.seconds = [("drive".to_string(), seconds)].into();
    let mut run = RunReport::new("shortener", vec![report.clone()]).with_backends(vec![BackendReport {
        name: "etcd".into(),
        provider: "embedded".into(),
        version: "3.7.2".into(),
        ready_ms: (seconds * 10.0) as u64,
        limits: Vec::new(),
    }]);
    run.seconds = seconds;
    render(&run, &[Judged { report: &report, evidence, declaration: Some(&declaration) }])
}

#[test]
fn what_was_emitted_stays_text() {
    let hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u{202e}\u{2028}<!--";
    let mut evidence = evidence(hostile);
    evidence.scenario = hostile.into();
    let page = page_of(&evidence, 1.0);
    // The page's own scripts, and no other element that a name could have brought.
    assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
    assert_eq!(page.matches("<script").count(), 5, "own, index, pages, one case, the script");
    assert!(
        !page.contains("<img")
            && !page.contains("<!--<")
            && !page.contains('\u{202e}')
            && !page.contains('\u{2028}')
    );
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
}

#[test]
fn the_same_evidence_gives_the_same_bytes_but_for_the_times_of_the_run() {
    let evidence = evidence("send click-events");
    let (first, again, slower) = (page_of(&evidence, 1.0), page_of(&evidence, 1.0), page_of(&evidence, 9.0));
    assert_eq!(first, again);
    let without_own = |page: &str| {
        let (before, rest) = page.split_once("<!-- the run's own").unwrap();
        format!("{before}{}", rest.split_once("<!-- end of the run's own -->").unwrap().1)
    };
    assert_ne!(first, slower);
    assert_eq!(without_own(&first), without_own(&slower));
}

#[test]
fn the_policy_allows_what_is_in_the_page_and_nothing_else() {
    let page = page_of(&evidence("send click-events"), 1.0);
    let between =
        |from: &str, to: &str| page.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    let policy = between("Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains(&assets::digest(&between("<style>", "</style>"))));
    assert!(policy.contains(&assets::digest(&between("<script>", "</script>"))));
    for reach in ["http://", "https://", "@import", "url(", " style=\"", "innerHTML", "eval("] {
        let own = [assets::script(), assets::style(), assets::SPRITE].concat().replace(dom_namespace(), "");
        assert!(!own.contains(reach), "{reach}");
    }
}

/// What SVG elements are made with: a name, no address.
fn dom_namespace() -> &'static str {
    "http://www.w3.org/2000/svg"
}

#[test]
fn findings_can_be_read_without_a_script() {
    let page = page_of(&evidence("send click-events"), 1.0);
    let (page, _) = page.split_once("id=\"index\"").unwrap();
    for wanted in
        ["<h1>", "is-incomplete", "<dt>required</dt>", "probity explain ", "What it cost", "id=\"s/built\""]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn addresses_are_the_same_from_run_to_run_and_each_is_one() {
    let report = judge(&evidence("send click-events"), Some(&declaration()));
    let ids = |report: &ScenarioReport| {
        findings::identified(report, "built").into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    let mut twice = report.clone();
    twice.findings.extend(report.findings.clone());
    let (once, twice) = (ids(&report), ids(&twice));
    assert!(!once.is_empty());
    assert_eq!(once[..], twice[..once.len()]);
    assert_eq!(twice.iter().collect::<std::collections::BTreeSet<_>>().len(), twice.len());
}

#[test]
fn scenarios_of_one_name_have_addresses_of_their_own() {
    let report = |name: &str| ScenarioReport::skipped(name, "trace", "why");
    assert_eq!(keys(&[report("a"), report("a"), report(""), report("b")]), ["a", "a-2", "run", "b"]);
    let unlucky = keys(&[report("a-2"), report("a"), report("a"), report("a-2")]);
    assert_eq!(unlucky.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{unlucky:?}");
}

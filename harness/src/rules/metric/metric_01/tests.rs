use super::super::testing::*;
use crate::model::*;

#[test]
fn a_service_that_exposes_what_it_declares_passes() {
    let asked = Asked::new();
    let body = asked.requests();
    assert_eq!(asked.scraped(&body).judge("METRIC-01").outcome(), Outcome::Pass);

    // More families, and more labels, are no fault.
    let asked = Asked::new();
    let body = asked.requests().counter("other", &[("a=\"b\"", 1)]).raw("# TYPE target info\ntarget_info{x=\"y\"} 1\n");
    assert_eq!(asked.scraped(&body).judge("METRIC-01").outcome(), Outcome::Pass);

    // Plain text, with the counter's suffix in the family's name and the unit in the name alone.
    let mut asked = Asked::new();
    let truth = asked.truth();
    let mut text = String::from("# TYPE http_server_requests_total counter\n");
    truth.iter().for_each(|(labels, count)| text += &format!("http_server_requests_total{{{labels}}} {count}\n"));
    text += &asked.latency().text();
    asked.build.scrape(&asked.api, ScrapeStage::Last, TEXT, &text);
    let judgement = asked.judge("METRIC-01");
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 2));
}

#[test]
fn missing_families_are_one_finding_that_names_them() {
    let body = Body::default().gauge("process_start_time_seconds", &[("", 1.0)]).counter("http_requests", &[("", 3)]);
    let judgement = Asked::new().scraped(&body).judge("METRIC-01");
    assert_eq!(errors(&judgement), ["url-api"]);
    let finding = &judgement.findings[0];
    assert!(finding.required.contains(LATENCY) && finding.required.contains(REQUESTS), "{finding:?}");
    assert_eq!(finding.candidates, ["http_requests"]);
}

#[test]
fn another_type_another_unit_and_a_missing_label_are_faults() {
    let asked = Asked::new();
    let body = asked.latency().gauge(REQUESTS, &[("", 3.0)]);
    assert_eq!(errors(&asked.scraped(&body).judge("METRIC-01")), [format!("url-api, family `{REQUESTS}`")]);

    let mut asked = Asked::new();
    let body = asked.requests();
    let mut declaration = declaration();
    declaration.services[0].families[0].unit = "milliseconds".into();
    asked.build.scrape(&asked.api, ScrapeStage::Last, OPENMETRICS, &body.text());
    let judgement = judge_with("METRIC-01", &asked.build.evidence(), Some(&declaration));
    assert_eq!(judgement.findings[0].required, "the unit milliseconds");

    let asked = Asked::new();
    let body = asked.latency().counter(REQUESTS, &[(r#"http_request_method="GET",http_route="/{code}""#, 3)]);
    let judgement = asked.scraped(&body).judge("METRIC-01");
    assert!(judgement.findings[0].seen.ends_with("without `http_response_status_code`"), "{judgement:?}");
}

#[test]
fn a_family_is_due_once_what_it_counts_has_happened() {
    // No call was made, no record was sent, nothing was degraded: those families may be absent.
    let asked = Asked::new();
    let body = asked.requests();
    assert_eq!(asked.scraped(&body).judge("METRIC-01").subjects, 2);

    let mut asked = Asked::new();
    asked.detail(true);
    let body = asked.requests();
    let judgement = asked.scraped(&body).judge("METRIC-01");
    assert!(judgement.findings[0].required.contains(CALLS) && judgement.findings[0].required.contains(DEGRADED));

    // What came after the scrape is not due in it.
    let asked = Asked::new();
    let body = asked.requests();
    let mut asked = asked.scraped(&body);
    asked.detail(true);
    assert_eq!(asked.judge("METRIC-01").outcome(), Outcome::Pass);
}

#[test]
fn a_consumer_must_show_what_it_committed() {
    let mut asked = Asked::new();
    asked.build.record("click-events", &[]);
    asked.build.committed("analytics", "click-events", Some(1), 1);
    let consumer = asked.build.process("analytics-consumer");
    asked.build.scrape(&consumer, ScrapeStage::Last, OPENMETRICS, &Body::default().text());
    assert_eq!(errors(&asked.judge("METRIC-01")), ["analytics-consumer"]);
    asked.build.committed("analytics", "click-events", None, 1);
    assert_eq!(asked.judge("METRIC-01").outcome(), Outcome::NotJudged);
}

#[test]
fn who_did_nothing_or_never_became_ready_is_no_subject() {
    let mut idle = Asked::new();
    idle.build.evidence_mut().stimuli.clear();
    assert_eq!(idle.scraped(&Body::default()).judge("METRIC-01").outcome(), Outcome::NotJudged);

    let mut asked = Asked::new();
    let api = asked.api.clone();
    asked.build.change_process(&api, |process| process.ready = None);
    assert_eq!(asked.scraped(&Body::default()).judge("METRIC-01").outcome(), Outcome::NotJudged);
}

#[test]
fn an_answer_that_no_scraper_can_read_fails() {
    for (content_type, body) in [("text/html", "<p>hello</p>"), (OPENMETRICS, "a 1\n"), (OPENMETRICS, "\u{0}\u{7f}\n# EOF\n")] {
        let mut asked = Asked::new();
        asked.build.scrape(&asked.api, ScrapeStage::Last, content_type, body);
        let judgement = asked.judge("METRIC-01");
        assert_eq!(errors(&judgement), ["url-api"], "{judgement:?}");
        assert!(judgement.findings[0].required.starts_with("an exposition"), "{judgement:?}");
    }
}

#[test]
fn no_exposition_is_incomplete_unless_another_process_holds_the_port() {
    let mut asked = Asked::new();
    asked.build.scrape(&asked.api, ScrapeStage::Last, OPENMETRICS, "");
    let scrapes = &mut asked.build.evidence_mut().scrapes;
    scrapes.last_mut().expect("a scrape").answer.status = Some(503);
    let judgement = asked.judge("METRIC-01");
    assert_eq!(judgement.outcome(), Outcome::Incomplete);
    assert!(judgement.gaps[0].why.contains("HTTP 503"), "{judgement:?}");

    let (api, other) = (asked.api.clone(), asked.build.process("analytics-consumer"));
    asked.build.change_process(&api, |process| process.ready = None);
    asked.build.evidence_mut().sockets.push(Socket {
        process: api,
        service: "url-api".into(),
        role: Some("admin".into()),
        address: "url-api:9464".into(),
        metrics: None,
        held_by: Some(other),
    });
    assert_eq!(errors(&asked.judge("METRIC-01")), ["url-api"]);
}

#[test]
fn hostile_names_are_shown_harmless() {
    let asked = Asked::new();
    let body = asked.latency().raw("# TYPE \"http_\u{1b}[2Jserver\" gauge\n# UNIT http_server_requests requests\n# TYPE http_server_requests counter\n");
    let judgement = asked.scraped(&body).judge("METRIC-01");
    assert_eq!(judgement.outcome(), Outcome::Fail);
    assert!(!format!("{judgement:?}").contains('\u{1b}'));
}

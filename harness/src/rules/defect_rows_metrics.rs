//! The table of defects, row by row: metrics, scraping, starting and degradation, on evidence that also has its spans, so that
//! every rule is asked.

mod exposing;

use crate::model::build::at;
use crate::model::*;

use super::defect_rows::{Row, each_defect_is_exact, good_runs_are_green, outcomes};
use super::scrape::testing::{CONFIG, answer, scraped_by};
use super::testing::Shortener;
use exposing::{declare, scrape_all, scrape_api};

macro_rules! rows {
    ($($defect:literal by $drive:ident fails $fails:literal cannot judge $cannot:literal;)*) => {
        const ROWS: &[Row] = &[$(Row { defect: $defect, drive: $drive, fails: $fails, cannot_judge: $cannot },)*];
    };
}

rows! {
    "metrics-gate-closed" by mix fails "METRIC-01" cannot judge "METRIC-02 METRIC-05 METRIC-08 METRIC-09 METRIC-10";
    "counter-counts-retries" by mix fails "METRIC-02" cannot judge "";
    "errors-not-counted" by mix fails "METRIC-02" cannot judge "";
    "label-short-code" by ids fails "METRIC-03 METRIC-04" cannot judge "";
    "label-raw-path" by ids fails "METRIC-03 METRIC-04" cannot judge "";
    "label-user-agent" by ids fails "METRIC-03 METRIC-04" cannot judge "";
    "label-client-ip" by mix fails "METRIC-04" cannot judge "";
    "latency-gauge" by mix fails "METRIC-05 METRIC-01 METRIC-09" cannot judge "METRIC-02 METRIC-08";
    "buckets-too-coarse" by mix fails "METRIC-05" cannot judge "";
    "milliseconds-unit" by mix fails "METRIC-05" cannot judge "";
    "counter-without-total" by mix fails "METRIC-06" cannot judge "METRIC-08";
    "degradation-uncounted" by refused fails "METRIC-11" cannot judge "";
    "scrape-main-port" by scraping fails "SCRAPE-01" cannot judge "";
    "scrape-wrong-path" by scraping fails "SCRAPE-01" cannot judge "";
    "scrape-html-200" by scraping fails "SCRAPE-01" cannot judge "";
    "scrape-localhost" by scraping fails "SCRAPE-01 SCRAPE-02" cannot judge "";
    "scrape-job-missing" by scraping fails "SCRAPE-02" cannot judge "";
    "scrape-dangling" by scraping fails "SCRAPE-02" cannot judge "";
    "metrics-on-main-port" by scraping fails "SCRAPE-03" cannot judge "";
    "metrics-port-conflict" by taken_port fails "SCRAPE-03 METRIC-01" cannot judge "METRIC-02 METRIC-05";
    "register-before-listen" by registration fails "START-01" cannot judge "";
    "no-deregister" by registration fails "START-01" cannot judge "";
    "register-once" by empty_etcd fails "START-01" cannot judge "";
    "exit-when-etcd-down" by start_orders fails "START-02" cannot judge "";
    "consumer-before-topic" by start_orders fails "START-02" cannot judge "";
    "resolve-once" by empty_list fails "START-03" cannot judge "TRACE-02";
    "ready-always" by readiness fails "START-04" cannot judge "";
    "liveness-needs-kafka" by readiness fails "START-04" cannot judge "";
    "exporter-blocks-start" by late_collector fails "START-05" cannot judge "";
    "degrade-to-500" by refused fails "DEGRADE-01" cannot judge "METRIC-11";
    "degrade-silently" by refused fails "DEGRADE-01" cannot judge "";
    "degrade-catches-timeout-only" by refused fails "DEGRADE-01" cannot judge "METRIC-11";
    "no-deadline" by black_hole fails "DEGRADE-02" cannot judge "METRIC-11";
    "no-recovery" by refused fails "DEGRADE-06" cannot judge "";
}

#[test]
fn without_a_defect_no_rule_is_red_and_none_is_open() {
    good_runs_are_green(ROWS);
}

#[test]
fn each_defect_turns_exactly_its_rules_red_and_takes_exactly_its_judgements() {
    each_defect_is_exact(ROWS);
}

#[test]
fn every_rule_of_these_families_is_judged_by_some_good_run() {
    let mut passed = Vec::new();
    for row in ROWS.iter().chain(super::defect_rows_delivery::ROWS) {
        let mut shortener = Shortener::good();
        (row.drive)(&mut shortener);
        passed.extend(
            outcomes(&shortener)
                .into_iter()
                .filter(|(_, outcome)| *outcome == Outcome::Pass)
                .map(|(rule, _)| rule),
        );
    }
    let families = ["METRIC-", "SCRAPE-", "START-", "DEGRADE-"];
    // What a real Prometheus says is no evidence that can be built by hand.
    let of_ours = |id: &&str| *id != "SCRAPE-05" && families.iter().any(|family| id.starts_with(family));
    let idle: Vec<_> =
        super::all().map(|rule| rule.id).filter(of_ours).filter(|id| !passed.contains(id)).collect();
    assert!(idle.is_empty(), "{idle:?}");
}

/// Creates, clicks that are consumed, 404, 500, and details whose last call was tried twice.
fn mix(shortener: &mut Shortener) {
    declare(shortener);
    shortener.create();
    (0..3).for_each(|_| shortener.click());
    shortener.unknown_code();
    shortener.database_cut();
    shortener.detail("OK");
    shortener.detail("NOT_FOUND");
    scrape_all(shortener);
}

/// Twice sixty distinct codes.
fn ids(shortener: &mut Shortener) {
    declare(shortener);
    for ids in [60, 120] {
        (0..60).for_each(|_| shortener.unknown_code());
        scrape_api(shortener, ScrapeStage::Driven { ids });
    }
    scrape_all(shortener);
}

/// Targets and listening sockets of the three services.
fn scraping(shortener: &mut Shortener) {
    mix(shortener);
    let config = match &*shortener {
        it if it.is("scrape-main-port") => CONFIG.replace("url-api:9464", "url-api:8080"),
        it if it.is("scrape-wrong-path") => {
            CONFIG.replace("job_name: url-api\n", "job_name: url-api\n    metrics_path: /metricz\n")
        }
        it if it.is("scrape-html-200") => {
            CONFIG.replace("job_name: url-api\n", "job_name: url-api\n    metrics_path: /\n")
        }
        it if it.is("scrape-localhost") => CONFIG.replace("url-api:9464", "localhost:9464"),
        it if it.is("scrape-job-missing") => {
            CONFIG.split("  - job_name: analytics-consumer").next().unwrap().into()
        }
        it if it.is("scrape-dangling") => {
            format!("{CONFIG}  - job_name: gone\n    static_configs: [{{targets: [\"gone:9464\"]}}]\n")
        }
        _ => CONFIG.to_string(),
    };
    let scraped = scraped_by(&config).evidence();
    let main = if shortener.is("metrics-on-main-port") { "admin" } else { "main" };
    let api = shortener.api.clone();
    let evidence = shortener.build.evidence_mut();
    (evidence.files, evidence.targets) = (scraped.files, scraped.targets);
    for (role, answers) in [("admin", "admin"), ("main", main)] {
        evidence.sockets.push(Socket {
            process: api.clone(),
            service: "url-api".into(),
            role: Some(role.into()),
            address: format!("url-api:{role}"),
            metrics: Some(answer(answers, "/metrics")),
            held_by: None,
        });
    }
}

/// A consumer that was given url-api's metrics port: a first instance ends, or it goes on without.
fn taken_port(shortener: &mut Shortener) {
    mix(shortener);
    let (api, consumer) = (shortener.api.clone(), shortener.consumer.clone());
    shortener.build.evidence_mut().sockets.push(Socket {
        process: api.clone(),
        service: "url-api".into(),
        role: Some("admin".into()),
        address: "url-api:9464".into(),
        metrics: Some(answer("admin", "/metrics")),
        held_by: None,
    });
    if !shortener.is("metrics-port-conflict") {
        let first = shortener.build.process("analytics-consumer");
        let end = ProcessEnd { at: at(50), exit: Exit::Code(1), asked: None, within_grace: false };
        return shortener.build.change_process(&first, |process| {
            process.ready = None;
            process.end = Some(end);
            process.fence = Fence::Open { why: "ended by itself with exit code 1".into() };
        });
    }
    shortener.build.change_process(&consumer, |process| process.ready = None);
    shortener.build.evidence_mut().sockets.push(Socket {
        process: consumer,
        service: "analytics-consumer".into(),
        role: Some("admin".into()),
        address: "analytics-consumer:9466".into(),
        metrics: None,
        held_by: Some(api),
    });
}

fn key(shortener: &mut Shortener, key: &str, ms: u64, change: KeyChange) {
    shortener.build.evidence_mut().keys.push(KeyEvent { key: key.into(), at: at(ms), change });
}

fn put(serves: Result<(), String>) -> KeyChange {
    KeyChange::Put { value: "127.0.0.1:50051".into(), lease_ttl: Some(10), serves: Some(serves) }
}

fn watched(shortener: &mut Shortener) {
    let watch = KeyWatch { prefix: "analytics-rpc/".into(), from: at(0), until: at(901_000) };
    shortener.build.evidence_mut().key_watches.push(watch);
}

/// Registered once it serves, gone once it stops.
fn registration(shortener: &mut Shortener) {
    watched(shortener);
    shortener.detail("OK");
    let early = shortener.is("register-before-listen");
    let serves = if early { Err("it accepts connections and is not ready".into()) } else { Ok(()) };
    key(shortener, "analytics-rpc/1", 110, put(serves));
    if !shortener.is("no-deregister") {
        key(shortener, "analytics-rpc/1", 900_000, KeyChange::Delete);
    }
}

/// etcd restarts with nothing in it.
fn empty_etcd(shortener: &mut Shortener) {
    watched(shortener);
    shortener.detail("OK");
    fault(shortener, FaultKind::RestartEmpty, FaultTarget::Backend("etcd".into()), 2_000, Some(2_100));
    key(shortener, "analytics-rpc/1", 110, put(Ok(())));
    if !shortener.is("register-once") {
        key(shortener, "analytics-rpc/2", 4_000, put(Ok(())));
        key(shortener, "analytics-rpc/2", 900_000, KeyChange::Delete);
    }
}

fn start_orders(shortener: &mut Shortener) {
    shortener.click();
    let (exits, stuck) = (shortener.is("exit-when-etcd-down"), shortener.is("consumer-before-topic"));
    let api = shortener.api.clone();
    let gap = |service: &str, what: &str| OrderGap { service: service.into(), what: what.into() };
    let missing = match (exits, stuck) {
        (true, _) => vec![gap("url-api", "not ready")],
        (_, true) => vec![gap("analytics-consumer", "no row of the click")],
        _ => Vec::new(),
    };
    let items = ["url-api", "analytics-consumer", "analytics-rpc", "postgres", "etcd", "kafka"];
    shortener.build.evidence_mut().orders.push(StartOrder {
        order: items.map(String::from).to_vec(),
        started_late: vec!["etcd".into()],
        healthy: missing.is_empty(),
        missing,
        exited: if exits { vec![(api, Exit::Code(1))] } else { Vec::new() },
        bound_ms: 10_000,
        took_ms: 800,
    });
}

/// url-api alone at first: degraded, and whole once the server has registered.
fn empty_list(shortener: &mut Shortener) {
    let (api, rpc) = (shortener.api.clone(), shortener.rpc.clone());
    shortener.build.change_process(&api, |process| process.started = at(10));
    shortener.detail("UNAVAILABLE");
    let registered = shortener.build.now_ms() + 100;
    shortener.build.change_process(&rpc, |process| {
        (process.started, process.ready) = (at(registered - 50), Some(at(registered)));
    });
    key(shortener, "analytics-rpc/1", registered, put(Ok(())));
    shortener.build.pass(2_000);
    shortener.detail(if shortener.is("resolve-once") { "UNAVAILABLE" } else { "OK" });
}

fn fault(shortener: &mut Shortener, kind: FaultKind, on: FaultTarget, began: u64, ended: Option<u64>) {
    let fault = Fault { kind, on, began: at(began), ended: ended.map(at), fenced: false };
    shortener.build.evidence_mut().faults.push(fault);
}

/// Postgres and Kafka are away, one after the other.
fn readiness(shortener: &mut Shortener) {
    shortener.click();
    fault(shortener, FaultKind::Refuse, FaultTarget::Backend("postgres".into()), 10_000, Some(14_000));
    fault(shortener, FaultKind::Stop, FaultTarget::Backend("kafka".into()), 20_000, Some(24_000));
    let ready = if shortener.is("ready-always") { 200 } else { 503 };
    let live = if shortener.is("liveness-needs-kafka") { 503 } else { 200 };
    for (process, kind, ms, status) in [
        (shortener.api.clone(), ProbeKind::Ready, 13_900, ready),
        (shortener.api.clone(), ProbeKind::Live, 13_900, 200),
        (shortener.consumer.clone(), ProbeKind::Ready, 23_900, 503),
        (shortener.consumer.clone(), ProbeKind::Live, 23_900, live),
    ] {
        let service = process.as_str().split('#').next().unwrap_or_default().to_string();
        let probe = Probe { process, service, kind, at: at(ms), status: Some(status) };
        shortener.build.evidence_mut().probes.push(probe);
    }
}

fn late_collector(shortener: &mut Shortener) {
    fault(shortener, FaultKind::Late, FaultTarget::Collector, 0, Some(5_000));
    let blocked = shortener.is("exporter-blocks-start");
    let api = shortener.api.clone();
    shortener.build.change_process(&api, |process| {
        (process.started, process.ready) = (at(10), Some(at(if blocked { 5_200 } else { 500 })));
    });
    shortener.build.pass(6_000);
    shortener.click();
}

/// Names the phase of the last request.
fn phase(shortener: &mut Shortener, phase: &str) {
    let stimulus = shortener.build.evidence_mut().stimuli.last_mut().expect("a stimulus");
    stimulus.phase = phase.into();
}

/// Before, during and after the RPC server is refused.
fn refused(shortener: &mut Shortener) {
    declare(shortener);
    shortener.detail("OK");
    phase(shortener, "before");
    let began = shortener.build.now_ms();
    shortener.detail("UNAVAILABLE");
    phase(shortener, "during");
    let ended = shortener.build.now_ms();
    fault(shortener, FaultKind::Refuse, FaultTarget::Service("analytics-rpc".into()), began, Some(ended));
    shortener.build.pass(1_000);
    shortener.detail(if shortener.is("no-recovery") { "UNAVAILABLE" } else { "OK" });
    phase(shortener, "after");
    scrape_all(shortener);
}

/// Before, during and after the RPC server says nothing.
fn black_hole(shortener: &mut Shortener) {
    declare(shortener);
    shortener.detail("OK");
    phase(shortener, "before");
    let began = shortener.build.now_ms();
    if shortener.is("no-deadline") {
        let api = shortener.api.clone();
        let stimulus = shortener.build.stimulus(&api, "detail", "GET", "/api/v1/links/abc", 200);
        (stimulus.answer, stimulus.answered) = (None, None);
        stimulus.gave_up = Some(stimulus.sent + 2_000_000_000);
        stimulus.error = Some("timed out after 2 s".into());
    } else {
        shortener.detail("DEADLINE_EXCEEDED");
        let stimulus = shortener.build.evidence_mut().stimuli.last_mut().expect("a stimulus");
        stimulus.answered = Some(stimulus.sent + 505_000_000);
    }
    phase(shortener, "during");
    shortener.build.pass(2_100);
    let ended = shortener.build.now_ms();
    fault(shortener, FaultKind::BlackHole, FaultTarget::Service("analytics-rpc".into()), began, Some(ended));
    shortener.detail("OK");
    phase(shortener, "after");
    scrape_all(shortener);
}

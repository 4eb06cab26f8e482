use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, Sum};

use super::super::otlp::tests::{evidence, export};
use super::super::testing::*;
use crate::model::build::Build;
use crate::model::*;

fn scraped(content_type: &str, body: &str) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.scrape(&api, ScrapeStage::Last, content_type, body);
    judge("METRIC-06", &build)
}

/// The faults of one family of plain text, with its type and labels.
fn plain(name: &str, kind: &str, labels: &str) -> Vec<String> {
    let judgement = scraped(TEXT, &format!("# HELP {name} Help.\n# TYPE {name} {kind}\n{name}{{{labels}}} 1\n"));
    judgement.findings.into_iter().map(|finding| finding.seen).collect()
}

#[test]
fn names_of_well_kept_libraries_pass() {
    let judgement = scraped(OPENMETRICS, &Asked::new().requests().text());
    assert_eq!((judgement.outcome(), judgement.findings), (Outcome::Pass, vec![]));
    for (name, kind) in [
        ("http_server_requests_total", "counter"),
        ("process_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_start_time_seconds", "gauge"),
        ("go_goroutines", "gauge"),
        ("build_info", "gauge"),
        ("cache_hit_ratio", "gauge"),
        ("shortener_circuit_breaker_state", "gauge"),
        ("last_success_timestamp_seconds", "gauge"),
    ] {
        assert_eq!(plain(name, kind, "code=\"200\""), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_adapters_add_is_no_fault() {
    let body = "# TYPE target_info gauge\ntarget_info{x=\"y\"} 1\n# TYPE otel_scope_info gauge\notel_scope_info 1\n\
        # HELP a_total A.\n# TYPE a_total counter\na_total{otel_scope_name=\"x\"} 1\n# TYPE a_created gauge\na_created 1\n";
    assert_eq!(scraped(TEXT, body).findings, []);
    assert_eq!(scraped(OPENMETRICS, "# TYPE target info\ntarget_info{x=\"y\"} 1\n# EOF\n").findings, []);
}

#[test]
fn a_counter_ends_with_total_and_nothing_else_does() {
    assert_eq!(plain("shortener_scrapes", "counter", ""), ["a counter without `_total`"]);
    assert_eq!(plain("open_connections_total", "gauge", ""), ["`_total` on a gauge"]);
    assert_eq!(plain("open_connections_total", "untyped", ""), Vec::<String>::new());
    // In OpenMetrics the family has no suffix and its samples do.
    assert_eq!(scraped(OPENMETRICS, "# HELP a A.\n# TYPE a counter\na_total 1\n# EOF\n").findings, []);
    let twice = scraped(OPENMETRICS, "# HELP a_total A.\n# TYPE a_total counter\na_total_total 1\n# EOF\n");
    assert_eq!(twice.findings[0].seen, "a counter whose samples end in `_total_total`");
}

#[test]
fn units_are_base_units_written_out() {
    assert_eq!(plain("request_duration_milliseconds", "gauge", ""), ["the unit `milliseconds`"]);
    assert_eq!(plain("memory_megabytes", "gauge", ""), ["the unit `megabytes`"]);
    assert_eq!(plain("disk_used_percent", "gauge", ""), ["the unit `percent`"]);
    assert_eq!(plain("request_duration_ms", "gauge", ""), ["the abbreviated unit `ms`"]);
    assert_eq!(plain("read_kb_total", "counter", ""), ["the abbreviated unit `kb`"]);
    // A word is not its letters: `d` and `s` are parts, not endings.
    assert_eq!(plain("s3_requests_failed", "gauge", ""), Vec::<String>::new());
}

#[test]
fn types_colons_and_camel_case_do_not_belong_into_names() {
    assert_eq!(plain("requests_counter_total", "counter", ""), ["the type `counter` in the name"]);
    assert_eq!(plain("queue_gauge", "gauge", ""), ["the type `gauge` in the name"]);
    assert_eq!(plain("job:requests:rate5m", "gauge", ""), ["a colon"]);
    assert_eq!(plain("requestCount", "gauge", ""), ["camelCase in `requestCount`"]);
    assert_eq!(plain("requests", "gauge", "statusCode=\"200\""), ["camelCase in `statusCode`"]);
}

#[test]
fn reserved_endings_and_labels_mean_histograms_and_summaries() {
    assert_eq!(plain("requests_sum", "gauge", ""), ["`_sum` on a gauge"]);
    assert_eq!(plain("db_client_connection_count", "gauge", ""), [""; 0], "the conventions' own name");
    assert_eq!(plain("requests", "gauge", "le=\"1\""), ["the label `le` on a gauge"]);
    assert_eq!(plain("requests", "gauge", "quantile=\"1\""), ["the label `quantile` on a gauge"]);
    let summary = "# HELP s S.\n# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n";
    assert_eq!(scraped(TEXT, summary).findings, []);
}

#[test]
fn help_is_present() {
    let judgement = scraped(TEXT, "# TYPE requests_total counter\nrequests_total 1\nbare 1\n");
    assert_eq!(errors(&judgement), ["url-api, family `bare`", "url-api, family `requests_total`"]);
    assert_eq!(scraped(OPENMETRICS, "# HELP a \n# TYPE a gauge\na 1\n# EOF\n").findings[0].seen, "no HELP text");
}

#[test]
fn without_a_declaration_they_are_warnings() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.scrape(&api, ScrapeStage::Last, TEXT, "bare 1\n");
    let judgement = judge_with("METRIC-06", &build.evidence(), None);
    assert_eq!((judgement.outcome(), judgement.findings[0].severity), (Outcome::Pass, Severity::Warning));

    let sum = |name: &str, is_monotonic| {
        let data = Some(Data::Sum(Sum { is_monotonic, ..Default::default() }));
        let metric = Metric { name: name.into(), data, ..Default::default() };
        judge_with("METRIC-06", &evidence(&[export("web", metric)]), None)
    };
    for name in ["orders_total", "orders.total", "Orders"] {
        assert_eq!(sum(name, true).findings[0].severity, Severity::Warning, "{name}");
    }
    assert_eq!(sum("http.server.requests", true).findings, []);
    assert_eq!(sum("heap.total", false).findings, []);
}

#[test]
fn hostile_names_stay_short_and_harmless() {
    let body: String = (0..5_000).map(|number| format!("{{\"\u{1b}[2JnameCase{number}\"}} 1\n")).collect();
    let judgement = scraped(TEXT, &body);
    assert!(judgement.findings.len() <= 100);
    assert!(!format!("{judgement:?}").contains("\u{1b}[2J"));
}

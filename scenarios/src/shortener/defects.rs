//! Every defect of the shortener, with the rules that it must turn red: those of its row in the catalogue, those that must
//! go red `also`, and those that lose their judgement.

use probity::run::{Alteration, Defect};

use super::scraping::PROMETHEUS;
use super::{API, CONSUMER, RPC};
use crate::rows::{Row, rows};

const MIX: &str = "a_known_mix_is_counted_truly";
const IDS: &str = "two_thousand_links_add_no_series";
const CLICK: &str = "a_click_is_one_trace_across_kafka";
const DETAIL: &str = "a_link_detail_spans_three_services";
const CONTEXTS: &str = "contexts_are_continued_or_begun_anew";
const EXPIRED: &str = "expired_clicks_go_in_traces_of_their_own";
const TARGETS: &str = "every_target_answers_with_metrics";
const UNKNOWN: &str = "an_unknown_code_is_not_an_error_of_the_server";
const LEVEL: &str = "the_log_level_changes_for_a_while";
const SECRETS: &str = "a_tenant_travels_and_secrets_do_not";
const CUT: &str = "a_cut_database_is_an_error_of_the_server";
const ORDERS: &str = "every_order_gets_healthy";
const READINESS: &str = "readiness_follows_the_backends";
const REGISTERS: &str = "a_service_registers_once_it_serves";
const ANY_COLLECTOR: &str = "redirects_survive_any_collector";
const REFUSED: &str = "link_detail_survives_a_refused_rpc";

pub(super) fn all() -> Vec<Defect> {
    let rows = [trace(), messaging(), metrics(), logging(), privacy(), starting(), degradation()]
        .into_iter()
        .flatten();
    let in_services = rows.map(|row| row.defect(Alteration::Environment));
    in_services.chain(scraping()).collect()
}

fn trace() -> Vec<Row> {
    rows! {
        "telemetry-block-missing" on CONSUMER, in CLICK, turns ["TRACE-01"] also [] cannot judge ["MSG-02" "MSG-03" "MSG-04" "TRACE-10" "PRIVATE-02"]: "builds no exporter";
        "service-name-copied" on CONSUMER, in CLICK, turns ["TRACE-01"] also [] cannot judge []: "says that it is url-api";
        "grpc-client-drops-context" on API, in DETAIL, turns ["TRACE-02"] also ["TRACE-04"] cannot judge []: "sends no context with the call";
        "middle-span-dropped" on API, in DETAIL, turns ["TRACE-03"] also [] cannot judge ["TRACE-02"]: "never exports its RPC client span";
        "context-background" on API, in CLICK, turns ["TRACE-04"] also [] cannot judge []: "selects under an empty context";
        "spawn-without-context" on API, in "a_click_outlives_its_request", turns ["TRACE-05"] also ["TRACE-04" "LOG-09"] cannot judge []: "publishes under an empty context";
        "raw-path-name" on API, in CLICK, turns ["TRACE-07"] also [] cannot judge []: "names spans by the raw path";
        "kind-wrong" on API, in CLICK, turns ["TRACE-08"] also [] cannot judge []: "database spans are INTERNAL";
        "status-code-missing" on API, in CLICK, turns ["TRACE-08"] also [] cannot judge []: "no http.response.status_code";
        "error-swallowed" on API, in CUT, turns ["TRACE-09"] also [] cannot judge []: "answers 500 with status unset";
        "4xx-as-server-error" on API, in UNKNOWN, turns ["TRACE-09"] also [] cannot judge []: "marks a 404 as its own error";
        "resource-bare" on API, in CLICK, turns ["TRACE-10"] also [] cannot judge []: "a resource with nothing but service.name";
        "health-traced" on API, in CLICK, turns ["TRACE-12"] also ["TRACE-04"] cannot judge []: "traces health checks and scrapes";
        "span-never-ended" on API, in UNKNOWN, turns ["TRACE-16"] also ["LOG-02"] cannot judge []: "never ends its SELECT";
        "tick-spans-always" on CONSUMER, in EXPIRED, turns ["TRACE-06"] also [] cannot judge []: "a span for every turn of its timer";
        "tick-one-endless-trace" on CONSUMER, in EXPIRED, turns ["TRACE-06"] also ["TRACE-04"] cannot judge []: "a span around its timer";
        "errors-sampled-away" on API, in "errors_are_kept_at_any_ratio", turns ["TRACE-13"] also [] cannot judge []: "samples errors away";
        "span-per-row" on RPC, in "a_batch_of_a_hundred_clicks_is_linked", turns ["TRACE-14"] also [] cannot judge []: "a span for each row";
        "sampler-zero-at-edge" on API, in CONTEXTS, turns ["TRACE-11"] also [] cannot judge []: "samples nothing that begins here";
        "sampler-ignores-parent" on CONSUMER, in CONTEXTS, turns ["TRACE-11"] also ["TRACE-03"] cannot judge []: "samples whatever its parent decided";
        "traceparent-malformed-forwarded" on API, in CONTEXTS, turns ["TRACE-17"] also ["MSG-01" "MSG-02" "TRACE-04"] cannot judge []: "hands on a header that is not valid";
        "no-response-header" on API, in CLICK, turns ["TRACE-18"] also [] cannot judge []: "answers without traceresponse";
        "clock-skewed" on RPC, in DETAIL, turns ["TRACE-16"] also [] cannot judge []: "its clock is 5 s behind";
    }
}

fn messaging() -> Vec<Row> {
    rows! {
        "kafka-send-without-headers" on API, in CLICK, turns ["MSG-01"] also ["MSG-02" "TRACE-04"] cannot judge []: "sends records without headers";
        "kafka-header-in-body" on API, in CLICK, turns ["MSG-01"] also [] cannot judge []: "carries the context in the value";
        "consumer-ignores-headers" on CONSUMER, in CLICK, turns ["MSG-02"] also ["TRACE-04"] cannot judge []: "starts its own traces";
        "batch-links-first-only" on CONSUMER, in "a_batch_of_a_hundred_clicks_is_linked", turns ["MSG-02"] also [] cannot judge []: "links a batch to its first record alone";
        "consumer-without-span" on CONSUMER, in CLICK, turns ["MSG-03"] also ["MSG-02" "TRACE-04" "METRIC-08"] cannot judge []: "starts no process span";
        "kafka-attributes-missing" on CONSUMER, in CLICK, turns ["MSG-04"] also [] cannot judge []: "no partition, offset and event id";
        "commit-before-work" on CONSUMER, in "a_restart_loses_no_click", turns ["MSG-06"] also ["DEGRADE-05"] cannot judge []: "commits before it has stored";
        "producer-acks-zero" on API, in "a_click_lost_on_its_way_is_sent_again", turns ["MSG-06"] also [] cannot judge []: "does not ask whether the broker has it";
        "offset-reset-latest" on CONSUMER, in "a_late_consumer_sees_earlier_clicks", turns ["MSG-08"] also ["MSG-06"] cannot judge ["MSG-02" "MSG-03"]: "begins at the end of the topic";
    }
}

fn metrics() -> Vec<Row> {
    rows! {
        "metrics-gate-closed" on API, in MIX, turns ["METRIC-01"] also [] cannot judge ["METRIC-02" "METRIC-05" "METRIC-09" "METRIC-10"]: "exposes runtime metrics only";
        "counter-counts-retries" on API, in "a_retried_call_is_counted_once", turns ["METRIC-02"] also [] cannot judge []: "counts attempts as calls";
        "errors-not-counted" on API, in MIX, turns ["METRIC-02"] also [] cannot judge []: "does not count failures";
        "label-short-code" on API, in IDS, turns ["METRIC-03"] also ["METRIC-04"] cannot judge []: "a label of short codes";
        "label-raw-path" on API, in IDS, turns ["METRIC-03"] also ["METRIC-04"] cannot judge []: "a label of raw paths";
        "label-user-agent" on API, in IDS, turns ["METRIC-03"] also ["METRIC-04"] cannot judge []: "a label of user agents";
        "label-client-ip" on API, in MIX, turns ["METRIC-04"] also [] cannot judge []: "a label of client addresses";
        "counter-resets" on API, in MIX, turns ["METRIC-07"] also ["METRIC-02" "METRIC-10"] cannot judge []: "starts its counters anew when they come to five";
        "exemplar-missing" on API, in MIX, turns ["METRIC-08"] also [] cannot judge []: "keeps no exemplars";
        "exemplar-of-unsampled" on API, in MIX, turns ["METRIC-08"] also [] cannot judge []: "keeps the ids of spans that are not sampled as exemplars";
        "red-errors-missing" on API, in MIX, turns ["METRIC-09"] also ["METRIC-01"] cannot judge ["METRIC-02"]: "counts and measures requests without their status";
        "lag-missing" on CONSUMER, in MIX, turns ["METRIC-09"] also ["METRIC-01"] cannot judge []: "does not show how far it is behind";
        "push-subset" on API, in MIX, turns ["METRIC-10"] also [] cannot judge []: "pushes its histograms over OTLP and not its counters";
        "latency-gauge" on API, in MIX, turns ["METRIC-05"] also ["METRIC-01" "METRIC-09"] cannot judge ["METRIC-02"]: "the last latency as a gauge";
        "buckets-too-coarse" on API, in MIX, turns ["METRIC-05"] also [] cannot judge []: "no bound at the objective";
        "milliseconds-unit" on API, in MIX, turns ["METRIC-05"] also [] cannot judge []: "milliseconds in a family of seconds";
        "counter-without-total" on API, in MIX, turns ["METRIC-06"] also [] cannot judge []: "a counter without _total";
        "degradation-uncounted" on API, in REFUSED, turns ["METRIC-11"] also [] cannot judge []: "does not count degraded answers";
        "metrics-on-main-port" on API, in TARGETS, turns ["SCRAPE-03"] also [] cannot judge []: "metrics on the main port too";
        "scrape-slow" on API, in TARGETS, turns ["SCRAPE-04"] also [] cannot judge []: "takes more than a second to answer a scrape";
        "scrape-huge" on API, in TARGETS, turns ["SCRAPE-04"] also [] cannot judge []: "exposes twelve thousand samples that nobody looks at";
        "metrics-port-conflict" on CONSUMER, in "a_taken_metrics_port_is_a_loud_failure", turns ["SCRAPE-03"] also ["METRIC-01"] cannot judge ["METRIC-02" "METRIC-05"]: "goes on without its taken port";
    }
}

fn logging() -> Vec<Row> {
    rows! {
        "log-plain-text-mixed" on API, in CLICK, turns ["LOG-01"] also [] cannot judge []: "prints a line for people";
        "log-without-context" on API, in UNKNOWN, turns ["LOG-02"] also [] cannot judge []: "logs without the ids of the request";
        "log-all-zero-ids" on API, in UNKNOWN, turns ["LOG-02"] also [] cannot judge []: "logs ids of zeros outside of requests";
        "log-field-renamed" on API, in UNKNOWN, turns ["LOG-03"] also [] cannot judge []: "calls a field by another name";
        "log-badkey" on API, in UNKNOWN, turns ["LOG-04"] also [] cannot judge []: "logs a value without a key";
        "health-logged" on API, in CLICK, turns ["LOG-05"] also [] cannot judge []: "logs health checks and scrapes";
        "error-at-info" on API, in CUT, turns ["LOG-05"] also [] cannot judge []: "logs its failures at INFO";
        "log-per-row" on CONSUMER, in "a_batch_of_a_hundred_clicks_is_linked", turns ["LOG-06"] also [] cannot judge []: "a line for each row";
        "loglevel-open" on API, in LEVEL, turns ["LOG-07"] also [] cannot judge []: "lets everybody change its log level";
        "loglevel-never-reverts" on API, in LEVEL, turns ["LOG-07"] also [] cannot judge []: "keeps a changed level for ever";
        "log-blocking" on API, in "logging_costs_little", turns ["LOG-08"] also [] cannot judge []: "a slow sink, one line at a time";
        "log-high-cardinality-info" on API, in "unknown_codes_are_no_news", turns ["LOG-06"] also [] cannot judge []: "each unknown code at INFO";
    }
}

fn privacy() -> Vec<Row> {
    rows! {
        "baggage-dropped-at-kafka" on API, in SECRETS, turns ["TRACE-15"] also [] cannot judge []: "records go without baggage";
        "baggage-oversize" on API, in SECRETS, turns ["TRACE-15"] also [] cannot judge []: "two thousand bytes of baggage";
        "log-request-body" on API, in SECRETS, turns ["PRIVATE-01"] also [] cannot judge []: "logs the body of a refused request";
        "token-in-url-attribute" on API, in SECRETS, turns ["PRIVATE-01"] also [] cannot judge []: "records queries with their values";
        "phone-in-baggage" on API, in SECRETS, turns ["PRIVATE-01"] also ["TRACE-15"] cannot judge []: "hands the phone number on";
        "dsn-logged" on API, in SECRETS, turns ["PRIVATE-02"] also [] cannot judge []: "logs the URL of its database";
        "sql-arguments-captured" on API, in CLICK, turns ["PRIVATE-03"] also [] cannot judge []: "records the parameters of statements";
    }
}

fn starting() -> Vec<Row> {
    rows! {
        "register-before-listen" on RPC, in REGISTERS, turns ["START-01"] also [] cannot judge []: "registers before it can serve";
        "register-once" on RPC, in "a_registration_survives_an_empty_etcd", turns ["START-01"] also [] cannot judge []: "does not come back to an empty etcd";
        "no-deregister" on RPC, in REGISTERS, turns ["START-01"] also [] cannot judge []: "leaves its key behind";
        "exit-when-etcd-down" on API, in ORDERS, turns ["START-02"] also [] cannot judge []: "exits without etcd";
        "consumer-before-topic" on CONSUMER, in ORDERS, turns ["START-02"] also [] cannot judge []: "never sees a topic that came later";
        "resolve-once" on API, in "an_empty_endpoint_list_serves_degraded", turns ["START-03"] also [] cannot judge ["TRACE-02"]: "looks up its endpoints once";
        "ready-always" on API, in READINESS, turns ["START-04"] also [] cannot judge []: "ready whatever its database does";
        "liveness-needs-kafka" on CONSUMER, in READINESS, turns ["START-04"] also [] cannot judge []: "dead when Kafka is away";
        "telemetry-after-listen" on API, in CLICK, turns ["START-06"] also ["METRIC-02" "TRACE-18"] cannot judge []: "the first request sets its telemetry up";
        "exporter-blocks-start" on API, in "a_late_collector_blocks_nothing", turns ["START-05"] also [] cannot judge []: "waits for the collector";
    }
}

fn degradation() -> Vec<Row> {
    rows! {
        "degrade-to-500" on API, in REFUSED, turns ["DEGRADE-01"] also [] cannot judge ["METRIC-11"]: "500 when the count cannot be had";
        "degrade-silently" on API, in REFUSED, turns ["DEGRADE-01"] also [] cannot judge []: "no mark, no log";
        "degrade-catches-timeout-only" on API, in REFUSED, turns ["DEGRADE-01"] also [] cannot judge ["METRIC-11"]: "degrades on time-outs alone";
        "no-deadline" on API, in "link_detail_survives_a_black_hole", turns ["DEGRADE-02"] also [] cannot judge ["METRIC-11"]: "calls without a deadline";
        "drop-endpoints-on-etcd-loss" on API, in "link_detail_survives_a_lost_etcd", turns ["DEGRADE-03"] also [] cannot judge []: "forgets its endpoints with etcd";
        "commit-on-error" on CONSUMER, in "clicks_wait_for_postgres", turns ["DEGRADE-05"] also ["MSG-06"] cannot judge []: "commits what it could not store";
        "publish-blocks-request" on API, in "redirects_survive_a_lost_kafka", turns ["DEGRADE-04"] also [] cannot judge ["METRIC-10"]: "answers when Kafka has the click";
        "unbounded-buffer" on API, in "redirects_survive_a_lost_kafka", turns ["DEGRADE-04"] also [] cannot judge []: "lets any number of clicks wait";
        "exporter-synchronous" on API, in ANY_COLLECTOR, turns ["DEGRADE-07"] also [] cannot judge []: "waits for the collector inside of the request";
        "exporter-unbounded-queue" on API, in ANY_COLLECTOR, turns ["DEGRADE-07"] also [] cannot judge []: "keeps every span until the collector takes it";
        "no-recovery" on API, in REFUSED, turns ["DEGRADE-06"] also [] cannot judge []: "the circuit never closes";
        "no-flush-on-shutdown" on RPC, in "a_drain_flushes_what_was_recorded", turns ["DEGRADE-08"] also ["METRIC-08"] cannot judge []: "exits without a flush";
        "exit-drops-inflight" on API, in "sigterm_lets_work_in_flight_end", turns ["DEGRADE-08"] also [] cannot judge []: "drops requests under way";
    }
}

/// Broken copies of the scrape configuration.
fn scraping() -> Vec<Defect> {
    let broken = |name, rules, also, about, change| {
        let row = Row { name, carrier: PROMETHEUS, scenario: TARGETS, rules, also, cannot_judge: &[], about };
        row.defect(Alteration::File { name: PROMETHEUS, change })
    };
    vec![
        broken("scrape-main-port", &["SCRAPE-01"], &[], "asks url-api's main port", |text| {
            text.replace("url-api:9464", "url-api:8080")
        }),
        broken("scrape-localhost", &["SCRAPE-01"], &["SCRAPE-02"], "asks localhost", |text| {
            text.replace("url-api:9464", "localhost:9464")
        }),
        broken("scrape-wrong-path", &["SCRAPE-01"], &[], "asks a path that is not there", |text| {
            with_path(text, "/metricz")
        }),
        broken("scrape-html-200", &["SCRAPE-01"], &[], "asks a page that answers 200 with HTML", |text| {
            with_path(text, "/")
        }),
        broken("scrape-job-missing", &["SCRAPE-02"], &[], "leaves analytics-consumer out", |text| {
            without_job(text, "analytics-consumer")
        }),
        broken("scrape-dangling", &["SCRAPE-02"], &[], "asks a host that is not there", |text| {
            format!(
                "{}\n  - job_name: gone\n    static_configs:\n      - targets: [\"gone:9464\"]\n",
                text.trim_end()
            )
        }),
    ]
}

/// Every broken copy of the scrape configuration: its name, and what is changed.
pub(super) fn broken_scrape_files() -> impl Iterator<Item = (&'static str, fn(&str) -> String)> {
    scraping().into_iter().filter_map(|defect| match defect.alteration {
        Alteration::File { change, .. } => Some((defect.name, change)),
        Alteration::Environment => None,
    })
}

/// Gives url-api's job another path.
fn with_path(text: &str, path: &str) -> String {
    let mut changed = String::new();
    let mut ours = false;
    for line in text.lines() {
        if line.trim_start().starts_with("- job_name:") {
            ours = line.trim_end().ends_with("url-api");
        }
        match line.split_once("metrics_path:") {
            Some((before, _)) if ours => changed.push_str(&format!("{before}metrics_path: {path}\n")),
            _ => changed.push_str(&format!("{line}\n")),
        }
    }
    changed
}

/// Cuts a job out of the file.
fn without_job(text: &str, job: &str) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if line.trim_start().starts_with("- job_name:") {
            skipping = line.trim_end().ends_with(job);
        }
        if !skipping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> String {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        std::fs::read_to_string(root.join(PROMETHEUS)).unwrap()
    }

    #[test]
    fn every_broken_copy_differs_from_the_committed_file() {
        for defect in scraping() {
            let Alteration::File { change, .. } = defect.alteration else { unreachable!("all are files") };
            assert_ne!(change(&committed()), committed(), "{}", defect.name);
        }
    }

    #[test]
    fn every_defect_is_named_once_and_names_rules_that_exist() {
        let mut names: Vec<_> = all().iter().map(|defect| defect.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for defect in all() {
            for rule in defect.rules {
                assert!(probity::rules::find(rule).is_some(), "{} names {rule}", defect.name);
            }
        }
    }
}

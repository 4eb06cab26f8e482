//! The same table for what becomes of records.

use super::defect_rows::{Row, each_defect_is_exact, good_runs_are_green};
use super::testing::Shortener;

pub(super) const ROWS: &[Row] = &[
    Row { defect: "commit-before-work", drive: outage, fails: "MSG-06 DEGRADE-05", cannot_judge: "" },
    Row { defect: "commit-on-error", drive: outage, fails: "MSG-06 DEGRADE-05", cannot_judge: "" },
    Row { defect: "producer-acks-zero", drive: lost_on_its_way, fails: "MSG-06", cannot_judge: "" },
    Row { defect: "poison-blocks-partition", drive: poison, fails: "MSG-07 MSG-06", cannot_judge: "" },
    Row { defect: "drop-endpoints-on-etcd-loss", drive: lost_etcd, fails: "DEGRADE-03", cannot_judge: "" },
    Row { defect: "publish-blocks-request", drive: lost_kafka, fails: "DEGRADE-04", cannot_judge: "" },
    Row { defect: "exporter-synchronous", drive: lost_collector, fails: "DEGRADE-07", cannot_judge: "" },
    Row { defect: "exporter-unbounded-queue", drive: lost_collector, fails: "DEGRADE-07", cannot_judge: "" },
    Row { defect: "unbounded-buffer", drive: lost_kafka, fails: "DEGRADE-04", cannot_judge: "" },
    Row { defect: "amqp-without-headers", drive: announced, fails: "MSG-09 TRACE-04", cannot_judge: "" },
];

/// Details before and while etcd is away.
fn lost_etcd(shortener: &mut Shortener) {
    shortener.detail("OK");
    shortener.lose_etcd();
    shortener.detail(if shortener.is("drop-endpoints-on-etcd-loss") { "UNAVAILABLE" } else { "OK" });
}

fn announced(shortener: &mut Shortener) {
    shortener.click();
    shortener.announce();
}

fn lost_kafka(shortener: &mut Shortener) {
    shortener.click();
    shortener.clicks_without_kafka();
}

fn lost_collector(shortener: &mut Shortener) {
    shortener.click();
    shortener.clicks_without_collector();
    shortener.click();
}

fn outage(shortener: &mut Shortener) {
    shortener.click();
    shortener.outage_of_postgres();
}

fn lost_on_its_way(shortener: &mut Shortener) {
    shortener.click();
    shortener.click_on_its_way();
}

fn poison(shortener: &mut Shortener) {
    shortener.click();
    shortener.poison();
}

#[test]
fn without_a_defect_no_rule_is_red_and_none_is_open() {
    good_runs_are_green(ROWS);
}

#[test]
fn each_defect_turns_exactly_its_rules_red_and_takes_exactly_its_judgements() {
    each_defect_is_exact(ROWS);
}

//! The same table for what travels with a request and what must not.

use super::defect_rows::{Row, each_defect_is_exact, good_runs_are_green};
use super::testing::Shortener;

pub(super) const ROWS: &[Row] = &[
    Row { defect: "baggage-dropped-at-kafka", drive: entrusted, fails: "TRACE-15", cannot_judge: "" },
    Row { defect: "baggage-oversize", drive: entrusted, fails: "TRACE-15", cannot_judge: "" },
    Row { defect: "phone-in-baggage", drive: entrusted, fails: "TRACE-15 PRIVATE-01", cannot_judge: "" },
    Row { defect: "token-in-url-attribute", drive: entrusted, fails: "PRIVATE-01", cannot_judge: "" },
    Row { defect: "log-request-body", drive: entrusted, fails: "PRIVATE-01 LOG-01", cannot_judge: "" },
    Row { defect: "dsn-logged", drive: entrusted, fails: "PRIVATE-02 LOG-01", cannot_judge: "" },
    Row { defect: "sql-arguments-captured", drive: entrusted, fails: "PRIVATE-03", cannot_judge: "" },
];

fn entrusted(shortener: &mut Shortener) {
    shortener.create();
    shortener.entrusted_click();
}

#[test]
fn without_a_defect_no_rule_is_red_and_none_is_open() {
    good_runs_are_green(ROWS);
}

#[test]
fn each_defect_turns_exactly_its_rules_red_and_takes_exactly_its_judgements() {
    each_defect_is_exact(ROWS);
}

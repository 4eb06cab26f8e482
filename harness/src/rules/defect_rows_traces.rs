//! The same table for sampling, trace context and the shape of traces.

use super::defect_rows::{Row, click, each_defect_is_exact, everything, good_runs_are_green};
use super::testing::Shortener;

pub(super) const ROWS: &[Row] = &[
    Row { defect: "tick-spans-always", drive: ticks, fails: "TRACE-06", cannot_judge: "" },
    Row { defect: "tick-one-endless-trace", drive: ticks, fails: "TRACE-06 TRACE-04", cannot_judge: "" },
    Row { defect: "sampler-zero-at-edge", drive: contexts, fails: "TRACE-11", cannot_judge: "" },
    Row { defect: "sampler-ignores-parent", drive: contexts, fails: "TRACE-11 TRACE-03", cannot_judge: "" },
    Row { defect: "errors-sampled-away", drive: failure, fails: "TRACE-13", cannot_judge: "" },
    Row { defect: "span-per-row", drive: everything, fails: "TRACE-14", cannot_judge: "" },
    Row {
        defect: "traceparent-malformed-forwarded",
        drive: contexts,
        fails: "TRACE-17 MSG-01 MSG-02 TRACE-04",
        cannot_judge: "",
    },
    // Without a name there is nothing to say of the first request; real services are judged by their counts besides.
    Row { defect: "no-response-header", drive: click, fails: "TRACE-18", cannot_judge: "START-06" },
];

/// Turns of a timer, most of them without work.
fn ticks(shortener: &mut Shortener) {
    shortener.click();
    for works in [false, true, false, true] {
        shortener.tick(works);
    }
}

/// Clicks of callers that sample, that do not, and that send nonsense.
fn contexts(shortener: &mut Shortener) {
    shortener.click();
    shortener.click_with_malformed_context();
    shortener.unsampled_click(true);
    if shortener.is("sampler-zero-at-edge") {
        shortener.unsampled_click(false);
    }
}

fn failure(shortener: &mut Shortener) {
    shortener.sampled_by_caller();
    shortener.unsampled_failure();
}

#[test]
fn without_a_defect_no_rule_is_red_and_none_is_open() {
    good_runs_are_green(ROWS);
}

#[test]
fn each_defect_turns_exactly_its_rules_red_and_takes_exactly_its_judgements() {
    each_defect_is_exact(ROWS);
}

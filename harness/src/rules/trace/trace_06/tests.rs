use crate::model::build::{Address, Build, declaration};
use crate::model::*;

const TICK: &str = "expire clicks";

/// The consumer, which looks for expired clicks again and again.
struct Ticking {
    build: Build,
    consumer: ProcessId,
    declaration: Declaration,
}

impl Ticking {
    fn new() -> Self {
        let mut build = Build::new();
        let consumer = build.process("analytics-consumer");
        let mut declaration = declaration();
        declaration.services[2].ticks = vec![Tick { span: TICK.into(), kind: Kind::Internal }];
        Ticking { build, consumer, declaration }
    }

    /// A turn, under a parent or under nothing, with a statement or without.
    fn turn(mut self, parent: Option<Address>, works: bool) -> Self {
        let span = self.build.span(&self.consumer, Kind::Internal, TICK);
        let tick = match parent {
            Some(parent) => span.child_of(parent).add(),
            None => span.add(),
        };
        if works {
            self.build.span(&self.consumer, Kind::Client, "DELETE clicks").child_of(tick).add();
        }
        self
    }

    fn judge(&self) -> Judgement {
        let evidence = self.build.evidence();
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&self.declaration)))
    }
}

#[test]
fn turns_with_work_in_traces_of_their_own_pass() {
    assert_eq!(Ticking::new().turn(None, true).judge().outcome(), Outcome::Pass);
    assert_eq!(Ticking::new().turn(None, true).turn(None, true).judge().subjects, 2);
    assert_eq!(Ticking::new().judge().outcome(), Outcome::NotJudged, "no work, no span, no subject");
}

#[test]
fn an_empty_turn_with_a_span_is_a_fault() {
    let judgement = Ticking::new().turn(None, true).turn(None, false).turn(None, false).judge();
    assert_eq!(judgement.findings[0].subject, "analytics-consumer, span `expire clicks`");
    assert_eq!(judgement.findings[0].seen, "a span with nothing under it (and 1 more like it)");
}

#[test]
fn turns_under_a_span_around_the_loop_are_a_fault() {
    let mut endless = Ticking::new();
    let around = endless.build.span(&endless.consumer, Kind::Internal, "housekeeping").add();
    let judgement = endless.turn(Some(around), true).turn(Some(around), true).judge();
    assert!(judgement.findings[0].seen.starts_with("under `analytics-consumer INTERNAL housekeeping`"));
    let lost = Address { trace: TraceId([4; 16]), span: SpanId([4; 8]) };
    let judgement = Ticking::new().turn(Some(lost), true).judge();
    assert!(judgement.findings[0].seen.starts_with("under a span that was never captured"));
}

#[test]
fn two_turns_in_one_trace_are_a_fault() {
    let mut one = Ticking::new();
    for _ in 0..2 {
        let tick = one.build.span(&one.consumer, Kind::Internal, TICK).in_trace(TraceId([4; 16])).add();
        one.build.span(&one.consumer, Kind::Client, "DELETE clicks").child_of(tick).add();
    }
    assert_eq!(one.judge().findings[0].seen, "2 turns began in one trace");
}

#[test]
fn only_the_declared_span_of_the_declared_service_is_a_turn() {
    let mut others = Ticking::new();
    let api = others.build.process("url-api");
    others.build.span(&api, Kind::Internal, TICK).add();
    others.build.span(&others.consumer, Kind::Client, TICK).add();
    others.build.span(&others.consumer, Kind::Internal, "expire click").add();
    assert_eq!(others.judge().outcome(), Outcome::NotJudged);
    let undeclared = crate::rules::testing::judged(&super::RULE, &Case::new(&others.build.evidence(), None));
    assert_eq!(undeclared.outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_ticks_do_not_panic() {
    let mut hostile = Ticking::new();
    let own = SpanId([1; 8]);
    let itself = Address { trace: TraceId([4; 16]), span: own };
    hostile.build.span(&hostile.consumer, Kind::Internal, TICK).child_of(itself).with_id(own).add();
    assert_eq!(hostile.judge().outcome(), Outcome::Fail);
}

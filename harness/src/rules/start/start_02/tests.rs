use crate::model::build::Build;
use crate::model::*;

fn order(items: &[&str]) -> StartOrder {
    StartOrder {
        order: items.iter().map(|item| item.to_string()).collect(),
        started_late: Vec::new(),
        healthy: true,
        missing: Vec::new(),
        exited: Vec::new(),
        bound_ms: 10_000,
        took_ms: 900,
    }
}

fn gap(service: &str, what: &str) -> OrderGap {
    OrderGap { service: service.into(), what: what.into() }
}

fn judged(orders: Vec<StartOrder>) -> Judgement {
    let mut build = Build::new();
    build.process("url-api");
    build.evidence_mut().orders = orders;
    let evidence = build.evidence();
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, None))
}

#[test]
fn orders_that_get_healthy_pass() {
    assert_eq!(judged(vec![order(&["etcd", "url-api"])]).outcome(), Outcome::Pass);
    let really = StartOrder { started_late: vec!["etcd".into()], ..order(&["url-api", "etcd"]) };
    assert_eq!(judged(vec![really, order(&["etcd", "url-api"])]).subjects, 2);
    let slow = StartOrder { took_ms: 10_000, ..order(&["etcd"]) };
    assert_eq!(judged(vec![slow]).outcome(), Outcome::Pass, "the bound itself is within it");
    assert_eq!(judged(vec![]).outcome(), Outcome::NotJudged);
}

#[test]
fn an_exit_is_a_fault_even_if_somebody_restarted_it() {
    let exited = StartOrder {
        exited: vec![(ProcessId::new("url-api#1"), Exit::Code(1))],
        started_late: vec!["etcd".into()],
        ..order(&["url-api", "etcd"])
    };
    let judgement = judged(vec![exited.clone(), exited, order(&["etcd", "url-api"])]);
    assert_eq!(judgement.findings.len(), 1, "one finding for all orders");
    let finding = &judgement.findings[0];
    assert_eq!(finding.subject, "url-api");
    assert_eq!(finding.seen, "exit code 1, in the order url-api, etcd (really late) (and 1 more like it)");
}

#[test]
fn what_is_missing_is_named_with_its_service() {
    let missing = StartOrder {
        healthy: false,
        missing: vec![gap("analytics-consumer", "no row of the click")],
        ..order(&["analytics-consumer", "kafka"])
    };
    let judgement = judged(vec![missing]);
    assert_eq!(judgement.findings[0].subject, "analytics-consumer");
    assert_eq!(judgement.findings[0].seen, "no row of the click, in the order analytics-consumer, kafka");
}

#[test]
fn over_the_bound_and_unhealthy_without_a_reason_are_faults() {
    assert_eq!(judged(vec![StartOrder { took_ms: 10_001, ..order(&["etcd"]) }]).outcome(), Outcome::Fail);
    assert_eq!(judged(vec![StartOrder { healthy: false, ..order(&["etcd"]) }]).outcome(), Outcome::Fail);
}

#[test]
fn hostile_orders_stay_a_short_report() {
    let many = |number: u32| StartOrder {
        healthy: false,
        missing: vec![gap(&format!("service {number}\u{1b}[2J"), &"x".repeat(10_000))],
        exited: vec![(ProcessId::new("nobody\u{1b}#1"), Exit::Signal(i32::MIN))],
        ..order(&["\u{202e}"])
    };
    let judgement = judged((0..1_000).map(many).collect());
    assert!(judgement.findings.len() <= 101);
    assert!(judgement.findings.iter().all(|finding| finding.seen.len() < 400));
    assert!(!format!("{judgement:?}").contains('\u{1b}'));
}

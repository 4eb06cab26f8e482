use crate::model::build::{Build, at, declaration};
use crate::model::*;

/// The shortener while a backend was away from 1,000 to 5,000.
struct Away(Build);

impl Away {
    fn of(backend: &str, kind: FaultKind) -> Self {
        let mut build = Build::new();
        build.process("url-api");
        build.process("analytics-consumer");
        let on = FaultTarget::Backend(backend.into());
        let fault = Fault { kind, on, began: at(1_000), ended: Some(at(5_000)), fenced: false };
        build.evidence_mut().faults.push(fault);
        Away(build)
    }

    fn look(mut self, service: &str, kind: ProbeKind, ms: u64, status: Option<u16>) -> Self {
        let process = ProcessId::new(format!("{service}#1"));
        self.0.evidence_mut().probes.push(Probe { process, service: service.into(), kind, at: at(ms), status });
        self
    }

    fn ready(self, service: &str, ms: u64, status: u16) -> Self {
        self.look(service, ProbeKind::Ready, ms, Some(status))
    }

    fn live(self, service: &str, ms: u64, status: u16) -> Self {
        self.look(service, ProbeKind::Live, ms, Some(status))
    }

    fn judge(&self) -> Judgement {
        let (evidence, declaration) = (self.0.evidence(), declaration());
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
    }
}

const POSTGRES: (&str, FaultKind) = ("postgres", FaultKind::Refuse);

fn postgres() -> Away {
    Away::of(POSTGRES.0, POSTGRES.1)
}

#[test]
fn not_ready_and_alive_while_a_backend_is_away_passes() {
    let judgement = postgres().ready("url-api", 1_100, 503).live("url-api", 1_100, 200).judge();
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 2));
    let noticed = postgres().ready("url-api", 1_050, 200).ready("url-api", 2_500, 503);
    assert_eq!(noticed.judge().outcome(), Outcome::Pass, "the last look counts");
    let kafka = Away::of("kafka", FaultKind::Stop).ready("url-api", 4_000, 200).ready("analytics-consumer", 4_000, 503);
    assert_eq!(kafka.judge().subjects, 1, "url-api does not need Kafka");
}

#[test]
fn ready_whatever_happens_is_a_fault() {
    let judgement = postgres().ready("url-api", 4_000, 200).judge();
    assert_eq!(judgement.findings[0].subject, "url-api, readiness");
    assert_eq!(judgement.findings[0].seen, "ready 3000 ms after postgres went");
    let worker = Away::of("kafka", FaultKind::Cut).ready("analytics-consumer", 4_000, 204);
    assert_eq!(worker.judge().outcome(), Outcome::Fail, "a worker has a readiness too");
}

#[test]
fn a_second_is_granted_to_notice() {
    assert_eq!(postgres().ready("url-api", 1_999, 200).judge().outcome(), Outcome::NotJudged);
    assert_eq!(postgres().ready("url-api", 2_000, 200).judge().outcome(), Outcome::Fail);
}

#[test]
fn only_what_was_seen_while_the_backend_was_away_counts() {
    let around = postgres().ready("url-api", 900, 200).ready("url-api", 5_001, 200).live("url-api", 5_001, 500);
    assert_eq!(around.judge().outcome(), Outcome::NotJudged);
    let slow = Away::of("postgres", FaultKind::Slow).ready("url-api", 4_000, 200);
    assert_eq!(slow.judge().outcome(), Outcome::NotJudged, "slow is not away");
    let late = Away::of("postgres", FaultKind::Late).ready("url-api", 4_000, 200);
    assert_eq!(late.judge().outcome(), Outcome::Fail, "not there yet is away");
}

#[test]
fn liveness_that_follows_a_backend_is_a_fault_needed_or_not() {
    let judgement = Away::of("kafka", FaultKind::Stop).live("analytics-consumer", 2_000, 503).judge();
    assert_eq!(judgement.findings[0].subject, "analytics-consumer, liveness");
    assert_eq!(Away::of("kafka", FaultKind::Stop).live("url-api", 2_000, 500).judge().outcome(), Outcome::Fail);
    let silent = postgres().look("url-api", ProbeKind::Live, 2_000, None);
    assert_eq!(silent.judge().findings[0].seen, "no answer");
    let once = postgres().live("url-api", 1_500, 200).live("url-api", 1_600, 503).live("url-api", 1_700, 200);
    assert_eq!(once.judge().outcome(), Outcome::Fail, "once is enough for a restart");
}

#[test]
fn a_process_that_does_not_listen_yet_or_was_stopped_is_excused() {
    let mut starting = postgres().look("url-api", ProbeKind::Live, 2_000, None);
    starting.0.change_process(&ProcessId::new("url-api#1"), |process| process.ready = Some(at(6_000)));
    assert_eq!(starting.judge().outcome(), Outcome::NotJudged);
    let mut paused = postgres().look("url-api", ProbeKind::Live, 2_000, None);
    let on = FaultTarget::Service("url-api".into());
    let pause = Fault { kind: FaultKind::Pause, on, began: at(1_900), ended: None, fenced: false };
    paused.0.evidence_mut().faults.push(pause);
    assert_eq!(paused.judge().outcome(), Outcome::NotJudged);
    let mut stopping = postgres().ready("url-api", 4_000, 200).look("url-api", ProbeKind::Live, 4_000, None);
    let end = ProcessEnd { at: at(4_500), exit: Exit::Code(0), asked: Some(at(3_900)), within_grace: true };
    stopping.0.change_process(&ProcessId::new("url-api#1"), |process| process.end = Some(end));
    assert_eq!(stopping.judge().outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_probes_do_not_panic() {
    let mut hostile = postgres().ready("nobody", 2_000, 200).ready("url-api", 2_000, u16::MAX);
    hostile.0.evidence_mut().faults[0].began = u64::MAX;
    assert_eq!(hostile.judge().outcome(), Outcome::NotJudged);
    hostile.0.evidence_mut().faults[0].began = 0;
    assert_eq!(hostile.judge().outcome(), Outcome::Pass, "a status beyond all classes is not ready");
}

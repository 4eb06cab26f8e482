use crate::model::build::{Build, at, declaration};
use crate::model::*;

/// analytics-rpc, whose key was watched for that many built milliseconds.
struct Registering {
    build: Build,
    rpc: ProcessId,
}

impl Registering {
    fn new(watched_ms: u64) -> Self {
        let mut build = Build::new();
        let rpc = build.process("analytics-rpc");
        let watch = KeyWatch { prefix: "analytics-rpc/".into(), from: at(0), until: at(watched_ms) };
        build.evidence_mut().key_watches.push(watch);
        Registering { build, rpc }
    }

    fn change(mut self, ms: u64, change: KeyChange) -> Self {
        self.build.evidence_mut().keys.push(KeyEvent { key: "analytics-rpc/7587869".into(), at: at(ms), change });
        self
    }

    fn put(self, ms: u64) -> Self {
        self.change(ms, put(Some(10), Some(Ok(()))))
    }

    fn gone(self, ms: u64) -> Self {
        self.change(ms, KeyChange::Delete)
    }

    fn ends(mut self, ms: u64, exit: Exit, asked: Option<u64>) -> Self {
        let asked = asked.map(at);
        let end = ProcessEnd { at: at(ms), exit, asked, within_grace: asked.is_some() };
        let rpc = self.rpc.clone();
        self.build.change_process(&rpc, |process| process.end = Some(end));
        self
    }

    fn etcd(mut self, kind: FaultKind, began: u64, ended: u64) -> Self {
        let on = FaultTarget::Backend("etcd".into());
        let fault = Fault { kind, on, began: at(began), ended: Some(at(ended)), fenced: false };
        self.build.evidence_mut().faults.push(fault);
        self
    }

    fn judge(&self) -> Judgement {
        let (evidence, declaration) = (self.build.evidence(), declaration());
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
    }

    fn seen(&self) -> Vec<String> {
        self.judge().findings.into_iter().map(|finding| finding.seen).collect()
    }
}

fn put(lease_ttl: Option<i64>, serves: Option<Result<(), String>>) -> KeyChange {
    KeyChange::Put { value: "127.0.0.1:50051".into(), lease_ttl, serves }
}

#[test]
fn a_key_with_a_lease_that_goes_with_its_service_passes() {
    let graceful = Registering::new(60_000).put(150).gone(5_010).ends(5_020, Exit::Code(0), Some(5_000));
    assert_eq!((graceful.judge().outcome(), graceful.judge().subjects), (Outcome::Pass, 2));
    let killed = Registering::new(60_000).put(150).gone(14_000).ends(5_000, Exit::Signal(9), None);
    assert_eq!(killed.judge().outcome(), Outcome::Pass);
    let untried = Registering::new(60_000).change(150, put(Some(2), None)).gone(5_010).ends(5_020, Exit::Code(0), Some(5_000));
    assert_eq!(untried.judge().outcome(), Outcome::Pass);
    assert_eq!(Registering::new(60_000).ends(5_000, Exit::Code(0), Some(4_000)).judge().outcome(), Outcome::NotJudged);
}

#[test]
fn a_key_without_a_lease_and_one_with_a_long_lease_are_faults() {
    assert!(Registering::new(200).change(150, put(None, None)).seen()[0].contains("outlives a killed process"));
    assert_eq!(Registering::new(200).change(150, put(Some(60), None)).seen(), ["a lease of 60 s"]);
    assert_eq!(Registering::new(200).change(150, put(Some(10), None)).judge().outcome(), Outcome::Pass);
}

#[test]
fn a_key_before_the_service_serves_is_a_fault() {
    let early = Registering::new(200).change(150, put(Some(10), Some(Err("connection refused".into()))));
    assert_eq!(early.seen(), ["at the moment of its put: connection refused"]);
}

#[test]
fn a_graceful_stop_takes_the_key_along_at_once() {
    let stays = |watched| Registering::new(watched).put(150).ends(5_020, Exit::Code(0), Some(5_000));
    assert_eq!(stays(5_020).seen(), ["it was still there at the last look"]);
    assert_eq!(stays(5_019).judge().outcome(), Outcome::Pass, "nobody looked afterwards: the put alone is judged");
    assert_eq!(stays(60_000).gone(6_020).judge().outcome(), Outcome::Pass, "a second is at once");
    assert_eq!(stays(60_000).gone(6_021).seen(), ["it went 1001 ms after the end"]);
    // Without etcd nobody can leave.
    assert_eq!(stays(60_000).etcd(FaultKind::Stop, 4_900, 8_000).judge().outcome(), Outcome::Pass);
}

#[test]
fn a_killed_service_is_gone_within_its_lease() {
    let killed = |watched| Registering::new(watched).put(150).ends(5_000, Exit::Signal(9), None);
    assert_eq!(killed(60_000).gone(18_000).judge().outcome(), Outcome::Pass, "the lease of 10 s and a margin of 3 s");
    assert_eq!(killed(60_000).gone(18_001).judge().outcome(), Outcome::Fail);
    assert_eq!(killed(18_000).judge().outcome(), Outcome::Fail);
    assert_eq!(killed(17_999).judge().outcome(), Outcome::Pass, "nobody looked for so long: the put alone is judged");
}

#[test]
fn it_comes_back_after_etcd_restarted_empty() {
    let emptied = |watched| {
        Registering::new(watched).put(150).etcd(FaultKind::RestartEmpty, 1_000, 1_200).ends(30_000, Exit::Code(0), Some(29_900))
    };
    assert_eq!(emptied(20_000).put(3_000).judge().outcome(), Outcome::Pass);
    assert_eq!(emptied(20_000).put(14_200).judge().outcome(), Outcome::Pass, "the lease and the margin");
    assert_eq!(emptied(20_000).put(14_201).seen(), ["a key 13001 ms after"]);
    assert_eq!(emptied(14_200).seen(), ["no key"]);
    let soon = emptied(14_199).judge();
    assert_eq!(soon.outcome(), Outcome::Incomplete);
    assert_eq!(soon.gaps[0].why, "no key 12999 ms after etcd was back, and nobody looked longer");
}

#[test]
fn one_that_never_registers_is_found_when_it_was_watched_for_long() {
    let never = |watched| Registering::new(watched).judge();
    assert_eq!(never(10_100).findings[0].seen, "none, 10 s after it was ready");
    assert_eq!(never(10_099).outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_keys_change_nothing() {
    let mut build = Registering::new(u64::MAX / 1_000_000 / 2).put(150);
    for (key, lease_ttl) in [("analytics-rpc/", Some(i64::MIN)), ("analytics-rpc/\u{1b}", Some(0)), ("other/1", None)] {
        let change = put(lease_ttl, Some(Ok(())));
        build.build.evidence_mut().keys.push(KeyEvent { key: key.into(), at: u64::MAX, change });
    }
    assert_eq!(build.ends(5_000, Exit::Signal(9), None).judge().outcome(), Outcome::Fail, "the first key never went");
}

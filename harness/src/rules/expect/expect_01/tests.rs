use crate::model::build::{Address, Build, declaration};
use crate::model::{Case, Expectation, ExpectationKind, Fence, Judgement, Kind, Outcome, SpanId, Status};

const CLICK: &str = "
    url-api               SERVER    GET /{code}
      url-api             CLIENT    SELECT links
      url-api             PRODUCER  send click-events
        ⇢ analytics-consumer CONSUMER  process click-events
          analytics-consumer CLIENT    INSERT clicks";

/// A click that a scenario drove and expects to be `outline`.
struct Click {
    build: Build,
    root: Address,
    send: Address,
}

impl Click {
    fn new(outline: &str) -> Self {
        let mut build = Build::new();
        let api = build.process("url-api");
        build.process("analytics-consumer");
        let root = build.span(&api, Kind::Server, "GET /{code}").add();
        build.span(&api, Kind::Client, "SELECT links").child_of(root).attribute("db.system.name", "postgresql").add();
        let send = build.span(&api, Kind::Producer, "send click-events").child_of(root).add();
        build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(root.trace);
        build.record("click-events", &[]);
        build.committed("analytics", "click-events", Some(1), 1);
        let outline = outline.into();
        let at = "scenario a_click".into();
        build.evidence_mut().expectations =
            vec![Expectation { kind: ExpectationKind::Stated, stimulus: Some(1), outline, at }];
        Click { build, root, send }
    }

    /// The consumer's two spans, the first joined as `join` says.
    fn consumed(mut self, link: bool) -> Self {
        let consumer = self.build.evidence_mut().processes[1].id.clone();
        let process = self.build.span(&consumer, Kind::Consumer, "process click-events");
        let process = if link { process.link_to(self.send).add() } else { process.add() };
        self.build.span(&consumer, Kind::Client, "INSERT clicks").child_of(process).add();
        self
    }

    fn judge(&self) -> Judgement {
        let (evidence, declaration) = (self.build.evidence(), declaration());
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
    }

    fn seen(&self) -> String {
        let judgement = self.judge();
        assert_eq!(judgement.outcome(), Outcome::Fail, "{judgement:?}");
        judgement.findings[0].seen.clone()
    }

    fn why(&self) -> String {
        let judgement = self.judge();
        assert_eq!(judgement.outcome(), Outcome::Incomplete, "{judgement:?}");
        judgement.gaps[0].why.clone()
    }
}

#[test]
fn a_tree_as_stated_passes() {
    assert_eq!(Click::new(CLICK).consumed(true).judge().outcome(), Outcome::Pass);
}

#[test]
fn a_loosened_outline_passes_on_what_it_allows() {
    let loose = "url-api SERVER GET /{code} …\nanalytics-consumer CONSUMER other ?";
    assert_eq!(Click::new(loose).consumed(true).judge().outcome(), Outcome::Pass);
    let loose = CLICK.replace("SELECT links", "SELECT links {db.system.name=postgresql}").replace("INSERT clicks", "INSERT clicks ×1..");
    assert_eq!(Click::new(&loose).consumed(true).judge().outcome(), Outcome::Pass);
}

#[test]
fn a_scenario_that_states_nothing_is_not_judged() {
    let mut click = Click::new(CLICK);
    click.build.evidence_mut().expectations.clear();
    assert_eq!(click.judge().outcome(), Outcome::NotJudged);
    click.build.evidence_mut().expectations.push(Expectation {
        kind: ExpectationKind::Snapshot,
        stimulus: None,
        outline: String::new(),
        at: "a.snap".into(),
    });
    assert_eq!(click.judge().outcome(), Outcome::NotJudged);
}

#[test]
fn the_stated_times_are_met_at_the_edge_and_missed_beyond() {
    for (times, outcome) in [("×1..3", Outcome::Pass), ("×1..2", Outcome::Fail)] {
        let outline = CLICK.replace("SELECT links", &format!("SELECT links {times}"));
        let mut click = Click::new(&outline).consumed(true);
        let api = click.build.evidence_mut().processes[0].id.clone();
        for _ in 0..2 {
            click.build.span(&api, Kind::Client, "SELECT links").child_of(click.root).add();
        }
        assert_eq!(click.judge().outcome(), outcome, "{times}");
    }
}

#[test]
fn a_consumer_that_arrived_as_a_root_of_its_own_trace_fails() {
    let judgement = Click::new(CLICK).consumed(false).judge();
    let finding = &judgement.findings[0];
    assert_eq!(finding.subject, "url-api, GET /{code}");
    assert_eq!(finding.required, "the tree that scenario a_click states");
    assert_eq!(
        finding.seen,
        "lost: consumer span `process click-events` of analytics-consumer under `send click-events`, with 1 line beneath; \
         a root span of that name arrived instead"
    );
    assert!(finding.tree.contains("\n-     ⇢ analytics-consumer CONSUMER  process click-events"), "{}", finding.tree);
    assert!(finding.tree.contains("\n+ analytics-consumer    CONSUMER  process click-events   arrived as its own trace"));
    let all = {
        let mut click = Click::new(CLICK).consumed(false);
        click.build.evidence_mut().expectations[0].stimulus = None;
        click.seen()
    };
    assert!(all.ends_with("a root span of that name arrived instead"), "{all}");
}

#[test]
fn a_span_that_nobody_stated_fails_also_behind_an_open_barrier() {
    let mut click = Click::new(CLICK).consumed(true);
    let api = click.build.evidence_mut().processes[0].id.clone();
    click.build.span(&api, Kind::Client, "SELECT everything").child_of(click.root).add();
    click.build.evidence_mut().barrier.steps[0].closed = false;
    assert_eq!(click.seen(), "new: client span `SELECT everything` of url-api under `GET /{code}`");
}

#[test]
fn a_status_that_nobody_stated_fails() {
    let mut click = Click::new(&CLICK.replace("SELECT links", "SELECT links ×2"));
    let api = click.build.evidence_mut().processes[0].id.clone();
    click.build.span(&api, Kind::Client, "SELECT links").child_of(click.root).status(Status::Error).add();
    let click = click.consumed(true);
    assert!(click.seen().contains("`SELECT links` of url-api"), "{}", click.seen());
}

#[test]
fn an_outline_that_cannot_be_read_fails_with_the_place() {
    let judgement = Click::new("url-api SERVER GET /{code}\n   url-api CLIENT x").judge();
    assert_eq!(judgement.findings[0].seen, "line 2, column 4: an odd number of spaces");
}

#[test]
fn a_consumer_that_sent_nothing_is_not_held_against_the_tree() {
    assert_eq!(Click::new(CLICK).why(), "silent: analytics-consumer");
}

#[test]
fn what_may_still_have_existed_is_incomplete() {
    let mut open = Click::new(CLICK).consumed(false);
    open.build.evidence_mut().barrier.steps[0].closed = false;
    assert!(open.why().starts_with("barrier did not close"));
    let mut killed = Click::new(CLICK).consumed(false);
    killed.build.evidence_mut().processes[1].fence = Fence::Open { why: "killed (SIGKILL)".into() };
    assert_eq!(killed.why(), "analytics-consumer: killed (SIGKILL)");
    let mut refused = Click::new(CLICK).consumed(false);
    refused.build.evidence_mut().ledger.senders[1].counts.lost_spans = 3;
    assert!(refused.why().contains("never came again"), "{}", refused.why());
}

#[test]
fn a_fence_that_stays_open_elsewhere_does_not_excuse() {
    let mut click = Click::new(CLICK).consumed(false);
    click.build.process("analytics-rpc");
    click.build.evidence_mut().processes[2].fence = Fence::Quiet { at: 0 };
    assert!(click.seen().starts_with("lost: consumer span"));
}

#[test]
fn a_stimulus_without_a_trace_is_incomplete() {
    let mut click = Click::new(CLICK).consumed(true);
    click.build.evidence_mut().stimuli[0].trace = None;
    assert!(click.why().starts_with("unaddressed"));
    click.build.evidence_mut().stimuli[0].error = Some("timed out after 2 s".into());
    assert_eq!(click.why(), "not answered: timed out after 2 s");
    click.build.evidence_mut().expectations[0].stimulus = Some(7);
    assert_eq!(click.why(), "no such stimulus was driven");
}

#[test]
fn a_hostile_tree_is_refused_in_bounded_words() {
    let mut click = Click::new(CLICK).consumed(true);
    let api = click.build.evidence_mut().processes[0].id.clone();
    for number in 0..2_000u64 {
        let name = format!("\u{202e}{}\n{}", "x".repeat(500), char::from_u32(0x4e00 + number as u32).unwrap());
        let parent = Address { trace: click.root.trace, span: SpanId((number % 7 + 1).to_be_bytes()) };
        click.build.span(&api, Kind::Internal, &name).child_of(parent).add();
    }
    let judgement = click.judge();
    assert_eq!(judgement.outcome(), Outcome::Fail);
    let finding = &judgement.findings[0];
    assert!(finding.seen.len() < 4_000 && finding.tree.lines().count() <= 82, "{}", finding.seen.len());
    assert!(!finding.seen.contains(['\n', '\u{202e}']) && !finding.tree.contains('\u{202e}'));
}

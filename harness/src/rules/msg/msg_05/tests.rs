use crate::model::build::{Address, Build};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "MSG-05";

/// A ledger of one service with an outbox, and who reads what it publishes.
struct Ledger {
    build: Build,
    ledger: ProcessId,
    declaration: Declaration,
}

impl Ledger {
    fn new() -> Self {
        let mut build = Build::new();
        let ledger = build.process("ledger");
        let service = |name: &str| ServiceDeclaration { name: name.into(), ..ServiceDeclaration::default() };
        let declaration = Declaration {
            version: 1,
            services: vec![service("ledger"), service("read-model")],
            topics: vec![Topic { name: "entries".into(), producer: "ledger".into(), ..Topic::default() }],
            outboxes: vec![Outbox { service: "ledger".into(), table: "outbox".into(), topic: "entries".into() }],
            ..Declaration::default()
        };
        Ledger { build, ledger, declaration }
    }

    /// A request that wrote a row.
    fn request(&mut self) -> Address {
        let request = self.build.span(&self.ledger, Kind::Server, "POST /v1/entries").add();
        self.row(request);
        request
    }

    fn row(&mut self, parent: Address) -> Address {
        let span = self.build.span(&self.ledger, Kind::Client, "INSERT outbox").child_of(parent);
        span.attribute("db.operation.name", "INSERT").attribute("db.collection.name", "outbox").add()
    }

    fn send(&mut self, parent: Option<Address>) -> Address {
        let span = self.build.span(&self.ledger, Kind::Producer, "send entries");
        let sent = match parent {
            Some(parent) => span.child_of(parent).add(),
            None => span.add(),
        };
        self.record(sent);
        sent
    }

    fn record(&mut self, creator: Address) {
        self.build.record("entries", &[("traceparent", &creator.traceparent())]);
    }

    fn judge(&self) -> Judgement {
        let evidence = self.build.evidence();
        judge(RULE, &evidence, Some(&self.declaration))
    }
}

fn note(judgement: &Judgement) -> &str {
    let note = judgement.findings.iter().find(|finding| finding.severity == Severity::Note);
    note.map_or("", |finding| finding.seen.as_str())
}

#[test]
fn a_record_in_the_trace_of_its_request_passes_however_late() {
    let mut ledger = Ledger::new();
    let request = ledger.request();
    ledger.build.pass(86_400_000);
    ledger.send(Some(request));
    let judgement = ledger.judge();
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 2));
    assert_eq!(note(&judgement), "joined: 1 record in the trace of its request");
}

#[test]
fn a_link_will_do_also_one_of_the_relays_batch() {
    let mut ledger = Ledger::new();
    let (first, second) = (ledger.request(), ledger.request());
    let sent = ledger.build.span(&ledger.ledger, Kind::Producer, "send entries").link_to(first).add();
    ledger.record(sent);
    let batch = ledger.build.span(&ledger.ledger, Kind::Internal, "relay outbox").link_to(second).add();
    ledger.send(Some(batch));
    let judgement = ledger.judge();
    assert_eq!((judgement.outcome(), note(&judgement)), (Outcome::Pass, "joined: 2 records by link"));
}

#[test]
fn the_context_of_the_row_as_it_stands_passes() {
    // A relay without spans, which copies the row's context into the headers.
    let mut ledger = Ledger::new();
    let request = ledger.build.span(&ledger.ledger, Kind::Server, "POST /v1/entries").add();
    let row = ledger.row(request);
    ledger.record(row);
    assert_eq!(ledger.judge().outcome(), Outcome::Pass);
}

#[test]
fn work_that_came_by_a_record_may_write_rows_as_well() {
    let mut ledger = Ledger::new();
    let process = ledger.build.span(&ledger.ledger, Kind::Consumer, "process orders").add();
    ledger.row(process);
    ledger.send(Some(process));
    assert_eq!(ledger.judge().outcome(), Outcome::Pass);
}

#[test]
fn an_outbox_of_any_service_is_judged() {
    let outcome = |defect| {
        let mut shortener = Shortener::with(defect);
        shortener.relay_two_rows();
        shortener.judge(RULE).outcome()
    };
    assert_eq!(outcome(""), Outcome::Pass);
    assert_eq!(outcome("outbox-without-context"), Outcome::Fail);
    assert_eq!(outcome("outbox-context-shared"), Outcome::Fail);
}

#[test]
fn a_trace_that_begins_with_the_relay_fails() {
    let mut ledger = Ledger::new();
    ledger.request();
    ledger.send(None);
    let judgement = ledger.judge();
    assert_eq!(subjects(&judgement), ["ledger, span `send entries`"]);
    let finding = &judgement.findings[0];
    assert_eq!(finding.seen, "entries[0] offset 0: a root span without a link");
    for part in ["ledger SERVER POST /v1/entries", "expected under this", "arrived here"] {
        assert!(finding.tree.contains(part), "{}", finding.tree);
    }
}

#[test]
fn one_endless_trace_of_the_relay_fails() {
    let mut ledger = Ledger::new();
    ledger.request();
    let relay = ledger.build.span(&ledger.ledger, Kind::Internal, "relay outbox").add();
    ledger.send(Some(relay));
    let judgement = ledger.judge();
    assert_eq!(judgement.outcome(), Outcome::Fail);
    assert!(judgement.findings[0].seen.contains("under `ledger INTERNAL relay outbox`, which no request caused"));
}

#[test]
fn a_batch_under_the_context_of_its_first_row_leaves_the_others_without() {
    let mut ledger = Ledger::new();
    let (first, _) = (ledger.request(), ledger.request());
    ledger.send(Some(first));
    ledger.send(Some(first));
    let judgement = ledger.judge();
    assert_eq!(subjects(&judgement), ["ledger, outbox `outbox`"]);
    let seen = &judgement.findings.iter().find(|it| it.severity == Severity::Error).unwrap().seen;
    assert_eq!(seen, "1 request wrote a row and no record leads back to it, though 2 records to one other");
}

#[test]
fn a_row_that_was_never_published_fails_behind_a_proof_only() {
    let unpublished = |change: fn(&mut Process)| {
        let mut ledger = Ledger::new();
        let request = ledger.request();
        ledger.send(Some(request));
        ledger.request();
        let id = ledger.ledger.clone();
        ledger.build.change_process(&id, change);
        ledger.judge()
    };
    assert_eq!(unpublished(|_| {}).outcome(), Outcome::Fail);
    let killed = unpublished(|process| process.fence = Fence::Open { why: "killed (SIGKILL)".into() });
    assert_eq!((killed.outcome(), killed.gaps[0].why.as_str()), (Outcome::Incomplete, "ledger: killed (SIGKILL)"));
}

#[test]
fn a_fault_that_never_ended_explains_rows_that_wait() {
    let waiting = |ended: Option<UnixNanos>| {
        let mut ledger = Ledger::new();
        ledger.request();
        let fault = Fault {
            kind: FaultKind::Stop,
            on: FaultTarget::Backend("kafka".into()),
            began: 0,
            ended,
            fenced: false,
        };
        ledger.build.evidence_mut().faults.push(fault);
        ledger.judge().outcome()
    };
    assert_eq!(waiting(None), Outcome::NotJudged);
    assert_eq!(waiting(Some(1)), Outcome::Fail);
}

#[test]
fn a_row_whose_statement_failed_is_none() {
    let mut ledger = Ledger::new();
    let request = ledger.request();
    ledger.send(Some(request));
    let other = ledger.build.span(&ledger.ledger, Kind::Server, "POST /v1/entries").add();
    let span = ledger.build.span(&ledger.ledger, Kind::Client, "INSERT outbox").child_of(other);
    let span = span.attribute("db.operation.name", "INSERT").attribute("db.collection.name", "outbox");
    span.status(Status::Error).add();
    assert_eq!(ledger.judge().outcome(), Outcome::Pass);
}

#[test]
fn a_missing_parent_or_creator_is_another_rules() {
    let mut ledger = Ledger::new();
    let request = ledger.request();
    let lost = Address { trace: request.trace, span: SpanId([7; 8]) };
    ledger.send(Some(lost));
    let judgement = ledger.judge();
    assert_eq!(judgement.outcome(), Outcome::Incomplete);
    assert!(judgement.gaps[0].why.ends_with("TRACE-03"), "{judgement:?}");

    let mut ledger = Ledger::new();
    ledger.request();
    ledger.record(lost);
    ledger.build.record("entries", &[("traceparent", "no context")]);
    assert_eq!(ledger.judge().outcome(), Outcome::NotJudged);
}

#[test]
fn a_silent_service_is_a_gap() {
    let mut ledger = Ledger::new();
    let client = ledger.build.process("gateway");
    ledger.declaration.operations.clear();
    ledger.declaration.edges.push(Edge {
        from: "gateway".into(),
        to: "ledger".into(),
        over: EdgeKind::Http,
        routes: vec!["POST /v1/entries".into()],
    });
    let call = ledger.build.span(&client, Kind::Client, "POST /v1/entries");
    call.attribute("http.request.method", "POST").attribute("http.response.status_code", 201).add();
    let judgement = ledger.judge();
    assert_eq!((judgement.outcome(), judgement.gaps[0].why.as_str()), (Outcome::Incomplete, "silent: ledger"));
}

#[test]
fn without_an_outbox_there_is_nothing_to_judge() {
    let mut ledger = Ledger::new();
    ledger.request();
    ledger.send(None);
    ledger.declaration.outboxes.clear();
    assert_eq!(ledger.judge().outcome(), Outcome::NotJudged);
}

#[test]
fn a_hostile_trace_ends() {
    let mut ledger = Ledger::new();
    let request = ledger.request();
    // A thousand spans above, each the child of the next, and one that is its own parent.
    let mut parent = ledger.build.span(&ledger.ledger, Kind::Internal, "turtle").add();
    for _ in 0..1_000 {
        parent = ledger.build.span(&ledger.ledger, Kind::Internal, "turtle").child_of(parent).add();
    }
    ledger.send(Some(parent));
    let own = Address { trace: request.trace, span: SpanId([9; 8]) };
    let own = ledger.build.span(&ledger.ledger, Kind::Producer, "send entries").child_of(own).with_id(own.span).add();
    ledger.record(own);
    let judgement = ledger.judge();
    assert_eq!(judgement.outcome(), Outcome::Fail, "{judgement:?}");
}

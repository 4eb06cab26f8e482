//! The shortener's evidence as its services emit it, good or with one defect: what rules are tested on.

use crate::model::build::{Address, Build, SpanBuild, at, declaration};
use crate::model::*;
use crate::rules::Rule;

pub(crate) mod announced;
mod cases;
mod delivery;
mod privacy;

/// The shortener, driven by hand. Each operation adds its stimulus, its spans, its records and its log lines.
pub(crate) struct Shortener {
    pub(crate) build: Build,
    pub(crate) api: ProcessId,
    pub(crate) rpc: ProcessId,
    pub(crate) consumer: ProcessId,
    pub(crate) declaration: Declaration,
    defect: &'static str,
    codes: u32,
    /// The `traceparent` that the request under way came with, when it is not valid.
    malformed: Option<&'static str>,
    /// Whether the request under way came with a tenant.
    of_tenant: bool,
    /// When Kafka is back, where it is away: sends last until then.
    kafka_back_ms: Option<u64>,
}

const METHOD: &str = "analytics.v1.Analytics/GetClickCount";
const TOPIC: &str = "click-events";
const EVENT_ID: &str = "shortener.event.id";

impl Shortener {
    pub(crate) fn good() -> Self {
        Self::with("")
    }

    /// With that defect of the catalogue.
    pub(crate) fn with(defect: &'static str) -> Self {
        let mut build = Build::new();
        let (api, rpc) = (build.process("url-api"), build.process("analytics-rpc"));
        let consumer = build.process("analytics-consumer");
        match defect {
            "service-name-copied" => build.resource(&consumer, "service.name", Some("url-api")),
            "resource-bare" => {
                for key in ["service.version", "deployment.environment.name", "service.instance.id"] {
                    build.resource(&api, key, None);
                }
            }
            _ => {}
        }
        let mut declaration = declaration();
        declaration.sampling = Some(Sampling { ratio: 1.0, keeps_errors: false });
        declaration.services[0].answers_with_trace = true;
        let mut shortener = Shortener {
            build,
            api,
            rpc,
            consumer,
            declaration,
            defect,
            codes: 0,
            malformed: None,
            of_tenant: false,
            kafka_back_ms: None,
        };
        shortener.probe();
        shortener
    }

    pub(crate) fn is(&self, defect: &str) -> bool {
        self.defect == defect
    }

    /// Health checks and a scrape of each service.
    fn probe(&mut self) {
        for process in [self.api.clone(), self.rpc.clone(), self.consumer.clone()] {
            self.build.scrape(&process, ScrapeStage::Last, "text/plain; version=0.0.4", "");
            let service = process.as_str().split('#').next().unwrap_or_default().to_string();
            let probe = Probe { process, service, kind: ProbeKind::Live, at: at(200), status: Some(200) };
            self.build.evidence_mut().probes.push(probe);
        }
        if self.is("health-traced") {
            let api = self.api.clone();
            for path in ["/healthz", "/metrics"] {
                self.server(&api, "GET", path, path, 200).add();
            }
        }
    }

    fn server(
        &mut self,
        process: &ProcessId,
        method: &str,
        route: &str,
        path: &str,
        status: u16,
    ) -> SpanBuild<'_> {
        let missing = self.is("status-code-missing");
        let target = if self.is("raw-path-name") { path } else { route };
        let failed =
            status >= 500 && !self.is("error-swallowed") || status >= 400 && self.is("4xx-as-server-error");
        let query = self.query_with_token();
        let of_tenant = self.of_tenant;
        let span = self.build.span(process, Kind::Server, &format!("{method} {target}"));
        let span = privacy::tenant(span, of_tenant);
        let span = if query.is_empty() { span } else { span.attribute("url.query", query) };
        let span = span
            .attribute("http.request.method", method)
            .attribute("http.route", route)
            .attribute("url.path", path)
            .attribute("url.scheme", "http");
        let span =
            if missing { span } else { span.attribute("http.response.status_code", i64::from(status)) };
        match failed {
            true => span.attribute("error.type", status.to_string().as_str()).status(Status::Error),
            false => span,
        }
    }

    /// A request to url-api, answered with its trace.
    fn request(&mut self, operation: &str, method: &str, route: &str, path: &str, status: u16) -> Address {
        let api = self.api.clone();
        let root = self.server(&api, method, route, path, status).add();
        self.build.stimulus(&api, operation, method, path, status);
        self.name_trace(root, "01");
        let malformed = self.malformed.map(|value| ("traceparent".to_string(), value.to_string()));
        self.last_stimulus().headers.extend(malformed);
        self.log_at(if status >= 500 { "ERROR" } else { "INFO" }, &api, root);
        root
    }

    fn last_stimulus(&mut self) -> &mut Stimulus {
        self.build.evidence_mut().stimuli.last_mut().expect("a stimulus")
    }

    /// The answer given last says which trace it belongs to, with these flags.
    fn name_trace(&mut self, root: Address, flags: &str) {
        if self.is("no-response-header") {
            return;
        }
        let stimulus = self.last_stimulus();
        stimulus.trace = Some(root.trace);
        let named = format!("00-{}-{}-{flags}", root.trace, root.span);
        stimulus.answer.as_mut().expect("an answer").headers.push(("traceresponse".into(), named));
    }

    /// A click whose request carried a context that is not valid.
    pub(crate) fn click_with_malformed_context(&mut self) {
        self.malformed = Some("00-not-a-context");
        self.click();
        self.malformed = None;
    }

    /// A click in the trace of a caller that does not sample it, or of an edge that samples nothing.
    pub(crate) fn unsampled_click(&mut self, by_caller: bool) {
        let (api, consumer) = (self.api.clone(), self.consumer.clone());
        let number = self.build.now_ms() as u8;
        let root = Address { trace: TraceId([number; 16]), span: SpanId([number; 8]) };
        self.build.stimulus(&api, "click", "GET", "/unsampled", 302);
        self.name_trace(root, "00");
        if by_caller {
            let sent = format!("00-{}-00000000000000ff-00", root.trace);
            self.last_stimulus().headers.push(("traceparent".into(), sent));
        }
        let header = format!("00-{}-{}-00", root.trace, root.span);
        let record = self.build.record(TOPIC, &[("traceparent", &header)]);
        self.build.committed("analytics", TOPIC, Some(record.offset + 1), record.offset + 1);
        if self.is("sampler-ignores-parent") {
            let span = self.build.span(&consumer, Kind::Consumer, &format!("process {TOPIC}")).child_of(root);
            let span =
                messaging(span, "process", "process").attribute("messaging.consumer.group.name", "analytics");
            located(span, self.defect, &record).add();
        }
    }

    /// A turn of the consumer's timer, declared as such: with work or without.
    pub(crate) fn tick(&mut self, works: bool) {
        let consumer = self.consumer.clone();
        self.declaration.services[2].ticks =
            vec![Tick { span: "expire clicks".into(), kind: Kind::Internal }];
        let around = self.is("tick-one-endless-trace").then(|| {
            let trace = TraceId([0x71; 16]);
            let root = Address { trace, span: SpanId([0x71; 8]) };
            if self
                .build
                .evidence()
                .requests
                .iter()
                .all(|request| !request.bytes.windows(12).any(|bytes| bytes == b"housekeeping"))
            {
                self.build
                    .span(&consumer, Kind::Internal, "housekeeping")
                    .in_trace(trace)
                    .with_id(root.span)
                    .add();
            }
            root
        });
        if works || self.is("tick-spans-always") {
            let span = self.build.span(&consumer, Kind::Internal, "expire clicks");
            let tick = match around {
                Some(root) => span.child_of(root).add(),
                None => span.add(),
            };
            if works {
                self.query(&consumer, Some(tick), "DELETE clicks");
            }
        }
    }

    /// A failed request of a system that samples next to nothing and promises to keep errors.
    pub(crate) fn unsampled_failure(&mut self) {
        self.declaration.sampling = Some(Sampling { ratio: 0.0, keeps_errors: true });
        let api = self.api.clone();
        let kept = !self.is("errors-sampled-away");
        let root = match kept {
            true => self.server(&api, "GET", "/{code}", "/abc", 500).add(),
            false => Address { trace: TraceId([0x51; 16]), span: SpanId([0x51; 8]) },
        };
        self.build.stimulus(&api, "click", "GET", "/abc", 500);
        self.name_trace(root, "00");
        if kept {
            self.failed_query(root);
        }
    }

    /// A request in the trace of a caller that samples it, whatever is sampled here.
    pub(crate) fn sampled_by_caller(&mut self) {
        self.unknown_code();
        let stimulus = self.last_stimulus();
        let sent = stimulus.trace.map(|trace| format!("00-{trace}-00000000000000ff-01")).unwrap_or_default();
        stimulus.headers.push(("traceparent".into(), sent));
    }

    /// A database call of that service under a parent.
    fn query(&mut self, process: &ProcessId, parent: Option<Address>, name: &str) -> Option<Address> {
        let (operation, table) = name.split_once(' ').unwrap_or((name, ""));
        let is_api = *process == self.api;
        let kind = if is_api && self.is("kind-wrong") { Kind::Internal } else { Kind::Client };
        if is_api && self.is("span-never-ended") && operation == "SELECT" {
            let parent = parent.expect("a request");
            let never = Address { trace: parent.trace, span: SpanId([0xee; 8]) };
            self.log(process, never);
            return None;
        }
        let parent = parent.filter(|_| !(is_api && self.is("context-background") && operation == "SELECT"));
        let captured = is_api && self.is("sql-arguments-captured");
        let span = self.build.span(process, kind, name);
        let span = span
            .attribute("db.system.name", "postgresql")
            .attribute("db.operation.name", operation)
            .attribute("db.collection.name", table)
            .attribute("db.query.summary", name);
        let span = if captured { span.attribute("db.query.parameter.0", "abc") } else { span };
        let address = match parent {
            Some(parent) => span.child_of(parent).add(),
            None => span.add(),
        };
        self.log(process, address);
        Some(address)
    }

    pub(crate) fn log(&mut self, process: &ProcessId, span: Address) {
        self.log_at("INFO", process, span);
    }

    fn log_at(&mut self, level: &str, process: &ProcessId, span: Address) {
        self.build.log_line(process, level, "done", Some(span));
    }

    fn next_code(&mut self) -> String {
        self.codes += 1;
        format!("xYz{:02}", self.codes)
    }

    /// `POST /api/v1/urls`.
    pub(crate) fn create(&mut self) {
        let root = self.request("create", "POST", "/api/v1/urls", "/api/v1/urls", 201);
        let api = self.api.clone();
        self.query(&api, Some(root), "INSERT links");
    }

    /// A code that nobody made: 404.
    pub(crate) fn unknown_code(&mut self) {
        let root = self.request("click", "GET", "/{code}", "/nobody", 404);
        let api = self.api.clone();
        self.query(&api, Some(root), "SELECT links");
    }

    /// The database is cut: 500.
    pub(crate) fn database_cut(&mut self) {
        let root = self.request("click", "GET", "/{code}", "/abc", 500);
        self.failed_query(root);
    }

    /// The lookup of a link, ended by a connection that was closed.
    fn failed_query(&mut self, root: Address) {
        let api = self.api.clone();
        let span = self.build.span(&api, Kind::Client, "SELECT links").child_of(root);
        span.attribute("db.system.name", "postgresql")
            .attribute("db.query.summary", "SELECT links")
            .attribute("error.type", "connection_closed")
            .status(Status::Error)
            .add();
    }

    /// `GET /{code}`, consumed by parent: one process span a record.
    pub(crate) fn click(&mut self) {
        let (record, creator) = self.publish();
        self.consume(&record, creator);
    }

    /// A click whose record nobody has read.
    pub(crate) fn publish(&mut self) -> (Record, Address) {
        let code = self.next_code();
        let api = self.api.clone();
        let root = self.request("click", "GET", "/{code}", &format!("/{code}"), 302);
        self.query(&api, Some(root), "SELECT links");
        let spawned = !self.is("spawn-without-context");
        let offset = self.offset();
        let event = format!("event-{offset}");
        let (of_tenant, baggage) = (self.of_tenant, self.baggage());
        let (began, back) = (self.build.now_ms(), self.kafka_back_ms);
        let span = self.build.span(&api, Kind::Producer, &format!("send {TOPIC}"));
        let span = privacy::tenant(span, of_tenant);
        let span = if spawned { span.child_of(root) } else { span };
        let span = messaging(span, "send", "send");
        let span = span
            .attribute("messaging.destination.partition.id", "0")
            .attribute("messaging.kafka.offset", offset)
            .attribute(EVENT_ID, event.as_str());
        let span = if let Some(back) = back { span.time(began, back) } else { span };
        let creator = span.add();
        self.log(&api, creator);
        let parent = creator.traceparent();
        let headers: Vec<_> = [("traceparent", parent.as_str())]
            .into_iter()
            .chain(baggage.as_deref().map(|members| ("baggage", members)))
            .collect();
        let bare = self.is("kafka-send-without-headers") || self.is("kafka-header-in-body");
        let record = match self.forwarded() {
            Some(value) => self.build.record(TOPIC, &[("traceparent", value)]),
            None => self.build.record(TOPIC, if bare { &[] } else { &headers }),
        };
        (record, creator)
    }

    /// What goes into the record's header as it came.
    fn forwarded(&self) -> Option<&'static str> {
        self.malformed.filter(|_| self.is("traceparent-malformed-forwarded"))
    }

    fn offset(&self) -> i64 {
        self.build.evidence().records.len() as i64
    }

    /// What the consumer emits for one record that it joins by parent, link kept.
    pub(crate) fn consume(&mut self, record: &Record, creator: Address) {
        self.build.committed("analytics", TOPIC, Some(record.offset + 1), record.offset + 1);
        if self.is("telemetry-block-missing") {
            return;
        }
        let consumer = self.consumer.clone();
        if self.is("consumer-without-span") {
            self.query(&consumer, None, "INSERT clicks");
            return;
        }
        let reads = !self.is("consumer-ignores-headers") && !self.is("kafka-send-without-headers");
        let reads = reads && self.forwarded().is_none();
        let of_tenant = self.of_tenant && !self.is("baggage-dropped-at-kafka");
        let span = self.build.span(&consumer, Kind::Consumer, &format!("process {TOPIC}"));
        let span = privacy::tenant(span, of_tenant);
        let span = if reads { span.child_of(creator).link_to(creator) } else { span };
        let span =
            messaging(span, "process", "process").attribute("messaging.consumer.group.name", "analytics");
        let process = located(span, self.defect, record).add();
        self.log(&consumer, process);
        self.query(&consumer, Some(process), "INSERT clicks");
        let span = self.build.span(&consumer, Kind::Client, &format!("commit {TOPIC}")).child_of(process);
        let span =
            messaging(span, "commit", "settle").attribute("messaging.consumer.group.name", "analytics");
        located(span, self.defect, record).add();
    }

    /// So many clicks, consumed as one batch that links to each.
    pub(crate) fn batch(&mut self, clicks: usize) {
        let group = &mut self.declaration.topics[0].groups[0];
        (group.join, group.must_batch) = (Some(Join::Link), true);
        let sent: Vec<_> = (0..clicks).map(|_| self.publish()).collect();
        self.build.committed("analytics", TOPIC, Some(self.offset()), self.offset());
        let links = if self.is("batch-links-first-only") { &sent[..1] } else { &sent[..] };
        let consumer = self.consumer.clone();
        let says_places = !self.is("kafka-attributes-missing");
        let mut span = self.build.span(&consumer, Kind::Consumer, &format!("process {TOPIC}"));
        for (record, creator) in links {
            span = span.link_to(*creator);
            if says_places {
                let event = format!("event-{}", record.offset);
                span = span.link_attribute("messaging.kafka.offset", record.offset);
                span = span.link_attribute(EVENT_ID, event.as_str());
            }
        }
        if says_places {
            span = span.attribute("messaging.destination.partition.id", "0");
        }
        let span = messaging(span, "process", "process")
            .attribute("messaging.consumer.group.name", "analytics")
            .attribute("messaging.batch.message_count", clicks as i64);
        let process = span.add();
        self.query(&consumer, Some(process), "INSERT clicks");
        let span = self.build.span(&consumer, Kind::Client, &format!("commit {TOPIC}")).child_of(process);
        let span =
            messaging(span, "commit", "settle").attribute("messaging.consumer.group.name", "analytics");
        let (last, _) = &sent[clicks - 1];
        located(span, self.defect, last).add();
    }

    /// `GET /api/v1/links/{code}` with its RPC, answered with that gRPC code. A code that the server does not give is
    /// answered degraded, and said so in the log.
    pub(crate) fn detail(&mut self, code: &str) {
        let (api, rpc) = (self.api.clone(), self.rpc.clone());
        let degraded = !matches!(code, "OK" | "NOT_FOUND");
        let timeout = code == "DEADLINE_EXCEEDED";
        let fails = self.is("degrade-to-500") || self.is("degrade-catches-timeout-only") && !timeout;
        let status = if degraded && fails { 500 } else { 200 };
        let root = self.request("detail", "GET", "/api/v1/links/{code}", "/api/v1/links/abc", status);
        let silent = self.is("degrade-silently");
        let stimulus = self.build.evidence_mut().stimuli.last_mut().expect("a stimulus");
        if status == 200 {
            let says = degraded && !silent;
            stimulus.answer.as_mut().expect("an answer").body =
                format!(r#"{{"clicks":{},"degraded":{says}}}"#, u8::from(code == "OK"));
        }
        if degraded && status == 200 && !silent {
            self.log_at("WARN", &api, root);
        }
        self.query(&api, Some(root), "SELECT links");
        let call = match self.is("middle-span-dropped") {
            true => Address { trace: root.trace, span: SpanId([0xdd; 8]) },
            false => rpc_span(self.build.span(&api, Kind::Client, METHOD).child_of(root), code)
                .attribute("server.address", "etcd:///analytics-rpc")
                .add(),
        };
        if degraded {
            return;
        }
        let drops = self.is("grpc-client-drops-context");
        let behind = if self.is("clock-skewed") { 5_000 } else { 0 };
        let span = rpc_span(self.build.span(&rpc, Kind::Server, METHOD), code);
        let span = if drops { span } else { span.child_of(call).parent_remote(true) };
        let span = span.shifted(-behind);
        let server = span.add();
        self.log(&rpc, server);
        let span = self.build.span(&rpc, Kind::Client, "SELECT clicks").child_of(server).shifted(-behind);
        span.attribute("db.system.name", "postgresql").attribute("db.query.summary", "SELECT clicks").add();
        if self.is("span-per-row") {
            for _ in 0..100 {
                self.build.span(&rpc, Kind::Internal, "read row").child_of(server).add();
            }
        }
    }

    /// Two requests write a row each to an outbox of url-api's; its relay publishes both a minute later.
    pub(crate) fn relay_two_rows(&mut self) {
        let outbox = Outbox { service: "url-api".into(), table: "outbox".into(), topic: TOPIC.into() };
        self.declaration.outboxes = vec![outbox];
        // What a relay publishes is no work that the request spawned.
        self.declaration.operations.iter_mut().for_each(|operation| operation.spawns.clear());
        let api = self.api.clone();
        let requests = [(); 2].map(|()| {
            let root = self.request("create", "POST", "/api/v1/urls", "/api/v1/urls", 201);
            self.query(&api, Some(root), "INSERT outbox");
            root
        });
        self.build.pass(60_000);
        for request in requests {
            let offset = self.offset();
            let span =
                messaging(self.build.span(&api, Kind::Producer, &format!("send {TOPIC}")), "send", "send")
                    .attribute("messaging.destination.partition.id", "0")
                    .attribute("messaging.kafka.offset", offset)
                    .attribute(EVENT_ID, format!("event-{offset}").as_str());
            let row = if self.defect == "outbox-context-shared" { requests[0] } else { request };
            let creator = match self.defect {
                "outbox-without-context" => span.add(),
                _ => span.child_of(row).add(),
            };
            let record = self.build.record(TOPIC, &[("traceparent", &creator.traceparent())]);
            self.consume(&record, creator);
        }
    }

    /// All operations once, the late consumer apart.
    pub(crate) fn everything(mut self) -> Self {
        self.create();
        self.click();
        self.unknown_code();
        self.database_cut();
        self.detail("OK");
        self.detail("NOT_FOUND");
        self.detail("UNAVAILABLE");
        self
    }

    /// Judges by one rule, with the declaration.
    pub(crate) fn judge(&self, rule: &str) -> Judgement {
        judge(rule, &self.build.evidence(), Some(&self.declaration))
    }
}

/// Judges by one rule.
pub(crate) fn judge(rule: &str, evidence: &Evidence, declaration: Option<&Declaration>) -> Judgement {
    let rule = super::find(rule).expect("a registered rule");
    judged(rule, &Case::new(evidence, declaration))
}

/// Judges by one rule, and counts the case among its good or bad ones.
pub(crate) fn judged(rule: &Rule, case: &Case) -> Judgement {
    let judgement = (rule.judge)(case);
    cases::count(rule.id, case, &judgement);
    judgement
}

/// Subjects of the errors of a judgement, in order.
pub(crate) fn subjects(judgement: &Judgement) -> Vec<&str> {
    let errors = judgement.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.subject.as_str()).collect()
}

fn messaging<'b>(span: SpanBuild<'b>, operation: &str, kind: &str) -> SpanBuild<'b> {
    span.attribute("messaging.system", "kafka")
        .attribute("messaging.operation.name", operation)
        .attribute("messaging.operation.type", kind)
        .attribute("messaging.destination.name", TOPIC)
}

/// Partition, offset and event id, unless the consumer forgets them.
fn located<'b>(span: SpanBuild<'b>, defect: &str, record: &Record) -> SpanBuild<'b> {
    if defect == "kafka-attributes-missing" {
        return span;
    }
    span.attribute("messaging.destination.partition.id", record.partition.to_string().as_str())
        .attribute("messaging.kafka.offset", record.offset)
        .attribute(EVENT_ID, format!("event-{}", record.offset).as_str())
}

fn rpc_span<'b>(span: SpanBuild<'b>, code: &str) -> SpanBuild<'b> {
    let client = span.kind() == Kind::Client;
    let span = span
        .attribute("rpc.system.name", "grpc")
        .attribute("rpc.method", METHOD)
        .attribute("rpc.response.status_code", code);
    match code {
        "OK" => span,
        "NOT_FOUND" if !client => span,
        _ => span.attribute("error.type", code).status(Status::Error),
    }
}

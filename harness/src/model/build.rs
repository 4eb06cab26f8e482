//! Evidence built by hand, for table tests of rules: no process, no clock, the same path as captured bytes.
//!
//! ```
//! use probity::model::{Case, Kind, build::Build};
//!
//! let mut build = Build::new();
//! let api = build.process("url-api");
//! let root = build.span(&api, Kind::Server, "GET /{code}").attribute("http.route", "/{code}").add();
//! build.span(&api, Kind::Client, "SELECT links").child_of(root).add();
//! let evidence = build.evidence();
//! assert_eq!(Case::new(&evidence, None).spans.len(), 2);
//! ```
//!
//! Times count in milliseconds from an arbitrary beginning; spans last one millisecond unless told otherwise.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as wire;
use prost::Message;

use super::*;

/// The beginning of built time.
const EPOCH: UnixNanos = 1_700_000_000_000_000_000;

/// Nanoseconds of a built millisecond.
pub fn at(ms: u64) -> UnixNanos {
    EPOCH + ms * 1_000_000
}

/// `2023-11-14T22:13:20.000Z`.
pub fn timestamp(at: UnixNanos) -> String {
    let (seconds, milliseconds) = (at / 1_000_000_000, at / 1_000_000 % 1_000);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z", Date::of(at))
}

/// A built span's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub trace: TraceId,
    pub span: SpanId,
}

impl Address {
    /// `00-<trace>-<span>-01`.
    pub fn traceparent(self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }
}

/// Builds an [`Evidence`]. Everything it makes is good unless the test says otherwise: processes are ready and fenced by
/// exit, the barrier is closed, resources are complete.
pub struct Build {
    evidence: Evidence,
    resources: Vec<(ProcessId, Vec<(String, Value)>)>,
    next_id: u64,
    now_ms: u64,
}

impl Default for Build {
    fn default() -> Self {
        Self::new()
    }
}

impl Build {
    pub fn new() -> Self {
        let step = BarrierStep { name: "fences".into(), closed: true, status: "closed".into(), took_ms: 0 };
        let barrier = Barrier { steps: vec![step], kind: BarrierKind::Stepped };
        let evidence = Evidence { scenario: "built".into(), barrier, ..Evidence::default() };
        Build { evidence, resources: Vec::new(), next_id: 1, now_ms: 1_000 }
    }

    /// Starts an instance of a service: ready, drained, with a complete resource and a ledger entry.
    pub fn process(&mut self, service: &str) -> ProcessId {
        let number = 1 + self.evidence.processes.iter().filter(|process| process.service == service).count();
        let id = ProcessId::new(format!("{service}#{number}"));
        let end = at(900_000);
        self.evidence.processes.push(Process {
            id: id.clone(),
            service: service.into(),
            started: at(0),
            ready: Some(at(100)),
            end: Some(ProcessEnd { at: end, exit: Exit::Code(0), asked: Some(end - 1), within_grace: true }),
            fence: Fence::Exit { at: end },
        });
        let text = |value: &str| Value::Text(value.into());
        let resource = vec![
            ("service.name".into(), text(service)),
            ("service.version".into(), text("1.0.0")),
            ("deployment.environment.name".into(), text("test")),
            ("service.instance.id".into(), text(&format!("{id}-instance"))),
        ];
        self.resources.push((id.clone(), resource));
        let entry = SenderEntry { process: Some(id.clone()), ..SenderEntry::default() };
        self.evidence.ledger.senders.push(entry);
        id
    }

    /// Changes a process after the fact (its end, its fence, its readiness).
    pub fn change_process(&mut self, id: &ProcessId, change: impl FnOnce(&mut Process)) {
        change(
            self.evidence.processes.iter_mut().find(|process| process.id == *id).expect("a built process"),
        );
    }

    /// Replaces one attribute of a process's resource; `None` removes it.
    pub fn resource(&mut self, id: &ProcessId, key: &str, value: Option<&str>) {
        let resource =
            &mut self.resources.iter_mut().find(|(process, _)| process == id).expect("a built process").1;
        resource.retain(|(name, _)| name != key);
        resource.extend(value.map(|value| (key.to_string(), Value::Text(value.into()))));
    }

    /// Begins a span of a process: a root until told otherwise.
    pub fn span(&mut self, process: &ProcessId, kind: Kind, name: &str) -> SpanBuild<'_> {
        let address = Address { trace: self.new_trace(), span: self.new_span() };
        self.now_ms += 1;
        let span = wire::Span {
            name: name.into(),
            kind: match kind {
                Kind::Unspecified => 0,
                Kind::Internal => 1,
                Kind::Server => 2,
                Kind::Client => 3,
                Kind::Producer => 4,
                Kind::Consumer => 5,
            },
            start_time_unix_nano: at(self.now_ms),
            end_time_unix_nano: at(self.now_ms + 1),
            ..Default::default()
        };
        SpanBuild { process: process.clone(), schema_url: SCHEMA_1_44.into(), address, span, build: self }
    }

    fn new_trace(&mut self) -> TraceId {
        self.next_id += 1;
        TraceId((0x0af7_0000_0000_0000_0000_0000_0000_0000u128 + u128::from(self.next_id)).to_be_bytes())
    }

    fn new_span(&mut self) -> SpanId {
        self.next_id += 1;
        SpanId((0x0b70_0000_0000_0000u64 + self.next_id).to_be_bytes())
    }

    /// Lets so many milliseconds pass before what is built next.
    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    /// The built millisecond that it is.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// A stimulus to the main port of a process, answered with that status; change the rest of it through the return value.
    pub fn stimulus(
        &mut self,
        process: &ProcessId,
        operation: &str,
        method: &str,
        path: &str,
        status: u16,
    ) -> &mut Stimulus {
        let service = self
            .evidence
            .processes
            .iter()
            .find(|known| known.id == *process)
            .expect("a built process")
            .service
            .clone();
        self.now_ms += 1;
        let stimulus = Stimulus {
            id: self.evidence.stimuli.len() as u32 + 1,
            kind: StimulusKind::Http { method: method.into(), path: path.into() },
            operation: (!operation.is_empty()).then(|| operation.into()),
            process: Some(process.clone()),
            service,
            headers: Vec::new(),
            port: "main".into(),
            sent: at(self.now_ms),
            answered: Some(at(self.now_ms + 5)),
            answer: Some(Answer { status, ..Answer::default() }),
            error: None,
            gave_up: None,
            trace: None,
            unique: None,
            phase: String::new(),
            by_barrier: false,
        };
        // What is built next comes after the answer.
        self.now_ms += 5;
        self.evidence.stimuli.push(stimulus);
        self.evidence.stimuli.last_mut().expect("just pushed")
    }

    /// A record on partition 0 at the next offset, with the given headers.
    pub fn record(&mut self, topic: &str, headers: &[(&str, &str)]) -> Record {
        let offset = self.evidence.records.iter().filter(|record| record.topic == topic).count() as i64;
        let headers = headers.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let record = Record {
            topic: topic.into(),
            partition: 0,
            offset,
            key: None,
            headers,
            value: "{}".into(),
            at: at(self.now_ms),
            ..Record::default()
        };
        self.evidence.records.push(record.clone());
        record
    }

    /// Says where a group stands on partition 0 of a topic.
    pub fn committed(&mut self, group: &str, topic: &str, committed: Option<i64>, end: i64) {
        let (group, topic) = (group.to_string(), topic.to_string());
        self.evidence.offsets.retain(|known| (&known.group, &known.topic) != (&group, &topic));
        self.evidence.offsets.push(GroupOffset { group, topic, partition: 0, end, committed });
    }

    /// One of our own scrapes of a process.
    pub fn scrape(&mut self, process: &ProcessId, stage: ScrapeStage, content_type: &str, body: &str) {
        let service = self
            .evidence
            .processes
            .iter()
            .find(|known| known.id == *process)
            .expect("a built process")
            .service
            .clone();
        self.now_ms += 1;
        self.evidence.scrapes.push(Scrape {
            process: process.clone(),
            service,
            at: at(self.now_ms),
            stage,
            answer: HttpAnswer {
                status: Some(200),
                content_type: Some(content_type.into()),
                body: body.into(),
                error: None,
                took_ms: None,
            },
        });
    }

    /// A line on standard output.
    pub fn log(&mut self, process: &ProcessId, text: &str) {
        let service = self
            .evidence
            .processes
            .iter()
            .find(|known| known.id == *process)
            .expect("a built process")
            .service
            .clone();
        let line = 1 + self.evidence.logs.iter().filter(|line| line.process == *process).count() as u32;
        self.evidence.logs.push(LogLine {
            process: process.clone(),
            service,
            stderr: false,
            line,
            text: text.into(),
        });
    }

    /// A line on standard output as OpenTelemetry's profile wants it, written now: within that span, or outside of any.
    pub fn log_line(&mut self, process: &ProcessId, level: &str, message: &str, span: Option<Address>) {
        self.log_fields(process, level, message, span, serde_json::json!({}));
    }

    /// The same, with the event's own fields, an object.
    pub fn log_fields(
        &mut self,
        process: &ProcessId,
        level: &str,
        message: &str,
        span: Option<Address>,
        own: serde_json::Value,
    ) {
        let service = process.as_str().split('#').next().unwrap_or_default();
        let mut line = serde_json::json!({
            "timestamp": timestamp(at(self.now_ms)),
            "level": level,
            "message": message,
            "service.name": service,
            "service.version": "1.0.0",
            "deployment.environment.name": "test",
        });
        if let Some(span) = span {
            line["trace_id"] = span.trace.to_string().into();
            line["span_id"] = span.span.to_string().into();
            line["trace_flags"] = "01".into();
        }
        for (key, value) in own.as_object().into_iter().flatten() {
            line[key] = value.clone();
        }
        self.log(process, &line.to_string());
    }

    /// Everything else is reached directly.
    pub fn evidence_mut(&mut self) -> &mut Evidence {
        &mut self.evidence
    }

    pub fn evidence(&self) -> Evidence {
        self.evidence.clone()
    }
}

/// The schema that built spans declare.
pub const SCHEMA_1_44: &str = "https://opentelemetry.io/schemas/1.44.0";

/// One span being built; [`SpanBuild::add`] puts it into the evidence.
pub struct SpanBuild<'b> {
    process: ProcessId,
    schema_url: String,
    address: Address,
    span: wire::Span,
    build: &'b mut Build,
}

impl SpanBuild<'_> {
    pub fn child_of(mut self, parent: Address) -> Self {
        self.address.trace = parent.trace;
        self.span.parent_span_id = parent.span.0.to_vec();
        self
    }

    /// Puts it into that trace, under no parent.
    pub fn in_trace(mut self, trace: TraceId) -> Self {
        self.address.trace = trace;
        self
    }

    /// Gives it that id, for duplicates and conflicts.
    pub fn with_id(mut self, span: SpanId) -> Self {
        self.address.span = span;
        self
    }

    pub fn link_to(mut self, target: Address) -> Self {
        self.span.links.push(wire::span::Link {
            trace_id: target.trace.0.to_vec(),
            span_id: target.span.0.to_vec(),
            ..Default::default()
        });
        self
    }

    /// An attribute of the link added last.
    pub fn link_attribute(mut self, key: &str, value: impl Into<Attribute>) -> Self {
        let link = self.span.links.last_mut().expect("a link");
        link.attributes.push(key_value(key, &value.into().0));
        self
    }

    pub fn kind(&self) -> Kind {
        Kind::from_number(self.span.kind)
    }

    pub fn attribute(mut self, key: &str, value: impl Into<Attribute>) -> Self {
        self.span.attributes.push(key_value(key, &value.into().0));
        self
    }

    pub fn status(mut self, status: Status) -> Self {
        let code = match status {
            Status::Unset => 0,
            Status::Ok => 1,
            Status::Error => 2,
        };
        self.span.status = Some(wire::Status { code, ..Default::default() });
        self
    }

    /// Start and end in built milliseconds.
    pub fn time(mut self, start_ms: u64, end_ms: u64) -> Self {
        self.span.start_time_unix_nano = at(start_ms);
        self.span.end_time_unix_nano = at(end_ms);
        self
    }

    /// Moves it by so many milliseconds: the clock of its process is off.
    pub fn shifted(mut self, ms: i64) -> Self {
        for time in [&mut self.span.start_time_unix_nano, &mut self.span.end_time_unix_nano] {
            *time = time.saturating_add_signed(ms * 1_000_000);
        }
        self
    }

    /// The `tracestate` that came with its context.
    pub fn trace_state(mut self, state: &str) -> Self {
        self.span.trace_state = state.into();
        self
    }

    /// Marks the parent as remote, or as known to be local.
    pub fn parent_remote(mut self, remote: bool) -> Self {
        self.span.flags |= if remote { 0x300 } else { 0x100 };
        self
    }

    pub fn schema(mut self, url: &str) -> Self {
        self.schema_url = url.into();
        self
    }

    pub fn add(mut self) -> Address {
        self.span.trace_id = self.address.trace.0.to_vec();
        self.span.span_id = self.address.span.0.to_vec();
        let resource = self.build.resources.iter().find(|(process, _)| *process == self.process);
        let attributes =
            resource.map(|(_, resource)| resource.iter().map(|(k, v)| key_value(k, v)).collect());
        let request = ExportTraceServiceRequest {
            resource_spans: vec![wire::ResourceSpans {
                resource: Some(Resource { attributes: attributes.unwrap_or_default(), ..Default::default() }),
                scope_spans: vec![wire::ScopeSpans {
                    scope: Some(InstrumentationScope { name: "built".into(), ..Default::default() }),
                    spans: vec![self.span],
                    schema_url: self.schema_url,
                }],
                schema_url: String::new(),
            }],
        };
        let evidence = &mut self.build.evidence;
        if let Some(entry) =
            evidence.ledger.senders.iter_mut().find(|entry| entry.process.as_ref() == Some(&self.process))
        {
            entry.counts.requests += 1;
            entry.counts.spans += 1;
        }
        evidence.requests.push(ExportRequest {
            signal: Signal::Traces,
            process: Some(self.process),
            connection: 1,
            received_unix_nanos: at(self.build.now_ms),
            bytes: Bytes::from(request.encode_to_vec()),
        });
        self.address
    }
}

/// What [`SpanBuild::attribute`] takes: text, whole numbers, truth values.
#[derive(Clone, Debug)]
pub struct Attribute(Value);

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Attribute(Value::Text(text.into()))
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Attribute(Value::Int(number))
    }
}

impl From<bool> for Attribute {
    fn from(value: bool) -> Self {
        Attribute(Value::Bool(value))
    }
}

fn key_value(key: &str, value: &Value) -> KeyValue {
    let value = match value {
        Value::Bool(value) => any_value::Value::BoolValue(*value),
        Value::Int(value) => any_value::Value::IntValue(*value),
        Value::Double(value) => any_value::Value::DoubleValue(*value),
        Value::Text(value) => any_value::Value::StringValue(value.clone()),
    };
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// A declaration like the shortener's, for rule tests.
pub fn declaration() -> Declaration {
    let admin = |number| Port {
        role: "admin".into(),
        number,
        protocol: "http".into(),
        metrics_path: Some("/metrics".into()),
    };
    let main = |number, protocol: &str| Port {
        role: "main".into(),
        number,
        protocol: protocol.into(),
        metrics_path: None,
    };
    let service = |name: &str, ports, needs: &[&str]| ServiceDeclaration {
        name: name.into(),
        ports,
        unspanned_paths: ["/metrics", "/healthz", "/readyz"].map(String::from).to_vec(),
        needs: needs.iter().map(|need| need.to_string()).collect(),
        ..ServiceDeclaration::default()
    };
    let mut api = service("url-api", vec![main(8080, "http"), admin(9464)], &["postgres"]);
    api.event_id_attribute = Some("shortener.event.id".into());
    api.families = vec![Family {
        name: "http_server_request_duration_seconds".into(),
        kind: FamilyKind::Histogram,
        unit: "seconds".into(),
        labels: ["http_request_method", "http_route", "http_response_status_code"].map(String::from).to_vec(),
        counts: Some(Counted::HttpRequests {
            route_label: "http_route".into(),
            status_label: "http_response_status_code".into(),
            method_label: "http_request_method".into(),
        }),
        slo_bound: Some(0.25),
    }];
    let mut rpc = service("analytics-rpc", vec![main(50051, "grpc"), admin(9465)], &["postgres"]);
    rpc.registers = Some(Registration { prefix: "analytics-rpc/".into(), lease_ttl_seconds: 10 });
    let mut consumer = service("analytics-consumer", vec![admin(9466)], &["postgres", "kafka"]);
    consumer.event_id_attribute = Some("shortener.event.id".into());
    let operation = |name: &str, method: &str, route: &str| Operation {
        name: name.into(),
        service: "url-api".into(),
        method: method.into(),
        route: route.into(),
        root: Kind::Server,
        spawns: Vec::new(),
        calls: None,
        degraded_when: Default::default(),
        budget_ms: None,
    };
    let click = Spawned {
        service: "url-api".into(),
        kind: Kind::Producer,
        topic: Some("click-events".into()),
        on_status: Some(302),
    };
    let edge =
        |from: &str, to: &str, over| Edge { from: from.into(), to: to.into(), over, routes: Vec::new() };
    Declaration {
        version: 1,
        system: "shortener".into(),
        services: vec![api, rpc, consumer],
        edges: vec![
            edge(
                "url-api",
                "analytics-rpc",
                EdgeKind::Grpc { method: "analytics.v1.Analytics/GetClickCount".into() },
            ),
            edge("url-api", "analytics-consumer", EdgeKind::Kafka { topic: "click-events".into() }),
        ],
        operations: vec![
            operation("create", "POST", "/api/v1/urls"),
            Operation { spawns: vec![click], budget_ms: Some(1_000), ..operation("click", "GET", "/{code}") },
            Operation {
                calls: Some("analytics-rpc".into()),
                degraded_when: [("degraded".to_string(), true.into()), ("clicks".to_string(), 0.into())]
                    .into(),
                budget_ms: Some(1_000),
                ..operation("detail", "GET", "/api/v1/links/{code}")
            },
        ],
        topics: vec![Topic {
            name: "click-events".into(),
            producer: "url-api".into(),
            groups: vec![Group {
                name: "analytics".into(),
                service: "analytics-consumer".into(),
                batches: true,
                ..Group::default()
            }],
            ..Topic::default()
        }],
        logs: Logs { profile: Some("otel".into()), ..Logs::default() },
        ..Declaration::default()
    }
}

//! What a service can be told to do wrong, by `SHORTENER_DEFECT` or `LEDGER_DEFECT`.
//!
//! Each defect is a mistake that people really make and that neither a review nor a unit test notices. It stands in the code
//! beside the right way, chosen by one comparison, and costs the right way nothing.

macro_rules! defects {
    ($($variant:ident, $name:literal, $service:literal, $does:literal;)*) => {
        /// A mistake, made on purpose.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Defect {
            $(#[doc = $does] $variant,)*
        }

        const ALL: &[(Defect, DefectInfo)] = &[
            $((Defect::$variant, DefectInfo { name: $name, service: $service, does: $does }),)*
        ];
    };
}

/// A defect, described for people and for whoever switches it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefectInfo {
    /// The value of `SHORTENER_DEFECT`, or of `LEDGER_DEFECT` for services of the ledger.
    pub name: &'static str,
    /// The service that misbehaves. The variable may be set on all of them: the others ignore it, but for
    /// `kafka-header-in-body`, which the consumer has to know of as well.
    pub service: &'static str,
    /// What it does wrong, in one line.
    pub does: &'static str,
}

defects! {
    TelemetryBlockMissing, "telemetry-block-missing", "analytics-consumer", "builds no exporter: spans, metrics and logs are recorded for nobody";
    ServiceNameCopied, "service-name-copied", "analytics-consumer", "calls itself url-api, as its configuration was copied from there";
    GrpcClientDropsContext, "grpc-client-drops-context", "url-api", "sends no trace context with the RPC";
    MiddleSpanDropped, "middle-span-dropped", "url-api", "never exports its RPC client span, though the server's parent is that span";
    ContextBackground, "context-background", "url-api", "starts the SELECT under an empty context instead of the request's";
    SpawnWithoutContext, "spawn-without-context", "url-api", "spawns the publishing task without the context of the request";
    RawPathName, "raw-path-name", "url-api", "names server spans by the path that was asked for, not by the route";
    KindWrong, "kind-wrong", "url-api", "starts database spans as INTERNAL";
    StatusCodeMissing, "status-code-missing", "url-api", "leaves http.response.status_code out of server spans";
    ErrorSwallowed, "error-swallowed", "url-api", "answers 500 and leaves the server span's status unset";
    FourXxAsServerError, "4xx-as-server-error", "url-api", "marks a 404 as an error on the server span";
    ResourceBare, "resource-bare", "url-api", "sends a resource with service.name and nothing else";
    HealthTraced, "health-traced", "url-api", "traces health checks, readiness checks and scrapes";
    SpanNeverEnded, "span-never-ended", "url-api", "never ends its SELECT spans, so that they are never exported";
    TickSpansAlways, "tick-spans-always", "analytics-consumer", "makes a span for every turn of its timer, work or not";
    TickOneEndlessTrace, "tick-one-endless-trace", "analytics-consumer", "holds a span around its timer, under which every turn hangs";
    ErrorsSampledAway, "errors-sampled-away", "url-api", "samples failed requests away although it promises to keep them";
    SpanPerRow, "span-per-row", "analytics-rpc", "makes a span for each row that it reads";
    SamplerZeroAtEdge, "sampler-zero-at-edge", "url-api", "samples none of the traces that begin here";
    SamplerIgnoresParent, "sampler-ignores-parent", "analytics-consumer", "samples every trace, whatever its parent decided";
    TraceparentMalformedForwarded, "traceparent-malformed-forwarded", "url-api", "hands a traceparent that is not valid on as it came";
    NoResponseHeader, "no-response-header", "url-api", "answers without traceresponse";
    ClockSkewed, "clock-skewed", "analytics-rpc", "stamps its spans five seconds in the past";

    KafkaSendWithoutHeaders, "kafka-send-without-headers", "url-api", "sends the record without trace context";
    KafkaHeaderInBody, "kafka-header-in-body", "url-api", "carries the trace context in the record's value instead of its headers";
    ConsumerIgnoresHeaders, "consumer-ignores-headers", "analytics-consumer", "does not read the record's headers";
    BatchLinksFirstOnly, "batch-links-first-only", "analytics-consumer", "links a batch to the creator of its first record only";
    ConsumerWithoutSpan, "consumer-without-span", "analytics-consumer", "starts no process span, so that its other spans have no parent";
    KafkaAttributesMissing, "kafka-attributes-missing", "analytics-consumer", "leaves partition, offset and event id off its messaging spans";
    CommitBeforeWork, "commit-before-work", "analytics-consumer", "commits a record's offset before its work is done";
    CommitOnError, "commit-on-error", "analytics-consumer", "commits a record that could not be stored, and goes on to the next";
    PoisonBlocksPartition, "poison-blocks-partition", "read-model", "tries a record that it cannot read again and again";
    ProducerAcksZero, "producer-acks-zero", "url-api", "sends records without waiting for an acknowledgement";
    OffsetResetLatest, "offset-reset-latest", "analytics-consumer", "begins at the end of a topic it has not read before";

    MetricsGateClosed, "metrics-gate-closed", "url-api", "exposes the metrics of its runtime and none of its own";
    CounterCountsRetries, "counter-counts-retries", "url-api", "counts attempts where it says calls";
    ErrorsNotCounted, "errors-not-counted", "url-api", "does not count requests that failed";
    LabelShortCode, "label-short-code", "url-api", "labels the request counter with the short code";
    LabelRawPath, "label-raw-path", "url-api", "labels the request counter with the path that was asked for";
    LabelUserAgent, "label-user-agent", "url-api", "labels the request counter with the user agent";
    LabelClientIp, "label-client-ip", "url-api", "labels the request counter with the address of the client";
    LatencyGauge, "latency-gauge", "url-api", "exposes the last latency as a gauge instead of a histogram";
    BucketsTooCoarse, "buckets-too-coarse", "url-api", "has no latency bucket between zero and one second";
    MillisecondsUnit, "milliseconds-unit", "url-api", "records milliseconds in a family that says seconds";
    CounterWithoutTotal, "counter-without-total", "url-api", "exposes a counter whose name lacks _total, in the older text format";
    CounterResets, "counter-resets", "url-api", "starts its counters anew when they come to five";
    ExemplarMissing, "exemplar-missing", "url-api", "keeps no exemplars";
    ExemplarOfUnsampled, "exemplar-of-unsampled", "url-api", "keeps the ids of spans that are not sampled as exemplars";
    RedErrorsMissing, "red-errors-missing", "url-api", "counts and measures requests without their status";
    LagMissing, "lag-missing", "analytics-consumer", "does not show how far it is behind";
    PushSubset, "push-subset", "url-api", "pushes its histograms over OTLP and not its counters";
    ScrapeSlow, "scrape-slow", "url-api", "takes more than a second to answer a scrape";
    ScrapeHuge, "scrape-huge", "url-api", "exposes twelve thousand samples that nobody looks at";
    DegradationUncounted, "degradation-uncounted", "url-api", "does not count degraded answers";
    MetricsOnMainPort, "metrics-on-main-port", "url-api", "serves its metrics on the main port too";
    MetricsPortConflict, "metrics-port-conflict", "analytics-consumer", "carries on without its admin port when another process has it";

    RegisterBeforeListen, "register-before-listen", "analytics-rpc", "registers before it listens and before its database is reachable";
    RegisterOnce, "register-once", "analytics-rpc", "does not register again when etcd has forgotten it";
    NoDeregister, "no-deregister", "analytics-rpc", "leaves its key behind at a graceful stop";
    ExitWhenEtcdDown, "exit-when-etcd-down", "url-api", "exits when etcd does not answer at start";
    ConsumerBeforeTopic, "consumer-before-topic", "analytics-consumer", "never consumes when its topic did not exist at start, and says it is healthy";
    ResolveOnce, "resolve-once", "url-api", "looks its endpoints up once, at start";
    ReadyAlways, "ready-always", "url-api", "says it is ready whatever its database does";
    LivenessNeedsKafka, "liveness-needs-kafka", "analytics-consumer", "says it is dead when Kafka is away";
    ExporterBlocksStart, "exporter-blocks-start", "url-api", "waits for the collector before it listens";

    TelemetryAfterListen, "telemetry-after-listen", "url-api", "sets its telemetry up with the first request, which is neither traced nor counted";

    DegradeTo500, "degrade-to-500", "url-api", "answers 500 when the click count cannot be had";
    DegradeSilently, "degrade-silently", "url-api", "answers 0 clicks without a mark in the answer and without a log";
    DegradeCatchesTimeoutOnly, "degrade-catches-timeout-only", "url-api", "degrades on time-outs only and answers 500 for every other failure";
    DropEndpointsOnEtcdLoss, "drop-endpoints-on-etcd-loss", "url-api", "forgets the endpoints that it knows when etcd goes away";
    NoDeadline, "no-deadline", "url-api", "calls without a deadline";
    PublishBlocksRequest, "publish-blocks-request", "url-api", "answers a redirect when Kafka has taken the click, and not before";
    UnboundedBuffer, "unbounded-buffer", "url-api", "lets as many click events wait for Kafka as there are";
    ExporterSynchronous, "exporter-synchronous", "url-api", "waits for the collector at the end of each span, inside of the request";
    ExporterUnboundedQueue, "exporter-unbounded-queue", "url-api", "keeps every span until the collector takes it, however many there are";
    NoRecovery, "no-recovery", "url-api", "opens the circuit at the first failed call and never closes it";
    NoFlushOnShutdown, "no-flush-on-shutdown", "analytics-rpc", "exits without exporting what it has recorded";
    ExitDropsInflight, "exit-drops-inflight", "url-api", "exits at SIGTERM without finishing the requests it has";

    BaggageDroppedAtKafka, "baggage-dropped-at-kafka", "url-api", "sends records without the baggage of the request";
    BaggageOversize, "baggage-oversize", "url-api", "puts two thousand bytes for debugging into the baggage";

    LogPlainTextMixed, "log-plain-text-mixed", "url-api", "prints a line for people among the lines for machines";
    LogWithoutContext, "log-without-context", "url-api", "logs without the ids of the request";
    LogAllZeroIds, "log-all-zero-ids", "url-api", "logs ids of zeros where there is no request";
    LogFieldRenamed, "log-field-renamed", "url-api", "calls a field of a log line by another name";
    LogBadkey, "log-badkey", "url-api", "logs a value without a key, which the logger calls !BADKEY";
    HealthLogged, "health-logged", "url-api", "logs every health check and scrape";
    ErrorAtInfo, "error-at-info", "url-api", "logs its failures at INFO";
    LogPerRow, "log-per-row", "analytics-consumer", "logs a line for each row that it stores";
    LogHighCardinalityInfo, "log-high-cardinality-info", "url-api", "logs each unknown code at INFO";
    LoglevelOpen, "loglevel-open", "url-api", "lets everybody change its log level";
    LoglevelNeverReverts, "loglevel-never-reverts", "url-api", "keeps a changed log level for ever";
    LogBlocking, "log-blocking", "url-api", "writes each log line through a slow sink, one at a time";

    LogRequestBody, "log-request-body", "url-api", "logs the body of a request that it refuses";
    TokenInUrlAttribute, "token-in-url-attribute", "url-api", "records the query of a request with its values";
    PhoneInBaggage, "phone-in-baggage", "url-api", "hands the caller's phone number on as baggage";
    DsnLogged, "dsn-logged", "url-api", "logs its configuration with the URL of its database";
    SqlArgumentsCaptured, "sql-arguments-captured", "url-api", "records the parameters of statements on their spans";

    MiddleServiceMute, "middle-service-mute", "orchestrator", "exports nothing, though it hands the trace on";
    HttpClientDropsContext, "http-client-drops-context", "orchestrator", "sends no trace context with its HTTP requests";
    OutboxWithoutContext, "outbox-without-context", "ledger", "writes rows to the outbox that do not say whose trace they belong to";
    OutboxWithoutBaggage, "outbox-without-baggage", "ledger", "writes rows to the outbox with the trace of their request and without its baggage";
    AmqpWithoutHeaders, "amqp-without-headers", "orchestrator", "announces transfers over RabbitMQ without the context of the request";
    OutboxContextShared, "outbox-context-shared", "ledger", "publishes all rows that it read together in the trace of the first";
}

/// Every defect that the services of this crate have.
pub fn defects() -> impl Iterator<Item = DefectInfo> {
    ALL.iter().map(|(_, info)| *info)
}

impl Defect {
    /// The defect of that name, if it is one of this program's.
    pub(crate) fn of(program: &str, name: &str) -> Option<Self> {
        let concerns = |defect, service| {
            let reads_it = defect == Self::KafkaHeaderInBody && program == "analytics-consumer";
            service == program || reads_it
        };
        ALL.iter()
            .find(|(defect, info)| info.name == name && concerns(*defect, info.service))
            .map(|(defect, _)| *defect)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_defect_is_found_by_its_service_and_described_once() {
        let names: HashSet<_> = defects().map(|info| info.name).collect();
        assert_eq!(names.len(), ALL.len());
        for (defect, info) in ALL {
            assert_eq!(Defect::of(info.service, info.name), Some(*defect));
            assert!(!info.does.is_empty());
        }
    }

    #[test]
    fn a_defect_of_another_service_is_ignored() {
        assert_eq!(Defect::of("analytics-rpc", "resource-bare"), None);
        assert_eq!(Defect::of("url-api", "offset-reset-latest"), None);
        assert_eq!(Defect::of("url-api", "scrape-wrong-path"), None);
        assert_eq!(Defect::of("url-api", ""), None);
    }

    #[test]
    fn producer_and_consumer_agree_on_a_context_in_the_body() {
        for program in ["url-api", "analytics-consumer"] {
            let defect = Defect::of(program, "kafka-header-in-body");
            assert_eq!(defect, Some(Defect::KafkaHeaderInBody));
        }
    }
}

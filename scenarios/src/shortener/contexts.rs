//! Trace context that comes from outside: valid, unsampled, of a later version, and broken in every way.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use probity::backend::Kind;
use probity::model::Sampling;
use probity::run::{Connection, Request, Running, Scenario, Stack, Stop};

use super::traffic::{click, clicks_are_rows, detail, link};
use super::{API, CONSUMER, ENDPOINTS, RPC, drive};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "contexts_are_continued_or_begun_anew",
            family: "trace",
            about: "a valid context goes on to Kafka and the RPC as it came, an invalid one starts a new trace",
            stack: || Stack::of(&[API, RPC, CONSUMER]).set("CONSUMER_JOIN", "parent"),
            drive: drive!(contexts),
        },
        Scenario {
            name: "errors_are_kept_at_any_ratio",
            family: "trace",
            about: "with next to nothing sampled, the trace of a failed request is there",
            stack: || {
                Stack::of(&[API])
                    .set("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
                    .set("OTEL_TRACES_SAMPLER_ARG", "0")
                    .set("TRACES_KEEP_ERRORS", "true")
                    .declares(|declaration| {
                        declaration.sampling = Some(Sampling { ratio: 0.0, keeps_errors: true });
                    })
            },
            drive: drive!(kept_errors),
        },
        Scenario {
            name: "expired_clicks_go_in_traces_of_their_own",
            family: "trace",
            about: "a timer makes a trace when it finds work, and none when it does not",
            stack: || {
                Stack::of(&[API, CONSUMER])
                    .set("HOUSEKEEPING_INTERVAL_MS", "20")
                    .set("CLICK_RETENTION_MS", "1")
                    // Rows that went again say nothing of records.
                    .declares(|declaration| declaration.topics[0].groups[0].effects = None)
            },
            drive: drive!(expired_clicks),
        },
    ]
}

/// What is put in place of the ids of one request.
const TRACE: &str = "{trace}";
const SPAN: &str = "{span}";

type Headers = &'static [(&'static str, &'static str)];

/// The context goes on: the first is sampled, later ones are not, or are of other shapes that are valid.
const VALID: &[Headers] = &[
    &[("traceparent", "00-{trace}-{span}-01"), ("tracestate", "foo=1,bar= 2 ,rojo@@x=3")],
    &[
        ("TraceParent", " 00-{trace}-{span}-03\t"),
        ("tracestate", "foo=1"),
        ("TraceState", ""),
        ("tracestate", "bar=2"),
    ],
    &[("traceparent", "cc-{trace}-{span}-01-what-the-future-will-be-like")],
    &[("traceparent", "00-{trace}-{span}-ff"), ("tracestate", "Foo=1")],
    &[("traceparent", "00-{trace}-{span}-00"), ("tracestate", "foo=1")],
    &[("traceparent", "00-{trace}-{span}-02")],
];

/// A new trace begins.
const INVALID: &[Headers] = &[
    &[("traceparent", "00-{trace}-{span}-01.")],
    &[("traceparent", "00-{trace}-{span}-01-what-the-future-will-be-like"), ("tracestate", "foo=1")],
    &[("traceparent", "cc-{trace}-{span}-01.what-the-future-will-be-like")],
    &[("traceparent", "ff-{trace}-{span}-01")],
    &[("traceparent", "0-{trace}-{span}-01")],
    &[("traceparent", "00-{trace}0-{span}-01")],
    &[("traceparent", "00-00000000000000000000000000000000-{span}-01")],
    &[("traceparent", "00-{trace}-0000000000000000-01")],
    &[("traceparent", "00-{trace}-{span}-001")],
    &[("traceparent", "00-{trace}-{span}-0G")],
    &[("traceparent", "00-{trace}-{span}-01"), ("traceparent", "00-{trace}-{span}-01")],
    &[("traceparent", "")],
    &[("tracestate", "foo=1,bar=2")],
];

async fn contexts(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    let mut ids = Ids::new();
    let clicks: Vec<_> =
        VALID.iter().chain(INVALID).map(|headers| ids.put_into(click(&code), headers)).collect();
    let count = clicks.len() as u64 + 1;
    for sent in running.send_all(clicks, 1).await {
        running.expect_status(&sent, 302);
    }
    clicks_are_rows(running, count).await?;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    for headers in [VALID[0], VALID[4], INVALID[0]] {
        let sent = running.send(ids.put_into(detail(&code), headers)).await;
        running.expect_json(&sent, "clicks", count.into());
    }
    Ok(())
}

/// Only what the caller samples is kept, and what fails.
async fn kept_errors(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    let mut ids = Ids::new();
    running.send(ids.put_into(click("nowhere"), VALID[0])).await;
    let cut = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    let sent = running.send(click(&code)).await;
    running.expect_status(&sent, 500);
    running.heal(cut).await
}

async fn expired_clicks(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    for clicks in 1..=2 {
        running.send(click(&code)).await;
        // A group has caught up with a record that is not there yet.
        running.records_arrive("click-events", clicks).await;
        running.group_catches_up("click-events", "analytics").await;
        let left = "SELECT count(*) FROM clicks";
        running.effect("expired clicks are gone", "0", Duration::from_secs(5), left).await;
    }
    Ok(())
}

/// Ids that no other run has.
struct Ids {
    start: u64,
    count: u64,
}

impl Ids {
    fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ids { start: since_epoch.as_nanos() as u64 | 1, count: 0 }
    }

    fn put_into(&mut self, request: Request, headers: Headers) -> Request {
        self.count += 1;
        let (trace, span) =
            (format!("{:016x}{:016x}", self.start, self.count), format!("{:016x}", self.start ^ self.count));
        headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value.replace(TRACE, &trace).replace(SPAN, &span))
        })
    }
}

//! The 41 cases of W3C's own suite (`test/test.py` of w3c/trace-context, level 2, strict), by their names and in their order.
//!
//! Each request arrives with the headers given, the service starts a span for it and calls somebody else: what stands in the
//! headers of that call is judged. White space around values is left in, as some servers do.

use std::collections::{HashMap, HashSet};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, trace::TraceId};
use opentelemetry_sdk::trace::SdkTracerProvider;
use trace_context::{Headers, Members, TraceContextPropagator, TraceParent};

const TRACE: &str = "12345678901234567890123456789012";
const SAMPLED: &str = "00-12345678901234567890123456789012-1234567890123456-01";
const UNSAMPLED: &str = "00-12345678901234567890123456789012-1234567890123456-00";

type Fields<'a> = &'a [(&'a str, &'a str)];

/// The headers of so many calls that a service makes while it answers one request.
fn calls(fields: Fields, count: usize) -> Vec<(TraceParent, HashMap<String, String>)> {
    let propagator = TraceContextPropagator::new().ids_are_random();
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        headers.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let parent = propagator.extract_with_context(&Context::new(), &Headers(&headers));
    let server = parent.with_span(tracer.start_with_context("server", &parent));
    let call = |_| {
        let client = server.with_span(tracer.start_with_context("client", &server));
        let mut sent = HashMap::new();
        propagator.inject_context(&client, &mut sent);
        (TraceParent::parse(&sent["traceparent"]).expect("a valid traceparent"), sent)
    };
    (0..count).map(call).collect()
}

fn call(fields: Fields) -> (TraceParent, String) {
    let (parent, mut sent) = calls(fields, 1).remove(0);
    let state = sent.remove("tracestate").unwrap_or_default();
    Members::parse(&[&state]).expect("a valid tracestate");
    (parent, state)
}

fn trace_of(traceparent: &str) -> String {
    call(&[("traceparent", traceparent)]).0.trace.to_string()
}

fn continues(traceparent: &str) {
    assert_eq!(trace_of(traceparent), TRACE, "{traceparent:?} is valid");
}

/// A new trace, of which no part of the header can be the id.
fn restarts(traceparent: &str) {
    let trace = trace_of(traceparent);
    assert!(!traceparent.contains(&trace), "{traceparent:?} is not valid");
    assert_ne!(trace, TRACE, "{traceparent:?} is not valid");
}

/// What becomes of these `tracestate` headers beside a valid `traceparent`.
fn state(values: &[&str]) -> String {
    let mut fields = vec![("traceparent", UNSAMPLED)];
    fields.extend(values.iter().map(|value| ("tracestate", *value)));
    let (parent, state) = call(&fields);
    assert_eq!(parent.trace.to_string(), TRACE, "a tracestate spoils no traceparent");
    state
}

fn passes(key: &str) {
    let value = format!("{key}=1");
    assert_eq!(state(&["foo=1", &value]), format!("foo=1,{value}"));
}

const CASES: [(&str, fn()); 41] = [
    ("both_traceparent_and_tracestate_missing", || {
        let (parent, state) = call(&[]);
        assert!(parent.sampled && parent.random);
        assert_eq!(state, "");
    }),
    ("traceparent_included_tracestate_missing", || {
        let (parent, _) = call(&[("traceparent", SAMPLED)]);
        assert_eq!(parent.trace.to_string(), TRACE);
        assert_ne!(parent.span.to_string(), "1234567890123456");
    }),
    ("traceparent_duplicated", || {
        let other = SAMPLED.replace("9012-", "9011-");
        let (parent, _) = call(&[("traceparent", &other), ("traceparent", SAMPLED)]);
        assert!(!other.contains(&parent.trace.to_string()) && parent.trace.to_string() != TRACE);
    }),
    ("traceparent_header_name", || {
        for name in ["trace-parent", "trace.parent"] {
            assert_ne!(call(&[(name, SAMPLED)]).0.trace.to_string(), TRACE);
        }
    }),
    ("traceparent_header_name_valid_casing", || {
        for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
            assert_eq!(call(&[(name, SAMPLED)]).0.trace.to_string(), TRACE);
        }
    }),
    ("traceparent_version_0x00", || {
        restarts(&format!("{SAMPLED}."));
        restarts(&format!("{SAMPLED}-what-the-future-will-be-like"));
    }),
    ("traceparent_version_0xcc", || {
        let later = SAMPLED.replacen("00", "cc", 1);
        continues(&later);
        continues(&format!("{later}-what-the-future-will-be-like"));
        restarts(&format!("{later}.what-the-future-will-be-like"));
    }),
    ("traceparent_version_0xff", || restarts(&SAMPLED.replacen("00", "ff", 1))),
    ("traceparent_version_illegal_characters", || {
        restarts(&SAMPLED.replacen("00", ".0", 1));
        restarts(&SAMPLED.replacen("00", "0.", 1));
    }),
    ("traceparent_version_too_long", || {
        restarts(&SAMPLED.replacen("00", "000", 1));
        restarts(&SAMPLED.replacen("00", "0000", 1));
    }),
    ("traceparent_version_too_short", || restarts(&SAMPLED.replacen("00", "0", 1))),
    ("traceparent_trace_id_all_zero", || {
        assert_ne!(trace_of(&SAMPLED.replace(TRACE, &"0".repeat(32))), TraceId::INVALID.to_string());
    }),
    ("traceparent_trace_id_illegal_characters", || {
        restarts(&SAMPLED.replace(TRACE, ".2345678901234567890123456789012"));
        restarts(&SAMPLED.replace(TRACE, "1234567890123456789012345678901."));
    }),
    ("traceparent_trace_id_too_long", || {
        restarts(&SAMPLED.replace(TRACE, "123456789012345678901234567890123"));
    }),
    ("traceparent_trace_id_too_short", || {
        let trace = trace_of(&SAMPLED.replace(TRACE, "1234567890123456789012345678901"));
        assert!(!trace.contains("1234567890123456789012345678901"));
    }),
    ("traceparent_parent_id_all_zero", || {
        restarts(&SAMPLED.replace("-1234567890123456", "-0000000000000000"))
    }),
    ("traceparent_parent_id_illegal_characters", || {
        restarts(&SAMPLED.replace("-1234567890123456-", "-.234567890123456-"));
        restarts(&SAMPLED.replace("-1234567890123456-", "-123456789012345.-"));
    }),
    ("traceparent_parent_id_too_long", || {
        restarts(&SAMPLED.replace("-1234567890123456-", "-12345678901234567-"))
    }),
    ("traceparent_parent_id_too_short", || {
        restarts(&SAMPLED.replace("-1234567890123456-", "-123456789012345-"))
    }),
    ("traceparent_trace_flags_illegal_characters", || {
        restarts(&SAMPLED.replace("-01", "-.0"));
        restarts(&SAMPLED.replace("-01", "-0."));
    }),
    ("traceparent_trace_flags_too_long", || restarts(&SAMPLED.replace("-01", "-001"))),
    ("traceparent_trace_flags_too_short", || restarts(&SAMPLED.replace("-01", "-1"))),
    ("traceparent_ows_handling", || {
        for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
            continues(&format!("{before}{SAMPLED}{after}"));
        }
    }),
    ("tracestate_included_traceparent_missing", || {
        assert_eq!(call(&[("tracestate", "foo=1")]).1, "");
        assert_eq!(call(&[("tracestate", "foo=1,bar=2")]).1, "");
    }),
    ("tracestate_included_traceparent_included", || assert_eq!(state(&["foo=1,bar=2"]), "foo=1,bar=2")),
    ("tracestate_header_name", || {
        for name in ["trace-state", "trace.state"] {
            assert_eq!(call(&[("traceparent", UNSAMPLED), (name, "foo=1")]).1, "");
        }
    }),
    ("tracestate_header_name_valid_casing", || {
        for name in ["TraceState", "TrAcEsTaTe", "TRACESTATE"] {
            assert_eq!(call(&[("traceparent", UNSAMPLED), (name, "foo=1")]).1, "foo=1");
        }
    }),
    ("tracestate_empty_header", || {
        assert_eq!(state(&[""]), "");
        assert_eq!(state(&["foo=1", ""]), "foo=1");
        assert_eq!(state(&["", "foo=1"]), "foo=1");
    }),
    ("tracestate_multiple_headers_different_keys", || {
        assert_eq!(state(&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"]), "foo=1,bar=2,rojo=1,congo=2,baz=3");
    }),
    ("tracestate_duplicated_keys", || {
        for values in [&["foo=1,foo=1"][..], &["foo=1,foo=2"], &["foo=1", "foo=1"], &["foo=1", "foo=2"]] {
            assert!(state(values).starts_with("foo=1"));
        }
    }),
    ("tracestate_all_allowed_characters", || {
        let key: String = ('a'..='z').chain('0'..='9').chain("_-*/".chars()).collect();
        let value: String = (' '..='~').filter(|character| !",=".contains(*character)).collect();
        for key in [key.clone(), format!("{key}@a-z0-9_-*/")] {
            let member = format!("{key}={value}");
            assert_eq!(state(&[&member]), member);
        }
    }),
    ("tracestate_ows_handling", || {
        assert_eq!(state(&["foo=1 \t , \t bar=2, \t baz=3"]), "foo=1,bar=2,baz=3");
        assert_eq!(state(&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"]), "foo=1,bar=2,baz=3");
        for value in [" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t"] {
            assert_eq!(state(&[value]), "foo=1");
        }
    }),
    ("tracestate_key_illegal_characters", || {
        for value in ["foo =1", "FOO=1", "foo.bar=1"] {
            assert_eq!(state(&[value]), "");
        }
    }),
    ("tracestate_key_illegal_vendor_format", || {
        for value in ["foo@=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2"] {
            assert_eq!(state(&[value]), value, "an at sign is a character like any other in level 2");
        }
        assert_eq!(state(&["@foo=1,bar=2"]), "");
    }),
    ("tracestate_member_count_limit", || {
        let members = |numbers: std::ops::RangeInclusive<u32>| -> String {
            numbers.map(|number| format!("bar{number:02}={number:02}")).collect::<Vec<_>>().join(",")
        };
        let headers = [members(1..=10), members(11..=20), members(21..=30)];
        let with = |last: String| {
            let values: Vec<&str> = headers.iter().chain([&last]).map(String::as_str).collect();
            state(&values)
        };
        assert_eq!(with(members(31..=32)), members(1..=32));
        assert_eq!(with(members(31..=33)), "");
    }),
    ("tracestate_key_length_limit", || {
        passes(&"z".repeat(256));
        passes(&format!("{}@{}", "t".repeat(241), "v".repeat(14)));
        passes(&format!("{}@v", "t".repeat(242)));
        passes(&format!("t@{}", "v".repeat(15)));
        assert_eq!(state(&["foo=1", &format!("{}=1", "z".repeat(257))]), "");
    }),
    ("tracestate_value_illegal_characters", || {
        assert_eq!(state(&["foo=bar=baz"]), "");
        assert_eq!(state(&["foo=,bar=3"]), "");
    }),
    ("multiple_requests_with_valid_traceparent", || {
        let calls = calls(&[("traceparent", SAMPLED)], 3);
        let traces: HashSet<_> = calls.iter().map(|(parent, _)| parent.trace.to_string()).collect();
        let spans: HashSet<_> = calls.iter().map(|(parent, _)| parent.span).collect();
        assert_eq!((traces, spans.len()), (HashSet::from([TRACE.to_owned()]), 3));
    }),
    ("multiple_requests_without_traceparent", || {
        let spans: HashSet<_> = calls(&[], 3).iter().map(|(parent, _)| parent.span).collect();
        assert_eq!(spans.len(), 3);
    }),
    ("multiple_requests_with_illegal_traceparent", || {
        let zero = SAMPLED.replace(TRACE, &"0".repeat(32));
        let calls = calls(&[("traceparent", &zero)], 3);
        let spans: HashSet<_> = calls.iter().map(|(parent, _)| parent.span).collect();
        assert_eq!(spans.len(), 3);
        assert!(calls.iter().all(|(parent, _)| parent.trace != TraceId::INVALID));
    }),
    ("propagates_random_flag", || {
        for (flags, random, sampled) in
            [("-02", true, false), ("-03", true, true), ("-01", false, true), ("-00", false, false)]
        {
            let (parent, _) = call(&[("traceparent", &SAMPLED.replace("-01", flags))]);
            assert_eq!(parent.trace.to_string(), TRACE);
            assert_ne!(parent.span.to_string(), "1234567890123456");
            assert_eq!((parent.random, parent.sampled), (random, sampled), "{flags}");
        }
    }),
];

#[test]
fn every_case_of_w3cs_suite_passes() {
    let names: HashSet<_> = CASES.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), CASES.len());
    let failed: Vec<_> = CASES
        .iter()
        .filter(|(_, case)| std::panic::catch_unwind(case).is_err())
        .map(|(name, _)| name)
        .collect();
    assert!(failed.is_empty(), "{} of {} failed: {failed:?}", failed.len(), CASES.len());
}

#[test]
fn of_two_headers_an_unreadable_one_still_counts() {
    let mut headers = HeaderMap::new();
    headers.append("traceparent", HeaderValue::from_static(SAMPLED));
    headers.append("traceparent", HeaderValue::from_bytes(b"\xff").unwrap());
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(&headers));
    assert!(!context.span().span_context().is_valid());
}

#[test]
fn what_passes_through_without_a_span_is_not_changed() {
    let fields = [("traceparent", UNSAMPLED.replace("-00", "-02")), ("tracestate", "a@@b=1,c=2".to_owned())];
    let carrier: HashMap<String, String> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let propagator = TraceContextPropagator::new();
    let mut sent = HashMap::new();
    propagator.inject_context(&propagator.extract(&carrier), &mut sent);
    assert_eq!(sent, carrier);
}

#[test]
fn the_random_flag_of_a_new_trace_is_what_its_owner_says_of_its_ids() {
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let context = Context::new().with_span(tracer.start("root"));
    let flags =
        |propagator: TraceContextPropagator| propagator.traceparent(&context).unwrap()[53..].to_owned();
    assert_eq!(flags(TraceContextPropagator::new()), "01");
    assert_eq!(flags(TraceContextPropagator::new().ids_are_random()), "03");
    assert_eq!(TraceContextPropagator::new().traceparent(&Context::new()), None);
}

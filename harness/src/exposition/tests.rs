use std::path::Path;

use proptest::prelude::*;

use super::*;

const OPENMETRICS: Option<&str> = Some("application/openmetrics-text; version=1.0.0; charset=utf-8");
const TEXT: Option<&str> = Some("text/plain; version=0.0.4");

fn openmetrics(body: &str) -> Result<Exposition<'_>, ParseError> {
    parse(OPENMETRICS, body.as_bytes())
}

fn text(body: &str) -> Result<Exposition<'_>, ParseError> {
    parse(TEXT, body.as_bytes())
}

/// Every case in the folder, whatever its number: good ones parse, bad ones do not.
#[test]
fn the_openmetrics_cases_are_judged_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/openmetrics");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the cases are in fixtures/openmetrics") {
        let case = entry.expect("a readable folder").path();
        let Ok(expected) = std::fs::read(case.join("test.json")) else { continue };
        let expected: serde_json::Value = serde_json::from_slice(&expected).expect("test.json is JSON");
        let body = std::fs::read(case.join("metrics")).expect("each case has its exposition");
        let seen = parse(OPENMETRICS, &body);
        count += 1;
        if seen.is_ok() != expected["shouldParse"].as_bool().expect("shouldParse is a truth value") {
            wrong.push(format!("{}: {seen:?}", case.display()));
        }
    }
    assert!(count >= 96, "{count} cases in {}", folder.display());
    assert_eq!(wrong, Vec::<String>::new(), "of {count}");
}

fn place(error: Result<Exposition<'_>, ParseError>) -> (u32, u32, String) {
    match error {
        Err(ParseError::Malformed { line, column, what, .. }) => (line, column, what),
        other => panic!("expected a fault with a place, found {other:?}"),
    }
}

#[test]
fn openmetrics_gives_families_samples_and_exemplars() {
    let body = "# TYPE http_request_duration_seconds histogram\n\
        # UNIT http_request_duration_seconds seconds\n\
        # HELP http_request_duration_seconds How long \\\\ it \\n took.\n\
        http_request_duration_seconds_bucket{route=\"/{code}\",le=\"0.1\"} 8 # {trace_id=\"0af7\"} 0.054 1520879607.789\n\
        http_request_duration_seconds_bucket{le=\"+Inf\",route=\"/{code}\"} 9\n\
        http_request_duration_seconds_sum{route=\"/{code}\"} 1.5\n\
        http_request_duration_seconds_count{route=\"/{code}\"} 9\n\
        # TYPE requests counter\n\
        requests_total{agent=\"a \\\"b\\\" \\\\ \\n # é\"} 3 17\n\
        # EOF\n";
    let exposition = openmetrics(body).unwrap();
    assert_eq!((exposition.format, exposition.sample_count()), (Format::OpenMetrics, 5));
    let latency = exposition.family("http_request_duration_seconds").unwrap();
    assert_eq!((latency.kind, latency.unit.as_deref()), (FamilyType::Histogram, Some("seconds")));
    assert_eq!(latency.help.as_deref(), Some("How long \\ it \n took."));
    let exemplar = latency.samples[0].exemplar.as_ref().unwrap();
    assert_eq!((exemplar.labels.get("trace_id"), exemplar.value), (Some("0af7"), 0.054));
    assert_eq!(exemplar.timestamp, Some(1_520_879_607.789));
    assert_eq!(latency.samples[1].labels.to_string(), r#"{le="+Inf",route="/{code}"}"#);
    let requests = &exposition.family("requests").unwrap().samples[0];
    assert_eq!(requests.labels.get("agent"), Some("a \"b\" \\ \n # é"));
    assert_eq!((requests.value, requests.timestamp, requests.line), (3.0, Some(17.0), 9));
}

#[test]
fn plain_text_gives_families_in_pieces_and_milliseconds_as_seconds() {
    let body = "# a comment\n\n# HELP requests_total Requests \\\\ \\n served.\n# TYPE requests_total counter\n\
        \trequests_total { code = \"200\" , } 3 1395066363000\n\
        #TYPE latency histogram\n\
        latency_bucket{le=\"+Inf\"} 2\nlatency_sum 1\nlatency_count 2\n\
        requests_total{code=\"500\"} -Inf 1  \nother 0\n# EOF\n";
    let exposition = text(body).unwrap();
    let names: Vec<_> =
        exposition.families.iter().map(|family| (&*family.name, family.samples.len())).collect();
    assert_eq!(names, [("requests_total", 2), ("latency", 3), ("other", 1)]);
    let requests = exposition.family("requests").unwrap();
    assert_eq!((requests.kind, requests.base_name()), (FamilyType::Counter, "requests"));
    assert_eq!(requests.help.as_deref(), Some("Requests \\ \n served."));
    assert_eq!(requests.samples[0].timestamp, Some(1_395_066_363.0));
}

#[test]
fn plain_text_is_not_held_to_openmetrics() {
    for body in [
        "",
        "a 1\n",
        "# TYPE a counter\na 1\n",
        "# TYPE a gauge\na 1\na 1\n",
        "# TYPE a histogram\na_bucket{le=\"1\"} 0\n",
        "# TYPE a counter\na -1\n",
        "a{b=\"1\",} 1\n",
        "a{b=\"\\x\"} 1\n",
        "#\n# x y\n#HELP\u{20}a\n",
        "{\"a.b\",c=\"d\"} 1\n",
        // Not as the format page says, and read by Prometheus all the same.
        "a 1",
        "a{b=\"1\"c=\"2\"} 1\n",
        "# TYPE\n# HELP\n",
        "# TYPE a gauge\n# TYPE a counter\n",
        "a 1\n# TYPE a gauge\n",
        "# HELP a x\n# HELP a y\n",
        "# HELP a-b x\n",
    ] {
        assert!(text(body).is_ok(), "{body:?}: {:?}", text(body));
    }
}

#[test]
fn what_no_plain_text_reader_takes_is_refused() {
    for body in [
        "a\n",
        "a b\n",
        "a 1_2\n",
        "a 0x1p-3\n",
        "a 1 1.5\n",
        "a 1 -1\n",
        "a 1 2 3\n",
        "a 1\r\n",
        "a-b 1\n",
        "0a 1\n",
        "a{b} 1\n",
        "a{b='1'} 1\n",
        "a{b=\"1} 1\n",
        "a{b=\"1\",b=\"2\"} 1\n",
        "a{__name__=\"b\"} 1\n",
        "a{0=\"1\"} 1\n",
        "# TYPE a\n",
        "# TYPE a meh\n",
        "# TYPE a  gauge\n",
        "# TYPE a gauge \n",
        "# TYPE # gauge\n",
        "# TYPE \n",
        "# HELP \n",
        "# TYPE a-b gauge\n",
        "<html><body>metrics</body></html>\n",
        "{\"status\":\"ok\"}\n",
    ] {
        assert!(text(body).is_err(), "{body:?}: {:?}", text(body));
    }
    assert!(parse(TEXT, b"a{b=\"\xff\"} 1\n").is_err());
}

#[test]
fn a_label_value_of_plain_text_may_span_lines() {
    let exposition = text("a{b=\"c\nd\"} 1\nx{y=\"\\\"\"} 2\nz 3\n").unwrap();
    assert_eq!(exposition.families[0].samples[0].labels.get("b"), Some("c\nd"));
    let lines: Vec<u32> = exposition.families.iter().map(|family| family.samples[0].line).collect();
    assert_eq!(lines, [1, 3, 4]);
    assert_eq!(place(text("a{b=\"c\nd\"} 1\n-\n")).0, 3);
    assert_eq!(place(text("a{b=\"c} 1\nb 2\n")).0, 1);
}

#[test]
fn openmetrics_is_judged_to_the_letter() {
    for body in [
        "a 1\na 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"Inf\"} 1\n# EOF\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 0\na_count 0\n# EOF\n",
        "# TYPE a gauge\n# TYPE a_total gauge\n# TYPE a_created gauge\n# TYPE a counter\n# EOF\n",
        "# HELP  a x\n# EOF\n",
        "a{ b=\"c\"} 1\n# EOF\n",
        "a{__x=\"c\"} 1\n# EOF\n",
        "a +NaN\n# EOF\n",
        "a 1e400\n# EOF\n",
        "a 1\r\n# EOF\n",
        "\u{feff}a 1\n# EOF\n",
        "a 1\n# EOF\n\n",
        "# EOF \n",
        "",
    ] {
        assert!(openmetrics(body).is_err(), "{body:?}: {:?}", openmetrics(body));
    }
    for body in ["# EOF\n", "# EOF", "a{} 1\n# EOF\n", "a{b=\"\0\"} 1 -1e3\n# EOF\n", "{\"a.b\"} 1\n# EOF\n"]
    {
        assert!(openmetrics(body).is_ok(), "{body:?}: {:?}", openmetrics(body));
    }
}

#[test]
fn a_fault_names_line_and_column_in_characters() {
    assert_eq!(
        place(text("a 1\nb{c=\"é\",d} 1\n")),
        (2, 10, "expected `=` after the label name, found `}`".into())
    );
    assert_eq!(place(openmetrics("a 1\n")).0, 2);
    assert_eq!(place(openmetrics("# TYPE a gauge\na 1 # {} 1\n# EOF\n")).0, 2);
    assert_eq!(
        place(text("a 1 # {trace_id=\"x\"} 1\n")),
        (1, 5, "plain text carries no exemplars: they need OpenMetrics".into())
    );
    assert_eq!(
        place(parse(TEXT, b"a 1\nb{c=\"\xc3\xa9\xff\"} 1\n")),
        (2, 7, "a byte that is not UTF-8".into())
    );
}

#[test]
fn bodies_and_samples_are_bounded() {
    let large = "#".repeat(BODY_LIMIT + 1);
    assert_eq!(text(&large), Err(ParseError::TooLarge { bytes: BODY_LIMIT + 1, limit: BODY_LIMIT }));
    let many = "a 1\n".repeat(SAMPLE_LIMIT + 1);
    assert_eq!(place(text(&many)).0, SAMPLE_LIMIT as u32 + 1);
}

/// Each of these would take minutes if any step looked at all pairs.
#[test]
fn hostile_bodies_are_read_in_one_pass() {
    let mut labels = String::from("a{");
    (0..200_000).for_each(|number| labels.push_str(&format!("l{number}=\"\",")));
    labels.push_str("b=\"\"} 1\n# EOF\n");
    assert!(openmetrics(&labels).is_ok());
    assert!(text(&"{".repeat(BODY_LIMIT / 4)).is_err());
    assert!(text(&format!("a{{b=\"{}\"}} 1\n", "\\\\".repeat(BODY_LIMIT / 8))).is_ok());
    let states: String = (0..100_000).map(|number| format!("a{{a=\"{number}\"}} 0\n")).collect();
    assert!(openmetrics(&format!("# TYPE a stateset\n{states}# EOF\n")).is_ok());
    let families: String = (0..100_000).map(|number| format!("# TYPE a{number} gauge\n")).collect();
    assert!(openmetrics(&format!("{families}# EOF\n")).is_ok());
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        _ = parse(OPENMETRICS, &body);
        _ = parse(TEXT, &body);
    }

    /// Pieces of the formats in any order reach further in than bytes do.
    #[test]
    fn no_sequence_of_pieces_makes_it_panic(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let body = pieces.concat();
        _ = openmetrics(&body);
        _ = text(&body);
        _ = openmetrics(&format!("{body}\n# EOF\n"));
    }

    /// What was read is what was written, whatever a label's value holds.
    #[test]
    fn a_label_value_survives(value in any::<String>()) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let body = format!("a{{b=\"{escaped}\"}} 1\n# EOF\n");
        for read in [openmetrics(&body).unwrap(), text(&body).unwrap()] {
            prop_assert_eq!(read.families[0].samples[0].labels.get("b"), Some(&*value));
        }
    }
}

const PIECES: &[&str] = &[
    "# TYPE a ",
    "# HELP a ",
    "# UNIT a_s s\n",
    "counter\n",
    "gauge\n",
    "histogram\n",
    "summary\n",
    "info\n",
    "stateset\n",
    "gaugehistogram\n",
    "a",
    "a_total",
    "a_bucket",
    "a_sum",
    "a_count",
    "a_created",
    "a_info",
    "a_s",
    "{",
    "}",
    "{}",
    "le=\"+Inf\"",
    "le=\"1\"",
    "quantile=\"0.5\"",
    "a=\"b\"",
    "\"a.b\"",
    ",",
    "=",
    "\"",
    "\\",
    " ",
    "\t",
    "\n",
    "\r",
    "1",
    "-1",
    "NaN",
    "+Inf",
    "1e9",
    " # {} 1",
    "# EOF\n",
    "é",
    "\0",
    "#",
    "1.5\n",
    "0\n",
];

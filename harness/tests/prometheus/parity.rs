//! Our reading of expositions against that of a real Prometheus, case by case: what is up, and with how many samples.
//!
//! Plain text must agree. OpenMetrics we read to the letter of its specification, and Prometheus does not: what it accepts
//! and we do not is listed, what we accept and it does not is wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use probity::exposition::{ParseError, parse};
use probity::prometheus::{ActiveTarget, Programs, Prometheus, Replay, Replayed, Rewriting};
use probity::workdir::Workdir;
use serde_json::json;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

const LIMIT: Duration = Duration::from_secs(120);

/// What Prometheus reads since version 3 only: our reading is that of version 3.
const SINCE_VERSION_3: [&str; 3] = ["leading", "quoted", "indented"];

struct Case {
    name: String,
    content_type: &'static str,
    body: Vec<u8>,
}

/// What somebody makes of a case: the number of samples, or why it is none.
type Reading = Result<u64, String>;

pub(crate) async fn holds(programs: Programs, workdir: Workdir) -> Result<(), Failed> {
    let mut cases = committed()?;
    cases.extend(own());
    if programs.version(&workdir).await?.starts_with("2.") {
        cases.retain(|case| !SINCE_VERSION_3.iter().any(|word| case.name.contains(word)));
    }
    let theirs = readings(&programs, &workdir, &cases).await?;
    let (mut wrong, mut stricter, mut agreed) = (Vec::new(), Vec::new(), 0);
    for case in &cases {
        let ours = ours(case);
        let theirs = &theirs[&case.name];
        match (&ours, theirs) {
            (Ok(ours), Ok(theirs)) if ours == theirs => agreed += 1,
            (Err(_), Err(_)) => agreed += 1,
            (Err(reason), Ok(_)) if case.content_type == OPENMETRICS => {
                stricter.push(format!("{}: {reason}", case.name));
            }
            _ => wrong.push(format!(
                "{}: ours {ours:?}, theirs {theirs:?}\n{}",
                case.name,
                case.body.escape_ascii()
            )),
        }
    }
    println!("{agreed} of {} agree; {} that OpenMetrics forbids it reads", cases.len(), stricter.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn ours(case: &Case) -> Reading {
    let read: Result<_, ParseError> = parse(Some(case.content_type), &case.body);
    read.map(|exposition| exposition.sample_count() as u64).map_err(|error| error.to_string())
}

async fn readings(
    programs: &Programs,
    workdir: &Workdir,
    cases: &[Case],
) -> Result<BTreeMap<String, Reading>, Failed> {
    let answers = cases.iter().map(|case| {
        let (content_type, body) = (Some(case.content_type.to_owned()), case.body.clone().into());
        (format!("/{}", case.name), Replayed::Answer { status: 200, content_type, body })
    });
    let replay = Replay::serve(answers.collect()).await?;
    let address = |case: &Case| format!("{}:80", case.name);
    let groups: Vec<_> = cases
        .iter()
        .map(|case| {
            let labels = json!({ "__metrics_path__": format!("/{}", case.name), "instance": case.name });
            json!({ "targets": [address(case)], "labels": labels })
        })
        .collect();
    let file = json!({ "scrape_configs": [{ "job_name": "parity", "static_configs": groups }] });
    let rewriting = Rewriting {
        addresses: cases.iter().map(|case| (address(case), replay.address())).collect(),
        interval: Duration::from_secs(5),
        rule_files: Vec::new(),
    };
    let prometheus = Prometheus::start(programs, &rewriting.apply(&file.to_string())?, workdir).await?;
    let in_time = |target: &ActiveTarget| !target.last_error.contains("deadline exceeded");
    let targets = prometheus.scraped(cases.len(), LIMIT, in_time).await?;
    let reading = |target: &ActiveTarget| target.samples.ok_or_else(|| target.last_error.clone());
    let read = targets.iter().map(|target| (target.label("instance").to_owned(), reading(target))).collect();
    prometheus.stop().await;
    Ok(read)
}

/// The committed cases of OpenMetrics, each in both formats: as text they are what nobody wrote as text.
fn committed() -> Result<Vec<Case>, Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/openmetrics");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(body) = std::fs::read(entry.path().join("metrics")) else { continue };
        let name = entry.file_name().to_string_lossy().replace('_', "-");
        cases.push(Case { name: format!("{name}-om"), content_type: OPENMETRICS, body: body.clone() });
        cases.push(Case { name: format!("{name}-text"), content_type: TEXT, body });
    }
    Ok(cases)
}

/// Edges of the text format.
const OWN: &[(&str, &str)] = &[
    ("empty", ""),
    ("one-sample", "a 1\n"),
    ("without-line-feed", "a 1"),
    ("carriage-return", "a 1\r\n"),
    ("blank-lines", "\n\na 1\n\n"),
    ("leading-space", " a 1\n"),
    ("leading-tab", "\ta 1\n"),
    ("trailing-space", "a 1 \n"),
    ("trailing-tab", "a 1\t\n"),
    ("many-spaces", "a   1\n"),
    ("tab-between", "a\t1\n"),
    ("timestamp", "a 1 1395066363000\n"),
    ("timestamp-negative", "a 1 -1\n"),
    ("timestamp-float", "a 1 1.5\n"),
    ("timestamp-words", "a 1 now\n"),
    ("timestamp-and-more", "a 1 2 3\n"),
    ("no-value", "a\n"),
    ("no-value-space", "a \n"),
    ("value-hex", "a 0x1F\n"),
    ("value-hex-float", "a 0x1p-2\n"),
    ("value-underscore", "a 1_000\n"),
    ("value-exponent", "a 1e3\n"),
    ("value-plus", "a +1\n"),
    ("value-dot", "a .5\n"),
    ("value-dot-end", "a 5.\n"),
    ("value-two-dots", "a 5.5.5\n"),
    ("value-inf", "a +Inf\nb -Inf\nc Inf\nd NaN\n"),
    ("value-inf-case", "a +inf\nb INF\nc nan\nd infinity\n"),
    ("value-comma", "a 1,5\n"),
    ("value-overflow", "a 1e999\n"),
    ("name-colon", "a:b 1\n"),
    ("name-dash", "a-b 1\n"),
    ("name-digit", "1a 1\n"),
    ("name-dot", "a.b 1\n"),
    ("name-accent", "\u{e9} 1\n"),
    ("name-quoted", "{\"a\"} 1\n"),
    ("name-quoted-utf8", "{\"a.b\",c=\"d\"} 1\n"),
    ("labels", "a{b=\"c\"} 1\n"),
    ("labels-empty", "a{} 1\n"),
    ("labels-trailing-comma", "a{b=\"c\",} 1\n"),
    ("labels-only-comma", "a{,} 1\n"),
    ("labels-two-commas", "a{b=\"c\",,d=\"e\"} 1\n"),
    ("labels-leading-comma", "a{,b=\"c\"} 1\n"),
    ("labels-no-comma-no-blank", "a{b=\"c\"d=\"e\"} 1\n"),
    ("labels-no-comma-word", "a{b=\"c\" d} 1\n"),
    ("labels-no-comma-quoted", "a{b=\"c\" \"d\"} 1\n"),
    ("labels-line-feed-and-more", "a{b=\"c\nd\"} 1\nb 2\n"),
    ("labels-line-feed-escaped-quote", "a{b=\"c\\\"\nd\"} 1\nb{c=\"d\"} 2\n"),
    ("labels-open-value-and-more", "a{b=\"c} 1\nb 2\n"),
    ("labels-only-name", "{__name__=\"a\"} 1\n"),
    ("labels-no-comma", "a{b=\"c\" d=\"e\"} 1\n"),
    ("labels-spaces", "a { b = \"c\" , d = \"e\" } 1\n"),
    ("labels-twice", "a{b=\"c\",b=\"d\"} 1\n"),
    ("labels-single-quotes", "a{b='c'} 1\n"),
    ("labels-unquoted", "a{b=c} 1\n"),
    ("labels-open", "a{b=\"c\" 1\n"),
    ("labels-open-value", "a{b=\"c} 1\n"),
    ("labels-line-feed", "a{b=\"c\nd\"} 1\n"),
    ("labels-escapes", "a{b=\"c\\n\\\\\\\"d\"} 1\n"),
    ("labels-other-escape", "a{b=\"c\\td\"} 1\n"),
    ("labels-colon", "a{b:c=\"d\"} 1\n"),
    ("labels-digit", "a{1=\"d\"} 1\n"),
    ("labels-no-space-after", "a{b=\"c\"}1\n"),
    ("labels-utf8-value", "a{b=\"\u{e9}\u{1f642}\"} 1\n"),
    ("labels-reserved", "a{__name__=\"b\"} 1\n"),
    ("comment", "# anything goes\na 1\n"),
    ("comment-without-space", "#anything\na 1\n"),
    ("comment-bare", "#\na 1\n"),
    ("comment-indented", "  # anything\na 1\n"),
    ("eof-mark", "a 1\n# EOF\n"),
    ("after-eof-mark", "a 1\n# EOF\nb 1\n"),
    ("type", "# TYPE a counter\na 1\n"),
    ("type-unknown-word", "# TYPE a thing\na 1\n"),
    ("type-untyped", "# TYPE a untyped\na 1\n"),
    ("type-unknown", "# TYPE a unknown\na 1\n"),
    ("type-info", "# TYPE a info\na 1\n"),
    ("type-without-word", "# TYPE a\na 1\n"),
    ("type-without-name", "# TYPE\na 1\n"),
    ("type-only-blank", "# TYPE \na 1\n"),
    ("help-only-blanks", "# HELP  \t\na 1\n"),
    ("type-after-bucket", "a_bucket{le=\"1\"} 1\n# TYPE a histogram\na_sum 1\n"),
    ("type-twice", "# TYPE a counter\n# TYPE a gauge\na 1\n"),
    ("type-after-sample", "a 1\n# TYPE a gauge\n"),
    ("type-bad-name", "# TYPE a-b counter\na 1\n"),
    ("type-trailing-space", "# TYPE a counter \na 1\n"),
    ("type-more-words", "# TYPE a counter gauge\na 1\n"),
    ("type-capital", "# TYPE a Counter\na 1\n"),
    ("type-tabs", "#\tTYPE\ta\tcounter\na 1\n"),
    ("help", "# HELP a Text.\na 1\n"),
    ("help-empty", "# HELP a\na 1\n"),
    ("help-without-name", "# HELP\na 1\n"),
    ("help-escapes", "# HELP a \\\\ \\n \\t \"\na 1\n"),
    ("help-twice", "# HELP a x\n# HELP a y\na 1\n"),
    ("help-bad-name", "# HELP a-b x\na 1\n"),
    ("unit-line", "# UNIT a seconds\na 1\n"),
    ("unit-without-word", "# UNIT a\na 1\n"),
    ("exemplar", "# TYPE a counter\na_total 1 # {b=\"c\"} 1\n"),
    ("histogram", "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n"),
    ("histogram-without-inf", "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 3\na_count 1\n"),
    ("histogram-without-le", "# TYPE a histogram\na_bucket 1\na_sum 3\na_count 1\n"),
    ("histogram-bad-le", "# TYPE a histogram\na_bucket{le=\"x\"} 1\na_sum 3\na_count 1\n"),
    ("summary", "# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 3\na_count 1\n"),
    ("summary-bad-quantile", "# TYPE a summary\na{quantile=\"x\"} 1\na_sum 3\na_count 1\n"),
    ("duplicates", "a 1\na 2\n"),
    ("interleaved", "# TYPE a counter\na 1\nb 1\na{c=\"d\"} 1\n"),
    ("html", "<!doctype html><title>x</title>\n"),
    ("json", "{\"a\": 1}\n"),
    ("null-byte", "a{b=\"\0\"} 1\n"),
    ("null-byte-name", "a\0 1\n"),
    ("byte-order-mark", "\u{feff}a 1\n"),
    ("form-feed", "a\u{c}1\n"),
    ("vertical-tab", "a\u{b}1\n"),
    ("no-break-space", "a\u{a0}1\n"),
    ("brace-alone", "{} 1\n"),
    ("brace-labels", "{b=\"c\"} 1\n"),
];

/// Edges of OpenMetrics, besides the committed cases.
const OWN_OPENMETRICS: &[(&str, &str)] = &[
    ("reserved-label", "a{__name__=\"b\"} 1\n# EOF\n"),
    ("quoted-name", "{\"a.b\",c=\"d\"} 1\n# EOF\n"),
    ("quoted-family", "# TYPE \"a.b\" counter\n{\"a.b_total\"} 1\n# EOF\n"),
    ("quoted-label", "a{\"b.c\"=\"d\"} 1\n# EOF\n"),
    ("float-timestamp", "a 1 1.25\n# EOF\n"),
    ("exponent-timestamp", "a 1 1e3\n# EOF\n"),
    ("negative-timestamp", "a 1 -1\n# EOF\n"),
    ("nan-timestamp", "a 1 NaN\n# EOF\n"),
    ("only-eof", "# EOF\n"),
    ("eof-without-line-feed", "a 1\n# EOF"),
    ("no-eof", "a 1\n"),
    ("exemplar", "# TYPE a counter\na_total 1 # {trace_id=\"0af7\"} 0.5 1.5\n# EOF\n"),
    ("exemplar-no-labels", "# TYPE a counter\na_total 1 # {} 0.5\n# EOF\n"),
    ("exemplar-quoted-label", "# TYPE a counter\na_total 1 # {\"b.c\"=\"d\"} 0.5\n# EOF\n"),
    ("created", "# TYPE a counter\na_total 1\na_created 1.5\n# EOF\n"),
    ("unit", "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n"),
    ("histogram", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n# EOF\n"),
    ("info", "# TYPE a info\na_info{b=\"c\"} 1\n# EOF\n"),
    ("state-set", "# TYPE a stateset\na{a=\"b\"} 1\na{a=\"c\"} 0\n# EOF\n"),
    ("unknown", "# TYPE a unknown\na 1\n# EOF\n"),
    ("value-underscore", "a 1_0\n# EOF\n"),
    ("value-hex", "a 0x10\n# EOF\n"),
    ("value-inf", "a Inf\nb +Inf\nc -Inf\nd NaN\n# EOF\n"),
    ("value-infinity", "a infinity\n# EOF\n"),
    ("null-byte", "a{b=\"\0\"} 1\n# EOF\n"),
    ("escapes", "a{b=\"c\\n\\\\\\\"d\"} 1\n# EOF\n"),
    ("line-feed-in-value", "a{b=\"c\nd\"} 1\n# EOF\n"),
];

fn own() -> Vec<Case> {
    let openmetrics = OWN_OPENMETRICS.iter().map(|(name, body)| Case {
        name: format!("own-{name}-om"),
        content_type: OPENMETRICS,
        body: body.as_bytes().into(),
    });
    let mut cases: Vec<Case> = OWN
        .iter()
        .map(|(name, body)| Case {
            name: format!("own-{name}"),
            content_type: TEXT,
            body: body.as_bytes().into(),
        })
        .chain(openmetrics)
        .collect();
    for (name, body) in
        [("value", &b"a{b=\"\xff\"} 1\n"[..]), ("name", b"\xff 1\n"), ("help", b"# HELP a \xff\na 1\n")]
    {
        cases.push(Case { name: format!("own-not-utf8-{name}"), content_type: TEXT, body: body.into() });
    }
    cases
}

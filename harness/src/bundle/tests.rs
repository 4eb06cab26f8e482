use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::judge::judge;
use crate::model::build::{Build, at, declaration};
use crate::model::*;
use crate::report::{BackendReport, RunReport, ScenarioReport};

/// A bit of everything that evidence can hold.
fn evidence() -> Evidence {
    let mut build = Build::new();
    let api = build.process("url-api");
    let consumer = build.process("analytics-consumer");
    let root = build.span(&api, Kind::Server, "GET /{code}").add();
    let send = build.span(&api, Kind::Producer, "send click-events").child_of(root).add();
    build.span(&consumer, Kind::Consumer, "process click-events").child_of(send).add();
    build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(root.trace);
    build.record("click-events", &[("traceparent", &send.traceparent())]);
    build.committed("analytics", "click-events", Some(1), 1);
    build.scrape(&api, ScrapeStage::Last, "text/plain; version=0.0.4", "# HELP a b\na 1\n");
    build.log(&api, "{\"message\":\"listening\\u001b[2J\"}");
    let evidence = build.evidence_mut();
    evidence.names.push(("click-events-x7".into(), "click-events".into()));
    evidence.probes.push(Probe {
        process: api.clone(),
        service: "url-api".into(),
        kind: ProbeKind::Ready,
        at: at(1),
        status: Some(200),
    });
    evidence.keys.push(KeyEvent { key: "analytics-rpc/1".into(), at: at(2), change: KeyChange::Delete });
    for (signal, bytes) in
        [(Signal::Metrics, &b"\x0a\x00"[..]), (Signal::Logs, b"\x0a\x00"), (Signal::Logs, b"")]
    {
        evidence.requests.insert(
            1,
            ExportRequest {
                signal,
                process: None,
                connection: 7,
                received_unix_nanos: at(3),
                bytes: bytes.to_vec().into(),
            },
        );
    }
    build.evidence()
}

/// Everything that evidence holds, as one text.
fn whole(evidence: &Evidence) -> String {
    let mut text = serde_json::to_string_pretty(evidence).unwrap();
    for request in &evidence.requests {
        text.push_str(&format!("{request:?}\n"));
    }
    for part in parts::PARTS {
        let mut content = Vec::new();
        (part.write)(evidence, &mut content).unwrap();
        text.push_str(&format!("{}\n{}", part.file, String::from_utf8(content).unwrap()));
    }
    text
}

fn findings(report: &ScenarioReport) -> String {
    serde_json::to_string_pretty(report).unwrap()
}

struct Saved {
    _workdir: tempfile::TempDir,
    directory: PathBuf,
}

/// A scenario saved in a directory of its own.
fn saved() -> Saved {
    let workdir = tempfile::tempdir().unwrap();
    let directory = workdir.path().join("evidence");
    let evidence = evidence();
    let report = judge(&evidence, Some(&declaration()));
    save(&directory, &report, &evidence, Some(&declaration())).unwrap();
    Saved { _workdir: workdir, directory }
}

/// Changes a file of the bundle as a person or an accident would.
fn change(directory: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = directory.join(file);
    let mut content = fs::read(&path).unwrap();
    change(&mut content);
    fs::write(&path, content).unwrap();
}

#[test]
fn what_is_saved_is_read_back_and_judged_alike() {
    let saved = saved();
    let mut loaded = load(&saved.directory).unwrap();
    assert_eq!(loaded.problems, [""; 0]);
    let read = loaded.scenarios.remove(0);
    assert_eq!(whole(&read.evidence), whole(&evidence()));
    assert_eq!(
        serde_json::to_value(read.declaration.as_ref().unwrap()).unwrap(),
        serde_json::to_value(declaration()).unwrap()
    );
    let before = judge(&evidence(), Some(&declaration()));
    assert_eq!(findings(&read.judge()), findings(&before));
}

#[test]
fn a_person_can_look_into_it() {
    let saved = saved();
    let mut names: Vec<_> = fs::read_dir(&saved.directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names.join(" "),
        "barrier.json declaration.json keys.json ledger.json logs.json logs.pb manifest.json metrics.pb offsets.json \
         probes.json processes.json records.json requests.jsonl scrapes.json stimuli.json traces.pb"
    );
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(saved.directory.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["format"], &manifest["version"]), (&"probity-evidence".into(), &1.into()));
    let records = fs::read(saved.directory.join("records.json")).unwrap();
    assert_eq!(manifest["files"]["records.json"]["bytes"], records.len());
    assert_eq!(manifest["files"]["records.json"]["sha256"].as_str().unwrap().len(), 64);
    let index = fs::read_to_string(saved.directory.join("requests.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(index.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["file"], &first["n"], &first["process"]),
        (&"traces.pb".into(), &1.into(), &"url-api#1".into())
    );
}

#[test]
fn a_run_is_read_back_with_what_is_its_own() {
    let workdir = tempfile::tempdir().unwrap();
    let directory = workdir.path().join("runs/1");
    let writer = Writer::create(&directory, None).unwrap();
    let named = |name: &str| Evidence { scenario: name.into(), ..evidence() };
    let report_of = |name: &str| {
        let mut report = judge(&named(name), Some(&declaration()));
        report.family = "trace".into();
        report.seconds = [("drive".to_string(), 0.25)].into();
        report.rerun = Some(format!("cargo probity run --only {name}"));
        report
    };
    let skipped = ScenarioReport::skipped("c", "start", "external: kill is not ours to do");
    let broken = ScenarioReport::could_not_run("d", "start", "etcd exited with 1");
    // They end in another order than the report's.
    writer.scenario(&report_of("b/../x"), &named("b/../x"), Some(&declaration())).unwrap();
    writer.scenario(&report_of("a"), &named("a"), None).unwrap();
    for never_ran in [&skipped, &broken] {
        let evidence = Evidence { scenario: never_ran.name.clone(), ..Evidence::default() };
        writer.scenario(never_ran, &evidence, None).unwrap();
    }
    let a = judge(&named("a"), None);
    let a = ScenarioReport {
        family: "trace".into(),
        seconds: report_of("a").seconds,
        rerun: report_of("a").rerun,
        ..a
    };
    let backend = BackendReport {
        name: "etcd".into(),
        provider: "embedded".into(),
        version: "3.7.2".into(),
        ready_ms: 90,
        limits: vec![],
    };
    let mut report = RunReport::new("shortener", vec![a, report_of("b/../x"), skipped, broken])
        .with_backends(vec![backend]);
    report.seconds = 21.4;
    writer.finish(&report).unwrap();
    let again = load(&directory).unwrap().judge("else");
    assert_eq!(crate::report::json::render(&again), crate::report::json::render(&report));
    let one = load(&directory.join("a")).unwrap();
    assert_eq!(
        (one.scenarios.len(), one.problems.len()),
        (1, 0),
        "a single scenario of a run is evidence too"
    );
}

#[test]
fn a_run_that_was_killed_leaves_what_it_had_and_says_so() {
    let workdir = tempfile::tempdir().unwrap();
    let directory = workdir.path().join("run");
    let writer = Writer::create(&directory, None).unwrap();
    writer.scenario(&judge(&evidence(), None), &evidence(), None).unwrap();
    drop(writer);
    let loaded = load(&directory).unwrap();
    assert_eq!(loaded.scenarios.len(), 1);
    assert_eq!(loaded.problems, ["the run did not end: what was saved until then follows"]);
    assert_eq!(loaded.judge("run").exit_code(), 2);
}

#[test]
fn evidence_that_was_edited_is_read_and_said_and_exit_code_2() {
    let saved = saved();
    change(&saved.directory, "records.json", |content| {
        let place = content.windows(4).position(|text| text == b"\"{}\"").unwrap();
        content[place + 1] = b'[';
    });
    let loaded = load(&saved.directory).unwrap();
    assert_eq!(
        loaded.problems,
        ["records.json was changed after it was saved: its digest is not that of the manifest"]
    );
    assert_eq!(loaded.scenarios[0].evidence.records.len(), 1, "it is read all the same");
    assert!(!loaded.scenarios[0].evidence.barrier.is_closed(), "damaged evidence proves no absence");
    let report = loaded.judge("evidence");
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Error, 2));
}

#[test]
fn evidence_cut_off_anywhere_keeps_what_was_whole() {
    for file in ["traces.pb", "requests.jsonl", "records.json", "manifest.json"] {
        let saved = saved();
        let length = fs::read(saved.directory.join(file)).unwrap().len();
        // Without its last line feed a manifest is whole.
        for kept in [0, 1, 3, length / 2, length - 2] {
            let copy = self::saved();
            change(&copy.directory, file, |content| content.truncate(kept));
            let loaded = load(&copy.directory).unwrap_or_else(|error| panic!("{file} at {kept}: {error}"));
            assert!(!loaded.problems.is_empty(), "{file} at {kept}");
            let scenario = &loaded.scenarios[0];
            let whole = if file == "traces.pb" { 3 } else { 6 };
            assert!(scenario.evidence.requests.len() >= whole, "{file} at {kept}: {:?}", loaded.problems);
            assert_eq!(loaded.judge("evidence").exit_code(), 2, "{file} at {kept}");
        }
    }
}

#[test]
fn a_cut_says_where_and_how_much_is_missing() {
    let saved = saved();
    let whole = fs::read(saved.directory.join("traces.pb")).unwrap().len();
    change(&saved.directory, "traces.pb", |content| content.truncate(whole - 10));
    let problems = load(&saved.directory).unwrap().problems;
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert_eq!(problems[0], format!("traces.pb is cut off: {} of {whole} bytes are there", whole - 10));
    assert!(problems[1].ends_with("cut off: the file ends 10 bytes too early"), "{problems:?}");
    assert_eq!(problems[2], "requests.jsonl, line 6: traces.pb has no request 3");
}

#[test]
fn a_file_or_a_manifest_that_is_gone_is_said() {
    let saved = saved();
    fs::remove_file(saved.directory.join("records.json")).unwrap();
    assert_eq!(load(&saved.directory).unwrap().problems, ["records.json is missing"]);
    fs::remove_file(saved.directory.join("manifest.json")).unwrap();
    let loaded = load(&saved.directory).unwrap();
    assert_eq!(loaded.problems, ["manifest.json is missing"]);
    assert_eq!(loaded.scenarios[0].evidence.requests.len(), 6);
}

#[test]
fn evidence_of_a_newer_version_is_read_as_far_as_it_is_understood() {
    let saved = saved();
    change(&saved.directory, "manifest.json", |content| {
        let text = String::from_utf8(content.clone()).unwrap();
        *content = text.replacen("\"version\": 1", "\"version\": 2", 1).into_bytes();
    });
    let loaded = load(&saved.directory).unwrap();
    assert_eq!(loaded.problems.len(), 1);
    assert!(
        loaded.problems[0]
            .starts_with("the evidence is of version 2, and this program reads up to version 1")
    );
    assert_eq!(loaded.scenarios[0].evidence.requests.len(), 6);
    assert_eq!(loaded.judge("evidence").exit_code(), 2);
}

#[test]
fn a_manifest_leads_to_no_other_directory() {
    let saved = saved();
    let outside = saved.directory.parent().unwrap().join("outside.json");
    fs::write(&outside, "[]").unwrap();
    change(&saved.directory, "manifest.json", |content| {
        let text = String::from_utf8(content.clone()).unwrap();
        *content = text.replace("\"records.json\"", "\"../outside.json\"").into_bytes();
    });
    let problems = load(&saved.directory).unwrap().problems;
    assert_eq!(problems, ["`../outside.json` is not a name of a file in this evidence"]);
}

#[test]
fn what_is_not_evidence_says_why_and_what_would_be() {
    let workdir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = workdir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    fs::create_dir(workdir.path().join("empty")).unwrap();
    fs::create_dir(workdir.path().join("other")).unwrap();
    file("other/manifest.json", br#"{"format":"webapp","version":1,"holds":"run"}"#);
    let table = [
        (file("notes.txt", b"all is well\n"), "is not evidence: line 1 is not OTLP JSON ("),
        (file("empty.jsonl", b""), "is not evidence: it is empty"),
        (file("logs.jsonl", b"{\"level\":\"info\"}\n"), "expected an object with resourceSpans"),
        (file("zeros.bin", &[0; 100]), "is not evidence: line 1 is not OTLP JSON"),
        (workdir.path().join("empty"), "it is a directory without a manifest.json"),
        (workdir.path().join("other"), "its manifest.json is of the format `webapp`"),
        (workdir.path().join("nowhere"), "could not be read: No such file or directory"),
        (PathBuf::from("/dev/null"), "is not evidence: it is empty"),
    ];
    for (path, message) in table {
        let error = load(&path).expect_err(&path.display().to_string());
        assert!(error.to_string().contains(message), "{error}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn plain_files_are_read_without_a_barrier() {
    let workdir = tempfile::tempdir().unwrap();
    let lines = include_str!("../../../fixtures/otlp/file-exporter.jsonl");
    let path = workdir.path().join("telemetry.jsonl");
    fs::write(&path, lines).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.problems, [""; 0]);
    let evidence = &loaded.scenarios[0].evidence;
    assert_eq!(
        (evidence.requests.len(), evidence.source, evidence.barrier.kind),
        (12, Source::Files, BarrierKind::Absent)
    );
    fs::write(&path, format!("{lines}{{\"resourceSpans\":[{{\"res")).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.scenarios[0].evidence.requests.len(), 12);
    assert_eq!(loaded.problems.len(), 1);
    assert!(loaded.problems[0].starts_with("line 13: not OTLP JSON"), "{:?}", loaded.problems);
}

#[test]
fn the_collectors_protobuf_files_are_read_whatever_they_are_called() {
    let workdir = tempfile::tempdir().unwrap();
    let lines = include_bytes!("../../../fixtures/otlp/file-exporter.jsonl");
    let payloads = crate::otlp::files::read_json(&lines[..]).payloads;
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        let of_signal = payloads.iter().filter(|payload| payload.signal == signal);
        let mut content = Vec::new();
        of_signal
            .for_each(|payload| crate::otlp::files::write_delimited(&payload.bytes, &mut content).unwrap());
        for name in ["data".to_string(), format!("{signal:?}.binpb")] {
            let path = workdir.path().join(name);
            fs::write(&path, &content).unwrap();
            let loaded = load(&path).unwrap();
            let signals: Vec<_> =
                loaded.scenarios[0].evidence.requests.iter().map(|request| request.signal).collect();
            assert_eq!(signals, [signal; 4], "{}", path.display());
        }
    }
}

#[test]
fn saving_replaces_evidence_and_nothing_else() {
    let saved = saved();
    let report = judge(&Evidence::default(), None);
    save(&saved.directory, &report, &Evidence::default(), None).unwrap();
    assert_eq!(load(&saved.directory).unwrap().scenarios[0].evidence.requests.len(), 0);
    let other = saved.directory.parent().unwrap().join("work");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.tex"), "years of work").unwrap();
    for error in [save(&other, &report, &Evidence::default(), None).err(), Writer::create(&other, None).err()]
    {
        let error = error.unwrap();
        assert!(
            error.to_string().ends_with("is not empty and holds no evidence that could be replaced"),
            "{error}"
        );
    }
    assert_eq!(fs::read(other.join("thesis.tex")).unwrap(), b"years of work");
    let left: Vec<_> = fs::read_dir(saved.directory.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing half-written stays: {left:?}");
}

#[test]
fn a_full_disk_says_what_to_do() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let error = SaveError::io("write", Path::new("evidence/traces.pb"))(full);
    assert!(error.to_string().starts_with("could not write evidence/traces.pb: "));
    assert!(error.hint().starts_with("the disk is full"));
}

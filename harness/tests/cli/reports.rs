//! Reports in files: where they go, and what is said when they cannot.

use std::fs;
use std::path::Path;

use super::kit::{command, fixture, probity, root, run, sender};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Evidence of one good request, saved by `exec`, and what the command said.
fn recorded(arguments: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
    let workdir = tempfile::tempdir().unwrap();
    let directory = workdir.path().join("evidence");
    let script = sender(&[root("web", 1)]);
    let evidence = ["exec", "--evidence", text(&directory)];
    let output = probity(evidence.iter().chain(arguments).chain(&["--", "bash", "-c", &script]));
    assert_eq!(output.code, 0, "{output:?}");
    (workdir, directory)
}

#[test]
fn every_report_lies_beside_the_evidence() {
    let (_workdir, directory) = recorded(&[]);
    let kinds = ["report.json", "report.html", "junit.xml", "report.sarif"];
    for file in kinds {
        let report =
            fs::read_to_string(directory.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(report.contains("bash"), "{file}: {report}");
    }
    let output = probity(["check", text(&directory)]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "reports do not damage evidence");
}

#[test]
fn an_asked_for_report_is_written_or_printed_alone() {
    let workdir = tempfile::tempdir().unwrap();
    let (page, json) = (workdir.path().join("a.html"), workdir.path().join("a.json"));
    let evidence = fixture("otlp/file-exporter.jsonl");
    let asked = [format!("html={}", text(&page)), format!("json={}", text(&json))];
    let output =
        probity(["check", text(&evidence), "--report", &asked[0], "--report", &asked[1], "--json", "-"]);
    assert!(output.stdout.starts_with("{\n  \"format\": \"probity-report\""), "{output:?}");
    assert_eq!(
        fs::read_to_string(&json).unwrap(),
        output.stdout,
        "`--json FILE` is short for `--report json=FILE`"
    );
    assert!(fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));
    let printed = probity(["check", text(&evidence), "--report", "html=-"]);
    assert_eq!(printed.stdout, fs::read_to_string(&page).unwrap());
}

#[test]
fn a_report_that_cannot_be_written_is_said_and_takes_nothing_with_it() {
    let workdir = tempfile::tempdir().unwrap();
    let directory = workdir.path().join("evidence");
    // The file is there when the command begins, and a directory when it ends.
    let page = workdir.path().join("page");
    let script = format!("{}\nmkdir '{}'\n", sender(&[root("web", 1)]), text(&page));
    let asked = format!("html={}", text(&page));
    let mut exec =
        command(["exec", "--evidence", text(&directory), "--report", &asked, "--", "bash", "-c", &script]);
    let output = run(&mut exec);
    assert_eq!(output.code, 2, "{output:?}");
    assert!(
        output.stderr.contains(&format!("error: could not write {}: ", text(&page))),
        "{}",
        output.stderr
    );
    assert!(output.stdout.contains("\npass  "), "{}", output.stdout);
    assert!(directory.join("report.html").is_file() && directory.join("manifest.json").is_file());
    assert_eq!(probity(["check", text(&directory)]).code, 0);
}

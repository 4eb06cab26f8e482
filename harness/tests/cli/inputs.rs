//! Wrong input: one clear message, what to do next, exit code 2, nothing on standard output.

use std::fs;

use super::kit::{fixture, probity};

/// Each is refused with code 2 and says this.
#[track_caller]
fn refused(arguments: &[&str], message: &str) {
    let output = probity(arguments);
    assert_eq!(output.code, 2, "{output:?}");
    assert!(output.stderr.contains(message), "{}", output.stderr);
    assert_eq!(output.stdout, "", "{output:?}");
}

#[test]
fn an_unknown_command_or_option_names_the_nearest() {
    refused(&["chekc", "x"], "a similar subcommand exists: 'check'");
    refused(&["check", "--jsn", "x"], "a similar argument exists: '--json'");
    refused(&["check"], "<EVIDENCE>");
    refused(&[], "Usage: probity <COMMAND>");
}

#[test]
fn a_file_that_is_not_evidence_says_what_would_be() {
    let directory = tempfile::tempdir().unwrap();
    let notes = directory.path().join("notes.txt");
    fs::write(&notes, "all is well\n").unwrap();
    let notes = notes.to_str().unwrap();
    let message = format!(
        "error: {notes} is not evidence: line 1 is not OTLP JSON (expected an object with resourceSpans, resourceMetrics \
         or resourceLogs)\n  hint: an evidence directory has a manifest.json; OTLP JSON lines files end in .jsonl\n"
    );
    for command in ["check", "tree", "export"] {
        refused(&[command, notes], &message);
        refused(
            &[command, "/nowhere/at/all"],
            "error: /nowhere/at/all could not be read: No such file or directory",
        );
        refused(&[command, directory.path().to_str().unwrap()], "it is a directory without a manifest.json");
    }
}

#[test]
fn unknown_names_offer_the_nearest() {
    let trace = fixture("otlp/trace.json");
    let trace = trace.to_str().unwrap();
    refused(
        &["explain", "exit-code"],
        "error: there is no rule or topic `exit-code`\n  hint: did you mean `exit-codes`?",
    );
    refused(
        &["explain", "\u{1b}[31mred"],
        "there is no rule or topic `\\u{1b}[31mred`\n  hint: `probity explain` lists",
    );
    refused(&["tree", trace, "--trace", "7"], "there is no trace `7`");
    refused(&["tree", trace, "--trace", "0123456789abcdef"], "there is no trace `0123456789abcdef`");
    refused(&["tree", trace, "--scenario", "a_click"], "there is no scenario `a_click`");
}

#[test]
fn a_report_that_cannot_be_written_says_so() {
    let trace = fixture("otlp/trace.json");
    for (place, why) in
        [("/nowhere/report.json", "there is no directory /nowhere"), ("/dev/full", "No space left on device")]
    {
        let output = probity(["check", trace.to_str().unwrap(), "--json", place]);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(
            output.stderr.starts_with(&format!("error: could not write {place}: {why}")),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn a_report_needs_a_kind_that_there_is_and_a_place() {
    refused(&["check", "x", "--report", "htm=a"], "there is no kind of report `htm`: did you mean `html`?");
    refused(&["check", "x", "--report", "pdf=a"], "there is no kind of report `pdf`: kinds are json, html");
    refused(
        &["check", "x", "--report", "html"],
        "write KIND=FILE, such as html=report.html; kinds are json, html",
    );
    refused(&["check", "x", "--report", "html="], "write KIND=FILE");
    refused(
        &["check", "x", "--report", "html=-", "--json", "-"],
        "standard output can take one report, not json and html",
    );
    refused(&["exec", "--report", "html=/nowhere/a", "--", "true"], "there is no directory /nowhere");
}

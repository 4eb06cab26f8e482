use std::process::{Command, Output};

use super::*;

const OUTLINE: &str =
    "url-api               SERVER    GET /{code}\n  url-api             CLIENT    SELECT links\n";

fn directory() -> (tempfile::TempDir, Snapshots) {
    let directory = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::at(directory.path().join("snapshots"));
    (directory, snapshots)
}

fn commit(snapshots: &Snapshots, name: &str, text: &str) {
    fs::create_dir_all(&snapshots.directory).unwrap();
    fs::write(snapshots.path(name), text).unwrap();
}

fn snap(contents: &str) -> String {
    format!("---\nsource: harness/src/snapshot.rs\n---\n{contents}")
}

#[expect(clippy::disallowed_methods, reason = "this test again, which ends by itself")]
/// Asserts in a process of its own, with that `INSTA_UPDATE`: insta reads its environment once.
fn assert_as(update: &str, snapshots: &Snapshots, outline: &str) -> Output {
    let name = "snapshot::tests::insta_writes_what_its_environment_asks_for";
    let mut test = Command::new(std::env::current_exe().unwrap());
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("INSTA_")) {
        test.env_remove(key);
    }
    test.args(["--exact", name]).env("INSTA_UPDATE", update).env("RUST_BACKTRACE", "0");
    test.env("SNAPSHOTS_OF_CHILD", &snapshots.directory).env("OUTLINE_OF_CHILD", outline);
    test.output().unwrap()
}

#[test]
fn insta_writes_what_its_environment_asks_for() {
    if let Some(directory) = std::env::var_os("SNAPSHOTS_OF_CHILD") {
        let outline = std::env::var("OUTLINE_OF_CHILD").unwrap();
        return Snapshots::at(PathBuf::from(directory)).assert("a_click", &outline).unwrap();
    }
    let (_kept, snapshots) = directory();
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();

    let refused = assert_as("no", &snapshots, OUTLINE);
    assert!(!refused.status.success() && text(&refused).contains("does not exist yet"), "{}", text(&refused));
    assert!(snapshots.pending().unwrap().is_empty(), "nothing was written");

    assert!(!assert_as("new", &snapshots, OUTLINE).status.success());
    let pending = snapshots.pending().unwrap();
    assert_eq!(pending, [snapshots.path("a_click").with_extension("snap.new")]);
    assert_eq!(snapshots.expected("a_click").unwrap(), None, "not before a review");
    // What `cargo insta accept` does, with the line number that it takes away.
    fs::rename(&pending[0], snapshots.path("a_click")).unwrap();
    assert_eq!(snapshots.expected("a_click").unwrap().as_deref(), Some(OUTLINE));
    let file = fs::read_to_string(snapshots.path("a_click")).unwrap();
    assert!(file.contains("source: harness/src/snapshot.rs\n") && !file.contains("expression:"), "{file}");

    assert!(assert_as("no", &snapshots, OUTLINE).status.success());
    let changed = OUTLINE.replace("SELECT links", "SELECT codes");
    let differs = assert_as("new", &snapshots, &changed);
    let words = "renamed: client span under `GET /{code}`, from `SELECT links` to `SELECT codes`";
    let said = String::from_utf8_lossy(&differs.stderr).into_owned() + &text(&differs);
    assert!(said.contains(words) && said.contains("cargo insta review"), "{said}");
    assert_eq!(snapshots.pending().unwrap().len(), 1);

    assert!(assert_as("no", &snapshots, OUTLINE).status.success());
    assert_eq!(snapshots.pending().unwrap().len(), 0, "what is as committed again needs no review");

    assert!(assert_as("always", &snapshots, &changed).status.success());
    assert_eq!(snapshots.expected("a_click").unwrap(), Some(changed));
}

#[test]
fn what_is_committed_is_read_and_nothing_is_written() {
    let (_kept, snapshots) = directory();
    assert_eq!(snapshots.expected("a_click").unwrap(), None);
    assert!(!snapshots.directory.exists());
    commit(&snapshots, "a_click", &snap(&format!("# probity outline 1\n{OUTLINE}")));
    assert_eq!(snapshots.expected("a_click").unwrap().as_deref(), Some(OUTLINE));
    commit(&snapshots, "crlf", &snap(&format!("# probity outline 1\n{OUTLINE}")).replace('\n', "\r\n"));
    assert_eq!(snapshots.expected("crlf").unwrap().as_deref(), Some(OUTLINE));
    commit(&snapshots, "empty", &snap("# probity outline 1"));
    assert_eq!(snapshots.expected("empty").unwrap().as_deref(), Some(""));
}

#[test]
fn what_is_no_snapshot_of_ours_is_told() {
    let (_kept, snapshots) = directory();
    let told = |name: &str, text: &str| {
        commit(&snapshots, name, text);
        snapshots.expected(name).unwrap_err().to_string()
    };
    assert!(
        told("newer", &snap("# probity outline 2\n"))
            .contains("is of version 2; this is probity for version 1")
    );
    assert!(told("other", &snap("some text")).contains("seen `some text`"));
    assert!(told("bare", OUTLINE).contains("does not begin with insta's head"));
    assert!(told("cut", "---\nsource: x\n").contains("does not begin with insta's head"));
    assert!(told("huge", &snap("# probity outline 99999999999")).contains("is missing"));
    for name in ["", "../a", "a/b", "a.b", "ä"] {
        assert!(matches!(snapshots.expected(name), Err(SnapshotError::Name(_))), "{name}");
        assert!(snapshots.assert(name, OUTLINE).unwrap_err().what.contains("is no name"), "{name}");
    }
}

#[test]
fn pending_and_unreferenced_files_are_found() {
    let (_kept, snapshots) = directory();
    assert_eq!(snapshots.unreferenced(["a"]).unwrap(), snapshots.pending().unwrap());
    for name in ["a", "b", "c"] {
        commit(&snapshots, name, "");
    }
    fs::write(snapshots.path("b").with_extension("snap.new"), "").unwrap();
    fs::write(snapshots.directory.join("README.md"), "").unwrap();
    assert_eq!(snapshots.unreferenced(["b", "a", "z"]).unwrap(), [snapshots.path("c")]);
    assert_eq!(snapshots.pending().unwrap(), [snapshots.path("b").with_extension("snap.new")]);
}

#[test]
fn what_must_not_be_merged_is_told_all_at_once() {
    let (_kept, snapshots) = directory();
    assert_eq!(snapshots.check(["a"]), Ok(()));
    commit(&snapshots, "a", &snap(&format!("# probity outline 1\n{OUTLINE}")));
    assert_eq!(snapshots.check(["a", "without_snapshot"]), Ok(()));
    commit(&snapshots, "stray", &snap("# probity outline 1\n"));
    commit(&snapshots, "conflict", &snap("# probity outline 1\n<<<<<<< ours\n"));
    commit(&snapshots, "newer", &snap("# probity outline 2\n"));
    fs::write(snapshots.path("a").with_extension("snap.new"), "").unwrap();
    let told = snapshots.check(["a", "conflict", "newer"]).unwrap_err();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert!(
        lines[0].contains("a.snap.new waits for a review")
            && lines[1].contains("stray.snap is of no scenario")
    );
    assert!(lines[2].contains("conflict.snap is no outline: line 1") && lines[3].contains("is of version 2"));
}

//! What the documents say is there: rules and pages, rooms, commands, links; and nothing in the repository belongs to one machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package lies in its workspace").to_path_buf()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Words behind each `opening`, up to the first letter that `belongs` refuses.
fn words_behind<'t>(text: &'t str, opening: &str, belongs: fn(char) -> bool) -> BTreeSet<&'t str> {
    let ends = |rest: &'t str| rest.split(|letter| !belongs(letter)).next().unwrap_or_default();
    text.split(opening).skip(1).map(ends).filter(|word| !word.is_empty()).collect()
}

#[test]
fn every_rule_has_a_page_and_every_page_a_rule() {
    let rules: BTreeSet<String> = probity::rules::all().map(|rule| rule.id.to_string()).collect();
    let pages = fs::read_dir(root().join("harness/src/rules/pages")).expect("the pages are there");
    let pages = pages.map(|page| page.expect("a readable directory").path());
    let pages: BTreeSet<String> = pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()))
        .collect();
    assert_eq!(rules, pages);
    for rule in probity::rules::all() {
        assert!(rule.page.starts_with(&format!("# {}: ", rule.id)), "the page of {} is another's", rule.id);
    }
}

#[test]
fn rules_that_documents_name_exist() {
    for name in DOCUMENTS {
        let text = document(name);
        for family in
            ["TRACE-", "MSG-", "METRIC-", "SCRAPE-", "LOG-", "PRIVATE-", "START-", "DEGRADE-", "EXPECT-"]
        {
            for number in words_behind(&text, family, |letter| letter.is_ascii_digit()) {
                let id = format!("{family}{number}");
                assert!(probity::rules::find(&id).is_some(), "{name} names {id}, which is no rule");
            }
        }
    }
}

#[test]
fn commands_that_documents_name_exist() {
    let help = help();
    let commands: BTreeSet<&str> = help.lines().filter_map(|line| line.trim().split(' ').next()).collect();
    let is_command = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    for name in DOCUMENTS {
        let text = document(name);
        for opening in ["`probity ", "\nprobity ", "cargo probity "] {
            for word in words_behind(&text, opening, is_command) {
                assert!(commands.contains(word), "{name} names `probity {word}`, which is not in\n{help}");
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "from outside there is no supervisor to start it with")]
fn help() -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_probity")).arg("--help").output().expect("the binary starts");
    String::from_utf8(output.stdout).expect("help is text")
}

#[test]
fn links_of_documents_lead_somewhere() {
    for name in DOCUMENTS {
        let text = document(name);
        for target in words_behind(&text, "](", |letter| letter != ')' && letter != '#') {
            if !target.contains("://") {
                assert!(root().join(target).exists(), "{name} links {target}, which is not there");
            }
        }
    }
}

#[test]
fn the_map_names_every_room() {
    let map = document("ARCHITECTURE.md");
    let library = document("harness/src/lib.rs");
    for room in words_behind(&library, "\npub mod ", |letter| letter.is_ascii_lowercase() || letter == '_') {
        assert!(map.contains(&format!("`{room}`")), "ARCHITECTURE.md does not name the room {room}");
    }
}

#[test]
fn nothing_names_somebodys_home() {
    // `/home/me` is everybody's.
    let places = ["/Users/", "/root/", "/home/"];
    let mut files = Vec::new();
    collect(&root(), &mut files);
    assert!(files.len() > 200, "the repository has more files than {}", files.len());
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let text = text.replace("/home/me", "");
        for word in places {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

/// The files that belong to the repository, but for this one and what is built.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable directory").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_symlink() || ["target", ".git", "documents.rs", "node_modules"].contains(&name) {
            continue;
        }
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

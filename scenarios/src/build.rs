//! Builds the reference services and says where their binaries are: `cargo run` builds the binary that it runs, and no other.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

/// The services' binaries by name, built if need be; cargo's own progress goes to standard error.
#[expect(clippy::disallowed_methods, reason = "cargo is no part of a run: it ends before one begins")]
pub(crate) fn services() -> Result<HashMap<String, PathBuf>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = std::process::Command::new(cargo);
    // Of the whole workspace: for one package alone, cargo would choose other features and build the dependencies again.
    command.args([
        "build",
        "--workspace",
        "--bins",
        "--message-format=json-render-diagnostics",
        "--manifest-path",
        manifest,
    ]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let ours = std::env::vars_os().filter(|(name, _)| is_of_our_package(&name.to_string_lossy()));
    ours.for_each(|(name, _)| _ = command.env_remove(name));
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot run cargo: {error}"))?;
    let mut built = HashMap::new();
    if let Some(stdout) = child.stdout.take() {
        built.extend(
            BufReader::new(stdout).lines().map_while(Result::ok).filter_map(|line| executable(&line)),
        );
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    match status.success() {
        true => Ok(built),
        false => Err("the services do not build: see cargo's messages above".to_string()),
    }
}

/// What `cargo run` tells the program that it runs of its package. Some build scripts are run again where that has changed, so that
/// cargo would build their crates, and all that need them, at each turn.
fn is_of_our_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| variable.starts_with(prefix))
}

/// The name and path in a `compiler-artifact` message of a binary.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    Some((message.get("target")?.get("name")?.as_str()?.to_string(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_nothing_of_the_package_that_calls_it_and_all_that_people_set() {
        for theirs in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR", "CARGO_MANIFEST_DIR"] {
            assert!(is_of_our_package(theirs), "{theirs}");
        }
        for set in [
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_PROFILE_DEV_DEBUG",
            "CARGO_BUILD_JOBS",
            "RUSTFLAGS",
            "PATH",
        ] {
            assert!(!is_of_our_package(set), "{set}");
        }
    }

    #[test]
    fn only_messages_of_binaries_name_an_executable() {
        let line =
            r#"{"reason":"compiler-artifact","target":{"name":"url-api"},"executable":"/t/debug/url-api"}"#;
        assert_eq!(executable(line), Some(("url-api".into(), PathBuf::from("/t/debug/url-api"))));
        for other in [
            "",
            "warning: x",
            r#"{"reason":"build-finished"}"#,
            r#"{"target":{"name":"l"},"executable":null}"#,
        ] {
            assert_eq!(executable(other), None, "{other}");
        }
    }
}

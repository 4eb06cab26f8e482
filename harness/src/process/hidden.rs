//! Subcommands that no person types: this library starts its own binary again to serve as supervisor, mock broker or keeper
//! of containers.
//!
//! Every `main` that hosts the library calls [`serve_hidden_subcommands`] first. A program that does not (another
//! team's test target with a `main` of its own) is served by the `probity` that `PROBITY_BIN` or PATH names.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::supervise;
use crate::backend::{container_keeper, kafka_mock};

pub(super) const SUPERVISE: &str = "__supervise";

/// Is given the arguments after the subcommand's name, and returns the exit code.
type Entry = fn(Vec<OsString>) -> i32;

/// Every hidden subcommand.
const SUBCOMMANDS: &[(&str, Entry)] = &[
    (SUPERVISE, supervise::main),
    (kafka_mock::SUBCOMMAND, mock_broker),
    (container_keeper::SUBCOMMAND, container_keeper::serve),
];

fn mock_broker(arguments: Vec<OsString>) -> i32 {
    let control = arguments.first().map(Path::new).unwrap_or(Path::new(""));
    match kafka_mock::serve(control) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("the mock broker cannot be hosted: {error}");
            1
        }
    }
}

static HOST: OnceLock<PathBuf> = OnceLock::new();

/// Returns when this process was not started with a hidden subcommand; otherwise serves it and ends the process.
#[expect(
    clippy::disallowed_methods,
    reason = "a hidden subcommand never returns to the `main` that hosts it"
)]
pub fn serve_hidden_subcommands() {
    let mut arguments = env::args_os().skip(1);
    if let Some(name) = arguments.next()
        && let Some((_, entry)) = SUBCOMMANDS.iter().find(|(known, _)| name == *known)
    {
        std::process::exit(entry(arguments.collect()));
    }
    #[cfg(not(test))]
    use_host(own_binary());
}

/// Becomes this program again, with its arguments and one more variable. Returns when that cannot be done.
#[expect(
    clippy::disallowed_methods,
    reason = "no child: this process itself, before it has started anything"
)]
pub(crate) fn start_again_with(variable: &str, value: &str) {
    if let Ok(program) = env::current_exe() {
        let mut again = std::process::Command::new(program);
        // It returns only with an error, and then all goes on as it would have.
        _ = again.args(env::args_os().skip(1)).env(variable, value).exec();
    }
}

/// Names the binary that serves the hidden subcommands, for a test target without a `main` of its own, which has its
/// path from `env!("CARGO_BIN_EXE_probity")`. The first call counts.
pub fn use_host(binary: impl Into<PathBuf>) {
    _ = HOST.set(binary.into());
}

/// The words that start a hidden subcommand: a program and its first arguments.
pub(super) fn invocation(subcommand: &str) -> Result<(PathBuf, Vec<OsString>), NoHost> {
    if let Some(host) = HOST.get() {
        return Ok((host.clone(), vec![subcommand.into()]));
    }
    #[cfg(test)]
    return Ok((own_binary(), tests::through_libtest(subcommand)));
    #[cfg(not(test))]
    found(env::var_os("PROBITY_BIN"), env::var_os("PATH")).map(|host| (host, vec![subcommand.into()]))
}

/// No binary serves the hidden subcommands.
#[derive(Debug, thiserror::Error)]
#[error("no binary to supervise processes with: {looked_for}")]
pub struct NoHost {
    looked_for: String,
}

impl NoHost {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "call `probity::process::serve_hidden_subcommands()` first in `main`, or install `probity` on PATH, or set PROBITY_BIN to its path"
    }
}

fn found(named: Option<OsString>, path: Option<OsString>) -> Result<PathBuf, NoHost> {
    if let Some(named) = named {
        let named = PathBuf::from(named);
        let looked_for = format!("PROBITY_BIN names {}, which is not an executable file", named.display());
        return if super::program::is_executable(&named) { Ok(named) } else { Err(NoHost { looked_for }) };
    }
    super::program::find("probity", path.as_deref()).ok_or_else(|| NoHost {
        looked_for: "PROBITY_BIN is not set and `probity` is not on PATH".to_owned(),
    })
}

/// `/proc/self/exe` stays the program that is running even when its file is replaced by a new build.
fn own_binary() -> PathBuf {
    let own = Path::new("/proc/self/exe");
    if own.exists() { own.to_owned() } else { env::current_exe().unwrap_or_else(|_| own.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// libtest owns `main` in unit tests, so that they start this "test" of the same binary by its name.
    const DOOR: &str = "process::hidden::tests::a_process_without_a_hidden_subcommand_goes_on";

    pub(super) fn through_libtest(subcommand: &str) -> Vec<OsString> {
        [DOOR, "--exact", "--nocapture", "--", subcommand].map(OsString::from).to_vec()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "libtest has nothing to report for a hidden subcommand")]
    fn a_process_without_a_hidden_subcommand_goes_on() {
        let mut arguments = env::args_os().skip_while(|word| word != "--").skip(1);
        let name = arguments.next().unwrap_or_default();
        if let Some((_, entry)) = SUBCOMMANDS.iter().find(|(known, _)| name == *known) {
            std::process::exit(entry(arguments.collect()));
        }
        serve_hidden_subcommands();
    }

    #[test]
    fn a_host_is_what_probity_bin_names_else_what_is_on_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("probity");
        std::os::unix::fs::symlink("/bin/sh", &binary).unwrap();
        let path = Some(OsString::from(directory.path()));
        assert_eq!(found(Some("/bin/sh".into()), path.clone()).unwrap(), Path::new("/bin/sh"));
        assert_eq!(found(None, path.clone()).unwrap(), binary);
        let error = found(Some("/nowhere/probity".into()), path).unwrap_err();
        assert!(error.to_string().contains("/nowhere/probity"), "{error}");
        let error = found(None, None).unwrap_err();
        assert!(error.to_string().contains("not on PATH") && error.hint().contains("PROBITY_BIN"), "{error}");
    }
}

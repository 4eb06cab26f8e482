//! Where a test that starts its own program again lets it work, and what that said.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Failed;

/// A directory to work in: runs, and what a red one leaves for a look, are kept here, apart from those of whoever runs the tests.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

impl Place {
    pub(crate) fn new() -> Result<Place, Failed> {
        let directory = tempfile::tempdir()?;
        // Postgres runs as somebody else in it.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
        Ok(Place { directory })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// This program again, in this environment and in none that whoever runs the tests has for themselves.
    pub(crate) fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        for name in ["COLUMNS", "PROBITY_KNOWN", "PROBITY_SHARD", "GITHUB_ACTIONS"] {
            command.env_remove(name);
        }
        command.args(arguments).envs(environment.iter().copied());
        command.env("CARGO_TARGET_DIR", self.path("target")).env("TMPDIR", self.directory.path());
        let output = command.current_dir(self.directory.path()).output()?;
        let text =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        Ok(Output { code: output.status.code(), text })
    }
}

//! What a supervisor is asked to run, on its way through a command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::process::protocol::VERSION;

/// What a supervisor is asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::process) struct Settings {
    pub(in crate::process) program: OsString,
    pub(in crate::process) arguments: Vec<OsString>,
    pub(in crate::process) directory: PathBuf,
    pub(in crate::process) stdout: PathBuf,
    pub(in crate::process) stderr: PathBuf,
    /// Whether the output is shown as well, on the supervisor's own standard output and error.
    pub(in crate::process) shown: Shown,
    /// Numeric user and group to run the command as.
    pub(in crate::process) user: Option<(u32, u32)>,
    pub(in crate::process) grace: Duration,
}

/// How output is shown that goes to the log files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::process) enum Shown {
    No,
    AsItIs,
    /// So that no runner takes a line of it for a command.
    Inert,
}

impl Shown {
    const ALL: [Shown; 3] = [Shown::No, Shown::AsItIs, Shown::Inert];

    fn word(self) -> &'static str {
        match self {
            Shown::No => "quiet",
            Shown::AsItIs => "shown",
            Shown::Inert => "inert",
        }
    }
}

impl Settings {
    pub(in crate::process) fn to_arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![VERSION.into(), self.grace.as_millis().to_string().into()];
        words.push(self.shown.word().into());
        words.push(match self.user {
            Some((user, group)) => format!("{user}:{group}").into(),
            None => "same".into(),
        });
        words.extend([self.directory.clone().into(), self.stdout.clone().into(), self.stderr.clone().into()]);
        words.push(self.program.clone());
        words.extend(self.arguments.iter().cloned());
        words
    }

    pub(super) fn from_arguments(arguments: Vec<OsString>) -> Result<Settings, String> {
        let mut words = arguments.into_iter();
        let mut next = |what: &str| words.next().ok_or_else(|| format!("the supervisor was given no {what}"));
        let version = next("version")?;
        if version != VERSION {
            let version = version.display();
            return Err(format!(
                "the supervisor is of version {VERSION}, but version {version} was asked for"
            ));
        }
        let grace = next("grace")?;
        let grace =
            grace.to_str().and_then(|millis| millis.parse().ok()).ok_or("the grace is not a number")?;
        let mode = next("output mode")?;
        let shown = Shown::ALL.into_iter().find(|shown| mode == shown.word()).ok_or("no such output mode")?;
        let user = next("user")?;
        let user = match user.to_str() {
            Some("same") => None,
            Some(pair) => Some(parse_user(pair).ok_or("the user is not a pair of numbers")?),
            None => return Err("the user is not text".to_owned()),
        };
        let (directory, stdout, stderr) = (next("directory")?, next("log file")?, next("log file")?);
        let program = next("program")?;
        Ok(Settings {
            program,
            directory: directory.into(),
            stdout: stdout.into(),
            stderr: stderr.into(),
            shown,
            user,
            grace: Duration::from_millis(grace),
            arguments: words.collect(),
        })
    }

    /// How many threads copy output.
    pub(super) fn copies(&self) -> usize {
        if self.shown == Shown::No { 0 } else { 2 }
    }
}

fn parse_user(pair: &str) -> Option<(u32, u32)> {
    let (user, group) = pair.split_once(':')?;
    Some((user.parse().ok()?, group.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "exit 3".into(), "--tee".into()],
            directory: "/tmp".into(),
            stdout: "/tmp/a.stdout".into(),
            stderr: "/tmp/a b.stderr".into(),
            shown: Shown::Inert,
            user: Some((1000, 100)),
            grace: Duration::from_millis(250),
        }
    }

    #[test]
    fn settings_survive_the_way_through_arguments() {
        let others = Settings { user: None, shown: Shown::No, arguments: Vec::new(), ..settings() };
        for settings in [settings(), others] {
            assert_eq!(Settings::from_arguments(settings.to_arguments()), Ok(settings));
        }
    }

    #[test]
    fn another_version_and_missing_words_are_refused() {
        let mut arguments = settings().to_arguments();
        arguments[0] = "0".into();
        assert!(Settings::from_arguments(arguments).unwrap_err().contains("version 0"));
        assert!(Settings::from_arguments(Vec::new()).unwrap_err().contains("no version"));
        assert!(
            Settings::from_arguments(settings().to_arguments()[..7].to_vec())
                .unwrap_err()
                .contains("program")
        );
    }
}

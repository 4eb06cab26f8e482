//! Where RabbitMQ's server is, and the Erlang that it runs on.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::process::find;

/// Names the program `rabbitmq-server`, or the directory that it is in (`sbin` of an unpacked distribution).
pub(crate) const VARIABLE: &str = "PROBITY_RABBITMQ";

const SERVER: &str = "rabbitmq-server";
/// Debian has the program on the PATH of root alone.
const ELSEWHERE: [&str; 2] = ["/usr/lib/rabbitmq/bin", "/usr/local/sbin"];

/// The program of one installed RabbitMQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
}

/// No RabbitMQ was found, or no Erlang.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; install Debian's package `rabbitmq-server`, or name the program in {VARIABLE}")]
pub struct MissingRabbitMq {
    what: String,
}

impl Programs {
    /// Looks in `PROBITY_RABBITMQ`, then on PATH and where Debian has it.
    pub(crate) fn find() -> Result<Programs, MissingRabbitMq> {
        let named = env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from);
        Programs::among(named, env::var_os("PATH").as_deref(), &ELSEWHERE.map(Path::new))
    }

    fn among(
        named: Option<PathBuf>,
        path: Option<&OsStr>,
        elsewhere: &[&Path],
    ) -> Result<Programs, MissingRabbitMq> {
        let missing = |what: String| MissingRabbitMq { what };
        let given = match named {
            Some(named) if named.is_dir() => named.join(SERVER),
            Some(named) => named,
            None => {
                let beside = || elsewhere.iter().map(|place| place.join(SERVER)).find(|it| it.is_file());
                let none = || missing(format!("there is no `{SERVER}` on PATH"));
                find(SERVER, path).or_else(beside).ok_or_else(none)?
            }
        };
        // Started from a directory of its own: the path must not depend on ours.
        let server = fs::canonicalize(&given)
            .map_err(|error| missing(format!("{VARIABLE}: {}: {error}", given.display())))?;
        // What Debian has on PATH is a wrapper that changes user and directory; the server lies beside it.
        let beside = server.with_file_name(SERVER);
        let server = if beside.is_file() { beside } else { server };
        find("erl", path).ok_or_else(|| missing("there is no Erlang, `erl`, on PATH".to_owned()))?;
        Ok(Programs { server })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn program(path: &Path) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_server_is_found_past_debians_wrapper() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (sbin, lib) = (root.join("sbin"), root.join("lib"));
        for place in [&sbin, &lib] {
            fs::create_dir(place).unwrap();
        }
        program(&lib.join("wrapper"));
        program(&lib.join(SERVER));
        symlink(lib.join("wrapper"), sbin.join(SERVER)).unwrap();
        let path = Some(sbin.as_os_str());
        let without_erlang = Programs::among(None, path, &[]).unwrap_err();
        assert!(without_erlang.to_string().starts_with("there is no Erlang"), "{without_erlang}");
        program(&sbin.join("erl"));
        let expected = Ok(Programs { server: lib.join(SERVER) });
        assert_eq!(Programs::among(None, path, &[]), expected);
        assert_eq!(Programs::among(Some(lib.clone()), path, &[]), expected);
        assert_eq!(Programs::among(Some(lib.join(SERVER)), path, &[]), expected);
        fs::remove_file(sbin.join(SERVER)).unwrap();
        assert_eq!(Programs::among(None, path, &[&lib]), expected);
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let error = Programs::among(None, Some(OsStr::new("/nowhere")), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no `rabbitmq-server` on PATH; install Debian's package `rabbitmq-server`, or name the program in \
             PROBITY_RABBITMQ"
        );
        let error = Programs::among(Some("/nowhere/x".into()), None, &[]).unwrap_err();
        assert!(error.to_string().starts_with("PROBITY_RABBITMQ: /nowhere/x: "), "{error}");
    }
}

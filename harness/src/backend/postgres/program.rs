//! How the Postgres server is run: on a Unix socket, as an unprivileged user, with all durability off.

use std::{fs, io, path::PathBuf, time::Duration};

use tokio_postgres::Config;

use super::{Programs, connect, template};
use crate::{
    backend::{
        cache::Cache,
        server::{Launch, Running, ready},
    },
    process::{Program, Signal, StartError, User},
    proxy::Target,
    until::Probe,
    workdir::Workdir,
};

/// Who services connect as. It may do everything, as in a development machine's database.
pub(super) const SUPERUSER: &str = "postgres";
/// Names the socket only.
const PORT: u16 = 5432;
/// Scenarios run in parallel, each with several services and a pool in each.
pub(super) const CONNECTIONS_MAX: u32 = 500;

/// What holds wherever it runs.
pub(super) const SETTINGS: [&str; 11] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "jit=off",
    "shared_buffers=32MB",
    // In its data directory, so that it goes with it, however the server ends.
    "dynamic_shared_memory_type=mmap",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// A server with its data in `data` and its socket in `run` of its work directory.
#[derive(Debug)]
pub(super) struct PostgresProgram {
    programs: Programs,
    user: Option<User>,
    cache: Option<Cache>,
    socket: PathBuf,
}

impl PostgresProgram {
    /// Makes the directory of the socket, which the server's user must be able to write.
    pub(super) fn new(
        programs: Programs,
        cache: Option<Cache>,
        workdir: &Workdir,
    ) -> io::Result<PostgresProgram> {
        let socket = workdir.socket(&format!("run/.s.PGSQL.{PORT}")).map_err(io::Error::other)?;
        let user = User::unprivileged();
        let directory = workdir.path().join("run");
        fs::create_dir(&directory)?;
        user.map_or(Ok(()), |user| user.own(&directory))?;
        Ok(PostgresProgram { programs, user, cache, socket })
    }

    /// How the harness reaches it.
    pub(super) fn config(&self) -> Config {
        let mut config = Config::new();
        config.user(SUPERUSER).port(PORT).application_name("probity");
        if let Some(directory) = self.socket.parent() {
            config.host_path(directory);
        }
        config
    }

    fn command(&self, workdir: &Workdir) -> Program {
        let settings = ["listen_addresses="].into_iter().chain(SETTINGS);
        let settings = settings.flat_map(|setting| ["-c", setting]);
        Program::new(self.programs.postgres())
            .name("postgres")
            .user(self.user)
            .arg("-D")
            .arg(data(workdir))
            .args(["-p".to_owned(), PORT.to_string()])
            .arg("-k")
            .arg(workdir.path().join("run"))
            .args(settings)
            .args(["-c".to_owned(), format!("max_connections={CONNECTIONS_MAX}")])
    }
}

impl Launch for PostgresProgram {
    const GRACE: Duration = Duration::from_secs(10);
    /// "Fast": without it a server waits for its clients to leave.
    const GOODBYE: Option<Signal> = Some(Signal::INT);

    async fn launch(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        if !data(workdir).exists() {
            let (cache, data) = (self.cache.as_ref(), data(workdir));
            template::place(&self.programs, self.user, cache, workdir, &data).await?;
        }
        // A killed server leaves its locks behind, and its pid may seem taken for a moment. We know that none runs.
        _ = fs::remove_file(data(workdir).join("postmaster.pid"));
        _ = fs::remove_file(self.socket.with_extension(format!("{PORT}.lock")));
        let process = self.command(workdir).spawn(workdir)?;
        let mut config = self.config();
        config.dbname("postgres");
        ready(&process, "connection to its socket", async || match connect(&config).await {
            Ok(_) => Probe::Ready(()),
            Err(error) => Probe::NotYet(super::cause(&error)),
        })
        .await?;
        Ok((Running::Process(process), Target::Unix(self.socket.clone())))
    }

    async fn empty(&self, workdir: &Workdir) -> io::Result<()> {
        fs::remove_dir_all(data(workdir))
    }
}

fn data(workdir: &Workdir) -> PathBuf {
    workdir.path().join("data")
}

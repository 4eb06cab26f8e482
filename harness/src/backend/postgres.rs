//! Postgres: the server of this machine or a downloaded one (embedded and local), in a container, or one that
//! runs elsewhere (external).
//!
//! On this machine it listens on a Unix socket only; services reach it by TCP through a proxy whose address never changes. What the
//! harness itself asks goes past the proxy. Nothing is durable, and it never runs as root, which it refuses.

mod container;
#[cfg(feature = "postgres-download")]
mod download;
mod external;
mod program;
mod programs;
mod spares;
mod template;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

#[cfg(feature = "postgres-download")]
pub use download::DownloadError;
pub(super) use programs::VARIABLE as PROGRAMS_VARIABLE;

pub(crate) use programs::Programs;

use container::PostgresContainer;
use external::External;
use program::{PostgresProgram, SUPERUSER};
use spares::Spares;

use super::{
    cache::Cache,
    container::{Hosted, Own, image},
    error::StartError,
    selection::{Kind, Provider},
    server::{Action, ActionError, Server},
};
use crate::{process, proxy::Proxy, workdir::Workdir};

/// How long one statement of ours may take.
const STATEMENT_LIMIT: Duration = Duration::from_secs(15);
/// What one query of ours may bring back.
const ROWS_MAX: usize = 100_000;

/// One Postgres server, running or not.
pub struct Postgres {
    provider: Provider,
    host: Host,
    version: OnceLock<String>,
    /// Made anew when the server starts, also after it was emptied.
    databases: Mutex<BTreeSet<String>>,
    /// Connections that wait for the next question, by database: a wait asks many times, and to connect is most of its cost.
    clients: Mutex<BTreeMap<String, Vec<Client>>>,
    spares: Spares,
    /// What [`spares::CONTENTS`] says of a database where nobody made anything.
    untouched: OnceCell<Vec<Vec<Option<String>>>>,
}

enum Host {
    Own(Box<Server<Own<PostgresProgram, PostgresContainer>>>),
    External(Box<External>),
}

/// Why a question to Postgres has no answer.
#[derive(Debug, Error)]
pub enum PostgresError {
    #[error("postgres did not let us in: {}", cause(.0))]
    Connect(tokio_postgres::Error),
    #[error("postgres refused `{statement}`: {}", cause(error))]
    Refused { statement: String, error: tokio_postgres::Error },
    #[error("postgres did not answer `{statement}` within {} s", STATEMENT_LIMIT.as_secs())]
    Silent { statement: String },
    #[error("`{statement}` brought more than {ROWS_MAX} rows")]
    TooMany { statement: String },
    #[error(
        "no name of a database: `{0}` (a letter, then up to 62 letters, digits and underscores, in lower case)"
    )]
    Name(String),
    #[error("postgres does not run")]
    Away,
}

impl Postgres {
    /// A server that has an address but is not started yet, in a directory of its own within `workdir`.
    ///
    /// Downloads the programs when the machine has none, telling `progress` of it.
    pub async fn reserve(
        provider: &Provider,
        workdir: &Workdir,
        progress: super::DownloadProgress,
    ) -> Result<Postgres, StartError> {
        let failed = |error: &dyn std::error::Error| StartError::ours(Kind::Postgres, provider, error);
        if let Provider::External(url) = provider {
            let external = External::connect(url).await.map_err(|error| failed(&error))?;
            return Ok(Postgres::of(provider, Host::External(Box::new(external))));
        }
        let (launch, workdir) = match provider {
            Provider::Containers(chosen) => {
                let image = image::of(Kind::Postgres, chosen.as_deref());
                let hosted = Hosted::reserve(PostgresContainer, image, workdir).await;
                let hosted =
                    hosted.map_err(|error| StartError::container(Kind::Postgres, provider, error))?;
                (Own::Container(Box::new(hosted)), workdir.child("postgres").map_err(|error| failed(&error))?)
            }
            _ => {
                let programs = obtain(provider, progress).await?;
                let workdir = workdir.child("postgres").map_err(|error| failed(&error))?;
                let program = PostgresProgram::new(programs, Cache::open().ok(), &workdir);
                (Own::Program(program.map_err(|error| failed(&error))?), workdir)
            }
        };
        let proxy = Proxy::bind().await.map_err(|error| failed(&error))?;
        let server = Server::new(Kind::Postgres, launch, workdir, proxy);
        Ok(Postgres::of(provider, Host::Own(Box::new(server))))
    }

    fn of(provider: &Provider, host: Host) -> Postgres {
        let provider = provider.clone();
        Postgres {
            provider,
            host,
            version: OnceLock::new(),
            databases: Mutex::default(),
            clients: Mutex::default(),
            spares: Spares::default(),
            untouched: OnceCell::new(),
        }
    }

    /// Starts it unless it runs, and says how long it took. One that runs elsewhere must answer.
    ///
    /// Databases asked for by [`Postgres::database`] exist before the first service can connect.
    pub async fn start(&self) -> Result<Duration, StartError> {
        let began = Instant::now();
        match &self.host {
            Host::Own(_) => {
                self.launch()
                    .await
                    .map_err(|error| StartError::process(Kind::Postgres, &self.provider, error))?;
            }
            Host::External(_) => {
                for name in self.names() {
                    let made = self.make_database(&name).await;
                    made.map_err(|error| StartError::ours(Kind::Postgres, &self.provider, &error))?;
                }
            }
        }
        let version = self.rows("postgres", "SHOW server_version").await;
        let version = version.map_err(|error| StartError::ours(Kind::Postgres, &self.provider, &error))?;
        _ = self.version.set(version.into_iter().flatten().flatten().next().unwrap_or_default());
        Ok(began.elapsed())
    }

    async fn launch(&self) -> Result<(), process::StartError> {
        let Host::Own(server) = &self.host else { return Ok(()) };
        let prepare = async |_: &_| {
            for name in self.names() {
                self.make_database(&name).await.map_err(|error| process::StartError::Spawn {
                    name: "postgres".to_owned(),
                    reason: error.to_string(),
                    hint: None,
                })?;
            }
            Ok(())
        };
        server.start_with(prepare).await.map(drop)
    }

    /// What the server says of itself; empty before it was started.
    pub fn version(&self) -> &str {
        self.version.get().map_or("", String::as_str)
    }

    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The URL of a database, made now, or when the server starts if it does not run. Never changes.
    pub async fn create_database(&self, name: &str) -> Result<String, PostgresError> {
        let is_name = name.len() <= 63
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_');
        if !is_name {
            return Err(PostgresError::Name(name.chars().take(80).collect()));
        }
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        if self.is_running() {
            self.make_database(name).await?;
        }
        Ok(self.url(name))
    }

    /// Ends a database with whoever is still connected to it: nobody finds it by this name any more. On a server of ours it may be
    /// given out again, emptied, under another.
    pub async fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        let known = self.databases.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if !known || !self.is_running() {
            return Ok(());
        }
        let spare = matches!(self.host, Host::Own(_)) && matches!(self.empty(name).await, Ok(true));
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        match spare {
            true => self.park(name).await,
            false => self.remove(name).await,
        }
    }

    /// Empties a database; whether nothing tells it from a new one then.
    async fn empty(&self, name: &str) -> Result<bool, PostgresError> {
        let untouched = self.untouched.get_or_try_init(|| self.rows("postgres", spares::CONTENTS)).await?;
        Ok(self.rows(name, &spares::emptied()).await? == *untouched)
    }

    /// Nobody who knows its name finds it any more.
    async fn park(&self, name: &str) -> Result<(), PostgresError> {
        let spare = self.spares.name();
        match self.rename(name, &spare).await {
            Ok(()) => self.spares.put(spare),
            Err(_) => self.remove(name).await?,
        }
        Ok(())
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), PostgresError> {
        self.rows("postgres", &format!("ALTER DATABASE {from} RENAME TO {to}")).await.map(drop)
    }

    async fn remove(&self, name: &str) -> Result<(), PostgresError> {
        self.rows("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.map(drop)
    }

    /// What services are given for a database. Never changes.
    pub fn url(&self, database: &str) -> String {
        match &self.host {
            Host::Own(server) => format!("postgres://{SUPERUSER}@{}/{database}", server.proxy.address()),
            Host::External(external) => external.url(database),
        }
    }

    /// The rows of a query, as text, past the proxy: a fault between the services and Postgres does not blind it.
    pub async fn rows(
        &self,
        database: &str,
        statement: &str,
    ) -> Result<Vec<Vec<Option<String>>>, PostgresError> {
        let silent = || PostgresError::Silent { statement: statement.to_owned() };
        tokio::time::timeout(STATEMENT_LIMIT, self.ask(database, statement))
            .await
            .unwrap_or_else(|_| Err(silent()))
    }

    async fn ask(&self, database: &str, statement: &str) -> Result<Vec<Vec<Option<String>>>, PostgresError> {
        let answer = self.answer(database, statement).await?;
        let mut rows = Vec::new();
        for message in answer {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
            }
        }
        match rows.len() {
            0..=ROWS_MAX => Ok(rows),
            _ => Err(PostgresError::TooMany { statement: statement.to_owned() }),
        }
    }

    async fn answer(
        &self,
        database: &str,
        statement: &str,
    ) -> Result<Vec<SimpleQueryMessage>, PostgresError> {
        let refused = |error| PostgresError::Refused { statement: statement.to_owned(), error };
        if let Some(client) = self.kept(database) {
            match client.simple_query(statement).await {
                // The server ended meanwhile, which says nothing of the one that may run now.
                Err(error) if error.is_closed() || client.is_closed() => {}
                answer => {
                    self.keep(database, client);
                    return answer.map_err(refused);
                }
            }
        }
        let client = self.connect(database).await?;
        let answer = client.simple_query(statement).await.map_err(refused);
        self.keep(database, client);
        answer
    }

    /// A connection to a database that nobody uses, if there is one that was not closed.
    fn kept(&self, database: &str) -> Option<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = clients.get_mut(database)?;
        kept.retain(|client| !client.is_closed());
        kept.pop()
    }

    /// Keeps a connection for the next question: to a database of ours, whose removal ends it, and on a server of ours.
    fn keep(&self, database: &str, client: Client) {
        let ours = self.databases.lock().unwrap_or_else(PoisonError::into_inner).contains(database);
        if ours || (database == "postgres" && matches!(self.host, Host::Own(_))) {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            clients.entry(database.to_owned()).or_default().push(client);
        }
    }

    async fn connect(&self, database: &str) -> Result<Client, PostgresError> {
        let mut config = match &self.host {
            Host::Own(server) => match &server.launch {
                Own::Program(program) => program.config(),
                Own::Container(hosted) => container::config(hosted.address(0).ok_or(PostgresError::Away)?),
            },
            Host::External(external) => external.config(),
        };
        if matches!(self.host, Host::Own(_)) || database != "postgres" {
            config.dbname(database);
        }
        connect(&config).await.map_err(PostgresError::Connect)
    }

    async fn make_database(&self, name: &str) -> Result<(), PostgresError> {
        let found =
            self.rows("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).await?;
        if !found.is_empty() {
            return Ok(());
        }
        // One that cannot be had went with the data of a server that was emptied.
        if let Some(spare) = self.spares.take()
            && self.rename(&spare, name).await.is_ok()
        {
            return Ok(());
        }
        self.rows("postgres", &format!("CREATE DATABASE {name}")).await.map(drop)
    }

    fn names(&self) -> Vec<String> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn is_running(&self) -> bool {
        match &self.host {
            Host::Own(server) => server.target().borrow().is_some(),
            Host::External(_) => true,
        }
    }

    /// Stops, kills, pauses, empties it, or cuts it off.
    pub async fn apply(&self, action: Action) -> Result<(), ActionError> {
        action.supported(Kind::Postgres, &self.provider)?;
        match &self.host {
            Host::Own(server) => server.apply(action, async || self.launch().await).await,
            Host::External(external) => {
                if let Action::Network(fault) = action {
                    external.proxy.set_fault(fault).await;
                }
                Ok(())
            }
        }
    }

    /// How it ended, if it did and nobody asked it to; nothing is known of one that runs elsewhere.
    pub(crate) async fn lost(&self) -> Option<String> {
        match &self.host {
            Host::Own(server) => server.lost().await,
            Host::External(_) => None,
        }
    }

    /// Ends it for good: for the end of a run or scenario. On one that runs elsewhere, our databases go.
    pub async fn finish(&self) {
        match &self.host {
            Host::Own(server) => drop(server.finish(Some(Duration::from_secs(5))).await),
            Host::External(_) => {
                for name in self.names() {
                    _ = self.drop_database(&name).await;
                }
            }
        }
    }
}

/// The programs of this machine, else a download.
async fn obtain(provider: &Provider, progress: super::DownloadProgress) -> Result<Programs, StartError> {
    if let Some(programs) = Programs::find() {
        return Ok(programs);
    }
    #[cfg(feature = "postgres-download")]
    {
        let downloaded = tokio::task::spawn_blocking(move || {
            download::download(&move |received, length| progress(received, length))
        });
        let failed = |error: &dyn std::error::Error| StartError::ours(Kind::Postgres, provider, error);
        downloaded.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
    #[cfg(not(feature = "postgres-download"))]
    {
        _ = progress;
        let missing = std::io::Error::other("there is no Postgres server on this machine");
        Err(StartError::ours(Kind::Postgres, provider, &missing))
    }
}

/// A connection whose other half ends with the client.
async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        // What goes wrong on the connection is what the client's next answer says.
        _ = connection.await;
    });
    Ok(client)
}

/// The library's own message is `db error`; the server's is beneath it.
fn cause(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => error.to_string(),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;

//! A fresh data directory: copied from the machine's template, which is a fifth of the time that `initdb` takes; made by
//! `initdb` when there is no template yet, which makes one.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Programs, program::SUPERUSER};
use crate::{
    backend::cache::{self, Cache},
    process::{Program, StartError, User},
    workdir::Workdir,
};

const INITDB_LIMIT: Duration = Duration::from_secs(60);
/// For whoever calls `initdb`.
pub(super) const ARGUMENTS: [&str; 3] = ["--no-sync", "--locale=C", "--encoding=UTF8"];
/// For us. The log in segments of 1 MiB rather than 16 makes the template a third smaller.
const OWN_ARGUMENTS: [&str; 4] = ["--auth=trust", "--username", SUPERUSER, "--wal-segsize=1"];

/// Puts a fresh data directory at `data`.
///
/// Without a cache, each data directory is made by `initdb`: slower, and as good.
pub(super) async fn place(
    programs: &Programs,
    user: Option<User>,
    cache: Option<&Cache>,
    workdir: &Workdir,
    data: &Path,
) -> Result<(), StartError> {
    let template = cache.and_then(|cache| Some((cache, template(programs, cache)?)));
    if let Some((_, template)) = template.as_ref().filter(|(_, template)| template.exists()) {
        if copy(template.clone(), data.to_owned(), user).await.is_ok() {
            return Ok(());
        }
        _ = fs::remove_dir_all(data);
    }
    initdb(programs, user, workdir, data).await?;
    if let Some((cache, template)) = template {
        _ = keep(data.to_owned(), cache.clone(), template).await;
    }
    Ok(())
}

fn template(programs: &Programs, cache: &Cache) -> Option<PathBuf> {
    let key = cache::key(&[
        programs.fingerprint().ok()?.as_bytes(),
        ARGUMENTS.concat().as_bytes(),
        OWN_ARGUMENTS.concat().as_bytes(),
    ]);
    Some(cache.path(&format!("postgres-template-{key}")))
}

async fn initdb(
    programs: &Programs,
    user: Option<User>,
    workdir: &Workdir,
    data: &Path,
) -> Result<(), StartError> {
    let failed = |error: io::Error| StartError::Spawn {
        name: "initdb".to_owned(),
        reason: format!("{} cannot be made: {error}", data.display()),
        hint: None,
    };
    fs::DirBuilder::new().mode(0o700).create(data).map_err(failed)?;
    user.map_or(Ok(()), |user| user.own(data)).map_err(failed)?;
    let initdb = Program::new(programs.initdb()).name("initdb").user(user).arg("-D").arg(data);
    initdb.args(ARGUMENTS).args(OWN_ARGUMENTS).run(workdir, INITDB_LIMIT).await.map(drop)
}

async fn copy(template: PathBuf, data: PathBuf, user: Option<User>) -> io::Result<()> {
    let owner = user.map(|user| (user.uid, user.gid));
    blocking(move || cache::copy_directory(&template.join("data"), &data, owner)).await
}

async fn keep(data: PathBuf, cache: Cache, template: PathBuf) -> io::Result<()> {
    blocking(move || {
        let draft = cache.draft()?;
        cache::copy_directory(&data, &draft.path().join("data"), None)?;
        cache::publish(draft, &template)
    })
    .await
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

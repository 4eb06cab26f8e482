//! What Apache Kafka needs before it starts and this machine keeps: a formatted directory, and an archive of the loaded
//! classes, which halves the time to ready.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Apache, program};
use crate::{
    backend::cache::{self, Cache},
    process::{Program, StartError},
    workdir::Workdir,
};

/// The classes are written when the program ends, which takes a few seconds more.
pub(super) const ARCHIVE_LIMIT: Duration = Duration::from_secs(30);
const FORMAT_LIMIT: Duration = Duration::from_secs(60);
/// Any 16 bytes: each cluster of ours is alone in the world.
pub(super) const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";

/// Puts a formatted directory at `data`.
pub(super) async fn place(apache: &Apache, workdir: &Workdir, data: &Path) -> Result<(), StartError> {
    let failed = |error: io::Error| StartError::Spawn {
        name: "kafka".to_owned(),
        reason: format!("{} cannot be made: {error}", data.display()),
        hint: None,
    };
    let kept = kept(apache, "format");
    if let Some(formatted) = kept.as_ref().filter(|formatted| formatted.exists()) {
        return cache::copy_directory(&formatted.join("data"), data, None).map_err(failed);
    }
    format(apache, workdir, data).await?;
    if let Some(formatted) = kept {
        // Without a cache, the next one is formatted as well: slower, and as good.
        _ = keep(data, &formatted);
    }
    Ok(())
}

fn keep(data: &Path, formatted: &Path) -> io::Result<()> {
    let draft = Cache::open()?.draft()?;
    cache::copy_directory(data, &draft.path().join("data"), None)?;
    cache::publish(draft, formatted)
}

async fn format(apache: &Apache, workdir: &Workdir, data: &Path) -> Result<(), StartError> {
    let settings = workdir.path().join("format.properties");
    // No connection is made: any port will do.
    let ports = program::Ports { services: 1, harness: 2, controller: 3 };
    let written = fs::write(&settings, program::properties(data, &ports, "127.0.0.1:1"));
    written.map_err(|error| StartError::Spawn {
        name: "kafka".to_owned(),
        reason: format!("{} cannot be written: {error}", settings.display()),
        hint: None,
    })?;
    let format = Program::new(&apache.java)
        .name("kafka-format")
        .args(program::JVM)
        .args(["-cp", &apache.class_path(), "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"])
        .arg(settings);
    format.run(workdir, FORMAT_LIMIT).await.map(drop)
}

/// The archive of classes for exactly this Java and these jars; it may not be there yet.
pub(super) fn archive(apache: &Apache) -> Option<PathBuf> {
    kept(apache, "classes").map(|directory| directory.join(ARCHIVE))
}

/// Makes what a program left at its end the machine's archive.
pub(super) fn keep_archive(apache: &Apache, written: &Path) -> io::Result<()> {
    let place = kept(apache, "classes").ok_or_else(|| io::Error::other("no cache"))?;
    let draft = Cache::open()?.draft()?;
    fs::copy(written, draft.path().join(ARCHIVE))?;
    cache::publish(draft, &place)
}

const ARCHIVE: &str = "kafka.jsa";

fn kept(apache: &Apache, what: &str) -> Option<PathBuf> {
    let fingerprint = apache.fingerprint().ok()?;
    let key = cache::key(&[fingerprint.as_bytes(), program::JVM.concat().as_bytes()]);
    Some(Cache::open().ok()?.path(&format!("kafka-{what}-{key}")))
}

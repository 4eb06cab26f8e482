//! What is captured while a scenario runs: keys in etcd, probes over time; and what is read once at its end: log lines,
//! listening sockets.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::answers::ask;
use super::running::now;
use crate::backend::KeyWatch;
use crate::model::*;
use crate::until::between_looks;

/// The most lines of a log that are kept.
const LINES_MAX: usize = 200_000;

/// The captures under way; dropping it ends them.
#[derive(Default)]
pub(super) struct Captures {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    pub(super) probes: Arc<Mutex<Vec<Probe>>>,
    pub(super) keys: Option<KeyWatch>,
    pub(super) watched_from: UnixNanos,
    /// Where each running instance answers probes.
    pub(super) probed: Arc<Mutex<Vec<Probed>>>,
}

#[derive(Clone)]
pub(super) struct Probed {
    pub(super) process: ProcessId,
    pub(super) service: String,
    pub(super) admin: SocketAddr,
}

impl Drop for Captures {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Captures {
    /// Looks at health and readiness of every instance again and again, and keeps each change.
    pub(super) fn watch_probes(&mut self, client: reqwest::Client) {
        let (probes, probed) = (self.probes.clone(), self.probed.clone());
        self.tasks.push(tokio::spawn(async move {
            loop {
                let instances = probed.lock().expect("no holder panics").clone();
                for instance in instances {
                    for (kind, path) in [(ProbeKind::Live, "/healthz"), (ProbeKind::Ready, "/readyz")] {
                        let status = ask(&client, instance.admin, path, Some("*/*")).await.0.status;
                        keep_change(&probes, &instance, kind, status);
                    }
                }
                between_looks().await;
            }
        }));
    }

    pub(super) fn watch_with(&mut self, task: tokio::task::JoinHandle<()>) {
        self.tasks.push(task);
    }

    /// What was seen so far, taken.
    pub(super) fn take(&self) -> (Vec<Probe>, Vec<KeyEvent>) {
        let probes = std::mem::take(&mut *self.probes.lock().expect("no holder panics"));
        (probes, self.keys.as_ref().map(KeyWatch::events).unwrap_or_default())
    }
}

/// Every look counts for readiness while something is away, so the first and last of equal looks are both kept.
fn keep_change(probes: &Mutex<Vec<Probe>>, instance: &Probed, kind: ProbeKind, status: Option<u16>) {
    let mut probes = probes.lock().expect("no holder panics");
    let new = Probe {
        process: instance.process.clone(),
        service: instance.service.clone(),
        kind,
        at: now(),
        status,
    };
    let mut same = probes.iter_mut().rev().filter(|known| known.process == new.process && known.kind == kind);
    match (same.next(), same.next()) {
        (Some(last), Some(before)) if last.status == new.status && before.status == new.status => {
            last.at = new.at
        }
        _ => probes.push(new),
    }
}

/// The lines of a process's log files.
pub(super) fn log_lines(process: &ProcessId, service: &str, stdout: &Path, stderr: &Path) -> Vec<LogLine> {
    let mut lines = Vec::new();
    for (path, stderr) in [(stdout, false), (stderr, true)] {
        let bytes = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in text.lines().take(LINES_MAX).enumerate() {
            let end = (0..=line.len().min(LogLine::BYTES_MAX))
                .rev()
                .find(|end| line.is_char_boundary(*end))
                .unwrap_or(0);
            lines.push(LogLine {
                process: process.clone(),
                service: service.to_string(),
                stderr,
                line: number as u32 + 1,
                text: line[..end].to_string(),
            });
        }
    }
    lines
}

/// The TCP addresses on which a process listens, from the kernel's tables; empty where they cannot be read.
pub(super) fn listening_sockets(pid: u32) -> Vec<SocketAddr> {
    let inodes = socket_inodes(pid);
    let mut sockets = Vec::new();
    for (table, v6) in [("tcp", false), ("tcp6", true)] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        sockets.extend(text.lines().skip(1).filter_map(|line| listener(line, v6, &inodes)));
    }
    sockets
}

fn socket_inodes(pid: u32) -> HashSet<String> {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return HashSet::new() };
    let targets = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_string()))
        .collect()
}

/// A line of `/proc/net/tcp`: `sl local rem st … uid timeout inode`; state 0A is LISTEN.
fn listener(line: &str, v6: bool, inodes: &HashSet<String>) -> Option<SocketAddr> {
    // Of thousands of connections few lines are a listener's: the rest of the others is not looked at.
    let mut fields = line.split_whitespace();
    let (local, state) = (fields.nth(1)?, fields.nth(1)?);
    if state != "0A" || !inodes.contains(fields.nth(5)?) {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !v6 {
        let raw = u32::from_str_radix(address, 16).ok()?;
        let ip = Ipv4Addr::from(raw.swap_bytes());
        return Some(SocketAddr::from((if ip.is_unspecified() { Ipv4Addr::LOCALHOST } else { ip }, port)));
    }
    let loopback = Ipv6Addr::LOCALHOST;
    let any = address.bytes().all(|digit| digit == b'0');
    // A wildcard listener answers on IPv4's loopback too.
    Some(if any { SocketAddr::from((Ipv4Addr::LOCALHOST, port)) } else { SocketAddr::from((loopback, port)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_ours_is_found_in_the_kernels_tables() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listening_sockets(std::process::id());
        if cfg!(target_os = "linux") {
            assert!(found.contains(&listener.local_addr().unwrap()), "{found:?}");
        }
    }

    #[test]
    fn of_equal_looks_the_first_and_the_last_are_kept() {
        let instance = Probed {
            process: ProcessId::new("a#1"),
            service: "a".into(),
            admin: SocketAddr::from(([127, 0, 0, 1], 1)),
        };
        let probes = Mutex::new(Vec::new());
        for status in [None, Some(503), Some(503), Some(503), Some(200), Some(503)] {
            keep_change(&probes, &instance, ProbeKind::Ready, status);
        }
        let seen: Vec<_> = probes.into_inner().unwrap().into_iter().map(|probe| probe.status).collect();
        assert_eq!(seen, [None, Some(503), Some(503), Some(200), Some(503)]);
    }
}

//! Starting and ending services of the system under test.

use std::net::SocketAddr;
use std::time::Duration;

use super::capture::Probed;
use super::environment::{self, Export};
use super::running::{Instance, Running, Stop, now};
use super::service::Addresses;
use crate::model::*;
use crate::process::Program;
use crate::until::{Never, Probe as Look, between_looks, until};

/// How long a service may take to open its first port.
const LISTEN_LIMIT: Duration = Duration::from_secs(5);

/// How long services may take to become ready when nothing stands in their way.
const READY_LIMIT: Duration = Duration::from_secs(15);

impl Running {
    /// Starts every service of the stack side by side and waits until each is ready. One that exits or never becomes ready
    /// is evidence, not an abort.
    pub async fn start_all(&mut self) -> Result<(), Stop> {
        for service in self.stack.services.clone() {
            self.spawn(service, None)?;
        }
        for service in self.stack.services.clone() {
            self.ready(service, READY_LIMIT).await;
        }
        Ok(())
    }

    /// Starts one instance of a service and waits until it listens, or has exited.
    pub async fn start(&mut self, service: &'static str) -> Result<(), Stop> {
        let number = self.spawn(service, None)?;
        self.listening(number).await;
        Ok(())
    }

    /// As [`Running::start`], on a port that the scenario insists on for that role.
    pub async fn start_on(
        &mut self,
        service: &'static str,
        role: &'static str,
        address: SocketAddr,
    ) -> Result<(), Stop> {
        let number = self.spawn(service, Some((role, address)))?;
        self.listening(number).await;
        Ok(())
    }

    fn spawn(
        &mut self,
        service: &'static str,
        insisted: Option<(&'static str, SocketAddr)>,
    ) -> Result<usize, Stop> {
        self.share.progress.phase(&format!("starting {service}"));
        let count = self.evidence.processes.iter().filter(|process| process.service == service).count();
        let id = ProcessId::new(format!("{service}#{}", count + 1));
        let program =
            self.system.service(service).ok_or_else(|| Stop(format!("no service is called {service}")))?;
        let wiring = self.share.wiring(service, insisted);
        let export = Export { spans_delay: self.stack.spans_delay, span_batch: self.stack.span_batch };
        let endpoint = self.collector_endpoint();
        let process = Program::new(&program.path)
            .name(id.as_str())
            .envs((program.wire)(&wiring))
            .envs(environment::variables(&id, &endpoint, export))
            .envs(self.stack_environment(service))
            .envs(self.extra_environment.clone())
            .spawn(&self.share.workdir)
            .map_err(|error| Stop::because(&format!("cannot start {service}"), error))?;
        self.evidence.processes.push(Process {
            id: id.clone(),
            service: service.into(),
            started: now(),
            ready: None,
            end: None,
            fence: Fence::Open { why: "still running".into() },
        });
        let addresses = Addresses::default();
        self.follow_log(program.listening, &process, &id, service, &addresses);
        self.instances.push(Instance { id, service, process, addresses, insisted });
        Ok(self.instances.len() - 1)
    }

    fn stack_environment(&self, service: &str) -> Vec<(String, String)> {
        let concerns = |only: &Option<&str>| only.is_none_or(|only| only == service);
        let variables = self.stack.environment.iter().filter(|(only, _, _)| concerns(only));
        variables.map(|(_, variable, value)| (variable.to_string(), value.clone())).collect()
    }

    /// Reads the log as it grows for the ports that open, and points our proxies and probes at them.
    fn follow_log(
        &mut self,
        read: fn(&str) -> Option<super::Listening>,
        process: &crate::process::Process,
        id: &ProcessId,
        service: &str,
        addresses: &Addresses,
    ) {
        let (stdout, addresses) = (process.logs().stdout.clone(), addresses.clone());
        let declared = self.declared_ports(service);
        let probed = self.captures.probed.clone();
        let (process, service) = (id.clone(), service.to_string());
        let advertised = self.share.advertised(&service);
        self.captures.watch_with(tokio::spawn(async move {
            while addresses.all().len() < declared {
                let text = tokio::fs::read_to_string(&stdout).await.unwrap_or_default();
                for listening in text.lines().filter_map(read) {
                    if addresses.get(&listening.role).is_some() {
                        continue;
                    }
                    if listening.role == "admin" {
                        let (process, service, admin) = (process.clone(), service.clone(), listening.address);
                        probed.lock().expect("no holder panics").push(Probed { process, service, admin });
                    }
                    if let Some((_, proxy)) = advertised.as_ref().filter(|(role, _)| *role == listening.role)
                    {
                        proxy.set_target(Some(listening.address));
                    }
                    addresses.set(listening);
                }
                between_looks().await;
            }
        }));
    }

    fn declared_ports(&self, service: &str) -> usize {
        self.system.declaration.service(service).map_or(1, |known| known.ports.len())
    }

    /// Waits until we know all its declared ports: it may be ready before we have read where the last one is.
    async fn all_ports(&self, number: usize) {
        let instance = &self.instances[number];
        let declared = self.declared_ports(instance.service);
        said(instance, "every port", |addresses| addresses.all().len() >= declared).await;
    }

    /// Waits until we know where the newest instance of a service has its port of that role, if it lives and should have one.
    pub(super) async fn port_known(&self, service: &str, role: &str) {
        let newest = self.instances.iter().rfind(|instance| instance.service == service);
        let awaited = newest.filter(|new| new.insisted.is_none() && new.addresses.get(role).is_none());
        if let Some(instance) = awaited {
            said(instance, &format!("port {role}"), |addresses| addresses.get(role).is_some()).await;
        }
    }

    /// Waits until an instance has said where its admin port is, has exited, or has had its time.
    async fn listening(&mut self, number: usize) {
        let instance = &self.instances[number];
        let name = format!("the first port of {}", instance.id);
        let waited = until(&name, LISTEN_LIMIT, async || -> Result<_, Never> {
            let open = instance.addresses.get("admin").is_some();
            let over = instance.process.exit().is_some();
            // An instance that lost its insisted port and goes on without says nothing more.
            let mute = instance.insisted.is_some()
                && instance.process.logs().tail(50).stdout.iter().any(|line| line.contains("taken"));
            Ok(if open || over || mute { Look::Ready(()) } else { Look::NotYet("no port yet".into()) })
        });
        _ = waited.await;
        self.note_exit(number);
    }

    /// Waits until the newest instance of a service says that it is ready; `false`: it did not within the limit, or exited.
    pub async fn ready(&mut self, service: &str, limit: Duration) -> bool {
        let Some(number) = self.instances.iter().rposition(|instance| instance.service == service) else {
            return false;
        };
        self.share.progress.phase(&format!("waiting: {service} is ready"));
        let instance = &self.instances[number];
        let client = &self.client;
        let name = format!("{service} is ready");
        let waited = until(&name, limit, async || -> Result<_, String> {
            if let Some(exit) = instance.process.exit() {
                return Err(format!("it ended: {exit:?}"));
            }
            let Some(address) = instance.addresses.get("admin") else {
                return Ok(Look::NotYet("no port yet".into()));
            };
            let answer = super::answers::ask(client, address, "/readyz", Some("*/*")).await.0;
            Ok(match answer.status {
                Some(200..300) => Look::Ready(()),
                Some(status) => Look::NotYet(format!("{status}: {}", answer.body.trim())),
                None => Look::NotYet(answer.error.unwrap_or_default()),
            })
        });
        let ready = waited.await.is_ok();
        let id = self.instances[number].id.clone();
        if ready {
            self.process_mut(&id).ready.get_or_insert(now());
            self.all_ports(number).await;
        }
        self.note_exit(number);
        ready
    }

    /// Notes an instance that ended without being asked.
    pub(super) fn note_exit(&mut self, number: usize) {
        let instance = &self.instances[number];
        let Some(exit) = instance.process.exit() else { return };
        let (id, exit) = (instance.id.clone(), super::faults::exit_of(&exit));
        let process = self.process_mut(&id);
        if process.end.is_none() {
            process.end = Some(ProcessEnd { at: now(), exit, asked: None, within_grace: false });
            if !process.fence.proves_absence() {
                process.fence = Fence::Open { why: format!("ended by itself with {exit}") };
            }
        }
    }

    /// Where the collector is for the services of this scenario.
    fn collector_endpoint(&self) -> String {
        format!(
            "http://{}",
            self.collector_proxy.as_ref().map_or(self.collector.address(), |proxy| proxy.address())
        )
    }
}

/// Waits until the log of an instance has said what is awaited of its ports, until it has exited, or has had its time: what
/// never opens fails whatever needs it, by name.
async fn said(instance: &Instance, what: &str, is_said: impl Fn(&Addresses) -> bool) {
    let name = format!("{what} of {}", instance.id);
    let waited = until(&name, LISTEN_LIMIT, async || -> Result<_, Never> {
        let over = is_said(&instance.addresses) || instance.process.exit().is_some();
        Ok(if over { Look::Ready(()) } else { Look::NotYet("not in its log".into()) })
    });
    _ = waited.await;
}

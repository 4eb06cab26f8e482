//! What we ask of the system's ports: our own scrapes of the declared metrics address, probes, every listening socket, and
//! each target of a scrape configuration.

use std::net::SocketAddr;
use std::time::Duration;

use super::answers::ask;
use super::running::{Running, now};
use super::stack::ScrapeFile;
use crate::model::*;
use crate::rules::{exporters, exposed};
use crate::until::{Never, Probe as Look, until};

/// Puts into the ledger what each process says in its last scrape of spans that it gave up.
pub(super) fn let_exporters_say(evidence: &mut Evidence) {
    let last = |id: &ProcessId| {
        let its_own = |scrape: &&Scrape| scrape.stage != ScrapeStage::Before && scrape.process == *id;
        evidence.scrapes.iter().filter(its_own).max_by_key(|scrape| scrape.at)
    };
    for entry in &mut evidence.ledger.senders {
        let Some(scrape) = entry.process.as_ref().and_then(last) else { continue };
        if let Ok(exposition) = exposed::read(&scrape.answer, None) {
            entry.exporter_says = exporters::said(&exposition).lines;
        }
    }
}

impl Running {
    /// Scrapes every running service's declared metrics address.
    pub async fn scrape(&mut self, stage: ScrapeStage) {
        for number in 0..self.instances.len() {
            if self.instances[number].process.exit().is_none() {
                self.scrape_instance(number, stage).await;
            }
        }
    }

    pub(super) async fn scrape_instance(&mut self, number: usize, stage: ScrapeStage) {
        let instance = &self.instances[number];
        let declared = self.system.declaration.service(instance.service);
        let port = declared.and_then(|service| service.ports.iter().find(|port| port.metrics_path.is_some()));
        let Some((role, Some(path))) = port.map(|port| (port.role.clone(), port.metrics_path.clone())) else {
            return;
        };
        let (process, service) = (instance.id.clone(), instance.service.to_string());
        let insisted = instance.insisted.filter(|(known, _)| *known == role).map(|(_, address)| address);
        let at = now();
        let answer = match instance.addresses.get(&role).or(insisted) {
            Some(address) => ask(&self.client, address, &path, None).await.0,
            None => HttpAnswer { error: Some(format!("no {role} port is open")), ..HttpAnswer::default() },
        };
        self.evidence.scrapes.push(Scrape { process, service, at, stage, answer });
    }

    /// Waits until what a producer of records has counted stands still: an acknowledgement is counted a moment after the
    /// record is in its topic, and no answer tells of it. Bounded; what moves on is judged as it was scraped.
    pub(super) async fn rest(&mut self, number: usize) {
        let instance = &self.instances[number];
        let produces = self.system.declaration.topics.iter().any(|topic| topic.producer == instance.service);
        let address = instance.addresses.get("admin");
        let (true, Some(address)) = (produces, address) else { return };
        let client = &self.client;
        let mut before = None;
        let waited = until("counters at rest", Duration::from_secs(1), async || -> Result<_, Never> {
            let body = ask(client, address, "/metrics", None).await.0.body;
            let counted: Vec<String> =
                body.lines().filter(|line| line.contains("_total")).map(without_exemplar).collect();
            let rests = before.as_ref() == Some(&counted);
            before = Some(counted);
            Ok(if rests { Look::Ready(()) } else { Look::NotYet("counting".into()) })
        });
        _ = waited.await;
    }

    /// Looks at health and readiness of an instance once.
    pub(super) async fn probe_instance(&mut self, number: usize) {
        let instance = &self.instances[number];
        let (id, service) = (instance.id.clone(), instance.service.to_string());
        let Some(address) = instance.addresses.get("admin") else { return };
        for (kind, path) in [(ProbeKind::Live, "/healthz"), (ProbeKind::Ready, "/readyz")] {
            let (answer, _) = ask(&self.client, address, path, Some("*/*")).await;
            let (process, service) = (id.clone(), service.clone());
            self.evidence.probes.push(Probe { process, service, kind, at: now(), status: answer.status });
        }
    }

    /// Asks every listening socket of every running process for metrics once. On a main port that is a request like any
    /// other, and is recorded as one.
    pub(super) async fn ask_sockets(&mut self) {
        for number in 0..self.instances.len() {
            let instance = &self.instances[number];
            if instance.process.exit().is_some() {
                continue;
            }
            let (id, service) = (instance.id.clone(), instance.service);
            let mut held = self.sockets_of(number);
            held.sort_by_key(|(role, address)| (role.clone(), *address));
            for (role, address) in held {
                let port = self
                    .system
                    .declaration
                    .service(service)
                    .and_then(|known| known.port(role.as_deref()?))
                    .cloned();
                let began = now();
                let (answer, trace) = ask(&self.client, address, "/metrics", None).await;
                let owned = port.as_ref().is_some_and(|port| port.metrics_path.is_some());
                if !owned && role.is_some() && port.as_ref().is_none_or(|port| port.protocol == "http") {
                    self.record_ask(
                        service,
                        &id,
                        role.as_deref().unwrap_or("other"),
                        "/metrics",
                        began,
                        &answer,
                        trace,
                    );
                }
                let named = port.map_or_else(
                    || format!("{service} (undeclared port)"),
                    |port| format!("{service}:{}", port.number),
                );
                self.evidence.sockets.push(Socket {
                    process: id.clone(),
                    service: service.to_string(),
                    role,
                    address: named,
                    metrics: Some(answer),
                    held_by: None,
                });
            }
            self.note_lost_ports(number);
        }
    }

    /// Roles that a service was to serve and that another process of the run holds.
    fn note_lost_ports(&mut self, number: usize) {
        let instance = &self.instances[number];
        let mut lost = Vec::new();
        if let Some((role, wanted)) =
            instance.insisted.filter(|(role, _)| instance.addresses.get(role).is_none())
        {
            let others = self
                .instances
                .iter()
                .filter(|other| other.id != instance.id && other.process.exit().is_none());
            let holder =
                others.into_iter().find(|other| other.addresses.all().values().any(|held| *held == wanted));
            lost.extend(holder.map(|holder| (role.to_string(), holder.id.clone())));
        }
        let (id, service) = (instance.id.clone(), instance.service);
        for (role, holder) in lost {
            let port = self
                .system
                .declaration
                .service(service)
                .and_then(|known| known.port(&role))
                .map_or(0, |port| port.number);
            self.evidence.sockets.push(Socket {
                process: id.clone(),
                service: service.to_string(),
                role: Some(role),
                address: format!("{service}:{port}"),
                metrics: None,
                held_by: Some(holder),
            });
        }
    }

    /// What the process listens on: by the kernel's tables where they can be read, else what it said itself.
    fn sockets_of(&self, number: usize) -> Vec<(Option<String>, SocketAddr)> {
        let instance = &self.instances[number];
        let role_of = |address: &SocketAddr| {
            let known =
                instance.addresses.all().into_iter().find(|(_, known)| known.port() == address.port());
            known.map(|(role, _)| role)
        };
        let listening = super::capture::listening_sockets(instance.process.pid());
        if listening.is_empty() {
            return instance
                .addresses
                .all()
                .into_iter()
                .map(|(role, address)| (Some(role), address))
                .collect();
        }
        listening.into_iter().map(|address| (role_of(&address), address)).collect()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a stimulus has that many parts, and this is its one caller's shape"
    )]
    fn record_ask(
        &mut self,
        service: &str,
        process: &ProcessId,
        port: &str,
        path: &str,
        sent: UnixNanos,
        answer: &HttpAnswer,
        trace: Option<TraceParent>,
    ) {
        let named =
            trace.map(|context| ("traceresponse".to_string(), context.to_string())).into_iter().collect();
        self.evidence.stimuli.push(Stimulus {
            id: self.evidence.stimuli.len() as u32 + 1,
            kind: StimulusKind::Http { method: "GET".into(), path: path.into() },
            operation: operation_of(&self.system.declaration, service, path).map(String::from),
            process: Some(process.clone()),
            service: service.into(),
            headers: Vec::new(),
            port: port.into(),
            sent,
            answered: answer.status.map(|_| now()),
            answer: answer.status.map(|status| Answer { status, headers: named, ..Answer::default() }),
            error: answer.error.clone(),
            gave_up: answer.status.is_none().then(now),
            trace: trace.map(|context| context.trace),
            unique: None,
            phase: "barrier".into(),
            by_barrier: true,
        });
    }

    /// Asks each target of the stack's scrape configurations once.
    pub(super) async fn ask_targets(&mut self) {
        for ScrapeFile { file, variant } in self.stack.scrape_files.clone() {
            let name = variant.map_or_else(|| file.to_string(), |(variant, _)| format!("{file} ({variant})"));
            let text = self.file(file).map(|text| variant.map_or(text.clone(), |(_, change)| change(&text)));
            let (text, unreadable) = match text {
                Ok(text) => (text, None),
                Err(error) => (String::new(), Some(error)),
            };
            let parsed = crate::scrape_config::parse(&text);
            let error = unreadable.or_else(|| parsed.as_ref().err().map(ToString::to_string));
            self.evidence.files.push(ConfigFile { name: name.clone(), text, error, prometheus: None });
            for target in
                parsed.map(|config| config.targets(&name, &self.system.declaration)).unwrap_or_default()
            {
                self.ask_target(target).await;
            }
        }
    }

    async fn ask_target(&mut self, mut target: Target) {
        if let Resolution::Port { service, role } = target.resolved.clone() {
            let instance = self
                .instances
                .iter()
                .rfind(|instance| instance.service == service && instance.process.exit().is_none());
            let address = instance.and_then(|instance| instance.addresses.get(&role));
            let id = instance.map(|instance| instance.id.clone());
            let began = now();
            let (answer, trace) = match address {
                Some(address) => ask(&self.client, address, &target.path, None).await,
                None => {
                    (HttpAnswer { error: Some("connection refused".into()), ..HttpAnswer::default() }, None)
                }
            };
            if let (Some(id), "main") = (id, role.as_str()) {
                let path = target.path.clone();
                self.record_ask(&service, &id, &role, &path, began, &answer, trace);
            }
            target.answer = Some(answer);
        }
        self.evidence.targets.push(target);
    }

    /// Takes the committed schema of the log lines into the evidence, where the system declares one.
    pub(super) fn read_log_schema(&mut self) {
        let Some(name) = self.system.declaration.logs.schema.clone() else { return };
        let (text, error) = match self.file(&name) {
            Ok(text) => (text, None),
            Err(error) => (String::new(), Some(error)),
        };
        self.evidence.files.push(ConfigFile { name, text, error, prometheus: None });
    }

    /// A file of the system, as the defect under test changed it.
    pub(super) fn file(&self, name: &str) -> Result<String, String> {
        let path = self.system.root.join(name);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let altered = self.altered_files.iter().find(|(file, _)| *file == name);
        Ok(altered.map_or_else(|| text.clone(), |(_, change)| change(&text)))
    }
}

/// A sample without its exemplar; processor time moves by itself.
fn without_exemplar(line: &str) -> String {
    let sample = line.split(" # ").next().unwrap_or(line);
    if sample.starts_with("process_") { String::new() } else { sample.to_string() }
}

/// The declared operation that a `GET` of that path drives: the route whose shape fits.
fn operation_of<'d>(declaration: &'d Declaration, service: &str, path: &str) -> Option<&'d str> {
    let fits = |route: &str| {
        let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
        route.len() == path.len()
            && route.iter().zip(&path).all(|(part, seen)| part.starts_with('{') || part == seen)
    };
    let operations = declaration.operations.iter();
    let mut fitting =
        operations.filter(|known| known.service == service && known.method == "GET" && fits(&known.route));
    fitting.next().map(|operation| operation.name.as_str())
}

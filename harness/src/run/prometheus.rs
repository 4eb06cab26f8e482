//! A real Prometheus within a scenario: one that scrapes its instances, and one that is given the scenario's scrape
//! configuration with the answers that we were given, so that SCRAPE-05 can compare.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::running::{Running, Stop};
use crate::model::*;
use crate::process::StartError;
use crate::prometheus::{ActiveTarget, Programs, Prometheus, PromtoolError, Replay, Replayed, Rewriting};
use crate::proxy::Proxy;
use crate::workdir::Workdir;

/// Between two scrapes, and the longest that one may take.
const INTERVAL: Duration = Duration::from_secs(2);

/// Prometheus looks at its targets for the first time after about five seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Its own address, in every configuration of ours and of most others.
const ITSELF: &str = "localhost:9090";

impl Running {
    /// Starts a Prometheus on a scrape configuration of the system, with these rule files: its targets are the instances of
    /// this scenario, under the names that the file gives them.
    pub async fn prometheus(
        &mut self,
        file: &str,
        rule_files: &[&str],
        interval: Duration,
    ) -> Result<Prometheus, Stop> {
        self.share.progress.phase("starting Prometheus");
        let failed = |error: &dyn std::fmt::Display| Stop::because("prometheus", error);
        let programs = Programs::find().map_err(|error| failed(&error))?;
        let text = self.file(file).map_err(|error| failed(&error))?;
        let itself = Proxy::bind().await.map_err(|error| failed(&error))?;
        let mut addresses = self.metrics_addresses();
        addresses.insert(ITSELF.into(), itself.address());
        let rule_files = rule_files.iter().map(|name| self.system.root.join(name)).collect();
        let rewritten = Rewriting { addresses, interval, rule_files }.apply(&text);
        let rewritten = rewritten.map_err(|error| failed(&error))?;
        let started = Prometheus::start(&programs, &rewritten, &self.share.workdir).await;
        let prometheus = started.map_err(|error| failed(&error))?;
        itself.set_target(Some(prometheus.address()));
        self.held.push(itself);
        Ok(prometheus)
    }

    /// Where the declared metrics ports of the newest instances really are, by their declared addresses.
    fn metrics_addresses(&self) -> BTreeMap<String, SocketAddr> {
        let services = self.system.declaration.services.iter();
        let ports = services.flat_map(|service| service.ports.iter().map(move |port| (service, port)));
        ports
            .filter(|(_, port)| port.metrics_path.is_some())
            .filter_map(|(service, port)| {
                let address = self.address(&service.name, &port.role)?;
                Some((format!("{}:{}", service.name, port.number), address))
            })
            .collect()
    }

    /// Gives a Prometheus each scrape configuration and the answers of its targets, and keeps what it made of them.
    pub(super) async fn ask_prometheus(&mut self) {
        let began = Instant::now();
        self.share.progress.phase("asking Prometheus");
        let (closed, status) = match self.views().await {
            Ok(views) => {
                let count = views.iter().map(|view| view.targets.len()).sum::<usize>();
                for view in views {
                    self.keep(view);
                }
                (true, format!("{count} targets judged by it"))
            }
            Err(error) => (false, error),
        };
        self.step("prometheus", closed, status, began);
    }

    async fn views(&self) -> Result<Vec<View>, String> {
        let programs = Programs::find().map_err(|error| error.to_string())?;
        let workdir = &self.share.workdir;
        let version = programs.version(workdir).await.map_err(|error| error.to_string())?;
        let files = self.evidence.files.iter().enumerate().map(|(number, file)| {
            let targets: Vec<_> =
                self.evidence.targets.iter().filter(|target| target.file == file.name).cloned().collect();
            let (programs, version) = (&programs, version.as_str());
            async move {
                let workdir =
                    workdir.child(&format!("prometheus-{number}")).map_err(|error| error.to_string())?;
                view(programs, version, file, targets, &workdir).await
            }
        });
        futures_util::future::join_all(files).await.into_iter().collect()
    }

    fn keep(&mut self, view: View) {
        if let Some(file) = self.evidence.files.iter_mut().find(|file| file.name == view.file) {
            file.prometheus = view.accepted;
        }
        let mut targets = view.targets.into_iter();
        for target in self.evidence.targets.iter_mut().filter(|target| target.file == view.file) {
            target.prometheus = targets.next().flatten();
        }
    }
}

/// What Prometheus made of one file: of itself, and of each of its targets in their order.
struct View {
    file: String,
    /// `None`: it was not asked.
    accepted: Option<Result<(), String>>,
    targets: Vec<Option<PrometheusView>>,
}

async fn view(
    programs: &Programs,
    version: &str,
    file: &ConfigFile,
    targets: Vec<Target>,
    workdir: &Workdir,
) -> Result<View, String> {
    let accepted = accepted(programs, &file.text, workdir).await?;
    let mut view = View { file: file.name.clone(), accepted, targets: vec![None; targets.len()] };
    if file.error.is_some() || view.accepted.as_ref().is_some_and(Result::is_err) {
        return Ok(view);
    }
    let network = Network::of(&targets).await.map_err(|error| format!("replaying answers: {error}"))?;
    let rewriting =
        Rewriting { addresses: network.addresses.clone(), interval: INTERVAL, rule_files: Vec::new() };
    let rewritten = rewriting.apply(&file.text).map_err(|error| error.to_string())?;
    let prometheus = match Prometheus::start(programs, &rewritten, workdir).await {
        Ok(prometheus) => prometheus,
        Err(StartError::Exited { output, .. }) => {
            view.accepted = Some(Err(output.tail.to_string()));
            return Ok(view);
        }
        Err(error) => return Err(error.to_string()),
    };
    network.itself.set_target(Some(prometheus.address()));
    let evaluated = targets.iter().filter(|target| target.not_evaluated.is_none());
    let known: BTreeSet<_> =
        evaluated.map(|target| (&target.job, &target.address, &target.path, &target.scheme)).collect();
    // A machine that is busy for two seconds is no answer.
    let settled = |target: &ActiveTarget| {
        !target.last_error.contains("deadline exceeded") || network.hangs.contains(target.label("instance"))
    };
    let scraped = prometheus.scraped(known.len(), LIMIT, settled).await;
    prometheus.stop().await;
    let scraped = scraped.map_err(|error| error.to_string())?;
    view.targets = targets.iter().map(|target| seen(target, &scraped, version)).collect();
    Ok(view)
}

/// Whether Prometheus would start with a file, and what it says if not.
type Accepted = Result<(), String>;

/// The file as it stands, by Prometheus's own loader; nothing that it names has to exist. `None`: there is no promtool.
async fn accepted(programs: &Programs, text: &str, workdir: &Workdir) -> Result<Option<Accepted>, String> {
    std::fs::write(workdir.path().join("given.yml"), text).map_err(|error| error.to_string())?;
    let arguments = ["check", "config", "--syntax-only", "given.yml"];
    match programs.promtool(&arguments, workdir.path(), workdir).await {
        Ok(_) => Ok(Some(Ok(()))),
        Err(PromtoolError::Missing) => Ok(None),
        Err(PromtoolError::Found(text)) => {
            let mut said = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok(Some(Err(said.next_back().unwrap_or("refused").to_string())))
        }
        Err(PromtoolError::NotRun(error)) => Err(error.to_string()),
    }
}

fn seen(target: &Target, scraped: &[ActiveTarget], version: &str) -> Option<PrometheusView> {
    let same = |seen: &&ActiveTarget| {
        seen.label("job") == target.job
            && seen.label("instance") == target.address
            && seen.scrape_url.ends_with(&target.path)
    };
    let seen = scraped.iter().find(same)?;
    let scraped = seen.samples.ok_or_else(|| seen.last_error.clone());
    Some(PrometheusView { version: version.to_string(), scraped })
}

/// What stands for the network that the file was written for.
struct Network {
    addresses: BTreeMap<String, SocketAddr>,
    /// Addresses that take a request and never answer it.
    hangs: BTreeSet<String>,
    itself: Proxy,
    _refusing: Proxy,
    _replays: Vec<Replay>,
}

impl Network {
    async fn of(targets: &[Target]) -> std::io::Result<Network> {
        let (itself, refusing) = (Proxy::bind().await?, Proxy::bind().await?);
        let mut addresses = BTreeMap::new();
        let mut hangs = BTreeSet::new();
        let mut replayed: BTreeMap<&str, BTreeMap<String, Replayed>> = BTreeMap::new();
        for target in targets {
            let address = target.address.clone();
            match (&target.resolved, &target.answer) {
                (Resolution::Scraper, _) if address.ends_with(":9090") => {
                    addresses.insert(address, itself.address());
                }
                (Resolution::Scraper | Resolution::ClosedPort { .. }, _) => {
                    addresses.insert(address, refusing.address());
                }
                (Resolution::Port { .. }, Some(answer)) => match replay(answer) {
                    None => _ = addresses.insert(address, refusing.address()),
                    Some(again) => {
                        if again == Replayed::Hang {
                            hangs.insert(address);
                        }
                        replayed.entry(&target.address).or_default().insert(target.path.clone(), again);
                    }
                },
                (Resolution::Port { .. }, None) | (Resolution::UnknownHost, _) => {}
            }
        }
        let mut replays = Vec::new();
        for (address, answers) in replayed {
            let replay = Replay::serve(answers).await?;
            addresses.insert(address.to_string(), replay.address());
            replays.push(replay);
        }
        Ok(Network { addresses, hangs, itself, _refusing: refusing, _replays: replays })
    }
}

/// The answer again; `None`: nobody listened.
fn replay(answer: &HttpAnswer) -> Option<Replayed> {
    match (answer.status, answer.error.as_deref()) {
        (None, Some(HttpAnswer::NOT_IN_TIME)) => Some(Replayed::Hang),
        (None, Some(error)) if error.to_lowercase().contains("refused") => None,
        (None, _) | (_, Some(_)) => Some(Replayed::HangUp),
        (Some(status), None) => Some(Replayed::Answer {
            status,
            content_type: answer.content_type.clone(),
            body: Bytes::copy_from_slice(answer.body.as_bytes()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: Option<u16>, error: Option<&str>) -> HttpAnswer {
        HttpAnswer { status, error: error.map(String::from), ..HttpAnswer::default() }
    }

    #[test]
    fn each_kind_of_answer_comes_again_as_what_it_was() {
        assert_eq!(replay(&answer(None, Some("Connection refused (os error 111)"))), None);
        assert_eq!(replay(&answer(None, Some(HttpAnswer::NOT_IN_TIME))), Some(Replayed::Hang));
        assert_eq!(replay(&answer(None, Some("connection closed"))), Some(Replayed::HangUp));
        assert_eq!(replay(&answer(Some(200), Some("body cut off"))), Some(Replayed::HangUp));
        let again = Replayed::Answer { status: 404, content_type: None, body: Bytes::new() };
        assert_eq!(replay(&answer(Some(404), None)), Some(again));
    }
}

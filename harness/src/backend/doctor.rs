//! What this machine can serve: for `probity doctor`, and for the advice in errors. Looks, but starts nothing.

use std::env;

use super::{
    container::{EngineError, Survey},
    kafka::{Apache, Missing},
    postgres::Programs,
    selection::{Kind, Provider},
};
use crate::process;

/// Whether one provider can serve one backend here.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fact {
    /// `etcd`, `postgres`, `kafka`, `rabbitmq`.
    pub backend: &'static str,
    /// `embedded`, `local`, `containers`.
    pub provider: &'static str,
    pub serves: bool,
    /// What would serve (`/usr/bin/etcd`), or what is missing.
    pub what: String,
    /// The command that installs what is missing, or other advice.
    pub remedy: Option<String>,
}

/// All providers of all backends on this machine. An engine that does not answer costs five seconds.
pub fn facts() -> Vec<Fact> {
    let survey = Survey::take();
    let providers = [Provider::Embedded, Provider::Local, Provider::Containers(None)];
    let of = |kind| providers.iter().map(move |provider| (kind, provider));
    let everywhere = Kind::EVERYWHERE.into_iter().flat_map(of);
    let kinds = everywhere.chain([(Kind::RabbitMq, &Provider::Local)]);
    kinds.map(|(kind, provider)| fact(kind, provider, &survey)).collect()
}

/// Whether a backend can be had in a container here without pulling anything; the reason when not. For tests.
///
/// # Errors
/// What is missing.
pub fn container_is_here(kind: Kind) -> Result<(), String> {
    let survey = Survey::take().map_err(|error| error.to_string())?;
    match survey.image(kind) {
        Some((_, true)) => Ok(()),
        Some((image, false)) => Err(format!("the image {image} is not on this machine")),
        None => Err(format!("there is no image for {kind}")),
    }
}

fn fact(kind: Kind, provider: &Provider, survey: &Result<Survey, EngineError>) -> Fact {
    let found = match (kind, provider) {
        (_, Provider::Containers(_)) => container(kind, survey),
        (Kind::Etcd, Provider::Embedded) => embedded_etcd(),
        (Kind::Etcd, _) => program("etcd"),
        (Kind::Postgres, _) => postgres(),
        (Kind::Kafka, Provider::Embedded) => {
            Ok("the mock cluster of librdkafka, which is built in".to_owned())
        }
        (Kind::Kafka, _) => apache(),
        (Kind::RabbitMq, _) => rabbitmq(),
    };
    let serves = found.is_ok();
    let remedy = match (provider, survey) {
        _ if serves => None,
        (Provider::Containers(_), Err(error)) => Some(error.hint()),
        _ => remedy(kind, provider),
    };
    let (Ok(what) | Err(what)) = found;
    Fact { backend: kind.name(), provider: provider.name(), serves, what, remedy }
}

fn container(kind: Kind, survey: &Result<Survey, EngineError>) -> Result<String, String> {
    let survey = survey.as_ref().map_err(ToString::to_string)?;
    let (image, here) = survey.image(kind).unwrap_or_default();
    let pulled = if here { "" } else { ", which must be pulled" };
    Ok(format!("{image} on Docker {}{pulled}", survey.version))
}

fn embedded_etcd() -> Result<String, String> {
    match cfg!(etcd_embedded) {
        true => Ok("etcd 3.7.2, which is built in".to_owned()),
        false => Err("no etcd is built in on this platform".to_owned()),
    }
}

fn program(name: &str) -> Result<String, String> {
    let found = process::find(name, env::var_os("PATH").as_deref());
    found.map(|path| path.display().to_string()).ok_or_else(|| format!("there is no `{name}` on PATH"))
}

fn postgres() -> Result<String, String> {
    match Programs::find() {
        Some(programs) => Ok(programs.postgres().display().to_string()),
        None if cfg!(feature = "postgres-download") => {
            Err("no Postgres server is installed; the first run downloads one (15 MB)".to_owned())
        }
        None => Err("no Postgres server is installed".to_owned()),
    }
}

fn rabbitmq() -> Result<String, String> {
    let programs = super::rabbitmq::Programs::find().map_err(|missing| missing.to_string())?;
    Ok(format!("{}, started when a scenario needs it", programs.server.display()))
}

fn apache() -> Result<String, String> {
    let apache = Apache::find().map_err(|missing: Missing| missing.to_string())?;
    let directory = apache.jars.first().and_then(|jar| jar.parent());
    let directory = directory.map(|directory| directory.display().to_string()).unwrap_or_default();
    Ok(format!("Apache Kafka {} in {directory}, on {}", apache.version, apache.java.display()))
}

/// What to do when a provider cannot serve a backend, by what this machine installs programs with.
pub(crate) fn remedy(kind: Kind, provider: &Provider) -> Option<String> {
    let installer = Installer::of_this_machine();
    let text = match (kind, provider) {
        (_, Provider::External(_)) => return Some("is it running, and is its address right?".to_owned()),
        // What went wrong there knows what to do itself.
        (_, Provider::Containers(_)) => return None,
        (Kind::Etcd, Provider::Embedded) => "use --backends etcd=local with an etcd on PATH".to_owned(),
        (Kind::Etcd, Provider::Local) => installer.install("etcd-server", "etcd", "etcd"),
        (Kind::Postgres, _) => {
            let install = installer.install("postgresql", "postgresql", "postgresql-server");
            format!("{install}, or name its directory in {}", super::postgres::PROGRAMS_VARIABLE)
        }
        (Kind::Kafka, Provider::Embedded) => return None,
        (Kind::RabbitMq, _) => {
            let install = installer.install("rabbitmq-server", "rabbitmq", "rabbitmq-server");
            format!("{install}, or name its program in {}", super::rabbitmq::PROGRAMS_VARIABLE)
        }
        (Kind::Kafka, Provider::Local) => match Apache::find() {
            Err(Missing::Java) => {
                installer.install("default-jre-headless", "openjdk", "java-21-openjdk-headless")
            }
            _ => format!(
                "run ci/setup-kafka, or name an unpacked distribution in {}, or a directory of jars in {}",
                super::kafka::HOME_VARIABLE,
                super::kafka::JARS_VARIABLE
            ),
        },
    };
    Some(text)
}

#[derive(Clone, Copy)]
enum Installer {
    Apt,
    Brew,
    Dnf,
    Unknown,
}

impl Installer {
    fn of_this_machine() -> Installer {
        let path = env::var_os("PATH");
        let has = |name| process::find(name, path.as_deref()).is_some();
        match () {
            () if has("apt-get") => Installer::Apt,
            () if has("brew") => Installer::Brew,
            () if has("dnf") => Installer::Dnf,
            () => Installer::Unknown,
        }
    }

    fn install(self, debian: &str, homebrew: &str, fedora: &str) -> String {
        match self {
            Installer::Apt => format!("sudo apt-get install {debian}"),
            Installer::Brew => format!("brew install {homebrew}"),
            Installer::Dnf => format!("sudo dnf install {fedora}"),
            Installer::Unknown => format!("install {homebrew}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_of_every_backend_is_spoken_of_once() {
        let facts = facts();
        let names: Vec<String> =
            facts.iter().map(|fact| format!("{}={}", fact.backend, fact.provider)).collect();
        let expected = [
            "etcd=embedded",
            "etcd=local",
            "etcd=containers",
            "postgres=embedded",
            "postgres=local",
            "postgres=containers",
            "kafka=embedded",
            "kafka=local",
            "kafka=containers",
            "rabbitmq=local",
        ];
        assert_eq!(names, expected);
        for fact in &facts {
            assert!(!fact.what.is_empty(), "{fact:?}");
            assert_eq!(fact.serves, fact.remedy.is_none(), "{fact:?}");
        }
    }

    #[test]
    fn advice_is_a_command_of_the_machines_own_installer() {
        assert_eq!(Installer::Apt.install("a", "b", "c"), "sudo apt-get install a");
        assert_eq!(Installer::Brew.install("a", "b", "c"), "brew install b");
        assert_eq!(Installer::Dnf.install("a", "b", "c"), "sudo dnf install c");
        assert_eq!(Installer::Unknown.install("a", "b", "c"), "install b");
        let external = Provider::External(String::new());
        assert!(remedy(Kind::Kafka, &external).unwrap().contains("is it running"));
    }
}

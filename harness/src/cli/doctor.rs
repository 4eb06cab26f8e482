//! `probity doctor`: which providers this machine can serve, and what is missing.

use std::fmt::Write;

use serde::Serialize;

use super::Done;
use super::arguments::DoctorArguments;
use super::output::{print, write_result};
use crate::backend::doctor::{Fact, facts};
use crate::report::json;

#[derive(Serialize)]
struct Document {
    format: &'static str,
    version: u32,
    tool: &'static str,
    platform: String,
    backends: Vec<Fact>,
}

pub(super) fn run(arguments: &DoctorArguments) -> Done {
    let facts = facts();
    match &arguments.json.json {
        Some(file) => write_result(file, &json::pretty(&document(facts)))?,
        None => print(&text(&facts)),
    }
    Ok(0)
}

fn document(backends: Vec<Fact>) -> Document {
    Document {
        format: "probity-doctor",
        version: json::VERSION,
        tool: concat!("probity ", env!("CARGO_PKG_VERSION")),
        platform: platform(),
        backends,
    }
}

fn platform() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} on {}, {processors} processors", std::env::consts::OS, std::env::consts::ARCH)
}

fn text(facts: &[Fact]) -> String {
    let mut text = format!("probity {} · {}\n\n", env!("CARGO_PKG_VERSION"), platform());
    let mut last = "";
    for fact in facts {
        let backend = if fact.backend == last { "" } else { fact.backend };
        let serves = if fact.serves { "yes" } else { "no" };
        _ = writeln!(text, "{backend:<10}{:<12}{serves:<5}{}", fact.provider, fact.what);
        if let Some(remedy) = &fact.remedy {
            _ = writeln!(text, "{:<27}{remedy}", "");
        }
        last = fact.backend;
    }
    text.push_str(
        "\n`external` takes any address: --backends postgres=external:URL. `embedded` is what runs without a choice.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_stands_with_what_installs_it() {
        let fact = |provider, serves, what: &str, remedy: Option<&str>| Fact {
            backend: "etcd",
            provider,
            serves,
            what: what.into(),
            remedy: remedy.map(String::from),
        };
        let text = text(&[
            fact("embedded", true, "etcd 3.7.2, which is built in", None),
            fact("local", false, "there is no `etcd` on PATH", Some("sudo apt-get install etcd-server")),
            fact("containers", true, "an image on Docker", None),
        ]);
        let table = text.split("\n\n").nth(1).unwrap();
        insta::assert_snapshot!(table, @r"
        etcd      embedded    yes  etcd 3.7.2, which is built in
                  local       no   there is no `etcd` on PATH
                                   sudo apt-get install etcd-server
                  containers  yes  an image on Docker
        ");
    }
}

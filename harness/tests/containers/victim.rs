//! The process that ends: it starts backends in containers and then ends in the way of its role.

use std::{io, process::ExitCode};

use probity::{
    backend::{Backends, Etcd, Provider, Selection, doctor},
    process::serve_hidden_subcommands,
    workdir::{RunId, Workdir},
};

pub(crate) fn main(role: &str) -> ExitCode {
    serve_hidden_subcommands();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match role {
        "start" => runtime.block_on(start_all()),
        "doctor" => {
            for fact in doctor::facts() {
                println!("{} {} {} {}", fact.backend, fact.provider, fact.serves, fact.what);
                println!("  {}", fact.remedy.unwrap_or_default());
            }
            ExitCode::SUCCESS
        }
        role => live_and_end(&runtime, role),
    }
}

/// As a run does it: an error with its hint, and exit code 2.
async fn start_all() -> ExitCode {
    let workdir = Workdir::create(RunId::new()).unwrap();
    let selection = Selection::parse("containers").unwrap();
    let started = Backends::start(&selection, &workdir).await;
    workdir.remove().unwrap();
    match started {
        Ok(backends) => {
            backends.finish().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}\n{}", error.hint().unwrap_or_default());
            ExitCode::from(2)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an ending that a run must survive without leaving a container"
)]
fn live_and_end(runtime: &tokio::runtime::Runtime, role: &str) -> ExitCode {
    let workdir = Workdir::create(RunId::new()).unwrap();
    let etcd = runtime.block_on(async {
        let etcd = Etcd::reserve(&Provider::Containers(None), &workdir).await.unwrap();
        etcd.start().await.unwrap();
        etcd
    });
    println!("run {}\nworkdir {}", workdir.run(), workdir.path().display());
    // Whoever closes this without a word has ended: so do we.
    io::stdin().read_line(&mut String::new()).unwrap();
    match role {
        // Nothing is finished, nothing is awaited.
        "return" => drop(etcd),
        "panic" => panic!("an ending"),
        "exit" => std::process::exit(7),
        other => panic!("there is no role {other}"),
    }
    ExitCode::SUCCESS
}

//! `cargo probity`: the command line of Probity with the scenarios of the reference systems.

mod build;

use std::process::ExitCode;

use probity::cli::Host;

fn main() -> ExitCode {
    probity::cli::main(Some(Host {
        describe: || scenarios::systems(&|_| Default::default()),
        load: || {
            let programs = build::services()?;
            Ok(scenarios::systems(&|name| programs.get(name).cloned().unwrap_or_default()))
        },
    }))
}

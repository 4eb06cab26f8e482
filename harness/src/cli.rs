//! The command line: what a person types, read strictly; what they get back, with the exit codes of the project.
//!
//! 1 any fail, else 2 any error, wrong input or interrupt, else 3 any incomplete, else 0. Results go to standard output,
//! progress and errors to standard error. Wrong input gets one message, a hint, and code 2.

mod arguments;
mod check;
mod choice;
mod defects;
mod diff;
mod doctor;
mod evidence;
mod exec;
mod explain;
mod export;
mod gate;
mod host;
mod listen;
mod log_schema;
mod markdown;
mod merge;
mod output;
mod prove;
mod reports;
mod rules;
mod run;
mod session;
mod tree;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

pub use defects::proof_page;
pub use host::Host;

use arguments::{Arguments, Command};
use output::{Failure, print_failure};

/// What a command comes to: its exit code, or why it could not be done (code 2).
type Done = Result<u8, Failure>;

/// The main function of a binary that hosts the commands. Serves the hidden subcommands first.
pub fn main(host: Option<Host>) -> ExitCode {
    crate::process::serve_hidden_subcommands();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misunderstood(&error),
    };
    let host = host.as_ref();
    let done = match arguments.command {
        Command::Run(arguments) => run::run(host, &arguments),
        Command::Defects(arguments) => defects::run(host, &arguments),
        Command::Exec(arguments) => exec::run(&arguments),
        Command::Listen(arguments) => listen::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Prove(arguments) => prove::run(&arguments),
        Command::Tree(arguments) => tree::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::LogSchema(arguments) => log_schema::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            print_failure(&failure);
            ExitCode::from(2)
        }
    }
}

/// Help and version are no errors; anything else is wrong input, told by clap with its usage line.
fn misunderstood(error: &clap::Error) -> ExitCode {
    _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

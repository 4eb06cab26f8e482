//! The scenario suite: a test for each scenario, and one for each defect that must turn exactly its rules red.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    probity::run::test_main(|| scenarios::systems(&program))
}

fn program(name: &str) -> PathBuf {
    match name {
        "url-api" => env!("CARGO_BIN_EXE_url-api"),
        "analytics-rpc" => env!("CARGO_BIN_EXE_analytics-rpc"),
        "analytics-consumer" => env!("CARGO_BIN_EXE_analytics-consumer"),
        "gateway" => env!("CARGO_BIN_EXE_gateway"),
        "orchestrator" => env!("CARGO_BIN_EXE_orchestrator"),
        "accounts" => env!("CARGO_BIN_EXE_accounts"),
        "ledger" => env!("CARGO_BIN_EXE_ledger"),
        "read-model" => env!("CARGO_BIN_EXE_read-model"),
        "notifier" => env!("CARGO_BIN_EXE_notifier"),
        other => panic!("{other} is no binary of the services"),
    }
    .into()
}

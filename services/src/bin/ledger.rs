fn main() -> std::process::ExitCode {
    services::ledger::main()
}

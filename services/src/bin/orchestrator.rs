fn main() -> std::process::ExitCode {
    services::orchestrator::main()
}

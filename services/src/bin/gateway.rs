fn main() -> std::process::ExitCode {
    services::gateway::main()
}

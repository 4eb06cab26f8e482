fn main() -> std::process::ExitCode {
    services::notifier::main()
}

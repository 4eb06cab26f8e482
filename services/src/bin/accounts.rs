fn main() -> std::process::ExitCode {
    services::accounts::main()
}

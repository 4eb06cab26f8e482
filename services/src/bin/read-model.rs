fn main() -> std::process::ExitCode {
    services::read_model::main()
}

//! Compiles the protocols of the gRPC services without a protoc on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors =
        protox::compile(["accounts/v1/accounts.proto", "analytics/v1/analytics.proto"], ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

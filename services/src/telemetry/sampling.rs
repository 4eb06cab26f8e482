//! Which traces are kept: what the standard `OTEL_TRACES_SAMPLER` says, and two ways to blind a system.

use opentelemetry_sdk::trace::{Sampler, TracerProviderBuilder};

use crate::defect::Defect;

/// The SDK reads the sampler from the environment by itself; its default follows the parent.
pub(super) fn sampled(builder: TracerProviderBuilder, defect: Option<Defect>) -> TracerProviderBuilder {
    match defect {
        // What a configuration block that is missing comes to: traces that begin here are kept by nobody.
        Some(Defect::SamplerZeroAtEdge) => {
            builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)))
        }
        Some(Defect::SamplerIgnoresParent) => builder.with_sampler(Sampler::AlwaysOn),
        _ => builder,
    }
}

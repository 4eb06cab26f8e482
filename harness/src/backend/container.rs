//! Backends in containers: the official images, on whichever Docker engine this machine's clients use (20.10 and later).
//!
//! What holds for a process holds here: its address is our proxy's, since mapped ports change with each start; stop, kill
//! and pause are the container's; its output is in log files. Containers are removed by [`keeper`], however the run ends.

#[cfg(feature = "containers")]
mod engine;
mod error;
mod hosted;
pub(crate) mod image;
pub(crate) mod keeper;
mod labels;
#[cfg(feature = "containers")]
mod running;
#[cfg(not(feature = "containers"))]
mod without;

#[cfg(feature = "containers")]
pub(crate) use engine::Engine;
pub(crate) use error::EngineError;
pub(crate) use hosted::{HostError, Hosted, Own, Plan, Recipe};
#[cfg(feature = "containers")]
pub(crate) use running::Container;
#[cfg(not(feature = "containers"))]
pub(crate) use without::{Container, Engine};

use super::selection::Kind;

/// What this machine has for backends in containers.
pub(crate) struct Survey {
    /// Of the engine.
    pub(crate) version: String,
    /// The image of each backend, and whether it is here.
    images: Vec<(Kind, String, bool)>,
}

impl Survey {
    /// Asks the engine; blocks for a moment, or for five seconds when it does not answer.
    pub(crate) fn take() -> Result<Survey, EngineError> {
        let asked = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| EngineError::failed("get asked", &error))?;
            runtime.block_on(Survey::ask())
        });
        let failed = |_| EngineError::failed("get asked", &std::io::Error::other("the thread panicked"));
        asked.join().unwrap_or_else(|panic| Err(failed(panic)))
    }

    async fn ask() -> Result<Survey, EngineError> {
        let engine = Engine::connect().await?;
        let mut images = Vec::new();
        for kind in Kind::EVERYWHERE {
            let image = image::of(kind, None);
            let here = engine.has(&image).await?;
            images.push((kind, image, here));
        }
        Ok(Survey { version: engine.version().to_owned(), images })
    }

    pub(crate) fn image(&self, kind: Kind) -> Option<(&str, bool)> {
        let found = self.images.iter().find(|(of, _, _)| *of == kind);
        found.map(|(_, image, here)| (image.as_str(), *here))
    }
}

//! The two reference systems that the services of this crate make up.

/// Which system a service is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Shortener,
    Ledger,
}

impl System {
    /// The system of a program.
    pub(crate) fn of(program: &str) -> Self {
        match program {
            "gateway" | "orchestrator" | "accounts" | "ledger" | "read-model" | "notifier" => Self::Ledger,
            _ => Self::Shortener,
        }
    }

    /// The name of the instrumentation scope of all its telemetry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Shortener => "shortener",
            Self::Ledger => "ledger",
        }
    }

    /// The variable that switches a defect on.
    pub(crate) fn defect_variable(self) -> &'static str {
        match self {
            Self::Shortener => "SHORTENER_DEFECT",
            Self::Ledger => "LEDGER_DEFECT",
        }
    }
}

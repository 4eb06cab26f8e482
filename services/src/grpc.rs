//! gRPC as every service speaks it: the names that telemetry uses, calls to what etcd knows, answers with their spans.

mod client;
mod server;

use tonic::Code;

pub(crate) use client::{Begun, CallFailure, RpcClient};
pub(crate) use server::{Call, RpcServer, RpcSettings};

/// The name of a code, as gRPC spells it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether a code is a failure of the server that answered it. To the caller every code but OK is an error.
pub(crate) fn is_server_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_found_is_no_failure_of_the_server() {
        assert!(!is_server_failure(Code::Ok));
        assert!(!is_server_failure(Code::NotFound));
        assert!(!is_server_failure(Code::Cancelled));
        assert!(is_server_failure(Code::Unavailable));
        assert!(is_server_failure(Code::DeadlineExceeded));
    }
}

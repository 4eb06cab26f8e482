//! The gRPC protocol between `orchestrator` and `accounts`.

#[expect(unreachable_pub, reason = "generated, and used by this crate only")]
mod generated {
    tonic::include_proto!("accounts.v1");
}

pub(crate) use generated::accounts_client::AccountsClient;
pub(crate) use generated::accounts_server::{Accounts, AccountsServer};
pub(crate) use generated::{Account, DescribeRequest, DescribeResponse, OpenRequest};

/// `rpc.method`, and the name of both spans.
pub(crate) const OPEN: &str = "accounts.v1.Accounts/Open";
pub(crate) const DESCRIBE: &str = "accounts.v1.Accounts/Describe";

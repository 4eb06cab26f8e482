//! Asks `accounts`, which is found through etcd.

use opentelemetry::Context;

use super::Settings;
use crate::accounts_protocol::{
    Account, AccountsClient as Stub, DESCRIBE, DescribeRequest, OPEN, OpenRequest,
};
use crate::bookkeeping::ACCOUNTS;
use crate::discovery::Endpoints;
use crate::grpc::{CallFailure, RpcClient};
use crate::metrics::Metrics;
use crate::service::Service;

/// A client of `accounts`. Both of its calls may be made again.
pub(super) struct AccountsClient(RpcClient);

impl AccountsClient {
    pub(super) fn new(service: &Service, settings: &Settings, metrics: &mut Metrics) -> Self {
        let endpoints = Endpoints::follow(ACCOUNTS, settings.etcd.clone(), service.common.defect);
        let methods = [OPEN, DESCRIBE];
        Self(RpcClient::new(service, ACCOUNTS, endpoints, settings.rpc_deadline, &methods, metrics))
    }

    pub(super) async fn open(&self, parent: &Context, asked: OpenRequest) -> Result<Account, CallFailure> {
        let call = self.0.begin(parent, OPEN);
        let send = |channel, request| async move { Stub::new(channel).open(request).await };
        let outcome = self.0.attempt(&call, asked, send).await;
        self.0.finish(call, &outcome);
        outcome
    }

    /// The accounts in the order asked for.
    pub(super) async fn describe(
        &self,
        parent: &Context,
        account_ids: Vec<String>,
    ) -> Result<Vec<Account>, CallFailure> {
        let call = self.0.begin(parent, DESCRIBE);
        let send = |channel, request| async move { Stub::new(channel).describe(request).await };
        let outcome = self.0.attempt(&call, DescribeRequest { account_ids }, send).await;
        let outcome = outcome.map(|answer| answer.accounts);
        self.0.finish(call, &outcome);
        outcome
    }
}

//! Several statements that happen together or not at all.

use deadpool_postgres::{Client, Object};
use opentelemetry::Context;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Database, DatabaseError, Statement, within};

/// A transaction that has begun. One that is dropped is rolled back, and its connection with it: nobody knows in what state it is.
pub(crate) struct Transaction<'d> {
    database: &'d Database,
    client: Option<Client>,
}

impl<'d> Transaction<'d> {
    pub(super) fn new(database: &'d Database, client: Client) -> Self {
        Self { database, client: Some(client) }
    }

    /// Runs a statement under `parent`, in a span of its own.
    pub(crate) async fn query(
        &self,
        parent: &Context,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let work = self.database.run_on(self.client(), statement, parameters);
        self.database.spanned(parent, statement, parameters, work).await
    }

    /// Runs a statement without a span: for work that belongs to no request.
    pub(crate) async fn query_quietly(
        &self,
        text: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        within(self.database.timeout, async {
            let prepared = self.client().prepare_cached(text).await?;
            Ok(self.client().query(&prepared, parameters).await?)
        })
        .await
    }

    /// Makes it all happen. After an error nobody knows whether it did.
    pub(crate) async fn commit(mut self) -> Result<(), DatabaseError> {
        within(self.database.timeout, async { Ok(self.client().batch_execute("COMMIT").await?) }).await?;
        // The connection is as good as new.
        drop(self.client.take());
        Ok(())
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("taken at the end only")
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

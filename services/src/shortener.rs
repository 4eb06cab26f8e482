//! What the services of the shortener agree on: their database, their topic, their group.

use crate::database::Schema;

pub(crate) const DATABASE_URL: &str = "postgresql://shortener@localhost:5432/shortener";
pub(crate) const TOPIC: &str = "click-events";
pub(crate) const GROUP: &str = "analytics";

/// Links and clicks share one database.
pub(crate) static SCHEMA: Schema = Schema {
    migration: "
        CREATE TABLE IF NOT EXISTS links (
            code text PRIMARY KEY,
            url text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE IF NOT EXISTS clicks (
            event_id text PRIMARY KEY,
            code text NOT NULL,
            occurred_at timestamptz NOT NULL
        );
        CREATE INDEX IF NOT EXISTS clicks_code ON clicks (code);",
    check: "SELECT FROM links, clicks LIMIT 0",
};

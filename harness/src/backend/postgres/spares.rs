//! Databases that a scenario gave back, emptied for the next one: to make one means hundreds of files, and a checkpoint to
//! remove it, which is most of what a short scenario would cost.
//!
//! A database is given out again only where nothing tells it from a new one; any other is removed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Ends who is still there, and removes tables, sequences and views of `public`. What else somebody made stays, and is seen.
const EMPTY: &str = "
SET LOCAL lock_timeout = '2s';
DO $$
DECLARE made record;
BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  FOR made IN
    SELECT format('%I.%I', nspname, relname) AS name,
           CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE nspname = 'public' AND relkind IN ('r', 'p', 'S', 'v', 'm')
  LOOP
    EXECUTE format('DROP %s IF EXISTS %s CASCADE', made.kind, made.name);
  END LOOP;
END $$;
";

/// What a database holds beyond its tables: equal to that of one where nobody made anything, or it is no spare.
pub(super) const CONTENTS: &str = "
SELECT concat_ws(' ',
  (SELECT string_agg(concat(nspname, ':', nspowner::regrole, ':', nspacl), ',' ORDER BY nspname) FROM pg_namespace),
  (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_type), (SELECT count(*) FROM pg_proc),
  (SELECT count(*) FROM pg_operator), (SELECT count(*) FROM pg_opclass), (SELECT count(*) FROM pg_cast),
  (SELECT count(*) FROM pg_collation), (SELECT count(*) FROM pg_conversion), (SELECT count(*) FROM pg_ts_config),
  (SELECT string_agg(extname, ',' ORDER BY extname) FROM pg_extension), (SELECT count(*) FROM pg_language),
  (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_publication),
  (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_default_acl),
  (SELECT count(*) FROM pg_foreign_data_wrapper), (SELECT count(*) FROM pg_statistic_ext),
  (SELECT count(*) FROM pg_description), (SELECT count(*) FROM pg_seclabel),
  (SELECT concat(datdba::regrole, ':', datacl, ':', datconnlimit, ':', dattablespace)
     FROM pg_database WHERE datname = current_database()),
  (SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
     WHERE datname = current_database()),
  (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()))
";

/// Empties a database, and says what is left in it.
pub(super) fn emptied() -> String {
    [EMPTY, CONTENTS].concat()
}

/// The databases of one server that may be given out again.
#[derive(Default)]
pub(super) struct Spares {
    named: AtomicU64,
    names: Mutex<Vec<String>>,
}

impl Spares {
    /// What the next one is to be called; no scenario's database is.
    pub(super) fn name(&self) -> String {
        format!("probity_spare_{}", self.named.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn put(&self, name: String) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }

    pub(super) fn take(&self) -> Option<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

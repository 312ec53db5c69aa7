//! `projections` and `generations`: how far every projection is, and which generation is read.
//! Both are shared by all generations and hold nothing of any tenant.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// How far one projection of one generation is in one shard.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct ProjectionsRow {
    /// Name of the projection, which is that of its table.
    pub name: String,
    /// Generation of the read models.
    pub generation: i32,
    /// Shard of the log.
    pub shard: i32,
    /// The whole cursor: log id, log generation, shard, next offset, last counted record, epoch, nonce,
    /// next sequence. Moved by compare-and-set in the transaction that writes the rows.
    pub cursor: Value,
    /// Generation of the log, as in the cursor and in consistency tokens.
    pub log_generation: i64,
    /// Next offset, as in the cursor: every record below it is in the rows.
    pub next_offset: i64,
    /// Next offset of the log when the row was written; the difference is the lag in records.
    pub head_offset: i64,
    /// `at` of the last applied commit.
    pub last_event_at: Option<DateTime<Utc>>,
    /// Events applied since the first.
    pub events_applied: i64,
    /// `running`, or `stopped`: then `error` says why, and nothing is applied any more.
    pub state: String,
    /// Why it is stopped.
    pub error: Option<String>,
    /// When the row was written.
    pub updated_at: DateTime<Utc>,
    /// Rises whenever dead letters are applied: checked with the cursor, which does not move then.
    pub parked_version: i64,
}

/// The channel on which every commit of rows says `{"generation", "shard", "nextOffset"}`.
pub const CHANNEL: &str = "gesta_projections";

/// Schema of the first generation and of the views; see [`crate::migrate`].
pub(crate) const CREATE_SQL: &str = "
CREATE TABLE gesta.generations (
    generation integer PRIMARY KEY CHECK (generation > 0),
    state text NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX generations_live ON gesta.generations (state) WHERE state = 'live';

CREATE TABLE gesta.projections (
    name text NOT NULL,
    generation integer NOT NULL,
    shard integer NOT NULL,
    cursor jsonb NOT NULL,
    log_generation bigint NOT NULL,
    next_offset bigint NOT NULL,
    head_offset bigint NOT NULL,
    last_event_at timestamptz,
    events_applied bigint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped')),
    error text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (generation, shard, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

ALTER TABLE gesta._sqlx_migrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta._sqlx_migrations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON gesta._sqlx_migrations TO gesta_owner USING (true) WITH CHECK (true);
CREATE POLICY everyone ON gesta._sqlx_migrations FOR SELECT TO gesta_projector, gesta_query USING (true);

ALTER TABLE gesta.generations ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.generations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON gesta.generations TO gesta_owner USING (true) WITH CHECK (true);
CREATE POLICY everyone ON gesta.generations FOR SELECT TO gesta_projector, gesta_query USING (true);

ALTER TABLE gesta.projections ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.projections FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON gesta.projections TO gesta_owner USING (true) WITH CHECK (true);
CREATE POLICY projector ON gesta.projections TO gesta_projector USING (true) WITH CHECK (true);
CREATE POLICY query ON gesta.projections FOR SELECT TO gesta_query USING (true);

GRANT SELECT ON gesta._sqlx_migrations, gesta.generations TO gesta_projector, gesta_query;
GRANT SELECT, INSERT, UPDATE ON gesta.projections TO gesta_projector;
GRANT SELECT ON gesta.projections TO gesta_query;
";

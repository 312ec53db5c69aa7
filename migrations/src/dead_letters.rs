//! `dead_letters`: the events that a projection could not read, and those of the same stream that wait
//! behind them. Shared by all generations; a tenant sees its own.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

/// One event that one projection did not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct DeadLettersRow {
    /// Tenant of the stream.
    pub tenant: String,
    /// Generation of the read models.
    pub generation: i32,
    /// The projection that did not apply it; the one that others are folded from stands for them.
    pub projection: String,
    /// Shard of the log.
    pub shard: i32,
    /// Generation of the log.
    pub log_generation: i64,
    /// Offset of its commit.
    pub log_offset: i64,
    /// Index in its commit.
    pub event_index: i32,
    /// Its stream, `tenant/type/id`: what the order is kept in.
    pub stream: String,
    /// Version in its stream.
    pub version: i64,
    /// Id of the event.
    pub event_id: Uuid,
    /// Type of the event.
    pub r#type: String,
    /// The commit as it stands in the log, with this event alone: JSON text, as it was written.
    pub event: String,
    /// `poison`: it was tried and could not be read. `follower`: it waits behind one, untried.
    pub kind: String,
    /// Where it failed: `decode-key`, `decode-header`, `upcast`, `decode-value`, `handle` or `write`; none of a follower.
    pub stage: Option<String>,
    /// What was wrong; none of a follower.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// How often it was redriven in vain: how long it waits until it is tried again by itself.
    pub redrives: i32,
    /// `parked`, `applied` or `discarded`: nothing is deleted.
    pub state: String,
    /// Whether somebody wants its stream tried again.
    pub redrive: bool,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
    /// When it was tried last, or applied.
    pub tried_at: Option<DateTime<Utc>>,
    /// Id of the letter, made of projection and event: the same in every generation, with the route of the stream,
    /// so that what is decided about it stands in the same shard.
    pub id: Uuid,
    /// Who gave it up, `kind/id`; none of a letter that nobody gave up.
    pub discarded_by: Option<String>,
    /// When.
    pub discarded_at: Option<DateTime<Utc>>,
    /// Why.
    pub discard_reason: Option<String>,
    /// Id of the event that records it.
    pub discard_event: Option<Uuid>,
}

/// Letters `l` with what was decided about them; what follows begins with `WHERE`.
pub const LETTERS_SQL: &str = "SELECT l.*, d.actor AS discarded_by, d.at AS discarded_at, d.reason AS discard_reason, \
       d.event_id AS discard_event \
     FROM gesta.dead_letters l LEFT JOIN gesta.dead_letter_discards d \
       ON (d.tenant, d.id, d.projection) = (l.tenant, l.id, l.projection)";

/// Which letters of the live generation.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Of this projection.
    pub projection: Option<String>,
    /// Of this stream, `tenant/type/id`.
    pub stream: Option<String>,
}

const LIVE: &str = "l.generation = (SELECT generation FROM gesta.generations WHERE state = 'live') \
     AND l.state = 'parked' AND ($1::text IS NULL OR l.projection = $1) AND ($2::text IS NULL OR l.stream = $2)";

/// Letters that are parked, those of a stream in their order; at most `max`.
///
/// # Errors
/// Those of the query.
pub async fn parked(pool: &PgPool, which: &Which, max: i64) -> Result<Vec<DeadLettersRow>, sqlx::Error> {
    let sql = format!(
        "{LETTERS_SQL} WHERE {LIVE} \
         ORDER BY l.projection, l.stream, l.log_generation, l.log_offset, l.event_index LIMIT $3"
    );
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(&which.projection).bind(&which.stream);
    query.bind(max).fetch_all(pool).await
}

/// The letter of an id, whatever became of it; of several generations the live one's.
///
/// # Errors
/// Those of the query.
pub async fn find(pool: &PgPool, id: Uuid) -> Result<Option<DeadLettersRow>, sqlx::Error> {
    let sql = format!(
        "{LETTERS_SQL} LEFT JOIN gesta.generations g ON g.generation = l.generation WHERE l.id = $1 \
         ORDER BY g.state = 'live' DESC NULLS LAST, l.generation DESC LIMIT 1"
    );
    sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(pool).await
}

/// Asks the projections to try parked letters again, each stream in its order; gives how many letters
/// there are. The projections do so within seconds, when they run.
///
/// # Errors
/// Those of the statement.
pub async fn redrive(pool: &PgPool, which: &Which) -> Result<u64, sqlx::Error> {
    let sql = format!("UPDATE gesta.dead_letters AS l SET redrive = true WHERE {LIVE}");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(&which.projection).bind(&which.stream);
    Ok(query.execute(pool).await?.rows_affected())
}

/// The table, and what a cursor is checked with beside its place.
pub(crate) const CREATE_SQL: &str = "
CREATE TABLE gesta.dead_letters (
    tenant text NOT NULL,
    generation integer NOT NULL,
    projection text NOT NULL,
    shard integer NOT NULL,
    log_generation bigint NOT NULL,
    log_offset bigint NOT NULL,
    event_index integer NOT NULL,
    stream text NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    event text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('poison', 'follower')),
    stage text,
    error text,
    attempts integer NOT NULL,
    state text NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'applied')),
    redrive boolean NOT NULL DEFAULT false,
    parked_at timestamptz NOT NULL DEFAULT now(),
    tried_at timestamptz,
    PRIMARY KEY (tenant, generation, projection, shard, log_generation, log_offset, event_index)
);
CREATE INDEX dead_letters_parked ON gesta.dead_letters
    (generation, shard, projection, stream, log_generation, log_offset, event_index) WHERE state = 'parked';
CREATE INDEX dead_letters_redrive ON gesta.dead_letters (generation, shard) WHERE state = 'parked' AND redrive;
CREATE INDEX dead_letters_list ON gesta.dead_letters (tenant, parked_at, event_id);

ALTER TABLE gesta.dead_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.dead_letters FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON gesta.dead_letters TO gesta_owner USING (true) WITH CHECK (true);
CREATE POLICY projector ON gesta.dead_letters TO gesta_projector USING (true) WITH CHECK (true);
CREATE POLICY query ON gesta.dead_letters FOR SELECT TO gesta_query
    USING (tenant = current_setting('gesta.tenant', true));
GRANT SELECT, INSERT, UPDATE ON gesta.dead_letters TO gesta_projector;
GRANT SELECT ON gesta.dead_letters TO gesta_query;

ALTER TABLE gesta.projections ADD COLUMN parked_version bigint NOT NULL DEFAULT 0;
";

/// How often a letter was redriven, apart from how often it was tried: three times before it is parked, maybe.
pub(crate) const REDRIVEN_SQL: &str = "
ALTER TABLE gesta.dead_letters ADD COLUMN redrives integer NOT NULL DEFAULT 0;
UPDATE gesta.dead_letters SET redrives = attempts - 1 WHERE attempts > 1;
";

/// Decisions to give a letter up, and an id of the letter that carries the route of its stream: its first two octets
/// are those of the stream's id, the rest comes from projection and event.
pub(crate) const DISCARDED_SQL: &str = "
ALTER TABLE gesta.dead_letters DROP COLUMN id;
ALTER TABLE gesta.dead_letters ADD COLUMN id uuid NOT NULL GENERATED ALWAYS AS (
    overlay(overlay(overlay(md5(projection || '/' || event_id::text)
        PLACING CASE WHEN split_part(stream, '/', 3) ~ '^[0-9a-f]{8}-[0-9a-f]{4}-8' THEN left(split_part(stream, '/', 3), 4)
            ELSE left(md5(event_id::text), 4) END FROM 1 FOR 4)
        PLACING '8' FROM 13 FOR 1) PLACING 'a' FROM 17 FOR 1)::uuid) STORED;
CREATE UNIQUE INDEX dead_letters_id ON gesta.dead_letters (id, generation);
CREATE INDEX dead_letters_list ON gesta.dead_letters (tenant, generation, parked_at, id);
CREATE INDEX dead_letters_discarded ON gesta.dead_letters (shard, projection, event_id) WHERE state = 'discarded';
ALTER TABLE gesta.dead_letters DROP CONSTRAINT dead_letters_state_check;
ALTER TABLE gesta.dead_letters ADD CONSTRAINT dead_letters_state_check
    CHECK (state IN ('parked', 'applied', 'discarded'));

CREATE TABLE gesta.dead_letter_discards (
    tenant text NOT NULL,
    id uuid NOT NULL,
    projection text NOT NULL,
    event_id uuid NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (tenant, id, projection)
);
ALTER TABLE gesta.dead_letter_discards ENABLE ROW LEVEL SECURITY;
ALTER TABLE gesta.dead_letter_discards FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON gesta.dead_letter_discards TO gesta_owner USING (true) WITH CHECK (true);
CREATE POLICY projector ON gesta.dead_letter_discards TO gesta_projector USING (true) WITH CHECK (true);
CREATE POLICY query ON gesta.dead_letter_discards FOR SELECT TO gesta_query
    USING (tenant = current_setting('gesta.tenant', true));
GRANT SELECT, INSERT ON gesta.dead_letter_discards TO gesta_projector;
GRANT SELECT ON gesta.dead_letter_discards TO gesta_query;
";

/// What a letter is called, and an index of those that are tried again by themselves.
pub(crate) const IDENTIFIED_SQL: &str = "
ALTER TABLE gesta.dead_letters ADD COLUMN id uuid NOT NULL
    GENERATED ALWAYS AS (md5(generation::text || '/' || projection || '/' || event_id::text)::uuid) STORED;
CREATE UNIQUE INDEX dead_letters_id ON gesta.dead_letters (id);
CREATE INDEX dead_letters_due ON gesta.dead_letters (generation, shard, tried_at)
    WHERE state = 'parked' AND kind = 'poison';
DROP INDEX gesta.dead_letters_list;
CREATE INDEX dead_letters_list ON gesta.dead_letters (tenant, generation, parked_at, id);
";

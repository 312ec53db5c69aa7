//! `gesta migrate`: brings a database to the shape of this release, and tells every service whether
//! it is there.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgAdvisoryLock;
use sqlx::{Connection, PgConnection, PgPool, SqlStr};

use crate::{code_chunks, dead_letters, generation, projections, roles};

/// Every migration of the shared objects: version, what it does, its SQL. Append only.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "generations and projections", projections::CREATE_SQL),
    (2, "dead letters", dead_letters::CREATE_SQL),
    (3, "ids of dead letters", dead_letters::IDENTIFIED_SQL),
    (4, "redrives of dead letters", dead_letters::REDRIVEN_SQL),
    (5, "discards of dead letters", dead_letters::DISCARDED_SQL),
    (6, "read models of repositories, source files and chunks", NEW_TABLES),
];

/// What a release says that adds read models: their tables are made in every generation, and its services wait
/// for that.
const NEW_TABLES: &str = "SELECT";
/// The generation that a new database begins with.
pub const FIRST_GENERATION: u32 = 1;
/// Held for the time of a migration, so that two never run at once in one database.
const LOCK: &str = "gesta migrate";
const TABLE: &str = "gesta._sqlx_migrations";
/// Time between two looks at a schema that is older than this release.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Version of the schema before; 0 for a new database.
    pub from: i64,
    /// Version of the schema now.
    pub to: i64,
    /// What was done, one line each; empty when there was nothing to do.
    pub applied: Vec<String>,
    /// The generation that is read.
    pub generation: u32,
}

/// Why a database was not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database is not there, or refused a statement.
    #[error(
        "Postgres: {0}. Check GESTA_POSTGRES_URL; its user must own the database and may create roles, \
         or be a member of gesta_owner, gesta_projector and gesta_query"
    )]
    Database(#[from] sqlx::Error),
    /// A migration was not applied.
    #[error("the database was not migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A newer release migrated this database.
    #[error(transparent)]
    Newer(#[from] NewerSchema),
}

/// The database was migrated by a newer release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the database schema has version {found}, this release knows up to {known}: a newer release migrated it. \
     Run that release, or point GESTA_POSTGRES_URL at another database"
)]
pub struct NewerSchema {
    /// Version in the database.
    pub found: i64,
    /// Version of this release.
    pub known: i64,
}

/// Why a service may not use a database.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The database could not be asked.
    #[error("Postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// A newer release migrated it.
    #[error(transparent)]
    Newer(#[from] NewerSchema),
}

/// The version of the schema that this release makes and needs.
#[must_use]
pub fn known_version() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

/// Creates roles, shared objects and the first generation where they are missing, under an advisory
/// lock. Doing it twice, or twice at once, does nothing more.
///
/// # Errors
/// [`MigrateError`], which says what to do. Nothing is left half done.
pub async fn migrate(owner_url: &str) -> Result<Report, MigrateError> {
    let conn = roles::connect(owner_url).await?;
    let lock = PgAdvisoryLock::new(LOCK);
    // The lock is the session's: closing the connection releases it, after an error too.
    let mut conn = lock.acquire(conn).await?.leak();
    let report = locked(&mut conn).await;
    conn.close().await?;
    report
}

async fn locked(conn: &mut PgConnection) -> Result<Report, MigrateError> {
    let found = version(&mut *conn).await?;
    let from = found.unwrap_or(0);
    let known = known_version();
    if from > known {
        return Err(NewerSchema { found: from, known }.into());
    }
    roles::create(conn).await?;
    sqlx::raw_sql(
        "CREATE SCHEMA IF NOT EXISTS gesta AUTHORIZATION gesta_owner;
         GRANT USAGE ON SCHEMA gesta TO gesta_projector, gesta_query;
         DO $$ BEGIN EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO gesta_owner', current_database());
                     EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO gesta_projector', current_database()); END $$;
         SET ROLE gesta_owner",
    )
    .execute(&mut *conn)
    .await?;
    migrator().run(&mut *conn).await?;
    let pending = MIGRATIONS.iter().filter(|(version, ..)| *version > from);
    let mut applied: Vec<_> = pending.map(|(version, what, _)| format!("{version}: {what}")).collect();
    if !applied.is_empty() {
        generation::complete(conn).await?;
    }
    let live = "SELECT generation FROM gesta.generations WHERE state = 'live'";
    let live: Option<i32> = sqlx::query_scalar(live).fetch_optional(&mut *conn).await?;
    let generation = match live.and_then(|live| u32::try_from(live).ok()) {
        Some(live) => live,
        None => {
            generation::create_with(conn, FIRST_GENERATION).await?;
            let mut tx = conn.begin().await?;
            generation::switch(&mut tx, FIRST_GENERATION).await?;
            tx.commit().await?;
            applied.push(format!("generation {FIRST_GENERATION} of the read models"));
            FIRST_GENERATION
        }
    };
    if !applied.is_empty() {
        code_chunks::create(conn).await?;
    }
    Ok(Report { from, to: known, applied, generation })
}

fn migrator() -> Migrator {
    let migration = |&(version, what, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, what.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect());
    migrator.dangerous_set_table_name(TABLE);
    // Its own lock has no name of ours; ours is held already.
    migrator.set_locking(false);
    migrator
}

async fn version(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('gesta._sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if !there {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM gesta._sqlx_migrations WHERE success").fetch_one(conn).await
}

/// Waits until the database has the schema of this release; an older one is being migrated, or will be.
///
/// # Errors
/// [`VersionError::Newer`] for a newer schema; [`VersionError::Database`] when it cannot be asked, which
/// the caller may try again.
pub async fn check_version(pool: &PgPool) -> Result<(), VersionError> {
    let known = known_version();
    let mut told = false;
    loop {
        let mut conn = pool.acquire().await?;
        let found = version(&mut conn).await.or_else(no_schema_yet)?.unwrap_or(0);
        drop(conn);
        match found.cmp(&known) {
            std::cmp::Ordering::Equal => return Ok(()),
            std::cmp::Ordering::Greater => return Err(NewerSchema { found, known }.into()),
            std::cmp::Ordering::Less if !told => {
                tracing::warn!(found, known, "the database schema is older; waiting for `gesta migrate`");
                told = true;
            }
            std::cmp::Ordering::Less => {}
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

/// A role that may not look into the schema yet sees what an empty database shows.
fn no_schema_yet(error: sqlx::Error) -> Result<Option<i64>, sqlx::Error> {
    match &error {
        sqlx::Error::Database(e) if matches!(e.code().as_deref(), Some("42501" | "42P01" | "3F000")) => {
            Ok(None)
        }
        _ => Err(error),
    }
}

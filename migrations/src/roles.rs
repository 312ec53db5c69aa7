//! The three roles, and pools of connections that act as one of them.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

/// Owns every object; migrations act as it.
pub const OWNER: &str = "gesta_owner";
/// Writes the rows of all tenants.
pub const PROJECTOR: &str = "gesta_projector";
/// Reads the rows of one tenant: the one that `gesta.tenant` names in the transaction; none without.
pub const QUERY: &str = "gesta_query";

/// Longest wait for a connection of a pool.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the roles where they are missing and lets the present user act as each. Roles belong to
/// the whole server, so another database may be doing the same now.
const ROLES_SQL: &str = "
DO $$
DECLARE role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['gesta_owner', 'gesta_projector', 'gesta_query'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF NOT EXISTS (
            SELECT FROM pg_auth_members m WHERE m.roleid = role::regrole AND m.member = current_user::regrole
        ) AND current_user <> role THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', role, current_user);
            EXCEPTION WHEN unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;
END
$$";

/// Most attempts to create the roles while other databases of the server do the same.
const ROLE_ATTEMPTS: u32 = 10;

pub(crate) async fn create(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut attempt = 1;
    loop {
        match sqlx::raw_sql(ROLES_SQL).execute(&mut *conn).await {
            // "tuple concurrently updated" has no code of its own.
            Err(sqlx::Error::Database(e))
                if e.code().as_deref() == Some("XX000") && attempt < ROLE_ATTEMPTS =>
            {
                attempt += 1;
            }
            done => return done.map(drop),
        }
    }
}

/// A pool whose connections act as the projector: every tenant's rows, and the cursors. Their commits do
/// not wait for the disk: rows and cursor are lost together, and the log repeats them.
///
/// # Errors
/// The URL is none. The pool connects when it is first used; the URL's user must be a member of
/// `gesta_projector`, as the user that migrated is.
pub fn projector_pool(url: &str, max_connections: u32) -> Result<PgPool, sqlx::Error> {
    let pool = pool_of("SET ROLE gesta_projector; SET synchronous_commit = off", max_connections);
    Ok(pool.connect_lazy_with(options(url, "projectors")?))
}

/// A pool whose connections act as the query role. A query sets its tenant inside its transaction:
/// `SELECT set_config('gesta.tenant', $1, true)`; without that every table is empty.
///
/// # Errors
/// The URL is none. The pool connects when it is first used; the URL's user must be a member of
/// `gesta_query`.
pub fn query_pool(url: &str, max_connections: u32) -> Result<PgPool, sqlx::Error> {
    Ok(pool_of("SET ROLE gesta_query", max_connections).connect_lazy_with(options(url, "query-api")?))
}

pub(crate) async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&options(url, "migrate")?).await
}

fn options(url: &str, name: &str) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(PgConnectOptions::from_str(url)?.application_name(&format!("gesta {name}")))
}

fn pool_of(set_role: &'static str, max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(max_connections).acquire_timeout(ACQUIRE_TIMEOUT).after_connect(
        move |conn, _| Box::pin(async move { sqlx::raw_sql(set_role).execute(conn).await.map(drop) }),
    )
}

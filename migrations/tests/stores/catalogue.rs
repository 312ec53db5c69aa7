//! What the server's own catalogue says about tables, policies and roles.

use migrations::{RECENTLY_ENDED_SQL, projector_pool, query_pool, shapes};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::database;

const OURS: &str = "n.nspname ~ '^(gesta|g[0-9]+)$'";

/// Runs a query of the catalogue that lists offenders; there must be none.
async fn none(url: &str, what: &str, sql: String) {
    let mut conn = database::connect(url).await;
    let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap();
    assert!(found.is_empty(), "{what}: {found:?}");
}

/// PLAT-44: row-level security is on and forced everywhere, and each table has a policy.
#[tokio::test]
async fn every_table_forces_row_level_security() {
    let url = database::migrated().await;
    let tables = format!(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm') AND {OURS}"
    );
    none(
        &url,
        "without forced row-level security",
        format!("{tables} AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"),
    )
    .await;
    let policy = "SELECT FROM pg_policy p WHERE p.polrelid = c.oid";
    none(&url, "without a policy", format!("{tables} AND NOT EXISTS ({policy})")).await;
    let own = "pg_get_userbyid(c.relowner) = 'gesta_owner'";
    none(&url, "not owned by gesta_owner", format!("{tables} AND NOT {own}")).await;
    let tenant =
        "SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND a.attnotnull";
    none(&url, "without a tenant", format!("{tables} AND n.nspname <> 'gesta' AND NOT EXISTS ({tenant})"))
        .await;
    let open = "SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND 'gesta_query'::regrole = ANY (p.polroles) \
                AND (p.polcmd <> 'r' OR pg_get_expr(p.polqual, p.polrelid) NOT LIKE '%gesta.tenant%')";
    none(&url, "open to all tenants", format!("{tables} AND n.nspname <> 'gesta' AND EXISTS ({open})")).await;
    let everyone = "SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND 0 = ANY (p.polroles)";
    none(&url, "with a policy for everyone", format!("{tables} AND EXISTS ({everyone})")).await;
}

/// PLAT-44: the tenant stands in every primary and unique key: none tells one tenant what another has.
#[tokio::test]
async fn every_key_holds_the_tenant() {
    let url = database::migrated().await;
    let sql = "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname ~ '^g[0-9]+$' AND (i.indisunique OR i.indisprimary) \
         AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' \
                         AND a.attnum = ANY (i.indkey::int2[]))";
    none(&url, "keys without tenant", sql.into()).await;
}

/// PLAT-44: no role may step over row-level security, and views check the reader's rights.
#[tokio::test]
async fn no_role_and_no_view_steps_over_it() {
    let url = database::migrated().await;
    let roles = "SELECT rolname::text FROM pg_roles WHERE rolname IN ('gesta_owner', 'gesta_projector', 'gesta_query')";
    none(
        &url,
        "mighty roles",
        format!("{roles} AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"),
    )
    .await;
    let mut conn = database::connect(&url).await;
    let count: Vec<String> = sqlx::query_scalar(roles).fetch_all(&mut conn).await.unwrap();
    assert_eq!(count.len(), 3);
    let views = format!(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' \
         AND {OURS} AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)"
    );
    none(&url, "views with their owner's rights", views).await;
}

/// Every statement that is made from the column lists is good for the schema that is made from them.
#[tokio::test]
async fn every_statement_is_prepared() {
    let url = database::migrated().await;
    let mut conn = projector_pool(&url, 1).unwrap().acquire().await.unwrap();
    for shape in shapes("g1") {
        sqlx::raw_sql(AssertSqlSafe(shape.stage)).execute(&mut *conn).await.unwrap();
        for sql in shape.statements {
            let prepared = conn.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
            assert!(prepared.is_ok(), "{sql}: {:?}", prepared.err());
        }
    }
    let mut conn = query_pool(&url, 1).unwrap().acquire().await.unwrap();
    conn.prepare(RECENTLY_ENDED_SQL.into_sql_str()).await.unwrap();
}

/// AGENT-3: the indexes on agents that the filters need, as the server has them.
#[tokio::test]
async fn agents_have_their_indexes() {
    let mut conn = database::connect(&database::migrated().await).await;
    let sql = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'g1.agent_list'::regclass AND indisvalid";
    let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
    for columns in [
        "(tenant, team_id, id) WHERE (team_id IS NOT NULL)",
        "(tenant, status, spawned_at DESC)",
        "(tenant, lifecycle_state)",
        "(tenant, model)",
        "(tenant, kind, availability)",
        "(tenant, spawned_at, id)",
    ] {
        assert!(found.iter().any(|index| index.ends_with(columns)), "{columns} is not among {found:#?}");
    }
}

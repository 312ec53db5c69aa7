//! Generations: the tables of the read models in a schema of their own, `g1`, `g2`, …, and the views
//! in `gesta` that show the live one.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::migrate::MigrateError;
use crate::roles;
use crate::shapes;
use crate::table::Shape;

/// The schema of a generation.
#[must_use]
pub fn schema(generation: u32) -> String {
    format!("g{generation}")
}

/// The live generation, or none before the first.
///
/// # Errors
/// Those of the query.
pub async fn live(pool: &PgPool) -> Result<Option<u32>, sqlx::Error> {
    let row: Option<i32> =
        sqlx::query_scalar("SELECT generation FROM gesta.generations WHERE state = 'live'")
            .fetch_optional(pool)
            .await?;
    Ok(row.and_then(|generation| u32::try_from(generation).ok()))
}

/// Creates the empty tables of a generation, as the owner; does nothing when they exist. `url` is that
/// of a user who may act as the owner.
///
/// # Errors
/// Those of connecting and of the statements.
pub async fn create(url: &str, generation: u32) -> Result<(), MigrateError> {
    let mut conn = roles::connect(url).await?;
    sqlx::raw_sql("SET ROLE gesta_owner").execute(&mut conn).await?;
    create_with(&mut conn, generation).await?;
    Ok(conn.close().await?)
}

pub(crate) async fn create_with(conn: &mut PgConnection, generation: u32) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    let number = i32::try_from(generation).map_err(|_| sqlx::Error::Protocol("no such generation".into()))?;
    let inserted =
        "INSERT INTO gesta.generations (generation, state) VALUES ($1, 'building') ON CONFLICT DO NOTHING";
    if sqlx::query(inserted).bind(number).execute(&mut *tx).await?.rows_affected() == 1 {
        sqlx::raw_sql(AssertSqlSafe(create_sql(generation))).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Gives every generation the tables that it lacks: those of read models that are newer than it is. Their
/// projections have no cursor yet, so they read the log from its beginning.
pub(crate) async fn complete(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    let all: Vec<(i32, String)> =
        sqlx::query_as("SELECT generation, state FROM gesta.generations ORDER BY generation")
            .fetch_all(&mut *tx)
            .await?;
    for (number, state) in all {
        let number = u32::try_from(number).map_err(|_| sqlx::Error::Protocol("no such generation".into()))?;
        let schema = schema(number);
        for shape in shapes(&schema) {
            let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
                .bind(format!("{schema}.{}", shape.name))
                .fetch_one(&mut *tx)
                .await?;
            if !there {
                sqlx::raw_sql(AssertSqlSafe(table_sql(&schema, &shape))).execute(&mut *tx).await?;
            }
        }
        if state == "live" {
            sqlx::raw_sql(AssertSqlSafe(views_sql(number))).execute(&mut *tx).await?;
        }
    }
    tx.commit().await
}

/// Points the views at a generation and retires the one before, in the caller's transaction.
///
/// # Errors
/// Those of the statements.
pub async fn switch(tx: &mut PgConnection, generation: u32) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(views_sql(generation))).execute(&mut *tx).await?;
    sqlx::query("UPDATE gesta.generations SET state = 'retired' WHERE state = 'live'")
        .execute(&mut *tx)
        .await?;
    let live = "UPDATE gesta.generations SET state = 'live' WHERE generation = $1";
    let number = i64::from(generation);
    match sqlx::query(live).bind(number).execute(&mut *tx).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(sqlx::Error::Protocol(format!("generation {generation} does not exist; create it first"))),
    }
}

fn create_sql(generation: u32) -> String {
    let schema = schema(generation);
    let mut sql = format!(
        "CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO {}, {};",
        roles::PROJECTOR,
        roles::QUERY
    );
    for shape in shapes(&schema) {
        sql += &table_sql(&schema, &shape);
    }
    sql
}

/// A table with its indexes, policies and rights.
fn table_sql(schema: &str, shape: &Shape) -> String {
    let table = format!("{schema}.{}", shape.name);
    format!(
        "{};\n{};\n\
         ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;\n\
         CREATE POLICY projector ON {table} TO {projector} USING (true) WITH CHECK (true);\n\
         CREATE POLICY query ON {table} FOR SELECT TO {query} \
         USING (tenant = current_setting('gesta.tenant', true));\n\
         GRANT SELECT, INSERT, UPDATE ON {table} TO {projector}; GRANT SELECT ON {table} TO {query};\n",
        shape.create,
        shape.indexes.join(";\n"),
        projector = roles::PROJECTOR,
        query = roles::QUERY,
    )
}

fn views_sql(generation: u32) -> String {
    let schema = schema(generation);
    let mut sql = String::new();
    for shape in shapes(&schema) {
        // A generation may have other columns than the one before: replaced whole, not altered.
        sql += &format!(
            "DROP VIEW IF EXISTS gesta.{name};\n\
             CREATE VIEW gesta.{name} WITH (security_invoker = true) AS SELECT {} FROM {schema}.{name};\n\
             GRANT SELECT ON gesta.{name} TO {}, {};\n",
            shape.columns.join(", "),
            roles::PROJECTOR,
            roles::QUERY,
            name = shape.name,
        );
    }
    sql
}

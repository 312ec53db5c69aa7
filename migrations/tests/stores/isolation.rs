use migrations::{projector_pool, query_pool, shapes};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::database;

/// One row of tenant `acme` in every table of the generation, whatever its columns, and a dead letter.
async fn fill(url: &str) {
    let mut conn = projector_pool(url, 1).unwrap().acquire().await.unwrap();
    for shape in shapes("g1") {
        let value = "CASE WHEN a.attname = 'tenant' THEN quote_literal('acme') ELSE CASE a.atttypid::regtype::text \
             WHEN 'uuid' THEN 'gen_random_uuid()' WHEN 'jsonb' THEN quote_literal('{}') WHEN 'boolean' THEN 'false' \
             WHEN 'timestamp with time zone' THEN 'now()' ELSE quote_literal('1') END END";
        let sql = format!(
            "SELECT string_agg({value}, ', ' ORDER BY a.attnum) FROM pg_attribute a \
             WHERE a.attrelid = 'g1.{}'::regclass AND a.attnum > 0 AND a.attgenerated = ''",
            shape.name
        );
        let values: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap();
        let insert = format!("INSERT INTO g1.{} VALUES ({values})", shape.name);
        sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut *conn).await.unwrap();
    }
    let letter = "INSERT INTO gesta.dead_letters (tenant, generation, projection, shard, log_generation, log_offset, \
           event_index, stream, version, event_id, type, event, kind, attempts) \
         VALUES ('acme', 1, 'task_list', 0, 1, 1, 0, 'acme/task/1', 1, gen_random_uuid(), 't', '{}', 'poison', 1)";
    sqlx::raw_sql(letter).execute(&mut *conn).await.unwrap();
}

async fn count(conn: &mut PgConnection, relation: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {relation}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await.unwrap()
}

async fn seen(pool: &PgPool, tenant: Option<&str>) -> Vec<(String, i64)> {
    let mut tx = migrations::begin(pool, "BEGIN").await.unwrap();
    if let Some(tenant) = tenant {
        sqlx::query("SELECT set_config('gesta.tenant', $1, true)")
            .bind(tenant)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    for shape in shapes("g1") {
        for schema in ["g1", "gesta"] {
            let relation = format!("{schema}.{}", shape.name);
            let rows = count(&mut tx, &relation).await;
            seen.push((relation, rows));
        }
    }
    let letters = "gesta.dead_letters".to_owned();
    let rows = count(&mut tx, &letters).await;
    seen.push((letters, rows));
    tx.commit().await.unwrap();
    seen
}

/// PLAT-44: plain SQL in the query role sees its tenant's rows, and without or with another tenant none.
#[tokio::test]
async fn the_query_role_sees_one_tenant() {
    let url = database::migrated().await;
    fill(&url).await;
    let pool = query_pool(&url, 1).unwrap();
    let all = |rows| move |(relation, found): &(String, i64)| assert_eq!(*found, rows, "{relation}");
    seen(&pool, None).await.iter().for_each(all(0));
    seen(&pool, Some("acme")).await.iter().for_each(all(1));
    // The same connection again: the setting ended with its transaction.
    seen(&pool, None).await.iter().for_each(all(0));
    for other in ["other", "", "%", "acme ", "ACME"] {
        seen(&pool, Some(other)).await.iter().for_each(all(0));
    }
}

/// PLAT-44: the query role writes nothing, not even in its own tenant, and sees no other role's objects.
#[tokio::test]
async fn the_query_role_writes_nothing() {
    let url = database::migrated().await;
    fill(&url).await;
    let pool = query_pool(&url, 1).unwrap();
    let mut statements: Vec<_> = shapes("g1")
        .iter()
        .flat_map(|shape| {
            [
                "UPDATE {} SET tenant = 'acme'",
                "DELETE FROM {}",
                "TRUNCATE {}",
                "INSERT INTO {} SELECT * FROM {}",
                "DROP TABLE {}",
            ]
            .map(|sql| sql.replace("{}", &format!("g1.{}", shape.name)))
        })
        .collect();
    statements.push("UPDATE gesta.projections SET state = 'running'".into());
    statements.push("UPDATE gesta.dead_letters SET redrive = true".into());
    statements.push("UPDATE gesta.generations SET state = 'retired'".into());
    statements.push("CREATE TABLE gesta.mine (x integer)".into());
    for sql in statements {
        let mut tx = migrations::begin(&pool, "BEGIN").await.unwrap();
        sqlx::query("SELECT set_config('gesta.tenant', 'acme', true)").execute(&mut *tx).await.unwrap();
        let refused = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *tx).await;
        assert!(refused.is_err(), "{sql}");
    }
}

/// The owner of the tables has no policy of its own: not even it reads rows by accident.
#[tokio::test]
async fn the_owner_reads_no_rows() {
    let url = database::migrated().await;
    fill(&url).await;
    let mut conn = database::connect(&url).await;
    sqlx::raw_sql("SET ROLE gesta_owner").execute(&mut conn).await.unwrap();
    for shape in shapes("g1") {
        assert_eq!(count(&mut conn, &format!("g1.{}", shape.name)).await, 0, "{}", shape.name);
    }
}

/// The search has the projector's rights and the tenant of its transaction; without one it finds nothing.
#[tokio::test]
async fn a_search_finds_the_chunks_of_one_tenant() {
    let url = database::migrated().await;
    fill(&url).await;
    let projector = projector_pool(&url, 1).unwrap();
    let words = "UPDATE g1.code_chunks SET words = $$'lease':1A,2C$$; UPDATE g1.repository_list \
         SET state = 'registered', id = (SELECT repository_id FROM g1.code_chunks)";
    sqlx::raw_sql(words).execute(&projector).await.unwrap();
    let query = query_pool(&url, 1).unwrap();
    for (tenant, found) in [(Some("acme"), 1), (Some("other"), 0), (None, 0)] {
        let mut tx = migrations::begin(&query, "BEGIN").await.unwrap();
        if let Some(tenant) = tenant {
            let set = sqlx::query("SELECT set_config('gesta.tenant', $1, true)").bind(tenant);
            set.execute(&mut *tx).await.unwrap();
        }
        let counted = "generate_series(1, (SELECT chunks FROM gesta.count_chunks('{lease}')))";
        assert_eq!(count(&mut tx, counted).await, found, "{tenant:?}");
        let places =
            "gesta.find_chunks('{lease}', '{lease,other}', NULL, NULL, NULL, NULL, 9) WHERE places = 'AC'";
        assert_eq!(count(&mut tx, places).await, found, "{tenant:?}");
    }
}

//! Tenants in the rows that projections really write.

use migrations::{query_pool, shapes};
use sqlx::AssertSqlSafe;

use crate::equality::long;
use crate::fixture::Fixture;

/// PLAT-44: two tenants in one log; each sees its own rows in every view, and without a tenant there are none.
#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_sees_its_own_rows() {
    let mut fixture = Fixture::new(2).await;
    fixture.append(&long(24, 800)).await;
    fixture.catch_up().await;
    let pool = query_pool(&fixture.url, 1).unwrap();
    for shape in shapes("g1") {
        let all: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM g1.{}", shape.name)))
            .fetch_one(&fixture.pool)
            .await
            .unwrap();
        let mut seen = 0;
        for tenant in ["acme", "zeta", "nobody", ""] {
            let mut tx = migrations::begin(&pool, "BEGIN").await.unwrap();
            sqlx::query("SELECT set_config('gesta.tenant', $1, true)")
                .bind(tenant)
                .execute(&mut *tx)
                .await
                .unwrap();
            let sql = format!("SELECT tenant FROM gesta.{}", shape.name);
            let tenants: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *tx).await.unwrap();
            assert!(tenants.iter().all(|found| found == tenant), "{}: {tenant} sees {tenants:?}", shape.name);
            assert_eq!(tenants.is_empty(), !["acme", "zeta"].contains(&tenant), "{}: {tenant}", shape.name);
            seen += i64::try_from(tenants.len()).unwrap();
        }
        assert_eq!(seen, all, "{}", shape.name);
    }
}

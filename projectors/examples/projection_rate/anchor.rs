//! The usual way: per event read the row, fold, upsert it; transactions of 500 events that move their
//! offset too. It writes a generation of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use event_log::{Content, Log, Reader, Start};
use migrations::table::Get;
use migrations::{TASK_LIST, TaskListRow, generation};
use projectors::Event;
use projectors::projection::{Projection, aggregate_key};
use projectors::read_models::TaskList;
use schemas::position::Position;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Postgres};

const SCHEMA: &str = "g2";
const TRANSACTION_EVENTS: usize = 500;
/// Records that are passed over at once.
const READ: usize = 1_000;

/// Creates the anchor's tables.
pub(crate) async fn prepare(url: &str, pool: &PgPool) -> Result<()> {
    generation::create(url, 2).await?;
    sqlx::query("INSERT INTO gesta.projections (name, generation, shard, cursor, log_generation, next_offset, head_offset) \
         SELECT 'task_list', 2, shard, '{}', 1, 0, 0 FROM generate_series(0, 1) AS shard")
        .execute(pool)
        .await?;
    Ok(())
}

/// Lets the anchor go on from the projection's rows.
pub(crate) async fn copy(url: &str) -> Result<()> {
    let mut conn = PgConnection::connect(url).await?;
    let sql =
        "TRUNCATE g2.task_list; INSERT INTO g2.task_list SELECT * FROM g1.task_list; ANALYZE g2.task_list";
    sqlx::raw_sql(sql).execute(&mut conn).await?;
    Ok(())
}

/// Whether both have come to the same rows.
pub(crate) async fn assert_same(url: &str) -> Result<()> {
    let mut conn = PgConnection::connect(url).await?;
    let sql = "SELECT count(*) FROM (TABLE g1.task_list EXCEPT TABLE g2.task_list) AS other";
    let others: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
    ensure!(others == 0, "{others} rows of the anchor differ from those of the projection");
    Ok(())
}

/// Where the anchor reads, one reader per shard.
pub(crate) struct Readers(Vec<Reader>);

impl Readers {
    pub(crate) async fn new(log: &Log) -> Result<Self> {
        let mut readers = Vec::new();
        for shard in 0..log.genesis().shards {
            readers.push(log.reader(Start::Beginning(shard)).await?);
        }
        Ok(Self(readers))
    }

    /// Passes over everything that the log holds.
    pub(crate) async fn skip(&mut self) -> Result<()> {
        for reader in &mut self.0 {
            while !reader.next(READ).await?.is_empty() {}
        }
        Ok(())
    }

    /// Applies what came since, all shards at once.
    pub(crate) async fn apply(&mut self, pool: &PgPool) -> Result<Duration> {
        let begun = Instant::now();
        let shard = |reader: Reader| tokio::spawn(apply_shard(reader, pool.clone()));
        let tasks: Vec<_> = self.0.drain(..).map(shard).collect();
        for task in tasks {
            self.0.push(task.await??);
        }
        Ok(begun.elapsed())
    }
}

async fn apply_shard(mut reader: Reader, pool: PgPool) -> Result<Reader> {
    let (select, upsert) = (select_sql(), upsert_sql());
    loop {
        let counted = reader.next(TRANSACTION_EVENTS).await?;
        let Some(last) = counted.last() else { return Ok(reader) };
        let mut tx = migrations::begin(&pool, "BEGIN").await?;
        for record in &counted {
            let Content::Commit(commit) = &record.content else { continue };
            let shard = reader.cursor().shard;
            let event =
                Event::decode(commit, 0, Position { generation: 1, shard, offset: record.offset, index: 0 })?;
            let (tenant, id) = aggregate_key(&event);
            let read =
                sqlx::query_as(AssertSqlSafe(select.clone())).bind(tenant.as_str().to_owned()).bind(id);
            let row: Option<TaskListRow> = read.fetch_optional(&mut *tx).await?;
            let row = TaskList::fold(row, &event).context("the row is there")?;
            bind(sqlx::query(AssertSqlSafe(upsert.clone())), &row).execute(&mut *tx).await?;
        }
        sqlx::query("UPDATE gesta.projections SET next_offset = $1 WHERE generation = 2 AND shard = $2")
            .bind(i64::try_from(last.offset)?)
            .bind(i32::from(reader.cursor().shard))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
}

fn select_sql() -> String {
    format!("SELECT {} FROM {SCHEMA}.task_list WHERE tenant = $1 AND id = $2", TASK_LIST.column_list())
}

fn upsert_sql() -> String {
    let values: Vec<_> = (1..=TASK_LIST.columns.len()).map(|n| format!("${n}")).collect();
    let set: Vec<_> =
        TASK_LIST.columns.iter().map(|column| format!("{0} = excluded.{0}", column.name)).collect();
    format!(
        "INSERT INTO {SCHEMA}.task_list ({}) VALUES ({}) ON CONFLICT (tenant, id) DO UPDATE SET {}",
        TASK_LIST.column_list(),
        values.join(", "),
        set.join(", "),
    )
}

fn bind<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    row: &TaskListRow,
) -> Query<'q, Postgres, PgArguments> {
    for column in TASK_LIST.columns {
        query = match &column.get {
            Get::Text(get) => query.bind(get(row).map(str::to_owned)),
            Get::BigInt(get) => query.bind(get(row)),
            Get::Integer(get) => query.bind(get(row)),
            Get::Boolean(get) => query.bind(get(row)),
            Get::Instant(get) => query.bind(get(row)),
            Get::Uuid(get) => query.bind(get(row)),
            Get::Json(get) => query.bind(get(row).map(|json| Json(json.raw().to_owned()))),
        };
    }
    query
}

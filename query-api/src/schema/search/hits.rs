//! What is shown of a chunk that was found, and where it stands.

use std::collections::HashMap;

use async_graphql::{Context, ID, SimpleObject};
use migrations::{CODE_CHUNKS, CodeChunksRow};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::lexical::Scored;
use crate::read_models::ReadModel;
use crate::schema::{Fallible, reader};

/// A chunk that was found.
#[derive(SimpleObject)]
pub(crate) struct Hit {
    /// How well it fits: a higher one fits better; comparable within one answer.
    score: f64,
    /// Where it stands.
    citation: Citation,
    /// What it is, for example `function_def`.
    kind: String,
    /// Name of the definition, or heading of the section.
    name: Option<String>,
    /// What encloses it, for example a module and a type.
    scope: String,
    /// Head of the definition.
    signature: String,
    /// Language of its file.
    language: Option<String>,
    /// The lines themselves.
    text: String,
}

/// Where a chunk stands: enough to open it.
#[derive(SimpleObject)]
pub(crate) struct Citation {
    /// Id of the repository.
    repository_id: ID,
    /// Its name.
    repository: String,
    /// Path from the repository's root.
    path: String,
    /// First line, 1-based.
    start_line: i64,
    /// Last line.
    end_line: i64,
    /// Commit at which the lines were read; none when the folder was no git repository.
    commit: Option<String>,
}

/// Loads what was found, in that order.
///
/// # Errors
/// The database is away.
pub(super) async fn load(ctx: &Context<'_>, scored: Vec<Scored>) -> Fallible<Vec<Hit>> {
    let reader = reader(ctx);
    let columns =
        CODE_CHUNKS.column_names().iter().map(|name| format!("c.{name}")).collect::<Vec<_>>().join(", ");
    let mut sql = QueryBuilder::new(format!(
        "SELECT {columns}, r.name AS repository FROM gesta.code_chunks c JOIN gesta.repository_list r \
         ON r.tenant = c.tenant AND r.id = c.repository_id WHERE c.tenant = "
    ));
    sql.push_bind(reader.tenant().as_str());
    let (files, chunks): (Vec<Uuid>, Vec<String>) = scored.iter().map(|(key, _)| key.clone()).unzip();
    sql.push(" AND (c.file_id, c.chunk_id) IN (SELECT * FROM UNNEST(").push_bind(files).push("::uuid[], ");
    sql.push_bind(chunks).push("::text[]))");
    let mut connection = reader.lend(&[ReadModel::CodeChunks, ReadModel::RepositoryList]).await?;
    let rows: Vec<Found> = sql.build_query_as().fetch_all(&mut *connection).await?;
    drop(connection);
    let mut rows: HashMap<_, _> =
        rows.into_iter().map(|found| ((found.row.file_id, found.row.chunk_id.clone()), found)).collect();
    Ok(scored
        .into_iter()
        .filter_map(|(key, score)| rows.remove(&key).map(|found| hit(found, score)))
        .collect())
}

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    row: CodeChunksRow,
    repository: String,
}

fn hit(Found { row, repository }: Found, score: f64) -> Hit {
    Hit {
        score,
        citation: Citation {
            repository_id: row.repository_id.into(),
            repository,
            path: row.path,
            start_line: row.start_line,
            end_line: row.end_line,
            commit: row.commit,
        },
        kind: row.kind,
        name: row.name,
        scope: row.scope,
        signature: row.signature,
        language: row.language,
        text: row.text,
    }
}

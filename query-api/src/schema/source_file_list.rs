//! Source files: the read model `source_file_list`.

use std::marker::PhantomData;

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use migrations::{SOURCE_FILE_LIST, SourceFileListRow};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};

use super::Fallible;
use super::listing::{Listing, any_of, is_id};
use super::values::{self, SourceFileState};
use crate::cursor::{Order, PageArguments};
use crate::problem::Problem;
use crate::read_models::ReadModel;

/// A page of source files.
pub(crate) type SourceFileConnection = Connection<String, SourceFile, SourceFileTotal, EmptyFields>;

static SOURCE_FILES: Listing<SourceFileListRow> = Listing {
    field: "sourceFiles",
    columns: || SOURCE_FILE_LIST.column_list(),
    row: PhantomData,
    from: " FROM gesta.source_file_list WHERE tenant = ",
    models: &[ReadModel::SourceFileList],
};

/// A file of a repository.
pub(crate) struct SourceFile {
    row: SourceFileListRow,
    state: SourceFileState,
}

impl TryFrom<SourceFileListRow> for SourceFile {
    type Error = Problem;
    fn try_from(row: SourceFileListRow) -> Fallible<Self> {
        Ok(Self { state: values::known(&row.state, "state")?, row })
    }
}

/// A file of a repository.
#[Object]
impl SourceFile {
    /// Id, unique among everything that has one.
    async fn id(&self) -> ID {
        self.row.id.into()
    }
    /// Version of the file: of the event that last changed it.
    async fn version(&self) -> i64 {
        self.row.version
    }
    /// Repository that it belongs to.
    async fn repository_id(&self) -> ID {
        self.row.repository_id.into()
    }
    /// Path from the repository's root.
    async fn path(&self) -> &str {
        &self.row.path
    }
    /// State in its life.
    async fn state(&self) -> SourceFileState {
        self.state
    }
    /// Language; none = plain text, or not indexed yet.
    async fn language(&self) -> Option<&str> {
        self.row.language.as_deref()
    }
    /// Size in bytes.
    async fn bytes(&self) -> i64 {
        self.row.bytes
    }
    /// Lines.
    async fn lines(&self) -> i64 {
        self.row.lines
    }
    /// Chunks that are found now.
    async fn chunk_count(&self) -> i64 {
        self.row.chunks
    }
    /// SHA-256 of its content, hexadecimal.
    async fn content_hash(&self) -> Option<&str> {
        self.row.content_hash.as_deref()
    }
    /// Name and version of what split it.
    async fn chunker(&self) -> Option<&str> {
        self.row.chunker.as_deref()
    }
    /// Commit that its content was read at.
    async fn commit(&self) -> Option<&str> {
        self.row.commit.as_deref()
    }
    /// When its last event happened.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.row.updated_at
    }
}

/// Which source files; every part that is given must hold, of a list any one value.
#[derive(Debug, Clone, Default, InputObject, Serialize)]
pub(crate) struct SourceFileFilter {
    /// Repository that they belong to.
    repository_id: Option<ID>,
    /// Paths.
    path: Option<Vec<String>>,
    /// Languages.
    language: Option<Vec<String>>,
    /// States of their life.
    state: Option<Vec<SourceFileState>>,
}

impl SourceFileFilter {
    fn restrict(&self, sql: &mut QueryBuilder<Postgres>) -> Fallible<()> {
        for (texts, name) in [(&self.path, "path"), (&self.language, "language")] {
            values::bounded(texts.as_ref(), name)?;
        }
        is_id(sql, " AND repository_id = ", self.repository_id.as_ref(), "repositoryId")?;
        any_of(sql, " AND path = ANY(", self.path.clone());
        any_of(sql, " AND language = ANY(", self.language.clone());
        any_of(sql, " AND state = ANY(", self.state.as_deref().map(values::columns));
        Ok(())
    }
}

/// What a page of source files says about all of them.
pub(crate) struct SourceFileTotal(SourceFileFilter);

/// What a page of source files says about all of them.
#[Object]
impl SourceFileTotal {
    /// How many source files fit the filter, on all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Fallible<i64>> {
        Some(SOURCE_FILES.count(ctx, |sql| self.0.restrict(sql)).await)
    }
}

/// A page of source files.
///
/// # Errors
/// A cursor, page size or filter that is not usable; the database is away.
pub(super) async fn list(
    ctx: &Context<'_>,
    filter: SourceFileFilter,
    arguments: &PageArguments,
) -> Fallible<SourceFileConnection> {
    let mut page = SOURCE_FILES.page(ctx, &filter, arguments)?;
    filter.restrict(&mut page.sql)?;
    let by = Order {
        row: "(registered_at, id)",
        ascending: "registered_at, id",
        descending: "registered_at DESC, id DESC",
        is_descending: true,
    };
    let key = |file: &SourceFile| (file.row.registered_at.timestamp_micros(), file.row.id);
    page.read(ctx, by, SourceFileTotal(filter), key).await
}

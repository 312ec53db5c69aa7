//! Search over chunks, with citations (KNOW-30 to KNOW-37).

mod bm25;
mod hits;
mod lexical;

use async_graphql::{Context, Enum, ID, InputObject, SimpleObject};
use schemas::problem::Code;
use schemas::source_file::ChunkKind;

use super::{Fallible, values};
use crate::limits::{DEFAULT_HITS, MAX_PAGE, MAX_SEARCH_CHARS};
use crate::problem::Problem;
use hits::Hit;

/// How chunks are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum)]
pub(crate) enum SearchMode {
    /// By their words: identifiers are split and stemmed, rare words count more, names count three times (BM25).
    #[default]
    Lexical,
}

/// In which chunks; every part that is given must hold, of a list any one value.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct SearchFilter {
    /// Repositories, by id.
    repository_id: Option<Vec<ID>>,
    /// Languages, for example `rust`.
    language: Option<Vec<String>>,
    /// Kinds of chunks, for example `function_def`.
    kind: Option<Vec<String>>,
    /// What their paths begin with, for example `src/`.
    beneath: Option<String>,
}

/// What a search found.
#[derive(SimpleObject)]
pub(crate) struct Search {
    /// The words that were looked for, split and stemmed.
    words: Vec<String>,
    /// The best hits, the best one first.
    hits: Vec<Hit>,
}

/// Searches.
///
/// # Errors
/// `invalid_query` for a query without a word, one too long or a filter that is not usable; the database is away.
pub(super) async fn search(
    ctx: &Context<'_>,
    query: &str,
    mode: SearchMode,
    filter: SearchFilter,
    first: Option<i32>,
) -> Fallible<Search> {
    let invalid = |detail: String| Problem::new(Code::InvalidQuery, detail);
    let first = first.map_or(Some(DEFAULT_HITS), |first| u64::try_from(first).ok());
    let first = first.filter(|first| (1..=MAX_PAGE).contains(first));
    let first = first.ok_or_else(|| invalid(format!("`first` must be 1 to {MAX_PAGE}")))?;
    let length = query.chars().count();
    if length > MAX_SEARCH_CHARS {
        return Err(invalid(format!(
            "`query` has {length} characters; at most {MAX_SEARCH_CHARS} are looked for"
        )));
    }
    let words = lexical::words(query);
    if words.is_empty() {
        return Err(invalid("`query` has no word: letters or digits".to_owned()));
    }
    let filter = filter.checked()?;
    let scored = match mode {
        SearchMode::Lexical => lexical::find(ctx, &words, &filter, first as usize).await?,
    };
    Ok(Search { hits: hits::load(ctx, scored).await?, words })
}

/// A filter as the database takes it.
struct Filter {
    repositories: Option<Vec<uuid::Uuid>>,
    languages: Option<Vec<String>>,
    kinds: Option<Vec<String>>,
    beneath: Option<String>,
}

impl SearchFilter {
    fn checked(self) -> Fallible<Filter> {
        let Self { repository_id, language, kind, beneath } = self;
        for (texts, name) in [(&language, "language"), (&kind, "kind")] {
            values::bounded(texts.as_ref(), name)?;
        }
        for kind in kind.iter().flatten() {
            let known: Result<ChunkKind, _> = serde_json::from_value(kind.as_str().into());
            known.map_err(|error| Problem::new(Code::InvalidQuery, format!("`kind`: {error}")))?;
        }
        values::bounded(beneath.as_ref().map(|beneath| vec![beneath.clone()]).as_ref(), "beneath")?;
        let ids = repository_id.map(|ids| ids.into_iter().map(|id| id.0).collect::<Vec<_>>());
        values::bounded(ids.as_ref(), "repositoryId")?;
        let parse = |id: &String| values::filter_uuid(Some(&ID(id.clone())), "repositoryId");
        let repositories = match ids {
            Some(ids) => Some(ids.iter().filter_map(|id| parse(id).transpose()).collect::<Fallible<_>>()?),
            None => None,
        };
        Ok(Filter { repositories, languages: language, kinds: kind, beneath })
    }
}

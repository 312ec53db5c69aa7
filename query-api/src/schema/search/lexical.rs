//! Finding by words: candidates by the rarer words, then BM25 over them.

use std::collections::{BTreeMap, HashMap};

use async_graphql::Context;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Filter;
use super::bm25::Corpus;
use crate::limits::MAX_SEARCH_WORDS;
use crate::read_models::ReadModel;
use crate::schema::{Fallible, reader};

/// Chunks that are scored.
const MAX_CANDIDATES: i32 = 1_000;
/// Chunks that are looked at for candidates, as far as the words' counts tell; the rarest word is always looked for.
const MAX_LOOKED_AT: i64 = 5_000;

/// File and chunk, with the score.
pub(super) type Scored = ((Uuid, String), f64);

/// One word of one candidate.
#[derive(sqlx::FromRow)]
struct Place {
    file_id: Uuid,
    chunk_id: String,
    length: i32,
    word: String,
    places: String,
}

/// The words of a query, each once, in the order in which they stand.
pub(super) fn words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in migrations::words::words(query) {
        if words.len() < MAX_SEARCH_WORDS && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// The `first` best chunks, the best one first.
pub(super) async fn find(
    ctx: &Context<'_>,
    words: &[String],
    filter: &Filter,
    first: usize,
) -> Fallible<Vec<Scored>> {
    let reader = reader(ctx);
    let mut connection = reader.lend(&[ReadModel::CodeChunks, ReadModel::SourceFileList]).await?;
    let counts: HashMap<String, i64> = sqlx::query_as("SELECT word, chunks FROM gesta.count_chunks($1)")
        .bind(words)
        .fetch_all(&mut *connection)
        .await?
        .into_iter()
        .collect();
    let mut rarest: Vec<&String> =
        words.iter().filter(|word| counts.get(*word).is_some_and(|n| *n > 0)).collect();
    rarest.sort_by_key(|word| (counts[*word], *word));
    let mut looked_at = 0;
    let few: Vec<String> = rarest
        .iter()
        .take_while(|word| {
            let enough = looked_at > 0 && looked_at + counts[**word] > MAX_LOOKED_AT;
            looked_at += counts[**word];
            !enough
        })
        .map(|word| (*word).clone())
        .collect();
    let all: Vec<String> = rarest.into_iter().cloned().collect();
    let mut places = candidates(&mut connection, &few, &all, filter).await?;
    if few.len() < all.len() && distinct(&places) < first {
        // The rarer words alone do not fill the page: the commoner ones have to.
        places = candidates(&mut connection, &all, &all, filter).await?;
    }
    let chunks: i64 = sqlx::query_scalar(
        "SELECT COALESCE(sum(chunks), 0)::bigint FROM gesta.source_file_list WHERE tenant = $1",
    )
    .bind(reader.tenant().as_str())
    .fetch_one(&mut *connection)
    .await?;
    Ok(best(&places, &counts, chunks, first))
}

async fn candidates(
    connection: &mut PgConnection,
    any_of: &[String],
    words: &[String],
    filter: &Filter,
) -> Fallible<Vec<Place>> {
    if any_of.is_empty() {
        return Ok(Vec::new());
    }
    let sql =
        "SELECT file_id, chunk_id, length, word, places FROM gesta.find_chunks($1, $2, $3, $4, $5, $6, $7)";
    let query = sqlx::query_as(sql).bind(any_of).bind(words);
    let query =
        query.bind(&filter.repositories).bind(&filter.languages).bind(&filter.kinds).bind(&filter.beneath);
    Ok(query.bind(MAX_CANDIDATES).fetch_all(connection).await?)
}

fn distinct(places: &[Place]) -> usize {
    let mut seen: Vec<_> = places.iter().map(|place| (place.file_id, &place.chunk_id)).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}

#[expect(clippy::cast_precision_loss, reason = "counts of chunks are far below 2^52")]
fn best(places: &[Place], counts: &HashMap<String, i64>, chunks: i64, first: usize) -> Vec<Scored> {
    let mut lengths: BTreeMap<(Uuid, &str), i32> = BTreeMap::new();
    for place in places {
        lengths.insert((place.file_id, &place.chunk_id), place.length);
    }
    let usual_length = lengths.values().copied().map(f64::from).sum::<f64>() / lengths.len().max(1) as f64;
    let corpus = Corpus { chunks: chunks as f64, usual_length };
    let mut scores: BTreeMap<(Uuid, &str), f64> = BTreeMap::new();
    for place in places {
        let with_it = counts.get(&place.word).copied().unwrap_or(0) as f64;
        let score = corpus.score(with_it, place.length.into(), &place.places);
        *scores.entry((place.file_id, &place.chunk_id)).or_default() += score;
    }
    let mut scored: Vec<Scored> =
        scores.into_iter().map(|((file, chunk), score)| ((file, chunk.to_owned()), score)).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    scored.truncate(first);
    scored
}

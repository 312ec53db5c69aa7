//! Finding chunks by their words.
//!
//! Row-level security lets no index be searched by an operator that might tell of rows it hides, and `@@` is one. So
//! two functions search with the rights of the projector, which sees every row, and keep to the tenant of the
//! transaction themselves: without one they find nothing.

use sqlx::{Connection, PgConnection};

/// `gesta.count_chunks(words)`: how many chunks have each word, at most 20,000; commoner ones tell hardly anything.
/// `gesta.find_chunks(anyof, words, …)`: the best `most` of the chunks that have any word of `anyof` and fit the
/// filters (a null one lets everything pass), and how often each has the `words`: one letter per place, `A` in the
/// name, `B` around it, `C` in the text. Chunks of a retired repository are not found.
const FUNCTIONS_SQL: &str = "
CREATE OR REPLACE FUNCTION gesta.count_chunks(words text[]) RETURNS TABLE (word text, chunks bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.word, (SELECT count(*) FROM (
        SELECT FROM gesta.code_chunks c
        WHERE c.tenant = current_setting('gesta.tenant', true) AND c.lexemes @@ quote_literal(w.word)::tsquery
        LIMIT 20000) AS at_most)
    FROM unnest(words) AS w(word)
$$;
CREATE OR REPLACE FUNCTION gesta.find_chunks(
    anyof text[], words text[], repositories uuid[], languages text[], kinds text[], beneath text, most integer
) RETURNS TABLE (file_id uuid, chunk_id text, length integer, word text, places text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH asked AS (SELECT string_agg(quote_literal(w), ' | ')::tsquery AS query FROM unnest(anyof) AS w),
    found AS (
        SELECT c.file_id, c.chunk_id, c.length, c.lexemes FROM gesta.code_chunks c, asked
        WHERE c.tenant = current_setting('gesta.tenant', true) AND c.lexemes @@ asked.query
          AND EXISTS (SELECT FROM gesta.repository_list r
              WHERE r.tenant = c.tenant AND r.id = c.repository_id AND r.state = 'registered')
          AND (repositories IS NULL OR c.repository_id = ANY (repositories))
          AND (languages IS NULL OR c.language = ANY (languages))
          AND (kinds IS NULL OR c.kind = ANY (kinds))
          AND (beneath IS NULL OR starts_with(c.path, beneath))
        ORDER BY ts_rank(c.lexemes, asked.query) DESC, c.file_id, c.chunk_id
        LIMIT most)
    SELECT f.file_id, f.chunk_id, f.length, l.lexeme, array_to_string(l.weights, '')
    FROM found f, unnest(f.lexemes) AS l WHERE l.lexeme = ANY (words)
$$;
REVOKE ALL ON FUNCTION gesta.count_chunks, gesta.find_chunks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gesta.count_chunks, gesta.find_chunks TO gesta_query;
";

/// Makes the functions, owned by the projector; it may create nothing else in the schema.
pub(crate) async fn create(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    let begin = "GRANT CREATE ON SCHEMA gesta TO gesta_projector; RESET ROLE; SET LOCAL ROLE gesta_projector";
    sqlx::raw_sql(begin).execute(&mut *tx).await?;
    sqlx::raw_sql(FUNCTIONS_SQL).execute(&mut *tx).await?;
    let end = "RESET ROLE; SET ROLE gesta_owner; REVOKE CREATE ON SCHEMA gesta FROM gesta_projector";
    sqlx::raw_sql(end).execute(&mut *tx).await?;
    tx.commit().await
}

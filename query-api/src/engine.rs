//! From a document to an answer: guard, wait for the token, one snapshot, execution.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, ServerError, Value, Variables};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use schemas::position::Token;
use schemas::problem::Code;
use sqlx::PgPool;

use crate::QueryOptions;
use crate::guard::{self, Checked, Refusal};
use crate::limits;
use crate::problem::{self, Problem};
use crate::progress::Progress;
use crate::read_models::ReadModel;
use crate::reader::Reader;
use crate::schema::{self, ApiSchema};
use crate::transport::caller::Caller;

/// One operation that a client wants.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) query: String,
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Variables,
}

/// How far a request came; its status depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The document was refused by the guard or by validation.
    Document,
    /// The service could not do its part.
    Service(Code),
    /// It was executed; single fields may still have failed.
    Executed,
}

/// What is sent back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) stage: Stage,
    pub(crate) response: Response,
}

impl Answer {
    /// The answer that consists of one problem.
    pub(crate) fn problem(stage: Stage, problem: Problem) -> Self {
        Self { stage, response: Response::from_errors(vec![problem.into_server_error()]) }
    }
}

/// An operation that passed the guard.
pub(crate) struct Prepared {
    pub(crate) kind: OperationType,
    request: Request,
    reads: BTreeSet<ReadModel>,
    at_least: Token,
    caller: Caller,
}

/// Everything that answers queries.
pub(crate) struct Engine {
    schema: ApiSchema,
    pool: PgPool,
    pub(crate) progress: Progress,
    pub(crate) options: QueryOptions,
}

impl Engine {
    pub(crate) fn new(pool: PgPool, options: QueryOptions) -> Self {
        let progress = Progress::new(pool.clone());
        Self { schema: schema::build(options.introspection), progress, pool, options }
    }

    /// The schema as text.
    pub(crate) fn sdl(&self) -> String {
        schema::sdl(&self.schema)
    }

    /// Parses and weighs.
    ///
    /// # Errors
    /// The answer that refuses the document.
    pub(crate) fn prepare(&self, ask: Ask, caller: &Caller) -> Result<Prepared, Box<Answer>> {
        let refuse = |problem| Err(Box::new(Answer::problem(Stage::Document, problem)));
        let checked = match guard::check(&ask.query, &ask.variables, &guard::Limits::default()) {
            Ok(checked) => checked,
            Err(refusal) => return Err(Box::new(refused(&refusal))),
        };
        tracing::debug!(cost = checked.cost, work = checked.work, "document weighed");
        metrics::histogram!("gesta_query_cost").record(checked.cost as f64);
        let name = ask.operation_name.as_deref();
        let Some(kind) = checked.operation_type(name) else {
            let detail = match name {
                Some(_) => "the document has no operation of the name in `operationName`",
                None => "the document must have exactly one operation, or `operationName` must choose one",
            };
            return refuse(Problem::new(Code::InvalidQuery, detail));
        };
        let at_least = match merged_token(&checked, caller) {
            Ok(token) => token,
            Err(problem) => return refuse(problem),
        };
        let mut request = Request::new(ask.query).variables(ask.variables);
        request.operation_name = ask.operation_name;
        request.set_parsed_query(checked.document);
        Ok(Prepared { kind, request, reads: checked.reads, at_least, caller: caller.clone() })
    }

    /// Runs a query to its end, within [`limits::REQUEST_TIMEOUT`].
    pub(crate) async fn execute(&self, prepared: Prepared) -> Answer {
        let started = Instant::now();
        let answer = match tokio::time::timeout(limits::REQUEST_TIMEOUT, self.run(prepared)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(problem)) => Answer::problem(Stage::Service(problem.code), problem),
            Err(_) => {
                let detail =
                    format!("no answer within {} s; ask for less", limits::REQUEST_TIMEOUT.as_secs());
                Answer::problem(Stage::Service(Code::Unavailable), Problem::new(Code::Unavailable, detail))
            }
        };
        let stage = match answer.stage {
            Stage::Document => "document",
            Stage::Service(_) => "service",
            Stage::Executed => "executed",
        };
        metrics::histogram!("gesta_query_seconds", "stage" => stage).record(started.elapsed());
        answer
    }

    async fn run(&self, prepared: Prepared) -> Result<Answer, Problem> {
        self.progress.wait(&prepared.at_least, &prepared.reads, self.options.token_wait).await?;
        let reader = Arc::new(Reader::snapshot(self.pool.clone(), prepared.caller.tenant, prepared.reads));
        let seen = reader.open().await?;
        let request = schema::with_context(prepared.request, &reader, &self.progress, self.options.trace);
        let mut answer = finish(self.schema.execute(request).await);
        reader.close().await;
        if let (Some(seen), Stage::Executed) = (seen, answer.stage) {
            answer.response.extensions.insert("position".to_owned(), Value::from(seen.to_string()));
        }
        Ok(answer)
    }

    /// Runs a subscription; its items come until the stream is dropped or ends itself.
    ///
    /// # Errors
    /// What keeps it from beginning.
    pub(crate) async fn subscribe(&self, prepared: Prepared) -> Result<BoxStream<'static, Answer>, Problem> {
        self.progress.wait(&prepared.at_least, &prepared.reads, self.options.token_wait).await?;
        let reader =
            Arc::new(Reader::each_on_its_own(self.pool.clone(), prepared.caller.tenant, prepared.reads));
        let request = schema::with_context(prepared.request, &reader, &self.progress, self.options.trace);
        Ok(self.schema.execute_stream(request).map(finish).boxed())
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let code = if refusal.is_invalid() { Code::InvalidQuery } else { Code::QueryTooCostly };
    let position = if let Refusal::Syntax(_, position) = refusal { *position } else { None };
    let mut error = ServerError::new(refusal.to_string(), position);
    problem::stamp(&mut error, code);
    Answer { stage: Stage::Document, response: Response::from_errors(vec![error]) }
}

/// The header's token and those of the root fields, as one: per shard the furthest.
fn merged_token(checked: &Checked, caller: &Caller) -> Result<Token, Problem> {
    let invalid = |detail: String| Problem::new(Code::InvalidToken, detail);
    let mut merged = caller.at_least.clone();
    for value in &checked.at_least {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            _ => return Err(invalid("`atLeast` takes a token as text".into())),
        };
        let token: Token = text.parse().map_err(|error| invalid(format!("`atLeast`: {error}")))?;
        let Some(merged) = &mut merged else {
            merged = Some(token);
            continue;
        };
        if merged.generation != token.generation {
            return Err(invalid("the tokens are of two generations of the log".into()));
        }
        for (shard, offset) in token.marks {
            merged.raise(shard, offset);
        }
    }
    Ok(merged.unwrap_or_default())
}

/// Gives every error a code and bounds their number.
fn finish(mut response: Response) -> Answer {
    // Every root field is nullable: an executed operation always has an object.
    let stage = if response.data == Value::Null { Stage::Document } else { Stage::Executed };
    let count = response.errors.len();
    if count > limits::MAX_ERRORS {
        response.errors.truncate(limits::MAX_ERRORS - 1);
        let rest = count - response.errors.len();
        response.errors.push(ServerError::new(format!("and {rest} more errors"), None));
    }
    for error in &mut response.errors {
        if error.extensions.as_ref().is_none_or(|extensions| extensions.get("code").is_none()) {
            problem::stamp(error, Code::InvalidQuery);
        }
    }
    Answer { stage, response }
}

//! The GraphQL schema: one file per read model, and what is common to them.

mod agent_list;
mod agent_stats;
mod causation;
mod dead_letters;
mod event_journal;
mod listing;
mod loaders;
mod node;
mod projections;
mod provenance;
mod query;
mod queue_depth;
mod repository_list;
mod search;
mod source_file_list;
mod state_transitions;
mod subscription;
mod task_attempts;
mod task_list;
mod values;

use std::sync::Arc;

use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, EmptyMutation, Request, SDLExportOptions, Schema};

use migrations::trace::Tracer;

use crate::limits;
use crate::problem::Problem;
use crate::progress::Progress;
use crate::reader::Reader;
pub(crate) use event_journal::{EventFilter, after as events_after};
use loaders::Loaders;

/// The schema with its roots.
pub(crate) type ApiSchema = Schema<query::Query, EmptyMutation, subscription::Subscription>;

/// What a resolver that reads gives. A field of the schema is either infallible and non-null, or
/// `Option<Fallible<T>>`; a test forbids everything else (async-graphql 7 drops the key of a failed
/// `Result<Option<T>>`).
pub(crate) type Fallible<T> = Result<T, Problem>;

/// Slack of the library's own depth limit over the guard's: introspection is deeper than queries.
const LIBRARY_DEPTH: usize = limits::MAX_INTROSPECTION_DEPTH as usize + 2;

/// Builds the schema.
pub(crate) fn build(introspection: bool) -> ApiSchema {
    let builder = Schema::build(query::Query, EmptyMutation, subscription::Subscription)
        .disable_suggestions()
        .limit_depth(LIBRARY_DEPTH)
        .limit_complexity(limits::MAX_COST as usize)
        .limit_directives(limits::MAX_DIRECTIVES);
    if introspection { builder.finish() } else { builder.disable_introspection().finish() }
}

/// The schema as text, in a fixed order.
pub(crate) fn sdl(schema: &ApiSchema) -> String {
    schema.sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items())
}

/// Gives a request what its resolvers need. Loaders are fresh: nothing is shared between tenants.
pub(crate) fn with_context(
    request: Request,
    reader: &Arc<Reader>,
    progress: &Progress,
    trace: Tracer,
) -> Request {
    request
        .data(reader.clone())
        .data(DataLoader::new(Loaders(reader.clone()), tokio::spawn))
        .data(progress.clone())
        .data(trace)
}

/// The request's reader.
fn reader<'a>(ctx: &Context<'a>) -> &'a Arc<Reader> {
    ctx.data_unchecked::<Arc<Reader>>()
}

/// The request's loaders.
fn loaders<'a>(ctx: &Context<'a>) -> &'a DataLoader<Loaders> {
    ctx.data_unchecked::<DataLoader<Loaders>>()
}

//! Events: the read model `event_journal`.

mod page;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use migrations::EventJournalRow;
use serde_json::Value;

use super::loaders::TransitionOf;
use super::state_transitions::Transition;
use super::{Fallible, loaders};
pub(crate) use page::{
    EventConnection, EventFilter, EventOrder, after, history, list, of_correlation, versions,
};

/// One fact of the log.
#[derive(Clone)]
pub(crate) struct Event(pub(crate) EventJournalRow);

/// One fact of the log.
#[Object]
impl Event {
    /// Id, the same in every store and topic.
    pub(super) async fn id(&self) -> ID {
        self.0.event_id.into()
    }
    /// Event type, for example `gesta.work.task.created.v1`.
    async fn r#type(&self) -> &str {
        &self.0.r#type
    }
    /// Version of the aggregate after it, from 1 without gap.
    async fn version(&self) -> i64 {
        self.0.version
    }
    /// Aggregate type, for example `task`.
    async fn aggregate_type(&self) -> &str {
        &self.0.aggregate_type
    }
    /// Id of the aggregate.
    async fn aggregate_id(&self) -> ID {
        self.0.aggregate_id.into()
    }
    /// `<aggregate type>/<aggregate id>`.
    async fn subject(&self) -> &str {
        &self.0.subject
    }
    /// `urn:gesta:<context>/<aggregate type>`.
    async fn source(&self) -> &str {
        &self.0.source
    }
    /// When it happened, by the clock of its shard.
    async fn time(&self) -> DateTime<Utc> {
        self.0.time
    }
    /// Payload as it was written.
    async fn data(&self) -> Value {
        self.0.data.value()
    }
    /// Revision of the schema that the payload was written with.
    async fn schema_version(&self) -> i64 {
        self.0.schema_version
    }
    /// Correlation id of the original request.
    async fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }
    /// Id of the event or command that caused the command.
    async fn causation_id(&self) -> &str {
        &self.0.causation_id
    }
    /// Id of the command, which is its idempotency key.
    async fn command_id(&self) -> &str {
        &self.0.command_id
    }
    /// Type of the command, for example `task.create`.
    async fn command_type(&self) -> &str {
        &self.0.command_type
    }
    /// Who issued the command, `kind/id`.
    async fn actor(&self) -> String {
        format!("{}/{}", self.0.actor_type, self.0.actor_id)
    }
    /// W3C `traceparent` of the request.
    async fn traceparent(&self) -> Option<&str> {
        self.0.traceparent.as_deref()
    }
    /// Agent that it is about, or that holds the task.
    async fn agent_id(&self) -> Option<&str> {
        self.0.agent_id.as_deref()
    }
    /// Team that it names.
    async fn team_id(&self) -> Option<ID> {
        self.0.team_id.map(ID::from)
    }
    /// Task that it is about.
    async fn task_id(&self) -> Option<ID> {
        self.0.task_id.map(ID::from)
    }
    /// Session that it names.
    async fn session_id(&self) -> Option<ID> {
        self.0.session_id.map(ID::from)
    }
    /// Shard of the log.
    async fn shard(&self) -> i32 {
        self.0.shard
    }
    /// Offset of its commit in the shard.
    async fn offset(&self) -> i64 {
        self.0.log_offset
    }
    /// Place in the log, `generation.shard.offset.index`.
    async fn position(&self) -> &str {
        &self.0.position
    }
    /// The change of state that it made, if it made one.
    async fn transition(&self, ctx: &Context<'_>) -> Option<Fallible<Transition>> {
        loaders(ctx).load_one(TransitionOf(self.0.event_id)).await.transpose()
    }
}

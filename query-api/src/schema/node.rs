//! Everything that has an id, by its id.

use async_graphql::{Context, ID, Interface};

use super::agent_list::Agent;
use super::event_journal::Event;
use super::loaders::{AgentKey, EventKey, TaskKey};
use super::task_list::Task;
use super::{Fallible, loaders, values};

/// Something with an id that is unique among all of them.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Id, unique among everything that has one."))]
pub(crate) enum Node {
    /// A task.
    Task(Task),
    /// An agent.
    Agent(Agent),
    /// An event.
    Event(Event),
}

/// What `id` names: aggregates have UUIDs of version 8, events of version 5.
///
/// # Errors
/// The database is away.
pub(super) async fn find(ctx: &Context<'_>, id: &ID) -> Fallible<Option<Node>> {
    let Some(uuid) = values::uuid_of(id) else { return Ok(None) };
    if uuid.get_version_num() == 5 {
        return Ok(loaders(ctx).load_one(EventKey(uuid)).await?.map(Node::Event));
    }
    if let Some(task) = loaders(ctx).load_one(TaskKey(uuid)).await? {
        return Ok(Some(Node::Task(task)));
    }
    Ok(loaders(ctx).load_one(AgentKey(uuid)).await?.map(Node::Agent))
}

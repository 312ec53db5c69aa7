//! The running system as its clients see it: commands over HTTP, queries and subscriptions over GraphQL,
//! health and events on the second port, and the processes, disks and stores behind it.

mod agent_life;
mod bad_input;
mod bad_requests;
mod causation;
mod commands;
mod damaged;
mod disk_full;
mod dispatch;
mod event_stream;
mod postgres_away;
mod processes;
mod queries;
mod secured;
mod source_file_life;
mod subscriptions;
mod task_ends;
mod task_life;
mod tenants;
mod time;
mod workers;

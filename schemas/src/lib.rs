//! The contracts of Gesta: ids, positions, the commit, commands and events, problems, and the
//! documents generated from them. Every other crate depends on this one; it depends on none.

pub mod agent;
pub mod answer;
pub mod asyncapi;
pub mod cloudevent;
pub mod commit;
pub mod contract;
pub mod dead_letter;
pub mod endpoint;
#[cfg(test)]
mod generated;
pub mod ids;
pub mod json;
pub mod json_schema;
pub mod openapi;
pub mod personal;
pub mod position;
pub mod problem;
pub mod registry;
pub mod repository;
pub mod source_file;
pub mod task;
pub mod text;
pub mod upcast;

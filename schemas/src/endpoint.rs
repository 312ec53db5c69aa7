//! The addresses of the commands over HTTP, from the registry: the edge serves them, OpenAPI lists them.

use std::net::IpAddr;

use crate::contract::{Address, CommandType};
use crate::registry::{command_type, command_types};

/// Prefix of every address.
pub const API: &str = "/api/v1";
/// Address of NDJSON batches.
pub const BATCH_PATH: &str = "/api/v1/commands";

/// HTTP method of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The method of every command.
    Post,
    /// Second name of an update.
    Put,
    /// Second name of a command that ends an aggregate; needs no body.
    Delete,
}

/// One address of one command.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Method.
    pub method: Method,
    /// Path, with `{id}` where the aggregate's id stands.
    pub path: String,
    /// The command.
    pub command: &'static CommandType,
}

/// Second names, as other systems of this kind have them: method, command.
const ALIASES: &[(Method, &str)] =
    &[(Method::Put, "task.update"), (Method::Delete, "task.cancel"), (Method::Delete, "agent.archive")];

/// Every address of every command that a client may send.
pub fn endpoints() -> impl Iterator<Item = Endpoint> {
    let own = command_types().filter_map(|command| {
        let collection = command.collection;
        let path = match command.address {
            Address::Create => format!("{API}/{collection}"),
            Address::Act(verb) => format!("{API}/{collection}/{{id}}/{verb}"),
            Address::Collection(verb) => format!("{API}/{collection}/{verb}"),
            Address::Internal => return None,
        };
        Some(Endpoint { method: Method::Post, path, command })
    });
    let aliases = ALIASES.iter().map(|(method, name)| {
        let command = command_type(name).expect("a test looks every alias up");
        Endpoint { method: *method, path: format!("{API}/{}/{{id}}", command.collection), command }
    });
    own.chain(aliases)
}

/// Whether a host, without its port, is a name of this machine to itself. Who is trusted for being on this machine
/// must also call it so: otherwise a web page whose name was made to point here, or a proxy that passes its callers
/// on, would speak as everyone.
#[must_use]
pub fn is_loopback_name(host: &str) -> bool {
    let name = host.trim_matches(['[', ']']).to_ascii_lowercase();
    name.parse::<IpAddr>()
        .map_or_else(|_| name == "localhost" || name.ends_with(".localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn only_loopback_names_are_names_of_this_machine() {
        for host in ["localhost", "LocalHost", "gesta.localhost", "127.0.0.1", "127.1.2.3", "[::1]", "::1"] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "10.0.0.1", "[::2]", "0.0.0.0", "", "127.0.0.1.nip.io"]
        {
            assert!(!is_loopback_name(host), "{host}");
        }
    }

    #[test]
    fn every_command_of_clients_has_one_address_and_no_two_are_equal() {
        let mut seen = BTreeSet::new();
        for endpoint in endpoints() {
            assert!(seen.insert((endpoint.path.clone(), endpoint.method)), "{} twice", endpoint.path);
        }
        let public = command_types().filter(|command| command.address != Address::Internal).count();
        assert_eq!(seen.len(), public + ALIASES.len());
    }
}

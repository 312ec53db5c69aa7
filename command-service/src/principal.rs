//! Who a request comes from, decided in one place.

use schemas::commit::Actor;
use schemas::ids::Tenant;

/// Tenant, actor and permissions of a request; commands and event attributes take them from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The only tenant whose streams the request may touch.
    pub tenant: Tenant,
    /// Who acts.
    pub actor: Actor,
}

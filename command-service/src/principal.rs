//! Who a request comes from, decided in one place.

use schemas::commit::Actor;
use schemas::ids::{NameError, Tenant};

/// Tenant of a request that names none.
pub const DEFAULT_TENANT: &str = "default";
/// Actor of a request that names none, `kind/id`.
pub const DEFAULT_ACTOR: &str = "user/local";
/// Longest id of an actor, in characters.
pub const MAX_ACTOR_CHARS: usize = 128;
/// Kinds of actors that a client may be.
const KINDS: [&str; 4] = ["user", "agent", "api_key", "system"];

/// Tenant, actor and permissions of a request; commands and event attributes take them from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The only tenant whose streams the request may touch.
    pub tenant: Tenant,
    /// Who acts.
    pub actor: Actor,
}

/// Why a request has no principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    /// The tenant is not well-formed.
    #[error(transparent)]
    Tenant(#[from] NameError),
    /// The actor is not `kind/id`.
    #[error(
        "actor {0:?} is not `kind/id` with kind user, agent, api_key or system and an id of 1 to 128 visible ASCII characters"
    )]
    Actor(String),
}

impl Principal {
    /// The principal that trusted headers name; what is absent is the default.
    ///
    /// # Errors
    /// [`PrincipalError`] names the part that is not well-formed.
    pub fn named(tenant: Option<&str>, actor: Option<&str>) -> Result<Self, PrincipalError> {
        let tenant = Tenant::new(tenant.unwrap_or(DEFAULT_TENANT))?;
        let actor = actor.unwrap_or(DEFAULT_ACTOR);
        let parts = actor.split_once('/').filter(|(kind, id)| {
            let id_fits =
                (1..=MAX_ACTOR_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
            KINDS.contains(kind) && id_fits
        });
        let (kind, id) =
            parts.ok_or_else(|| PrincipalError::Actor(actor.chars().take(MAX_ACTOR_CHARS).collect()))?;
        Ok(Self { tenant, actor: Actor { kind: kind.into(), id: id.into() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_is_the_local_user() {
        let principal = Principal::named(None, None).unwrap();
        assert_eq!(principal.tenant.as_str(), "default");
        assert_eq!((principal.actor.kind.as_str(), principal.actor.id.as_str()), ("user", "local"));
    }

    #[test]
    fn tenant_and_actor_are_taken_as_they_are_or_refused() {
        let principal = Principal::named(Some("acme-1"), Some("agent/a/b")).unwrap();
        assert_eq!((principal.tenant.as_str(), principal.actor.id.as_str()), ("acme-1", "a/b"));
        let long = format!("user/{}", "x".repeat(MAX_ACTOR_CHARS + 1));
        for actor in ["user", "user/", "/x", "User/x", "root/x", "user/a b", "user/\u{e9}", &long] {
            assert!(matches!(Principal::named(None, Some(actor)), Err(PrincipalError::Actor(_))), "{actor}");
        }
        for tenant in ["", "Acme", "a/b", &"a".repeat(65)] {
            assert!(
                matches!(Principal::named(Some(tenant), None), Err(PrincipalError::Tenant(_))),
                "{tenant}"
            );
        }
    }
}

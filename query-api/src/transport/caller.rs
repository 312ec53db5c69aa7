//! Who asks: tenant, actor and token, taken from the headers in one place.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};
use schemas::endpoint::is_loopback_name;
use schemas::ids::Tenant;
use schemas::position::Token;
use schemas::problem::Code;

use crate::QueryOptions;
use crate::limits::MAX_HEADER_BYTES;
use crate::problem::Problem;

/// Header that names the tenant.
pub(crate) const TENANT_HEADER: &str = "x-gesta-tenant";
/// Header that names the actor, `kind/id`.
pub(crate) const ACTOR_HEADER: &str = "x-gesta-actor";
/// Header that asks for an answer at least as new as a token.
pub(crate) const AFTER_HEADER: &str = "gesta-after";

const DEFAULT_TENANT: &str = "default";
const DEFAULT_ACTOR: &str = "user/local";

/// The one who asks, for one request or one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) tenant: Tenant,
    pub(crate) actor: String,
    /// Token of the header, if it had one.
    pub(crate) at_least: Option<Token>,
}

impl Caller {
    /// Reads the headers.
    ///
    /// # Errors
    /// A problem that names the header.
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri, options: &QueryOptions) -> Result<Self, Problem> {
        check_origin(headers, options)?;
        if options.trust_tenant_header {
            check_host(headers, uri)?;
        }
        let tenant = text(headers, TENANT_HEADER)?;
        let token = text(headers, AFTER_HEADER)?;
        Ok(Self {
            tenant: tenant_of(tenant, options)?,
            actor: actor_of(text(headers, ACTOR_HEADER)?)?,
            at_least: token.map(str::parse).transpose().map_err(
                |error: schemas::position::PositionError| {
                    Problem::new(Code::InvalidToken, format!("header `Gesta-After`: {error}"))
                },
            )?,
        })
    }
}

/// The tenant that a header or a socket's greeting names.
///
/// # Errors
/// `tenant_forbidden` where headers are not trusted, `invalid_header` for another form.
pub(crate) fn tenant_of(name: Option<&str>, options: &QueryOptions) -> Result<Tenant, Problem> {
    if name.is_some() && !options.trust_tenant_header {
        let detail = "the tenant is taken from a header on loopback addresses only";
        return Err(Problem::new(Code::TenantForbidden, detail));
    }
    Tenant::new(name.unwrap_or(DEFAULT_TENANT))
        .map_err(|error| Problem::new(Code::InvalidHeader, format!("`X-Gesta-Tenant`: {error}")))
}

/// The actor that a header or a socket's greeting names.
///
/// # Errors
/// `invalid_header` for another form than `kind/id`.
pub(crate) fn actor_of(name: Option<&str>) -> Result<String, Problem> {
    let name = name.unwrap_or(DEFAULT_ACTOR);
    let formed = name.split_once('/').is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty());
    if formed && name.len() <= 200 && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(name.to_owned())
    } else {
        Err(Problem::new(Code::InvalidHeader, "`X-Gesta-Actor`: send kind/id, for example user/alice"))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let usable = value.to_str().ok().filter(|text| text.len() <= MAX_HEADER_BYTES);
    match (usable, values.next()) {
        (Some(text), None) => Ok(Some(text)),
        _ => {
            let detail = format!("`{name}`: send it once, in ASCII, at most {MAX_HEADER_BYTES} bytes");
            Err(Problem::new(Code::InvalidHeader, detail))
        }
    }
}

/// A browser says which page asks. Pages of other origins may not: sockets have no same-origin rule
/// of their own, so any page could read this server through its visitor's browser.
fn check_origin(headers: &HeaderMap, options: &QueryOptions) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let refused = || {
        let detail = "`Origin`: pages of other origins may not ask; add it to the allowed origins";
        Problem::new(Code::InvalidHeader, detail)
    };
    let origin = origin.to_str().map_err(|_| refused())?;
    if options.allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    let authority = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if authority.is_some() && authority.as_deref() == host { Ok(()) } else { Err(refused()) }
}

/// Headers are believed for coming from this machine, so whoever sends them must call it so
/// ([`is_loopback_name`]).
fn check_host(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let given = headers.get(HOST).map(HeaderValue::as_bytes);
    let Some(host) = given.or_else(|| uri.authority().map(|authority| authority.as_str().as_bytes())) else {
        return Ok(());
    };
    let authority = Authority::try_from(host)
        .map_err(|_| Problem::new(Code::InvalidHeader, "`Host` is not a host and port"))?;
    if is_loopback_name(authority.host()) {
        return Ok(());
    }
    let detail = format!(
        "`Host` is {authority}; this address is asked under a loopback name only, such as 127.0.0.1 or localhost"
    );
    Err(Problem::new(Code::TenantForbidden, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> Result<Caller, Problem> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Caller::of(&headers, &Uri::from_static("/graphql"), &QueryOptions::default())
    }

    #[test]
    fn without_headers_the_local_user_of_the_default_tenant_asks() {
        let caller = of(&[]).unwrap();
        assert_eq!((caller.tenant.as_str(), caller.actor.as_str()), ("default", "user/local"));
        let caller = of(&[("x-gesta-tenant", "acme"), ("x-gesta-actor", "agent/a-1")]).unwrap();
        assert_eq!((caller.tenant.as_str(), caller.actor.as_str()), ("acme", "agent/a-1"));
    }

    #[test]
    fn an_unusable_header_is_named() {
        for (pairs, part) in [
            (&[("x-gesta-tenant", "Not a tenant")][..], "X-Gesta-Tenant"),
            (&[("x-gesta-tenant", "a"), ("x-gesta-tenant", "b")], "x-gesta-tenant"),
            (&[("x-gesta-actor", "alice")], "X-Gesta-Actor"),
            (&[("gesta-after", "junk")], "Gesta-After"),
            (&[("origin", "https://evil.example"), ("host", "127.0.0.1:7070")], "Origin"),
            (&[("origin", "null"), ("host", "127.0.0.1:7070")], "Origin"),
        ] {
            let problem = of(pairs).unwrap_err();
            assert!(problem.detail.contains(part), "{pairs:?}: {}", problem.detail);
        }
        assert!(of(&[("origin", "http://127.0.0.1:7070"), ("host", "127.0.0.1:7070")]).is_ok());
    }

    /// PLAT-44: a web page whose name was made to point here reads nothing through its visitor's browser.
    #[test]
    fn a_foreign_host_name_is_not_trusted() {
        for host in ["evil.example", "evil.example:7070", "localhost.evil.example", "10.0.0.1:7070"] {
            assert_eq!(of(&[("host", host)]).unwrap_err().code, Code::TenantForbidden, "{host}");
            let same_page = format!("http://{host}");
            assert!(of(&[("host", host), ("origin", &same_page)]).is_err(), "{host}");
        }
        assert_eq!(of(&[("host", "a b")]).unwrap_err().code, Code::InvalidHeader);
        for host in ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "[::1]:7070", "gesta.localhost"] {
            assert!(of(&[("host", host)]).is_ok(), "{host}");
        }
        let (headers, trusting) = (HeaderMap::new(), QueryOptions::default());
        let absolute = Uri::from_static("http://evil.example/graphql");
        assert_eq!(Caller::of(&headers, &absolute, &trusting).unwrap_err().code, Code::TenantForbidden);
        let open = QueryOptions { trust_tenant_header: false, ..QueryOptions::default() };
        assert!(Caller::of(&headers, &absolute, &open).is_ok(), "nobody is believed there for being near");
    }

    #[test]
    fn an_untrusted_tenant_header_is_refused() {
        let options = QueryOptions { trust_tenant_header: false, ..QueryOptions::default() };
        assert_eq!(tenant_of(Some("acme"), &options).unwrap_err().code, Code::TenantForbidden);
        assert!(tenant_of(None, &options).is_ok());
    }
}

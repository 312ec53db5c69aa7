//! An address of Postgres, whose password no output shows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `postgres://user:password@host:port/database`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PostgresUrl(String);

impl PostgresUrl {
    /// The address with its password, for the connection only.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PostgresUrl {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for PostgresUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let form = "it must have the form postgres://user:password@host:port/database";
        let text = text.trim();
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(form.to_owned());
        }
        text.parse::<sqlx::postgres::PgConnectOptions>().map_err(|error| format!("{form}: {error}"))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut url) = reqwest::Url::parse(&self.0) else { return f.write_str("***") };
        let hidden = url.password().is_none() || url.set_password(Some("***")).is_ok();
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        if !pairs.is_empty() {
            let secret = |key: &str| key.contains("password");
            let shown =
                pairs.iter().map(|(key, value)| (key, if secret(key) { "***" } else { value.as_str() }));
            url.query_pairs_mut().clear().extend_pairs(shown);
        }
        if hidden { f.write_str(url.as_str()) } else { f.write_str("***") }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PostgresUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_output_shows_the_password() {
        for text in ["postgres://u:s3cret@h:5432/d", "postgres://u@h/d?password=s3cret"] {
            let url: PostgresUrl = text.parse().unwrap();
            let shown = format!("{url} {url:?} {}", serde_json::to_string(&url).unwrap());
            assert!(!shown.contains("s3cret") && shown.contains("***"), "{shown}");
            assert!(url.reveal().contains("s3cret"));
        }
    }

    #[test]
    fn another_form_is_refused() {
        for bad in ["", "mysql://h/d", "host=h", "postgres://h:notaport/d"] {
            assert!(bad.parse::<PostgresUrl>().is_err(), "{bad} was accepted");
        }
    }
}

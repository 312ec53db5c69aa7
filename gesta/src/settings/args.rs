//! Flags that several commands share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::PostgresUrl;
use crate::client::Connection;

/// How long a command for people looks for an answer.
pub(crate) const PEOPLE_PATIENCE: Duration = Duration::from_secs(5);

/// Where Gesta is, and who calls.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConnectionArgs {
    /// Address of Gesta.
    #[arg(long, env = "GESTA_URL", default_value = "http://127.0.0.1:7070", help_heading = "Connection")]
    pub(crate) url: String,
    /// Address of the queries, where they are a process of their own [default: the address of Gesta].
    #[arg(long, env = "GESTA_QUERY_URL", value_name = "URL", help_heading = "Connection")]
    pub(crate) query_url: Option<String>,
    /// Tenant whose data is read and written.
    #[arg(long, env = "GESTA_TENANT", default_value = "default", help_heading = "Connection")]
    pub(crate) tenant: String,
    /// Who acts, as kind/id; commands for people default to user/local.
    #[arg(long, env = "GESTA_ACTOR", value_name = "KIND/ID", help_heading = "Connection")]
    pub(crate) actor: Option<String>,
}

impl ConnectionArgs {
    /// The connection; `actor` acts when no flag names another.
    pub(crate) fn connection(&self, actor: &str) -> Connection {
        Connection {
            url: self.url.clone(),
            query_url: self.query_url.clone(),
            tenant: self.tenant.clone(),
            actor: self.actor.clone().unwrap_or_else(|| actor.to_owned()),
            patience: PEOPLE_PATIENCE,
        }
    }
}

/// Configuration of a service.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingsArgs {
    /// Configuration file; without it ./gesta.toml, if there is one.
    #[arg(long, env = "GESTA_CONFIG", value_name = "FILE", help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,
    /// Sets any key, for example --set data.shards=16; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair, help_heading = "Configuration")]
    pub(crate) set: Vec<(String, String)>,
    /// Address of commands, queries and explorer [default: 127.0.0.1:7070, or the next free port].
    #[arg(long, value_name = "HOST:PORT", help_heading = "Configuration")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of health, metrics and events [default: 127.0.0.1:7071, or the next free port].
    #[arg(long, value_name = "HOST:PORT", help_heading = "Configuration")]
    pub(crate) ops_listen: Option<SocketAddr>,
    /// Folder of the embedded log and of the state kept of it [default: .gesta].
    #[arg(long, env = "GESTA_DATA_DIR", value_name = "DIR", help_heading = "Configuration")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Brokers of a log on Kafka, host:port,host:port; the log is there with --set log=kafka.
    #[arg(long, env = "GESTA_KAFKA_BROKERS", value_name = "BROKERS", help_heading = "Configuration")]
    pub(crate) kafka_brokers: Option<String>,
    /// Postgres for the read models, postgres://user:password@host:port/database.
    #[arg(
        long,
        env = "GESTA_POSTGRES_URL",
        value_name = "URL",
        hide_env_values = true,
        help_heading = "Configuration"
    )]
    pub(crate) postgres_url: Option<PostgresUrl>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    if key.is_empty() {
        Err("the key is empty; write KEY=VALUE".into())
    } else {
        Ok((key.into(), value.into()))
    }
}

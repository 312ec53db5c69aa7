//! Reading the layers of the configuration.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};

use super::args::SettingsArgs;
use super::{LogPlace, PostgresUrl, Settings};

/// File that is read when no other is named.
const DEFAULT_FILE: &str = "gesta.toml";
/// Most shards of a log.
const MAX_SHARDS: u16 = 1_024;

/// Longest beginning of the names of the public topics; Kafka takes names of 249 characters.
const MAX_PREFIX: usize = 200;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A layer cannot be read, holds an unknown key or a value of the wrong form.
    #[error("the configuration cannot be used: {0}. `gesta config show` lists every key")]
    Layer(#[from] config::ConfigError),
    /// A key has a value that is not possible.
    #[error("{key} = {value} is not possible: {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is possible.
        problem: String,
    },
    /// A file that a key names cannot be read.
    #[error("{key} names {}, which cannot be read: {error}", path.display())]
    File {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Joins defaults, file, environment and flags.
///
/// # Errors
/// [`SettingsError`] names the key, and the file where it stands.
pub(crate) fn load(args: &SettingsArgs) -> Result<Settings, SettingsError> {
    let environment =
        Environment::with_prefix("GESTA").prefix_separator("__").separator("__").try_parsing(true);
    let mut settings = layers(args, environment, Path::new(DEFAULT_FILE))?;
    if let Some(listen) = args.listen {
        settings.server.listen = Some(listen);
    }
    if let Some(listen) = args.ops_listen {
        settings.ops.listen = Some(listen);
    }
    if let Some(dir) = &args.data_dir {
        settings.data.dir.clone_from(dir);
    }
    if let Some(url) = &args.postgres_url {
        settings.postgres.url = Some(url.clone());
    }
    if let Some(brokers) = &args.kafka_brokers {
        settings.kafka.brokers = Some(brokers.clone());
    }
    complete(settings)
}

fn layers(args: &SettingsArgs, environment: Environment, default: &Path) -> Result<Settings, SettingsError> {
    let file = match &args.config {
        Some(path) => File::from(path.as_path()).required(true),
        None => File::from(default).required(false),
    };
    let mut builder = Config::builder().add_source(file.format(FileFormat::Toml)).add_source(environment);
    for (key, value) in &args.set {
        builder = builder.set_override(key, parsed(value))?;
    }
    Ok(builder.build()?.try_deserialize()?)
}

/// A value of `--set`, typed as the environment's are.
fn parsed(text: &str) -> config::Value {
    let kind = if let Ok(flag) = text.parse::<bool>() {
        config::ValueKind::Boolean(flag)
    } else if let Ok(number) = text.parse::<i64>() {
        config::ValueKind::I64(number)
    } else {
        config::ValueKind::String(text.to_owned())
    };
    config::Value::new(Some(&"--set".to_owned()), kind)
}

/// The text of a file that `key` names.
fn contents(key: &'static str, path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|error| SettingsError::File { key, path: path.to_owned(), error })
}

fn complete(mut settings: Settings) -> Result<Settings, SettingsError> {
    if let (None, Some(path)) = (&settings.postgres.url, &settings.postgres.url_file) {
        let text = contents("postgres.url_file", path)?;
        let url: PostgresUrl = text.parse().map_err(|problem| SettingsError::Value {
            key: "postgres.url_file",
            value: path.display().to_string(),
            problem,
        })?;
        settings.postgres.url = Some(url);
    }
    if let (None, Some(path)) = (&settings.peers.secret, &settings.peers.secret_file) {
        settings.peers.secret = Some(contents("peers.secret_file", path)?.trim().to_owned());
    }
    let value =
        |key, value: String, problem: &str| SettingsError::Value { key, value, problem: problem.into() };
    let shards = settings.data.shards;
    if shards == 0 || shards > MAX_SHARDS {
        return Err(value("data.shards", shards.to_string(), "a log has 1 to 1024 shards"));
    }
    if settings.log == LogPlace::Kafka && settings.kafka.brokers.is_none() {
        let problem = "name the brokers: kafka.brokers, --kafka-brokers or GESTA_KAFKA_BROKERS";
        return Err(value("log", "kafka".into(), problem));
    }
    let publisher = &settings.publisher;
    if publisher.partitions == 0 {
        return Err(value("publisher.partitions", "0".into(), "a topic has at least one"));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    if publisher.prefix.is_empty()
        || publisher.prefix.len() > MAX_PREFIX
        || !publisher.prefix.bytes().all(fits)
    {
        let problem = "it has 1 to 200 characters of A-Z a-z 0-9 . -";
        return Err(value("publisher.prefix", publisher.prefix.clone(), problem));
    }
    settings.events.revisions()?;
    if settings.postgres.max_connections == 0 {
        return Err(value("postgres.max_connections", "0".into(), "at least one connection is needed"));
    }
    if let Some(name) = settings.queues.named.keys().find(|name| !schemas::ids::is_stream_part(name)) {
        return Err(value(
            "queues.named",
            name.clone(),
            "a queue's name has 1 to 64 characters of A-Z a-z 0-9 _ -",
        ));
    }
    for (name, policy) in &settings.queues.named {
        if let Some(fault) = policy.fault() {
            return Err(value("queues.named", name.clone(), &fault));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let map = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Environment::with_prefix("GESTA")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .source(Some(map))
    }

    fn read(file: &str, pairs: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gesta.toml");
        std::fs::write(&path, file).unwrap();
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let args = SettingsArgs { config: Some(path), set, ..SettingsArgs::default() };
        complete(layers(&args, environment(pairs), Path::new("unused"))?)
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "[data]\nshards = 2\ndeployment = \"file\"\ndir = \"file\"\n[queues.named.slow]\nleaseMs = 60000\n";
        let environment = [("GESTA__DATA__SHARDS", "3"), ("GESTA__DATA__DEPLOYMENT", "environment")];
        let settings = read(file, &environment, &[("data.shards", "4")]).unwrap();
        assert_eq!(settings.data.shards, 4);
        assert_eq!(settings.data.deployment, "environment");
        assert_eq!(settings.data.dir, PathBuf::from("file"));
        assert_eq!(settings.queues.named["slow"].lease_ms, Some(60_000));
        assert_eq!(settings.postgres.max_connections, 10, "a default stays");
    }

    #[test]
    fn an_unknown_key_is_refused_in_every_layer_and_named() {
        for refused in [
            read("[data]\nshard = 2\n", &[], &[]),
            read("", &[("GESTA__DATA__SHARD", "2")], &[]),
            read("", &[], &[("data.shard", "2")]),
        ] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("shard"), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_not_possible_is_refused_by_name() {
        let text = read("[data]\nshards = 0\n", &[], &[]).unwrap_err().to_string();
        assert!(text.contains("data.shards = 0"), "{text}");
        let text = read("[publisher]\nprefix = \"a b\"\n", &[], &[]).unwrap_err().to_string();
        assert!(text.contains("publisher.prefix = a b"), "{text}");
        let text = read("[publisher]\npersonal = \"some\"\n", &[], &[]).unwrap_err().to_string();
        assert!(text.contains("publisher.personal"), "{text}");
        let text = read("[server]\nlisten = \"here\"\n", &[], &[]).unwrap_err().to_string();
        assert!(text.contains("server.listen"), "{text}");
        let text = read("[queues.named.q]\nmaxAttempts = 0\n", &[], &[]).unwrap_err().to_string();
        assert!(text.contains("maxAttempts is 0; it goes from 1 to 100"), "{text}");
    }

    /// PLAT-28: an unknown type of event and a revision that this release does not write are refused by name.
    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let written = |kind: &str, v: u32| {
            read(&format!("[events.write]\n\"gesta.work.task.{kind}\" = {v}\n"), &[], &[])
        };
        assert_eq!(written("created.v1", 1).unwrap().events.write["gesta.work.task.created.v1"], 1);
        let text = written("created.v1", 2).unwrap_err().to_string();
        let known = "does not write revision 2 of gesta.work.task.created.v1, only [1]";
        assert!(text.contains("events.write") && text.contains(known), "{text}");
        let text = written("sung.v1", 1).unwrap_err().to_string();
        assert!(
            text.contains("events.write") && text.contains("gesta.work.task.sung.v1 is unknown"),
            "{text}"
        );
    }
}

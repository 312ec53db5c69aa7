//! The effective configuration as lines that a file could hold.

use serde_json::Value;

use super::Settings;

/// One line per key, `section.key = value`, valid TOML; secrets are hidden, absent keys commented out.
pub(crate) fn lines(settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let value = serde_json::to_value(settings).expect("settings are plain data");
    flatten("", &value, &mut lines);
    lines
}

fn flatten(key: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, lines);
            }
        }
        Value::Null => lines.push(format!("# {key} is not set")),
        _ => lines.push(format!("{key} = {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_there_and_no_password_does() {
        let mut settings = Settings::default();
        settings.postgres.url = Some("postgres://u:s3cret@h/d".parse().unwrap());
        let text = lines(&settings).join("\n");
        for key in ["server.listen", "data.dir", "data.shards = 8", "queues.open = true", "logging.format"] {
            assert!(text.contains(key), "{key} is missing in\n{text}");
        }
        assert!(!text.contains("s3cret"), "{text}");
    }
}

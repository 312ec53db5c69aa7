//! Postgres alone: one event per transaction, no HTTP, no decision.

use std::process::Command;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS bench_events (stream text, version bigint, type text, \
                      data jsonb, at timestamptz DEFAULT now(), PRIMARY KEY (stream, version))";
const SCRIPT: &str = "\\set stream random(1, 1000000000)\n\\set version random(1, 1000000000)\n\
    INSERT INTO bench_events (stream, version, type, data) VALUES (:stream, :version, \
    'gesta.work.task.progressed.v1', '{\"fencing_token\":1,\"progress\":50}');\n";
const SECONDS: u32 = 8;

/// Transactions per second of `pgbench` with prepared statements.
///
/// # Errors
/// What is missing, in words.
pub(crate) fn inserts_per_second(clients: u32) -> Result<f64, String> {
    let url = std::env::var("GESTA_POSTGRES_URL").map_err(|_| "GESTA_POSTGRES_URL is not set".to_owned())?;
    let folder = std::env::var("GESTA_POSTGRES_BIN").unwrap_or_default();
    let program = |name: &str| std::path::Path::new(&folder).join(name);
    run(Command::new(program("psql")).args([&url, "-qc", SCHEMA]))?;
    let script = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    std::fs::write(script.path(), SCRIPT).map_err(|e| e.to_string())?;
    let output = run(Command::new(program("pgbench"))
        .args([
            "-n",
            "-M",
            "prepared",
            "-j",
            "2",
            "-c",
            &clients.to_string(),
            "-T",
            &SECONDS.to_string(),
            "-f",
        ])
        .arg(script.path())
        .arg(&url))?;
    let line = output.lines().find(|line| line.starts_with("tps = ")).ok_or("pgbench printed no tps")?;
    line["tps = ".len()..].split(' ').next().and_then(|n| n.parse().ok()).ok_or_else(|| line.to_owned())
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{:?}: {e}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

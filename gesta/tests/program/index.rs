//! A repository, indexed by a worker and searched.

use std::path::Path;

use serde_json::{Value, json};

use crate::database::Database;
use crate::gesta::{Gesta, run, text};

fn write(repo: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = repo.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

async fn index(gesta: &Gesta, repo: &Path) -> String {
    let shown = run(&["index", repo.to_str().unwrap(), "--name", "sample", "--url", &gesta.url]).await;
    assert_eq!(shown.status.code(), Some(0), "{}{}", text(&shown.stdout), text(&shown.stderr));
    text(&shown.stdout)
}

/// Waits until the best hit of a search stands there; none = until there is no hit.
async fn best(gesta: &Gesta, words: &str, place: Option<&str>) {
    crate::gesta::until(&format!("{place:?} for {words}"), || async {
        let shown = run(&["search", words, "--url", &gesta.url, "--output", "json"]).await;
        let hits: Vec<Value> = serde_json::from_str(&text(&shown.stdout)).ok()?;
        let citation = hits.first().map(|hit| &hit["citation"]);
        let found = citation.map(|citation| {
            format!(
                "{}:{}-{}",
                citation["path"].as_str().unwrap(),
                citation["startLine"],
                citation["endLine"]
            )
        });
        (found.as_deref() == place).then_some(())
    })
    .await;
}

/// KNOW-7, KNOW-8, KNOW-37: a worker cuts what is new; a question is answered with file and lines; what is gone is
/// found no more, and what cannot be read is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_indexed_in_steps_and_searched() {
    let (data, repo, database) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Database::new().await);
    let repo = repo.path();
    write(
        repo,
        "src/lease.rs",
        "//! Leases.\n\n/// Whether the token is current.\npub fn check_lease(token: u32) -> bool {\n    token == 1\n}\n\nfn other() {}\n",
    );
    write(repo, "py/walk.py", "class Walker:\n    def walkFiles(self):\n        return []\n");
    write(repo, "docs/guide.md", "# Leases\n\nA lease is renewed by its holder.\n");
    write(repo, ".gitignore", "ignored/\n");
    write(repo, "ignored/lease.rs", "fn unmistakable() {}\n");
    write(repo, "image.bin", [0_u8, 1, 2]);
    write(repo, "latin.txt", [b'a', 0xff, b'b']);
    write(repo, "huge.txt", "x".repeat(300_000));
    std::os::unix::fs::symlink("/etc/hostname", repo.join("link")).unwrap();
    let gesta = Gesta::start(data.path(), &database.url()).await;
    let worker = gesta.worker("index", &[]);
    let said = index(&gesta, repo).await;
    assert!(said.contains("4 files indexed, 0 unchanged, 0 removed"), "{said}");
    for skipped in
        ["1 files skipped: binary", "1 files skipped: not_utf8", "1 files skipped: too_large", "huge.txt"]
    {
        assert!(said.contains(skipped), "{skipped}: {said}");
    }
    best(&gesta, "is the lease checked", Some("src/lease.rs:3-6")).await;
    best(&gesta, "walk files", Some("py/walk.py:2-3")).await;
    best(&gesta, "renewed", Some("docs/guide.md:1-3")).await;
    best(&gesta, "unmistakable", None).await;

    let again = index(&gesta, repo).await;
    assert!(again.contains("0 files indexed, 4 unchanged, 0 removed"), "{again}");
    write(repo, "src/lease.rs", "fn other() {}\n\nfn check_lease() {}\n");
    std::fs::remove_file(repo.join("docs/guide.md")).unwrap();
    let changed = index(&gesta, repo).await;
    assert!(changed.contains("1 files indexed, 2 unchanged, 1 removed"), "{changed}");
    best(&gesta, "renewed", None).await;
    best(&gesta, "check_lease", Some("src/lease.rs:3-3")).await;

    let shown = run(&["index", repo.to_str().unwrap(), "--name", "gone", "--url", &gesta.url]).await;
    let said = text(&shown.stdout);
    let id = said.split(['(', ')']).nth(1).unwrap();
    gesta.command(&format!("repositories/{id}/retire"), json!({})).await;
    crate::gesta::until("it shows as retired", || async {
        let query = format!("{{ repository(id: \"{id}\") {{ state }} }}");
        (gesta.query(&query).await["repository"]["state"] == "RETIRED").then_some(())
    })
    .await;
    let shown = run(&["index", repo.to_str().unwrap(), "--name", "gone", "--url", &gesta.url]).await;
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stderr).contains("was retired") && text(&shown.stderr).contains("--name"), "{said}");
    drop(worker);
    assert_eq!(gesta.stop().await, Some(0));
}

#[tokio::test]
async fn a_folder_that_is_none_is_named() {
    let shown = run(&["index", "/nowhere/at/all"]).await;
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stderr).contains("/nowhere/at/all"), "{}", text(&shown.stderr));
}

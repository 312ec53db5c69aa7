//! docs/state-machines.md is what the transition tables give. With `GESTA_REGENERATE=1` the test writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use schemas::contract::{Address, Transition};
use schemas::registry::{allowed_commands, command_type, transitions};

const PAGE: &str = "docs/state-machines.md";

const HEAD: &str = "# State machines\n\n\
Generated from the transition tables in `schemas/src/*/transitions.rs`; `GESTA_REGENERATE=1 cargo test -p command-service` \
writes it anew.\n\n\
A command that no row lists for the stage is refused with `transition_refused`, and the refusal names what is allowed. A row \
whose condition does not hold is refused with `guard_refused`. `–` is the stage before the first event. A row without events \
is granted and writes nothing. The event names are short: `queued` of a task is `gesta.work.task.queued.v1`. Commands in \
*italics* are issued by the shard at an instant that stands in an earlier event; no client may send them.\n";

const TASK: &str = "One command of a lease holder is refused with `stale_fencing_token` when its token was issued once and the lease is over, \
written as expired or not; the first such refusal of each token is recorded as `stale_token_refused` and changes nothing else. \
A token that was never issued is refused with `lease_held_by_other` while someone holds the task.\n\n\
What holds always: at most one live lease; the fencing token rises with every lease and is never reset; an attempt is spent \
when its work was begun, so a lease that is given back or runs out before the start costs none; a stage without a way on is \
left by nothing; a redrive gives fresh attempts and lifts a deadline that has passed.\n\n\
A cancel of a running task asks its worker to stop and leaves it `running` until the worker acknowledges, its lease runs out or \
the grace is over. Work that is completed in the meantime counts; a failure in the meantime is not tried again.\n\n\
An approval (`enqueue`) before `runAt` lifts the hold; the task is queued at `runAt`.\n";

const AGENT: &str = "`status` derives from the stage: initializing → `pending`; spawning → `initializing`; executing, waiting, completing, \
cleaning_up → `running`; the others have the same name.\n\n\
Liveness runs from the start of a session to an instant that stands in an event; a heartbeat writes nothing while more than half of \
it is left. Going offline changes no stage, and the next heartbeat ends it. The time that an awaited input has left does not run \
while the agent is paused. An archived agent keeps its stage and refuses every command but a repeated `archive`; its stream stays.\n";

const DEAD_LETTER: &str = "What projections could not apply waits in `deadLetters`; parking, redriving and applying are theirs. The log holds only what people \
decide: to give an event up for one projection. Any id is accepted, since the command side does not know the letters; a discard \
of none, or of one that was applied, has no effect and says so in `deadLetters`.\n";

/// The aggregates in the order of the page, with what the tables cannot say.
const AGGREGATES: &[(&str, &str)] = &[("task", TASK), ("agent", AGENT), ("dead_letter", DEAD_LETTER)];

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (aggregate, words) in AGGREGATES {
        let rows = transitions(aggregate);
        let _ = write!(page, "\n## {aggregate}\n\n{words}");
        diagram(&mut page, rows);
        table(&mut page, rows);
        allowed(&mut page, aggregate, rows);
    }
    page
}

fn verb(command: &str) -> &str {
    command.split_once('.').map_or(command, |name| name.1)
}

/// Every way from one stage to another; ways that stay are in the table only.
fn diagram(page: &mut String, rows: &[Transition]) {
    page.push_str("\n```mermaid\nstateDiagram-v2\n");
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for row in rows.iter().filter(|row| row.from != row.to) {
        if !pairs.contains(&(row.from, row.to)) {
            pairs.push((row.from, row.to));
        }
    }
    for (from, to) in pairs {
        let ways = rows.iter().filter(|row| (row.from, row.to) == (from, to));
        let mut verbs: Vec<&str> = ways.map(|row| verb(row.command)).collect();
        verbs.dedup();
        let from = if from == "-" { "[*]" } else { from };
        let _ = writeln!(page, "    {from} --> {to}: {}", verbs.join(", "));
    }
    page.push_str("```\n");
}

fn table(page: &mut String, rows: &[Transition]) {
    page.push_str("\n| from | command | events | to | when |\n|---|---|---|---|---|\n");
    for row in rows {
        let from = if row.from == "-" { "–" } else { row.from };
        let internal = command_type(row.command).is_some_and(|command| command.address == Address::Internal);
        let command = verb(row.command);
        let command = if internal { format!("*{command}*") } else { command.to_owned() };
        let events: Vec<&str> = row.events.iter().map(|event| short(event)).collect();
        let events = if events.is_empty() { "none".to_owned() } else { events.join(", ") };
        let _ = writeln!(page, "| {from} | {command} | {events} | {} | {} |", row.to, row.when);
    }
}

/// `queued` of `gesta.work.task.queued.v1`.
fn short(event: &str) -> &str {
    event.rsplit('.').nth(1).unwrap_or(event)
}

fn allowed(page: &mut String, aggregate: &str, rows: &[Transition]) {
    page.push_str("\n| stage | what a client may send |\n|---|---|\n");
    let mut met = BTreeSet::new();
    for stage in rows.iter().flat_map(|row| [row.from, row.to]).filter(|stage| *stage != "-") {
        if met.insert(stage) {
            let verbs: Vec<&str> = allowed_commands(aggregate, stage).into_iter().map(verb).collect();
            let verbs = if verbs.is_empty() { "nothing more".to_owned() } else { verbs.join(", ") };
            let _ = writeln!(page, "| {stage} | {verbs} |");
        }
    }
}

/// PLAT-14: the page names the states, the transitions, the invariants and the refusals.
#[test]
fn the_page_of_state_machines_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(PAGE);
    if std::env::var_os("GESTA_REGENERATE").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page(),
        "{PAGE} is not what the tables give: GESTA_REGENERATE=1 cargo test -p command-service"
    );
}

#[test]
fn internal_commands_are_never_offered() {
    for (aggregate, _) in AGGREGATES {
        for row in transitions(aggregate) {
            for command in allowed_commands(aggregate, row.from) {
                assert_ne!(command_type(command).unwrap().address, Address::Internal, "{command}");
            }
        }
    }
    assert_eq!(allowed_commands("task", "pending"), ["task.enqueue", "task.update", "task.cancel"]);
    assert!(allowed_commands("task", "discarded").is_empty() && transitions("bird").is_empty());
}

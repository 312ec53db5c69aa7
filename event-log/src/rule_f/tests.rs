use proptest::prelude::*;

use super::*;

/// The test vectors of docs/guarantees.md: `header | verdict | state after`.
const GUARANTEES: &str = include_str!("../../../docs/guarantees.md");

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

/// `COMMIT 1 a 2` is a fence, anything else stands for the octets of a foreign header.
fn header(text: &str) -> Header {
    let words: Vec<&str> = text.split_whitespace().collect();
    let kind = match words.first().copied().unwrap_or_default() {
        "GENESIS" => Kind::Genesis,
        "CLAIM" => Kind::Claim,
        "COMMIT" => Kind::Commit,
        "BARRIER" => Kind::Barrier,
        "hex" => {
            let hex: String = words[1..].concat();
            let octet = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
            return Header::parse(&(0..hex.len()).step_by(2).map(octet).collect::<Vec<_>>());
        }
        other => panic!("{other:?} is no kind"),
    };
    let nonce = u128::from_str_radix(words[2], 16).unwrap();
    Header::Fence(Fence { kind, epoch: number(words[1]), nonce, seq: number(words[3]) })
}

fn check_table(table: &str) -> usize {
    let mut state = State::default();
    let mut rows = 0;
    for line in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [offset, record, verdict, after, ..] = cells[..] else { panic!("{line}") };
        let (next, got) = step(state, number(offset), &header(record.trim_matches('`')));
        state = next;
        let got = match got {
            Verdict::Counts(_) => "counts",
            Verdict::Void => "void",
            Verdict::Unreadable => "stops",
        };
        let text = if !state.begun {
            "nothing".to_owned()
        } else if state.epoch == 0 {
            "(0, –, –)".to_owned()
        } else {
            format!("({}, {:x}, {})", state.epoch, state.nonce, state.next_seq)
        };
        assert_eq!((got, text.as_str()), (verdict, after), "{line}");
        rows += 1;
    }
    rows
}

/// PLAT-1: the page that states the rule and the code agree, vector by vector.
#[test]
fn the_test_vectors_of_the_guarantees_hold() {
    let tables: Vec<&str> = GUARANTEES.split("<!-- rule-f vectors -->").skip(1).collect();
    assert_eq!(tables.len(), 4, "docs/guarantees.md has four tables of vectors");
    let rows: usize = tables.iter().map(|t| check_table(t.split("<!-- end -->").next().unwrap())).sum();
    assert!(rows >= 20, "only {rows} vectors");
}

fn any_header() -> impl Strategy<Value = Header> {
    let few = || 0_u64..4;
    let fence = (1_u8..=4, few(), 0_u128..3, few()).prop_map(|(code, epoch, nonce, seq)| {
        Header::Fence(Fence { kind: Kind::of_code(code).unwrap(), epoch, nonce, seq })
    });
    let foreign = proptest::collection::vec(any::<u8>(), 0..40).prop_map(|octets| Header::parse(&octets));
    prop_oneof![8 => fence, 1 => foreign]
}

/// The counted records of a shard, with the state after all of them.
fn run(headers: &[Header]) -> (Vec<Header>, State) {
    let mut state = State::default();
    let mut counted = Vec::new();
    for (offset, header) in (0..).zip(headers) {
        let (next, verdict) = step(state, offset, header);
        if matches!(verdict, Verdict::Counts(_)) {
            counted.push(header.clone());
        } else {
            assert_eq!(next, state, "only what counts changes the state");
        }
        state = next;
    }
    (counted, state)
}

fn genesis() -> Header {
    Header::Fence(Fence { kind: Kind::Genesis, epoch: 0, nonce: 0, seq: 0 })
}

proptest! {
    /// PLAT-1, PLAT-6: what counts is a chain: epochs rise by one, each with the sequences 1, 2, 3, …
    #[test]
    fn what_counts_is_a_chain(mut headers in proptest::collection::vec(any_header(), 0..200)) {
        headers.insert(0, genesis());
        let (counted, _) = run(&headers);
        let (mut epoch, mut nonce, mut seq) = (0, 0, 0);
        for header in &counted[1..] {
            let Header::Fence(fence) = header else { panic!("a foreign record counted") };
            if fence.kind == Kind::Claim {
                prop_assert_eq!(fence.epoch, epoch + 1);
                (epoch, nonce, seq) = (fence.epoch, fence.nonce, 0);
            } else {
                seq += 1;
                prop_assert_eq!((fence.epoch, fence.nonce, fence.seq), (epoch, nonce, seq));
            }
        }
    }

    /// PLAT-1: a log that was copied without its void records says the same.
    #[test]
    fn void_records_can_be_left_out(mut headers in proptest::collection::vec(any_header(), 0..200)) {
        headers.insert(0, genesis());
        let (counted, state) = run(&headers);
        prop_assert_eq!(run(&counted), (counted.clone(), state));
    }

    /// PLAT-1: a reader that goes on from a state says the same as one that reads from the start.
    #[test]
    fn a_reader_goes_on_where_another_stood(
        mut headers in proptest::collection::vec(any_header(), 0..100),
        cut in 0_usize..100,
    ) {
        headers.insert(0, genesis());
        let cut = cut.min(headers.len());
        let (_, mut state) = run(&headers[..cut]);
        for (offset, header) in (0..).zip(&headers).skip(cut) {
            state = step(state, offset, header).0;
        }
        prop_assert_eq!(state, run(&headers).1);
    }

    /// Every record of the owner twice, or an older one again, changes nothing.
    #[test]
    fn repeats_are_void(count in 1_u64..50, again in 1_u64..50) {
        let claim = Header::Fence(Fence { kind: Kind::Claim, epoch: 1, nonce: 7, seq: 0 });
        let commit = |seq| Header::Fence(Fence { kind: Kind::Commit, epoch: 1, nonce: 7, seq });
        let mut headers = vec![genesis(), claim];
        headers.extend((1..=count).map(commit));
        let (_, state) = run(&headers);
        prop_assert_eq!(step(state, count + 2, &commit(again.min(count))), (state, Verdict::Void));
    }
}

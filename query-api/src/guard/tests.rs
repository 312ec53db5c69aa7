use std::collections::BTreeMap;
use std::fmt::Write as _;

use async_graphql::Variables;
use proptest::prelude::*;

use super::{Limits, Refusal, check};

fn run(source: &str) -> Result<super::Checked, Refusal> {
    check(source, &Variables::default(), &Limits::default())
}

/// A chain of `links` fragments, each of which spreads the next one twice.
fn doubling(links: usize) -> String {
    let mut source = String::from("{ ...F0 }");
    for link in 0..links {
        let _ = write!(source, " fragment F{link} on Query {{ ...F{n} ...F{n} }}", n = link + 1);
    }
    let _ = write!(source, " fragment F{links} on Query {{ __typename }}");
    source
}

/// Without our guard 22 links cost the validation of async-graphql seconds, doubling with each link.
#[test]
fn doubling_fragments_are_refused_in_linear_work() {
    let unbounded = Limits { tokens: usize::MAX, cost: u64::MAX, ..Limits::default() };
    let mut per_link = Vec::new();
    for links in [22, 500, 5_000] {
        let source = doubling(links);
        let started = std::time::Instant::now();
        let refused =
            check(&source, &Variables::default(), &Limits { tokens: usize::MAX, ..Limits::default() });
        println!("{links} doubling fragments refused in {:?}", started.elapsed());
        assert!(matches!(refused, Err(Refusal::TooCostly { .. })), "{refused:?}");
        let weighed = check(&source, &Variables::default(), &unbounded).unwrap();
        assert!(weighed.cost >= 1 << 22, "{}", weighed.cost);
        per_link.push(weighed.work / links);
    }
    assert!(per_link.iter().all(|work| *work <= 20), "work per link must not grow: {per_link:?}");
    assert_eq!(run(&doubling(5_000)).unwrap_err(), Refusal::TooManyTokens { limit: 4_000 });
}

#[test]
fn every_bound_has_its_refusal() {
    let nested = |depth: usize| format!("{}a{}", "{ a ".repeat(depth - 1) + "{ ", " }".repeat(depth));
    let aliases = |count: usize| (0..count).map(|n| format!("a{n}: x ")).collect::<String>();
    let cases: Vec<(String, &str)> = vec![
        (nested(13), "nested 13 deep"),
        (format!("{{ {} }}", aliases(16)), "16 aliases"),
        (format!("{{ b {{ {} }} }}", aliases(15)), ""),
        (nested(12), ""),
        ("{ ".to_owned() + &format!("... {{ {} }} ", aliases(15)).repeat(7) + "}", "105 aliases"),
        ("{ ".to_owned() + &"a @skip(if: false) ".repeat(11) + "}", "11 directives"),
        ("{ ".to_owned() + &"a ".repeat(4_000) + "}", "more than 4000 tokens"),
        ("{ a { ...F } } fragment F on T { b { ...G } } fragment G on T { ...F }".into(), "fragment `F` spreads itself"),
        ("{ ...F } fragment F on T { ...F }".into(), "fragment `F` spreads itself"),
        ("{ tasks(first: 100) { nodes { children(first: 100) { nodes { id } } } } }".into(), "costs 20"),
        ("{ a(b: \"\\u0000\") }".into(), "U+0000"),
        ("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".into(), "introspection"),
        ("{ a ".into(), "does not parse"),
        ("{ a } fragment Unused on T { ...Missing tasks(first: 100) { nodes { children(first: 99) { x { y } } } } }".into(), "costs"),
    ];
    for (source, part) in cases {
        match run(&source) {
            Ok(checked) => assert!(part.is_empty(), "{source} was accepted at cost {}", checked.cost),
            Err(refusal) => {
                let message = refusal.to_string();
                assert!(!part.is_empty() && message.contains(part), "{source}: {message}");
            }
        }
    }
}

#[test]
fn a_page_multiplies_what_stands_below_it() {
    let cost = |source: &str| run(source).unwrap().cost;
    assert_eq!(cost("{ tasks(first: 10) { nodes { id } } }"), 1 + 10 * 2);
    assert_eq!(cost("{ tasks { nodes { id } } }"), 1 + 20 * 2, "without `first` the default page counts");
    assert_eq!(cost("query($n: Int = 7) { tasks(first: $n) { nodes { id } } }"), 1 + 7 * 2);
    assert_eq!(
        cost("query($n: Int) { tasks(first: $n) { nodes { id } } }"),
        1 + 100 * 2,
        "unknown is the worst"
    );
    assert_eq!(
        cost("{ tasks(first: 3000000) { nodes { id } } }"),
        1 + 100 * 2,
        "the resolver refuses it by name"
    );
    assert_eq!(cost("{ tasks(last: -5) { nodes { id } } }"), 1 + 2);
    assert_eq!(cost("query A { a } query B { a b c }"), 3);
    let variables = Variables::from_json(serde_json::json!({ "n": 3 }));
    let checked =
        check("query($n: Int) { tasks(first: $n) { nodes { id } } }", &variables, &Limits::default());
    assert_eq!(checked.unwrap().cost, 1 + 3 * 2);
}

#[test]
fn the_introspection_query_of_the_tools_passes() {
    let of_type = (0..9).fold("name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    let source = format!(
        "query IntrospectionQuery {{ __schema {{ queryType {{ name kind }} types {{ ...FullType }} directives {{ name args {{ ...InputValue }} }} }} }}
         fragment FullType on __Type {{ kind name fields(includeDeprecated: true) {{ name args {{ ...InputValue }} type {{ ...TypeRef }} }}
           inputFields {{ ...InputValue }} interfaces {{ ...TypeRef }} enumValues {{ name }} possibleTypes {{ ...TypeRef }} }}
         fragment InputValue on __InputValue {{ name type {{ ...TypeRef }} defaultValue }}
         fragment TypeRef on __Type {{ {of_type} }}"
    );
    assert!(run(&source).is_ok(), "{:?}", run(&source).unwrap_err());
}

/// A document of nested fields, arguments, spreads and noise.
fn documents() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "(",
        ")",
        ":",
        "...",
        "...F",
        "...G",
        "a",
        "tasks",
        "first",
        "1",
        "$v",
        "\"x\"",
        "\"\"\"",
        "\"",
        "#",
        "\n",
        "@skip(if: true)",
        "fragment F on Query",
        "fragment G on __Type",
        "query",
        "query Q($v: Int = 3)",
        "[",
        "]",
        "=",
        "!",
        "|",
        "&",
        "\u{0}",
        "é",
        "-1.5e9",
        "__schema",
        "atLeast",
        "subscription",
        "{ a ",
        "} ",
    ]);
    prop::collection::vec(word, 0..200).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_makes_the_guard_panic_or_work_more_than_its_length(source in prop_oneof![documents(), ".{0,400}"]) {
        let limits = Limits { cost: u64::MAX, aliases: 9999, directives: 9999, aliases_per_selection: 9999, depth: 99, ..Limits::default() };
        if let Ok(checked) = check(&source, &Variables::default(), &limits) {
            prop_assert!(checked.work <= 2 * source.len() + 2, "{} work for {} bytes", checked.work, source.len());
        }
    }

    #[test]
    fn chains_of_any_shape_stay_linear(spreads in prop::collection::vec(prop::collection::btree_map(0_usize..60, 1_usize..4, 0..4), 1..60)) {
        // Fragment i spreads only later ones, so there is no cycle.
        let mut source = String::from("{ ...F0 }");
        for (index, targets) in spreads.iter().enumerate() {
            let later: BTreeMap<_, _> = targets.iter().filter(|(to, _)| **to > index && **to < spreads.len()).collect();
            let _ = write!(source, " fragment F{index} on Q {{ a ");
            for (to, times) in later {
                source.push_str(&format!("...F{to} ").repeat(*times));
            }
            source.push('}');
        }
        let checked = check(&source, &Variables::default(), &Limits { cost: u64::MAX, ..Limits::default() }).unwrap();
        prop_assert!(checked.work <= source.len());
    }
}

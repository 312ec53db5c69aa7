//! The order in which fragments can be weighed: each after those that it spreads.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

use super::Refusal;

/// Names of all fragments, each behind those that it spreads. No recursion over fragments: a chain
/// of thousands must not end the stack.
///
/// # Errors
/// [`Refusal::FragmentCycle`] names the first fragment, by name, that is part of a cycle or spreads one.
pub(super) fn leaves_first(document: &ExecutableDocument) -> Result<Vec<&Name>, Refusal> {
    let mut waiting_for: HashMap<&Name, usize> = HashMap::new();
    let mut spread_by: HashMap<&Name, Vec<&Name>> = HashMap::new();
    for (name, fragment) in &document.fragments {
        let mut spreads = Vec::new();
        collect_spreads(&fragment.node.selection_set.node, &mut spreads);
        // A spread of a fragment that does not exist is left to validation.
        spreads.retain(|spread| document.fragments.contains_key(*spread));
        waiting_for.insert(name, spreads.len());
        for spread in spreads {
            spread_by.entry(spread).or_default().push(name);
        }
    }
    let mut order: Vec<&Name> =
        waiting_for.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut next = 0;
    while let Some(done) = order.get(next).copied() {
        next += 1;
        for parent in spread_by.get(done).into_iter().flatten() {
            if let Some(count) = waiting_for.get_mut(parent) {
                *count -= 1;
                if *count == 0 {
                    order.push(parent);
                }
            }
        }
    }
    match waiting_for.iter().filter(|(_, count)| **count > 0).map(|(name, _)| *name).min() {
        Some(name) => Err(Refusal::FragmentCycle(name.clone())),
        None => Ok(order),
    }
}

/// The parser bounds the nesting of selections, hence recursion here is safe.
fn collect_spreads<'a>(selection: &'a SelectionSet, spreads: &mut Vec<&'a Name>) {
    for item in &selection.items {
        match &item.node {
            Selection::Field(field) => collect_spreads(&field.node.selection_set.node, spreads),
            Selection::InlineFragment(inline) => collect_spreads(&inline.node.selection_set.node, spreads),
            Selection::FragmentSpread(spread) => spreads.push(&spread.node.fragment_name.node),
        }
    }
}

//! The cost of a document, in time linear in its length and before it is validated.
//!
//! Validation follows every fragment spread, so a chain of fragments that spread the next one twice
//! costs it 2ⁿ steps. Here a fragment is weighed once, however often it is spread.

mod fragments;
mod tokens;
mod weight;

use std::collections::BTreeSet;

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Name, Value};

use crate::limits;
use crate::read_models::ReadModel;

/// What a document may cost; every figure has its reason in [`crate::limits`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) tokens: usize,
    pub(crate) depth: u32,
    pub(crate) introspection_depth: u32,
    pub(crate) introspection_lists: u32,
    pub(crate) aliases_per_selection: usize,
    pub(crate) aliases: usize,
    pub(crate) directives: usize,
    pub(crate) cost: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: limits::MAX_TOKENS,
            depth: limits::MAX_DEPTH,
            introspection_depth: limits::MAX_INTROSPECTION_DEPTH,
            introspection_lists: limits::MAX_INTROSPECTION_LISTS,
            aliases_per_selection: limits::MAX_ALIASES_PER_SELECTION,
            aliases: limits::MAX_ALIASES,
            directives: limits::MAX_DIRECTIVES,
            cost: limits::MAX_COST,
        }
    }
}

/// Why a document is not even validated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the document does not parse: {0}")]
    Syntax(String, Option<async_graphql::Pos>),
    #[error("the document has more than {limit} tokens; split it")]
    TooManyTokens { limit: usize },
    #[error("fragment `{0}` spreads itself, directly or through others")]
    FragmentCycle(Name),
    #[error("the fields are nested {depth} deep; at most {limit} are allowed")]
    TooDeep { depth: u32, limit: u32 },
    #[error("the lists of introspection are nested {depth} deep; at most {limit} are allowed")]
    CircularIntrospection { depth: u32, limit: u32 },
    #[error("a selection has {count} aliases; at most {limit} are allowed in one selection")]
    TooManyAliasesInSelection { count: usize, limit: usize },
    #[error("the document has {count} aliases; at most {limit} are allowed")]
    TooManyAliases { count: usize, limit: usize },
    #[error("the document has {count} directives; at most {limit} are allowed")]
    TooManyDirectives { count: usize, limit: usize },
    #[error(
        "the query costs {cost}; at most {limit} is allowed. Ask for fewer fields or smaller pages (`first`)"
    )]
    TooCostly { cost: u64, limit: u64 },
    #[error("`@{0}` is not a directive of queries; there are @skip and @include")]
    UnknownDirective(Name),
    #[error("a text holds the character U+0000, which no name or id of Gesta has")]
    NulCharacter,
}

impl Refusal {
    /// Whether the document is at fault as GraphQL, and not merely too large.
    pub(crate) fn is_invalid(&self) -> bool {
        matches!(
            self,
            Self::Syntax(..) | Self::FragmentCycle(_) | Self::UnknownDirective(_) | Self::NulCharacter
        )
    }
}

/// What a document was found to be.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) document: ExecutableDocument,
    /// Cost of the costliest operation.
    pub(crate) cost: u64,
    /// Selections, arguments and tokens looked at; proof of linear work.
    pub(crate) work: usize,
    /// Read models that any field of the document reads.
    pub(crate) reads: BTreeSet<ReadModel>,
    /// Values of every `atLeast` argument.
    pub(crate) at_least: Vec<Value>,
}

impl Checked {
    /// Type of the operation that would run; `None` when the name selects none.
    pub(crate) fn operation_type(&self, name: Option<&str>) -> Option<OperationType> {
        let mut operations = self.document.operations.iter();
        let found = match name {
            Some(name) => operations.find(|(own, _)| own.is_some_and(|own| own.as_str() == name)),
            None if operations.len() == 1 => operations.next(),
            None => None,
        };
        found.map(|(_, operation)| operation.node.ty)
    }
}

/// Parses and weighs a document.
///
/// # Errors
/// [`Refusal`] names the bound that it breaks.
pub(crate) fn check(source: &str, variables: &Variables, limits: &Limits) -> Result<Checked, Refusal> {
    let tokens = tokens::count(source, limits.tokens)?;
    if source.contains('\0') || variables.iter().any(|(_, value)| holds_nul(value)) {
        return Err(Refusal::NulCharacter);
    }
    let document = async_graphql::parser::parse_query(source)
        .map_err(|error| Refusal::Syntax(syntax_message(&error), error.positions().next()))?;
    let order = fragments::leaves_first(&document)?;
    let scales = weight::Scales::weigh(&document, variables, &order, limits)?;
    Ok(Checked {
        cost: scales.cost,
        work: tokens + scales.work + order.len(),
        reads: scales.reads,
        at_least: scales.at_least,
        document,
    })
}

/// The parser draws the line and a caret below it; a program wants one line.
fn syntax_message(error: &async_graphql::parser::Error) -> String {
    let text = error.to_string();
    let last = text.lines().rev().find_map(|line| line.trim().strip_prefix("= "));
    last.unwrap_or(&text).chars().take(300).collect()
}

/// A literal can only hold U+0000 by its escape; both ways are refused before a store sees them.
fn holds_nul(value: &async_graphql::Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.values().any(holds_nul),
        _ => false,
    }
}

#[cfg(test)]
mod tests;

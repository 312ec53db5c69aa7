//! Weighs selections: cost, depth, aliases, directives, and what they read.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;

use async_graphql::parser::types::{Directive, ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value, Variables};

use super::{Limits, Refusal};
use crate::limits::{DEFAULT_PAGE, MAX_PAGE};
use crate::read_models::{self, ReadModel};

/// Argument of every root field that asks for an answer at least as new as a token.
pub(crate) const AT_LEAST: &str = "atLeast";

/// Lists of the introspection types; only these can be nested in circles.
const INTROSPECTION_LISTS: &[&str] = &["fields", "inputFields", "interfaces", "possibleTypes", "types"];

/// Weight of one selection set, fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    cost: u64,
    depth: u32,
    introspection_depth: u32,
    introspection_lists: u32,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.cost = self.cost.saturating_add(other.cost);
        self.depth = self.depth.max(other.depth);
        self.introspection_depth = self.introspection_depth.max(other.introspection_depth);
        self.introspection_lists = self.introspection_lists.max(other.introspection_lists);
    }

    fn check(self, limits: &Limits) -> Result<(), Refusal> {
        let Self { cost, depth, introspection_depth, introspection_lists } = self;
        if depth > limits.depth {
            return Err(Refusal::TooDeep { depth, limit: limits.depth });
        }
        if introspection_depth > limits.introspection_depth {
            return Err(Refusal::TooDeep { depth: introspection_depth, limit: limits.introspection_depth });
        }
        if introspection_lists > limits.introspection_lists {
            let limit = limits.introspection_lists;
            return Err(Refusal::CircularIntrospection { depth: introspection_lists, limit });
        }
        if cost > limits.cost {
            return Err(Refusal::TooCostly { cost, limit: limits.cost });
        }
        Ok(())
    }
}

/// The state of weighing one document.
pub(super) struct Scales<'a> {
    fragments: HashMap<&'a Name, Weight>,
    variables: &'a Variables,
    defaults: HashMap<&'a Name, &'a Value>,
    aliases: usize,
    directives: usize,
    limits: &'a Limits,
    pub(super) cost: u64,
    pub(super) work: usize,
    pub(super) reads: BTreeSet<ReadModel>,
    pub(super) at_least: Vec<Value>,
}

impl<'a> Scales<'a> {
    /// Weighs every fragment once, in `order`, then every operation.
    pub(super) fn weigh(
        document: &'a ExecutableDocument,
        variables: &'a Variables,
        order: &[&'a Name],
        limits: &'a Limits,
    ) -> Result<Self, Refusal> {
        let mut scales = Self {
            fragments: HashMap::new(),
            variables,
            defaults: HashMap::new(),
            aliases: 0,
            directives: 0,
            limits,
            cost: 0,
            work: 0,
            reads: BTreeSet::new(),
            at_least: Vec::new(),
        };
        scales.note_variables(document)?;
        for name in order {
            let fragment = &document.fragments[*name].node;
            let introspects = fragment.type_condition.node.on.node.starts_with("__");
            scales.directives(&fragment.directives)?;
            let weight = scales.selection(&fragment.selection_set.node, introspects)?;
            // Also one that nothing spreads: validation visits it all the same.
            weight.check(limits)?;
            scales.fragments.insert(name, weight);
        }
        for (_, operation) in document.operations.iter() {
            scales.directives(&operation.node.directives)?;
            let weight = scales.selection(&operation.node.selection_set.node, false)?;
            weight.check(limits)?;
            scales.cost = scales.cost.max(weight.cost);
        }
        Ok(scales)
    }

    fn note_variables(&mut self, document: &'a ExecutableDocument) -> Result<(), Refusal> {
        for (_, operation) in document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                self.work += 1;
                self.directives(&definition.node.directives)?;
                if let Some(value) = &definition.node.default_value {
                    if super::holds_nul(&value.node) {
                        return Err(Refusal::NulCharacter);
                    }
                    self.defaults.insert(&definition.node.name.node, &value.node);
                }
            }
        }
        Ok(())
    }

    fn directives(&mut self, directives: &[Positioned<Directive>]) -> Result<(), Refusal> {
        self.work += directives.len();
        self.directives += directives.len();
        // The library's validation lets unknown ones pass.
        let names = directives.iter().map(|directive| &directive.node.name.node);
        if let Some(unknown) = names.into_iter().find(|name| !matches!(name.as_str(), "skip" | "include")) {
            return Err(Refusal::UnknownDirective(unknown.clone()));
        }
        let (count, limit) = (self.directives, self.limits.directives);
        if count > limit { Err(Refusal::TooManyDirectives { count, limit }) } else { Ok(()) }
    }

    fn selection(&mut self, selection: &'a SelectionSet, introspects: bool) -> Result<Weight, Refusal> {
        let mut total = Weight::default();
        let mut aliases = 0;
        for item in &selection.items {
            self.work += 1;
            self.directives(item.node.directives())?;
            let weight = match &item.node {
                Selection::Field(field) => {
                    aliases += usize::from(field.node.alias.is_some());
                    self.field(&field.node, introspects)?
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let introspects = introspects || on.is_some_and(|on| on.node.on.node.starts_with("__"));
                    self.selection(&inline.node.selection_set.node, introspects)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragments.get(&spread.node.fragment_name.node).copied().unwrap_or_default()
                }
            };
            total.add(weight);
        }
        self.aliases += aliases;
        let per_selection = self.limits.aliases_per_selection;
        if aliases > per_selection {
            return Err(Refusal::TooManyAliasesInSelection { count: aliases, limit: per_selection });
        }
        let (count, limit) = (self.aliases, self.limits.aliases);
        if count > limit { Err(Refusal::TooManyAliases { count, limit }) } else { Ok(total) }
    }

    fn field(&mut self, field: &'a Field, introspects: bool) -> Result<Weight, Refusal> {
        let name = field.name.node.as_str();
        self.work += field.arguments.len();
        let enters = matches!(name, "__schema" | "__type");
        let below = self.selection(&field.selection_set.node, introspects || enters)?;
        for (_, value) in &field.arguments {
            // Variables were looked at as a whole.
            let literal = value.node.clone().into_const_with(|_| Ok::<_, Infallible>(Value::Null));
            if literal.is_ok_and(|value| super::holds_nul(&value)) {
                return Err(Refusal::NulCharacter);
            }
        }
        if introspects {
            let is_list = u32::from(INTROSPECTION_LISTS.contains(&name));
            return Ok(Weight {
                cost: below.cost.saturating_add(1),
                depth: below.depth,
                introspection_depth: below.introspection_depth + 1,
                introspection_lists: below.introspection_lists + is_list,
            });
        }
        self.reads.extend(read_models::read_by(name));
        self.at_least.extend(self.argument(field, AT_LEAST));
        let items = if enters { 1 } else { self.items(field) };
        Ok(Weight {
            cost: below.cost.saturating_mul(items).saturating_add(1),
            depth: below.depth + 1,
            ..below
        })
    }

    /// How many items a field may give: its page, or one. A page beyond the bound counts as the
    /// bound, so that the resolver can refuse it by its name.
    fn items(&self, field: &Field) -> u64 {
        let given = ["first", "last"].into_iter().filter(|name| field.get_argument(name).is_some());
        let page = given.map(|name| match self.argument(field, name) {
            // Also negative and broken numbers, which the resolver refuses.
            Some(Value::Number(number)) => number.as_u64().unwrap_or(1),
            Some(Value::Null) => DEFAULT_PAGE,
            _ => MAX_PAGE,
        });
        let listed = || read_models::default_items(field.name.node.as_str());
        page.max().unwrap_or_else(listed).clamp(1, MAX_PAGE)
    }

    /// The value that an argument will have, as far as it can be known before validation.
    fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let variable = |name: Name| {
            let given = self.variables.get(&name);
            given.or_else(|| self.defaults.get(&name).copied()).cloned().ok_or(())
        };
        field.get_argument(name)?.node.clone().into_const_with(variable).ok()
    }
}

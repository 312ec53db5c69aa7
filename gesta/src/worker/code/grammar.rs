//! A language's grammar with what counts in it as a definition.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, ParseOptions, Parser, Tree};

use super::ChunkKind;

/// Deepest nesting of brackets that a parser gets.
const MAX_NESTING: usize = 500;
/// Most `<` without a `>` between two ends of statements.
const MAX_ANGLES: usize = 200;

/// What a language's file says about its grammar.
pub(super) struct Spec {
    /// The grammar.
    pub(super) language: fn() -> Language,
    /// What a node defines. The grammars' own tags queries say the same, but a query takes quadratic
    /// time for a node with many children; tests compare the two.
    pub(super) kind: fn(Node<'_>) -> Option<ChunkKind>,
    /// Between the names of a scope.
    pub(super) separator: &'static str,
    /// What a comment to the end of the line begins with.
    pub(super) line_comment: &'static str,
    /// Comments inside what they document, not before it.
    pub(super) inner_comments: &'static [&'static str],
    /// Nodes before a definition that belong to it.
    pub(super) attributes: &'static [&'static str],
    /// Nodes around a single definition that belong to it.
    pub(super) wrappers: &'static [&'static str],
    /// Nodes whose definitions are inner ones.
    pub(super) opaque: &'static [&'static str],
    /// Whether a node at the top of a file imports.
    pub(super) import: fn(Node<'_>) -> bool,
    /// The names of a definition.
    pub(super) naming: fn(Node<'_>, &str, &str) -> Naming,
    /// Whether a file holds tests, by its path.
    pub(super) test_path: fn(&str) -> bool,
    /// Whether a definition is a test, by what stands before its body.
    pub(super) test_mark: fn(&str) -> bool,
}

/// The names of a definition.
pub(super) struct Naming {
    /// Its own.
    pub(super) name: String,
    /// A name that encloses it although no node does.
    pub(super) outer: Option<String>,
    /// What its members have in their scope.
    pub(super) inner: String,
}

/// The usual naming.
pub(super) fn plainly(_: Node<'_>, _: &str, name: &str) -> Naming {
    Naming { name: name.to_owned(), outer: None, inner: name.to_owned() }
}

/// What a node is to the search for definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    Comment,
    Attribute,
    Wrapper,
    Opaque,
}

/// A grammar ready for use.
pub(super) struct Grammar {
    pub(super) spec: &'static Spec,
    pub(super) language: Language,
    /// By the id of a kind of node.
    roles: Vec<Role>,
}

impl Grammar {
    pub(super) fn new(spec: &'static Spec) -> Self {
        let language = (spec.language)();
        let kinds = u16::try_from(language.node_kind_count()).expect("kinds have ids of 16 bits");
        let roles =
            (0..kinds).map(|id| spec.role(language.node_kind_for_id(id).unwrap_or_default())).collect();
        Self { spec, language, roles }
    }

    pub(super) fn role(&self, node: Node<'_>) -> Role {
        self.roles.get(usize::from(node.kind_id())).copied().unwrap_or(Role::Plain)
    }

    /// The tree of `text`; `None` if it is nested too deeply or `give_up` says so before it is done.
    pub(super) fn parse(&self, text: &str, give_up: &dyn Fn() -> bool) -> Option<Tree> {
        if is_deep(text) {
            return None;
        }
        let mut parser = Parser::new();
        parser.set_language(&self.language).expect("the grammars fit the library");
        let mut look = |_: &_| if give_up() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let options = ParseOptions::new().progress_callback(&mut look);
        let bytes = text.as_bytes();
        parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options))
    }
}

impl Spec {
    fn role(&self, kind: &str) -> Role {
        match kind {
            "comment" | "line_comment" | "block_comment" => Role::Comment,
            _ if self.attributes.contains(&kind) => Role::Attribute,
            _ if self.wrappers.contains(&kind) => Role::Wrapper,
            _ if self.opaque.contains(&kind) => Role::Opaque,
            _ => Role::Plain,
        }
    }
}

/// Whether brackets are nested more deeply than anyone writes. A parser's recovery from errors takes
/// quadratic time and memory for such text, and there it asks nobody whether to give up.
fn is_deep(text: &str) -> bool {
    let (mut depth, mut angles) = (0_usize, 0_usize);
    text.bytes().any(|octet| {
        match octet {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'<' => angles += 1,
            b'>' => angles = angles.saturating_sub(1),
            _ => {}
        }
        if matches!(octet, b';' | b'{' | b'}') {
            angles = 0;
        }
        depth > MAX_NESTING || angles > MAX_ANGLES
    })
}

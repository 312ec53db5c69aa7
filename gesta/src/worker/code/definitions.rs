//! The definitions of a syntax tree, found without recursion.

use std::collections::HashMap;
use std::ops::Range;

use tree_sitter::{Node, Tree, TreeCursor};

use super::grammar::{Grammar, Role};
use super::identity::one_line;
use super::{ChunkKind, MAX_NAME_CHARS, MAX_SCOPE_CHARS, MAX_SIGNATURE_CHARS};

/// A definition within a function or an expression is a chunk of its own from as many lines on.
const MIN_INNER_LINES: usize = 8;
/// Fields that name a definition: of most, of assignments, pairs, fields and implementations.
const NAME_FIELDS: [&str; 5] = ["name", "left", "key", "property", "type"];
/// Fields that lead from a definition to what has its body.
const VALUE_FIELDS: [&str; 3] = ["value", "right", "type"];

/// A definition, or imports that stand together.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) kind: ChunkKind,
    pub(super) name: String,
    pub(super) scope: String,
    pub(super) signature: String,
    pub(super) test: bool,
    /// With the comments and attributes before it.
    pub(super) range: Range<usize>,
}

/// The definitions of `tree` in the order of their beginnings.
pub(super) fn definitions(grammar: &Grammar, path: &str, text: &str, tree: &Tree) -> Vec<Definition> {
    let walk = Walk {
        grammar,
        text,
        test_file: (grammar.spec.test_path)(path),
        frames: Vec::new(),
        found: Vec::new(),
        after_import: false,
    };
    walk.run(tree)
}

/// Comments and attributes whose definition has not come yet.
#[derive(Debug, Clone, Copy)]
struct Pending {
    start: usize,
    end: usize,
    /// An attribute among them: blank lines behind it change nothing.
    attribute: bool,
}

/// A node on the way from the root.
struct Frame {
    id: usize,
    role: Role,
    /// It wraps a definition in decorators.
    decorates: bool,
    /// With the comments and attributes before it.
    lead: usize,
    range: Range<usize>,
    pending: Option<Pending>,
    /// Row in which its last child that is no comment ended.
    last_row: Option<usize>,
    /// The closest definition around its children.
    definition: Option<usize>,
    /// Its children are within a function or an expression.
    opaque: bool,
}

/// A definition and what decides later where it begins.
struct Found {
    definition: Definition,
    /// Names of its members' scope.
    inner: String,
    /// First row of its node.
    row: usize,
    /// Id and range of what wraps it, if that wraps nothing else, and where its signature begins then.
    wrapper: Option<(usize, Range<usize>, usize)>,
    /// Where its signature begins and ends.
    signature: Range<usize>,
}

struct Walk<'a> {
    grammar: &'a Grammar,
    text: &'a str,
    test_file: bool,
    frames: Vec<Frame>,
    found: Vec<Found>,
    /// Only comments have come since the last import.
    after_import: bool,
}

impl Walk<'_> {
    fn run(mut self, tree: &Tree) -> Vec<Definition> {
        let mut cursor = tree.walk();
        let root = self.frame(cursor.node(), 0, None);
        self.frames.push(root);
        if cursor.goto_first_child() {
            self.children(&mut cursor);
        }
        self.settle()
    }

    fn children(&mut self, cursor: &mut TreeCursor<'_>) {
        loop {
            let frame = self.enter(cursor.node());
            if let Some(frame) = frame
                && cursor.goto_first_child()
            {
                self.frames.push(frame);
                continue;
            }
            while !cursor.goto_next_sibling() {
                self.frames.pop();
                if self.frames.is_empty() || !cursor.goto_parent() {
                    return;
                }
            }
        }
    }

    fn frame(&self, node: Node<'_>, lead: usize, definition: Option<usize>) -> Frame {
        let role = self.grammar.role(node);
        let above = self.frames.last();
        Frame {
            id: node.id(),
            role,
            decorates: node.kind() == "decorated_definition",
            lead,
            range: node.byte_range(),
            pending: None,
            last_row: None,
            definition: definition.or(above.and_then(|above| above.definition)),
            opaque: role == Role::Opaque || above.is_some_and(|above| above.opaque),
        }
    }

    /// Looks at a node; `None` if nothing below it counts.
    fn enter(&mut self, node: Node<'_>) -> Option<Frame> {
        if matches!(self.grammar.role(node), Role::Comment | Role::Attribute) {
            self.wait(node);
            return None;
        }
        let text = self.text;
        let pending = self.frames.last_mut().and_then(|frame| frame.pending.take());
        let pending =
            pending.filter(|pending| pending.attribute || adjacent(text, pending.end, node.start_byte()));
        let lead = pending.map_or(node.start_byte(), |pending| pending.start);
        if self.frames.len() == 1 {
            if (self.grammar.spec.import)(node) {
                self.import(node.byte_range());
                return None;
            }
            self.after_import = false;
        }
        if let Some(above) = self.frames.last_mut() {
            above.last_row = Some(node.end_position().row);
        }
        let kind = (self.grammar.spec.kind)(node);
        let definition = kind.and_then(|kind| self.define(node, lead, kind));
        Some(self.frame(node, lead, definition))
    }

    /// Keeps a comment or attribute for the definition that may follow.
    fn wait(&mut self, node: Node<'_>) {
        let (text, start) = (self.text, node.start_byte());
        let attribute = self.grammar.role(node) == Role::Attribute;
        // The end of a line may be part of a comment.
        let end = start + text[node.byte_range()].trim_end().len();
        let inner = self.grammar.spec.inner_comments.iter().any(|mark| text[start..].starts_with(mark));
        let Some(frame) = self.frames.last_mut() else { return };
        let behind_code = !attribute && frame.last_row == Some(node.start_position().row);
        frame.pending = match frame.pending {
            _ if behind_code || inner => None,
            Some(kept) if attribute || kept.attribute || adjacent(text, kept.end, start) => {
                Some(Pending { end, attribute: attribute || kept.attribute, ..kept })
            }
            _ => Some(Pending { start, end, attribute }),
        };
    }

    fn import(&mut self, range: Range<usize>) {
        match self.found.last_mut() {
            Some(last) if self.after_import => last.definition.range.end = range.end,
            _ => self.found.push(Found {
                definition: Definition {
                    kind: ChunkKind::Import,
                    name: String::new(),
                    scope: String::new(),
                    signature: String::new(),
                    test: false,
                    range,
                },
                inner: String::new(),
                row: 0,
                wrapper: None,
                signature: 0..0,
            }),
        }
        self.after_import = true;
    }

    /// Takes a definition up, unless it is too small for where it stands; its index.
    fn define(&mut self, node: Node<'_>, lead: usize, kind: ChunkKind) -> Option<usize> {
        let (row, rows) =
            (node.start_position().row, node.end_position().row - node.start_position().row + 1);
        let above = self.frames.last()?;
        let around = above.definition.map(|index| &self.found[index]);
        let inner =
            above.opaque || around.is_some_and(|around| around.definition.kind == ChunkKind::FunctionDef);
        let beside = around.is_some_and(|around| around.row == row);
        if inner && (rows < MIN_INNER_LINES || beside) {
            return None;
        }
        let spec = self.grammar.spec;
        let naming = (spec.naming)(node, self.text, name(node, self.text)?);
        let around_scope = around.map_or("", |around| around.inner.as_str());
        let scope = joined(around_scope, naming.outer.as_deref().unwrap_or_default(), spec.separator);
        let signature = node.start_byte()..body(node, self.text);
        let test = self.test_file || around.is_some_and(|around| around.definition.test);
        let (wrapper, header) = self.wrapper(node, lead);
        let test = test || (spec.test_mark)(&self.text[header..signature.end.max(header)]);
        self.found.push(Found {
            inner: joined(&scope, &naming.inner, spec.separator),
            definition: Definition {
                kind,
                name: one_line(&naming.name, MAX_NAME_CHARS),
                scope,
                signature: String::new(),
                test,
                range: lead..node.end_byte(),
            },
            row,
            wrapper,
            signature,
        });
        Some(self.found.len() - 1)
    }

    /// What wraps a definition directly, and where the text before its body begins.
    fn wrapper(&self, node: Node<'_>, lead: usize) -> (Option<(usize, Range<usize>, usize)>, usize) {
        let wraps = self.frames.iter().rev().take_while(|frame| frame.role == Role::Wrapper);
        let Some(outer) = wraps.last() else { return (None, lead) };
        // Decorators are no part of a signature, `export const` is.
        let header = if outer.decorates { node.start_byte() } else { outer.range.start };
        (Some((outer.id, outer.lead..outer.range.end, header)), outer.lead)
    }

    /// Decides which wrappers belong to their definitions.
    fn settle(self) -> Vec<Definition> {
        let mut wrapped: HashMap<usize, usize> = HashMap::new();
        for (id, ..) in self.found.iter().filter_map(|found| found.wrapper.as_ref()) {
            *wrapped.entry(*id).or_default() += 1;
        }
        let text = self.text;
        let mut definitions: Vec<_> = self
            .found
            .into_iter()
            .map(|mut found| {
                if let Some((id, range, header)) = found.wrapper
                    && wrapped[&id] == 1
                {
                    found.definition.range = range;
                    found.signature.start = header;
                }
                let header = &text[found.signature.start..found.signature.end.max(found.signature.start)];
                let header = one_line(header, MAX_SIGNATURE_CHARS);
                found.definition.signature = header.trim_end_matches([':', '=', ' ']).to_owned();
                found.definition
            })
            .collect();
        definitions
            .sort_by_key(|definition| (definition.range.start, std::cmp::Reverse(definition.range.end)));
        definitions
    }
}

/// Whether no blank line lies between two places.
fn adjacent(text: &str, end: usize, start: usize) -> bool {
    text.get(end..start).is_some_and(|between| between.bytes().filter(|octet| *octet == b'\n').count() <= 1)
}

fn joined(outer: &str, inner: &str, separator: &str) -> String {
    match (outer.is_empty(), inner.is_empty()) {
        (true, _) => one_line(inner, MAX_SCOPE_CHARS),
        (_, true) => outer.to_owned(),
        _ => one_line(&format!("{outer}{separator}{inner}"), MAX_SCOPE_CHARS),
    }
}

/// The name of a definition; what takes values apart has none.
fn name<'a>(node: Node<'_>, text: &'a str) -> Option<&'a str> {
    let field = NAME_FIELDS.iter().find_map(|field| node.child_by_field_name(field))?;
    let name =
        if field.kind() == "member_expression" { field.child_by_field_name("property")? } else { field };
    let text = text[name.byte_range()].trim_matches(['"', '\'', '`']);
    (!name.kind().ends_with("_pattern") && !text.is_empty()).then_some(text)
}

/// Where the body of a definition begins, or its end.
fn body(node: Node<'_>, text: &str) -> usize {
    let value = VALUE_FIELDS.iter().find_map(|field| node.child_by_field_name(field));
    let wrapped = || value?.child_by_field_name("arguments")?.named_child(0);
    let bodies = [Some(node), value, wrapped()].into_iter().flatten();
    if let Some(body) = bodies.filter_map(|node| node.child_by_field_name("body")).next() {
        return body.start_byte();
    }
    let brace = text[node.byte_range()].find('{').map(|at| node.start_byte() + at);
    brace.unwrap_or(node.end_byte())
}

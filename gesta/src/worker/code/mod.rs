//! Source text cut into chunks: one for each definition, section or stretch of text.
//!
//! Pure: the same path and text give the same chunks on every machine, unless the caller loses patience.

mod decode;
mod definitions;
mod draft;
mod grammar;
mod identity;
mod languages;
mod outline;
mod prose;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::Path;

pub(super) use decode::{BINARY_LOOK_BYTES, decode, is_binary};
use schemas::source_file::{ChunkKind, MAX_CHUNKS};

use super::language::language;
use draft::Draft;

/// Largest file that is cut, in bytes.
pub(crate) const MAX_FILE_BYTES: usize = 192 * 1024;
/// Longest text of a chunk, in bytes.
pub(crate) const MAX_CHUNK_BYTES: usize = 8 * 1024;
/// Longest name of a chunk, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 255;
/// Longest scope of a chunk, in characters; what is outermost is kept.
pub(crate) const MAX_SCOPE_CHARS: usize = 500;
/// Longest signature of a chunk, in characters.
pub(crate) const MAX_SIGNATURE_CHARS: usize = 500;

/// How a file was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// By the definitions of its grammar.
    Definitions,
    /// By its headings.
    Sections,
    /// As any text.
    Text(Fallback),
}

/// Why a file was cut as any text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// There is no grammar for it.
    NoGrammar,
    /// Its brackets are nested too deeply, or the caller gave up while it was parsed.
    TooCostly,
}

/// The chunks of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileChunks {
    /// Name of the language; `None` = unknown.
    pub(crate) language: Option<&'static str>,
    /// How the file was cut.
    pub(crate) parsed: Parsed,
    /// In the order of their beginnings. Each line that is not blank has its text in exactly one
    /// chunk, unless several definitions share it: then each has its part.
    pub(crate) chunks: Vec<Chunk>,
}

/// A piece of a file that means something by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// 128 bits in hex of what names the chunk inside its file: stays when the text changes or moves.
    pub(crate) id: String,
    /// What it is.
    pub(crate) kind: ChunkKind,
    /// Simple name of the definition or heading, at most [`MAX_NAME_CHARS`].
    pub(crate) name: Option<String>,
    /// Enclosing names, at most [`MAX_SCOPE_CHARS`]; empty at the top.
    pub(crate) scope: String,
    /// The definition without its body in one line, at most [`MAX_SIGNATURE_CHARS`]; empty if there is none.
    pub(crate) signature: String,
    /// Its source lines with the comment that documents it, at most [`MAX_CHUNK_BYTES`], with `\n`
    /// between lines. What encloses other chunks has what is left without them.
    pub(crate) text: String,
    /// Which part of a definition that was too long for one chunk, from 0.
    pub(crate) part: u32,
    /// First line, from 1.
    pub(crate) start_line: u32,
    /// Last line, inclusive.
    pub(crate) end_line: u32,
}

/// Cuts the text of the file at `path`, relative to its repository.
///
/// A grammar's parser can need quadratic time for text that is not what it seems. Text that is nested
/// too deeply never gets there. The parser asks `give_up` now and then; when that says yes, the file
/// is cut as any text.
pub(crate) fn chunk(path: &str, text: &str, give_up: &dyn Fn() -> bool) -> FileChunks {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text =
        if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let language = language(Path::new(path));
    let (parsed, drafts) = cut(path, language, &text, give_up);
    FileChunks { language, parsed, chunks: identity::finish(&text, draft::fit(&text, drafts)) }
}

fn cut(path: &str, language: Option<&str>, text: &str, give_up: &dyn Fn() -> bool) -> (Parsed, Vec<Draft>) {
    let Some(language) = language else {
        return (Parsed::Text(Fallback::NoGrammar), prose::plain(text, ChunkKind::Other));
    };
    if let Some(drafts) = prose::sections(language, text) {
        return (Parsed::Sections, drafts);
    }
    match languages::grammar(language) {
        None => (Parsed::Text(Fallback::NoGrammar), prose::plain(text, prose::kind(language))),
        Some(grammar) => match outline::outline(grammar, path, text, give_up) {
            Some(drafts) => (Parsed::Definitions, drafts),
            None => (Parsed::Text(Fallback::TooCostly), prose::plain(text, ChunkKind::Other)),
        },
    }
}

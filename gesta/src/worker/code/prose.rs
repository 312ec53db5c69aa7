//! Documents by their headings, and any other text.

use super::draft::{Draft, split};
use super::identity::one_line;
use super::{ChunkKind, MAX_NAME_CHARS, MAX_SCOPE_CHARS};

/// Text that nothing divides is cut to about this many bytes, so that a citation stays short.
const PLAIN_BYTES: usize = 2 * 1024;
/// Between the headings of a scope.
const SEPARATOR: &str = " > ";
/// Shortest line under a heading.
const MIN_UNDERLINE: usize = 3;
/// What reStructuredText underlines headings with.
const RST_UNDERLINES: &str = "=-`:.'\"~^_*+#";

/// What text in `language` is that has no grammar here.
pub(super) fn kind(language: &str) -> ChunkKind {
    match language {
        "config" | "dockercompose" | "dotenv" | "edn" | "hcl" | "json" | "jsonl" | "ini" | "nix"
        | "plist" | "properties" | "systemd" | "tf" | "toml" | "xml" | "yaml" => ChunkKind::Config,
        "asciidoc" | "man" | "org" | "pod" | "tex" | "textile" | "txt" => ChunkKind::DocSection,
        _ => ChunkKind::Other,
    }
}

/// Any text, cut by size.
pub(super) fn plain(text: &str, kind: ChunkKind) -> Vec<Draft> {
    let pieces = split(text, 0..text.len(), PLAIN_BYTES);
    let drafts = pieces.into_iter().zip(0..);
    drafts.filter_map(|(piece, part)| Some(Draft { part, ..Draft::nameless(text, kind, piece)? })).collect()
}

/// The sections of a document; `None` if `language` has no headings that are known here.
pub(super) fn sections(language: &str, text: &str) -> Option<Vec<Draft>> {
    let headings = match language {
        "markdown" => markdown(text),
        "rst" => rst(text),
        _ => return None,
    };
    let mut drafts: Vec<_> = Vec::new();
    let before = headings.first().map_or(text.len(), |first| first.start);
    drafts.extend(Draft::nameless(text, ChunkKind::DocSection, 0..before));
    let mut open: Vec<(usize, String)> = Vec::new();
    for (index, heading) in headings.iter().enumerate() {
        let end = headings.get(index + 1).map_or(text.len(), |next| next.start);
        open.retain(|(level, _)| *level < heading.level);
        let names: Vec<_> = open.iter().map(|(_, name)| name.as_str()).collect();
        let scope = one_line(&names.join(SEPARATOR), MAX_SCOPE_CHARS);
        let name = one_line(heading.title, MAX_NAME_CHARS);
        if let Some(draft) = Draft::nameless(text, ChunkKind::DocSection, heading.start..end) {
            drafts.push(Draft { scope, name: (!name.is_empty()).then(|| name.clone()), ..draft });
        }
        open.push((heading.level, name));
    }
    Some(drafts)
}

/// Where a section begins.
struct Heading<'a> {
    /// Offset of its first line.
    start: usize,
    level: usize,
    title: &'a str,
}

/// Lines with their offsets.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line.trim_end()))
    })
}

fn markdown(text: &str) -> Vec<Heading<'_>> {
    let mut headings = Vec::new();
    let mut fence: Option<&str> = None;
    let mut before: Option<(usize, &str)> = None;
    // Front matter is data: its closing line underlines nothing.
    let mut matter = text.starts_with("---\n");
    for (start, line) in lines(text) {
        if matter {
            matter = start == 0 || line != "---";
            continue;
        }
        let paragraph = before.take();
        let bare = line.trim_start();
        if let Some(open) = fence {
            if bare.starts_with(open) && bare.trim_start_matches(&open[..1]).is_empty() {
                fence = None;
            }
            continue;
        }
        if let Some(marks) = fence_of(bare) {
            fence = Some(marks);
            continue;
        }
        if let Some((level, title)) = atx(line) {
            headings.push(Heading { start, level, title });
        } else if let (Some((start, title)), Some(mark)) = (paragraph, underline(line, "=-")) {
            headings.push(Heading { start, level: if mark == '=' { 1 } else { 2 }, title });
        } else if !bare.is_empty() {
            before = Some((start, bare));
        }
    }
    headings
}

/// The marks that open a block of code.
fn fence_of(line: &str) -> Option<&str> {
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let marks = &line[..line.len() - line.trim_start_matches(mark).len()];
    // Marks of the same kind behind them make it code within a line.
    (marks.len() >= 3 && !(mark == '`' && line[marks.len()..].contains('`'))).then_some(marks)
}

/// Level and title of a line that begins with number signs.
fn atx(line: &str) -> Option<(usize, &str)> {
    let bare = line.trim_start_matches(' ');
    let title = bare.trim_start_matches('#');
    let level = bare.len() - title.len();
    let spaced = title.is_empty() || title.starts_with([' ', '\t']);
    let heading = line.len() - bare.len() < 4 && (1..=6).contains(&level) && spaced;
    heading.then(|| (level, title.trim().trim_end_matches('#').trim_end()))
}

/// The mark that `line` repeats and nothing else.
fn underline(line: &str, marks: &str) -> Option<char> {
    let mark = line.chars().next().filter(|mark| marks.contains(*mark))?;
    (line.len() >= MIN_UNDERLINE && line.chars().all(|c| c == mark)).then_some(mark)
}

/// reStructuredText: a title with a line under it, perhaps one above; levels in the order in which they appear.
fn rst(text: &str) -> Vec<Heading<'_>> {
    let mut headings = Vec::new();
    let mut levels: Vec<(char, bool)> = Vec::new();
    let mut above: Option<(usize, char)> = None;
    let mut title: Option<(usize, &str)> = None;
    for (start, line) in lines(text) {
        match (title.take(), underline(line, RST_UNDERLINES)) {
            (Some((at, words)), Some(mark)) if line.len() >= words.chars().count() => {
                let over = above.take().filter(|(_, over)| *over == mark);
                let style = (mark, over.is_some());
                let known = levels.iter().position(|level| *level == style);
                let level = known.unwrap_or_else(|| {
                    levels.push(style);
                    levels.len() - 1
                });
                headings.push(Heading { start: over.map_or(at, |(at, _)| at), level, title: words });
            }
            (_, Some(mark)) => above = Some((start, mark)),
            (before, None) => {
                if before.is_some() || line.is_empty() {
                    above = None;
                }
                title = (!line.is_empty()).then(|| (start, line.trim_start()));
            }
        }
    }
    headings
}

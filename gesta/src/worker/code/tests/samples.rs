//! All that is found in the samples.

use super::texts::*;
use super::*;

/// Kind, scope, name (`-` = none), first and last line of each chunk.
fn found(path: &str, text: &str) -> String {
    let line = |chunk: Chunk| {
        let name = chunk.name.unwrap_or_else(|| "-".into());
        format!("{} [{}] {name} {}-{}", chunk.kind.name(), chunk.scope, chunk.start_line, chunk.end_line)
    };
    chunk(path, text).chunks.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// KNOW-1, KNOW-2
#[test]
fn rust() {
    let expected = "\
other [] - 1-1
import [] - 3-6
other [] - 8-9
class_def [] Point 11-16
class_def [] Point 18-28
function_def [Point] new 21-25
function_def [Point] b 27-27
class_def [] Display for Point 30-32
function_def [Point] fmt 31-31
interface_def [] Shape 34-38
function_def [Shape] twice 37-37
type_def [] E 40-40
type_def [] Alias 41-41
function_def [] m 42-42
other [] one 43-43
function_def [one] line 43-43
class_def [] A 44-44
class_def [] B 44-44
test [] tests 46-53
test [tests] works 50-52";
    assert_eq!(found("a.rs", RUST), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn python() {
    let expected = "\
other [] - 1-2
import [] - 3-4
other [] - 6-6
function_def [] top 8-14
class_def [] Foo 16-18
function_def [Foo] z 20-23
class_def [Foo] Inner 25-25
function_def [Foo.Inner] q 26-26
other [] - 28-28
function_def [] cond 29-30
test [] test_it 31-31";
    assert_eq!(found("b.py", PYTHON), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn javascript() {
    let expected = "\
other [] - 1-2
function_def [] bar 3-3
function_def [] baz 4-4
other [] - 5-6
function_def [] large 7-15
class_def [] K 16-16
function_def [K] #p 16-16
function_def [K] s 16-16
function_def [K] v 16-16
other [] - 17-17
function_def [] a 18-18
function_def [] b 18-18";
    assert_eq!(found("g.js", JAVASCRIPT), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn typescript() {
    let expected = "\
import [] - 1-4
function_def [] foo 6-9
other [] - 11-11
function_def [] p 11-11
function_def [] q 11-11
other [] - 12-12
class_def [] Foo 14-22
function_def [Foo] handle 17-17
function_def [Foo] constructor 18-18
function_def [Foo] m 19-20
interface_def [] Shape 24-24
type_def [] T1 25-25
type_def [] Color 26-26
other [] NS 27-27
function_def [NS] inNs 27-27
function_def [] main 28-28
function_def [] ext 29-29
other [] - 30-30";
    assert_eq!(found("c.ts", TYPESCRIPT), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn tsx() {
    let expected = "\
import [] - 1-1
function_def [] App 2-2
function_def [] M 3-5
function_def [] Plain 6-6";
    assert_eq!(found("d.tsx", TSX), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn java() {
    let expected = "\
import [] - 1-2
class_def [] F 4-19
function_def [F] F 9-10
function_def [F] toString 12-13
interface_def [F] I 15-15
function_def [F.I] b 15-15
type_def [F] E 16-16
function_def [F.E] c 16-16
class_def [F] R 17-17";
    assert_eq!(found("f.java", JAVA), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn go() {
    let expected = "\
other [] - 1-1
import [] - 2-4
other [] - 6-7
class_def [] A 8-8
interface_def [] B 9-11
class_def [] Server 13-16
type_def [] ID 17-17
type_def [] N 18-18
function_def [Server] Start 20-24
function_def [] main 25-25
other [] - 26-26";
    assert_eq!(found("e.go", GO), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn markdown() {
    let expected = "\
doc_section [] - 1-1
doc_section [] One 3-8
doc_section [One] Two 9-9
doc_section [] Setext 10-12";
    assert_eq!(found("h.md", MARKDOWN), expected);
}

/// KNOW-1, KNOW-2
#[test]
fn restructured_text() {
    let expected = "\
doc_section [] Title 1-3
doc_section [Title] Sub 5-7
doc_section [Title] Sub2 9-10";
    assert_eq!(found("i.rst", RST), expected);
}

fn one(path: &str, text: &str, name: &str) -> Chunk {
    let mut chunks = chunk(path, text).chunks.into_iter().rev();
    chunks.find(|chunk| chunk.name.as_deref() == Some(name)).expect("the name is found")
}

/// KNOW-1
#[test]
fn a_definition_comes_with_its_comment_and_its_signature() {
    let new = one("a.rs", RUST, "new");
    assert_eq!(new.signature, "pub fn new(x: T) -> Self");
    assert!(new.text.starts_with("    /// Makes one.\n    pub fn new"), "{}", new.text);
    let top = one("b.py", PYTHON, "top");
    assert_eq!(top.signature, "def top(a, b=2) -> int");
    assert!(top.text.starts_with("@decorator\n# comment\ndef top"), "{}", top.text);
    let foo = one("c.ts", TYPESCRIPT, "foo");
    assert_eq!(foo.signature, "export const foo = (x: number): number =>");
    assert!(foo.text.starts_with("/** Doc of foo. */\nexport const"), "{}", foo.text);
    assert_eq!(one("d.tsx", TSX, "M").signature, "export const M = React.memo(({ b }) =>");
    assert_eq!(one("e.go", GO, "Start").signature, "func (s *Server[T]) Start() error");
    assert_eq!(one("f.java", JAVA, "R").signature, "record R(int a)");
}

/// KNOW-1
#[test]
fn a_class_keeps_what_its_members_leave() {
    let class = one("f.java", JAVA, "F").scope;
    assert_eq!(class, "F", "the constructor is a member");
    let fields = chunk("f.java", JAVA).chunks.swap_remove(1);
    assert_eq!(
        fields.text,
        "/** Doc. */\n@Entity\npublic class F<T> extends G {\n    private int x;\n    private int last;\n}"
    );
    let body = "\n        return self.y\n";
    let grown = PYTHON.replace("    # before", &format!("    def more(self):{body}\n    # before"));
    assert_eq!(one("b.py", &grown, "Foo").text, one("b.py", PYTHON, "Foo").text);
}

/// KNOW-7
#[test]
fn an_id_stays_when_the_text_changes_or_moves() {
    let moved = format!("// one\n// more\n\n{}", RUST.replace("Self { x }", "Self { x: x }"));
    let (before, after) = (one("a.rs", RUST, "new"), one("a.rs", &moved, "new"));
    assert_eq!(before.id, after.id);
    assert!(before.text != after.text && before.start_line != after.start_line);
    assert_eq!(before.id.len(), 32);
    assert_ne!(before.id, one("a.rs", RUST, "fmt").id);
}

/// KNOW-2
#[test]
fn tests_and_configuration_are_told_by_path_and_mark() {
    for (path, text, kind) in [
        ("tests/a.rs", "fn help() {}", ChunkKind::Test),
        ("a.rs", "#[tokio::test]\nasync fn a() {}", ChunkKind::Test),
        ("a.rs", "/// Not a #[test] at all.\nfn a() {}", ChunkKind::FunctionDef),
        ("test_a.py", "def help(): pass", ChunkKind::Test),
        ("a_test.go", "package a", ChunkKind::Import),
        ("a_test.go", "func TestA(t *testing.T) {}", ChunkKind::Test),
        ("a.spec.ts", "it('works', () => {})", ChunkKind::Test),
        ("A.java", "class A { @Test void a() {} }", ChunkKind::Test),
        ("a.toml", "[a]\nb = 1", ChunkKind::Config),
        ("a.yaml", "a: 1", ChunkKind::Config),
        ("a.json", "{}", ChunkKind::Config),
        ("a.txt", "Words.", ChunkKind::DocSection),
        ("a.c", "int main() {}", ChunkKind::Other),
        ("LOG.xyz", "what", ChunkKind::Other),
    ] {
        assert_eq!(chunk(path, text).chunks.last().expect("a chunk").kind, kind, "{path}: {text}");
    }
}

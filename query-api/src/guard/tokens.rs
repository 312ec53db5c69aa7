//! Counts the lexical tokens of a document in one pass, before anything parses it.

use super::Refusal;

/// Tokens of `source` as the GraphQL grammar counts them; commas, blanks and comments are none.
///
/// # Errors
/// [`Refusal::TooManyTokens`] as soon as there are more than `limit`.
pub(crate) fn count(source: &str, limit: usize) -> Result<usize, Refusal> {
    let bytes = source.as_bytes();
    let (mut at, mut tokens) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'#' => skip_comment(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            b'"' if bytes[at..].starts_with(b"\"\"\"") => skip_block(bytes, at + 3),
            b'"' => skip_string(bytes, at + 1),
            b'.' if bytes[at..].starts_with(b"...") => at + 3,
            b'-' | b'0'..=b'9' => {
                skip_while(bytes, at, |byte| is_name(byte) || matches!(byte, b'.' | b'+' | b'-'))
            }
            _ if is_name(byte) => skip_while(bytes, at, is_name),
            _ => at + 1,
        };
        if byte != b'#' {
            tokens += 1;
        }
        if tokens > limit {
            return Err(Refusal::TooManyTokens { limit });
        }
    }
    Ok(tokens)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn skip_while(bytes: &[u8], at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    at + bytes[at..].iter().take_while(|byte| belongs(**byte)).count()
}

fn skip_comment(bytes: &[u8], at: usize) -> usize {
    skip_while(bytes, at, |byte| !matches!(byte, b'\n' | b'\r'))
}

fn skip_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' | b'\n' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn skip_block(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        if bytes[at..].starts_with(b"\\\"\"\"") {
            at += 4;
        } else if bytes[at..].starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_the_inside_of_strings_are_no_tokens() {
        for (source, expected) in [
            ("", 0),
            ("{ a }", 3),
            ("{ a, b, c } # { x y z }", 5),
            ("{ a(b: \"{ x y z }\") }", 8),
            ("{ a(b: \"\"\"{ x \\\"\"\" y \" z }\"\"\") }", 8),
            ("{ a(b: -1.5e3) ...F }", 10),
            ("{...F...F...F}", 8),
            ("\"unclosed { a b", 1),
            ("\"\"\"unclosed \\", 1),
            ("\"\\", 1),
        ] {
            assert_eq!(count(source, 100), Ok(expected), "{source}");
        }
    }

    #[test]
    fn it_stops_at_the_limit() {
        assert_eq!(count(&"a ".repeat(10), 10), Ok(10));
        assert_eq!(count(&"a ".repeat(11), 10), Err(Refusal::TooManyTokens { limit: 10 }));
    }
}

//! Bytes that are text and short enough.

use super::MAX_FILE_BYTES;

/// A file with a NUL among its first bytes is binary; git looks at as many.
pub(in crate::worker) const BINARY_LOOK_BYTES: usize = 8_000;

/// Why a file has no chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is longer than a file may be.
    #[error("{bytes} bytes are more than the {limit} of a file that can be indexed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// It is no text.
    #[error("it is binary: there is a NUL among its first bytes")]
    Binary,
    /// It is text in another encoding.
    #[error("it is not UTF-8: byte {at} begins no character; convert it to UTF-8")]
    NotUtf8 {
        /// Offset of the first byte that is wrong.
        at: usize,
    },
}

impl Unreadable {
    /// Short reason, the same for equal failures.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Binary => "binary",
            Self::NotUtf8 { .. } => "not_utf8",
        }
    }
}

/// The text of a file that can be cut.
///
/// # Errors
/// [`Unreadable`], the size before anything else.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Unreadable::TooLarge { bytes: bytes.len(), limit: MAX_FILE_BYTES });
    }
    if is_binary(&bytes[..bytes.len().min(BINARY_LOOK_BYTES)]) {
        return Err(Unreadable::Binary);
    }
    std::str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8 { at: error.valid_up_to() })
}

/// Whether a file that begins with `head` is binary.
pub(in crate::worker) fn is_binary(head: &[u8]) -> bool {
    head.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// KNOW-7
    #[test]
    fn only_short_text_in_utf8_is_read() {
        assert_eq!(decode("fn é() {}".as_bytes()), Ok("fn é() {}"));
        assert_eq!(decode(b""), Ok(""));
        assert_eq!(decode(b"ab\0c"), Err(Unreadable::Binary));
        assert_eq!(decode(b"ab\xffc"), Err(Unreadable::NotUtf8 { at: 2 }));
        let mut late = vec![b'a'; BINARY_LOOK_BYTES];
        late.push(0);
        assert!(decode(&late).is_ok(), "a NUL behind the first bytes is a character");
        assert!(decode(&vec![b'a'; MAX_FILE_BYTES]).is_ok());
        let bytes = MAX_FILE_BYTES + 1;
        assert_eq!(decode(&vec![0; bytes]), Err(Unreadable::TooLarge { bytes, limit: MAX_FILE_BYTES }));
    }
}

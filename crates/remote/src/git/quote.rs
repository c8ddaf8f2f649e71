//! Paths as git quotes them: in double quotes with C's escapes, where a path holds anything that needs it.

/// Quotes bytes where that is needed; then they are ASCII on one line.
pub(super) fn quote(bytes: &[u8]) -> String {
    let plain = |b: &u8| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~');
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return bytes.iter().map(|&b| char::from(b)).collect();
    }
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('"');
    text
}

/// Takes one quoted or plain word from the start; answers its bytes and what follows it.
pub(super) fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(' ').unwrap_or(text.len());
        return Some((text.as_bytes()[..end].to_vec(), &text[end..]));
    };
    let mut bytes = Vec::new();
    let mut rest = quoted.bytes().enumerate();
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'"' => return Some((bytes, &quoted[at + 1..])),
            b'\\' => bytes.push(match rest.next()?.1 {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                first @ b'0'..=b'3' => {
                    let digits = [first, rest.next()?.1, rest.next()?.1];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?
                }
                other => other,
            }),
            byte => bytes.push(byte),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives() {
        let all: Vec<u8> = (1..=255).collect();
        for bytes in [&all[..], b"plain/path.txt", b"with space", b"a -> b", b"\"", b"\\", b""] {
            let text = quote(bytes) + " -> x";
            assert!(text.is_ascii() && !text.contains('\n'));
            assert_eq!(unquote(&text), Some((bytes.to_vec(), " -> x")));
        }
        assert_eq!(unquote("\"open"), None);
        assert_eq!(unquote("\"\\9"), None);
    }

    #[test]
    fn as_git_does() {
        assert_eq!(quote("é".as_bytes()), "\"\\303\\251\"");
        assert_eq!(quote(b"a\tb"), "\"a\\tb\"");
    }
}

//! JSON as a tree of spans: every byte of the text belongs to exactly one part, so that what nobody changed is written
//! back as it was.
//!
//! ```text
//! {  lead "name" colon value tail , after   lead "name" colon value after   close  }
//! ```

use std::borrow::Cow;
use std::collections::HashSet;

/// How deep values may nest.
const DEPTH_MAX: usize = 128;

/// Which texts are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// RFC 8259.
    Strict,
    /// With comments, and commas behind the last item, as editors keep their settings.
    Commented,
}

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no JSON, or an object has a name twice.
    Invalid,
    /// It nests too deep.
    TooDeep,
}

/// A whole text.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    pub head: &'t str,
    pub value: Value<'t>,
    pub end: &'t str,
}

/// One value with its text, without what stands around it.
#[derive(Debug)]
pub(crate) struct Value<'t> {
    pub text: &'t str,
    pub form: Form<'t>,
}

#[derive(Debug)]
pub(crate) enum Form<'t> {
    /// A number, `true`, `false` or `null`.
    Plain,
    String,
    Object(Body<'t>),
    Array(Body<'t>),
}

/// What stands in an object or array.
#[derive(Debug, Default)]
pub(crate) struct Body<'t> {
    pub items: Vec<Item<'t>>,
    /// Whether the last item has a comma too.
    pub comma: bool,
    pub close: &'t str,
}

/// One member of an object or item of an array.
#[derive(Debug)]
pub(crate) struct Item<'t> {
    pub lead: &'t str,
    /// The name with its quotes, and what it says; none in an array.
    pub name: Option<(&'t str, Cow<'t, [u8]>)>,
    pub colon: &'t str,
    pub value: Value<'t>,
    /// Up to the comma.
    pub tail: &'t str,
    /// A comment on the rest of the line.
    pub after: &'t str,
}

impl<'t> Value<'t> {
    /// The member of an object with this name.
    pub fn member(&self, name: &str) -> Option<&Value<'t>> {
        let Form::Object(body) = &self.form else { return None };
        let is_it = |item: &&Item<'_>| item.name.as_ref().is_some_and(|(_, said)| **said == *name.as_bytes());
        body.items.iter().find(is_it).map(|item| &item.value)
    }

    /// What a string says, in UTF-8 if it is text at all.
    pub fn said(&self) -> Option<Cow<'t, [u8]>> {
        matches!(self.form, Form::String).then(|| unescape(self.text))
    }

    /// Writes what it says, whatever it looks like: equal values give equal bytes. Numbers count as written.
    pub fn write_meaning(&self, to: &mut Vec<u8>) {
        let add = |bytes: &[u8], to: &mut Vec<u8>| {
            to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            to.extend_from_slice(bytes);
        };
        match &self.form {
            Form::Plain => {
                to.push(b'p');
                add(self.text.as_bytes(), to);
            }
            Form::String => {
                to.push(b's');
                add(&unescape(self.text), to);
            }
            Form::Array(body) => {
                to.push(b'[');
                body.items.iter().for_each(|item| item.value.write_meaning(to));
                to.push(b']');
            }
            Form::Object(body) => {
                to.push(b'{');
                let mut items: Vec<_> = body
                    .items
                    .iter()
                    .filter_map(|item| Some((&item.name.as_ref()?.1, &item.value)))
                    .collect();
                items.sort_by_key(|(name, _)| *name);
                for (name, value) in items {
                    add(name, to);
                    value.write_meaning(to);
                }
                to.push(b'}');
            }
        }
    }

    /// What it says, as bytes to be compared.
    pub fn meaning(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_meaning(&mut bytes);
        bytes
    }
}

impl Item<'_> {
    /// All of it but white space: what differs in this differs in more than looks.
    pub fn essence(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let name = self.name.as_ref().map_or("", |(text, _)| text);
        for part in [self.lead, name, self.colon, self.value.text, self.tail, self.after] {
            write_essence(part, &mut bytes);
        }
        bytes
    }

    /// Answers whether it says something else than it did before: another value or other comments. In another order, the
    /// names of an object say the same.
    pub fn says_more_than(&self, before: &Item<'_>) -> bool {
        self.essence() != before.essence()
            && (self.value.meaning() != before.value.meaning() || self.comments() != before.comments())
    }

    /// All comments in it and around it, in order of what they say.
    fn comments(&self) -> Vec<&[u8]> {
        let mut found = Vec::new();
        for part in [self.lead, self.colon, self.value.text, self.tail, self.after] {
            let mut rest = part.as_bytes();
            while let Some(first) = rest.first() {
                let comment = comment_length(rest).filter(|_| *first == b'/');
                let length = if *first == b'"' { string_length(rest) } else { comment.unwrap_or(1) };
                found.extend(comment.map(|length| &rest[..length]));
                rest = &rest[length..];
            }
        }
        found.sort_unstable();
        found
    }
}

/// The text without the white space outside of strings and comments.
pub(crate) fn essence(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_essence(text, &mut bytes);
    bytes
}

fn write_essence(text: &str, to: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => string_length(rest),
            b'/' => comment_length(rest).unwrap_or(1),
            b' ' | b'\t' | b'\r' | b'\n' => {
                rest = &rest[1..];
                continue;
            }
            _ => 1,
        };
        to.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
    }
}

/// How long the string is that starts here, with its quotes; all that is left if it does not end.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// How long the comment is that starts here, without the line break that ends it.
fn comment_length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'/' => Some(bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len())),
        b'*' => bytes[2..].windows(2).position(|pair| pair == b"*/").map(|at| at + 4),
        _ => None,
    }
}

/// Whether what stands between two values is nothing but white space.
pub(crate) fn is_blank(trivia: &str) -> bool {
    trivia.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// What a string says: its text without quotes and escapes. A surrogate that stands alone stays one, in the bytes that
/// UTF-8 would have for it.
fn unescape(text: &str) -> Cow<'_, [u8]> {
    let inner = &text.as_bytes()[1..text.len() - 1];
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut said = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((first, more)) = rest.split_first() {
        if *first != b'\\' {
            said.push(*first);
            rest = more;
            continue;
        }
        let (escape, more) = more.split_first().unwrap_or((&b'\\', &[]));
        rest = more;
        match escape {
            b'b' => said.push(8),
            b'f' => said.push(12),
            b'n' => said.push(b'\n'),
            b'r' => said.push(b'\r'),
            b't' => said.push(b'\t'),
            b'u' => {
                let high = hex(rest);
                rest = rest.get(4..).unwrap_or_default();
                let low = rest.strip_prefix(b"\\u").map(hex).filter(|low| (0xdc00..0xe000).contains(low));
                match low {
                    Some(low) if (0xd800..0xdc00).contains(&high) => {
                        push_code(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), &mut said);
                        rest = &rest[6..];
                    }
                    _ => push_code(high, &mut said),
                }
            }
            other => said.push(*other),
        }
    }
    Cow::Owned(said)
}

fn hex(bytes: &[u8]) -> u32 {
    let digits = bytes.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}

fn push_code(code: u32, to: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(char) => to.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            to.extend([0xe0 | (code >> 12) as u8, 0x80 | (code >> 6) as u8 & 0x3f, 0x80 | code as u8 & 0x3f])
        }
    }
}

/// Reads a text.
pub(crate) fn parse(bytes: &[u8], dialect: Dialect) -> Result<Document<'_>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Invalid)?;
    let mut reader = Reader { text, at: 0, depth: 0, dialect };
    if text.starts_with('\u{feff}') {
        reader.at = '\u{feff}'.len_utf8();
    }
    reader.trivia()?;
    let head = &text[..reader.at];
    let value = reader.value()?;
    let end = reader.trivia()?;
    if reader.at == text.len() { Ok(Document { head, value, end }) } else { Err(Fault::Invalid) }
}

/// Reads a text with one value a line. A line break counts as a comma does in an array.
pub(crate) fn parse_lines(bytes: &[u8]) -> Result<Body<'_>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Invalid)?;
    let mut body = Body { comma: text.ends_with('\n'), ..Body::default() };
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let start = line.as_ptr() as usize - text.as_ptr() as usize;
        if is_blank(line) {
            continue;
        }
        let mut reader = Reader { text, at: start, depth: 0, dialect: Dialect::Strict };
        reader.trivia()?;
        let lead = &text[from..reader.at];
        let value = reader.value()?;
        let end = start + line.trim_end_matches('\n').len();
        let tail = text.get(reader.at..end).filter(|tail| is_blank(tail)).ok_or(Fault::Invalid)?;
        from = start + line.len();
        body.items.push(Item { lead, name: None, colon: "", value, tail, after: "" });
    }
    body.close = &text[from..];
    body.comma = body.comma && !body.items.is_empty();
    Ok(body)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    dialect: Dialect,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn trivia(&mut self) -> Result<&'t str, Fault> {
        let start = self.at;
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'/') if self.dialect == Dialect::Commented => {
                    self.at += comment_length(self.rest()).ok_or(Fault::Invalid)?;
                }
                _ => return Ok(&self.text[start..self.at]),
            }
        }
    }

    fn value(&mut self) -> Result<Value<'t>, Fault> {
        let start = self.at;
        let form = match self.peek().ok_or(Fault::Invalid)? {
            b'{' => Form::Object(self.body(b'}')?),
            b'[' => Form::Array(self.body(b']')?),
            b'"' => {
                self.string()?;
                Form::String
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Form::Plain
            }
            _ => {
                let word =
                    [&b"true"[..], b"false", b"null"].into_iter().find(|word| self.rest().starts_with(word));
                self.at += word.ok_or(Fault::Invalid)?.len();
                Form::Plain
            }
        };
        Ok(Value { text: &self.text[start..self.at], form })
    }

    fn body(&mut self, end: u8) -> Result<Body<'t>, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        self.at += 1;
        let mut body = Body::default();
        let mut names = HashSet::new();
        let mut lead = self.trivia()?;
        loop {
            let may_end = body.items.is_empty() || self.dialect == Dialect::Commented;
            if may_end && self.eat(end) {
                body.comma = !body.items.is_empty();
                body.close = lead;
                break;
            }
            let name = if end == b'}' { Some(self.string()?) } else { None };
            let colon = if name.is_some() { self.colon()? } else { "" };
            if name.as_ref().is_some_and(|(_, said)| !names.insert(said.clone())) {
                return Err(Fault::Invalid);
            }
            let value = self.value()?;
            let mut tail = self.trivia()?;
            let comma = self.eat(b',');
            let trivia = if comma { self.trivia()? } else { std::mem::take(&mut tail) };
            let (after, next) = split_line(trivia);
            body.items.push(Item { lead, name, colon, value, tail, after });
            lead = next;
            if !comma {
                if !self.eat(end) {
                    return Err(Fault::Invalid);
                }
                body.close = lead;
                break;
            }
        }
        self.depth -= 1;
        Ok(body)
    }

    fn colon(&mut self) -> Result<&'t str, Fault> {
        let start = self.at;
        self.trivia()?;
        if !self.eat(b':') {
            return Err(Fault::Invalid);
        }
        self.trivia()?;
        Ok(&self.text[start..self.at])
    }

    fn string(&mut self) -> Result<(&'t str, Cow<'t, [u8]>), Fault> {
        let start = self.at;
        if !self.eat(b'"') {
            return Err(Fault::Invalid);
        }
        loop {
            let byte = self.peek().ok_or(Fault::Invalid)?;
            self.at += 1;
            match byte {
                b'"' => break,
                0..0x20 => return Err(Fault::Invalid),
                b'\\' => self.escape()?,
                _ => {}
            }
        }
        let text = &self.text[start..self.at];
        Ok((text, unescape(text)))
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let escape = self.peek().ok_or(Fault::Invalid)?;
        self.at += 1;
        match escape {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let digits = self.rest().get(..4).ok_or(Fault::Invalid)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Fault::Invalid);
                }
                self.at += 4;
                Ok(())
            }
            _ => Err(Fault::Invalid),
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(Fault::Invalid) } else { Ok(()) }
    }
}

/// A comment that stands on the line of a value belongs to it; the rest to what follows.
fn split_line(trivia: &str) -> (&str, &str) {
    let mut at = 0;
    let bytes = trivia.as_bytes();
    let mut end = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\n' | b'\r' => break,
            b'/' => {
                at += comment_length(&bytes[at..]).unwrap_or(1);
                end = at;
            }
            _ => at += 1,
        }
    }
    trivia.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(value: &Value<'_>, to: &mut String) {
        let (ends, body) = match &value.form {
            Form::Object(body) => (['{', '}'], body),
            Form::Array(body) => (['[', ']'], body),
            _ => return to.push_str(value.text),
        };
        to.push(ends[0]);
        for (number, item) in body.items.iter().enumerate() {
            to.push_str(item.lead);
            to.push_str(item.name.as_ref().map_or("", |(text, _)| text));
            to.push_str(item.colon);
            write(&item.value, to);
            to.push_str(item.tail);
            if body.comma || number + 1 < body.items.len() {
                to.push(',');
            }
            to.push_str(item.after);
        }
        to.push_str(body.close);
        to.push(ends[1]);
    }

    #[test]
    fn every_byte_belongs_to_one_part() {
        for text in [
            "{}",
            " [ ] ",
            "{\r\n\t\"a\" : [1 , 2.50,-0 ] , // one, \"two\"\r\n\t/* x */ \"b\\u0041\": {\"\":null,},\n}\n",
            "\u{feff}[true,false , null]//",
            "[ 1 // a\n , 2 /* b */ /* c */\n/* d */]",
        ] {
            let document = parse(text.as_bytes(), Dialect::Commented).unwrap();
            let mut again = document.head.to_owned();
            write(&document.value, &mut again);
            assert_eq!(again + document.end, text);
        }
    }

    #[test]
    fn escapes_say_what_they_mean() {
        for (text, said) in [
            (r#""a""#, &b"a"[..]),
            (r#""\u0041\n\/""#, b"A\n/"),
            (r#""\ud83d\ude00""#, "\u{1f600}".as_bytes()),
            (r#""\ud800""#, b"\xed\xa0\x80"),
            (r#""\ud800\ud800\udc00""#, b"\xed\xa0\x80\xf0\x90\x80\x80"),
            (r#""\udc00x""#, b"\xed\xb0\x80x"),
        ] {
            assert_eq!(&*unescape(text), said, "{text}");
        }
    }

    #[test]
    fn looks_do_not_change_a_meaning() {
        let meaning = |text: &str| parse(text.as_bytes(), Dialect::Strict).unwrap().value.meaning();
        assert_eq!(
            meaning(r#"{"a":[1,"x"],"b":null}"#),
            meaning("{ \"\\u0062\": null,\n\"a\": [1, \"\\u0078\"] }")
        );
        for (one, other) in
            [("1", "1.0"), ("0.1", "0.10"), ("-0", "0"), ("1", "\"1\""), ("[1,2]", "[2,1]"), ("[]", "{}")]
        {
            assert_ne!(meaning(one), meaning(other), "{one} {other}");
        }
    }
}

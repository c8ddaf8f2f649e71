//! The wildcards of a pattern as an automaton: each byte of a name is looked at once, whatever the pattern.

/// A pattern with wildcards, ready to match.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    /// The bytes before the first wildcard: most names fail here.
    prefix: Box<[u8]>,
    /// The bytes after the last wildcard: most of the others fail here.
    suffix: Box<[u8]>,
    /// All steps, those of prefix and suffix among them; `None` if the pattern can match nothing.
    steps: Option<Box<[Step]>>,
}

#[derive(Debug, Clone)]
enum Step {
    /// This byte.
    Byte(u8),
    /// One byte of a set.
    One(Box<Set>),
    /// `*`: any bytes but a slash.
    Star,
    /// `**` at the end: any bytes.
    Deep,
    /// `**/`: any folders, or none.
    Folders,
}

/// A set of bytes; the slash is never in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Set([u64; 4]);

impl Set {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    fn sealed(mut self, negated: bool) -> Self {
        if negated {
            self.0.iter_mut().for_each(|word| *word = !*word);
        }
        self.0[usize::from(b'/' >> 6)] &= !(1 << (b'/' & 63));
        self
    }
}

impl Glob {
    pub(super) fn parse(pattern: &[u8]) -> Self {
        let steps = parse_steps(pattern);
        let literal = |step: &Step| if let Step::Byte(byte) = step { Some(*byte) } else { None };
        let all = steps.as_deref().unwrap_or_default();
        let prefix = all.iter().map_while(literal).collect();
        let mut suffix: Vec<u8> = all.iter().rev().map_while(literal).collect();
        suffix.reverse();
        Glob { prefix, suffix: suffix.into(), steps: steps.map(Into::into) }
    }

    pub(super) fn matches(&self, subject: &[u8]) -> bool {
        if !subject.starts_with(&self.prefix) || !subject.ends_with(&self.suffix) {
            return false;
        }
        let Some(steps) = &self.steps else { return false };
        let mut run = Run::start(steps);
        subject.iter().all(|&byte| run.take(byte)) && run.is_complete()
    }

    /// Answers whether the folder's path and a slash can be the start of a match that goes on.
    pub(super) fn could_match_below(&self, folder: &[u8]) -> bool {
        let Some(steps) = &self.steps else { return false };
        let mut run = Run::start(steps);
        folder.iter().all(|&byte| run.take(byte)) && run.take(b'/') && run.can_go_on()
    }
}

/// The steps that a match may be about to take; one bit each, and one more for the end.
struct Run<'a> {
    steps: &'a [Step],
    now: Vec<u64>,
    next: Vec<u64>,
}

impl<'a> Run<'a> {
    fn start(steps: &'a [Step]) -> Self {
        let words = steps.len() / 64 + 1;
        let mut run = Run { steps, now: vec![0; words], next: vec![0; words] };
        run.reach(0);
        std::mem::swap(&mut run.now, &mut run.next);
        run
    }

    /// Takes one byte; false if no match is possible any more.
    fn take(&mut self, byte: u8) -> bool {
        self.next.fill(0);
        for word in 0..self.now.len() {
            let mut bits = self.now[word];
            while bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                self.step(at, byte);
            }
        }
        std::mem::swap(&mut self.now, &mut self.next);
        self.now.iter().any(|&word| word != 0)
    }

    fn step(&mut self, at: usize, byte: u8) {
        match self.steps.get(at) {
            Some(Step::Byte(expected)) if *expected == byte => self.reach(at + 1),
            Some(Step::One(set)) if set.contains(byte) => self.reach(at + 1),
            Some(Step::Star) if byte != b'/' => self.reach(at),
            Some(Step::Deep) => self.reach(at),
            Some(Step::Folders) => {
                // Only whole folders are passed over: inside one, the way on is closed.
                self.mark(at);
                if byte == b'/' {
                    self.reach(at + 1);
                }
            }
            _ => {}
        }
    }

    /// Marks a step, and those behind it that may be left out.
    fn reach(&mut self, at: usize) {
        let mut at = at;
        self.mark(at);
        while let Some(Step::Star | Step::Deep | Step::Folders) = self.steps.get(at) {
            at += 1;
            self.mark(at);
        }
    }

    fn mark(&mut self, at: usize) {
        self.next[at / 64] |= 1 << (at % 64);
    }

    fn is_complete(&self) -> bool {
        let end = self.steps.len();
        self.now[end / 64] & (1 << (end % 64)) != 0
    }

    fn can_go_on(&self) -> bool {
        let end = self.steps.len();
        self.now.iter().enumerate().any(|(word, &bits)| {
            let complete = if word == end / 64 { 1 << (end % 64) } else { 0 };
            bits & !complete != 0
        })
    }
}

/// Reads the wildcards; `None` where git says that the pattern matches nothing.
fn parse_steps(pattern: &[u8]) -> Option<Vec<Step>> {
    let mut steps = Vec::with_capacity(pattern.len());
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => {
                steps.push(Step::Byte(*pattern.get(at + 1)?));
                at += 2;
            }
            b'?' => {
                steps.push(Step::One(Box::new(Set::default().sealed(true))));
                at += 1;
            }
            b'*' => at = parse_stars(pattern, at, &mut steps),
            b'[' => {
                let (set, end) = parse_class(pattern, at + 1)?;
                steps.push(Step::One(Box::new(set)));
                at = end;
            }
            byte => {
                steps.push(Step::Byte(byte));
                at += 1;
            }
        }
    }
    Some(steps)
}

/// Two stars or more are special only as a whole name between slashes; else they are one. Git cuts off the text before
/// the first wildcard, so that stars right behind it count as the start of a name: `a**/b` matches `ax/y/b`, and `ab`.
fn parse_stars(pattern: &[u8], start: usize, steps: &mut Vec<Step>) -> usize {
    let end = start + pattern[start..].iter().take_while(|&&byte| byte == b'*').count();
    let whole_before = !pattern[..start].iter().any(super::pattern::is_special) || pattern[start - 1] == b'/';
    let rest = &pattern[end..];
    if end - start < 2 || !whole_before {
        steps.push(Step::Star);
    } else if rest.is_empty() {
        steps.push(Step::Deep);
    } else if rest[0] == b'/' {
        steps.push(Step::Folders);
        return end + 1;
    } else if rest.starts_with(b"\\/") {
        steps.push(Step::Folders);
        return end + 2;
    } else {
        steps.push(Step::Star);
    }
    end
}

/// Reads a class after its `[`; answers it and where the pattern goes on.
fn parse_class(pattern: &[u8], start: usize) -> Option<(Set, usize)> {
    let mut set = Set::default();
    let negated = matches!(pattern.get(start), Some(b'!' | b'^'));
    let first = if negated { start + 1 } else { start };
    let mut at = first;
    let mut previous = None;
    loop {
        match *pattern.get(at)? {
            b']' if at > first => return Some((set.sealed(negated), at + 1)),
            b'[' if pattern.get(at + 1) == Some(&b':') => {
                let close = at + 2 + pattern[at + 2..].iter().position(|&byte| byte == b']')?;
                if close > at + 2 && pattern[close - 1] == b':' {
                    insert_named(&mut set, &pattern[at + 2..close - 1])?;
                    previous = None;
                    at = close + 1;
                } else {
                    set.insert(b'[');
                    previous = Some(b'[');
                    at += 1;
                }
            }
            b'-' if previous.is_some() && !matches!(pattern.get(at + 1), None | Some(b']')) => {
                let (last, end) = parse_member(pattern, at + 1)?;
                let first = previous.take().expect("because the guard saw one");
                (first..=last).for_each(|byte| set.insert(byte));
                at = end;
            }
            _ => {
                let (byte, end) = parse_member(pattern, at)?;
                set.insert(byte);
                previous = Some(byte);
                at = end;
            }
        }
    }
}

fn parse_member(pattern: &[u8], at: usize) -> Option<(u8, usize)> {
    match *pattern.get(at)? {
        b'\\' => Some((*pattern.get(at + 1)?, at + 2)),
        byte => Some((byte, at + 1)),
    }
}

fn insert_named(set: &mut Set, name: &[u8]) -> Option<()> {
    let holds: fn(&u8) -> bool = match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    };
    (0..=u8::MAX).filter(holds).for_each(|byte| set.insert(byte));
    Some(())
}

//! Reading git objects: one `cat-file --batch` that answers many questions.

use std::fmt;
use std::io::{self, BufRead, Read};

use instep_core::remote::{ObjectId, RemoteError, RemoteErrorKind};

use super::failure;
use super::program::{Program, Running, Scope};

/// How many questions may be open at once; they fit a pipe, so that neither side waits for the other.
const OPEN_QUESTIONS_MAX: usize = 512;

/// A git object's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Oid(pub [u8; 20]);

impl Oid {
    /// Reads forty hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 40 {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = (digit(0)? * 16 + digit(1)?) as u8;
        }
        Some(Oid(bytes))
    }

    /// Reads a name that a repository told us, which may be of a kind that we can't use.
    pub fn told(text: &[u8]) -> Result<Self, RemoteError> {
        Oid::parse(text).ok_or_else(|| match text.len() {
            64 => failure::other_format(),
            _ => failure::protocol("git named an object in a way that we do not know", text),
        })
    }

    /// Takes a name that a caller got from us.
    pub fn of(object: &ObjectId) -> Result<Self, RemoteError> {
        let bytes = object.as_bytes().get(..20).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Oid).ok_or_else(|| failure::protocol("A name is not one of git's", object.as_bytes()))
    }
}

impl From<Oid> for ObjectId {
    fn from(oid: Oid) -> Self {
        ObjectId::new(&oid.0).expect("because 20 bytes fit")
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The kinds of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Blob,
    Tree,
    Commit,
    Other,
}

impl Kind {
    /// One byte for it, in files of ours.
    pub fn byte(self) -> u8 {
        match self {
            Kind::Blob => b'b',
            Kind::Tree => b't',
            Kind::Commit => b'c',
            Kind::Other => b'o',
        }
    }

    /// Reads what [`Kind::byte`] wrote.
    pub fn of_byte(byte: u8) -> Option<Self> {
        [Kind::Blob, Kind::Tree, Kind::Commit].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// What stands before an object's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub kind: Kind,
    pub size: u64,
}

/// A reader of our own repository's objects. The program starts at the first question, and waits for the next reader
/// when all are answered.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    program: &'a Program,
    running: Option<Running>,
    /// Something was asked that is not answered to the end.
    asking: bool,
}

impl Drop for Objects<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take().filter(|_| !self.asking) {
            self.program.rest(running);
        }
    }
}

impl<'a> Objects<'a> {
    /// A reader that has not asked anything yet.
    pub fn of(program: &'a Program) -> Self {
        Objects { program, running: None, asking: false }
    }

    /// Asks for the objects of a growing list, some ahead of the answers, and hands each answer on in order. What
    /// `take` returns is asked for next.
    pub fn walk(
        &mut self,
        first: Vec<Oid>,
        mut take: impl FnMut(&mut Self, Option<Header>, usize) -> Result<Vec<Oid>, RemoteError>,
    ) -> Result<(), RemoteError> {
        let mut wanted = first;
        let mut asked = 0;
        let mut answered = 0;
        while answered < wanted.len() {
            let upto = wanted.len().min(answered + OPEN_QUESTIONS_MAX);
            // Half-empty before it is filled again: fewer, larger writes.
            if asked == answered || asked + OPEN_QUESTIONS_MAX / 2 < upto {
                self.ask(&wanted[asked..upto])?;
                asked = upto;
            }
            let header = self.header()?;
            let more = take(self, header, answered)?;
            if header.is_some() {
                self.skip(1)?;
            }
            answered += 1;
            wanted.extend(more);
        }
        self.asking = false;
        Ok(())
    }

    /// Reads one object of a kind in whole; `None` if it is not there.
    pub fn read(&mut self, oid: Oid, kind: Kind, bytes_max: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        self.ask(&[oid])?;
        let Some(header) = self.header()? else {
            self.asking = false;
            return Ok(None);
        };
        if header.kind != kind {
            return Err(failure::corrupt(
                "E-GIT-TREE",
                format!("The object {oid} is not of the kind it should be."),
            ));
        }
        let body = self.body(header, bytes_max)?;
        self.skip(1)?;
        self.asking = false;
        Ok(Some(body))
    }

    /// Reads the bytes that a header announced.
    pub fn body(&mut self, header: Header, bytes_max: u64) -> Result<Vec<u8>, RemoteError> {
        if header.size > bytes_max {
            return Err(failure::corrupt(
                "E-LIMIT-OBJECT",
                format!("The remote holds a folder or commit of {} bytes.", header.size),
            ));
        }
        let mut body = vec![0; header.size as usize];
        let running = self.running();
        running.stdout.read_exact(&mut body).map_err(|error| running.fail(error))?;
        Ok(body)
    }

    /// The bytes that a header announced, to be read up to their end.
    pub fn stream(&mut self, header: Header) -> io::Take<&mut dyn Read> {
        let stdout: &mut dyn Read = &mut self.running().stdout;
        stdout.take(header.size)
    }

    /// Passes over bytes.
    pub fn skip(&mut self, count: u64) -> Result<(), RemoteError> {
        let running = self.running();
        match io::copy(&mut (&mut running.stdout).take(count), &mut io::sink()) {
            Ok(skipped) if skipped == count => Ok(()),
            Ok(_) => Err(running.fail(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(running.fail(error)),
        }
    }

    fn ask(&mut self, wanted: &[Oid]) -> Result<(), RemoteError> {
        if self.running.is_none() {
            self.running = Some(match self.program.rested() {
                Some(running) => running,
                None => self.program.call(Scope::Ours)?.args(["cat-file", "--batch"]).start()?,
            });
        }
        self.asking = true;
        let lines: String = wanted.iter().map(|oid| format!("{oid}\n")).collect();
        let running = self.running();
        running.send(lines.as_bytes()).map_err(|error| running.fail(error))
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("because a question started it")
    }

    fn header(&mut self) -> Result<Option<Header>, RemoteError> {
        let mut line = Vec::new();
        let running = self.running();
        let length = running.stdout.by_ref().take(200).read_until(b'\n', &mut line);
        if length.map_err(|error| running.fail(error))? == 0 {
            return Err(running.fail(io::ErrorKind::UnexpectedEof.into()));
        }
        let text = String::from_utf8_lossy(&line);
        let mut words = text.split_ascii_whitespace().skip(1);
        let kind = match words.next() {
            Some("missing") => return Ok(None),
            Some("blob") => Kind::Blob,
            Some("tree") => Kind::Tree,
            Some("commit") => Kind::Commit,
            Some("tag") => Kind::Other,
            _ => return Err(failure::protocol("git answered a question with something else", &line)),
        };
        let size = words.next().and_then(|word| word.parse().ok());
        let size = size.ok_or_else(|| failure::protocol("git did not tell an object's size", &line))?;
        Ok(Some(Header { kind, size }))
    }
}

/// An object that should be here is not.
pub(super) fn missing(oid: Oid) -> RemoteError {
    RemoteError::new(
        RemoteErrorKind::Corrupt,
        MISSING,
        format!("The object {oid} is in neither our copy nor the remote."),
    )
}

/// The code of [`missing`].
pub(super) const MISSING: &str = "E-GIT-OBJECT";

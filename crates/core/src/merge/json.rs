//! The merge of JSON: objects by key, records by id, other arrays as sequences; what nobody changed stays as written.
//!
//! The text is a tree of spans ([`tree`]). Where one side left a span as it was, the other's is taken, byte by byte, be
//! it a value or the white space before it; only where both changed an object or array is it written anew, from the
//! parts of all three. Nothing is decided twice: a value that both changed is a conflict, or the newer one's where the
//! file's group, or its being a settings file, says so.

mod order;
mod rules;
pub(crate) mod tree;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use self::order::{Key, arrange, put_back};
use self::rules::Rules;
use self::tree::{Body, Dialect, Fault, Form, Item, Value, is_blank};
use super::moment::Moment;
use super::records::{self, Identity, Rule};
use super::summary::{Clash, Summary};
use super::{Joined, Judge, Reason, Terms, Versions, text};
use crate::node::{PerSide, Side};

/// Merges whole texts.
pub(super) fn merge(terms: &Terms<'_>, versions: &Versions<'_>) -> Result<Joined, Reason> {
    let rules = Rules::of(terms, versions);
    let read = |bytes| tree::parse(bytes, rules.dialect).map_err(reason);
    let base = versions.base.map(read).transpose()?;
    let sides = PerSide { local: read(versions.local)?, remote: read(versions.remote)? };
    let mut merge = Merge::new(rules);
    let head = merge.trivia(base.as_ref().map(|base| base.head), [sides.local.head, sides.remote.head]);
    let end = merge.trivia(base.as_ref().map(|base| base.end), [sides.local.end, sides.remote.end]);
    let values = PerSide { local: &sides.local.value, remote: &sides.remote.value };
    let value = merge.value(base.as_ref().map(|base| &base.value), values)?;
    let content = [head, &value, end].concat().into_bytes();
    let summary = merge.finish()?;
    tree::parse(&content, rules.dialect).map_err(|_| Reason::WouldBreak("JSON"))?;
    Ok(Joined { content, summary })
}

/// Merges texts with one record a line.
pub(super) fn merge_lines(terms: &Terms<'_>, versions: &Versions<'_>) -> Result<Joined, Reason> {
    let rules = Rules { dialect: Dialect::Strict, ..Rules::of(terms, versions) };
    let read = |bytes| tree::parse_lines(bytes).map_err(reason);
    let base = versions.base.map(read).transpose()?;
    let sides = PerSide { local: read(versions.local)?, remote: read(versions.remote)? };
    let mut merge = Merge::new(rules);
    let bodies = PerSide { local: &sides.local, remote: &sides.remote };
    let content = match merge.array(&LINES, base.as_ref(), bodies)? {
        Some(content) => content.into_bytes(),
        None => return Err(Reason::Overlap { places: 1 }),
    };
    let summary = merge.finish()?;
    tree::parse_lines(&content).map_err(|_| Reason::WouldBreak("JSON Lines"))?;
    Ok(Joined { content, summary })
}

pub(super) fn reason(fault: Fault) -> Reason {
    match fault {
        Fault::Invalid => Reason::NotValid("JSON"),
        Fault::TooDeep => Reason::TooDeep,
    }
}

/// What stands around and between items.
struct Layout {
    open: &'static str,
    between: char,
    close: &'static str,
}

const OBJECT: Layout = Layout { open: "{", between: ',', close: "}" };
const ARRAY: Layout = Layout { open: "[", between: ',', close: "]" };
const LINES: Layout = Layout { open: "", between: '\n', close: "" };

/// A merge under way.
struct Merge<'r> {
    rules: Rules<'r>,
    /// Where it is: the names on the way.
    path: Vec<String>,
    /// How many places nobody can decide.
    places: usize,
    /// How long the path to the record is in which it is.
    record: Option<usize>,
    summary: Summary,
}

/// The items of three bodies under common keys.
struct Table<'v, 't> {
    rows: Vec<Row<'v, 't>>,
    base: Vec<Key>,
    sides: PerSide<Vec<Key>>,
}

/// One item in all versions that have it, with its place there.
#[derive(Clone, Copy)]
struct Row<'v, 't> {
    base: Option<Placed<'v, 't>>,
    sides: PerSide<Option<Placed<'v, 't>>>,
}

#[derive(Clone, Copy)]
struct Placed<'v, 't> {
    item: &'v Item<'t>,
    lead: Lead<'t>,
}

/// What stands before an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lead<'t> {
    /// What stands before the others of its kind.
    Usual,
    Own(&'t str),
}

/// What usually stands before the first item, and before the others.
#[derive(Debug, Clone, Copy)]
struct Style<'t> {
    first: Option<&'t str>,
    rest: Option<&'t str>,
}

/// An item as it will be written.
struct Piece<'t> {
    lead: Lead<'t>,
    name: &'t str,
    colon: &'t str,
    value: Cow<'t, str>,
    tail: &'t str,
    after: &'t str,
}

impl<'r> Merge<'r> {
    fn new(rules: Rules<'r>) -> Self {
        Merge { rules, path: Vec::new(), places: 0, record: None, summary: Summary::default() }
    }

    fn finish(self) -> Result<Summary, Reason> {
        if self.places == 0 { Ok(self.summary) } else { Err(Reason::Overlap { places: self.places }) }
    }

    fn value<'t>(
        &mut self,
        base: Option<&Value<'t>>,
        sides: PerSide<&Value<'t>>,
    ) -> Result<Cow<'t, str>, Reason> {
        let PerSide { local, remote } = sides;
        if let Some(text) = unchanged(base.map(|base| base.text), [local.text, remote.text]) {
            return Ok(Cow::Borrowed(text));
        }
        let merged = match (base.map(|base| &base.form), &local.form, &remote.form) {
            (None, Form::Object(local), Form::Object(remote)) => {
                Some(self.object(None, PerSide { local, remote })?)
            }
            (Some(Form::Object(base)), Form::Object(local), Form::Object(remote)) => {
                Some(self.object(Some(base), PerSide { local, remote })?)
            }
            (None, Form::Array(local), Form::Array(remote)) => {
                self.array(&ARRAY, None, PerSide { local, remote })?
            }
            (Some(Form::Array(base)), Form::Array(local), Form::Array(remote)) => {
                self.array(&ARRAY, Some(base), PerSide { local, remote })?
            }
            _ => None,
        };
        Ok(merged.map_or_else(|| Cow::Borrowed(self.whole(base, sides)), Cow::Owned))
    }

    /// Takes a value as one piece.
    fn whole<'t>(&mut self, base: Option<&Value<'t>>, sides: PerSide<&Value<'t>>) -> &'t str {
        let PerSide { local, remote } = sides;
        let meanings = [local.meaning(), remote.meaning()];
        if meanings[0] == meanings[1] {
            return longer(local.text, remote.text);
        }
        let base_meaning = base.map(Value::meaning);
        if base_meaning.as_ref() == Some(&meanings[0]) {
            return remote.text;
        }
        if base_meaning.as_ref() == Some(&meanings[1]) {
            return local.text;
        }
        let texts = PerSide { local: local.text, remote: remote.text };
        self.clash(base.map(|base| base.text), texts).map_or(local.text, |winner| texts[winner])
    }

    /// Both changed it; answers whose is taken.
    fn clash(&mut self, base: Option<&str>, sides: PerSide<&str>) -> Option<Side> {
        let Some(winner) = self.rules.judge.winner(self.summary.clashes.len()) else {
            self.places += 1;
            return None;
        };
        let bytes = |text: &str| text.as_bytes().to_vec();
        self.summary.clashes.push(Clash {
            key: self.path.join("."),
            kept: bytes(sides[winner]),
            dropped: bytes(sides[winner.other()]),
            loser: winner.other(),
            base: base.map(bytes).unwrap_or_default(),
        });
        Some(winner)
    }

    fn object<'t>(&mut self, base: Option<&Body<'t>>, sides: PerSide<&Body<'t>>) -> Result<String, Reason> {
        let name = |item: &Item<'t>| item.name.as_ref().map_or_else(Vec::new, |(_, said)| said.to_vec());
        let names = |body: &Body<'t>| body.items.iter().map(name).collect::<Vec<_>>();
        let all = Bodies { base, sides };
        let (table, keys) = all.table(&all.map(names));
        let said = |at: usize| String::from_utf8_lossy(&keys[at]).into_owned();
        let kept = self.keep(&table, false, said)?;
        let rank = |a: Key, b: Key| keys[a as usize].cmp(&keys[b as usize]);
        let order = table.arrange(&kept, &rank);
        let mut pieces = Vec::new();
        for key in order {
            pieces.push(self.step(said(key as usize), |merge| merge.piece(&table.rows[key as usize]))?);
        }
        Ok(self.write(&OBJECT, &all, pieces))
    }

    /// Merges arrays, if it is known which items are the same.
    fn array<'t>(
        &mut self,
        layout: &Layout,
        base: Option<&Body<'t>>,
        sides: PerSide<&Body<'t>>,
    ) -> Result<Option<String>, Reason> {
        let all = Bodies { base, sides };
        let versions: Vec<&Body<'t>> = all.versions().collect();
        match records::identify(self.rules.records, self.rules.id, &versions)? {
            Some(identities) => self.records(layout, &all, identities).map(Some),
            None => self.sequence(layout, &all),
        }
    }

    fn records<'t>(
        &mut self,
        layout: &Layout,
        all: &Bodies<'_, 't>,
        mut identities: Vec<Vec<Identity>>,
    ) -> Result<String, Reason> {
        let mut next = || identities.remove(0);
        let base = all.base.map(|_| next());
        let named = Named { base, sides: PerSide { local: next(), remote: next() } };
        let (table, keys) = all.table(&named);
        self.count(&table);
        let are_records = self.rules.records == Rule::All;
        let kept = self.keep(&table, are_records, |at| record_name(&keys[at]))?;
        let ranks: Vec<_> = table.rows.iter().zip(&keys).map(|(row, key)| (row.created(), key)).collect();
        let rank = |a: Key, b: Key| compare(&ranks[a as usize], &ranks[b as usize]);
        let order = table.arrange(&kept, &rank);
        let mut pieces = Vec::new();
        for key in order {
            let row = &table.rows[key as usize];
            pieces.push(self.step(record_name(&keys[key as usize]), |merge| merge.record(row))?);
        }
        Ok(self.write(layout, all, pieces))
    }

    /// A record that both have: its own time may say whose values are newer.
    fn record<'t>(&mut self, row: &Row<'_, 't>) -> Result<Piece<'t>, Reason> {
        let usual = self.rules.judge;
        let both = row.sides.local.zip(row.sides.remote);
        // One id, two new records: no field of theirs was ever agreed on.
        if let Some((local, remote)) = both.filter(|_| row.base.is_none())
            && local.item.value.meaning() != remote.item.value.meaning()
        {
            let texts = PerSide { local: local.item.value.text, remote: remote.item.value.text };
            let is_person = matches!(usual, Judge::Person(_));
            let winner = if is_person { self.clash(None, texts) } else { None };
            self.places += usize::from(!is_person);
            return Ok(if winner == Some(Side::Remote) { remote.piece() } else { local.piece() });
        }
        if let Some((local, remote)) = both.filter(|_| self.rules.newest) {
            let times = [local, remote].map(|one| records::changed(&one.item.value));
            self.rules.judge = match times {
                [Some(local), Some(remote)] if local > remote => Judge::Later(Side::Local),
                [Some(local), Some(remote)] if local < remote => Judge::Later(Side::Remote),
                _ => usual,
            };
        }
        let outer = self.record.replace(self.path.len());
        let piece = self.piece(row);
        self.record = outer;
        self.rules.judge = usual;
        piece
    }

    /// Counts what each side brought.
    fn count(&mut self, table: &Table<'_, '_>) {
        let total = self.summary.records.get_or_insert_default();
        for row in &table.rows {
            let meaning = |one: Option<Placed<'_, '_>>| one.map(|one| one.item.value.meaning());
            let (base, local, remote) =
                (meaning(row.base), meaning(row.sides.local), meaning(row.sides.remote));
            total.local += usize::from(local.is_some() && local != base);
            total.remote += usize::from(remote.is_some() && remote != base);
            let is_twin = local.is_some() && local == remote && local != base;
            self.summary.duplicates += usize::from(is_twin);
        }
    }

    /// Merges arrays whose items are only known by what they say, as texts are merged line by line.
    fn sequence<'t>(&mut self, layout: &Layout, all: &Bodies<'_, 't>) -> Result<Option<String>, Reason> {
        let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut number = |body: &Body<'t>| -> Vec<usize> {
            let numbered = body.items.iter().map(|item| {
                let next = numbers.len();
                *numbers.entry(item.essence()).or_insert(next)
            });
            numbered.collect()
        };
        let base = all.base.map(&mut number);
        let sides = PerSide { local: number(all.sides.local), remote: number(all.sides.remote) };
        let shown =
            |numbers: &[usize]| numbers.iter().map(|number| format!("{number}\n")).collect::<String>();
        let [old, local, remote] =
            [base.as_deref().unwrap_or_default(), &sides.local, &sides.remote].map(shown);
        let Ok(merged) = text::merge(old.as_bytes(), local.as_bytes(), remote.as_bytes()) else {
            return Ok(None);
        };
        let named = Named {
            base: base.map(count_equal),
            sides: PerSide { local: count_equal(sides.local), remote: count_equal(sides.remote) },
        };
        let (table, keys) = all.table(&named);
        let rows: HashMap<_, _> = keys.iter().zip(&table.rows).collect();
        let merged = String::from_utf8_lossy(&merged);
        let merged = count_equal(merged.lines().filter_map(|line| line.parse().ok()).collect());
        let mut pieces = Vec::new();
        for (number, count) in merged {
            // A merge may hold more equal items than any version: they look like the last of them.
            let row = (0..=count).rev().find_map(|count| rows.get(&(number, count)));
            let Some(row) = row else { return Ok(None) };
            pieces.push(self.piece(row)?);
        }
        Ok(Some(self.write(layout, all, pieces)))
    }

    /// Decides which items are in the result.
    fn keep(
        &mut self,
        table: &Table<'_, '_>,
        are_records: bool,
        name: impl Fn(usize) -> String,
    ) -> Result<Vec<bool>, Reason> {
        let mut kept = Vec::with_capacity(table.rows.len());
        for (at, row) in table.rows.iter().enumerate() {
            kept.push(match (row.base, row.sides.local, row.sides.remote) {
                (_, Some(_), Some(_)) | (None, _, _) => true,
                (Some(_), None, None) => false,
                (Some(base), Some(left), None) | (Some(base), None, Some(left)) => {
                    let is_changed = left.item.says_more_than(base.item);
                    is_changed
                        && self.step(name(at), |merge| Ok(merge.keeps_changed(base, row, are_records)))?
                }
            });
        }
        Ok(kept)
    }

    /// One side removed what the other changed. Where the newer values of records win, the record stays: nothing tells
    /// when it was removed, and who meets whom first must not decide.
    fn keeps_changed(&mut self, base: Placed<'_, '_>, row: &Row<'_, '_>, is_record: bool) -> bool {
        if is_record && self.rules.newest {
            let side = if row.sides.local.is_some() { Side::Local } else { Side::Remote };
            let bytes = |one: Placed<'_, '_>| one.item.value.text.as_bytes().to_vec();
            self.summary.clashes.push(Clash {
                key: self.path.join("."),
                kept: row.sides[side].map(bytes).unwrap_or_default(),
                dropped: Vec::new(),
                loser: side.other(),
                base: bytes(base),
            });
            return true;
        }
        if !matches!(self.rules.judge, Judge::Person(_)) {
            self.places += 1;
            return true;
        }
        let text =
            |one: Option<Placed<'_, '_>>| one.map_or_else(String::new, |one| one.item.value.text.to_owned());
        let texts = PerSide { local: text(row.sides.local), remote: text(row.sides.remote) };
        let texts = PerSide { local: texts.local.as_str(), remote: texts.remote.as_str() };
        let winner = self.clash(Some(base.item.value.text), texts);
        winner.is_some_and(|winner| row.sides[winner].is_some())
    }

    fn step<T>(
        &mut self,
        name: String,
        act: impl FnOnce(&mut Self) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        self.path.push(name);
        let result = act(self);
        self.path.pop();
        result
    }

    /// Merges one item, or takes it from the side that has it.
    fn piece<'t>(&mut self, row: &Row<'_, 't>) -> Result<Piece<'t>, Reason> {
        let base = row.base;
        let (local, remote) = match row.sides {
            PerSide { local: Some(local), remote: Some(remote) } => (local, remote),
            PerSide { local: Some(one), .. } | PerSide { remote: Some(one), .. } => return Ok(one.piece()),
            PerSide { local: None, remote: None } => {
                return base.map(|base| base.piece()).ok_or(Reason::WouldBreak("JSON"));
            }
        };
        let of = |part: fn(&Item<'t>) -> &'t str| {
            (base.map(|base| part(base.item)), [part(local.item), part(remote.item)])
        };
        let (base_name, names) = of(|item| item.name.as_ref().map_or("", |(text, _)| text));
        let name = unchanged(base_name, names).unwrap_or_else(|| longer(names[0], names[1]));
        let [colon, tail, after] = [of(|item| item.colon), of(|item| item.tail), of(|item| item.after)]
            .map(|(base, sides)| self.trivia(base, sides));
        let values = PerSide { local: &local.item.value, remote: &remote.item.value };
        let old = base.map(|base| &base.item.value);
        let is_time = local.item.name.as_ref().is_some_and(|(_, said)| self.is_time_of_record(said));
        let value = match newer_time(old, values).filter(|_| is_time) {
            Some(newer) => Cow::Borrowed(newer),
            None => self.value(old, values)?,
        };
        let lead = self.lead(base.map(|base| base.lead), [local.lead, remote.lead]);
        Ok(Piece { lead, name, colon, value, tail, after })
    }

    /// Whether a field says when the record here, or in a file of records the file, was changed.
    fn is_time_of_record(&self, name: &[u8]) -> bool {
        let is_here =
            self.rules.records == Rule::All || self.record.is_some_and(|at| at + 1 == self.path.len());
        is_here && records::is_changed_field(name)
    }

    /// Merges what stands between values; comments are no white space.
    fn trivia<'t>(&mut self, base: Option<&'t str>, [local, remote]: [&'t str; 2]) -> &'t str {
        unchanged(base, [local, remote]).unwrap_or_else(|| {
            // Where only white space differs, either will do.
            self.places += usize::from(tree::essence(local) != tree::essence(remote));
            longer(local, remote)
        })
    }

    fn lead<'t>(&mut self, base: Option<Lead<'t>>, [local, remote]: [Lead<'t>; 2]) -> Lead<'t> {
        if let Some(lead) = unchanged(base, [local, remote]) {
            return lead;
        }
        match [local, remote] {
            [Lead::Own(local), Lead::Own(remote)] => Lead::Own(self.trivia(None, [local, remote])),
            [Lead::Own(own), Lead::Usual] | [Lead::Usual, Lead::Own(own)] => {
                self.places += usize::from(!is_blank(own));
                Lead::Own(own)
            }
            [Lead::Usual, Lead::Usual] => Lead::Usual,
        }
    }

    fn write<'t>(&mut self, layout: &Layout, all: &Bodies<'_, 't>, pieces: Vec<Piece<'t>>) -> String {
        let base = all.base;
        let [local, remote] = [all.sides.local, all.sides.remote];
        let close = self.trivia(base.map(|base| base.close), [local.close, remote.close]);
        let commas = [local.comma, remote.comma];
        let comma = unchanged(base.map(|base| base.comma), commas).unwrap_or(true);
        let style = Style::merge(base.map(Style::of), [local, remote].map(Style::of));
        let mut text = layout.open.to_owned();
        let count = pieces.len();
        for (number, piece) in pieces.into_iter().enumerate() {
            text.push_str(match piece.lead {
                Lead::Own(lead) => lead,
                Lead::Usual => style.lead(number == 0),
            });
            for part in [piece.name, piece.colon, &piece.value, piece.tail] {
                text.push_str(part);
            }
            if comma || number + 1 < count {
                text.push(layout.between);
            }
            text.push_str(piece.after);
        }
        text.push_str(close);
        text.push_str(layout.close);
        text
    }
}

/// Three bodies; the base's is missing where both created it.
struct Bodies<'v, 't> {
    base: Option<&'v Body<'t>>,
    sides: PerSide<&'v Body<'t>>,
}

/// One value for each of three bodies.
struct Named<T> {
    base: Option<T>,
    sides: PerSide<T>,
}

impl<'v, 't> Bodies<'v, 't> {
    fn versions(&self) -> impl Iterator<Item = &'v Body<'t>> {
        self.base.into_iter().chain([self.sides.local, self.sides.remote])
    }

    fn map<T>(&self, name: impl Fn(&'v Body<'t>) -> T) -> Named<T> {
        let sides = PerSide { local: name(self.sides.local), remote: name(self.sides.remote) };
        Named { base: self.base.map(&name), sides }
    }

    /// Puts all items under keys: equal names have equal keys.
    fn table<N: Clone + Eq + std::hash::Hash>(&self, named: &Named<Vec<N>>) -> (Table<'v, 't>, Vec<N>) {
        let mut rows: Vec<Row<'v, 't>> = Vec::new();
        let mut keys: HashMap<N, Key> = HashMap::new();
        let mut enter = |body: &'v Body<'t>, names: &[N], side: Option<Side>| -> Vec<Key> {
            let style = Style::of(body);
            let items = body.items.iter().zip(names).enumerate();
            let entered = items.map(|(number, (item, name))| {
                let key = *keys.entry(name.clone()).or_insert(rows.len() as Key);
                if key as usize == rows.len() {
                    rows.push(Row { base: None, sides: PerSide { local: None, remote: None } });
                }
                let is_usual = style.usual(number == 0) == Some(item.lead);
                let lead = if is_usual { Lead::Usual } else { Lead::Own(item.lead) };
                let placed = Some(Placed { item, lead });
                match side {
                    None => rows[key as usize].base = placed,
                    Some(side) => rows[key as usize].sides[side] = placed,
                }
                key
            });
            entered.collect()
        };
        let base = match (self.base, &named.base) {
            (Some(body), Some(names)) => enter(body, names, None),
            _ => Vec::new(),
        };
        let local = enter(self.sides.local, &named.sides.local, Some(Side::Local));
        let remote = enter(self.sides.remote, &named.sides.remote, Some(Side::Remote));
        let mut names: Vec<(N, Key)> = keys.into_iter().collect();
        names.sort_by_key(|(_, key)| *key);
        let table = Table { rows, base, sides: PerSide { local, remote } };
        (table, names.into_iter().map(|(name, _)| name).collect())
    }
}

impl Table<'_, '_> {
    fn arrange(&self, kept: &[bool], rank: &dyn Fn(Key, Key) -> Ordering) -> Vec<Key> {
        let sides = PerSide::from_fn(|side| put_back(&self.base, &self.sides[side], kept));
        arrange(&self.base, PerSide { local: &sides.local[..], remote: &sides.remote[..] }, kept, rank)
    }
}

impl Row<'_, '_> {
    /// When the record is from, as it says itself.
    fn created(&self) -> Option<Moment> {
        let one = self.sides.local.or(self.sides.remote)?;
        records::created(&one.item.value)
    }
}

impl<'t> Placed<'_, 't> {
    fn piece(&self) -> Piece<'t> {
        let item = self.item;
        Piece {
            lead: self.lead,
            name: item.name.as_ref().map_or("", |(text, _)| text),
            colon: item.colon,
            value: Cow::Borrowed(item.value.text),
            tail: item.tail,
            after: item.after,
        }
    }
}

impl<'t> Style<'t> {
    fn of(body: &Body<'t>) -> Self {
        let blank = |item: &Item<'t>| Some(item.lead).filter(|lead| is_blank(lead));
        let first = body.items.first().and_then(blank);
        let mut counts: Vec<(usize, &'t str)> = Vec::new();
        for lead in body.items.iter().skip(1).filter_map(blank) {
            match counts.iter_mut().find(|(_, known)| *known == lead) {
                Some((count, _)) => *count += 1,
                None => counts.push((1, lead)),
            }
        }
        let most = counts
            .into_iter()
            .max_by(|a, b| a.0.cmp(&b.0).then(b.1.len().cmp(&a.1.len())).then(a.1.cmp(b.1)));
        Style { first, rest: most.map(|(_, lead)| lead) }
    }

    fn merge(base: Option<Self>, [local, remote]: [Self; 2]) -> Self {
        let part = |part: fn(&Self) -> Option<&'t str>| {
            let old = base.as_ref().and_then(part);
            match [part(&local), part(&remote)] {
                [Some(local), Some(remote)] => {
                    Some(unchanged(old, [local, remote]).unwrap_or_else(|| longer(local, remote)))
                }
                [one, other] => one.or(other).or(old),
            }
        };
        Style { first: part(|style| style.first), rest: part(|style| style.rest) }
    }

    fn usual(&self, is_first: bool) -> Option<&'t str> {
        if is_first { self.first } else { self.rest }
    }

    /// What is written before an item.
    fn lead(&self, is_first: bool) -> &'t str {
        // Where no version shows how two items stand, they stand as close as they can: what is seen later goes before.
        let line_of_its_own = |lead: Option<&'t str>| lead.filter(|lead| lead.contains('\n')).unwrap_or("");
        let (own, other) = if is_first { (self.first, self.rest) } else { (self.rest, self.first) };
        own.unwrap_or_else(|| line_of_its_own(other))
    }
}

/// What three-way logic says of one part: what both have, or what one made of it.
fn unchanged<T: Copy + PartialEq>(base: Option<T>, [local, remote]: [T; 2]) -> Option<T> {
    if local == remote || base == Some(remote) {
        return Some(local);
    }
    (base == Some(local)).then_some(remote)
}

/// Either of two texts that mean the same: always the same one.
fn longer<'t>(one: &'t str, other: &'t str) -> &'t str {
    if (one.len(), one) > (other.len(), other) { one } else { other }
}

/// The later of two times that both sides wrote.
fn newer_time<'t>(base: Option<&Value<'t>>, sides: PerSide<&Value<'t>>) -> Option<&'t str> {
    let texts = [sides.local.text, sides.remote.text];
    if unchanged(Some(base?.text), texts).is_some() {
        return None;
    }
    Some(match records::moment(sides.local)?.cmp(&records::moment(sides.remote)?) {
        Ordering::Greater => texts[0],
        Ordering::Less => texts[1],
        Ordering::Equal => longer(texts[0], texts[1]),
    })
}

/// A record in the way to a value.
fn record_name(identity: &Identity) -> String {
    match identity {
        Identity::Id(meaning) => {
            format!("[{}]", String::from_utf8_lossy(meaning.get(9..).unwrap_or_default()))
        }
        Identity::Content(..) => "[]".to_owned(),
    }
}

/// Records with a time stand before those without, in its order.
fn compare(one: &(Option<Moment>, &Identity), other: &(Option<Moment>, &Identity)) -> Ordering {
    (one.0.is_none(), one).cmp(&(other.0.is_none(), other))
}

/// Tells equal items apart by how many stand before them.
fn count_equal(items: Vec<usize>) -> Vec<(usize, usize)> {
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let counted = items.into_iter().map(|item| {
        let count = seen.entry(item).or_default();
        *count += 1;
        (item, *count - 1)
    });
    counted.collect()
}

#[cfg(test)]
mod tests;

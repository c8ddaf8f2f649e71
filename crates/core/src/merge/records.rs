//! Which items of an array are the same record: by an id that it bears, else by all that it says.

use std::collections::HashMap;

use super::Reason;
use super::json::tree::{Body, Form, Item, Value};
use super::moment::Moment;

/// The fields that name a record where nobody says which does, the surest first.
const ID_FIELDS: [&str; 4] = ["id", "uuid", "_id", "key"];
/// The fields that say when a record was changed last.
const CHANGED_FIELDS: [&str; 9] = [
    "updated_at",
    "updatedAt",
    "updated",
    "modified_at",
    "modifiedAt",
    "modified",
    "last_modified",
    "lastModified",
    "mtime",
];
/// The fields that say when a record is from.
const CREATED_FIELDS: [&str; 8] =
    ["created_at", "createdAt", "created", "timestamp", "time", "datetime", "date", "ts"];

/// Which arrays hold records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// None: they are sequences.
    None,
    /// Those in which every item is an object that bears an id of its own.
    WithIds,
    /// All that hold any object.
    All,
}

/// What makes a record the same in two versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Identity {
    /// What its id says.
    Id(Vec<u8>),
    /// All it says, and how many before it say the same.
    Content(Vec<u8>, usize),
}

/// The identities of all items of all versions, or none if the array does not hold records.
pub(super) fn identify(
    rule: Rule,
    field: Option<&str>,
    versions: &[&Body<'_>],
) -> Result<Option<Vec<Vec<Identity>>>, Reason> {
    let items = || versions.iter().flat_map(|body| &body.items);
    let is_object = |item: &Item<'_>| matches!(item.value.form, Form::Object(_));
    let fields = || field.into_iter().chain(ID_FIELDS);
    match rule {
        Rule::WithIds if items().next().is_some() => {
            let all_bear = |field: &&str| items().all(|item| id_of(&item.value, field).is_some());
            let found = fields().filter(all_bear).map(|field| identities(Some(field), versions));
            Ok(found.filter_map(Result::ok).next())
        }
        Rule::All if items().any(is_object) => {
            let some_bear = |field: &&str| items().any(|item| id_of(&item.value, field).is_some());
            identities(fields().find(some_bear), versions).map(Some)
        }
        Rule::None | Rule::WithIds | Rule::All => Ok(None),
    }
}

fn identities(field: Option<&str>, versions: &[&Body<'_>]) -> Result<Vec<Vec<Identity>>, Reason> {
    let mut known: HashMap<Vec<u8>, u8> = HashMap::new();
    let mut all = Vec::new();
    for body in versions {
        let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut own = Vec::new();
        for item in &body.items {
            let id = field.and_then(|field| id_of(&item.value, field));
            let meaning = id.map_or_else(|| item.value.meaning(), Value::meaning);
            let count = seen.entry(meaning.clone()).or_default();
            let before = *count;
            *count += 1;
            let Some(id) = id else {
                own.push(Identity::Content(meaning, before));
                continue;
            };
            // `7` and `"7"` may be one record or two: that is for a person to say.
            let class = meaning[0];
            let said = id.said().map_or_else(|| id.text.as_bytes().to_vec(), |said| said.into_owned());
            if before > 0 || *known.entry(said).or_insert(class) != class {
                return Err(Reason::Ids);
            }
            own.push(Identity::Id(meaning));
        }
        all.push(own);
    }
    Ok(all)
}

/// What names a record: a string or number in this field.
fn id_of<'v, 't>(record: &'v Value<'t>, field: &str) -> Option<&'v Value<'t>> {
    let id = record.member(field)?;
    let is_number = |text: &str| text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match id.form {
        Form::String => Some(id),
        Form::Plain if is_number(id.text) => Some(id),
        _ => None,
    }
}

/// Whether a field of a record says when that was changed last.
pub(super) fn is_changed_field(name: &[u8]) -> bool {
    CHANGED_FIELDS.iter().any(|field| field.as_bytes() == name)
}

/// When a record says that it was changed last.
pub(super) fn changed(record: &Value<'_>) -> Option<Moment> {
    CHANGED_FIELDS.iter().find_map(|field| moment(record.member(field)?))
}

/// When a record says that it is from.
pub(super) fn created(record: &Value<'_>) -> Option<Moment> {
    CREATED_FIELDS.iter().find_map(|field| moment(record.member(field)?)).or_else(|| changed(record))
}

/// The moment that a value names.
pub(super) fn moment(value: &Value<'_>) -> Option<Moment> {
    match value.form {
        Form::String => Moment::of_text(&value.said()?),
        Form::Plain => Moment::of_number(value.text),
        _ => None,
    }
}

//! The tree that is to become the remote's head: its present one, with the plan's changes.

use std::collections::BTreeMap;

use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::node::{Body, NodeId, Value};
use instep_core::path::Name;
use instep_core::plan::{Change, Places};
use instep_core::remote::{Drafted, ListedKind, ObjectId, Snapshot};
use instep_core::tree::{Leaf, Place};

use super::far::Far;

/// One entry on its way into a draft.
struct Item {
    parent: Option<usize>,
    name: Name,
    kind: ListedKind,
    object: Option<ObjectId>,
    gone: bool,
    /// It and all above it are known to need a new name.
    renamed: bool,
}

/// Builds the draft. `object_of` names the contents that changed.
pub fn draft(
    far: &Far,
    snapshot: Option<&Snapshot>,
    places: &Places,
    changes: &[Change],
    object_of: &BTreeMap<ContentId, ObjectId>,
) -> Vec<Drafted> {
    let mut workshop = Workshop::new(far, snapshot, places, object_of);
    for change in changes {
        if change.before.is_none() {
            workshop.create(change);
        }
    }
    for change in changes {
        workshop.alter(change);
    }
    workshop.finish()
}

struct Workshop<'a> {
    items: Vec<Item>,
    places: &'a Places,
    made: BTreeMap<NodeId, usize>,
    object_of: &'a BTreeMap<ContentId, ObjectId>,
    /// The folders in which something changed.
    changed: Vec<usize>,
}

impl<'a> Workshop<'a> {
    /// Item 0 is the root; then the tree's places in their order, then what is made.
    fn new(
        far: &Far,
        snapshot: Option<&Snapshot>,
        places: &'a Places,
        object_of: &'a BTreeMap<ContentId, ObjectId>,
    ) -> Self {
        let root = Name::new(b"root").expect("because the bytes are a valid name");
        let entries = snapshot.map_or(&[][..], |snapshot| &snapshot.entries);
        let mut items = vec![Item {
            parent: None,
            name: root,
            kind: ListedKind::Folder,
            object: None,
            gone: false,
            renamed: false,
        }];
        let mut changed = Vec::new();
        for place in far.tree.places().skip(1) {
            let entry = far.tree.at(place);
            let parent = Some(entry.parent.0 as usize);
            let (kind, object) = match far.listed[place.0 as usize] {
                Some(index) => {
                    let listed = &entries[index as usize];
                    (listed.kind.clone(), Some(listed.object))
                }
                None => (ListedKind::Folder, None),
            };
            if object.is_none() {
                changed.push(items.len());
            }
            items.push(Item { parent, name: entry.name.clone(), kind, object, gone: false, renamed: false });
        }
        Workshop { items, places, made: BTreeMap::new(), object_of, changed }
    }

    fn index(&self, node: NodeId) -> usize {
        if node == NodeId::ROOT {
            return Place::ROOT.0 as usize;
        }
        self.made
            .get(&node)
            .copied()
            .or_else(|| self.places.of(node).map(|place| place.0 as usize))
            .expect("because every parent in a plan is made in it or stands on that side")
    }

    /// A folder that changed, and all above it, need a new name. Only when everything stands in its new place: halfway,
    /// two folders that change places may stand in each other.
    fn rename_changed(&mut self) {
        for mut index in std::mem::take(&mut self.changed) {
            self.items[index].object = None;
            while let Some(parent) = self.items[index].parent {
                if self.items[parent].renamed {
                    break;
                }
                self.items[parent].renamed = true;
                self.items[parent].object = None;
                index = parent;
            }
        }
    }

    fn form(&self, value: &Value) -> (ListedKind, Option<ObjectId>) {
        match value.body {
            Body::Folder => (ListedKind::Folder, None),
            Body::Leaf(Leaf { kind, content, exec, .. }) => {
                (ListedKind::Leaf { kind, exec }, self.object_of.get(&content).copied())
            }
        }
    }

    fn create(&mut self, change: &Change) {
        let Some(after) = &change.after else { return };
        let (kind, object) = self.form(after);
        self.made.insert(change.node, self.items.len());
        self.items.push(Item {
            parent: None,
            name: after.name.clone(),
            kind,
            object,
            gone: false,
            renamed: false,
        });
    }

    fn alter(&mut self, change: &Change) {
        let index = self.index(change.node);
        if change.before.is_some() {
            self.changed.extend(self.items[index].parent);
        }
        let Some(after) = &change.after else {
            self.items[index].gone = true;
            return;
        };
        let parent = self.index(after.parent);
        if change.before.is_some() && mutant::is_on("moved-is-there-twice") {
            let Item { parent, name, kind, object, .. } = &self.items[index];
            let (parent, name, kind, object) = (*parent, name.clone(), kind.clone(), *object);
            if (parent, &name) != (Some(self.index(after.parent)), &after.name) {
                self.items.push(Item { parent, name, kind, object, gone: false, renamed: false });
            }
        }
        self.items[index].parent = Some(parent);
        self.items[index].name = after.name.clone();
        if change.before.as_ref().is_none_or(|before| before.body != after.body) {
            let (kind, object) = self.form(after);
            self.items[index].kind = kind;
            self.items[index].object = object;
        }
        self.changed.push(parent);
    }

    /// Lists what changed: below a folder that kept its name nothing need be said.
    fn finish(mut self) -> Vec<Drafted> {
        self.rename_changed();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.items.len()];
        for (index, item) in self.items.iter().enumerate().skip(1) {
            if let Some(parent) = item.parent.filter(|_| !item.gone) {
                children[parent].push(index);
            }
        }
        let mut drafted = Vec::new();
        let mut queue = std::collections::VecDeque::from([(0, None)]);
        while let Some((folder, number)) = queue.pop_front() {
            children[folder].sort_by(|a, b| self.items[*a].name.cmp(&self.items[*b].name));
            for &index in &children[folder] {
                let item = &self.items[index];
                if item.kind == ListedKind::Folder && item.object.is_none() {
                    queue.push_back((index, Some(drafted.len() as u32)));
                }
                let (name, kind) = (item.name.clone(), item.kind.clone());
                drafted.push(Drafted { parent: number, name, kind, object: item.object });
            }
        }
        drafted
    }
}

//! The history: every version that is written down is there, and is what it was.

use std::collections::BTreeMap;

use instep_core::content::ContentId;
use instep_core::path::{Name, TreePath};
use instep_core::progress::{Event, Phase};

use super::{Check, FaultKind, Kept, WrittenTo};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::history::contents::Contents;

/// The files under one content's name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Copies {
    /// Those that hold it, as far as was looked.
    pub sound: u64,
    /// Those that hold something else: the disk failed, or a program had the file open when it was displaced, and wrote.
    pub other: u64,
}

impl<F: Folder> Check<'_, F> {
    /// Looks at all kept files that are asked for; answers the versions that are written down.
    pub(super) fn history(&mut self) -> Result<Vec<(TreePath, Kept)>, EngineError> {
        let contents = Contents::open(&*self.workspace.folder)?;
        let mut versions = Vec::new();
        for kept in self.workspace.state.kept(b"")? {
            let path = TreePath::new(&kept.path)
                .map_err(|error| EngineError::StateCorrupt(format!("a kept version: {error}")))?;
            if self.request.covers(&path) {
                versions.push((path, kept));
            }
        }
        let mut lengths: BTreeMap<ContentId, Option<u64>> =
            versions.iter().map(|(_, kept)| (kept.content, Some(kept.size))).collect();
        for open in &self.conflicts {
            let sides = [&open.conflict.local, &open.conflict.remote, &open.conflict.base];
            let leaves = sides.into_iter().flatten().filter_map(|version| version.leaf);
            lengths.extend(leaves.map(|leaf| (leaf.content, Some(leaf.size))));
        }
        let all = contents.all()?;
        if self.request.paths.is_empty() {
            all.keys().for_each(|content| {
                lengths.entry(*content).or_default();
            });
        }
        let began = Event::Began { phase: Phase::History, files: Some(lengths.len() as u64), bytes: None };
        self.observer.observe(began);
        for (content, length) in &lengths {
            if self.observer.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            let names = all.get(content).map_or(&[][..], Vec::as_slice);
            let (copies, others) = self.copies(&contents, *content, *length, names)?;
            self.kept.insert(*content, copies);
            for name in others.into_iter().filter(|_| !self.request.is_further) {
                let mut paths = versions.iter().filter(|(_, kept)| kept.content == *content);
                let path = paths.next().map(|(path, _)| path.clone());
                let path = path.filter(|path| paths.all(|(other, _)| other == path));
                self.found.written_to.push(WrittenTo { path, name });
            }
        }
        self.observer.observe(Event::Ended { phase: Phase::History });
        self.found.counts.versions = versions.len() as u64;
        self.found.counts.version_bytes = versions.iter().map(|(_, kept)| kept.size).sum();
        Ok(versions)
    }

    /// Looks at the files of one content: reads them, or only their lengths. Answers which hold something else, too, that
    /// stands under no other name.
    fn copies(
        &mut self,
        contents: &Contents<'_, F>,
        content: ContentId,
        length: Option<u64>,
        names: &[Name],
    ) -> Result<(Copies, Vec<Name>), EngineError> {
        let (mut copies, mut others) = (Copies::default(), Vec::new());
        for name in names {
            let file = contents.file(name)?;
            let size = file.map_or(0, |file| file.size);
            let is_sound = if self.request.read_data && !self.request.is_further {
                self.found.counts.versions_read += 1;
                // What can't be read is as good as gone, and no reason not to look at the rest.
                contents.read(name).is_ok_and(|found| found == content)
            } else {
                length.is_none_or(|length| length == size)
            };
            if is_sound {
                copies.sound += 1;
            } else {
                copies.other += 1;
                if !file.is_some_and(|file| file.has_other_names()) {
                    others.push(name.clone());
                }
            }
            self.observer.observe(Event::Advanced { phase: Phase::History, files: 1, bytes: size });
        }
        Ok((copies, others))
    }

    /// The versions that are written down and are not there.
    pub(super) fn versions(&mut self, versions: &[(TreePath, Kept)]) {
        for (path, Kept { content, operation, time, .. }) in versions {
            let copies = self.kept.get(content).copied().unwrap_or_default();
            if copies.sound > 0 {
                continue;
            }
            let (operation, time, copy) = (operation.clone(), *time, self.copy(*content));
            let kind = match copies.other {
                0 => FaultKind::Lost { operation, time, copy },
                _ => FaultKind::Spoiled { operation, time, copy },
            };
            self.fault(Some(path.clone()), kind);
        }
    }
}

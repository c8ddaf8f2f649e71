//! The conformance suite: what every remote must do, as functions on a [`Bench`].
//!
//! [`remote_suite!`](crate::remote_suite!) makes a test of each. A case sees a remote only through the trait, and what an
//! owner of the place can do behind its back through the bench.

mod cases;
mod sketch;

use std::any::Any;

use instep_core::remote::{Remote, Revision};

pub use cases::*;
pub use sketch::{Bytes, Collected, Sketch, Thing, collect, draft_of, name, path, publish, read, upload};

/// Puts a head elsewhere, or removes it.
pub type PutBack = Box<dyn Fn(Option<&Revision>) + Sync>;

/// One place outside, empty at first, and the ways to it.
pub struct Bench {
    /// Opens it for one more machine.
    pub open: Box<dyn Fn() -> Box<dyn Remote> + Sync>,
    /// Puts the head elsewhere, or removes it, behind everybody's back.
    pub put_back: PutBack,
    /// What must live as long as the place.
    pub keep: Box<dyn Any + Sync>,
}

impl Bench {
    /// Opens it for one more machine.
    pub fn open(&self) -> Box<dyn Remote> {
        (self.open)()
    }
}

/// Makes a module of tests: one for every case of the suite, each on a bench of its own.
#[macro_export]
macro_rules! remote_suite {
    ($module:ident, $bench:expr) => {
        mod $module {
            use super::*;
            $crate::remote_suite!(@cases $bench,
                an_empty_place_has_no_head,
                a_first_commit_is_seen_by_all,
                a_first_commit_must_find_nothing,
                a_stale_commit_is_refused,
                of_two_racers_one_wins,
                uploads_and_drafts_are_invisible,
                an_upload_may_be_repeated,
                an_upload_answers_in_order,
                a_commit_may_be_repeated,
                a_draft_may_be_prepared_twice,
                every_kind_of_entry_survives,
                odd_names_survive,
                empty_folders_survive,
                an_empty_root_survives,
                an_unchanged_folder_goes_by_name,
                a_file_becomes_a_folder,
                equal_trees_have_equal_names,
                times_survive,
                times_between_are_gathered,
                renames_between_are_told,
                a_commit_says_who_wrote_it,
                a_permission_to_delete_travels,
                our_commits_speak_of_folders,
                lineage_tells_same_and_ahead,
                lineage_tells_rewound_and_diverged,
                lineage_tells_unrelated,
                a_removed_head_is_none,
                a_rewound_head_is_not_brought_back,
                an_old_revision_can_be_read,
                history_is_newest_first,
                a_listing_after_others_is_whole,
                a_sink_need_not_read,
                a_failing_sink_stops_the_fetch,
                a_content_of_another_length_is_refused,
                a_failing_source_stops_the_upload,
                a_cancelled_upload_stops,
                a_large_content_streams,
                many_files_and_deep_folders_survive,
                a_draft_in_disorder_is_refused,
                a_draft_for_another_head_is_refused,
                a_note_is_seen_by_all,
                a_note_takes_the_place_of_its_former_one,
                a_note_is_part_of_no_snapshot,
                the_contents_of_a_note_can_be_fetched,
                notes_are_read_once,
            );
        }
    };
    (@cases $bench:expr, $($case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                $crate::remote_suite::$case(&$bench);
            }
        )*
    };
}

//! Worlds from fixed seeds, each lived through twice; and the stories that once ended badly.

use std::collections::BTreeSet;

use instep_testkit::simulated::chaos::{Counts, Layer};
use instep_testkit::simulated::shrink::run_twice;
use instep_testkit::simulated::world::{self, Scenario};

fn check(scenario: &Scenario) -> Counts {
    let ended = run_twice(scenario);
    if let Some(broken) = ended.broken {
        let told = world::run(scenario, true).lines.join("\n");
        panic!("{scenario:?}: {}\n{told}", broken.0);
    }
    ended.counts
}

fn story(seed: u64, steps: &[u64], layers: &str) {
    let layers = layers.split_whitespace().map(|word| Layer::parse(word).expect("because it is a layer"));
    check(&Scenario { seed, layers: layers.collect(), steps: steps.to_vec() });
}

#[test]
fn the_name_of_a_new_folder_is_durable_before_a_row_claims_it() {
    story(2, &[34], "");
}

#[test]
fn the_first_cycle_after_a_power_cut_reads_again_what_it_doubts() {
    story(2, &[15, 16, 17, 18, 26, 32], "crashes");
}

#[test]
fn a_conflict_names_no_version_that_was_edited_before_it_could_be_kept() {
    story(10, &[1, 3, 4, 7, 8, 12], "edits");
}

#[test]
fn a_cycle_that_plans_anew_stages_anew() {
    story(6, &[6, 11, 12, 18, 21, 22, 23], "remote meanwhile");
}

#[test]
fn the_copy_that_a_conflict_keeps_is_durable() {
    story(8, &[15, 17, 31, 32, 33], "crashes");
}

#[test]
fn a_conflict_about_what_can_not_be_seen_ends_no_cycle() {
    story(133, &[5, 6, 9, 15, 17, 20, 22], "crashes");
}

#[test]
fn a_folder_that_took_the_place_of_a_file_that_goes_stands_where_it_stood() {
    story(611, &[3, 4, 6, 7, 8, 9, 10], "remote meanwhile edits crashes disk backups history");
}

#[test]
fn a_path_that_was_held_is_not_recorded_as_brought_up_to_date() {
    story(8, &[3, 4, 10, 12], "remote meanwhile edits crashes disk");
}

#[test]
fn what_is_only_made_executable_is_durable_before_it_is_agreed() {
    story(1, &[5, 7, 26, 27, 29], "");
}

#[test]
fn what_the_disk_refused_is_not_agreed_on_because_a_later_wait_succeeds() {
    story(31_677, &[6, 9, 30, 31], "edits crashes disk policies");
}

#[test]
fn a_copy_whose_original_is_gone_is_durable_before_it_counts_as_moved() {
    let steps = [2, 6, 7, 9, 10, 11, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 31, 32, 35, 37];
    story(40_619, &steps, "remote meanwhile edits crashes disk disks history policies");
}

#[test]
fn what_gives_damaged_files_back_and_what_merges_stage_under_names_of_their_own() {
    let steps = [0, 1, 2, 3, 5, 6, 7, 9, 10, 13, 23, 24, 25, 31];
    story(70_722, &steps, "remote meanwhile edits crashes policies");
}

#[test]
fn a_save_beside_on_a_disk_without_exchange_is_kept() {
    let steps =
        [11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 25, 26, 28, 29, 31, 32, 33, 34, 35, 36, 37, 38];
    story(71_285, &steps, "remote meanwhile edits crashes disk backups disks policies");
}

#[test]
fn a_folder_waits_for_a_file_that_is_to_move_into_it_and_has_its_name_in_another_case() {
    let steps =
        [1, 2, 7, 8, 10, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 26, 27, 29, 30, 32, 33, 34, 35, 36, 38, 39];
    story(72_901, &steps, "remote meanwhile edits crashes disk disks history policies");
}

#[test]
fn what_was_saved_anew_as_it_was_and_is_moved_is_durable_before_it_is_agreed() {
    story(401_237, &[11, 24, 25, 26, 31, 34], "disks policies");
    let steps = [0, 4, 6, 7, 10, 11, 13, 16, 20, 21, 25, 26, 27, 29, 30, 31, 34, 36];
    story(400_829, &steps, "remote meanwhile edits crashes disk backups disks history policies");
}

#[test]
fn machines_that_fold_names_come_to_rest_while_a_conflict_is_open_in_a_folder_of_two_spellings() {
    let steps = [1, 3, 5, 6, 7, 8, 9, 11, 13, 14, 15, 18, 20, 21, 28, 29, 30];
    story(403_106, &steps, "remote meanwhile edits crashes disk disks policies");
}

#[test]
fn a_conflict_names_no_version_of_what_can_not_be_seen() {
    let steps = [1, 4, 5, 10, 11, 12, 13, 17, 20, 21, 22, 26, 27, 28, 29, 30, 32, 33];
    story(201_040, &steps, "remote meanwhile edits crashes disk disks policies");
}

#[test]
fn a_conflict_keeps_its_version_beside_a_kept_file_that_a_program_wrote_to() {
    let steps = [2, 3, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 25, 37];
    story(500_166, &steps, "remote meanwhile edits crashes disk backups policies");
}

#[test]
fn what_a_restore_placed_and_took_back_is_where_it_came_from() {
    let steps = [4, 10, 12, 14, 16, 18, 19, 21, 22, 23, 28, 32];
    let layers = "remote meanwhile edits crashes disk backups disks history policies";
    story(500_986, &steps, layers);
}

#[test]
fn what_a_person_gave_up_with_a_folder_is_asked_of_nobody() {
    let steps = [
        1, 2, 3, 5, 6, 7, 8, 10, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 28, 29, 31, 32, 33, 36, 37,
        38, 39,
    ];
    story(700_092, &steps, "remote meanwhile edits crashes disk disks history policies joins rot");
}

#[test]
fn a_version_in_conflict_is_asked_of_nobody_once_its_kept_copy_rotted() {
    let steps = [8, 9, 10, 11, 14, 16, 17, 20, 21, 22, 23, 26, 27, 28, 29, 30, 31, 32, 33, 36, 38];
    story(801_014, &steps, "remote meanwhile edits crashes disk policies joins rot");
    let steps = [0, 2, 4, 6, 10, 11, 12, 13, 14, 15, 19, 20, 21, 26, 27, 29, 30, 31, 32, 34, 35, 37, 38, 39];
    story(801_853, &steps, "remote meanwhile edits crashes disk backups history policies joins rot");
    let steps = [1, 3, 4, 9, 10, 11, 12, 14, 17, 21, 23, 35];
    story(16_206_673, &steps, "meanwhile edits crashes disk backups disks policies joins rot");
}

#[test]
fn rot_is_no_edit_where_the_clock_was_put_back_since_the_file_was_written() {
    let steps: Vec<u64> = (0..40).collect();
    story(
        700_747,
        &steps,
        "remote meanwhile edits crashes disk clocks backups disks history policies contact joins rot",
    );
}

#[test]
fn rot_that_came_while_a_file_could_not_be_read_is_no_edit() {
    story(1_205_347, &[0, 4, 8, 9, 16, 33], "remote meanwhile edits crashes disk disks policies joins rot");
}

#[test]
fn a_save_that_the_disk_refused_in_the_moment_of_a_replacement_is_kept_in_a_file_of_ours() {
    let steps = [5, 6, 7, 10, 11, 12, 14, 18, 19, 20, 21, 22, 23, 24, 34];
    let layers = "remote meanwhile edits crashes disk backups disks history policies joins rot";
    story(11_060_813, &steps, layers);
}

#[test]
fn a_folder_of_ours_that_could_not_be_looked_at_is_not_taken_for_durable() {
    story(11_085_884, &[0, 7, 8, 11], "remote meanwhile edits crashes disk disks history policies joins rot");
    let steps = [2, 10, 11, 14, 15, 16, 20, 21, 23];
    story(11_063_328, &steps, "remote meanwhile edits crashes disk backups disks policies joins rot");
}

#[test]
fn rot_of_what_could_not_be_seen_when_a_rewind_was_allowed_is_no_edit() {
    let steps = [0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 15, 18, 21, 23, 24];
    story(11_037_648, &steps, "remote meanwhile edits crashes disk backups policies joins rot");
}

#[test]
fn machines_come_to_rest_while_a_name_is_contested_in_a_folder_that_took_the_name_of_a_new_one() {
    let steps = [1, 2, 8, 12, 15, 16, 21, 23, 24, 25, 27, 28, 29, 30, 33, 34, 36, 37, 38];
    story(14_083_003, &steps, "remote meanwhile edits crashes disk disks history policies joins rot");
}

/// Their programs waited for what a file holds, and not for its name; and nobody could look at what had been saved anew.
#[test]
fn nobody_answers_for_what_a_person_did_not_wait_for_or_what_can_not_be_seen() {
    let steps = [5, 8, 9, 16, 17, 18, 20, 21, 22, 25, 32, 33, 35, 36, 37];
    story(16_002_747, &steps, "remote meanwhile edits crashes disk backups disks history policies joins rot");
    let steps = [9, 10, 18, 19, 21, 22, 24, 25, 27, 28, 33];
    story(16_004_100, &steps, "remote meanwhile edits crashes disk disks policies joins rot");
}

#[test]
fn what_arrives_in_a_folder_that_was_renamed_and_renamed_back_is_durable_with_that() {
    story(16_242_215, &[20, 22, 28, 30, 33], "meanwhile edits disk disks policies joins rot");
}

#[test]
fn what_was_saved_anew_as_it_was_in_the_moment_of_an_exchange_is_durable_as_a_kept_version() {
    let steps = [0, 2, 3, 4, 7, 8, 10, 11, 12, 13, 14, 22];
    let layers = "remote meanwhile edits crashes disk clocks disks history policies joins rot names";
    story(18_105_020, &steps, layers);
}

#[test]
fn nobody_answers_for_what_a_person_overwrites_under_a_name_of_that_very_moment() {
    let steps = [6, 8, 9, 10, 15, 20, 24, 25, 26, 27, 28, 29, 37];
    story(20_000_781, &steps, "remote meanwhile edits crashes disk backups disks policies joins rot names");
}

#[test]
fn a_conflict_that_comes_to_name_another_version_keeps_that_too() {
    let steps = [9, 11, 12, 13, 14, 15, 17, 18, 19, 24, 26, 29, 30, 32, 34, 35, 36, 37, 38, 39];
    let layers = "remote meanwhile edits crashes disk backups disks history policies joins rot names";
    story(19_015_838, &steps, layers);
}

/// Lives through a row of seeds with these kinds of trouble; something must have gone wrong in them.
fn rows(first: u64, seeds: u64, layers: &[Layer]) -> Counts {
    let mut counts = Counts::default();
    for seed in first..first + seeds {
        let scenario = Scenario { seed, layers: layers.iter().copied().collect(), steps: (0..40).collect() };
        counts.add(check(&scenario));
    }
    counts
}

#[test]
fn with_each_kind_of_trouble_alone_nothing_is_lost() {
    for (at, layer) in (0..).zip(Layer::ALL) {
        let counts = rows(3_000 + 10 * at, 3, &[layer]);
        let met = match layer {
            Layer::Remote => counts.remote_faults,
            Layer::Edits => counts.edits_meanwhile,
            Layer::Crashes => counts.kills.min(counts.power_cuts),
            Layer::Disk => counts.disk_faults,
            Layer::Joins => counts.joins,
            Layer::Rot => counts.rots,
            _ => counts.acts,
        };
        assert!(met > 0, "{layer:?} brought no trouble: {counts:?}");
    }
}

#[test]
fn with_all_kinds_of_trouble_at_once_nothing_is_lost() {
    let counts = rows(3_200, 24, &Layer::ALL);
    let all =
        [counts.kills, counts.power_cuts, counts.disk_faults, counts.remote_faults, counts.edits_meanwhile];
    assert!(all.iter().all(|count| *count > 10), "{counts:?}");
}

#[test]
fn in_a_world_without_trouble_all_folders_become_the_same() {
    for seed in 1..=20 {
        check(&Scenario { seed, layers: BTreeSet::new(), steps: (0..30).collect() });
    }
}

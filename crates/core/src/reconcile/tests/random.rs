//! Lives of two sides from seeds; the example `planner` runs as many as one likes.

use crate::generate::case::run;

#[test]
fn thousands_of_lives_keep_every_promise() {
    for seed in 0..1500 {
        if let Err(failure) = run(seed) {
            panic!("seed {}: {}\n{}", failure.seed, failure.why, failure.story);
        }
    }
}

#[test]
fn a_circle_is_seen_beside_what_is_held_already() {
    run(955_190).unwrap_or_else(|failure| panic!("{}\n{}", failure.why, failure.story));
}

#[test]
fn what_met_at_a_contested_name_is_aimed_at_once_more() {
    run(30_118_176).unwrap_or_else(|failure| panic!("{}\n{}", failure.why, failure.story));
}

#[test]
fn a_choice_that_waits_for_what_the_plan_moves_is_taken_in_the_same_plan() {
    run(22_440_797).unwrap_or_else(|failure| panic!("{}\n{}", failure.why, failure.story));
}

#[test]
fn what_went_out_of_sight_is_told_at_one_place_until_it_is_seen_again() {
    run(91_745_565).unwrap_or_else(|failure| panic!("{}\n{}", failure.why, failure.story));
}

#[test]
fn what_is_lost_from_sight_is_forgotten_in_the_plan_that_takes_its_folder_away() {
    for seed in [153_329_298, 159_970_221] {
        run(seed).unwrap_or_else(|failure| panic!("{}\n{}", failure.why, failure.story));
    }
}

/// What a plan brings is as old as the sync: counted so, the other claimant of its name was the newer one a cycle later.
#[test]
fn of_two_claimants_of_a_name_the_same_one_is_the_newer_in_the_next_cycle() {
    run(152_747_832).unwrap_or_else(|failure| panic!("{}\n{}", failure.why, failure.story));
}

#[test]
fn a_choice_that_its_folders_make_room_for_is_taken_in_the_same_plan_as_the_others() {
    for seed in [174_422_894, 174_553_369] {
        run(seed).unwrap_or_else(|failure| panic!("{}\n{}", failure.why, failure.story));
    }
}

//! The database across the ends of programs: what was written is there, and its log does not grow for ever.

use std::fs;

use instep_engine::state::State;

#[test]
fn what_was_written_soon_outlives_the_program() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("state.db");
    for (number, before) in [None, Some("1"), Some("2")].into_iter().enumerate() {
        let mut state = State::open(&file).unwrap();
        assert_eq!(state.note("soon").unwrap().as_deref(), before);
        let value = (number + 1).to_string();
        state.transact_soon(|write| write.note("soon", &value)).unwrap();
        // What reads beside whoever works finds it, too.
        assert_eq!(State::open_to_read(&file).unwrap().note("soon").unwrap().unwrap(), value);
    }
    assert_eq!(State::open_to_read(&file).unwrap().note("soon").unwrap().unwrap(), "3");
}

#[test]
fn the_log_is_copied_into_the_database_and_begun_anew() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("state.db");
    for number in 0..60 {
        let text = number.to_string().repeat(100_000);
        State::open(&file).unwrap().transact(|write| write.note("text", &text)).unwrap();
    }
    let log = fs::metadata(home.path().join("state.db-wal")).unwrap().len();
    assert!(log <= 4_000_000, "the log has {log} bytes");
    assert_eq!(State::open(&file).unwrap().note("text").unwrap().unwrap(), "59".repeat(100_000));
}

//! More than one place: each remote has a base of its own, and none is told what was meant for another.

use instep_core::operation::{Counts, Operation, OperationId, OperationKind, Trigger};
use instep_core::progress::Silent;
use instep_engine::history::undo::{UndoRequest, Undone, undo};
use instep_engine::reach::Reach;
use instep_remote::memory::MemoryPlace;

use crate::line::Line;
use crate::world::Machine;

/// Sends a machine to another place; answers the line to the one before.
fn go_to(machine: &mut Machine, line: Line) -> Line {
    std::mem::replace(&mut machine.remote, line)
}

fn take_back(machine: &mut Machine) -> Undone {
    let reach = Reach::open(&machine.remote);
    undo(&mut machine.workspace, Some(&reach), &machine.settings, &UndoRequest::default(), &Silent).unwrap()
}

/// Forgets all places, as `disconnect` does.
fn disconnect(machine: &mut Machine) {
    let operation = Operation {
        id: OperationId(7),
        time: machine.workspace.clock.now(),
        machine: "left".to_owned(),
        kind: OperationKind::Disconnect,
        trigger: Trigger::Person,
        person: None,
        message: None,
        counts: Counts::default(),
        remote: None,
        address: None,
        undoes: None,
        paths: Vec::new(),
    };
    let value = serde_json::to_string(&operation).unwrap();
    let work = |write: &instep_engine::state::Write<'_>| {
        write.forget_all_remotes()?;
        write.operation(&operation.id.to_string(), operation.time, &value)
    };
    machine.workspace.state.transact(work).unwrap();
}

#[test]
fn two_remotes_keep_a_base_each() {
    let (here, there) = (MemoryPlace::new(), MemoryPlace::new());
    let mut left = Machine::new("left", &here);
    let (mut right, mut third) = (Machine::new("right", &here), Machine::new("third", &there));
    left.write("a", "1");
    left.write("b", "1");
    left.sync();
    right.sync();
    let to_here = go_to(&mut left, Line::at("memory:there", there.open()));
    left.sync();
    third.sync();
    third.remove("b");
    third.write("a", "3");
    third.sync();
    left.sync();
    assert_eq!(left.drawing(), "a=3");
    // What was deleted at one place and edited at the other is not lost.
    right.write("b", "2");
    right.sync();
    let to_there = go_to(&mut left, to_here);
    left.sync();
    right.sync();
    go_to(&mut left, to_there);
    left.sync();
    third.sync();
    for machine in [left, right, third] {
        assert_eq!(machine.drawing(), "a=3;b=2");
    }
}

#[test]
fn what_was_sent_before_a_disconnect_is_not_taken_back_at_another_place() {
    let (here, there) = (MemoryPlace::new(), MemoryPlace::new());
    let mut left = Machine::new("left", &here);
    let mut third = Machine::new("third", &there);
    left.write("a", "1");
    left.sync();
    third.write("a", "1");
    third.sync();
    disconnect(&mut left);
    go_to(&mut left, Line::at("memory:there", there.open()));
    // Both hold the same: a first contact that changes nothing, and is no operation.
    left.sync();
    let undone = take_back(&mut left);
    assert_eq!(undone.there, []);
    third.sync();
    assert_eq!((left.drawing().as_str(), third.drawing().as_str()), ("a=1", "a=1"));
}

#[test]
fn an_undo_that_waited_for_a_remote_is_over_when_that_is_forgotten() {
    let here = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &here), Machine::new("right", &here));
    left.write("a", "1");
    left.sync();
    right.sync();
    left.remote.cut(true);
    assert!(take_back(&mut left).waits_for_remote);
    disconnect(&mut left);
    left.remote.cut(false);
    left.sync();
    right.sync();
    assert_eq!((left.drawing().as_str(), right.drawing().as_str()), ("a=1", "a=1"));
}

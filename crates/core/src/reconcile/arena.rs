//! A place for the few values that a plan makes anew, so that all others can be borrowed from the trees.

use std::cell::{Cell, OnceCell};

const FIRST: usize = 64;

/// Keeps values as long as it lives. Grows by doubling, never moves what it holds.
pub(crate) struct Arena<T> {
    chunks: [OnceCell<Box<[OnceCell<T>]>>; 32],
    len: Cell<usize>,
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Self {
        Arena { chunks: [const { OnceCell::new() }; 32], len: Cell::new(0) }
    }

    /// Takes a value and lends it out.
    pub(crate) fn keep(&self, value: T) -> &T {
        let at = self.len.get();
        self.len.set(at + 1);
        // Chunk k holds FIRST * 2^k values, so the k-th starts at FIRST * (2^k - 1).
        let k = (at / FIRST + 1).ilog2() as usize;
        let start = FIRST * ((1 << k) - 1);
        let chunk = self.chunks[k].get_or_init(|| (0..FIRST << k).map(|_| OnceCell::new()).collect());
        chunk[at - start].get_or_init(|| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_where_it_is() {
        let arena = Arena::new();
        let all: Vec<&usize> = (0..1000).map(|n| arena.keep(n)).collect();
        assert!(all.iter().enumerate().all(|(n, value)| n == **value));
    }
}

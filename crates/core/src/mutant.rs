//! Faults planted on purpose, to see whether the tests find them; `mutants` of the test kit switches them on, one at a
//! time. Without the feature of that name nothing of them is compiled.

/// Answers whether a planted fault is switched on: never, in a program that is shipped.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is_on(_name: &str) -> bool {
    false
}

/// Answers whether a planted fault is switched on: `INSTEP_MUTANT` names it.
#[cfg(feature = "mutants")]
pub fn is_on(name: &str) -> bool {
    static NAMED: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("INSTEP_MUTANT").ok());
    NAMED.as_deref() == Some(name)
}

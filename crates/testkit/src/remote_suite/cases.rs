//! The cases: each a sentence that is true of every remote.

mod commit;
mod content;
mod note;
mod past;
mod told;
mod tree;

use instep_core::remote::{Class, RemoteError};

use super::sketch::Sketch;

pub use commit::*;
pub use content::*;
pub use note::*;
pub use past::*;
pub use told::*;
pub use tree::*;

fn is_stale(result: Result<(), RemoteError>) -> bool {
    matches!(result, Err(error) if error.class() == Class::Stale)
}

fn one_file(content: &str) -> Sketch {
    Sketch::new().file("f", content)
}

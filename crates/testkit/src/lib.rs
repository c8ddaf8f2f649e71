//! What tests stand on: machines, drawings, seeded chance, and the ledger of what must never be lost.
//!
//! ```
//! use instep_testkit::drawing::Drawing;
//!
//! let base = Drawing::default();
//! let drawing = Drawing::parse("notes/plan.md=1;run=2+x;link->notes", &base).unwrap();
//! assert_eq!(drawing.to_string(), "link->notes;notes/plan.md=1;run=2+x");
//! ```

pub mod bare;
pub mod chance;
pub mod drawing;
pub mod kills;
pub mod ledger;
pub mod machine;

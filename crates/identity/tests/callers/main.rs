//! Who is calling, against real sockets, real keys and a real database: the table of tokens that no verifier may take,
//! issuers that move, fail and lie, the built-in provider, those who sign, and what is shown to others' services.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::string_slice,
    reason = "a test may fail by panicking, and writes its values in place"
)]

mod support;

mod negative_table;

mod shapes;

mod advice;

mod issuers;

mod provider;

mod outbound;

mod principals;

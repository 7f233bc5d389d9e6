//! The program: reads its arguments, runs the verb, returns an exit code.

use clap::Parser;
use entraldap::cli::{Arguments, Exit};
use std::process::ExitCode;

/// A first load makes and drops a hundred small pieces of text for each object: with this
/// allocator it takes a fifth less CPU time, and memory, than with that of the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => arguments.run().into(),
        Err(told) => {
            // Help and version come as errors, too; a closed output is no reason to fail.
            let _ = told.print();
            if told.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
        }
    }
}

//! The program: reads its arguments, runs the verb, returns an exit code.

use clap::Parser;
use entraldap::cli::{Arguments, Exit};
use std::process::ExitCode;

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

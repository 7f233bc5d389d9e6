//! How a verb ends.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Exit codes, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; the answer is yes.
    Done = 0,
    /// 1: failed; the answer is no.
    No = 1,
    /// 2: the command line or the configuration file is wrong.
    Usage = 2,
    /// 3: the running daemon cannot be reached.
    Unreachable = 3,
}

/// A verb's end with something to say on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong; empty for nothing to say.
    pub message: String,
}

impl Failure {
    /// An end with `exit` and a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { exit, message: message.into() }
    }

    /// Writes the message to `err`; gives the exit code.
    pub fn tell(&self, err: &mut impl Write) -> Exit {
        if !self.message.is_empty() {
            // Where standard error is closed there is nobody left to tell.
            let _ = writeln!(err, "{}", self.message);
        }
        self.exit
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// The output could not be written. A reader that has seen enough (`| head`) is no
/// failure.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
            _ => Failure::new(Exit::No, format!("the answer cannot be written: {error}")),
        }
    }
}

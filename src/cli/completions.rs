//! `entraldap completions`: completion scripts for shells.

use super::{Exit, Failure};
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

impl Arguments {
    /// Prints the script.
    pub(super) fn run(&self, out: &mut impl Write) -> Result<Exit, Failure> {
        // Into memory first: the generator panics where it cannot write.
        let mut script = Vec::new();
        let mut command = super::Arguments::command();
        clap_complete::generate(self.shell, &mut command, "entraldap", &mut script);
        out.write_all(&script)?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_knows_the_verbs() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            let mut out = Vec::new();
            Arguments { shell }.run(&mut out).unwrap();
            let script = String::from_utf8(out).unwrap();
            assert!(script.contains("hash-password"), "{shell}");
        }
    }
}

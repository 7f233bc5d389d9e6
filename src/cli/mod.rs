//! The command line: one file per verb.
//!
//! A verb is a file with its `Arguments` and a `run` that writes its answer to the
//! given output and tells how it ended, and one line each in [`Verb`] and
//! `Arguments::run_verb`.

mod authorize;
mod check;
mod client;
mod completions;
#[cfg(feature = "simulator")]
mod demo;
mod exit;
mod explain;
mod export;
mod groups;
mod hash_password;
mod history;
mod press;
mod preview;
mod progress;
mod report;
mod serve;
mod start;
mod status;
mod sync;

pub use exit::{Exit, Failure};

use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; the answer is yes
  1  failed; the answer is no
  2  the command line or the configuration file is wrong
  3  the running daemon cannot be reached";

/// Keeps a local replica of a Microsoft Entra tenant's recipients and serves it over LDAP.
#[derive(Debug, Parser)]
#[command(name = "entraldap", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb is told.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/entraldap/entraldap.toml"
    )]
    pub config: PathBuf,
    /// Answer in JSON, for scripts.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Sync and serve: the daemon.
    Serve(serve::Arguments),
    /// Try it: a simulated tenant, a first sync, an LDAP server, searches to type.
    #[cfg(feature = "simulator")]
    Demo(demo::Arguments),
    /// Check the configuration, and one step after another whether the tenant can be read.
    Check(check::Arguments),
    /// Let a person sign in, for connections with `delegated`.
    Authorize(authorize::Arguments),
    /// Run a pass now.
    Sync(sync::Arguments),
    /// Tell what is served, as of when, and what the last pass did.
    Status(status::Arguments),
    /// Let the held pass through.
    Approve(press::Arguments),
    /// Do not believe the held pass: ask Graph for everything anew.
    Reject(press::Arguments),
    /// Let no pass of a connection run by itself, or let an object keep its state.
    Pause(press::Arguments),
    /// Go on, or connect again; or let an object follow again.
    Resume(press::Arguments),
    /// Give a connection up.
    Disconnect(press::DisconnectArguments),
    /// List passes; show one with its changes, or the life of an object.
    History(history::Arguments),
    /// Find groups of the tenant, for [connection.scope].
    Groups(groups::Arguments),
    /// Try whether reports arrive.
    Report(report::Arguments),
    /// Tell what is known of an address, a DN or an object id.
    Explain(explain::Arguments),
    /// Write entries as LDIF or JSON.
    Export(export::Arguments),
    /// Make a hash for password_hash of an [[ldap.account]].
    HashPassword(hash_password::Arguments),
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
}

impl Arguments {
    /// Runs the verb; tells a failure on standard error.
    pub fn run(self) -> Exit {
        let mut out = std::io::stdout().lock();
        let ended = self.run_verb(&mut out).and_then(|exit| {
            out.flush()?;
            Ok(exit)
        });
        ended.unwrap_or_else(|failure| failure.tell(&mut std::io::stderr()))
    }

    fn run_verb(&self, out: &mut impl Write) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Serve(verb) => verb.run(&self.common),
            #[cfg(feature = "simulator")]
            Verb::Demo(verb) => verb.run(&self.common, out),
            Verb::Check(verb) => verb.run(&self.common, out),
            Verb::Authorize(verb) => verb.run(&self.common, out),
            Verb::Sync(verb) => verb.run(&self.common, out),
            Verb::Status(verb) => verb.run(&self.common, out),
            Verb::Approve(verb) => verb.run("approve", &self.common, out),
            Verb::Reject(verb) => verb.run("reject", &self.common, out),
            Verb::Pause(verb) => verb.run("pause", &self.common, out),
            Verb::Resume(verb) => verb.run("resume", &self.common, out),
            Verb::Disconnect(verb) => verb.run(&self.common, out),
            Verb::History(verb) => verb.run(&self.common, out),
            Verb::Groups(verb) => verb.run(&self.common, out),
            Verb::Report(verb) => verb.run(&self.common, out),
            Verb::Explain(verb) => verb.run(&self.common, out),
            Verb::Export(verb) => verb.run(&self.common, out),
            Verb::HashPassword(verb) => verb.run(&self.common, out),
            Verb::Completions(verb) => verb.run(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_of_all_verbs_may_stand_anywhere() {
        let one = Arguments::try_parse_from(["entraldap", "--config", "x", "check", "--offline"]);
        let other = Arguments::try_parse_from(["entraldap", "check", "--offline", "--config", "x"]);
        assert_eq!(one.unwrap().common.config, other.unwrap().common.config);
    }

    #[test]
    fn password_is_not_taken_from_the_command_line() {
        assert!(Arguments::try_parse_from(["entraldap", "hash-password", "geheim"]).is_err());
    }
}

//! One step of a check: how it went, what that means, what to do.

use crate::graph::GraphError;
use crate::graph::probe::Unreached;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    /// It works, and deserves a look.
    Warning,
    Failed,
    /// It needs a step that has failed.
    Skipped,
}

/// A step that has been taken.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
    /// What was found; for people, perhaps several lines.
    pub(super) what: String,
    pub(super) cause: String,
    pub(super) remedy: String,
}

impl Step {
    pub(super) fn ok(name: &'static str, took: Duration, what: impl Into<String>) -> Step {
        let (cause, remedy) = (String::new(), String::new());
        Step { name, outcome: Outcome::Ok, took, what: what.into(), cause, remedy }
    }

    pub(super) fn skipped(name: &'static str, needs: &str) -> Step {
        let what = format!("not tried: it needs {needs}");
        Step { outcome: Outcome::Skipped, ..Step::ok(name, Duration::ZERO, what) }
    }

    /// The same with something wrong about it.
    pub(super) fn but(
        self,
        outcome: Outcome,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Step {
        Step { outcome, cause: cause.into(), remedy: remedy.into(), ..self }
    }

    pub(super) fn refused(name: &'static str, took: Duration, error: &GraphError) -> Step {
        let status = error.status.map(|status| format!("{status} ")).unwrap_or_default();
        // Entra's own text begins with it.
        let code = error.code.as_deref().filter(|code| !error.message.starts_with(*code));
        let code = code.map(|code| format!("{code} ")).unwrap_or_default();
        let what = format!("{status}{code}{}", error.message);
        let remedy = error.remedy().unwrap_or_else(|| error.to_string());
        Step::ok(name, took, what).but(Outcome::Failed, error.cause(), remedy)
    }

    pub(super) fn unreached(name: &'static str, took: Duration, why: &Unreached) -> Step {
        Step::ok(name, took, &*why.what).but(Outcome::Failed, why.cause, &*why.remedy)
    }

    pub(super) fn failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    /// For scripts.
    pub(super) fn as_json(&self) -> Value {
        let outcome = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        json!({
            "step": self.name,
            "outcome": outcome,
            "milliseconds": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "what": self.what,
            "cause": some(&self.cause),
            "remedy": some(&self.remedy),
        })
    }

    /// For people.
    pub(super) fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        let mark = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "WARN",
            Outcome::Failed => "FAIL",
            Outcome::Skipped => "-",
        };
        let took = match self.took.as_millis() {
            0 => String::new(),
            millis => format!("{millis} ms"),
        };
        let mut lines = self.what.lines();
        let first = lines.next().unwrap_or_default();
        writeln!(out, "  {mark:<5}{:<20}{took:>9}  {first}", self.name)?;
        for line in lines {
            writeln!(out, "{:38}{line}", "")?;
        }
        if !self.cause.is_empty() {
            writeln!(out, "       cause:  {}", self.cause)?;
        }
        if !self.remedy.is_empty() {
            writeln!(out, "       remedy: {}", self.remedy)?;
        }
        Ok(())
    }
}

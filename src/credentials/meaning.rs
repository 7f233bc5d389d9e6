//! What Entra's refusal says of a password (graph.md 1.8). Pure: no I/O, no clock.

use super::Answer;
use crate::graph::{ErrorKind, GraphError};

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The password is wrong, or there is no such user.
    Wrong,
    /// Too many wrong passwords, or an address of ill repute. Nothing is known.
    Locked,
    /// The password was right once.
    Expired,
    /// The account is disabled, whatever the password.
    Disabled,
    /// Active Directory does not let the user in at this hour.
    Hours,
    /// Right, and something else is missing.
    Barred,
    /// Nothing is known: the application, the service or the way to it is at fault.
    Unavailable,
    /// A code that is not in the table.
    Unknown {
        /// Entra wants something else of the person.
        interaction: bool,
    },
}

impl Meaning {
    /// What the client is told, unless the configuration accepts the code.
    pub(super) fn answer(self) -> Answer {
        match self {
            Meaning::Wrong | Meaning::Unknown { interaction: false } => Answer::Wrong,
            Meaning::Locked => Answer::Locked,
            Meaning::Expired => Answer::Expired,
            Meaning::Disabled => Answer::Disabled,
            Meaning::Hours => Answer::Hours,
            Meaning::Barred | Meaning::Unknown { interaction: true } => Answer::Barred,
            Meaning::Unavailable => Answer::Unavailable,
        }
    }
}

/// Codes in `error_codes`, in the order of the table.
pub(super) fn meaning(error: &GraphError) -> Meaning {
    // Proxies, portals, 429, 5xx and codes of a service in trouble are other kinds.
    if error.kind != ErrorKind::Credential {
        return Meaning::Unavailable;
    }
    let unknown = Meaning::Unknown { interaction: error.interaction };
    let Some(code) = error.aadsts() else {
        // The words of RFC 6749 5.2 that speak of the application, not of the user.
        return match error.code.as_deref() {
            Some("invalid_grant" | "interaction_required") => unknown,
            _ => Meaning::Unavailable,
        };
    };
    match code {
        // 50020, 51004: a guest, or an account of another directory.
        50126 | 50034 | 50056 | 50064 | 50020 | 51004 => Meaning::Wrong,
        50053 => Meaning::Locked,
        50055 | 50144 => Meaning::Expired,
        50057 => Meaning::Disabled,
        80012 => Meaning::Hours,
        // MFA, and that it must be set up.
        50072 | 50074 | 50076 | 50078 | 50079 | 50158 | 50125 => Meaning::Barred,
        // Conditional Access, security defaults, proof-up.
        53000..=53004 | 53009 | 53011 | 530_032 | 530_035 => Meaning::Barred,
        // Not assigned to the application.
        50105 => Meaning::Barred,
        // The application: unknown, without secret, with a wrong one, without consent.
        700_016 | 700_038 | 7_000_215 | 7_000_222 | 7_000_218 | 7_000_112 | 700_027 | 50012
        | 65001 | 70001 | 70002 | 70003 => Meaning::Unavailable,
        // The tenant, the scope.
        90002 | 90013 | 900_023 | 9_001_023 | 500_011 | 70011 | 50001 | 50059 | 50049 => {
            Meaning::Unavailable
        }
        // Pass-through agents.
        80001 | 80002 | 80005 | 80007 | 80013 | 80014 => Meaning::Unavailable,
        // The service itself; 50196: it is asked too often.
        50000 | 50033 | 50196 | 90006 | 90024 | 90033 | 90055 | 90090 => Meaning::Unavailable,
        // Entra answers 401 to applications only (graph.md 1.9), and says in the word of RFC
        // 6749 5.2 whether it is the grant, which is the password, or the request.
        _ if error.status == Some(401) => Meaning::Unavailable,
        _ => match error.word.as_deref() {
            Some("invalid_grant" | "interaction_required") => unknown,
            _ => Meaning::Unavailable,
        },
    }
}

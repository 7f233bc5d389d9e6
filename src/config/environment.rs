//! What a file may refer to outside of itself: environment variables and the
//! credentials that systemd hands over.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

/// Environment variables and systemd credentials, as an argument.
#[derive(Clone, Default)]
pub struct Environment {
    /// The variables.
    pub variables: HashMap<String, String>,
    /// `$CREDENTIALS_DIRECTORY`: set by systemd for a unit with `LoadCredential=`.
    pub credentials_directory: Option<PathBuf>,
}

impl Environment {
    /// That of this process. Variables that are no Unicode text are left out.
    pub fn of_this_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Environment {
            variables: std::env::vars_os().filter_map(text).collect(),
            credentials_directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        }
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.len())
            .field("credentials_directory", &self.credentials_directory)
            .finish()
    }
}

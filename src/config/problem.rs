//! What is wrong with a file: each problem with its key, its line and what to do about it.

use std::fmt;

/// One thing that is wrong with the file, or deserves a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key's full path: `connection[0].client_secret`; empty where no key is to blame.
    pub key: String,
    /// Line in the file, from 1; 0 where something is missing from the file as a whole.
    pub line: usize,
    /// Character in that line, from 1; 0 with line 0.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub remedy: String,
}

/// All problems of one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
pub struct Problems {
    /// The file's name as the user gave it.
    pub file: String,
    /// The problems.
    pub list: Vec<Problem>,
}

impl Problems {
    /// The one problem of a file that cannot even be looked into.
    pub(super) fn whole_file(file: &str, message: String, remedy: &str) -> Self {
        let problem =
            Problem { key: String::new(), line: 0, column: 0, message, remedy: remedy.to_owned() };
        Problems { file: file.to_owned(), list: vec![problem] }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.list.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if problem.line > 0 {
                write!(f, ":{}", problem.line)?;
            }
            write!(f, ": {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

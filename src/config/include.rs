//! `[connection.sync]`, the switches: which kinds of objects are served. What is
//! switched off stays in the source tables, so that switching on needs no download.

use super::reader::Table;
use super::value::{Trouble, Value};

/// Which kinds of objects are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncludeSettings {
    /// Guests: `userType` is `Guest`.
    pub guests: bool,
    /// Accounts that cannot sign in. Shared mailboxes are such accounts.
    pub disabled: bool,
    /// Accounts without a licence. Shared mailboxes have none.
    pub unlicensed: bool,
    /// Users without a mail address.
    pub without_mail: bool,
    /// Distribution lists.
    pub distribution_lists: bool,
    /// Security groups that receive mail.
    pub mail_security_groups: bool,
    /// Security groups without mail.
    pub security_groups: bool,
    /// Microsoft 365 groups.
    pub microsoft365_groups: bool,
    /// Mail domains, folded: objects whose primary address lies in another are left out,
    /// and so are other domains. Empty for all.
    pub domains: Vec<String>,
}

impl Default for IncludeSettings {
    fn default() -> Self {
        IncludeSettings {
            guests: true,
            disabled: true,
            unlicensed: true,
            without_mail: true,
            distribution_lists: true,
            mail_security_groups: true,
            security_groups: true,
            microsoft365_groups: true,
            domains: Vec::new(),
        }
    }
}

/// Reads the switches of the section.
pub(super) fn read(table: &Table<'_>) -> IncludeSettings {
    let default = IncludeSettings::default();
    let switch = |key, default| table.or(key, default, |value| value.boolean());
    IncludeSettings {
        guests: switch("guests", default.guests),
        disabled: switch("disabled", default.disabled),
        unlicensed: switch("unlicensed", default.unlicensed),
        without_mail: switch("without_mail", default.without_mail),
        distribution_lists: switch("distribution_lists", default.distribution_lists),
        mail_security_groups: switch("mail_security_groups", default.mail_security_groups),
        security_groups: switch("security_groups", default.security_groups),
        microsoft365_groups: switch("microsoft365_groups", default.microsoft365_groups),
        domains: table.or("domains", default.domains, |value| value.list(domain)),
    }
}

fn domain(value: &Value<'_>) -> Result<String, Trouble> {
    let text = value.text()?.trim();
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    if text.contains('.') && text.split('.').all(is_label) {
        return Ok(text.to_lowercase());
    }
    let message = format!("{text:?} is not a domain");
    Err(Trouble::new(message, "write for example \"contoso.com\""))
}

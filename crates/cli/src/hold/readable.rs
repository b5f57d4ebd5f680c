//! What others wrote about a message, as officers read it.

use kuriiri_types::{Recipient, Role};

/// The addresses of recipients, as data.
pub(super) fn addresses(recipients: &[Recipient]) -> Vec<String> {
    recipients.iter().map(|recipient| recipient.address.to_string()).collect()
}

/// Recipients as people read them: those who only should know are marked.
pub(super) fn recipients(recipients: &[Recipient]) -> String {
    let one = |Recipient { address, role }: &Recipient| match role {
        Role::Action => address.to_string(),
        Role::Info => format!("{address} (for information)"),
    };
    recipients.iter().map(one).collect::<Vec<_>>().join(", ")
}

//! The side window: HTTP for commands, on a unix socket (mode 0600) or on loopback
//! with a token.

mod api;
mod buttons;
mod listen;
mod metrics;

pub use api::{Facts, Forget, Replied, router};
pub use buttons::Pressed;
pub use listen::{ListenError, Listening, bind};
pub use metrics::{GraphNumbers, Latencies, LdapNumbers};

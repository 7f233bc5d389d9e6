//! The side window: HTTP for commands, on a unix socket (mode 0600) or on loopback
//! with a token.

mod api;
mod buttons;
mod listen;

pub use api::{Facts, Forget, Replied, router};
pub use buttons::Pressed;
pub use listen::{ListenError, Listening, bind};

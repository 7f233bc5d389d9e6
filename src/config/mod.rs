//! Text to settings: one TOML file, read once into types that cannot be wrong.

pub mod secret;
pub mod settings;

pub use secret::Secret;
pub use settings::Settings;

//! Listening for commands.

use crate::config::settings::{AdminListen, AdminSettings};
use axum::Router;
use std::fs::{Permissions, set_permissions};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Why commands cannot be listened for.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A unix socket cannot be made.
    #[error("admin.listen: {path}: {reason}")]
    Unix {
        /// The socket.
        path: PathBuf,
        /// What is wrong, with a remedy.
        reason: String,
    },
    /// A TCP address cannot be listened on.
    #[error("admin.listen: {address}: {reason}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: std::io::Error,
    },
}

/// A socket that listens; requests are answered once it runs.
pub enum Listening {
    /// Nowhere.
    Off,
    /// A unix socket, removed at the end.
    Unix(UnixListener, PathBuf),
    /// A loopback address.
    Tcp(TcpListener),
}

/// Binds the address of `[admin]`.
pub async fn bind(settings: &AdminSettings) -> Result<Listening, ListenError> {
    match &settings.listen {
        AdminListen::Off => Ok(Listening::Off),
        AdminListen::Unix(path) => unix(path).await,
        AdminListen::Tcp(address) => match TcpListener::bind(address).await {
            Ok(listener) => Ok(Listening::Tcp(listener)),
            Err(reason) => Err(ListenError::Tcp { address: *address, reason }),
        },
    }
}

async fn unix(path: &Path) -> Result<Listening, ListenError> {
    let fail = |reason: String| ListenError::Unix { path: path.to_owned(), reason };
    // What a killed process left behind; a socket that answers belongs to a living one.
    if UnixStream::connect(path).await.is_ok() {
        return Err(fail(
            "another entraldap answers there; stop it, or name another socket".to_owned(),
        ));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail(error.to_string())),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(|error| {
        let folder = path.parent().unwrap_or(Path::new("."));
        match error.kind() {
            ErrorKind::NotFound => fail(format!(
                "the folder {} does not exist; create it, owned by the user that runs entraldap",
                folder.display()
            )),
            _ => fail(error.to_string()),
        }
    })?;
    set_permissions(path, Permissions::from_mode(0o600))
        .map_err(|error| fail(error.to_string()))?;
    Ok(Listening::Unix(listener, path.to_owned()))
}

impl Listening {
    /// Answers requests until told to stop.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let stopped = async move { stop.cancelled().await };
        let outcome = match self {
            Listening::Off => return,
            Listening::Tcp(listener) => {
                axum::serve(listener, router).with_graceful_shutdown(stopped).await
            }
            Listening::Unix(listener, path) => {
                let outcome = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
                let _ = std::fs::remove_file(path);
                outcome
            }
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "the admin socket is gone");
        }
    }
}

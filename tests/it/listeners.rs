//! Where it listens: IPv4 and IPv6 side by side.

use crate::world::daemon::Place;
use crate::world::options;
use entraldap::simulator::{Simulator, Tenant};
use std::io::ErrorKind;
use std::net::TcpListener;

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_is_served_as_ipv4_is() {
    if let Err(error) = TcpListener::bind("[::1]:0") {
        let missing = [ErrorKind::AddrNotAvailable, ErrorKind::Unsupported, ErrorKind::Other];
        // EAFNOSUPPORT has no kind of its own.
        assert!(missing.contains(&error.kind()) || error.raw_os_error() == Some(97), "{error}");
        println!("skipped: this machine has no IPv6 loopback ({error})");
        return;
    }
    let simulator = Simulator::start(Tenant::generate(95, 50), options()).await.unwrap();
    let place = Place::new(&simulator, "1h", &["127.0.0.1:0", "[::1]:0"]);
    let mut daemon = place.start().await;
    daemon.wait_for("pass committed").await;
    let users = simulator.with_tenant(|tenant| tenant.counts().users);
    let mut families = [false, false];
    for address in daemon.addresses.clone() {
        families[usize::from(address.is_ipv6())] = true;
        let (code, counts) = daemon.served(address).await;
        assert_eq!((code, counts["users"]), (0, users as u64), "{address}");
    }
    assert_eq!(families, [true, true]);
}

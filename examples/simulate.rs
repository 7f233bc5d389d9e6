//! The simulated tenant alone, as a server: for trying `entraldap serve` without a real
//! tenant. `cargo run --release --example simulate -- ADDRESS:PORT USERS|FOLDER [CHANGES-PER-MINUTE [DELAY-MS]]`

use entraldap::simulator::{Action, Options, Rule, Simulator, Tenant};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:0".to_owned()).parse()?;
    let what = arguments.next().unwrap_or("1000".to_owned());
    let changes: u64 = arguments.next().unwrap_or("0".to_owned()).parse()?;
    let delay: u64 = arguments.next().unwrap_or("0".to_owned()).parse()?;
    let tenant = match what.parse() {
        Ok(users) => Tenant::generate(1, users),
        Err(_) => Tenant::load(what.as_ref())?,
    };
    let options =
        Options { listen, client_secret: "simulated-secret".to_owned(), ..Options::default() };
    let simulator = Simulator::start(tenant, options).await?;
    let options = simulator.options();
    println!("tenant = \"{}\"\nclient_id = \"{}\"", options.tenant_id, options.client_id);
    println!("# the client secret is simulated-secret");
    println!("authority = \"{}\"\nendpoint = \"{}\"", simulator.authority(), simulator.base_url());
    if changes > 0 {
        simulator.live(Duration::from_secs(60) / u32::try_from(changes)?, 7);
    }
    if delay > 0 {
        simulator.faults().add(Rule::new(Action::Delay(Duration::from_millis(delay))));
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}

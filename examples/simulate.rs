//! The simulated tenant alone, as a server: for trying `entraldap serve` without a real
//! tenant. `cargo run --release --example simulate -- ADDRESS:PORT USERS|FOLDER [CHANGES-PER-MINUTE [DELAY-MS]]`
//!
//! Reads lines from standard input: `changes N` lets so many things happen at once, `titles N`
//! gives so many users another job title and changes nothing else.

use entraldap::simulator::life::changes;
use entraldap::simulator::{Action, Kind, Options, Rule, Simulator, Tenant};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:0".to_owned()).parse()?;
    let what = arguments.next().unwrap_or("1000".to_owned());
    let pace: u64 = arguments.next().unwrap_or("0".to_owned()).parse()?;
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
    if pace > 0 {
        simulator.live(Duration::from_secs(60) / u32::try_from(pace)?, 7);
    }
    if delay > 0 {
        simulator.faults().add(Rule::new(Action::Delay(Duration::from_millis(delay))));
    }
    let simulator = Arc::new(simulator);
    let told = Arc::clone(&simulator);
    // Reading a terminal cannot be given up: the thread ends with the process.
    std::thread::spawn(move || {
        for (line, round) in std::io::stdin().lines().map_while(Result::ok).zip(1..) {
            println!("{}", told.with_tenant(|tenant| carry_out(tenant, &line, round)));
        }
    });
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Does what a line of input says; `round` is another number each time.
fn carry_out(tenant: &mut Tenant, line: &str, round: u64) -> String {
    let what = line.trim().split_once(' ').map(|(verb, count)| (verb, count.parse::<usize>()));
    match what {
        Some(("changes", Ok(count))) => {
            format!("{} changes", changes(tenant, round, count).len())
        }
        Some(("titles", Ok(count))) => {
            let ids: Vec<String> = tenant.live(Kind::User).take(count).map(str::to_owned).collect();
            let title = format!("Head of round {round}");
            let is_done =
                |id: &&String| tenant.set(Kind::User, id, "jobTitle", title.clone().into()).is_ok();
            format!("{} titles", ids.iter().filter(is_done).count())
        }
        _ => format!("{line}: neither \"changes N\" nor \"titles N\""),
    }
}

//! The simulated tenant alone, as a server: for trying `entraldap serve` without a real
//! tenant. `cargo run --release --example simulate -- ADDRESS:PORT USERS|FOLDER [CHANGES-PER-MINUTE [DELAY-MS]]`
//!
//! Reads lines from standard input: `changes N` lets so many things happen at once, `titles N`
//! gives so many users another job title and changes nothing else; `throttle N` answers the next N
//! requests with 429, and `fail N` with 503.

use entraldap::simulator::life::changes;
use entraldap::simulator::{Action, Kind, Options, RetryAfter, Rule, Simulator, Tenant};
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
            println!("{}", carry_out(&told, &line, round));
        }
    });
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Does what a line of input says; `round` is another number each time.
fn carry_out(simulator: &Simulator, line: &str, round: u64) -> String {
    let what = line.trim().split_once(' ').map(|(verb, count)| (verb, count.parse::<usize>()));
    let fault = |action, times| {
        simulator.faults().add(Rule::new(action).times(times));
        format!("the next {times} requests fail")
    };
    match what {
        Some(("changes", Ok(count))) => {
            let done = simulator.with_tenant(|tenant| changes(tenant, round, count).len());
            format!("{done} changes")
        }
        Some(("titles", Ok(count))) => {
            let done = simulator.with_tenant(|tenant| titles(tenant, count, round));
            format!("{done} titles")
        }
        Some(("throttle", Ok(times))) => fault(Action::Throttle(RetryAfter::Seconds(2)), times),
        Some(("fail", Ok(times))) => fault(Action::Status(503, RetryAfter::Missing), times),
        _ => format!("{line}: none of \"changes N\", \"titles N\", \"throttle N\", \"fail N\""),
    }
}

/// Gives users another job title.
fn titles(tenant: &mut Tenant, count: usize, round: u64) -> usize {
    let ids: Vec<String> = tenant.live(Kind::User).take(count).map(str::to_owned).collect();
    let title = format!("Head of round {round}");
    let is_done =
        |id: &&String| tenant.set(Kind::User, id, "jobTitle", title.clone().into()).is_ok();
    ids.iter().filter(is_done).count()
}

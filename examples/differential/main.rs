//! The same questions to entraldap and to slapd, which hold the same entries: are the
//! answers equal, but for a list of intended differences? Called by `.ci/differential`:
//! `differential DUMP.ldif OUR-URL NAME PASSWORD SLAPD-URL [FILTERS [SEED]]`

mod allowed;
mod definitions;
mod dump;
mod entries;
mod generate;
mod intended;
mod leaf;
mod questions;
mod report;
mod server;
mod values;

use entraldap::simulator::Rng;
use std::error::Error;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let wanted = |at: usize| argument(at).ok_or("DUMP OUR-URL NAME PASSWORD SLAPD-URL, please");
    let dump = dump::Dump::read(&std::fs::read_to_string(wanted(0)?)?)?;
    let we = server::Server::connect(wanted(1)?, Some((wanted(2)?, wanted(3)?))).await?;
    let slapd = server::Server::connect(wanted(4)?, None).await?;
    let filters: usize = argument(5).unwrap_or("3000").parse()?;
    let seed: u64 = argument(6).unwrap_or("1").parse()?;
    println!("{} entries, {filters} filters, seed {seed}", dump.entries.len());
    let make = generate::Generator { rng: Rng::new(seed), dump: &dump };
    let mut questions = questions::Questions::new(we, slapd, make);
    questions.all(filters).await?;
    let equal = questions.report.print();
    Ok(if equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! The program itself: what is loaded anew while it runs, and what it does without file
//! descriptors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]
#![cfg(unix)]

use argon2::PasswordHasher;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use tempfile::TempDir;

/// A program that serves, and what it writes.
struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    address: SocketAddr,
    folder: TempDir,
}

fn hash(password: &str) -> String {
    let params = argon2::Params::new(16, 1, 1, None).unwrap();
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password(password.as_bytes())
        .unwrap()
        .to_string()
}

fn account(name: &str, password: &str) -> String {
    format!("[[ldap.account]]\nname = \"{name}\"\npassword_hash = \"{}\"\n", hash(password))
}

impl Program {
    /// Starts it with these accounts; `limit` file descriptors, if any.
    fn start(accounts: &str, limit: Option<u32>) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entraldap.toml");
        std::fs::write(&path, Program::config(&folder, accounts)).unwrap();
        let limit = limit.map(|limit| format!("ulimit -n {limit}; ")).unwrap_or_default();
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("{limit}exec \"$0\" \"$@\""))
            .arg(env!("CARGO_BIN_EXE_entraldap"))
            .arg("--config")
            .arg(&path)
            .arg("serve")
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut program = Program { child, log, address, folder };
        let line = program.wait_for("serving LDAP");
        let text = line.split("address").nth(1).unwrap();
        let end = text.find("127.0.0.1:").unwrap();
        let digits = |c: &char| c.is_ascii_digit();
        let port: String = text[end + "127.0.0.1:".len()..].chars().take_while(digits).collect();
        program.address.set_port(port.parse().unwrap());
        program
    }

    fn config(folder: &TempDir, accounts: &str) -> String {
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "x").unwrap();
        let replica = folder.path().join("replica.redb");
        format!(
            "[replica]\npath = {replica:?}\n[log]\nformat = \"json\"\n[admin]\nlisten = \"off\"\n\
             [[ldap.listener]]\naddress = \"127.0.0.1:0\"\n{accounts}\n\
             [[connection]]\nname = \"a\"\nbase = \"dc=a\"\ntenant = \"a.example\"\n\
             client_id = \"11111111-1111-1111-1111-111111111111\"\n\
             client_secret = {{ file = {secret:?} }}\n\
             [connection.graph]\nauthority = \"http://127.0.0.1:1/\"\n\
             endpoint = \"http://127.0.0.1:1/\"\n"
        )
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("entraldap.toml")
    }

    /// The next line of the log that holds `text`.
    fn wait_for(&mut self, text: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            if line.contains(text) {
                return line;
            }
            line.clear();
        }
        panic!("the program ended without a line with {text:?}");
    }

    fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Binds and gives the result code.
fn bind(stream: &mut TcpStream, name: &str, password: &str) -> u8 {
    let octets =
        |tag: u8, text: &str| [&[tag, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let op = [b"\x02\x01\x03".to_vec(), octets(4, name), octets(0x80, password)].concat();
    let length = u8::try_from(op.len()).unwrap();
    let message =
        [b"\x30".to_vec(), vec![length + 5], b"\x02\x01\x01\x60".to_vec(), vec![length], op];
    stream.write_all(&message.concat()).unwrap();
    let mut answer = [0; 14];
    stream.read_exact(&mut answer[..2]).unwrap();
    let mut rest = vec![0; usize::from(answer[1])];
    stream.read_exact(&mut rest).unwrap();
    // Number, tag and length, then the enumerated code.
    rest[7]
}

#[test]
fn accounts_are_loaded_anew_and_a_broken_file_changes_nothing() {
    let mut program = Program::start(&account("one", "pw"), None);
    let mut stream = program.connect();
    assert_eq!(bind(&mut stream, "one", "pw"), 0);
    assert_eq!(bind(&mut stream, "two", "pw"), 49);
    std::fs::write(program.path(), "[ldap]\nnonsense = true\n").unwrap();
    program.hang_up();
    let line = program.wait_for("nothing is loaded anew");
    assert!(line.contains("ldap.nonsense"), "{line}");
    assert_eq!(bind(&mut stream, "one", "pw"), 0);
    let both = account("one", "pw") + &account("two", "pw");
    std::fs::write(program.path(), Program::config(&program.folder, &both)).unwrap();
    // Nobody says so: the file is looked at.
    program.wait_for("are loaded anew");
    assert_eq!(bind(&mut stream, "two", "pw"), 0);
    std::fs::write(program.path(), Program::config(&program.folder, &account("two", "pw")))
        .unwrap();
    program.hang_up();
    program.wait_for("are loaded anew");
    assert_eq!(bind(&mut stream, "one", "pw"), 49);
    assert_eq!(bind(&mut stream, "two", "pw"), 0);
}

#[test]
fn without_file_descriptors_clients_wait_and_are_served_when_there_are_some() {
    let mut program = Program::start(&account("one", "pw"), Some(48));
    let mut first = program.connect();
    assert_eq!(bind(&mut first, "one", "pw"), 0);
    let mut crowd: Vec<TcpStream> = (0..64).map(|_| program.connect()).collect();
    program.wait_for("connections cannot be accepted");
    assert_eq!(bind(&mut first, "one", "pw"), 0, "who is in is served");
    let mut last = crowd.pop().unwrap();
    drop(crowd);
    assert_eq!(bind(&mut last, "one", "pw"), 0);
}

//! The way from a bind of a user to Entra: the front door asks, the credentials answer.

use crate::config::settings::ConnectionSettings;
use crate::credentials::{Answer, Credentials, Question, Who};
use crate::graph::Graph;
use crate::ldap::{Check, UserAnswer, UserBinds, UserName, UserQuestion};
use std::sync::{Arc, Mutex, PoisonError};

/// What checks passwords, of every connection whose users may bind.
pub(super) struct Doors {
    graphs: Vec<(String, Graph)>,
    /// Of the configuration that holds: what it has learnt goes on to the next.
    open: Mutex<Vec<(String, Arc<Credentials>)>>,
}

impl Doors {
    /// All closed. Connections that these do not have get none before the next start.
    pub(super) fn new(graphs: Vec<(String, Graph)>) -> Self {
        Doors { graphs, open: Mutex::default() }
    }

    /// The doors of these settings.
    pub(super) fn open(
        &self,
        connections: &[ConnectionSettings],
    ) -> Result<Vec<UserBinds>, String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut next, mut binds) = (Vec::new(), Vec::new());
        for connection in connections {
            let graph = self.graphs.iter().find(|(name, _)| *name == connection.name);
            let (Some(settings), Some((name, graph))) = (&connection.user_binds, graph) else {
                continue;
            };
            let before = open.iter().find(|(other, _)| other == name).map(|(_, it)| &**it);
            let credentials = Credentials::new(name, settings.clone(), graph.clone(), before)?;
            let credentials = Arc::new(credentials);
            binds.push(UserBinds {
                connection: name.clone(),
                profile: Arc::clone(&settings.profile),
                check: check(Arc::clone(&credentials)),
            });
            next.push((name.clone(), credentials));
        }
        *open = next;
        Ok(binds)
    }
}

fn check(credentials: Arc<Credentials>) -> Check {
    Box::new(move |asked: UserQuestion| {
        let credentials = Arc::clone(&credentials);
        Box::pin(async move { answer(credentials.check(question(asked)).await) })
    })
}

fn question(asked: UserQuestion) -> Question {
    let who = match asked.who {
        UserName::User { number, username, version } => Who::User { number, username, version },
        UserName::Nobody(name) => Who::Nobody(name),
    };
    let UserQuestion { password, network, may_ask, .. } = asked;
    Question { who, password, network, may_ask }
}

fn answer(answer: Answer) -> UserAnswer {
    match answer {
        Answer::Right => UserAnswer::Right,
        Answer::Wrong => UserAnswer::Wrong,
        Answer::Locked => UserAnswer::Locked,
        Answer::Expired => UserAnswer::Expired,
        Answer::Disabled => UserAnswer::Disabled,
        Answer::Hours => UserAnswer::Hours,
        Answer::Barred => UserAnswer::Barred,
        Answer::Unavailable => UserAnswer::Unavailable,
        Answer::Busy => UserAnswer::Busy,
    }
}

//! A conversation as the RFCs write it, and its playing with a machine on a fake clock.

use super::{
    dialect::{self, Agreement, Octets, ScriptError, Step},
    driver::State,
    mismatch::Mismatch,
    subject::Subject,
};
use crate::{
    machine::Need,
    security::{Security, TlsFailure, TlsFailureKind},
    time::Instant,
    transcript::Side,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::str::FromStr;

/// The places at which the octets of a conversation are cut, as a network may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Lines of the peer that follow one another come in one read.
    Nowhere,
    /// Every octet comes alone, and leaves alone.
    Everywhere,
    /// The octets of the peer are cut once, before this one.
    Before(usize),
}

/// A conversation of a client (`C:`) and a server (`S:`), in the notation of the RFCs.
///
/// | line | meaning |
/// |---|---|
/// | `S: 220 mx.example.org` | the server sends a line; CRLF is added |
/// | `C: EHLO me.example.org` | the client sends a line; content is written in its wire form |
/// | <code>C&#124; a\r\n.\r\n</code> | octets without a CRLF added, with the escapes of a Rust literal |
/// | `S: 250 ...` | expected of a server: a reply with this code, of any text and number of lines |
/// | `C: EHLO ...` | expected: a line that begins so |
/// | `(300 s)`, `(20 ms)` | time passes |
/// | `C: (closed)`, `S: (closed)` | this side closes, in order |
/// | `C: (cut off)`, `S: (cut off)` | the connection is lost |
/// | `C: (broken)`, `S: (broken)` | from here on the writes of the side under test fail |
/// | `(secured)`, `(not secured)` | the TLS handshake that is awaited succeeds, or fails |
/// | `(shut down)` | the side under test is told to end: [`Server::shut_down`], [`Client::close`] |
/// | `# text` | a comment |
///
/// Lines of a peer that follow one another are one group, which comes in one read. All that the
/// side under test has sent by then must stand before the group, and nothing else. White space
/// at the beginning of a line is ignored, that at its end is part of the line.
///
/// ```
/// use esmtp::{
///     security::Security,
///     server::{Config, Event, Peer, Server},
///     syntax::Rejection,
///     testing::Script,
/// };
///
/// fn policy(event: Event<'_>) {
///     match event {
///         Event::Rcpt(rcpt) if rcpt.forward_path().to_string() == "<root@example.org>" => {
///             rcpt.reject(Rejection::NO_SUCH_MAILBOX);
///         }
///         Event::Rcpt(rcpt) => rcpt.accept(),
///         other => other.proceed(),
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = std::sync::Arc::new(Config::new("mx.example.org")?);
/// Script::new(
///     "S: 220 ...
///      C: EHLO client.example.net
///      S: 250 ...
///      C: MAIL FROM:<ann@example.net>
///      C: RCPT TO:<root@example.org>
///      S: 250 ...
///      S: 550 5.1.1 No such mailbox here",
/// )?
/// .check(|| Server::new(config.clone(), Peer::UNKNOWN, Security::CLEAR), policy)?;
/// # Ok(())
/// # }
/// ```
///
/// [`Server::shut_down`]: crate::server::Server::shut_down
/// [`Client::close`]: crate::client::Client::close
#[derive(Clone, Debug)]
pub struct Script {
    steps: Vec<(Step, String)>,
    secured: Security,
}

/// The state of a machine after a script was played with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Played {
    need: Need,
    time: Instant,
}

impl Played {
    /// Returns the last need of the machine; [`Need::Answer`] if a question was left open.
    pub const fn need(&self) -> Need {
        self.need
    }

    /// Returns the time on the fake clock, which begins at [`Instant::ORIGIN`].
    #[must_use]
    pub const fn time(&self) -> Instant {
        self.time
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        Self::new(text)
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// A line is not of the dialect.
    pub fn new(text: &str) -> Result<Self, ScriptError> {
        Ok(Self { steps: dialect::parse(text)?, secured: Security::TLS })
    }

    /// Sets the security of the channel after `(secured)`; [`Security::TLS`] by default.
    #[must_use]
    pub fn with_secured(mut self, security: Security) -> Self {
        self.secured = security;
        self
    }

    /// Returns the security of the channel after `(secured)`.
    #[must_use]
    pub const fn secured(&self) -> &Security {
        &self.secured
    }

    pub(super) fn steps(&self) -> &[(Step, String)] {
        &self.steps
    }

    /// Returns every way to cut the octets that this side receives: [`Cut::Nowhere`],
    /// [`Cut::Everywhere`], and a cut before each octet.
    pub fn cuts(&self, receiver: Side) -> impl Iterator<Item = Cut> + use<> {
        let octets: usize = self.steps.iter().fold(0, |sum, (step, _)| match step {
            Step::Octets { from, octets } if *from != receiver => {
                sum.saturating_add(octets.as_sent().len())
            }
            _ => sum,
        });
        [Cut::Nowhere, Cut::Everywhere].into_iter().chain((1..octets).map(Cut::Before))
    }

    /// Plays the script in every [cut](Self::cuts), each time with a new machine, on a fake clock.
    ///
    /// `answer` answers the questions of all these sessions; an application with a state of its own
    /// is tested with [`play`](Self::play).
    ///
    /// # Errors
    ///
    /// The machine did not send what the script says.
    pub fn check<M: Subject>(
        &self,
        mut machine: impl FnMut() -> M,
        mut answer: impl FnMut(M::Event<'_>),
    ) -> Result<(), Mismatch> {
        self.cuts(M::SIDE).try_for_each(|cut| self.play(&mut machine(), cut, &mut answer).map(drop))
    }

    /// Plays the script once with a machine, on a fake clock.
    ///
    /// A question that `answer` leaves open is asked again, at most 1,000 times in a row, and then after
    /// the next step of the script. The clock advances only by the times of the script: a delayed reply
    /// needs one before it.
    ///
    /// # Errors
    ///
    /// The machine did not send what the script says.
    pub fn play<M: Subject>(
        &self,
        machine: &mut M,
        cut: Cut,
        answer: impl FnMut(M::Event<'_>),
    ) -> Result<Played, Mismatch> {
        let side = M::SIDE;
        // The script says when a TLS handshake is done.
        let is_handshake = |(step, _): &(Step, String)| matches!(step, Step::Handshake { .. });
        let mut state = State::default();
        state.holds_upgrade = self.steps.iter().any(is_handshake);
        if cut == Cut::Everywhere {
            state.piece = 1;
        }
        let mut player = Player { machine, state, answer, cut, received: 0 };
        player.drive().map_err(|complaint| self.mismatch(side, cut, 0, complaint))?;
        let mut expected: Vec<&Octets> = Vec::new();
        let mut group: Vec<u8> = Vec::new();
        for (index, (step, _)) in self.steps.iter().enumerate() {
            let fail = |complaint: String| self.mismatch(side, cut, index, complaint);
            if let Step::Octets { from, octets } = step
                && *from == side
            {
                player.hear(&mut group).map_err(fail)?;
                expected.push(octets);
                continue;
            }
            if group.is_empty() {
                player.compare(&mut expected).map_err(fail)?;
            }
            if let Step::Octets { octets, .. } = step {
                group.extend(octets.as_sent());
                continue;
            }
            if *step == (Step::Broken { from: side }) {
                player.state.break_writes();
            }
            player.hear(&mut group).map_err(fail)?;
            player.compare(&mut expected).map_err(fail)?;
            player.perform(step, &self.secured).map_err(fail)?;
        }
        let fail = |complaint: String| self.mismatch(side, cut, self.steps.len(), complaint);
        player.hear(&mut group).map_err(fail)?;
        player.drive().map_err(fail)?;
        player.compare(&mut expected).map_err(fail)?;
        Ok(Played { need: player.state.need, time: player.state.time })
    }

    /// Describes a difference that was found before the step with this index.
    fn mismatch(&self, side: Side, cut: Cut, index: usize, complaint: String) -> Mismatch {
        let lines = self.steps.iter().take(index).map(|(_, line)| line.as_str());
        let cut = match cut {
            Cut::Nowhere => String::new(),
            Cut::Everywhere => " (every octet alone)".to_string(),
            Cut::Before(octet) => format!(" (cut before octet {octet})"),
        };
        Mismatch::new(side, format!("{complaint}{cut}"), lines)
    }
}

/// A machine that is driven by a script.
struct Player<'p, M, A> {
    machine: &'p mut M,
    state: State,
    answer: A,
    cut: Cut,
    /// The number of octets that came.
    received: usize,
}

impl<M: Subject, A: FnMut(M::Event<'_>)> Player<'_, M, A> {
    fn drive(&mut self) -> Result<(), String> {
        Ok(self.state.drive(self.machine, &mut self.answer)?)
    }

    fn feed(&mut self, octets: &[u8]) -> Result<(), String> {
        Ok(self.state.feed(self.machine, octets, &mut self.answer)?)
    }

    /// Gives the machine a group of the peer's octets, cut as asked for.
    fn hear(&mut self, group: &mut Vec<u8>) -> Result<(), String> {
        let group = core::mem::take(group);
        let start = self.received;
        self.received = start.saturating_add(group.len());
        match self.cut {
            Cut::Nowhere => self.feed(&group),
            Cut::Everywhere => {
                group.iter().try_for_each(|octet| self.feed(core::slice::from_ref(octet)))
            }
            Cut::Before(octet) => {
                let (before, after) = group.split_at(octet.saturating_sub(start).min(group.len()));
                self.feed(before)?;
                self.feed(after)
            }
        }
    }

    /// Compares what the machine has sent with what the script says, whole.
    fn compare(&mut self, expected: &mut Vec<&Octets>) -> Result<(), String> {
        let mut sent = self.state.take_sent();
        for octets in expected.drain(..) {
            match octets.agree_with(&sent) {
                Agreement::Whole(agreed) => drop(sent.drain(..agreed)),
                Agreement::Partial | Agreement::No => {
                    let complaint = differs(&octets.as_sent(), &sent);
                    return Err(match self.state.need {
                        Need::Wait(until) => {
                            let wait = until.saturating_since(self.state.time);
                            format!(
                                "{complaint} (it sends nothing for another {wait:?}: a delayed reply)"
                            )
                        }
                        Need::Answer => {
                            let question = self.machine.question().map_or("", |it| it.name());
                            format!("{complaint} (the question {question} is not answered)")
                        }
                        _ => complaint,
                    });
                }
            }
        }
        match sent.is_empty() {
            true => Ok(()),
            false => Err(format!("sent more than the script says: {}", shown(&sent))),
        }
    }

    /// Does what the script says, other than to send octets.
    fn perform(&mut self, step: &Step, secured: &Security) -> Result<(), String> {
        match step {
            Step::Octets { .. } => Ok(()),
            Step::Closed { from, .. } if *from == M::SIDE => {
                self.drive()?;
                match self.state.need {
                    Need::Close => Ok(()),
                    need => Err(format!("does not close, but has the need {need:?}")),
                }
            }
            Step::Closed { how, .. } => {
                self.machine.closed(*how);
                self.drive()
            }
            Step::Broken { from } if *from == M::SIDE => self.drive(),
            Step::Broken { .. } => Err("is the only side of which the writes can fail".into()),
            Step::Passes(time) => Ok(self.state.wait(self.machine, *time, &mut self.answer)?),
            Step::Handshake { succeeds } => {
                if self.state.need != Need::Answer || !self.machine.is_upgrading() {
                    return Err("does not wait for a TLS handshake".into());
                }
                match succeeds {
                    true => self.machine.upgraded(secured.clone()),
                    false => self.machine.upgrade_failed(TlsFailure::new(TlsFailureKind::NotTls)),
                }
                self.drive()
            }
            Step::ShutDown => {
                self.machine.shut_down();
                self.drive()
            }
        }
    }
}

/// Says how octets that were sent differ from the expected ones.
pub(super) fn differs(expected: &[u8], sent: &[u8]) -> String {
    match sent.is_empty() {
        true => format!("sent nothing, and the script says {}", shown(expected)),
        false => format!("sent {}, and the script says {}", shown(sent), shown(expected)),
    }
}

/// The octets that are shown of those that differ.
const SHOWN: usize = 300;

/// Returns octets as text, a line end as an escape; of many octets the first.
pub(super) fn shown(octets: &[u8]) -> String {
    match octets.get(..SHOWN) {
        None => format!("`{}`", octets.escape_ascii()),
        Some(first) => format!("`{}` and more, {} octets", first.escape_ascii(), octets.len()),
    }
}

//! The lines of XCLIENT and XFORWARD, as Postfix describes them: which attributes may be sent, and in
//! how many lines.

use super::error::{NotOffered, Obstacle};
use crate::syntax::{
    AttributeName, Command, Extension, Extensions, SyntaxError, Verb, XclientAttributes,
    XforwardAttributes,
};
use alloc::{collections::VecDeque, string::String, vec, vec::Vec};

/// Returns the XCLIENT commands with these attributes.
pub(super) fn xclient(
    attributes: &XclientAttributes<'_>,
    offered: &Extensions,
) -> Result<VecDeque<Command<'static>>, NotOffered> {
    let lines = Lines::new(Verb::Xclient, Extension::Xclient, offered.xclient(), offered)?;
    lines.cut(attributes.as_str(), |line| {
        XclientAttributes::parse(line).map(|line| Command::Xclient(line.into_owned()))
    })
}

/// Returns the XFORWARD commands with these attributes.
pub(super) fn xforward(
    attributes: &XforwardAttributes<'_>,
    offered: &Extensions,
) -> Result<VecDeque<Command<'static>>, NotOffered> {
    let lines = Lines::new(Verb::Xforward, Extension::Xforward, offered.xforward(), offered)?;
    lines.cut(attributes.as_str(), |line| {
        XforwardAttributes::parse(line).map(|line| Command::Xforward(line.into_owned()))
    })
}

struct Lines {
    verb: Verb,
    announced: Vec<AttributeName>,
    /// Octets of a line, CRLF included.
    limit: usize,
}

impl Lines {
    fn new(
        verb: Verb,
        extension: Extension,
        announced: impl Iterator<Item = AttributeName>,
        offered: &Extensions,
    ) -> Result<Self, NotOffered> {
        if !offered.contains(extension) {
            return Err(NotOffered { obstacles: vec![Obstacle::Extension(extension)] });
        }
        Ok(Self { verb, announced: announced.collect(), limit: offered.line_limit(verb) })
    }

    /// Returns the list in one line where it fits, and else in several. The last line is filled first, so
    /// that the attributes that must come last come together where they can.
    fn cut(
        &self,
        list: &str,
        command: fn(&str) -> Result<Command<'static>, SyntaxError>,
    ) -> Result<VecDeque<Command<'static>>, NotOffered> {
        let around = self.verb.as_str().len() + "\r\n".len();
        let mut obstacles = Vec::new();
        let mut words: Vec<(Option<AttributeName>, &str)> = list
            .split(' ')
            .map(|word| (word.split_once('=').and_then(|it| AttributeName::from_word(it.0)), word))
            .collect();
        for (name, word) in &words {
            if let Some(name) = *name
                && !self.announced.contains(&name)
            {
                let obstacle = Obstacle::Attribute { verb: self.verb, name };
                if !obstacles.contains(&obstacle) {
                    obstacles.push(obstacle);
                }
            }
            let octets = around + 1 + word.len();
            if octets > self.limit {
                let (verb, limit) = (self.verb, self.limit);
                obstacles.push(Obstacle::LineTooLong { verb, recipient: None, octets, limit });
            }
        }
        if !obstacles.is_empty() {
            return Err(NotOffered { obstacles });
        }
        let mut lines: VecDeque<String> = VecDeque::new();
        if around + 1 + list.len() <= self.limit {
            lines.push_front(list.into());
        } else {
            words.sort_by_key(|(name, _)| self.order(*name));
            for (_, word) in words.into_iter().rev() {
                match lines.front_mut() {
                    Some(line) if around + 2 + word.len() + line.len() <= self.limit => {
                        line.insert(0, ' ');
                        line.insert_str(0, word);
                    }
                    _ => lines.push_front(word.into()),
                }
            }
        }
        // They were checked when the list was made.
        lines.iter().map(|line| command(line)).collect::<Result<_, _>>().map_err(|error| {
            NotOffered { obstacles: vec![Obstacle::InvalidParameter { error, recipient: None }] }
        })
    }

    /// Returns the place of an attribute in the order of sending. "Send NAME and ADDR last, after HELO and PROTO. Once ADDR is sent, the client
    /// is usually no longer authorized to send XCLIENT commands" (XCLIENT_README); and a port
    /// belongs to the address.
    fn order(&self, name: Option<AttributeName>) -> u8 {
        match (self.verb, name) {
            (Verb::Xclient, Some(AttributeName::Addr)) => 3,
            (Verb::Xclient, Some(AttributeName::Port)) => 2,
            (Verb::Xclient, Some(AttributeName::Name)) => 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::AttributeValue;
    use alloc::string::ToString;

    fn text(text: &str) -> AttributeValue<'_> {
        AttributeValue::Text(text.into())
    }

    /// Returns a host name of 255 octets.
    fn domain(letter: &str) -> String {
        [letter.repeat(63), letter.repeat(63), letter.repeat(63), letter.repeat(63)].join(".")
    }

    fn texts(commands: &VecDeque<Command<'_>>) -> Vec<String> {
        commands.iter().map(ToString::to_string).collect()
    }

    /// XCLIENT-1-f
    #[test]
    fn attributes_beyond_a_line_go_in_further_ones_with_the_address_last() {
        use AttributeName::{Addr, Helo, Login, Name, Port, Proto};
        let offered = Extensions::NONE.with_xclient(AttributeName::ALL);
        let list = |name: &str, helo: &str, login: &str| {
            XclientAttributes::new(Addr, &text("192.0.2.7"))
                .and_then(|list| list.with_attribute(Port, &text("1025")))
                .and_then(|list| list.with_attribute(Name, &text(name)))
                .and_then(|list| list.with_attribute(Helo, &text(helo)))
                .and_then(|list| list.with_attribute(Login, &text(login)))
                .and_then(|list| list.with_attribute(Proto, &text("ESMTP")))
                .unwrap()
        };
        let short = list("a.example", "b.example", "ann");
        assert_eq!(
            texts(&xclient(&short, &offered).unwrap()),
            [
                "XCLIENT ADDR=192.0.2.7 PORT=1025 NAME=a.example HELO=b.example LOGIN=ann PROTO=ESMTP"
            ]
        );
        let (a, b, c) = (domain("a"), "b".repeat(255), "c".repeat(200));
        assert_eq!(
            texts(&xclient(&list(&a, &b, &c), &offered).unwrap()),
            [
                alloc::format!("XCLIENT HELO={b} LOGIN={c}"),
                alloc::format!("XCLIENT PROTO=ESMTP NAME={a} PORT=1025 ADDR=192.0.2.7"),
            ]
        );
        // To the octet: `XCLIENT `, this, CRLF.
        let around = short.as_str().len() + "XCLIENT \r\n".len() - "ann".len();
        for (octets, lines) in [(512, 1), (513, 2)] {
            let list = list("a.example", "b.example", &"a".repeat(octets - around));
            let commands = xclient(&list, &offered).unwrap();
            assert_eq!(commands.len(), lines, "{octets}");
            for line in texts(&commands) {
                assert!(line.len() + 2 <= 512, "{line}");
            }
            let last = texts(&commands).pop().unwrap();
            assert!(last.contains("ADDR=192.0.2.7"), "{last}");
        }
    }

    #[test]
    fn xforward_is_cut_in_the_order_of_the_list() {
        let offered = Extensions::NONE.with_xforward(AttributeName::ALL);
        let (a, b) = (domain("a"), "b".repeat(250));
        let list = XforwardAttributes::new(AttributeName::Addr, &text("192.0.2.7"))
            .and_then(|list| list.with_attribute(AttributeName::Name, &text(&a)))
            .and_then(|list| list.with_attribute(AttributeName::Helo, &text(&b)))
            .unwrap();
        assert_eq!(
            texts(&xforward(&list, &offered).unwrap()),
            [
                alloc::format!("XFORWARD ADDR=192.0.2.7 NAME={a}"),
                alloc::format!("XFORWARD HELO={b}")
            ]
        );
    }

    #[test]
    fn only_announced_attributes_are_sent() {
        let names = [AttributeName::Name, AttributeName::Helo];
        let long = "l".repeat(500);
        let list = XclientAttributes::new(AttributeName::Login, &text(&long))
            .and_then(|list| list.with_attribute(AttributeName::Addr, &text("192.0.2.7")))
            .and_then(|list| list.with_attribute(AttributeName::Name, &text("a.example")))
            .unwrap();
        let obstacles = |offered: &Extensions| xclient(&list, offered).unwrap_err().to_string();
        assert_eq!(
            obstacles(&Extensions::NONE.with_xclient(&names)),
            "the attribute LOGIN of XCLIENT is not offered; \
             the command line of XCLIENT would have 516 octets of 512; \
             the attribute ADDR of XCLIENT is not offered"
        );
        assert_eq!(
            obstacles(&Extensions::NONE.with_xforward(&names)),
            "the message needs XCLIENT, which is not offered"
        );
    }
}

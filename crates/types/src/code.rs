//! Stable error numbers: whose fault, whether to retry, what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable number, printed as `KRI-2101`. Numbers are never reused.
///
/// 1xxx: this machine and its configuration · 2xxx: a message and what became of it ·
/// 3xxx: identity, signatures, connections · 4xxx: storage · 9xxx: a fault in Kuriiri.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(u16);

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The one who sent or asked.
    Sender,
    /// The relay at the other end.
    Peer,
    /// The person who runs this relay.
    Operator,
    /// Kuriiri itself.
    Kuriiri,
}

impl Fault {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Peer => "peer",
            Self::Operator => "operator",
            Self::Kuriiri => "kuriiri",
        }
    }
}

macro_rules! codes {
    ($($name:ident = $number:literal, $fault:ident, $retry:literal, $title:literal, $advice:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: Self = Self($number);)*
        }

        /// Every code there is, in order: number, fault, whether a retry can help, title, advice.
        pub const CODES: &[(Code, Fault, bool, &str, &str)] =
            &[$((Code::$name, Fault::$fault, $retry, $title, $advice),)*];
    };
}

codes! {
    CONFIG = 1001, Operator, false, "The configuration is wrong.",
        "The message names the file and the key; correct it and run `kuriiri relay --check`.";
    KEY_FILE = 1002, Operator, false, "A key or certificate file cannot be used.",
        "Check that the file exists, is PEM, belongs to its pair, and that key files have mode 0600.";
    PORT = 1003, Operator, true, "The address to listen on is taken or not ours.",
        "Stop the other program or change `listen`.";
    POLICY_FILE = 1004, Operator, false, "A label, federation or policy file is wrong.",
        "The message names the file and what is wrong in it; nothing was activated.";
    USAGE = 1005, Operator, false, "The command was not understood.",
        "See `kuriiri --help`.";
    CLOSED = 1006, Operator, false, "The client was closed.",
        "The program closed it itself; make a new one to go on.";
    POLICY_SIGNATURE = 1007, Operator, false, "A policy file is not signed as it must be.",
        "Its signatures stand beside it in a file that ends in .sig and must be by persons whose certificates are pinned here. Sign the exact bytes again.";
    POLICY_ROLLBACK = 1008, Operator, false, "A policy file is older than the one in force.",
        "To go back to old rules, issue them again under a higher serial.";
    POLICY_EQUIVOCATION = 1009, Operator, false, "A policy file has the serial of the one in force and other content.",
        "Its signers contradict themselves: ask them which one is meant, and whether somebody else holds a key. Issue it again under a higher serial.";
    POLICY_EXPIRED = 1010, Operator, false, "The time of a policy file is over.",
        "The files in force stay in force. Issue it again with a later expiry.";
    POLICY_LINT = 1011, Operator, false, "The policy files do not fit together.",
        "The message lists every finding; nothing was activated.";
    POLICY_TESTS = 1012, Operator, false, "The tests that a policy file carries do not pass.",
        "Either the rules or the expectations are wrong; nothing was activated.";
    POLICY_SECOND_SIGNATURE = 1013, Operator, false, "A policy file permits something new and has one signature only.",
        "Have a second person read the difference and sign the same bytes.";
    LOG_KEY = 1014, Operator, false, "The key of a transparency log or a witness cannot be used.",
        "Every member's relay needs `log` in the federation file, and this relay's key file must belong to its own.";
    LOG_FOLDER = 1015, Operator, false, "The folder of a transparency log cannot be read, or lacks what was asked for.",
        "Give the folder with `checkpoint` and `tile`, or that of its relay; copy it again if files are missing.";
    LOG_KEPT = 1016, Operator, false, "No header beside the log may leave now.",
        "The reason says why. `[log.retention]` of the relay's configuration says how long headers are kept; without it they stay for good.";
    POLICY_MISSING = 1017, Operator, false, "A policy file that was in force is no longer among the files.",
        "Nobody signs that a file is taken out. Put in its place one that two persons signed, or take it out where less is permitted without it.";
    POLICY_JUMP = 1018, Operator, false, "The serial of a policy file rises by too much at once.",
        "A serial rises by at most 4,294,967,295, so that no single file can use up all of them. Issue it again under a lower serial.";
    REVOCATION_OLDER = 1019, Operator, false, "A revocation list is older than the one that was in force.",
        "What is in force stays in force. Put the ministry's newest list in its place and reload: an older one lets in whoever was revoked since.";
    REVOCATION_CONTRADICTION = 1020, Operator, false, "A revocation list has the number of the one that was in force and other content.",
        "What is in force stays in force. Ask the ministry which one is meant, and whether somebody else holds its authority's key; it issues a list with a higher number.";
    REVOCATION_MISSING = 1021, Operator, false, "A revocation list that was in force is gone.",
        "What is in force stays in force. Put the ministry's newest list in its place and reload. If the ministry publishes none any more, say so by adding it to `danger-without-revocation`.";
    POLICY = 2101, Sender, false, "The label does not allow this message to go there.",
        "The receipt at home lists every reason. Choose other recipients or ask a security officer.";
    MALFORMED = 2102, Sender, false, "The message breaks the rules of the format.",
        "Correct the message; sending it again unchanged cannot help.";
    EXPIRED = 2103, Sender, false, "The message could not be delivered in time.",
        "Send a new message if it still matters.";
    TOO_BIG = 2104, Sender, false, "The body is larger than its label or this relay allows.",
        "Split it, or ask what the limit for this label is.";
    BUSY = 2105, Peer, true, "A queue or a disk on the way is full.",
        "Nothing to do: the message is kept and tried again. If it lasts, look at the mailboxes and the disk of the relay that says so.";
    UNKNOWN_RECIPIENT = 2106, Sender, false, "There is no such mailbox or ministry.",
        "Check the address.";
    NOT_YOURS = 2107, Sender, false, "This system may not use that address.",
        "A system sends as, and reads from, only the addresses that its ministry's relay.toml gives it.";
    NO_ROUTE = 2108, Operator, false, "No relay on the way may carry this message there.",
        "A direct link or a hub with carriage for the label is needed.";
    WITHDRAWN = 2109, Sender, false, "A change of policy withdrew the message before it was sent.",
        "The receipt at home lists every reason.";
    NEEDS_RELEASE = 2110, Sender, false, "The label asks for releasing officers, and too few have released the message.",
        "Officers of the sender's own ministry release it there; no relay on the way can wait for them.";
    APPROVAL_VOID = 2111, Sender, false, "The approval is not of this message.",
        "The message was changed after it was read, or the approval belongs to another one. Read it as it is now and approve that.";
    RELEASE_REJECTED = 2112, Sender, false, "An officer rejected the release of the message.",
        "The receipt at home has the officer's note. Correct what it says and send a new message.";
    OFFICER_UNKNOWN = 2113, Operator, false, "The officer is not enrolled here, or does not hold the role.",
        "The ministry's relay knows its officers and their roles by its own configuration; enrol the officer there.";
    OWN_DRAFT = 2114, Sender, false, "Whoever wrote a message cannot release it.",
        "Another officer must read it and release it.";
    APPROVAL_OVER = 2115, Sender, false, "The time of the approval is over.",
        "The officer must read the message and approve it again.";
    NO_HOLD = 2116, Sender, false, "No such message waits for release.",
        "It was released, rejected or withdrawn, or its time was over. List what waits.";
    WINDOW_CLOSED = 2117, Sender, true, "Messages of this label go at certain times only, and this is none.",
        "A message that was accepted goes by itself when the time comes.";
    RATE_EXCEEDED = 2118, Sender, true, "More messages of this label than may go in an hour.",
        "A message that was accepted goes by itself when there is room. Otherwise send it again later.";
    ERASED = 2119, Sender, false, "The body was erased by order before it was delivered.",
        "Header and receipts stand. The log of the relay that erased it names the order; send a new message if it may be sent again.";
    NOT_HEARD = 2120, Peer, false, "The receipt is not about a message that went through this relay, or its issuer is not on the message's way.",
        "Nothing: the relay keeps no such receipt. If a partner's relay gives many of them, ask its operator.";
    ASIDE_FULL = 2121, Operator, true, "As many messages of the mailbox are set aside as may be.",
        "Look at them with `kuriiri aside list`, mend the cause, then have them given out again with `kuriiri aside retry` or end them with `kuriiri aside refuse`. The mailbox gives nothing out before.";
    LINK_ENDS = 2122, Peer, false, "The next relay ended the link each time this message was handed over.",
        "It takes others. Ask its operator why, then have the message tried again with `kuriiri aside retry`, or end it with `kuriiri aside refuse`.";
    UNACCEPTABLE = 2123, Sender, false, "The recipient's system cannot accept the message.",
        "The reason is known at its relay. Ask the recipient, and send a new message.";
    SHARE_SPENT = 2124, Sender, true, "As much of this sender waits there as may.",
        "Send again when some of it has gone. If the recipient takes nothing, look at its mailbox; if its relay is away, ask its operator.";
    QUEUE_FULL = 2125, Peer, true, "The mailbox, or the queue for the next relay, is full.",
        "Send again later. If it lasts, ask the recipient's ministry whether its systems take their messages.";
    SEAL_FALSE = 2126, Sender, false, "The header says that the body is sealed, and the body is not laid out so.",
        "The system that made the message seals its body to the keys that the header names, or names none. Sending it again unchanged cannot help.";
    NOT_YET = 2127, Sender, true, "The message is of a time to come.",
        "The clock of the system that made it is ahead, or that of the relay that says so is behind. Run NTP at both.";
    SAID_BEFORE = 2128, Peer, false, "Its issuer has said the same about a message before, in other words, and too often.",
        "Nothing to do: what was said first counts. If it comes from an honest relay, ask its operator why it states the same again.";
    SIGNATURE = 3101, Sender, false, "A signature, its path or its certificate does not verify.",
        "The sender's signing certificate must be issued by its ministry and valid when it signed.";
    PEER_CERTIFICATE = 3102, Peer, false, "The other side's certificate was not accepted.",
        "Check that its ministry's CA and CRL here are current, and that the certificate names the right holder.";
    UNREACHABLE = 3103, Peer, true, "The relay cannot be reached.",
        "It is tried again by itself; check its address, its port and the firewall between.";
    PROTOCOL = 3104, Peer, false, "The other side broke the protocol.",
        "Compare versions; if both are current, report it.";
    REJECTED = 3105, Operator, false, "The relay refused this identity.",
        "The system's certificate must be issued by the relay's ministry and listed in its relay.toml.";
    NOT_AN_OFFICER = 3106, Sender, false, "Only an officer of this ministry may do this.",
        "Connect with a certificate of the form spiffe://ministry/officer/name, issued by the relay's own ministry.";
    NOT_WITNESSED = 3107, Peer, true, "No witness has cosigned the log yet.",
        "Ask again in some seconds. If it lasts, the relay whose log it is has no link with its witnesses: `kuriiri log status` there says which are missing.";
    TOO_MANY_LINKS = 3108, Sender, true, "There are as many links as may be at once.",
        "A system or person that has several programs open closes some of them; otherwise the relay is full, and it is tried again by itself.";
    TOO_SLOW = 3109, Peer, true, "The other side began something and did not go on in time.",
        "It is tried again by itself. If it lasts, look at the line between the two, and at the load of the other side.";
    NOT_LINKED = 3110, Operator, false, "The federation file has no link between the two ministries.",
        "Relays speak with those alone with which the federation file links them. If it should, have the file changed and signed.";
    TRUST_LAPSED = 3111, Operator, true, "What is needed to check a signature is missing or out of date here.",
        "The reason names the ministry: put its authority or its newest revocation list in place and reload. Messages wait at their giver meanwhile.";
    TOO_MANY_SUBSCRIPTIONS = 3112, Sender, true, "As many subscriptions of this system are open as may be.",
        "End some: a mailbox needs one for each program that reads it.";
    STORE_CORRUPT = 4101, Operator, false, "The state on disk is damaged.",
        "Keep the folder as it is, restore it from a copy, or start on an empty one and let peers send again.";
    STORE_IO = 4102, Operator, true, "The disk failed.",
        "Look into the system's log, replace the disk and start the relay again; nothing acknowledged is lost.";
    STORE_LOCKED = 4103, Operator, true, "Another process uses this state folder.",
        "Only one relay may run on a folder; stop the other one.";
    LOG_BEHIND = 4104, Operator, false, "The log is behind what its witnesses hold.",
        "This state folder is an old copy. Start the newest one; if it is lost, begin a new log with `kuriiri log renew`, and tell the auditors.";
    STORE_FORMAT = 4105, Operator, false, "Another version of Kuriiri wrote the state on disk.",
        "Start the version that wrote it and let it empty its queues; this version begins on an empty folder.";
    OUTPUT = 4106, Operator, true, "What a command puts out could not be written.",
        "The message names the place. Free space there or give another place, and run the command again: no message is confirmed that was not written.";
    STORE_FULL = 4107, Operator, true, "No room is left on the disk.",
        "Free some; what waits goes on by itself. Nothing acknowledged is lost.";
    STORE_QUOTA = 4108, Operator, true, "The quota of the relay's user is used up.",
        "Free some of it or have it raised; what waits goes on by itself. Nothing acknowledged is lost.";
    OPEN_FILES = 4109, Operator, true, "Too many files are open.",
        "Raise the limit of the service (LimitNOFILE) or of the machine (fs.file-max), or end what holds so many.";
    STORE_READ_ONLY = 4110, Operator, false, "The file system of the state can only be read.",
        "It is mounted so, or the system made it so after a fault: see its log. Mount it for writing and start the relay again.";
    STORE_OWNER = 4111, Operator, false, "The state folder belongs to another user.",
        "Whoever owns it can change what is in it. Give it to the user that the relay runs as (chown), or run the relay as its owner.";
    INTERNAL = 9001, Kuriiri, true, "A fault in Kuriiri.",
        "Please report it with the log.";
}

impl Code {
    /// The number without its prefix.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The code with this number, if it is known to this version.
    pub fn from_number(number: u32) -> Option<Self> {
        CODES.iter().map(|entry| entry.0).find(|code| u32::from(code.0) == number)
    }

    /// The code with this number, which a newer version may have given a meaning: 1000 to 9999.
    pub fn from_any_version(number: u16) -> Option<Self> {
        (1000..=9999).contains(&number).then_some(Self(number))
    }

    /// Whose fault it is.
    pub fn fault(self) -> Fault {
        self.entry().map_or(Fault::Kuriiri, |entry| entry.1)
    }

    /// Whether doing the same again can help.
    pub fn retry(self) -> bool {
        self.entry().is_some_and(|entry| entry.2)
    }

    /// One sentence: what it is.
    pub fn title(self) -> &'static str {
        self.entry().map_or("Unknown code.", |entry| entry.3)
    }

    /// One or two sentences: what to do next.
    pub fn advice(self) -> &'static str {
        self.entry().map_or("Compare versions.", |entry| entry.4)
    }

    fn entry(self) -> Option<&'static (Self, Fault, bool, &'static str, &'static str)> {
        CODES.iter().find(|entry| entry.0 == self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KRI-{:04}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_sorted_and_explained() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, _, _, title, advice) in CODES {
            assert!(title.ends_with('.') && advice.ends_with('.'), "{code}");
            assert_eq!(Code::from_number(code.number().into()), Some(*code));
        }
        assert_eq!(Code::POLICY.to_string(), "KRI-2101");
        assert_eq!(Code::from_number(7), None);
        assert_eq!(Code::from_any_version(2999).unwrap().title(), "Unknown code.");
        assert_eq!(Code::from_any_version(2101), Some(Code::POLICY));
        assert_eq!((Code::from_any_version(7), Code::from_any_version(10_000)), (None, None));
    }
}

//! The reasons in the words of people, in three languages.

use crate::{
    label::LabelFault,
    reason::{Lack, Missing, Reason},
    text::{Lang, Trilingual, fill, pick},
};

impl Reason {
    /// One sentence for people at home. Never for a foreign peer: it tells what others may have.
    pub fn text(&self, lang: Lang) -> String {
        fill(pick(self.sentence(), lang), &self.arguments(lang))
    }

    fn sentence(&self) -> Trilingual {
        match self {
            Self::Gate { lack, .. } => lack.sentence(),
            Self::Label(fault) => label_sentence(fault),
            Self::Missing(missing) => missing.sentence(),
            Self::NoEquivalence(_) => POLICY_UNKNOWN,
            Self::UnknownNode(_) => UNKNOWN_NODE,
            Self::Unlabelled => UNLABELLED,
            Self::Unverified => UNVERIFIED,
            Self::TranslationRefused(_) => TRANSLATION_REFUSED,
            Self::AlternativeDisagrees => ALTERNATIVE_DISAGREES,
            Self::Forbidden(_) => FORBIDDEN,
            Self::NoRule(_) => NO_RULE,
            Self::TransitForbidden(_) => TRANSIT_FORBIDDEN,
            Self::SealRequired => SEAL_REQUIRED,
            Self::TooBig { .. } => TOO_BIG,
            Self::Expired => EXPIRED,
            Self::Precedence(_) => PRECEDENCE,
            Self::OnwardForbidden => ONWARD_FORBIDDEN,
            Self::NoRoute => NO_ROUTE,
            Self::Hops | Self::Loop => WRONG_WAY,
        }
    }

    fn arguments(&self, lang: Lang) -> Vec<(&'static str, String)> {
        match self {
            Self::Gate { node, lack, .. } => {
                let mut arguments = lack.arguments(lang);
                arguments.push(("n", node.pick(lang).into()));
                arguments
            }
            Self::Label(fault) => {
                let subject = fault.subject().to_owned();
                vec![("p", subject.clone()), ("v", subject)]
            }
            Self::Missing(missing) => missing.arguments(),
            Self::NoEquivalence(policy) => vec![("p", policy.clone())],
            Self::TranslationRefused(what) => vec![("v", what.clone())],
            Self::Forbidden(level) | Self::NoRule(level) | Self::TransitForbidden(level) => {
                vec![("l", level.pick(lang).into())]
            }
            Self::TooBig { size, max } => vec![("a", size.to_string()), ("b", max.to_string())],
            Self::Precedence(precedence) => vec![("a", precedence.to_string())],
            Self::UnknownNode(_)
            | Self::Unlabelled
            | Self::Unverified
            | Self::AlternativeDisagrees
            | Self::SealRequired
            | Self::Expired
            | Self::Hops
            | Self::Loop
            | Self::OnwardForbidden
            | Self::NoRoute => Vec::new(),
        }
    }
}

impl Missing {
    /// One sentence for people at home: what the message waits for.
    pub fn text(&self, lang: Lang) -> String {
        fill(pick(self.sentence(), lang), &self.arguments())
    }

    fn sentence(&self) -> Trilingual {
        match self {
            Self::Approvals { .. } => [
                "Odottaa hyväksyntöjä: {k}/{n}.",
                "Väntar på godkännanden: {k}/{n}.",
                "Waiting for releasing officers: {k}/{n}.",
            ],
            Self::ApproverRole(_) => [
                "Odottaa hyväksyntää roolissa {k}.",
                "Väntar på godkännande i rollen {k}.",
                "Waiting for a releasing officer in the role {k}.",
            ],
            Self::OriginatorConsent => [
                "Odottaa laatijan lupaa.",
                "Väntar på upphovsmannens tillstånd.",
                "Waiting for the originator's consent.",
            ],
        }
    }

    fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Approvals { have, need } => {
                vec![("k", have.to_string()), ("n", need.to_string())]
            }
            Self::ApproverRole(role) => vec![("k", role.clone())],
            Self::OriginatorConsent => Vec::new(),
        }
    }
}

impl Lack {
    fn sentence(&self) -> Trilingual {
        match self {
            Self::Clearance => [
                "Solmulla {n} ei ole valtuutta tässä luokituspolitiikassa.",
                "Noden {n} saknar behörighet enligt denna policy.",
                "Node {n} holds no clearance under this policy.",
            ],
            Self::Transit => [
                "Solmu {n} ei välitä muiden viestejä.",
                "Noden {n} förmedlar inte andras meddelanden.",
                "Node {n} does not carry traffic for others.",
            ],
            Self::Level(_) => [
                "Solmulla {n} ei ole oikeutta luokkaan {l}.",
                "Noden {n} har inte behörighet till klassen {l}.",
                "Node {n} is not cleared for level {l}.",
            ],
            Self::Restrictive { .. } => [
                "Solmulta {n} puuttuu {t}: {v}. Kaikki vaaditaan.",
                "Noden {n} saknar {t}: {v}. Alla krävs.",
                "Node {n} lacks {t}: {v}. All are required.",
            ],
            Self::Permissive { .. } => [
                "Solmu {n} ei kuulu joukkoon {t}: {v}. Yksi riittäisi.",
                "Noden {n} hör inte till {t}: {v}. En skulle räcka.",
                "Node {n} is not among {t}: {v}. One would do.",
            ],
        }
    }

    fn arguments(&self, lang: Lang) -> Vec<(&'static str, String)> {
        match self {
            Self::Clearance | Self::Transit => Vec::new(),
            Self::Level(level) => vec![("l", level.pick(lang).into())],
            Self::Restrictive { tag, values } | Self::Permissive { tag, values } => {
                vec![("t", tag.clone()), ("v", values.clone())]
            }
        }
    }
}

const UNKNOWN_NODE: Trilingual = [
    "Solmua ei ole liittouman luettelossa.",
    "Noden finns inte i federationens förteckning.",
    "The federation has no such node.",
];
const UNLABELLED: Trilingual = [
    "Viestissä ei ole luokitusmerkintää.",
    "Meddelandet saknar märkning.",
    "The message has no label.",
];
const UNVERIFIED: Trilingual = [
    "Merkinnän allekirjoitusta ei voitu todentaa.",
    "Märkningens signatur kunde inte verifieras.",
    "The signature over the label did not verify.",
];
const TRANSLATION_REFUSED: Trilingual = [
    "Merkintää ei voi muuntaa menettämättä rajoitusta {v}.",
    "Märkningen kan inte översättas utan att begränsningen {v} går förlorad.",
    "The label cannot be translated without losing {v}.",
];
const ALTERNATIVE_DISAGREES: Trilingual = [
    "Viestin vastaava merkintä poikkeaa muunnostaulukosta.",
    "Meddelandets motsvarande märkning avviker från tabellen.",
    "The message's equivalent label differs from our table.",
];
const FORBIDDEN: Trilingual = [
    "Luokkaa {l} ei saa lähettää tässä verkossa.",
    "Klassen {l} får inte sändas i detta nät.",
    "Level {l} may not be sent in this network.",
];
const NO_RULE: Trilingual = [
    "Luokalle {l} ei ole käsittelysääntöä.",
    "Klassen {l} saknar hanteringsregel.",
    "No handling rule covers level {l}.",
];
const TRANSIT_FORBIDDEN: Trilingual = [
    "Luokka {l} on lähetettävä suoraan vastaanottajalle.",
    "Klassen {l} ska sändas direkt till mottagaren.",
    "Level {l} must go directly to the recipient.",
];
const SEAL_REQUIRED: Trilingual = [
    "Viesti on salattava päästä päähän.",
    "Meddelandet ska krypteras från ände till ände.",
    "The message must be sealed end to end.",
];
const TOO_BIG: Trilingual = [
    "Viesti on liian suuri: {a} / {b} tavua.",
    "Meddelandet är för stort: {a} / {b} byte.",
    "The message is too big: {a} / {b} bytes.",
];
const EXPIRED: Trilingual = [
    "Viestin määräaika on päättynyt.",
    "Meddelandets tid har gått ut.",
    "The message has expired.",
];
const PRECEDENCE: Trilingual = [
    "Kiireellisyys {a} ei ole sallittu tässä luokassa.",
    "Angelägenhetsgraden {a} är inte tillåten i denna klass.",
    "Precedence {a} is not allowed at this level.",
];
const ONWARD_FORBIDDEN: Trilingual = [
    "Viestiä ei saa lähettää edelleen.",
    "Meddelandet får inte vidarebefordras.",
    "The message may not be forwarded.",
];
const NO_ROUTE: Trilingual = [
    "Vastaanottajalle ei ole suoraa yhteyttä eikä välittävää solmua.",
    "Det finns varken direkt förbindelse till mottagaren eller någon förmedlande nod.",
    "There is neither a direct link to the recipient nor a hub between.",
];
const WRONG_WAY: Trilingual = [
    "Reitti on liian pitkä tai kiertää kehää.",
    "Vägen är för lång eller går i cirkel.",
    "The route is too long or loops.",
];
const POLICY_UNKNOWN: Trilingual = [
    "Luokituspolitiikkaa {p} ei tunneta eikä vastaavuutta ole.",
    "Policyn {p} är okänd och saknar motsvarighet.",
    "Policy {p} is unknown and has no equivalence.",
];

fn label_sentence(fault: &LabelFault) -> Trilingual {
    match fault {
        LabelFault::PolicyUnknown(_) => POLICY_UNKNOWN,
        LabelFault::LevelUnknown(_) | LabelFault::CategoryUnknown(_) => [
            "Merkinnässä on tuntematon arvo {v}.",
            "Märkningen har ett okänt värde {v}.",
            "The label has an unknown value {v}.",
        ],
        LabelFault::Malformed | LabelFault::TypeMismatch(_) => {
            ["Merkintä on virheellinen.", "Märkningen är felaktig.", "The label is malformed."]
        }
        LabelFault::ExcludedLevel(_)
        | LabelFault::ExcludedCategory(_)
        | LabelFault::RequiredCategory(_) => [
            "Merkintä ei ole luettelon mukainen: {v}.",
            "Märkningen följer inte katalogen: {v}.",
            "The label breaks the catalogue: {v}.",
        ],
        LabelFault::Obsolete(_) => [
            "Arvo {v} on poistunut käytöstä.",
            "Värdet {v} används inte längre.",
            "The value {v} is no longer in use.",
        ],
        LabelFault::SuccessionUncertain => [
            "Merkintä on juuri vaihtumassa eikä vanhaa ja uutta voi yhdistää; yritä hetken päästä.",
            "Märkningen byts just nu och den gamla och den nya går inte att förena; försök om en stund.",
            "The label is just changing and old and new have no common reading; try again shortly.",
        ],
    }
}

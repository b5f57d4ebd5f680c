//! An explanation in plain lines, for somebody who has never seen a rule.

use super::{ExplainedGate, Explanation, InForce, LabelSource};
use crate::{
    report::{Duties, Word},
    text::{Lang, Trilingual, pick},
};

impl Word {
    /// The outcome as people say it.
    pub fn text(self, lang: Lang) -> &'static str {
        let words = match self {
            Self::Permit => ["SALLITTU", "TILLÅTET", "PERMITTED"],
            Self::Hold => ["ODOTTAA IHMISIÄ", "VÄNTAR PÅ MÄNNISKOR", "WAITS FOR PEOPLE"],
            Self::Deny => ["KIELLETTY", "NEKAT", "DENIED"],
        };
        pick(words, lang)
    }
}

impl Explanation {
    /// Lines of plain text, without a line end. The outcome and its reasons come first, then the
    /// label, the rules, every node that was asked, the limits and what people have to do. What
    /// failed is marked with `✗`, what waits with `…`.
    pub fn render(&self, lang: Lang) -> Vec<String> {
        let mut lines = vec![self.decision.text(lang).to_owned()];
        for reason in &self.reasons {
            let mark = if self.decision == Word::Hold { "…" } else { "✗" };
            lines.push(format!("  {mark} {} [{}]", reason.text.pick(lang), reason.code));
        }
        self.render_label(lang, &mut lines);
        self.render_rules(lang, &mut lines);
        for gate in &self.gates {
            render_gate(gate, lang, &mut lines);
        }
        if !self.limits.is_empty() {
            lines.push(pick(LIMITS, lang).into());
        }
        for limit in &self.limits {
            let mark = mark(limit.kept);
            let (what, allowed) = (limit.what.pick(lang), pick(ALLOWED, lang));
            lines.push(format!("  {mark} {what}: {} ({allowed}: {})", limit.given, limit.allowed));
        }
        if !self.acts.is_empty() {
            lines.push(pick(PEOPLE, lang).into());
        }
        for act in &self.acts {
            let mark = if act.have >= act.need { "✓" } else { "…" };
            lines.push(format!(
                "  {mark} {}: {}/{}",
                act_words(&act.act, lang),
                act.have,
                act.need
            ));
        }
        lines
    }

    fn render_label(&self, lang: Lang, lines: &mut Vec<String>) {
        lines.push(pick(LABEL, lang).into());
        if let Some(written) = &self.label.written {
            lines.push(format!("  {}: {written}", pick(WRITTEN, lang)));
        }
        if let (Some(effective), Some(marking)) = (&self.label.effective, &self.label.marking) {
            lines.push(format!("  {}: {effective} – {}", pick(COUNTS, lang), marking.pick(lang)));
        }
        let why = match self.label.source {
            LabelSource::Own => None,
            LabelSource::Default => Some(BY_DEFAULT),
            LabelSource::Translation => Some(BY_TABLE),
            LabelSource::Alternative => Some(BY_TRANSLATOR),
            LabelSource::None => Some(BY_NOTHING),
        };
        lines.extend(why.map(|why| format!("  {}", pick(why, lang))));
        let change = self.label.succession.map(|in_force| match in_force {
            InForce::Old => OLD,
            InForce::New => NEW,
            InForce::Both => BOTH,
        });
        lines.extend(change.map(|change| format!("  {}", pick(change, lang))));
    }

    fn render_rules(&self, lang: Lang, lines: &mut Vec<String>) {
        let Some(asked) = &self.asked else {
            return;
        };
        lines.push(pick(RULES, lang).into());
        if self.rules.is_empty() {
            lines.push(format!("  {}", pick(NO_RULES, lang)));
        }
        for rule in &self.rules {
            let mut asks = rule.asks.lines(lang);
            if rule.forbids {
                asks.insert(0, pick(FORBIDS, lang).into());
            }
            let asks = if asks.is_empty() { pick(NOTHING, lang).into() } else { asks.join("; ") };
            let local = if rule.local { pick(LOCAL, lang) } else { "" };
            lines.push(format!("  {}{local}: {asks}", rule.id));
        }
        lines.push(pick(TOGETHER, lang).into());
        lines.extend(together(asked, lang));
    }
}

fn together(asked: &Duties, lang: Lang) -> Vec<String> {
    let lines = asked.lines(lang);
    if lines.is_empty() {
        return vec![format!("  {}", pick(NOTHING, lang))];
    }
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

fn render_gate(gate: &ExplainedGate, lang: Lang, lines: &mut Vec<String>) {
    let words = match gate.gate {
        "origin" => ["lähettäjä", "avsändare", "origin"],
        "prev" => ["edellinen solmu", "föregående nod", "previous node"],
        "self" => ["tämä solmu", "denna nod", "this node"],
        "next" => ["välittävä solmu", "förmedlande nod", "hub"],
        _ => ["vastaanottaja", "mottagare", "destination"],
    };
    let by = match gate.by {
        "carriage" => ["välitysvaltuus", "förmedlingsbehörighet", "carriage"],
        "person" => ["henkilön käyttövaltuus", "personens behörighet", "clearance of the person"],
        _ => ["käyttövaltuus", "behörighet", "clearance"],
    };
    let name = gate.name.as_ref().map_or("?", |name| name.pick(lang));
    let (mark, place, by) = (mark(gate.passed), pick(words, lang), pick(by, lang));
    lines.push(format!("{mark} {place}: {name} ({}), {by}", gate.node));
    lines.push(format!("    {}: {}", pick(NEEDS, lang), gate.needs.join(" ")));
    let held: Vec<&str> = gate.levels.iter().chain(&gate.grants).map(String::as_str).collect();
    let held = if held.is_empty() { pick(NOTHING, lang).into() } else { held.join(" ") };
    lines.push(format!("    {}: {held}", pick(HOLDS, lang)));
    lines.extend(gate.lacks.iter().map(|lack| format!("    ✗ {}", lack.text.pick(lang))));
}

fn mark(good: bool) -> &'static str {
    if good { "✓" } else { "✗" }
}

fn act_words(act: &str, lang: Lang) -> String {
    match act {
        "approvals" => pick(["hyväksyntöjä", "godkännanden", "releases by officers"], lang).into(),
        "consent" => {
            pick(["laatijan lupa", "upphovsmannens tillstånd", "originator's consent"], lang).into()
        }
        role => {
            let role = role.strip_prefix("role ").unwrap_or(role);
            format!("{} {role}", pick(["roolissa", "i rollen", "in the role"], lang))
        }
    }
}

const LABEL: Trilingual = ["Merkintä", "Märkning", "Label"];
const WRITTEN: Trilingual = ["kirjoitettu", "skriven", "as written"];
const COUNTS: Trilingual = ["voimassa", "gällande", "in force"];
const BY_DEFAULT: Trilingual = [
    "merkintää ei ollut: luettelon oletusmerkintä",
    "märkning saknas: katalogens standardmärkning",
    "there was none: the default of the catalogue",
];
const BY_TABLE: Trilingual = [
    "muunnettu omalla muunnostaulukolla; laatijan merkintä ei muutu",
    "översatt med vår egen tabell; upphovsmannens märkning ändras inte",
    "translated by our own table; the originator's label does not change",
];
const BY_TRANSLATOR: Trilingual = [
    "luotetun kääntäjän vastaava merkintä",
    "motsvarande märkning från en betrodd översättare",
    "equivalent label by a trusted translator",
];
const BY_NOTHING: Trilingual = [
    "mihinkään merkintään ei voi luottaa",
    "ingen märkning går att lita på",
    "no label can be relied on",
];
const OLD: Trilingual = [
    "suunniteltu muutos ei ole vielä voimassa",
    "den planerade ändringen gäller inte ännu",
    "the planned change is not in force yet",
];
const NEW: Trilingual = [
    "suunniteltu muutos on voimassa",
    "den planerade ändringen gäller",
    "the planned change is in force",
];
const BOTH: Trilingual = [
    "muutos on juuri tulossa: molemmat merkinnät sitovat",
    "ändringen sker just nu: båda märkningarna binder",
    "the change is just due: both labels bind",
];
const RULES: Trilingual = ["Säännöt", "Regler", "Rules"];
const NO_RULES: Trilingual =
    ["yksikään ei koske viestiä", "ingen gäller meddelandet", "none matches"];
const LOCAL: Trilingual =
    [" (ministeriön oma)", " (ministeriets egen)", " (of the ministry itself)"];
const FORBIDS: Trilingual = ["kieltää", "förbjuder", "forbids"];
const NOTHING: Trilingual = ["ei mitään", "ingenting", "nothing"];
const TOGETHER: Trilingual =
    ["Yhdessä, tiukin voittaa", "Tillsammans, strängast gäller", "Together, strictest wins"];
const LIMITS: Trilingual = ["Rajat", "Gränser", "Limits"];
const ALLOWED: Trilingual = ["sallittu", "tillåtet", "allowed"];
const PEOPLE: Trilingual = ["Ihmisten tehtävät", "Människors uppgifter", "What people do"];
const NEEDS: Trilingual = ["tarvitaan", "krävs", "needs"];
const HOLDS: Trilingual = ["on", "har", "holds"];

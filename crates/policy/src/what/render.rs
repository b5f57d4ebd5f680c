//! What can go, in plain lines.

use super::{What, WhatForm, WhatLevel, WhatRoute, WhatRule, WhatTag};
use crate::text::{Lang, pick};

impl What {
    /// Lines of plain text: each level with its ways, what every message needs, what categories
    /// may stand in the label, and what further rules add.
    pub fn render(&self, lang: Lang) -> Vec<String> {
        let mut lines = vec![format!("{} → {} ({})", self.from, self.to, self.policy)];
        for level in &self.levels {
            render_level(level, lang, &mut lines);
        }
        lines
    }
}

fn render_level(level: &WhatLevel, lang: Lang, lines: &mut Vec<String>) {
    let mark = if level.can_go { "✓" } else { "✗" };
    lines.push(format!("{mark} {} – {}", level.level, level.marking.pick(lang)));
    lines.extend(level.never.iter().map(|told| format!("    ✗ {}", told.text.pick(lang))));
    if !level.never.is_empty() {
        return;
    }
    if level.can_go {
        lines.extend(level.asks.lines(lang).iter().map(|line| format!("    {line}")));
        if !level.required_tags.is_empty() {
            let required = level.required_tags.join(", ");
            lines.push(format!("    {}: {required}", pick(REQUIRED, lang)));
        }
    }
    level.routes.iter().for_each(|route| render_route(route, lang, lines));
    if level.routes.is_empty() {
        lines.push(format!("    ✗ {}", pick(NO_WAY, lang)));
    }
    if level.can_go {
        level.rules.iter().for_each(|rule| render_rule(rule, lang, lines));
    }
}

fn render_route(route: &WhatRoute, lang: Lang, lines: &mut Vec<String>) {
    let way = match &route.via {
        None => pick(DIRECT, lang).to_owned(),
        Some(hub) => format!("{} {hub}", pick(VIA, lang)),
    };
    let forms = [(SEALED, &route.sealed), (CLEAR, &route.clear)];
    // Two forms that allow the same are one line.
    if route.sealed.open && route.clear.open && route.sealed.tags == route.clear.tags {
        lines.push(format!("    ✓ {way}, {}", pick(EITHER, lang)));
        render_tags(&route.sealed, lang, lines);
        return;
    }
    for (words, form) in forms {
        let words = pick(words, lang);
        if form.open {
            lines.push(format!("    ✓ {way}, {words}"));
            render_tags(form, lang, lines);
        } else {
            let why: Vec<&str> = form.why.iter().map(|told| told.text.pick(lang)).collect();
            lines.push(format!("    ✗ {way}, {words}: {}", why.join(" ")));
        }
    }
}

fn render_tags(form: &WhatForm, lang: Lang, lines: &mut Vec<String>) {
    lines.extend(form.tags.iter().map(|tag| format!("        {}", tag_line(tag, lang))));
}

fn tag_line(tag: &WhatTag, lang: Lang) -> String {
    if tag.kind == "permissive" {
        if tag.one_of.iter().any(|need| need.values.is_empty()) {
            return format!("{}: {}", tag.tag, pick(NOT_AT_ALL, lang));
        }
        let needs = tag.one_of.iter().map(|n| format!("{} ({})", n.values.join("|"), n.node));
        let needs: Vec<String> = needs.collect();
        return format!("{}: {} {}", tag.tag, pick(ONE_OF_EACH, lang), needs.join(", "));
    }
    if tag.usable.is_empty() {
        return format!("{}: {}", tag.tag, pick(NOT_AT_ALL, lang));
    }
    format!("{}: {}", tag.tag, tag.usable.join(", "))
}

fn render_rule(rule: &WhatRule, lang: Lang, lines: &mut Vec<String>) {
    let mut when = rule.has.clone();
    if !rule.any.is_empty() {
        when.push(rule.any.join(" | "));
    }
    if !rule.types.is_empty() {
        when.push(rule.types.join(" | "));
    }
    let mut asks = rule.rule.asks.lines(lang);
    if rule.rule.forbids {
        asks.insert(0, pick(FORBIDDEN, lang).into());
    }
    if !asks.is_empty() {
        let (when, asks) = (when.join(" + "), asks.join("; "));
        lines.push(format!("    {} {when}: {asks} [{}]", pick(WITH, lang), rule.rule.id));
    }
}

const REQUIRED: [&str; 3] = ["merkinnässä oltava", "märkningen ska ha", "the label must have"];
const NO_WAY: [&str; 3] = ["reittiä ei ole", "ingen väg finns", "there is no way"];
const DIRECT: [&str; 3] = ["suoraan", "direkt", "direct"];
const VIA: [&str; 3] = ["solmun kautta:", "via noden", "via hub"];
const SEALED: [&str; 3] = ["salattuna", "krypterat", "sealed"];
const CLEAR: [&str; 3] = ["salaamatta", "okrypterat", "in clear"];
const EITHER: [&str; 3] =
    ["salattuna tai salaamatta", "krypterat eller okrypterat", "sealed or in clear"];
const ONE_OF_EACH: [&str; 3] =
    ["jos on, yksi kustakin:", "om den finns, ett av varje:", "if present, one of each:"];
const NOT_AT_ALL: [&str; 3] = ["ei lainkaan", "inte alls", "not at all"];
const FORBIDDEN: [&str; 3] = ["kielletty", "förbjudet", "forbidden"];
const WITH: [&str; 3] = ["kun", "med", "with"];

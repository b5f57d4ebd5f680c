//! Which way: direct before hub, and what is told when neither will do.

use kuriiri_policy::{Facts, Policy, Reason, Route};

use crate::example::{Files, NOW, label, node, unlabelled};

fn route<'a>(
    policy: &Policy,
    from: &str,
    to: &str,
    text: &str,
    change: impl FnOnce(&mut Facts<'a>),
) -> String {
    // The next node that the facts carry is wrong on purpose: it must not be looked at.
    let mut facts = unlabelled(policy, [from, "arkisto", to]);
    change(&mut facts);
    let wire = label(text);
    let label = Some(&wire);
    let facts = Facts { label, ..facts };
    match policy.next_hop(NOW, &facts) {
        Ok(Route::Forward(next, _)) => policy.federation().get(next).unwrap().id().to_owned(),
        Ok(Route::Arrived(_)) => "arrived".into(),
        Ok(Route::Hold(_, missing)) => format!("hold {}", missing[0]),
        Err(reasons) => reasons.iter().map(Reason::code).collect::<Vec<_>>().join(" "),
    }
}

/// Ministries talk through hubs; um and plm also directly.
fn meshed() -> Files {
    let links = |files: Files, host: &str, links: &str| {
        let host = format!("host = \"{host}\"");
        files.replace(&host, &format!("{host}\nlinks = {links}"))
    };
    let files = links(Files::shared(), "relay.sm.example", "['hub', 'hub2']");
    let files = links(files, "relay.um.example", "['plm', 'hub', 'hub2']");
    let mut files = links(files, "relay.plm.example", "['um', 'hub', 'hub2']");
    files.federation.push_str(
        "\n[[node]]\nid='hub2'\nname={fi='a',sv='b',en='c'}\ngoverning='FI'\ntransit=true\nendpoints=['h:1']\n\
         [[node.carriage]]\npolicy='FI'\nlevels=['TL4']\ngrants=['COMPARTMENT:KIDE']\n",
    );
    files
}

#[test]
fn direct_before_hub_and_the_first_hub_that_may() {
    let policy = meshed().policy();
    assert_eq!(route(&policy, "um", "plm", "FI TL4", |_| {}), "plm");
    assert_eq!(route(&policy, "sm", "plm", "FI TL4", |_| {}), "hub");
    let kide = "FI TL4 COMPARTMENT{KIDE}";
    let files =
        meshed().replace("\"COMPARTMENT:RAJA\", \"REL:SM\", \"REL:EU\"", "\"COMPARTMENT:KIDE\"");
    assert_eq!(route(&files.policy(), "sm", "plm", kide, |_| {}), "hub2", "the first may not");
}

#[test]
fn without_a_way_the_nearest_miss_is_told() {
    let policy = meshed().policy();
    assert_eq!(route(&policy, "sm", "plm", "FI TL3", |_| {}), "TRANSIT_FORBIDDEN next:LEVEL");
    let open = route(&policy, "sm", "plm", "FI TL4 COMPARTMENT{RAJA}", |f| f.sealed = false);
    assert_eq!(open, "SEAL_REQUIRED next:NO_CLEARANCE", "of the second hub: one reason less");
    let direct = route(&policy, "um", "plm", "FI TL4", |f| f.sealed = false);
    assert_eq!(direct, "SEAL_REQUIRED", "of the direct link, where there is one");
    assert_eq!(route(&policy, "um", "vm", "FI TL4", |_| {}), "UNKNOWN_NODE");
    let alone = meshed().replace("['hub', 'hub2']", "[]").policy();
    assert_eq!(route(&alone, "sm", "plm", "FI TL4", |_| {}), "NO_ROUTE");
    assert_eq!(route(&policy, "um", "plm", "FI TL9", |_| {}), "LEVEL_UNKNOWN");
}

#[test]
fn a_hub_passes_on_and_the_recipient_keeps() {
    let policy = meshed().policy();
    let [sm, hub, plm] = ["sm", "hub", "plm"].map(|id| node(&policy, id));
    let path = [sm, hub];
    let on =
        route(&policy, "sm", "plm", "FI TL4", |f| (f.at, f.prev, f.path) = (hub, Some(sm), &path));
    assert_eq!(on, "plm");
    let kept = route(&policy, "sm", "plm", "FI TL4", |f| {
        (f.at, f.prev, f.path) = (plm, Some(hub), &path);
    });
    assert_eq!(kept, "arrived");
}

#[test]
fn what_waits_for_people_waits_at_the_origin() {
    let policy = meshed().policy();
    assert_eq!(route(&policy, "um", "plm", "FI TL3", |_| {}), "hold APPROVALS:0/1");
    let refused = route(&policy, "um", "plm", "FI TL3", |f| f.sealed = false);
    assert_eq!(refused, "SEAL_REQUIRED");
}

//! Names of relays lead somewhere or nowhere, and it is nobody's trouble but that peer's.

use std::{fs, process::Output};

use crate::{
    books::{Books, Sent},
    documents::embedded,
    federation::{Federation, kuriiri, succeeded},
};

/// RFC 6761 §6.4: a name that never has an address.
const NOWHERE: &str = "something.invalid:4433";

impl Federation {
    /// Lets the name of the hub lead nowhere, in the members' file of a relay.
    fn mislead(&self, relay: &str) {
        let hub = self.address_of("hub");
        let file = self.path(&format!("{relay}/policy/federation.toml"));
        let members = fs::read_to_string(&file).unwrap();
        assert!(members.contains(&hub), "{members}");
        fs::write(&file, members.replace(&hub, NOWHERE)).unwrap();
        self.sign_anew(&file);
    }

    fn address_of(&self, relay: &str) -> String {
        let config = fs::read_to_string(self.path(&format!("{relay}/relay.toml"))).unwrap();
        let config: toml::Table = config.parse().unwrap();
        config["listen"].as_str().unwrap().to_owned()
    }

    fn checked(&self, relay: &str) -> Output {
        let config = self.path(&format!("{relay}/relay.toml"));
        kuriiri(&["relay".as_ref(), "--check".as_ref(), "--config".as_ref(), config.as_os_str()])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_nowhere_stops_nobody() {
    let mut federation = Federation::written();
    federation.mislead("sm");
    let checked = federation.checked("sm");
    succeeded(&checked);
    let complaint = String::from_utf8_lossy(&checked.stderr);
    assert!(complaint.contains(NOWHERE), "the operator is not told: {complaint}");
    let complaint = federation.checked("plm").stderr;
    assert!(!String::from_utf8_lossy(&complaint).contains("looked up"), "{complaint:?}");
    federation.start("sm");
    federation.start("plm");
    federation.hang_up("sm");
    let (sm, plm) =
        (federation.client("sm", "kirjaamo").await, federation.client("plm", "kirjaamo").await);
    let (mut books, mut sent) = (Books::new(), Sent::default());
    books.receive(&plm);
    sent.send(&sm, &["kirjaamo@plm.example"], "FI JULK", &embedded()).await;
    books.until(sent.copies()).await;
    books.check(&sent);
}

# Signatures over signed-catalogue.toml: a vector for whoever writes another implementation.
#
# The private Ed25519 keys (RFC 8032) are SHA-256("kuriiri signed file vectors anna") and the same with
# bertta. Public, so worth nothing. The certificates stand in signed-officers.pem.
# certificate: SHA-256 of the certificate (DER).
# signature: Ed25519 over "DSSEv1 38 <type> <bytes of the file> " || the exact bytes of the file.
#
# Made with pyca/cryptography, not with Kuriiri.
format = "signatures/1"
type = "application/vnd.kuriiri.catalogue+toml"

[[signature]]
signer = "spiffe://sm.example/officer/anna"
certificate = "afd368bd9c8582283532b385a1373ef7daf0f3c8fc1d39688d98cdf64b544920"
signature = "8942e0edb2262eff15ded0cd9ada3d1ebe272271617364a02aff0d82fb4d3750deab82a687ea32c4c84acbe6bce15c1fcbad04337eb868dfecb14a70a2fe4e01"

[[signature]]
signer = "spiffe://sm.example/officer/bertta"
certificate = "2bc136380b2da05a5620d9cb2ffaefe929994a7ca7b0fc8cddaadec55cd832dd"
signature = "bc53e667e5dda6926d68c442c3e124cf740a92ea216f2cf3e6cb827fb15c40bd1326ab14a0ea4efb5cc77c50bac167c83df91faaa95dcff54514dc80326acd04"

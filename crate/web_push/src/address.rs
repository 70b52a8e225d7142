//! IP addresses that anybody may be asked to connect to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one of the public internet: not of this machine, of a private network, or of no single host. What is
/// no address is not public either.
pub fn is_public_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(address)) => is_public_v4(address),
        Ok(IpAddr::V6(address)) => is_public_v6(address),
        Err(_) => false,
    }
}

/// The blocks that are not public are those of RFC 6890.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_for_protocols = first == 192 && second == 0 && third == 0;
    let is_for_benchmarks = first == 198 && (18..20).contains(&second);
    !(first == 0
        || first >= 240
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || is_shared
        || is_for_protocols
        || is_for_benchmarks)
}

/// Only 2000::/3 is given out to hosts. An address that stands for one of IPv4 is as public as that.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let segments = address.segments();
    let [high, low] = match segments {
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => [high, low], // NAT64
        [0x2002, high, low, ..] => [high, low],                 // 6to4
        [0x2001, 0x0000 | 0x0db8, ..] => return false,          // Teredo, documentation
        [first, ..] => return first & 0xe000 == 0x2000,
    };
    is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_public_internet_are_public() {
        for address in
            ["8.8.8.8", "172.32.0.1", "192.0.1.1", "100.128.0.1", "2a00:1450::5e", "64:ff9b::808:808"]
        {
            assert!(is_public_address(address), "{address}");
        }
    }

    #[test]
    fn others_are_not() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "",
            "localhost",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "[::1]",
            "8.8.8.8:443",
            " 8.8.8.8",
        ] {
            assert!(!is_public_address(address), "{address}");
        }
    }
}

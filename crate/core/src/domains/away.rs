//! The domains that have taken publishes and are away. They are asked again every few seconds, and who owns a domain can make as
//! many below it as they like: so of each family only some are, and the others less and less often.

use std::collections::HashMap;

use super::untried::family;

/// How many of a family are asked again soon.
const OF_FAMILY: u32 = 10;

/// How many domains of each family are away.
#[derive(Debug, Default)]
pub(super) struct Away {
    families: HashMap<Box<str>, u32>,
}

impl Away {
    /// A domain is away. Returns whether there are too many of its family for it to be asked again soon.
    pub(super) fn add(&mut self, domain: &str) -> bool {
        let count = self.families.entry(family(domain).into()).or_default();
        *count += 1;
        *count > OF_FAMILY
    }

    /// A domain is away no more.
    pub(super) fn remove(&mut self, domain: &str) {
        let family = family(domain);
        if let Some(count) = self.families.get_mut(family) {
            *count -= 1;
            if *count == 0 {
                self.families.remove(family);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_family_ten_are_asked_again_soon() {
        let mut away = Away::default();
        let too_many = (0..20).filter(|number| away.add(&format!("d{number}.evil.example"))).count();
        assert_eq!(too_many, 10);
        assert!(!away.add("push.example"));
        (0..11).for_each(|number| away.remove(&format!("d{number}.evil.example")));
        assert!(!away.add("d1.evil.example"));
        (0..10).for_each(|number| away.remove(&format!("d{number}.evil.example")));
        away.remove("push.example");
        assert!(away.families.is_empty());
    }
}

//! How many connections there are from each address. Pure: no I/O, no clock.

use super::throttle::network_of;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Open connections by address; of IPv6, by network.
pub(crate) struct Addresses {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// Counts as a connection until it is dropped.
pub(crate) struct Guest {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    /// No connections yet, and `most` from one address.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Addresses { most, open: Mutex::default() })
    }

    /// A connection from `address`; `None` where there are too many of them.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let address = network_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Guest { addresses: Arc::clone(self), address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_share_and_nothing_is_left_of_it() {
        let addresses = Addresses::new(2);
        let enter = |text: &str| addresses.enter(text.parse().unwrap());
        let here = (enter("10.0.0.1"), enter("::ffff:10.0.0.1"));
        assert!(here.0.is_some() && here.1.is_some() && enter("10.0.0.1").is_none());
        let there = (enter("2001:db8::1"), enter("2001:db8::2"));
        assert!(there.0.is_some() && there.1.is_some() && enter("2001:db8::3").is_none());
        assert!(enter("2001:db8:0:1::1").is_some());
        drop(here.0);
        assert!(enter("10.0.0.1").is_some());
        drop((here.1, there));
        assert!(addresses.open.lock().unwrap().is_empty());
    }
}

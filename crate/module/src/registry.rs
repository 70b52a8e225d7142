//! The engines of this process, one per MUC service. They stay when the module is reloaded.

use std::collections::HashMap;
use std::sync::Arc;

use muc_cloud_notify_core::Engine;
use once_cell::sync::Lazy;
use parking_lot::Mutex;

/// An engine that may be asked by one caller at a time.
pub(crate) type SharedEngine = Arc<Mutex<Engine>>;

static ENGINES: Lazy<Mutex<HashMap<String, SharedEngine>>> = Lazy::new(Mutex::default);

/// The engine of a service.
pub(crate) fn find(host: &str) -> Option<SharedEngine> {
    ENGINES.lock().get(host).cloned()
}

/// Keeps the engine of a service.
pub(crate) fn insert(host: &str, engine: Engine) -> SharedEngine {
    let engine = Arc::new(Mutex::new(engine));
    ENGINES.lock().insert(host.to_owned(), engine.clone());
    engine
}

/// Lets go of the engine of a service.
pub(crate) fn remove(host: &str) {
    ENGINES.lock().remove(host);
}

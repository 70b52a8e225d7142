//! The engines of this process, one per MUC service. They stay when the module is reloaded.

use std::collections::HashMap;
use std::sync::Arc;

use muc_cloud_notify_core::Engine;
use muc_cloud_notify_core::options::Options;
use once_cell::sync::Lazy;
use parking_lot::Mutex;

/// An engine that may be asked by one caller at a time.
pub(crate) type SharedEngine = Arc<Mutex<Engine>>;

static ENGINES: Lazy<Mutex<HashMap<String, SharedEngine>>> = Lazy::new(Mutex::default);

/// The engine of a service, and whether it was made just now.
pub(crate) fn open(host: &str, options: Options) -> (SharedEngine, bool) {
    let mut engines = ENGINES.lock();
    if let Some(engine) = engines.get(host) {
        return (engine.clone(), false);
    }
    let engine = Arc::new(Mutex::new(Engine::new(host, options)));
    engines.insert(host.to_owned(), engine.clone());
    (engine, true)
}

/// Lets go of the engine of a service.
pub(crate) fn close(host: &str) {
    ENGINES.lock().remove(host);
}

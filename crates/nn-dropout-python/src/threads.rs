//! As many threads as the framework uses.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use nn_dropout::single_threaded;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// How many elements are worth more than one thread: the library shares out twice its smallest share.
const MANY: usize = 1 << 17;

/// Runs `f` for this many elements on this many threads.
pub fn with_threads<R: Send>(threads: usize, elements: usize, f: impl FnOnce() -> R + Send) -> R {
    if elements < MANY {
        return f();
    }
    match (threads > 1).then(|| pool(threads)).flatten() {
        Some(pool) => pool.install(f),
        None => single_threaded(f),
    }
}

/// Pools by process and number of threads. Threads do not survive a fork.
type Pools = BTreeMap<(u32, usize), Arc<ThreadPool>>;

/// The pool with this many threads. `None` if the system starts no more threads.
fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    static POOLS: LazyLock<Mutex<Pools>> = LazyLock::new(Mutex::default);
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Entry::Vacant(place) = pools.entry((process::id(), threads)) {
        let name = |i| format!("nn-dropout {i}");
        place.insert(Arc::new(ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build().ok()?));
    }
    pools.get(&(process::id(), threads)).cloned()
}

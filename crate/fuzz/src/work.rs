//! What an input may cost.

use muc_cloud_notify_core::work_done;

/// What reading a stanza may cost for each byte of it: it is gone through several times, for one thing after the other.
const FOR_EACH_BYTE: usize = 12;

/// What it may cost however short it is: the budgets for comparisons, and for the text that is looked at.
const AT_MOST_ANYWAY: usize = 1024 * 1024;

/// Does something with an input of `size` bytes, and panics where that was too much work.
pub(crate) fn within_bounds<T>(size: usize, work: impl FnOnce() -> T) -> T {
    let before = work_done();
    let result = work();
    let done = work_done() - before;
    let bound = FOR_EACH_BYTE * size + AT_MOST_ANYWAY;
    assert!(done <= bound, "{done} steps for {size} bytes");
    result
}

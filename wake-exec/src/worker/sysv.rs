//! The System V shared memory held in the namespace of this process.

/// As in the kernel's `linux/shm.h`.
const SHM_INFO: libc::c_int = 14;

/// Returns the bytes of all segments, attached or not, that are in memory or swapped out; 0 on a kernel without System
/// V shared memory.
///
/// Source: `shmctl(2)`.
pub(crate) fn held() -> u64 {
    let mut info: [libc::c_ulong; 16] = [0; 16];
    // SAFETY: the kernel's structure is smaller than this one, which lives across the call.
    let result = unsafe { libc::shmctl(0, SHM_INFO, (&raw mut info).cast()) };
    // The number of segments and their size are followed by the pages in memory and those swapped out.
    let [_, _, resident, swapped, ..] = info;
    if result < 0 { 0 } else { (resident + swapped) * rustix::param::page_size() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_pages_of_a_segment_count_attached_or_not() {
        const SIZE: usize = 1 << 20;
        // SAFETY: creates, uses and removes a segment known only to this test.
        unsafe {
            let before = held();
            let segment = libc::shmget(libc::IPC_PRIVATE, SIZE, 0o600);
            let empty = held();
            let at = libc::shmat(segment, std::ptr::null(), 0);
            std::ptr::write_bytes(at.cast::<u8>(), 1, SIZE / 2);
            let attached = held();
            libc::shmdt(at);
            let detached = held();
            libc::shmctl(segment, libc::IPC_RMID, std::ptr::null_mut());
            let half = before + SIZE as u64 / 2;
            assert_eq!((empty, attached, detached, held()), (before, half, half, before));
        }
    }
}

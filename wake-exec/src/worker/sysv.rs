//! What System V's facilities hold in the namespace that this process is in.

use rustix::io::Errno;

use super::kernel::last_errno;

/// Whether a message queue, a set of semaphores or a segment of shared memory is there.
///
/// Costs three short system calls. Source: `msgctl(2)`, `semctl(2)`, `shmctl(2)`.
pub(crate) fn holds_anything() -> Result<bool, Errno> {
    Ok(queues()? > 0 || semaphores()? > 0 || segments()? > 0)
}

fn queues() -> Result<i32, Errno> {
    // SAFETY: all-zero is a valid structure of numbers, which the kernel overwrites and which lives across the call.
    let (result, info) = unsafe {
        let mut info: libc::msginfo = std::mem::zeroed();
        (libc::msgctl(0, libc::MSG_INFO, (&raw mut info).cast()), info)
    };
    told(result, info.msgpool)
}

fn semaphores() -> Result<i32, Errno> {
    // SAFETY: as above.
    let (result, info) = unsafe {
        let mut info: libc::seminfo = std::mem::zeroed();
        (libc::semctl(0, 0, libc::SEM_INFO, &raw mut info), info)
    };
    told(result, info.semusz)
}

fn segments() -> Result<i32, Errno> {
    /// As in the kernel's `linux/shm.h`.
    const SHM_INFO: libc::c_int = 14;
    let mut info: [libc::c_ulong; 16] = [0; 16];
    // SAFETY: the kernel's structure is smaller than this one, which lives across the call.
    let result = unsafe { libc::shmctl(0, SHM_INFO, (&raw mut info).cast()) };
    // It begins with the number of segments, an `int`.
    let bytes = info[0].to_ne_bytes();
    told(result, i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// How many there are, none on a kernel without the facility.
fn told(result: libc::c_int, count: libc::c_int) -> Result<i32, Errno> {
    match result {
        0.. => Ok(count),
        _ => match last_errno() {
            Errno::NOSYS => Ok(0),
            errno => Err(errno),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// How many entries `/proc` lists of a facility, below one line of headings.
    fn listed(facility: &str) -> i32 {
        let path = format!("/proc/sysvipc/{facility}");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        i32::try_from(text.lines().skip(1).count()).unwrap()
    }

    #[test]
    fn each_facility_is_counted() {
        // SAFETY: makes and removes what this test alone knows of.
        unsafe {
            let before = (queues().unwrap(), semaphores().unwrap(), segments().unwrap());
            assert_eq!(before, (listed("msg"), listed("sem"), listed("shm")));
            let queue = libc::msgget(libc::IPC_PRIVATE, 0o600);
            let set = libc::semget(libc::IPC_PRIVATE, 3, 0o600);
            let segment = libc::shmget(libc::IPC_PRIVATE, 1 << 16, 0o600);
            let with = (queues().unwrap(), semaphores().unwrap(), segments().unwrap());
            libc::msgctl(queue, libc::IPC_RMID, std::ptr::null_mut());
            libc::semctl(set, 0, libc::IPC_RMID);
            libc::shmctl(segment, libc::IPC_RMID, std::ptr::null_mut());
            assert_eq!(with, (before.0 + 1, before.1 + 1, before.2 + 1));
        }
        assert!(holds_anything().is_ok());
    }
}

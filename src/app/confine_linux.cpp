#include "app/confine.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace cusp::app {

namespace {

// The newest ruleset we know: older headers lack the network part.
struct Ruleset {
  std::uint64_t fs = 0;
  std::uint64_t net = 0;
};
constexpr std::uint64_t kBindTcp = 1, kConnectTcp = 2;
constexpr int kAbiWithRefer = 2, kAbiWithTruncate = 3, kAbiWithNetwork = 4;
constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE, kReadDir = LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kTruncate = std::uint64_t{1} << 14;

std::uint64_t every_fs_right(int abi) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; // the first ABI's, in order
  if (abi >= kAbiWithRefer) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= kAbiWithTruncate) rights |= kTruncate;
  return rights;
}

// A directory that cannot be opened needs no rule: nothing under it can be reached either.
Result<void> allow_beneath(int ruleset, const std::string& path, std::uint64_t rights) {
  base::UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return {};
  landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = fd.get()};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return base::fail_errno("confine look-ups to", path, errno);
  return {};
}

// False: this kernel has no Landlock.
Result<bool> enter_landlock(const Grants& grants) {
  int abi = static_cast<int>(syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (abi < 1) return false;
  const std::uint64_t all = every_fs_right(abi);
  // Whom a guest's sockets may reach the policy says, by address; Landlock knows ports only.
  const bool sockets = grants.network.permits_tcp();
  std::uint64_t network = (sockets ? 0 : kBindTcp) | (sockets || grants.outgoing_http ? 0 : kConnectTcp);
  Ruleset handled{all, abi >= kAbiWithNetwork ? network : 0};
  base::UniqueFd ruleset(static_cast<int>(
      syscall(SYS_landlock_create_ruleset, &handled, abi >= kAbiWithNetwork ? sizeof handled : sizeof handled.fs, 0)));
  if (!ruleset) return base::fail_errno("make", "a Landlock ruleset", errno);
  for (const DirectoryGrant& grant : grants.directories)
    CUSP_TRY(allow_beneath(ruleset.get(), grant.host_path, grant.writable ? all : kReadFile | kReadDir));
  // A database has its log and its shared memory beside it.
  for (const BucketGrant& grant : grants.buckets) {
    if (grant.file.empty()) continue;
    std::size_t slash = grant.file.rfind('/');
    CUSP_TRY(allow_beneath(ruleset.get(), slash == std::string::npos ? "." : grant.file.substr(0, slash + 1), all));
  }
  // What name look-ups and thread start-up read, libraries that the resolver loads included.
  for (const char* path : {"/etc", "/usr/lib", "/lib", "/lib64", "/usr/share/zoneinfo", "/run/systemd/resolve"})
    CUSP_TRY(allow_beneath(ruleset.get(), path, kReadFile | kReadDir));
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return base::fail_errno("enter", "the Landlock ruleset", errno);
  return true;
}

// Memory, threads, time and signals; sockets; files below descriptors that are open. Anything else gives EPERM.
constexpr int kAllowed[] = {
    // memory, threads, time, signals
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
    SCMP_SYS(mincore), SCMP_SYS(memfd_create), SCMP_SYS(userfaultfd), SCMP_SYS(ioctl), SCMP_SYS(futex),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(restart_syscall), SCMP_SYS(prlimit64),
    SCMP_SYS(timer_create), SCMP_SYS(timer_settime), SCMP_SYS(timer_gettime), SCMP_SYS(timer_delete),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getuid),
    SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(membarrier), SCMP_SYS(prctl),
    // readiness and descriptors
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
    SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(close), SCMP_SYS(dup),
    SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2),
    SCMP_SYS(signalfd4),
    // sockets
    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept4), SCMP_SYS(shutdown),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendto),
    SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
    // files
    SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(open), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(fstatfs), SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(mkdirat),
    SCMP_SYS(unlinkat), SCMP_SYS(unlink), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(linkat),
    SCMP_SYS(symlinkat), SCMP_SYS(utimensat), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64),
    SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(copy_file_range)};

Result<void> enter_seccomp() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return base::fail_errno("make", "a system call filter", ENOMEM);
  int error = 0;
  for (int call : kAllowed)
    if (error == 0) error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  // Threads, but no processes. clone3's flags cannot be seen by a filter: the C library falls back to clone.
  if (error == 0)
    error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  if (error == 0) error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  if (error != 0) return base::fail_errno("install", "the system call filter", -error);
  return {};
}

} // namespace

Result<Confinement> confine_to(const Grants& grants) {
  Confinement done;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail_errno("give up", "privileges", errno);
  done.landlock = CUSP_TRY(enter_landlock(grants));
  done.seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
  if (done.seccomp) CUSP_TRY(enter_seccomp());
  return done;
}

} // namespace cusp::app

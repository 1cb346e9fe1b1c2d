#include "compile/sandbox.h"

#include <cerrno>
#include <csignal>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace cusp::compile {

namespace {

using base::fail_errno;
using base::Result;

// What malloc, threads, timing and reading and writing need. Anything else gives EPERM rather than death: libraries
// that only probe go on.
constexpr int kAllowed[] = {SCMP_SYS(read),
                            SCMP_SYS(write),
                            SCMP_SYS(readv),
                            SCMP_SYS(writev),
                            SCMP_SYS(close),
                            SCMP_SYS(poll),
                            SCMP_SYS(ppoll),
                            SCMP_SYS(lseek),
                            SCMP_SYS(fstat),
                            SCMP_SYS(mmap),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mprotect),
                            SCMP_SYS(mremap),
                            SCMP_SYS(madvise),
                            SCMP_SYS(brk),
                            SCMP_SYS(futex),
                            SCMP_SYS(clone),
                            SCMP_SYS(clone3),
                            SCMP_SYS(set_robust_list),
                            SCMP_SYS(rseq),
                            SCMP_SYS(exit),
                            SCMP_SYS(exit_group),
                            SCMP_SYS(rt_sigaction),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(sigaltstack),
                            SCMP_SYS(tgkill),
                            SCMP_SYS(gettid),
                            SCMP_SYS(getpid),
                            SCMP_SYS(sched_yield),
                            SCMP_SYS(sched_getaffinity),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(clock_nanosleep),
                            SCMP_SYS(nanosleep),
                            SCMP_SYS(gettimeofday),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(getrusage),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(prlimit64)};

Result<void> limit(__rlimit_resource_t resource, std::uint64_t value, const char* what) {
  rlimit current;
  if (getrlimit(resource, &current) != 0) return fail_errno("read the limit of", what, errno);
  rlimit wanted{current.rlim_max < value ? current.rlim_max : value,
                current.rlim_max < value ? current.rlim_max : value};
  if (setrlimit(resource, &wanted) != 0) return fail_errno("limit", what, errno);
  return {};
}

} // namespace

Result<void> enter_sandbox(const SandboxLimits& limits) {
  CUSP_TRY(limit(RLIMIT_AS, limits.address_space, "address space"));
  CUSP_TRY(limit(RLIMIT_CPU, limits.cpu_seconds, "CPU time"));
  CUSP_TRY(limit(RLIMIT_CORE, 0, "core files"));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("give up", "privileges", errno);
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return fail_errno("make", "a system call filter", ENOMEM);
  int error = 0;
  for (int call : kAllowed)
    if (error == 0) error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  if (error != 0) return fail_errno("install", "the system call filter", -error);
  return {};
}

void end_with_client() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

} // namespace cusp::compile

#include "runtime/preempt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/activation.h"
#include "runtime/address_table.h"
#include "runtime/context_x86_64.h"
#include "runtime/fault.h"

namespace cusp::runtime {

namespace {

constexpr long kSliceNs = 2'000'000; // a busy guest gives way this often
constexpr long kSlowNs = 50'000'000; // while every guest of the thread is suspended
constexpr unsigned kIdleTicks = 25;

// Written by the thread and by its own signal handler; plain words with signal fences are enough.
struct ThreadTimer {
  timer_t timer;
  volatile bool created;
  volatile long period_ns; // 0: not armed
  volatile unsigned alive; // outermost activations, suspended ones included
  volatile unsigned entries, entries_seen, idle_ticks;
};
constinit thread_local ThreadTimer this_thread{};

// Deletes the thread's timer when the thread ends.
struct TimerOwner {
  ~TimerOwner() {
    if (!this_thread.created) return;
    this_thread.created = false;
    timer_delete(this_thread.timer);
  }
};

void set_period(ThreadTimer& t, long period_ns) {
  itimerspec spec{{0, period_ns}, {0, period_ns}};
  t.period_ns = period_ns;
  timer_settime(t.timer, 0, &spec, nullptr);
}

bool create_timer(timer_t* timer) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = preemption_signal();
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  return timer_create(CLOCK_MONOTONIC, &event, timer) == 0;
}

[[gnu::cold, gnu::noinline]] void start(ThreadTimer& t) {
  prepare_thread();
  if (!t.created) {
    static thread_local TimerOwner owner;
    (void)owner;
    timer_t timer;
    if (!create_timer(&timer)) return; // checked at start-up; without a timer there is no time limit, and no harm
    t.timer = timer;
    t.created = true;
  }
  t.idle_ticks = 0;
  set_period(t, kSliceNs);
}

void keep_pace(ThreadTimer& t, bool guest_running) {
  bool busy = guest_running || t.entries != t.entries_seen;
  t.entries_seen = t.entries;
  if (busy) {
    t.idle_ticks = 0;
    if (t.period_ns != kSliceNs) set_period(t, kSliceNs);
  } else if (unsigned idle = t.idle_ticks + 1; idle < kIdleTicks) {
    t.idle_ticks = idle;
  } else if (t.alive == 0) {
    set_period(t, 0);
  } else if (t.period_ns != kSlowNs) {
    set_period(t, kSlowNs);
  }
}

// Runs on the stack of whatever it interrupted: the registers of a guest that gives way stay in this signal's frame until the
// fiber goes on. So the signal must not stay blocked meanwhile (SA_NODEFER, empty mask), and errno is the fiber's own.
void on_tick(int, siginfo_t* info, void* context) {
  if (info->si_code != SI_TIMER) return;
  int saved_errno = errno;
  Activation* activation = current_activation();
  keep_pace(this_thread, activation != nullptr);
  if (activation) {
    if (!find_guest_code(context_pc(context))) {
      activation->execution->interrupted = 1;
    } else if (deadline_passed(activation)) {
      record_trap(*activation, abi::Trap::Timeout, context_pc(context), context_frame(context), context_sp(context));
      context_leave_guest(context, activation);
    } else {
      loop::Fiber::yield();
    }
  }
  errno = saved_errno;
}

} // namespace

int preemption_signal() { return SIGRTMIN + 4; }

base::Result<void> install_preemption() {
  struct sigaction action{};
  action.sa_sigaction = on_tick;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(preemption_signal(), &action, nullptr) != 0)
    return base::fail_errno("install", "the preemption signal", errno);
  timer_t timer;
  if (!create_timer(&timer)) return base::fail_errno("create", "a preemption timer", errno);
  timer_delete(timer);
  return {};
}

void preempt_guest_begins() {
  ThreadTimer& t = this_thread;
  t.alive = t.alive + 1;
  t.entries = t.entries + 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (t.period_ns != kSliceNs) [[unlikely]]
    start(t);
}

void preempt_guest_ends() { this_thread.alive = this_thread.alive - 1; }

} // namespace cusp::runtime

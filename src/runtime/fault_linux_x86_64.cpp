#include "runtime/fault.h"

#include <cerrno>
#include <csignal>
#include <mutex>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/activation.h"
#include "runtime/address_table.h"
#include "runtime/context_x86_64.h"
#include "runtime/preempt.h"
#include "runtime/write_set.h"

namespace cusp::runtime {

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
struct sigaction previous_actions[std::size(kSignals)];

struct sigaction& previous_action(int signal) {
  for (std::size_t i = 0; i < std::size(kSignals); ++i)
    if (kSignals[i] == signal) return previous_actions[i];
  __builtin_unreachable();
}

// Not ours: as if we had never been there.
void pass_on(int signal, siginfo_t* info, void* context) {
  struct sigaction& previous = previous_action(signal);
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else if (previous.sa_handler == SIG_IGN && info->si_code <= 0) {
    // Sent by somebody, and ignored.
  } else {
    // The instruction faults again on return, and the kernel does what is due; a signal somebody sent must be sent again.
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    sigaction(signal, &standard, nullptr);
    if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
  }
}

bool repair_write_fault(std::uintptr_t address, const Activation* activation) {
  // Nearly always the running guest's own slot; otherwise host code that fills another one.
  WriteSet* own = activation ? activation->execution->write_set : nullptr;
  if (own && own->on_write_fault(address)) return true;
  auto* other = const_cast<WriteSet*>(static_cast<const WriteSet*>(write_set_table().find(address)));
  return other && other != own && other->on_write_fault(address);
}

// An address below one of the stacks in use, or no address at all because the kernel found no room for a signal frame.
bool is_stack_overflow(std::uintptr_t address, bool by_kernel, std::uintptr_t sp, const Activation* activation) {
  for (; activation; activation = activation->outer) {
    auto base = reinterpret_cast<std::uintptr_t>(activation->stack);
    std::uintptr_t guard = base - activation->execution->stacks.guard();
    if (address < base && address >= guard) return true;
    if (by_kernel && sp >= guard && sp < base + abi::kHostStackReserve) return true;
  }
  return false;
}

abi::Trap classify_memory_fault(int signal, const siginfo_t* info, void* context, const Activation* activation) {
  auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  bool by_kernel = info->si_code == SI_KERNEL;
  if (is_stack_overflow(address, by_kernel, context_sp(context), activation)) return abi::Trap::StackOverflow;
  // SIGBUS outside a write set: a page that an artifact's file has lost. It ends this guest, not the process.
  if (signal == SIGBUS || by_kernel || !memory_table().find(address)) return abi::Trap::Internal;
  return abi::Trap::MemoryOutOfBounds;
}

void trap_in_guest(int signal, const siginfo_t* info, void* context, const GuestCode& guest, Activation* activation) {
  std::uintptr_t pc = context_pc(context);
  abi::Trap trap = abi::Trap::Internal;
  if (signal == SIGILL) {
    auto stubs = reinterpret_cast<std::uintptr_t>(guest.trap_stubs);
    if (pc >= stubs && pc < stubs + abi::kTrapCount * abi::kTrapStubSize) {
      trap = static_cast<abi::Trap>((pc - stubs) / abi::kTrapStubSize);
      pc = *reinterpret_cast<const std::uintptr_t*>(context_sp(context)) - 1; // the call of the stub
    }
  } else if (signal == SIGFPE) {
    trap = abi::Trap::IntegerDivideByZero;
  } else {
    trap = classify_memory_fault(signal, info, context, activation);
  }
  record_trap(*activation, trap, pc, context_frame(context), context_sp(context));
  context_leave_guest(context, activation);
}

// A page that its artifact's file has lost, because the file was cut off under its mapping: whoever uses the code next is told
// (Code::check_whole). `in_guest`: the guest ends. Host code that reads it (a trap table, an image that is copied back) gets zeros,
// which no reader of foreign bytes minds.
bool replace_lost_page(std::uintptr_t address, bool in_guest) {
  const void* owner = artifact_table().find(address);
  int protection = PROT_READ;
  if (!owner) {
    // Images show in memories, too, but for userfaultfd, which takes a copy of them.
    const auto* set = static_cast<const WriteSet*>(write_set_table().find(address));
    if (set && set->tracking() == WriteTracking::Userfaultfd) return false;
    owner = memory_table().find(address);
    protection |= PROT_WRITE;
  }
  if (!owner) return false;
  static_cast<const GuestCode*>(owner)->damaged.store(true, std::memory_order_relaxed);
  if (in_guest) return false;
  void* page = reinterpret_cast<void*>(address & ~(abi::kHostPageSize - 1));
  return mmap(page, abi::kHostPageSize, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  int saved_errno = errno;
  bool handled = false;
  if (info->si_code > 0) {
    Activation* activation = current_activation();
    if ((signal == SIGSEGV || signal == SIGBUS) && info->si_code != SI_KERNEL && context_fault_is_write(context))
      handled = repair_write_fault(reinterpret_cast<std::uintptr_t>(info->si_addr), activation);
    const GuestCode* guest = handled || !activation ? nullptr : find_guest_code(context_pc(context));
    if (!handled && signal == SIGBUS && info->si_code == BUS_ADRERR)
      handled = replace_lost_page(reinterpret_cast<std::uintptr_t>(info->si_addr), guest != nullptr);
    if (!handled && guest) {
      trap_in_guest(signal, info, context, *guest, activation);
      handled = true;
    }
  }
  errno = saved_errno;
  if (!handled) pass_on(signal, info, context);
}

// The handlers' own needs, plus the largest frame an AVX-512 or AMX machine writes, plus a previous handler that we call.
constexpr std::size_t kAlternateStack = 128 * 1024;

struct AlternateStack {
  void* memory = nullptr;
  stack_t previous{};
  ~AlternateStack() {
    if (!memory) return;
    stack_t now{};
    sigaltstack(nullptr, &now);
    if (now.ss_sp == memory) sigaltstack(&previous, nullptr);
    munmap(memory, kAlternateStack);
  }
};

} // namespace

base::Result<void> install_fault_handlers() {
  guest_code_table(), write_set_table(), memory_table(), artifact_table(); // made here, not in a handler
  for (int signal : kSignals) {
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, preemption_signal());
    if (sigaction(signal, &action, &previous_action(signal)) != 0)
      return base::fail_errno("install", "a fault handler", errno);
  }
  return {};
}

void prepare_thread() {
  static thread_local AlternateStack alternate;
  static thread_local bool prepared = false;
  if (prepared) return;
  prepared = true;
  stack_t now{};
  sigaltstack(nullptr, &now);
  if (!(now.ss_flags & SS_DISABLE) && now.ss_size >= kAlternateStack / 4) return; // a sanitizer's, say: large enough
  void* memory = mmap(nullptr, kAlternateStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return; // faults are then handled on the faulting stack, but for stack overflows
  stack_t ours{};
  ours.ss_sp = memory;
  ours.ss_size = kAlternateStack;
  if (sigaltstack(&ours, nullptr) != 0) {
    munmap(memory, kAlternateStack);
    return;
  }
  alternate.memory = memory;
  alternate.previous = now;
}

} // namespace cusp::runtime

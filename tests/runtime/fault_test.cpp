// The rules of the fault handlers (STYLE.md, "Signal handlers"): what is ours is repaired or becomes a trap, everything else goes where it
// went before. Rules that end a process run in a child of their own.
#include <csetjmp>
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/fault.h"
#include "runtime/kit_slot.h"

namespace cusp::test {
namespace {

using abi::Trap;

// Children start the program anew: a forked one would share the parent's userfaultfd.
class Faults : public testing::Test {
protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
using FaultsDeathTest = Faults;

// As a process starts: a sanitizer has handlers of its own in the four places.
void take_over() {
  for (int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) signal(fault, SIG_DFL);
  ASSERT_TRUE(runtime::initialize().has_value());
}

volatile int* const kNowhere = reinterpret_cast<volatile int*>(16);

TEST_F(FaultsDeathTest, AFaultOfTheHostIsNotSwallowed) {
  EXPECT_EXIT(
      {
        take_over();
        *kNowhere = 1;
      },
      testing::KilledBySignal(SIGSEGV), "");
}

// With a guest on the stack and its memory in use, too: the fault is the host's, by address and by PC.
TEST_F(FaultsDeathTest, AFaultInAHostFunctionIsNotTheGuests) {
  EXPECT_EXIT(on_fiber([] {
                take_over();
                KitSlot kit(WriteTracking::Automatic);
                kit.host = [](std::uint32_t) -> std::optional<std::uint32_t> {
                  *kNowhere = 1;
                  return 0;
                };
                kit.get(Kit::CallHost, {1});
                _exit(0);
              }),
              testing::KilledBySignal(SIGSEGV), "");
}

// The guard of a memory is out of bounds for the host as well: no guest trap hides its mistake.
TEST_F(FaultsDeathTest, AHostThatReadsBeyondAMemoryDies) {
  EXPECT_EXIT(on_fiber([] {
                take_over();
                KitSlot kit(WriteTracking::Automatic);
                kit.host = [&](std::uint32_t) -> std::optional<std::uint32_t> {
                  return static_cast<volatile std::uint8_t*>(kit.memory().base)[kit.memory().byte_length];
                };
                kit.get(Kit::CallHost, {1});
                _exit(0);
              }),
              testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(FaultsDeathTest, ASignalThatSomebodySentIsNotAFault) {
  EXPECT_EXIT(
      {
        take_over();
        kill(getpid(), SIGSEGV);
        _exit(0);
      },
      testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(
      {
        signal(SIGSEGV, SIG_IGN);
        (void)runtime::initialize();
        kill(getpid(), SIGSEGV);
        _exit(7);
      },
      testing::ExitedWithCode(7), "");
}

void exit_with_9(int) { _exit(9); }
void exit_with_10(int, siginfo_t* info, void*) { _exit(info->si_addr == kNowhere ? 10 : 11); }

TEST_F(FaultsDeathTest, WhatIsNotOursGoesToThePreviousHandler) {
  EXPECT_EXIT(
      {
        signal(SIGSEGV, exit_with_9);
        (void)runtime::initialize();
        *kNowhere = 1;
      },
      testing::ExitedWithCode(9), "");
  EXPECT_EXIT(
      {
        struct sigaction action{};
        action.sa_sigaction = exit_with_10;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &action, nullptr);
        (void)runtime::initialize();
        *kNowhere = 1;
      },
      testing::ExitedWithCode(10), "");
  EXPECT_EXIT(
      {
        signal(SIGILL, exit_with_9);
        (void)runtime::initialize();
        __builtin_trap();
      },
      testing::ExitedWithCode(9), "");
}

// A previous handler may repair and return, as a garbage collector's does; the guest's faults stay ours.
void* repairable_page = nullptr;
void repair(int, siginfo_t*, void*) { mprotect(repairable_page, 4096, PROT_READ | PROT_WRITE); }

TEST_F(FaultsDeathTest, APreviousHandlerMayRepair) {
  EXPECT_EXIT(
      {
        struct sigaction action{};
        action.sa_sigaction = repair;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &action, nullptr);
        on_fiber([] {
          repairable_page = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          KitSlot kit(WriteTracking::Mprotect);
          kit.host = [](std::uint32_t x) {
            *static_cast<volatile std::uint32_t*>(repairable_page) = x;
            return std::optional(x);
          };
          bool good = kit.get(Kit::CallHost, {5}) == 5;
          kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {0x7fff'0000});
          _exit(good && !testing::Test::HasFailure() ? 0 : 1);
        });
      },
      testing::ExitedWithCode(0), "");
}

// The host may take as much stack as abi/vm.h reserves for it, at every depth to which a guest can get.
TEST_F(Faults, HostCodeNeverMeetsTheGuard) {
  on_fiber([] {
    runtime::StoreLimits limits;
    limits.stack_bytes = 128 * 1024;
    KitSlot kit(WriteTracking::Automatic, limits);
    unsigned calls = 0;
    kit.host = [&](std::uint32_t x) {
      volatile char room[100 * 1024];
      for (std::size_t at = 0; at < sizeof room; at += 1024) room[at] = static_cast<char>(x);
      ++calls;
      return std::optional(x);
    };
    for (int i = 0; i < 3; ++i) {
      calls = 0;
      kit.expect_trap(Trap::StackOverflow, Kit::DiveForever, {0});
      EXPECT_GT(calls, 100u);
      kit.reset();
    }
    EXPECT_EQ(kit.get(Kit::Dive, {100}), 100u);
  });
}

// The deepest recursion that works, and one more.
TEST_F(Faults, TheStackEndsAtOneDepth) {
  on_fiber([] {
    runtime::StoreLimits limits;
    limits.stack_bytes = 64 * 1024;
    KitSlot kit(WriteTracking::Automatic, limits);
    std::uint64_t works = 1, fails = 1'000'000;
    while (works + 1 < fails) {
      const std::uint64_t depth = (works + fails) / 2;
      const bool done = kit.get(Kit::Dive, {depth}) == depth;
      if (!done) {
        EXPECT_EQ(kit.trap(), Trap::StackOverflow);
      }
      (done ? works : fails) = depth;
    }
    EXPECT_GT(works, 500u);
    EXPECT_EQ(kit.get(Kit::Dive, {works}), works);
    kit.expect_trap(Trap::StackOverflow, Kit::Dive, {fails});
  });
}

// Each kind of fault on a thread of its own, which has an alternate stack of its own.
TEST_F(Faults, EveryThreadHandlesItsOwn) {
  std::vector<std::thread> threads;
  auto layout = KitSlot::layout(WriteTracking::Automatic);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      on_fiber([&] {
        KitSlot kit(layout);
        for (int round = 0; round < 20; ++round) {
          kit.get(Kit::Stride, {0, 40, 4096, 1});
          kit.expect_trap(Trap::StackOverflow, Kit::Recurse, {100'000'000});
          kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {0x4000'0000});
          kit.reset();
        }
      });
    });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Faults, HandlersAreInstalledOnce) {
  ASSERT_TRUE(runtime::initialize().has_value());
  struct sigaction before{}, after{};
  sigaction(SIGSEGV, nullptr, &before);
  ASSERT_TRUE(runtime::initialize().has_value());
  sigaction(SIGSEGV, nullptr, &after);
  EXPECT_EQ(before.sa_sigaction, after.sa_sigaction);
  EXPECT_TRUE(after.sa_flags & SA_ONSTACK);
}

TEST_F(Faults, ErrnoSurvives) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    errno = 1234;
    kit.call(Kit::Poke, {5000, 1}); // a write fault
    EXPECT_EQ(errno, 1234);
    kit.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {0x4000'0000});
    EXPECT_EQ(errno, 1234);
  });
}

// An artifact whose file is cut off under its mapping: the guest that comes upon the missing page ends, nobody else.
class CutArtifact {
public:
  CutArtifact() {
    auto whole = compile_guest(KitModule::bytes());
    fd_ = memfd_create("cut", MFD_CLOEXEC);
    auto bytes = must(prepare::read_file("/proc/self/fd/" + std::to_string(whole->fd())), "artifact");
    EXPECT_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    auto artifact =
        must(artifact::Artifact::from_fd(base::UniqueFd(dup(fd_)), artifact::Artifact::Verify::Full, "cut"), "open");
    image_at_ = artifact->image_file_offset();
    code_ = must(runtime::Code::load(artifact), "load");
  }
  ~CutArtifact() { close(fd_); }
  const std::shared_ptr<const runtime::Code>& code() const { return code_; }
  void cut_image() { EXPECT_EQ(ftruncate(fd_, static_cast<off_t>(image_at_)), 0); }
  void cut_text() { EXPECT_EQ(ftruncate(fd_, 4096), 0); }

private:
  int fd_ = -1;
  std::uint64_t image_at_ = 0;
  std::shared_ptr<const runtime::Code> code_;
};

TEST_F(Faults, AnArtifactThatShrinksEndsItsGuest) {
  on_fiber([] {
    CutArtifact cut;
    auto store = must(runtime::Store::create({}), "store");
    const artifact::ModuleMeta& meta = cut.code()->module(0);
    runtime::Extern host = runtime::ExternFunc{store->add_host_func(
        meta.func_type(0), [](abi::HostFunc*, abi::ValRaw*) { return std::uint32_t{0}; }, nullptr)};
    runtime::Instance* instance = must(store->instantiate(cut.code(), 0, std::span(&host, 1)), "instance");
    auto peek = [&](std::uint32_t at) {
      abi::ValRaw values[1]{};
      values[0].i64 = at;
      return store->call(*instance->func(static_cast<std::uint32_t>(Kit::Peek)), values);
    };
    ASSERT_TRUE(peek(KitShape::kDataAt).has_value());
    cut.cut_image();
    ASSERT_FALSE(peek(KitShape::kDataAt).has_value());
    EXPECT_EQ(store->last_trap().trap, Trap::Internal);
    cut.cut_text();
    ASSERT_FALSE(peek(0).has_value());
    EXPECT_EQ(store->last_trap().trap, Trap::Internal);
    auto again = store->instantiate(cut.code(), 0, std::span(&host, 1));
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code, base::ErrorCode::Corrupt) << again.error().to_string();
    KitSlot other(WriteTracking::Automatic); // the process goes on
    EXPECT_EQ(other.get(Kit::Recurse, {3}), 3u);
  });
}

TEST_F(Faults, ATrapNamesItsGuestFunctions) {
  on_fiber([] {
    KitSlot kit(WriteTracking::Automatic);
    kit.host = [](std::uint32_t) { return std::nullopt; };
    kit.expect_trap(Trap::HostError, Kit::Dive, {3});
    EXPECT_EQ(kit.slot().last_trap().message, "the host refused");
    const auto& frames = kit.slot().last_trap().backtrace;
    ASSERT_EQ(frames.size(), 4u) << kit.slot().last_trap().to_string();
    for (const auto& frame : frames) EXPECT_EQ(frame.frame.func, static_cast<std::uint32_t>(Kit::Dive));
    kit.expect_trap(Trap::IntegerDivideByZero, Kit::Divide, {0});
    ASSERT_EQ(kit.slot().last_trap().backtrace.size(), 1u);
    EXPECT_EQ(kit.slot().last_trap().backtrace[0].frame.func, static_cast<std::uint32_t>(Kit::Divide));
  });
}

// Host code between two guests returns in the ordinary way; a trap of the inner guest is a value for it.
TEST_F(Faults, AnInnerGuestsTrapIsTheHostsToJudge) {
  on_fiber([] {
    KitSlot outer(WriteTracking::Automatic), inner(WriteTracking::Automatic);
    outer.host = [&](std::uint32_t x) -> std::optional<std::uint32_t> {
      inner.expect_trap(Trap::Unreachable, Kit::Unreachable);
      inner.expect_trap(Trap::StackOverflow, Kit::Recurse, {100'000'000});
      // Into the guest that called us, on the same fiber: allowed, and its trap is its own.
      outer.expect_trap(Trap::MemoryOutOfBounds, Kit::Peek, {0x4000'0000});
      return outer.get(Kit::Recurse, {x});
    };
    EXPECT_EQ(outer.get(Kit::CallHost, {17}), 17u);
  });
}

TEST_F(Faults, AGuestIsOnOneFiberAtATime) {
  loop::BlockingPool pool(1);
  auto loop = must(loop::EventLoop::create(&pool), "loop");
  loop->spawn([&] {
    KitSlot kit(WriteTracking::Automatic);
    loop::Event inside, tried;
    kit.host = [&](std::uint32_t x) {
      inside.set();
      tried.wait();
      return std::optional(x);
    };
    bool refused = false, ended = false;
    loop::Fiber::current()->loop().spawn([&] {
      inside.wait();
      refused = !kit.slot().call(*kit.instance().func(static_cast<std::uint32_t>(Kit::Empty)), nullptr);
      EXPECT_EQ(kit.trap(), Trap::CannotEnter);
      tried.set();
      ended = true;
    });
    EXPECT_EQ(kit.get(Kit::CallHost, {3}), 3u);
    EXPECT_TRUE(refused && ended);
    EXPECT_EQ(kit.get(Kit::CallHost, {4}), 4u);
  });
  loop->stop();
  loop->run();
}

} // namespace
} // namespace cusp::test

// Guest code compiled for a test by cusp-compile, in slots whose host function is whatever the test says.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "loop/event_loop.h"
#include "prepare/prepare.h"
#include "runtime/kit_module.h"
#include "runtime/slot.h"

namespace cusp::test {

using runtime::Slot;
using runtime::WriteTracking;

// The same bytes are compiled once per program. REQUIRES: cusp-compile beside the program, on the PATH, or in CUSP_COMPILE.
inline std::shared_ptr<const artifact::Artifact>
compile_guest(const Bytes& bytes, artifact::BoundsMode bounds = artifact::BoundsMode::Guard) {
  static auto* const made =
      new std::map<std::pair<Bytes, artifact::BoundsMode>, std::shared_ptr<const artifact::Artifact>>;
  auto& artifact = (*made)[{bytes, bounds}];
  if (artifact) return artifact;
  prepare::PrepareOptions options;
  options.bounds = bounds;
  options.threads = 1;
  auto compiler = prepare::CompilerProcess::start(options);
  auto compiled = compiler ? (*compiler)->compile(bytes) : std::unexpected(compiler.error());
  if (!compiled) {
    ADD_FAILURE() << "the guest of this test cannot be compiled: " << compiled.error().to_string();
    std::abort();
  }
  return artifact = *compiled;
}

inline std::shared_ptr<const runtime::Code> load_guest(const Bytes& bytes) {
  auto code = runtime::Code::load(compile_guest(bytes));
  if (!code) {
    ADD_FAILURE() << code.error().to_string();
    std::abort();
  }
  return *code;
}

inline std::shared_ptr<const runtime::Code> kit_code() {
  static const auto* const code = new std::shared_ptr<const runtime::Code>(load_guest(KitModule::bytes()));
  return *code;
}

template <class T> T must(base::Result<T> result, const char* what) {
  if (!result) {
    ADD_FAILURE() << what << ": " << result.error().to_string();
    std::abort();
  }
  return std::move(*result);
}

// What the host does when the guest calls it: the result, or nothing for a trap.
using HostBody = std::function<std::optional<std::uint32_t>(std::uint32_t)>;

// A sealed slot of the kit module.
class KitSlot {
public:
  static std::shared_ptr<const runtime::SlotLayout>
  layout(WriteTracking tracking, runtime::StoreLimits limits = {},
         const std::shared_ptr<const runtime::Code>& code = kit_code()) {
    runtime::SlotOptions options;
    options.limits = limits;
    options.tracking = tracking;
    options.owner_bytes = sizeof(abi::HostFunc);
    const std::uint32_t modules[] = {0};
    return must(runtime::SlotLayout::create(code, modules, options), "layout");
  }

  explicit KitSlot(std::shared_ptr<const runtime::SlotLayout> layout)
      : slot_(must(Slot::create(std::move(layout)), "slot")) {
    auto* host = reinterpret_cast<abi::HostFunc*>(slot_->owner_area());
    host->function = call_host;
    host->environment = this;
    const artifact::ModuleMeta& meta = kit_code()->module(0);
    const runtime::Extern import = slot_->host_func(host, meta.func_type(0));
    EXPECT_TRUE(slot_->instantiate_core(0, std::span(&import, 1)).has_value());
    auto sealed = slot_->seal();
    EXPECT_TRUE(sealed.has_value()) << sealed.error().to_string();
  }
  explicit KitSlot(WriteTracking tracking, runtime::StoreLimits limits = {}) : KitSlot(layout(tracking, limits)) {}

  // REQUIRES: on a fiber. All ones in the first four bytes when it trapped; trap() then says why.
  abi::ValRaw call(Kit func, std::initializer_list<std::uint64_t> arguments = {}) {
    abi::ValRaw values[8]{};
    std::size_t count = 0;
    for (std::uint64_t argument : arguments) values[count++].i64 = argument;
    trapped_ = !slot_->call(*instance().func(static_cast<std::uint32_t>(func)), values);
    if (trapped_) values[0].i64 = ~std::uint64_t{0};
    return values[0];
  }
  std::uint32_t get(Kit func, std::initializer_list<std::uint64_t> arguments = {}) { return call(func, arguments).i32; }
  bool trapped() const { return trapped_; }
  abi::Trap trap() const { return slot_->last_trap().trap; }
  // Calls, and expects this trap.
  void expect_trap(abi::Trap trap, Kit func, std::initializer_list<std::uint64_t> arguments = {}) {
    call(func, arguments);
    EXPECT_TRUE(trapped_) << "function " << static_cast<unsigned>(func);
    if (trapped_) {
      EXPECT_EQ(this->trap(), trap) << slot_->last_trap().to_string();
    }
  }
  void reset() {
    auto done = slot_->reset();
    EXPECT_TRUE(done.has_value()) << done.error().to_string();
  }

  HostBody host = [](std::uint32_t x) { return std::optional(x); };
  Slot& slot() { return *slot_; }
  runtime::Instance& instance() { return slot_->core_instance(0); }
  abi::MemoryRecord& memory() { return *instance().memory(0); }
  abi::TableRecord& table() { return *instance().table(0); }

private:
  static std::uint32_t call_host(abi::HostFunc* self, abi::ValRaw* values) {
    auto& kit = *static_cast<KitSlot*>(self->environment);
    auto result = kit.host(values[0].i32);
    if (!result) {
      kit.slot_->set_pending_trap(abi::Trap::HostError, "the host refused");
      return 1;
    }
    values[0].i64 = *result;
    return kit.slot_->finish_host_call();
  }
  std::unique_ptr<Slot> slot_;
  bool trapped_ = false;
};

// Everything that a guest or host could see of a slot: what exactness is about. References are told by the function they name.
struct KitState {
  std::vector<std::uint8_t> memory, globals;
  std::vector<std::uint32_t> table; // index of the function, or all ones

  explicit KitState(KitSlot& kit) {
    runtime::Instance& instance = kit.instance();
    memory.assign(kit.memory().base, kit.memory().base + kit.memory().byte_length);
    for (std::uint32_t i = 0; i < 3; ++i) {
      const auto* global = static_cast<const std::uint8_t*>(instance.global(i));
      globals.insert(globals.end(), global, global + (i == 0 ? 4 : i == 1 ? 8 : 16));
    }
    for (std::uint64_t i = 0; i < kit.table().length; ++i) {
      const auto* func = static_cast<const abi::FuncRef*>(kit.table().elements[i]);
      table.push_back(func ? static_cast<std::uint32_t>(func - instance.func(0)) : ~std::uint32_t{0});
    }
  }
  // Empty: equal. Otherwise where they first differ.
  std::string difference(const KitState& other) const {
    auto compare = [](const char* what, const auto& a, const auto& b) -> std::string {
      if (a.size() != b.size())
        return std::string(what) + " sizes " + std::to_string(a.size()) + " and " + std::to_string(b.size());
      for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i])
          return std::string(what) + " at " + std::to_string(i) + ": " + std::to_string(a[i]) + " and " +
                 std::to_string(b[i]);
      return {};
    };
    std::string found = compare("memory", memory, other.memory);
    if (found.empty()) found = compare("globals", globals, other.globals);
    if (found.empty()) found = compare("table", table, other.table);
    return found;
  }
};

inline void on_fiber(std::function<void()> body) {
  auto ran = loop::EventLoop::run_one(std::move(body));
  EXPECT_TRUE(ran.has_value());
}

inline std::int64_t monotonic_ns() { return loop::Clock::now().time_since_epoch().count(); }

inline std::string tracking_name(const testing::TestParamInfo<WriteTracking>& info) {
  constexpr const char* kNames[] = {"Automatic", "Userfaultfd", "Mprotect", "Scan"};
  return kNames[static_cast<unsigned>(info.param)];
}

// Suites that run once per way of write tracking.
class EveryTracking : public testing::TestWithParam<WriteTracking> {
protected:
  void SetUp() override {
    ASSERT_TRUE(runtime::initialize().has_value());
    if (GetParam() == WriteTracking::Userfaultfd && !runtime::host_features().userfaultfd_wp)
      GTEST_SKIP() << "this machine has no userfaultfd write-protection";
  }
};
inline const auto kEveryTracking =
    testing::Values(WriteTracking::Userfaultfd, WriteTracking::Mprotect, WriteTracking::Scan);

} // namespace cusp::test

// Core host functions as plain C++: which core type a signature has, how arguments come, and what a bad address does.
#include "runtime/bind.h"

#include <cstring>

#include <gtest/gtest.h>

#include "loop/event_loop.h"

namespace cusp::runtime {
namespace {

using wasm::ValType;

struct Pair {
  std::uint32_t first, second;
};
enum class Color : std::uint16_t { Red = 7 };

struct Bound {
  std::unique_ptr<Store> store = *Store::create({});
  alignas(16) std::uint8_t bytes[256] = {};
  abi::MemoryRecord memory{bytes, sizeof bytes, sizeof bytes, 65536};
  HostModule module{"test"};
  abi::ValRaw values[8]{};

  // The trap's sentence; empty: none.
  std::string run(std::string_view name, bool with_memory = true) {
    HostCall call(*store, with_memory ? &memory : nullptr);
    const HostFuncDef* def = module.find(name);
    def->thunk(def->callable.get(), call, values);
    return call.trapped() ? "trapped" : "";
  }
};

std::vector<std::uint32_t> raw(std::initializer_list<ValType> types) {
  std::vector<std::uint32_t> list;
  for (ValType type : types) list.push_back(type.raw());
  return list;
}

TEST(CoreBind, SignaturesHaveCoreTypes) {
  Bound b;
  b.module.func("all",
                [](HostCall&, std::uint8_t, std::int64_t, float, double, bool, Color, Pair&, std::span<const Pair>,
                   std::string_view) -> std::uint64_t { return 0; });
  b.module.func("none", [] {});
  const artifact::FuncTypeMeta& all = b.module.find("all")->type;
  auto i32 = ValType::i32(), i64 = ValType::i64();
  EXPECT_EQ(all.params, raw({i32, i64, ValType::f32(), ValType::f64(), i32, i32, i32, i32, i32, i32, i32}));
  EXPECT_EQ(all.results, raw({i64}));
  EXPECT_TRUE(b.module.find("none")->type.params.empty());
  EXPECT_TRUE(b.module.find("none")->type.results.empty());
  EXPECT_EQ(b.module.size(), 2u);
  EXPECT_EQ(b.module.find("absent"), nullptr);
}

TEST(CoreBind, ScalarsTravelInSlots) {
  Bound b;
  int base = 40;
  b.module.func("add", [base](std::uint8_t n, std::int64_t m) -> std::int64_t { return base + n + m; });
  b.module.func("half", [](double x, float y) { return x / 2 + y; });
  b.module.func("color", [](Color color, bool flag) { return flag ? color : Color{}; });
  b.values[0].i64 = 0xffffffffffffff02u, b.values[1].i64 = static_cast<std::uint64_t>(-44);
  EXPECT_EQ(b.run("add"), "");
  EXPECT_EQ(static_cast<std::int64_t>(b.values[0].i64), -2); // the low eight bits of an i32
  b.values[0].f64 = 5, b.values[1].f32 = 0.25;
  EXPECT_EQ(b.run("half"), "");
  EXPECT_EQ(b.values[0].f64, 2.75);
  b.values[0].i32 = 7, b.values[1].i32 = 0x100;
  EXPECT_EQ(b.run("color"), "");
  EXPECT_EQ(b.values[0].i32, 7u);
}

TEST(CoreBind, AddressesAreTheCallersMemory) {
  Bound b;
  b.module.func("swap", [](Pair& pair) { std::swap(pair.first, pair.second); });
  b.module.func("sum", [](std::span<const Pair> pairs) {
    std::uint32_t sum = 0;
    for (Pair pair : pairs) sum += pair.first + pair.second;
    return sum;
  });
  b.module.func("length", [](std::string_view text, std::uint32_t& length) {
    length = static_cast<std::uint32_t>(text.find('!'));
  });
  const Pair pairs[2] = {{1, 2}, {3, 4}};
  std::memcpy(b.bytes + 8, pairs, sizeof pairs);
  b.values[0].i32 = 8;
  EXPECT_EQ(b.run("swap"), "");
  EXPECT_EQ(b.bytes[8], 2);
  b.values[0].i32 = 8, b.values[1].i32 = 2;
  EXPECT_EQ(b.run("sum"), "");
  EXPECT_EQ(b.values[0].i32, 10u);
  std::memcpy(b.bytes + 101, "hey!", 4);
  b.values[0].i32 = 101, b.values[1].i32 = 4, b.values[2].i32 = 200;
  EXPECT_EQ(b.run("length"), "");
  EXPECT_EQ(b.bytes[200], 3);
}

TEST(CoreBind, ABadAddressTrapsBeforeTheFunctionRuns) {
  Bound b;
  int calls = 0;
  b.module.func("take", [&calls](std::span<const Pair>, std::uint32_t&) { ++calls; });
  auto take = [&](std::uint32_t at, std::uint32_t count, std::uint32_t out, bool with_memory = true) {
    b.values[0].i32 = at, b.values[1].i32 = count, b.values[2].i32 = out;
    return b.run("take", with_memory);
  };
  EXPECT_EQ(take(240, 2, 252), ""); // up to the last byte
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(take(244, 2, 0), "trapped");         // over the end
  EXPECT_EQ(take(2, 1, 0), "trapped");           // not aligned
  EXPECT_EQ(take(0, 0x20000001, 0), "trapped");  // 32 bits of it would fit
  EXPECT_EQ(take(0xfffffff8u, 1, 0), "trapped"); // wraps
  EXPECT_EQ(take(0, 1, 256), "trapped");         // behind the last byte
  EXPECT_EQ(take(0, 1, 0, false), "trapped");    // no memory at all
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(take(0xfffffff1u, 0, 0), ""); // nothing there is touched
  EXPECT_EQ(calls, 2);
}

TEST(CoreBind, AHostFunctionMayTrapAndSuspend) {
  Result<void> ran = loop::EventLoop::run_one([] {
    Bound b;
    int state = 5;
    b.store->user = &state;
    b.module.func("stop", [](HostCall& call) {
      call.trap("the first reason", abi::Trap::Cancelled);
      call.trap("another");
      return call.host<int>();
    });
    b.module.func("wait", [](HostCall& call) -> std::uint32_t {
      loop::Fiber::yield();
      return static_cast<std::uint32_t>(call.host<int>());
    });
    b.module.func("touch", [](std::uint32_t&) {});
    EXPECT_FALSE(b.module.bind(*b.store, "absent"));
    auto call = [&](const char* name) {
      return b.store->call(*std::get<ExternFunc>(*b.module.bind(*b.store, name)).func, b.values);
    };
    EXPECT_TRUE(call("wait"));
    EXPECT_EQ(b.values[0].i32, 5u);
    EXPECT_FALSE(call("stop"));
    EXPECT_EQ(b.store->last_trap().message, "the first reason");
    EXPECT_EQ(b.store->last_trap().trap, abi::Trap::Cancelled);
    EXPECT_FALSE(call("touch")); // the host has no memory
    EXPECT_NE(b.store->last_trap().message.find("memory"), std::string::npos);
  });
  EXPECT_TRUE(ran);
}

} // namespace
} // namespace cusp::runtime

// Core modules: functions, memory, host functions, WASI 0.1.
#include <thread>

#include "embed/guest.h"

namespace cusp::test {
namespace {

struct Modules : testing::Test {
  Module module = must(Module::load(engine(), guest_path("embed-core")));
  std::string heard;
  ModuleLinker linker = [this] {
    ModuleLinker made(engine());
    made.func("env", "log", [this](ModuleCall& call, std::uint32_t at, std::uint32_t size) {
      if (auto text = call.memory().text(at, size)) heard += *text;
      else call.trap("what is there to say lies outside");
    });
    made.func("env", "scale", [](std::int64_t by, double value) -> HostResult<double> {
      if (by == 0) return trap("by nothing");
      return static_cast<double>(by) * value;
    });
    return made;
  }();
};

TEST_F(Modules, FunctionsTakeAndGiveNumbers) {
  ModuleInstance instance = must(linker.instantiate(module));
  auto add = must(instance.func<std::int32_t(std::int32_t, std::int32_t)>("add"));
  EXPECT_EQ(must(add(-40, 82)), 42);
  auto scaled = must(instance.func<double(std::int64_t, double)>("scaled"));
  EXPECT_EQ(must(scaled(-3, 0.5)), -1.5);
  auto split = must(instance.func<std::tuple<std::int32_t, std::int64_t, float>(std::int64_t)>("split"));
  EXPECT_EQ(must(split(-(1ll << 33) - 1)), std::tuple(-1, -(1ll << 33) - 1, -8589934592.f));
  auto trapped = scaled(0, 1);
  ASSERT_FALSE(trapped);
  EXPECT_EQ(trapped.error().trap, TrapCode::HostError);
  EXPECT_EQ(trapped.error().message, "by nothing");
  EXPECT_EQ(must(add(1, 2)), 3);                  // a core instance lives on
  EXPECT_EQ(must(instance.global("count")), 42u); // `_initialize` ran
  EXPECT_FALSE(instance.global("counts"));
}

TEST_F(Modules, MemoryIsShared) {
  ModuleInstance instance = must(linker.instantiate(module));
  auto speak = must(instance.func<void()>("speak"));
  must(speak());
  EXPECT_EQ(heard, "from the guest");
  Memory memory = must(instance.memory());
  EXPECT_EQ(memory.size(), 65536u);
  memory.bytes()[100] = 7;
  EXPECT_EQ(must(must(instance.func<std::uint32_t(std::uint32_t)>("byte"))(100)), 7u);
  EXPECT_EQ(memory.text(16, 4), "from");
  EXPECT_FALSE(memory.range(65536, 1));
  EXPECT_FALSE(memory.range(~std::uint64_t{0}, 2));
  EXPECT_TRUE(memory.range(65536, 0));
  EXPECT_EQ(must(must(instance.func<std::int32_t(std::int32_t)>("grow"))(2)), 1);
  EXPECT_EQ(memory.size(), 3 * 65536u);
  auto far = must(instance.func<void()>("speak-far"));
  EXPECT_TRUE(far().has_value()); // the memory has grown over it
  ModuleInstance fresh = must(linker.instantiate(module));
  auto outside = must(fresh.func<void()>("speak-far"))();
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().message, "what is there to say lies outside");
  EXPECT_FALSE(instance.memory("other"));
}

TEST_F(Modules, LimitsHold) {
  Limits limits{.memory_bytes = 2 * 65536, .call_time = std::chrono::milliseconds(30)};
  ModuleInstance instance = must(linker.instantiate(module, limits));
  auto grow = must(instance.func<std::int32_t(std::int32_t)>("grow"));
  EXPECT_EQ(must(grow(2)), -1);
  EXPECT_EQ(must(grow(1)), 1);
  auto spin = must(instance.func<void()>("spin"))();
  ASSERT_FALSE(spin);
  EXPECT_EQ(spin.error().trap, TrapCode::Timeout);
  EXPECT_EQ(must(grow(0)), 2);
}

TEST_F(Modules, WhatDoesNotFitIsNamed) {
  auto missing = ModuleLinker(engine()).func("env", "log", [](float) { return 1; }).instantiate(module);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::Unlinkable);
  EXPECT_EQ(missing.error().message,
            "the module's imports cannot all be given:\n"
            "  env.log has another type: the module wants (i32 i32) -> (), the host gives (f32) -> (i32)\n"
            "  nothing provides the func (i64 f64) -> (f64) env.scale");
  ModuleInstance instance = must(linker.instantiate(module));
  auto wrong = instance.func<std::int64_t(std::int32_t)>("add");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message,
            "export `add` has another type: the module has (i32 i32) -> (i32), the host calls it with (i32) -> (i64)");
  auto none = instance.func<void()>("nothing");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::NotFound);
  EXPECT_NE(none.error().message.find("add, speak"), std::string::npos);
  auto add = must(instance.func<std::int32_t(std::int32_t, std::int32_t)>("add"));
  std::thread([&] { EXPECT_FALSE(add(1, 2)); }).join();
  EXPECT_FALSE(Component::load(engine(), guest_path("embed-core")));
  EXPECT_FALSE(Module::load(engine(), guest_path("embed")));
}

struct Wasi : testing::Test {
  std::string out;
  WasiGrants grants{.environment = {{"KEY", "value"}}, .stdin_text = "typed in"};
  Wasi() {
    grants.stdout_to = [this](std::string_view part) { out += part; };
  }
  Result<std::expected<void, std::monostate>> run_component(const char* stop) {
    grants.arguments = {"tour", stop};
    Linker linker(engine());
    must(linker.add_wasi(grants));
    Instance instance = must(linker.instantiate(must(Component::load(engine(), guest_path("cli-tour")))));
    return must(instance.func<std::expected<void, std::monostate>()>("wasi:cli/run@0.2.0", "run"))();
  }
  Result<void> run_module(const char* stop, const char* argument) {
    grants.arguments = {"tour", stop, argument};
    ModuleLinker linker(engine());
    must(linker.add_wasi(grants));
    ModuleInstance instance = must(linker.instantiate(must(Module::load(engine(), guest_path("wasi-tour")))));
    return must(instance.func<void()>("_start"))();
  }
};

TEST_F(Wasi, ComponentsGetWhatIsGranted) {
  EXPECT_TRUE(must(run_component("env")).has_value());
  EXPECT_EQ(out, "KEY=value\n");
  out.clear();
  EXPECT_TRUE(must(run_component("stdin")).has_value());
  EXPECT_EQ(out, "typed in");
  EXPECT_FALSE(must(run_component("fail")).has_value());
  out.clear();
  auto exited = run_component("exit");
  ASSERT_FALSE(exited);
  EXPECT_EQ(exited.error().code, ErrorCode::Exit);
  EXPECT_EQ(exited.error().exit_code, 1);
  EXPECT_EQ(out, "before\n");
  EXPECT_TRUE(must(run_component("sleep")).has_value());
}

TEST_F(Wasi, ModulesGetWhatIsGranted) {
  auto ran = run_module("env", "KEY");
  EXPECT_TRUE(ran.has_value()) << ran.error().to_string();
  EXPECT_EQ(out, "value\n");
  out.clear();
  auto exited = run_module("exit", "7");
  ASSERT_FALSE(exited);
  EXPECT_EQ(exited.error().code, ErrorCode::Exit);
  EXPECT_EQ(exited.error().exit_code, 7);
  EXPECT_EQ(out, "before\n");
}

TEST_F(Wasi, WhatCannotBeGrantedIsNamed) {
  grants.directories.push_back({"/nonexistent", "/", false});
  Linker linker(engine());
  auto refused = linker.add_wasi(grants);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("/nonexistent"), std::string::npos);
  grants.directories.clear();
  grants.network = {"carrier-pigeon"};
  EXPECT_FALSE(linker.add_wasi(grants));
}

} // namespace
} // namespace cusp::test

// Compiles modules in this process and runs them in one store: what needs both ends of the engine.
#pragma once

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "compile/compile.h"
#include "loop/event_loop.h"
#include "lower/module_bytes.h"
#include "runtime/store.h"

namespace cusp::test {

struct EngineSettings {
  unsigned opt_level = 2;
  artifact::BoundsMode bounds = artifact::BoundsMode::Guard;
  bool fuel = false;
};

inline std::shared_ptr<const runtime::Code> compile_and_load(const Bytes& bytes, const EngineSettings& settings) {
  compile::CompileOptions options;
  options.opt_level = settings.opt_level;
  options.bounds = settings.bounds;
  options.fuel = settings.fuel;
  options.linkable = true;
  options.threads = 1;
  auto artifact = compile::compile_artifact(bytes, options);
  if (!artifact) {
    ADD_FAILURE() << artifact.error().to_string();
    return nullptr;
  }
  auto loaded = artifact::Artifact::from_bytes(*artifact, "test");
  if (!loaded) {
    ADD_FAILURE() << loaded.error().to_string();
    return nullptr;
  }
  auto code = runtime::Code::load(*loaded);
  if (!code) {
    ADD_FAILURE() << code.error().to_string();
    return nullptr;
  }
  return *code;
}

// Suites that run at every level, and once with checks in code.
class EngineTest : public testing::TestWithParam<EngineSettings> {
protected:
  void SetUp() override { make_store({}); }
  void make_store(const runtime::StoreLimits& limits) {
    auto store = runtime::Store::create(limits);
    ASSERT_TRUE(store) << store.error().to_string();
    store_ = std::move(*store);
  }

  runtime::Instance* instantiate(const ModuleBytes& source, std::vector<runtime::Extern> imports = {}) {
    auto code = compile_and_load(source.bytes(), GetParam());
    if (!code) return nullptr;
    runtime::Instance* instance = nullptr;
    on_fiber([&] {
      auto made = store_->instantiate(code, 0, imports);
      if (made) instance = *made;
      else ADD_FAILURE() << made.error().to_string();
    });
    return instance;
  }

  base::Result<std::uint64_t> run(runtime::Instance* instance, std::uint32_t func,
                                  std::vector<std::uint64_t> arguments = {}) {
    if (!instance) return base::fail(base::ErrorCode::Internal, "there is no instance");
    std::vector<abi::ValRaw> values(std::max<std::size_t>(arguments.size(), 4));
    for (std::size_t i = 0; i < arguments.size(); ++i) values[i].i64 = arguments[i];
    base::Result<void> result;
    on_fiber([&] { result = store_->call(*instance->func(func), values.data()); });
    if (!result) return std::unexpected(result.error());
    return values[0].i64;
  }
  std::uint32_t run_i32(runtime::Instance* instance, std::uint32_t func, std::vector<std::uint64_t> arguments = {}) {
    auto result = run(instance, func, std::move(arguments));
    if (!result) ADD_FAILURE() << result.error().to_string();
    return result ? static_cast<std::uint32_t>(*result) : 0xdeadbeef;
  }
  void expect_trap(runtime::Instance* instance, std::uint32_t func, abi::Trap trap,
                   std::vector<std::uint64_t> arguments = {}) {
    auto result = run(instance, func, std::move(arguments));
    ASSERT_FALSE(result) << "it returned";
    EXPECT_EQ(store_->last_trap().trap, trap) << store_->last_trap().to_string();
  }

  template <class Body> static void on_fiber(Body body) {
    auto ran = loop::EventLoop::run_one(body);
    ASSERT_TRUE(ran) << ran.error().to_string();
  }

  std::unique_ptr<runtime::Store> store_;
};

inline const auto kEverySetting = testing::Values(EngineSettings{0}, EngineSettings{1}, EngineSettings{2},
                                                  EngineSettings{2, artifact::BoundsMode::Explicit});

inline std::string setting_name(const testing::TestParamInfo<EngineSettings>& info) {
  return "O" + std::to_string(info.param.opt_level) +
         (info.param.bounds == artifact::BoundsMode::Explicit ? "Explicit" : "");
}

} // namespace cusp::test

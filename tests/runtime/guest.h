// Guest code for tests: modules written as bytes, compiled by cusp-compile, instantiated in a store, called on a fiber.
#pragma once

#include <functional>
#include <initializer_list>

#include <gtest/gtest.h>

#include "loop/event_loop.h"
#include "lower/module_bytes.h"
#include "prepare/prepare.h"
#include "runtime/store.h"

namespace cusp::test {

inline std::shared_ptr<const runtime::Code> compile(const ModuleBytes& module,
                                                    const artifact::CompileRequest& request = {}) {
  prepare::PrepareOptions options;
  static_cast<artifact::CompileRequest&>(options) = request;
  options.linkable = true;
  auto compiler = prepare::CompilerProcess::start(options);
  if (!compiler) throw std::runtime_error(compiler.error().to_string());
  auto artifact = (*compiler)->compile(module.bytes());
  if (!artifact) throw std::runtime_error(artifact.error().to_string());
  auto ready = runtime::initialize();
  if (!ready) throw std::runtime_error(ready.error().to_string());
  auto code = runtime::Code::load(*artifact);
  if (!code) throw std::runtime_error(code.error().to_string());
  return *code;
}

inline void on_fiber(std::function<void()> body) {
  auto ran = loop::EventLoop::run_one(std::move(body));
  EXPECT_TRUE(ran) << ran.error().to_string();
}

class Guest {
public:
  explicit Guest(const runtime::StoreLimits& limits = {}) {
    auto store = runtime::Store::create(limits);
    if (!store) throw std::runtime_error(store.error().to_string());
    store_ = std::move(*store);
  }
  runtime::Instance& add(std::shared_ptr<const runtime::Code> code, std::span<const runtime::Extern> imports = {}) {
    auto instance = store_->instantiate(std::move(code), 0, imports);
    if (!instance) throw std::runtime_error(instance.error().to_string());
    return **instance;
  }
  // The first result's 64 bits; for an i32 the low half. A trap's text where it traps.
  base::Result<std::uint64_t> call(runtime::Instance& instance, std::string_view name,
                                   std::initializer_list<std::uint64_t> arguments = {}) {
    auto item = instance.exported(name);
    if (!item) throw std::runtime_error("no such export");
    std::vector<abi::ValRaw> values(std::max<std::size_t>(arguments.size(), 4));
    for (std::size_t i = 0; i < arguments.size(); ++i) values[i].i64 = arguments.begin()[i];
    CUSP_TRY(store_->call(*std::get<runtime::ExternFunc>(*item).func, values.data()));
    return values[0].i64;
  }
  std::uint32_t call32(runtime::Instance& instance, std::string_view name,
                       std::initializer_list<std::uint64_t> arguments = {}) {
    auto result = call(instance, name, arguments);
    if (!result) throw std::runtime_error(result.error().to_string());
    return static_cast<std::uint32_t>(*result);
  }
  runtime::Store& store() { return *store_; }

private:
  std::unique_ptr<runtime::Store> store_;
};

} // namespace cusp::test

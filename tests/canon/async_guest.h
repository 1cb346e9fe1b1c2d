// components/async.wat, compiled once per test program, with a host that answers slowly.
#pragma once

#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "canon/component.h"
#include "canon/host_stream.h"
#include "loop/event_loop.h"
#include "prepare/prepare.h"

namespace cusp::test {

using namespace canon;

// What the host functions leave for the tests to look at.
struct AsyncHost {
  std::uint32_t calls_alive = 0, most_alive = 0, cancelled = 0, fed = 0;
  bool feeder_ended = false;
};

inline HostResult<std::uint32_t> slow_echo(CallContext& cx, std::uint32_t value) {
  auto& host = cx.host<AsyncHost>();
  host.most_alive = std::max(host.most_alive, ++host.calls_alive);
  bool woke = cx.sleep_until(loop::Clock::now() + std::chrono::milliseconds(5));
  --host.calls_alive;
  if (woke) return value;
  ++host.cancelled;
  return cancelled();
}

inline HostResult<void> never(CallContext& cx) {
  while (cx.sleep_until(loop::kNever)) {
  }
  ++cx.host<AsyncHost>().cancelled;
  return cancelled();
}

// Bytes 1, 2, 3 … from a fiber that outlives the call.
inline Stream<std::uint8_t> produce(CallContext& cx, std::uint32_t bytes) {
  auto pair = make_stream<std::uint8_t>(cx);
  cx.component().spawn([writer = std::move(pair.writer), bytes, &host = cx.host<AsyncHost>()]() mutable {
    std::vector<std::uint8_t> data(bytes);
    std::iota(data.begin(), data.end(), std::uint8_t{1});
    auto written = writer.write(std::span<const std::uint8_t>(data));
    host.fed = written ? *written : ~0u;
    host.feeder_ended = true;
  });
  return std::move(pair.stream);
}

inline HostResult<std::uint32_t> consume(CallContext&, Stream<std::uint8_t> data) {
  std::uint32_t sum = 0;
  std::uint8_t room[5];
  for (;;) {
    auto got = data.read(room);
    if (!got) return trap(got.error().message);
    if (*got == 0) return sum;
    sum += std::accumulate(room, room + *got, 0u);
  }
}

inline Future<std::uint32_t> later(CallContext& cx, std::uint32_t value) {
  auto pair = make_future<std::uint32_t>(cx);
  cx.component().spawn([writer = std::move(pair.writer), value]() mutable {
    loop::Fiber::yield();
    (void)writer.set(value);
  });
  return std::move(pair.future);
}

inline Stream<std::string> words(CallContext& cx) {
  auto pair = make_stream<std::string>(cx);
  cx.component().spawn([writer = std::move(pair.writer)]() mutable {
    std::vector<std::string> all = {"a", "four", "by"};
    (void)writer.write(all);
  });
  return std::move(pair.stream);
}

inline std::shared_ptr<const runtime::Code> async_guest_code() {
  static const auto code = []() -> std::shared_ptr<const runtime::Code> {
    auto bytes = prepare::read_file(std::string(std::getenv("CUSP_BUILD_DIR")) + "/guests/canon-async.wasm");
    EXPECT_TRUE(bytes) << bytes.error().to_string();
    auto compiler = prepare::CompilerProcess::start({});
    EXPECT_TRUE(compiler) << compiler.error().to_string();
    auto artifact = (*compiler)->compile(*bytes);
    EXPECT_TRUE(artifact) << artifact.error().to_string();
    return *runtime::Code::load(*artifact);
  }();
  return code;
}

class AsyncGuest : public testing::Test {
protected:
  // Runs `body` on a fiber with a fresh instance, which is reset in the end, and must be as good as new then.
  template <class F> void with_instance(F body, LinkOptions options = {}) {
    ASSERT_TRUE(runtime::initialize());
    Linker linker;
    linker.instance("host")
        .func("echo", slow_echo)
        .func("never", never)
        .func("produce", produce)
        .func("consume", consume)
        .func("later", later)
        .func("words", words);
    auto code = ComponentCode::link(async_guest_code(), linker, options);
    ASSERT_TRUE(code) << code.error().to_string();
    auto ran = loop::EventLoop::run_one([&] {
      auto instance = ComponentInstance::create(*code, &host);
      ASSERT_TRUE(instance) << instance.error().to_string();
      body(**instance);
      auto reset = (*instance)->reset();
      ASSERT_TRUE(reset) << reset.error().to_string();
      (*instance)->set_host(&host);
      auto again = call<std::uint32_t(std::uint32_t)>(**instance, "call", 5u);
      ASSERT_TRUE(again) << again.error().to_string();
      EXPECT_EQ(*again, 5u);
    });
    ASSERT_TRUE(ran);
  }

  template <class Signature, class... A>
  static auto call(ComponentInstance& instance, const char* name, A... arguments) {
    auto func = instance.code().find_export<Signature>("", name);
    EXPECT_TRUE(func) << func.error().to_string();
    return instance.call(*func, std::move(arguments)...);
  }

  AsyncHost host;
};

} // namespace cusp::test

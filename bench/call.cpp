// Calls over the border of a component, in process: typed calls of the host into a guest, and a guest's calls of a typed host function.
//   build/bench/call COMPONENT      bench/call/host.wat, as binary; `scripts/dev bench call` makes it
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "canon/component.h"
#include "loop/event_loop.h"
#include "prepare/prepare.h"

namespace {

using namespace cusp;
using loop::Clock;

template <class T> T must(base::Result<T> result, const char* what) {
  if (!result) {
    fmt::print(stderr, "{}: {}\n", what, result.error().to_string());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// The best of several rounds.
template <class F> void row(const char* name, std::uint32_t calls, F round) {
  double best = 1e30;
  for (int i = 0; i < 7; ++i) {
    const auto begin = Clock::now();
    round(calls);
    best = std::min(best, static_cast<double>((Clock::now() - begin).count()) / calls);
  }
  fmt::print("{:28}{:14.2f}\n", name, best);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fmt::print(stderr, "usage: call COMPONENT\n"), 2;
  setenv("CUSP_COMPILE", CUSP_COMPILER, 0);
  must(runtime::initialize(), "initialize");
  auto code = must(runtime::Code::load(must(prepare::prepare_file(argv[1], {}), "prepare")), "load");
  canon::Linker linker;
  linker.root().func("next", +[](std::uint32_t value) -> std::uint32_t { return value + 1; });
  auto linked = must(canon::ComponentCode::link(code, linker, {}), "link");
  auto same = must(linked->find_export<std::uint32_t(std::uint32_t)>("", "same"), "same");
  auto length = must(linked->find_export<std::uint32_t(std::string_view)>("", "length"), "length");
  auto repeat = must(linked->find_export<std::uint32_t(std::uint32_t)>("", "repeat"), "repeat");
  must(loop::EventLoop::run_one([&] {
         auto instance = must(canon::ComponentInstance::create(linked), "create");
         row("host to guest, u32", 1'000'000, [&](std::uint32_t calls) {
           for (std::uint32_t i = 0; i < calls; ++i) must(instance->call(same, i), "same");
         });
         row("host to guest, 16 B string", 1'000'000, [&](std::uint32_t calls) {
           for (std::uint32_t i = 0; i < calls; ++i)
             must(instance->call(length, std::string_view("sixteen letters.")), "length");
         });
         row("guest to host, u32", 1'000'000,
             [&](std::uint32_t calls) { must(instance->call(repeat, calls), "repeat"); });
       }),
       "loop");
  return 0;
}

#include "cli/wast_host.h"

#include "canon/component.h"

namespace cusp::cli {

using canon::Borrow;
using canon::CallContext;
using canon::HostResult;
using canon::LinkerInstance;
using canon::Own;

namespace {

struct Resource1 {
  Resource1(WastHost& host, std::uint32_t rep) : host(host), rep(rep) {}
  ~Resource1() {
    ++host.drops;
    host.last_drop = rep;
  }
  WastHost& host;
  std::uint32_t rep;
};
struct Resource2 {};

HostResult<void> same_rep(std::uint32_t actual, std::uint32_t expected) {
  if (actual != expected) return canon::trap("the resource has another representation");
  return {};
}

// Functions that take their time take one turn of the event loop.
HostResult<void> take_a_turn(CallContext& cx) {
  loop::Fiber::yield();
  if (cx.cancelled()) return canon::cancelled();
  return {};
}

HostResult<void> never_return(CallContext& cx) {
  while (cx.sleep_until(loop::kNever)) {
  }
  return canon::cancelled();
}

void add_resource1(LinkerInstance& host) {
  host.resource<Resource1>("resource1").resource<Resource2>("resource2").resource<Resource1>("resource1-again");
  host.func("[constructor]resource1",
            [](CallContext& cx, std::uint32_t rep) { return canon::make_own<Resource1>(cx.host<WastHost>(), rep); });
  host.func("[static]resource1.assert",
            [](Own<Resource1> object, std::uint32_t rep) { return same_rep(object->rep, rep); });
  host.func("[static]resource1.last-drop", [](CallContext& cx) { return cx.host<WastHost>().last_drop; });
  host.func("[static]resource1.drops", [](CallContext& cx) { return cx.host<WastHost>().drops; });
  host.func("[method]resource1.simple",
            [](Borrow<Resource1> self, std::uint32_t rep) { return same_rep(self->rep, rep); });
  host.func("[method]resource1.take-borrow", [](Borrow<Resource1>, Borrow<Resource1>) {});
  host.func("[method]resource1.take-own", [](Borrow<Resource1>, Own<Resource1>) {});
  host.func("[method]resource1.never-return", [](CallContext& cx, Borrow<Resource1>) { return never_return(cx); });
}

} // namespace

void add_wast_host(canon::Linker& linker) {
  linker.root().func("host-echo-u32", [](std::uint32_t value) { return value; }).func("host-return-two", [] {
    return std::uint32_t{2};
  });
  LinkerInstance& host = linker.instance("host");
  host.func("return-three", [] { return std::uint32_t{3}; });
  host.func("return-hi", [] { return std::string("hi"); });
  host.func("never-return", [](CallContext& cx) { return never_return(cx); });
  host.func("return-two-slowly", [](CallContext& cx) -> HostResult<std::int32_t> {
    if (auto turn = take_a_turn(cx); !turn) return std::unexpected(turn.error());
    return 2;
  });
  host.func("echo-slowly", [](CallContext& cx, std::uint32_t value) -> HostResult<std::uint32_t> {
    if (auto turn = take_a_turn(cx); !turn) return std::unexpected(turn.error());
    return value;
  });
  add_resource1(host);
  linker.instance("host/nested").func("return-four", [] { return std::uint32_t{4}; });
  linker.instance("wasmtime")
      .func("set-max-table-capacity",
            [](CallContext& cx, std::uint32_t handles) { cx.component().set_max_handles(handles); })
      .func("gc", [] {});
}

} // namespace cusp::cli

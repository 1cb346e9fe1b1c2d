#include "compile/groups.h"

#include "artifact/checksum.h"

namespace cusp::compile {

namespace {
constexpr std::uint64_t kEvery = kGroupBytes - kMinGroupBytes; // bytes between cuts, beyond the least
}

void append_groups(const wasm::Module& module, std::uint32_t module_index, std::vector<FunctionGroup>& groups) {
  FunctionGroup group{.module = module_index};
  auto close = [&](std::uint32_t end) {
    group.end = end;
    if (group.first != end) groups.push_back(group);
    group.first = end, group.bytes = 0;
  };
  for (std::uint32_t i = 0; i < module.defined_functions(); ++i) {
    std::span<const std::uint8_t> body = module.code[i].bytes;
    // A function as large as a group has one of its own: its compile time is its own affair.
    if (group.bytes != 0 && group.bytes + body.size() > kMaxGroupBytes) close(i);
    group.bytes += body.size();
    if (group.bytes >= kMinGroupBytes && artifact::checksum(body) % kEvery < body.size()) close(i + 1);
  }
  close(module.defined_functions());
}

} // namespace cusp::compile

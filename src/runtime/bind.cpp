#include "runtime/bind.h"

#include <fmt/format.h>

#include "runtime/store_state.h"

namespace cusp::runtime {

namespace {

std::uint32_t call_bound(abi::HostFunc* self, abi::ValRaw* values) {
  const auto* importer = static_cast<const abi::VmContext*>(self->owner);
  HostCall call(*reinterpret_cast<HostFuncRecord*>(self)->store,
                importer ? instance_of(importer).exported_memory() : nullptr);
  const auto* def = static_cast<const HostFuncDef*>(self->environment);
  def->thunk(def->callable.get(), call, values);
  return call.trapped() ? 1 : 0;
}

} // namespace

void HostCall::trap(std::string message, abi::Trap code) {
  if (trapped_) return;
  trapped_ = true;
  store_.set_pending_trap(code, std::move(message));
}

std::uint8_t* HostCall::bad_range(std::uint32_t pointer, std::uint64_t bytes, std::uint32_t alignment) {
  if (!memory_) trap("a host function needs the caller's memory, and the module exports none as `memory`");
  else if (pointer & (alignment - 1))
    trap(fmt::format("pointer {:#x} given to the host is not aligned to {} bytes", pointer, alignment),
         abi::Trap::MemoryOutOfBounds);
  else
    trap(fmt::format("pointer given to the host is out of bounds: {} bytes at {:#x}", bytes, pointer),
         abi::Trap::MemoryOutOfBounds);
  return nullptr;
}

const HostFuncDef* HostModule::find(std::string_view name) const {
  auto found = funcs_.find(name);
  return found == funcs_.end() ? nullptr : &found->second;
}

std::optional<Extern> HostModule::bind(Store& store, std::string_view name) const {
  const HostFuncDef* def = find(name);
  if (!def) return std::nullopt;
  return ExternFunc{store.add_host_func(def->type, call_bound, const_cast<HostFuncDef*>(def))};
}

} // namespace cusp::runtime

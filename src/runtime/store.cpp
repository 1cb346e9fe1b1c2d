// Stores of core modules: memory for what instances are made of, host functions, calls and what a trap leaves behind.
#include "runtime/store.h"

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "runtime/fault.h"
#include "runtime/gc.h"
#include "runtime/page_table.h"
#include "runtime/preempt.h"
#include "runtime/store_state.h"

namespace cusp::runtime {

using base::ErrorCode;

namespace {

constexpr std::uint64_t kStackGuard = 64 * 1024;
constexpr std::uint64_t kLeastGcSpace = std::uint64_t{16} << 20;
constexpr std::uint64_t kMemory64Reservation = std::uint64_t{64}
                                               << 30; // explicit bounds: address space that it may grow in

// Memories and tables of their own address space.
class FreePlacement final : public Placement {
public:
  // `code`: of the module whose memories these are, or null.
  FreePlacement(Store::State& state, const StoreLimits& limits, const Code* code)
      : state_(state), limits_(limits), code_(code) {}

  Result<abi::MemoryRecord*> memory(std::uint32_t, const artifact::MemoryMeta& meta,
                                    abi::MemoryRecord& record) override {
    MemorySpace space = memory_space(meta, limits_);
    std::uint64_t bytes = CUSP_TRY(initial_memory_bytes(meta));
    if (bytes > space.max_bytes)
      return base::fail(ErrorCode::LimitExceeded, fmt::format("a memory of {} bytes is beyond the limit", bytes));
    OwnedSpace owned{CUSP_TRY(Reservation::create(space.reserve)), {}};
    std::uint8_t* at = owned.space.base();
    CUSP_TRY(open_pages(at, round_to_pages(bytes)));
    if (code_ && meta.image_bytes) CUSP_TRY(map_memory_image(code_->artifact(), meta, at));
    static const GuestCode no_code;
    owned.guarded =
        AddressRegistration(memory_table(), at, at + space.reserve, code_ && !meta.shared ? &code_->guest() : &no_code);
    const abi::MemoryRecord made{at, bytes, space.max_bytes, std::uint64_t{1} << meta.page_size_log2, nullptr};
    if (meta.shared) return share_memory(state_.shared_memories, made, std::move(owned));
    state_.spaces.push_back(std::move(owned));
    record = made;
    return &record;
  }

  Result<void> table(std::uint32_t, const artifact::TableMeta& meta, abi::TableRecord& record) override {
    std::uint64_t capacity = table_capacity(meta, limits_);
    if (meta.min > capacity)
      return base::fail(ErrorCode::LimitExceeded, fmt::format("a table of {} elements is beyond the limit", meta.min));
    OwnedSpace owned{CUSP_TRY(Reservation::create(round_to_pages(capacity * sizeof(void*) + 1))), {}};
    std::uint8_t* at = owned.space.base();
    CUSP_TRY(open_pages(at, round_to_pages(meta.min * sizeof(void*))));
    state_.spaces.push_back(std::move(owned));
    record = {reinterpret_cast<void**>(at), meta.min, capacity};
    return {};
  }

  Result<GcHeap*> gc_heap() override {
    // Where address space is refused, less will do: what does not fit is then a trap of the guest's.
    std::uint64_t space = GcHeap::space_for(limits_.memory_bytes);
    auto reserved = Reservation::create(space);
    while (!reserved && space > kLeastGcSpace) reserved = Reservation::create(space = GcHeap::space_for(space / 2));
    OwnedSpace owned{CUSP_TRY(std::move(reserved)), {}};
    GcHeap* heap = CUSP_TRY(GcHeap::create(owned.space.base(), space));
    state_.spaces.push_back(std::move(owned));
    return heap;
  }

private:
  Store::State& state_;
  const StoreLimits& limits_;
  const Code* code_;
};

std::uint32_t call_host_function(abi::HostFunc* host, abi::ValRaw* values) {
  auto* record = reinterpret_cast<HostFuncRecord*>(host);
  std::uint32_t status = record->function(host, values);
  return status != 0 ? status : record->store->finish_host_call();
}

} // namespace

void Store::State::FreeAligned::operator()(void* memory) const { std::free(memory); }

abi::HostFunc* Store::State::for_importer(abi::HostFunc* host, abi::VmContext* importer) {
  if (host->function != call_host_function) return host;
  HostFuncRecord& own = host_funcs.emplace_back(*reinterpret_cast<HostFuncRecord*>(host));
  own.host.owner = importer;
  return &own.host;
}

abi::MemoryRecord* share_memory(std::vector<std::shared_ptr<SharedMemory>>& owners, const abi::MemoryRecord& record,
                                OwnedSpace space) {
  SharedMemory& shared = *owners.emplace_back(std::make_shared<SharedMemory>(std::move(space)));
  shared.record = record;
  shared.record.shared = &shared;
  return &shared.record;
}

MemorySpace memory_space(const artifact::MemoryMeta& meta, const StoreLimits& limits) {
  std::uint64_t ceiling = meta.memory64 ? kMemory64Reservation : abi::kMemory32Reservation;
  // In pages of one byte: 2^32 is more than memory.size can tell, and 2^32 - 1 as an old size is how memory.grow says no.
  if (!meta.memory64 && meta.page_size_log2 == 0) ceiling -= 2;
  std::uint64_t max_bytes = ceiling;
  if (meta.max && *meta.max <= ceiling >> meta.page_size_log2) max_bytes = *meta.max << meta.page_size_log2;
  if (meta.bounds == artifact::BoundsMode::Guard && !meta.memory64)
    return {abi::kMemory32Reservation + abi::kMemoryGuardSize, max_bytes};
  if (limits.memory_bytes < max_bytes) max_bytes = limits.memory_bytes >> meta.page_size_log2 << meta.page_size_log2;
  return {round_to_pages(max_bytes) + abi::kHostPageSize, max_bytes};
}

std::uint64_t table_capacity(const artifact::TableMeta& meta, const StoreLimits& limits) {
  std::uint64_t most = limits.table_elements;
  return meta.max && *meta.max < most ? *meta.max : most;
}

Result<std::uint64_t> initial_memory_bytes(const artifact::MemoryMeta& meta) {
  if (meta.min > ~std::uint64_t{0} >> meta.page_size_log2)
    return base::fail(ErrorCode::LimitExceeded, fmt::format("a memory of {} pages is beyond the limit", meta.min));
  return meta.min << meta.page_size_log2;
}

Result<void> map_memory_image(const artifact::Artifact& artifact, const artifact::MemoryMeta& meta,
                              std::uint8_t* base) {
  // Whole pages are mapped; what the image leaves of its last page belongs to the next thing in the file, so it is copied.
  std::uint64_t whole = meta.image_bytes / abi::kHostPageSize * abi::kHostPageSize;
  CUSP_TRY(map_file_pages(base, whole, artifact.fd(), artifact.image_file_offset() + meta.image_offset));
  std::memcpy(base + whole, artifact.image().data() + meta.image_offset + whole, meta.image_bytes - whole);
  return {};
}

Store::Store() : state_(std::make_unique<State>()) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::create(const StoreLimits& limits) {
  CUSP_TRY(initialize());
  prepare_thread();
  std::unique_ptr<Store> store(new Store);
  store->limits_ = limits;
  store->state_->fuel = limits.fuel;
  CUSP_TRY(store->map_stack());
  return store;
}

std::int64_t Store::fuel_left() const { return state_->fuel; }

Result<void> Store::map_stack() {
  std::uint64_t stack = round_to_pages(std::uint64_t{limits_.stack_bytes} + abi::kHostStackReserve);
  std::uint64_t results = round_to_pages(abi::kResultsAreaSize);
  OwnedSpace owned{CUSP_TRY(Reservation::create(kStackGuard + stack + kStackGuard + results)), {}};
  std::uint8_t* base = owned.space.base();
  CUSP_TRY(open_pages(base + kStackGuard, stack));
  results_ = base + kStackGuard + stack + kStackGuard;
  CUSP_TRY(open_pages(results_, results));
  state_->execution.stacks.set_up({reinterpret_cast<std::byte*>(base + kStackGuard), stack}, kStackGuard, this);
  state_->spaces.push_back(std::move(owned));
  return {};
}

Result<Instance*> Store::instantiate(std::shared_ptr<const Code> code, std::uint32_t module,
                                     std::span<const Extern> imports) {
  CUSP_TRY(code->check_whole());
  // Where two conventions meet, a call would be astray.
  auto is_linkable = [](const Code& of) { return of.artifact().meta().linkable; };
  if (!state_->instances.empty() && !(is_linkable(*code) && is_linkable(*state_->instances.front()->code())))
    return base::fail(ErrorCode::InvalidArgument,
                      "the module was compiled to be alone in its store, not to be linked with others");
  const artifact::ModuleMeta& meta = code->module(module);
  std::size_t size = (abi::VmLayout(meta.shape).size() + 63) / 64 * 64;
  std::unique_ptr<void, State::FreeAligned> memory(std::aligned_alloc(64, size));
  if (!memory) return base::fail(ErrorCode::LimitExceeded, "there is no memory for an instance");
  std::memset(memory.get(), 0, size);
  auto funcrefs = std::make_unique<abi::FuncRef[]>(meta.func_types.size() + 1);
  auto instance = std::make_unique<Instance>();
  auto* vmctx = static_cast<abi::VmContext*>(memory.get());
  Instantiation::prepare(*instance, *this, code, module, vmctx);
  Instantiation steps{*this, *instance, imports, funcrefs.get()};
  CUSP_TRY(steps.check_imports());
  CUSP_TRY(steps.link());
  // From here on others may point at the instance: it stays, whatever comes.
  Instance* result = instance.get();
  state_->instances.push_back(std::move(instance));
  state_->funcrefs.push_back(std::move(funcrefs));
  state_->vm_contexts.push_back(std::move(memory));
  FreePlacement placement(*state_, limits_, code.get());
  CUSP_TRY(steps.define(placement));
  CUSP_TRY(steps.initialise());
  CUSP_TRY(steps.run_start());
  return result;
}

abi::FuncRef* Store::add_host_func(std::uint32_t type_id, std::uint32_t (*function)(abi::HostFunc*, abi::ValRaw*),
                                   void* environment) {
  HostFuncRecord& record = state_->host_funcs.emplace_back();
  record.host = {call_host_function, kBuiltins, environment, nullptr};
  record.function = function;
  record.store = this;
  auto at = static_cast<std::int64_t>(reinterpret_cast<std::uint64_t>(&record.host) - state_->store_base);
  record.ref = {nullptr, at, type_id, kHostFuncRef};
  return &record.ref;
}

Result<Extern> Store::add_table(const artifact::TableMeta& meta) {
  abi::TableRecord& record = state_->tables.emplace_back();
  CUSP_TRY(FreePlacement(*state_, limits_, nullptr).table(0, meta, record));
  CUSP_TRY(charge_initial(record.length * sizeof(void*)));
  return ExternTable{&record, meta.element_type, meta.min, meta.max, meta.index64};
}

Result<Extern> Store::add_memory(const artifact::MemoryMeta& meta) {
  abi::MemoryRecord& own = state_->memories.emplace_back();
  abi::MemoryRecord* record = CUSP_TRY(FreePlacement(*state_, limits_, nullptr).memory(0, meta, own));
  CUSP_TRY(charge_initial(record->byte_length));
  return memory_extern(record, meta);
}

Extern memory_extern(abi::MemoryRecord* record, const artifact::MemoryMeta& meta) {
  ExternMemory memory{record, meta.min, meta.max, meta.memory64, meta.shared, meta.page_size_log2, {}};
  if (SharedMemory* shared = shared_of(*record)) memory.owner = shared->shared_from_this();
  return memory;
}

Result<void> Store::charge_initial(std::uint64_t bytes) {
  if (charge(bytes)) return {};
  return base::fail(ErrorCode::LimitExceeded,
                    fmt::format("the instance needs {} bytes of memory at the start, and its limit is {}",
                                memory_in_use_ + bytes, limits_.memory_bytes));
}

Extern Store::add_global(const artifact::GlobalMeta& meta, abi::ValRaw value) {
  state_->globals.push_back(value);
  return ExternGlobal{&state_->globals.back(), meta.type, meta.is_mutable};
}

Result<void> Store::call(const abi::FuncRef& func, abi::ValRaw* values) {
  auto* callee = reinterpret_cast<void*>(state_->store_base + static_cast<std::uint64_t>(func.vmctx_delta));
  bool completed;
  if (func.code == nullptr) { // a host function that is called by the host
    auto* host = static_cast<abi::HostFunc*>(callee);
    completed = host->function(host, values) == 0;
    if (!completed) {
      state_->execution.pc_count = 0;
      state_->pending.raised = true;
      take_trap();
    }
  } else {
    const GuestCode* guest = find_guest_code(reinterpret_cast<std::uintptr_t>(func.code));
    const void* entry = guest ? static_cast<const Code*>(guest->owner)->entry_for(func.type_id) : nullptr;
    if (!entry) return base::fail(ErrorCode::Internal, "there is no way into a function of this type");
    completed = call_entry(entry, static_cast<abi::VmContext*>(callee), func.code, values);
  }
  if (completed) return {};
  return base::fail(ErrorCode::Trap, last_trap_.message);
}

bool Store::call_entry(const void* entry, abi::VmContext* callee, const void* code, abi::ValRaw* values) {
  if (run_guest(state_->execution, entry, callee, code, values)) return true;
  recover_heap(*this);
  take_trap();
  return false;
}

// Turns what the handler noted into TrapInfo.
void Store::take_trap() {
  Execution& execution = state_->execution;
  if (state_->pending.raised && state_->pending.set) {
    last_trap_ = std::move(state_->pending.info);
  } else {
    last_trap_ = {execution.trap, std::string(abi::trap_text(execution.trap)), {}};
  }
  state_->pending = {};
  last_trap_.backtrace.clear();
  for (std::uint32_t i = 0; i < execution.pc_count; ++i) {
    const GuestCode* guest = find_guest_code(execution.pcs[i]);
    if (!guest) continue;
    auto code = static_cast<const Code*>(guest->owner)->shared_from_this();
    auto offset = static_cast<std::uint32_t>(execution.pcs[i] - reinterpret_cast<std::uintptr_t>(guest->begin));
    artifact::GuestFrame frames[16];
    std::size_t count = artifact::lookup_trap_site(code->artifact().trap_table(), offset, frames);
    for (std::size_t f = 0; f < count; ++f)
      last_trap_.backtrace.push_back(
          {code, frames[f], std::string(code->artifact().function_name(frames[f].module, frames[f].func))});
  }
}

void Store::set_pending_trap(abi::Trap trap, std::string message) {
  state_->pending.set = true;
  state_->pending.info = {trap, std::move(message), {}};
}

std::uint32_t Store::finish_host_call() {
  if (!interruption_due(state_->execution)) return 0;
  set_pending_trap(abi::Trap::Timeout, std::string(abi::trap_text(abi::Trap::Timeout)));
  return 1;
}

Store::AnyKind Store::any_kind(std::uint32_t reference) const {
  if (reference == 0) return AnyKind::Null;
  if ((reference & 1) != 0) return AnyKind::I31;
  switch (static_cast<abi::TypeKind>(state_->gc_heap->header(reference).type_id & abi::kTypeKindMask)) {
  case abi::TypeKind::Struct: return AnyKind::Struct;
  case abi::TypeKind::Array: return AnyKind::Array;
  default: return AnyKind::Extern;
  }
}

Result<std::uint32_t> Store::any_from_extern(std::uint64_t reference) {
  if (!state_->gc_heap) return base::fail(ErrorCode::Unsupported, "no instance of the store uses anyref");
  const std::uint32_t any = any_of_extern(*this, reference, Allocation::Host);
  if (any == 0 && reference != 0) return base::fail(ErrorCode::LimitExceeded, "the memory limit was reached");
  return any;
}

std::uint64_t Store::extern_from_any(std::uint32_t reference) { return extern_of_any(*this, reference); }

void Store::set_deadline(std::optional<std::int64_t> steady_ns) {
  state_->execution.deadline_ns = steady_ns.value_or(kNoDeadline);
}

loop::TimePoint Store::deadline() const {
  std::int64_t ns = state_->execution.deadline_ns;
  return ns == kNoDeadline ? loop::kNever : loop::TimePoint(std::chrono::nanoseconds(ns));
}

Execution& Store::execution() { return state_->execution; }

artifact::SourceLine BacktraceFrame::source() const {
  return artifact::find_source_line(code->artifact().line_table(), frame.module, frame.wasm_offset);
}

std::string TrapInfo::to_string() const {
  std::string text = "wasm trap: " + message;
  if (!backtrace.empty()) text += "\nwasm backtrace:";
  unsigned number = 0;
  for (const BacktraceFrame& entry : backtrace) {
    std::string name = entry.function_name.empty() ? fmt::format("function {}", entry.frame.func) : entry.function_name;
    text += fmt::format("\n  {:3}: {:#x} - {}", number++, entry.frame.wasm_offset, name);
    if (artifact::SourceLine source = entry.source(); source.line != 0)
      text += fmt::format(" at {}:{}", source.file, source.line);
  }
  return text;
}

namespace {
HostFeatures& features() {
  static HostFeatures found;
  return found;
}
} // namespace

Result<void> initialize() {
  static const Result<void> once = []() -> Result<void> {
    CUSP_TRY(install_fault_handlers());
    CUSP_TRY(install_preemption());
    features().userfaultfd_wp = userfaultfd_works();
    features().pagemap_scan = pagemap_scan_works();
    features().large_address_space = Reservation::create(std::uint64_t{1} << 40).has_value();
    return {};
  }();
  prepare_thread();
  return once;
}

const HostFeatures& host_features() { return features(); }

} // namespace cusp::runtime

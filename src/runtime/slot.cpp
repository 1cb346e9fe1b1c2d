// The address map of a slot, bottom to top:
//   control   VM contexts of all core instances, then the owner's area; reset with the write set
//   results   the results area
//   guard, stack, guard
//   tables    each on pages of its own, as far as it can grow
//   memories  each with its reservation and guard
//   objects   the heap of garbage-collected objects, where a module has such
#include "runtime/slot.h"

#include <cstring>
#include <deque>
#include <mutex>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/contexts.h"
#include "base/unique_fd.h"
#include "runtime/fault.h"
#include "runtime/page_table.h"
#include "runtime/store_state.h"
#include "runtime/write_set.h"

namespace cusp::runtime {

using base::ErrorCode;

namespace {
constexpr std::uint64_t kStackGuard = 64 * 1024;
}

struct SlotLayout::State {
  struct Core {
    std::uint32_t module = 0;
    std::uint64_t vmctx = 0; // offsets in the slot
    std::vector<std::uint64_t> tables, memories;
  };
  std::shared_ptr<const Code> code;
  SlotOptions options;
  std::vector<Core> cores;
  std::uint64_t owner = 0, control_size = 0, results = 0, stack = 0, stack_size = 0, total = 0;
  std::uint64_t gc_heap = 0, gc_space = 0; // 0 bytes: none
  base::UniqueFd image_copy; // memfd of the artifact's image, where write tracking cannot take the file itself

  // Function references are the same in every slot, for they count from its base: the first slot's records serve all.
  std::mutex mutex;
  std::vector<std::unique_ptr<abi::FuncRef[]>> funcrefs;
  abi::FuncRef* share(std::uint32_t core, std::unique_ptr<abi::FuncRef[]>& own, std::size_t count) {
    std::lock_guard lock(mutex);
    if (!funcrefs[core]) funcrefs[core] = std::move(own);
    else if (std::memcmp(funcrefs[core].get(), own.get(), count * sizeof(abi::FuncRef)) != 0) return own.get();
    return funcrefs[core].get();
  }
};

SlotLayout::SlotLayout() : state_(std::make_unique<State>()) {}
SlotLayout::~SlotLayout() = default;
const Code& SlotLayout::code() const { return *state_->code; }
std::uint64_t SlotLayout::address_space() const { return state_->total; }

namespace {

// The image in shared memory: what userfaultfd can protect.
Result<base::UniqueFd> copy_image(const artifact::Artifact& artifact) {
  base::UniqueFd fd(memfd_create("cusp-image", MFD_CLOEXEC));
  if (!fd) return base::fail_errno("create", "a memory image", errno);
  std::span<const std::uint8_t> image = artifact.image();
  for (std::size_t at = 0; at < image.size();) {
    ssize_t put = pwrite(fd.get(), image.data() + at, image.size() - at, static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return base::fail_errno("write", "a memory image", errno);
    at += static_cast<std::size_t>(put);
  }
  return fd;
}

bool uses_userfaultfd(WriteTracking tracking) {
  if (tracking == WriteTracking::Userfaultfd) return true;
  return tracking == WriteTracking::Automatic && userfaultfd_works();
}

} // namespace

Result<std::shared_ptr<const SlotLayout>> SlotLayout::create(std::shared_ptr<const Code> code,
                                                             std::span<const std::uint32_t> core_instances,
                                                             SlotOptions options) {
  CUSP_TRY(initialize());
  std::shared_ptr<SlotLayout> layout(new SlotLayout);
  State& state = *layout->state_;
  state.code = std::move(code);
  state.options = options;
  std::uint64_t at = 0;
  bool has_image = false, uses_gc_heap = false;
  for (std::uint32_t module : core_instances) {
    State::Core core;
    core.module = module;
    core.vmctx = at;
    at += abi::context_space(state.code->module(module).shape);
    state.cores.push_back(core);
    uses_gc_heap = uses_gc_heap || state.code->module(module).uses_gc_heap;
  }
  state.owner = at;
  at = state.control_size = round_to_pages(at + options.owner_bytes + 1);
  state.results = at;
  at += round_to_pages(abi::kResultsAreaSize) + kStackGuard;
  state.stack = at;
  state.stack_size = round_to_pages(std::uint64_t{options.limits.stack_bytes} + abi::kHostStackReserve);
  at += state.stack_size + kStackGuard;
  for (State::Core& core : state.cores) {
    const artifact::ModuleMeta& meta = state.code->module(core.module);
    for (std::uint32_t i = meta.shape.imported_tables; i < meta.tables.size(); ++i) {
      std::uint64_t capacity = table_capacity(meta.tables[i], options.limits);
      if (meta.tables[i].min > capacity)
        return base::fail(ErrorCode::LimitExceeded, fmt::format("a table of {} elements is beyond the limit of {}",
                                                                meta.tables[i].min, capacity));
      core.tables.push_back(at);
      at += round_to_pages(capacity * sizeof(void*) + 1);
    }
  }
  for (State::Core& core : state.cores) {
    const artifact::ModuleMeta& meta = state.code->module(core.module);
    for (std::uint32_t i = meta.shape.imported_memories; i < meta.memories.size(); ++i) {
      core.memories.push_back(at);
      at += memory_space(meta.memories[i], options.limits).reserve;
      has_image = has_image || meta.memories[i].image_bytes != 0;
    }
  }
  if (uses_gc_heap) {
    state.gc_heap = at;
    at += state.gc_space = GcHeap::space_for(options.limits.memory_bytes);
  }
  state.total = at;
  state.funcrefs.resize(state.cores.size());
  if (has_image && uses_userfaultfd(options.tracking)) state.image_copy = CUSP_TRY(copy_image(state.code->artifact()));
  return layout;
}

struct Slot::SlotState {
  std::shared_ptr<const SlotLayout> layout;
  Reservation space;
  std::unique_ptr<WriteSet> write_set;
  std::vector<AddressRegistration> guarded;
  std::vector<Instance> instances;
  std::vector<std::unique_ptr<abi::FuncRef[]>> own_funcrefs; // where they could not be shared
  std::deque<abi::FuncRef> host_refs;

  // The clean state, beyond what the write set holds.
  struct Sealed {
    abi::MemoryRecord* memory = nullptr;
    abi::TableRecord* table = nullptr;
    GcHeap* gc_heap = nullptr;
    std::uint64_t bytes = 0;  // open, in whole pages
    std::uint64_t fenced = 0; // how far beyond them it has grown yet
    // Of a shared memory, whose record and pages are not in the write set: its size, and what it held.
    std::uint64_t byte_length = 0;
    std::unique_ptr<WriteSet> pages;

    std::uint8_t* base() const {
      if (gc_heap) return gc_heap->base();
      return memory ? memory->base : reinterpret_cast<std::uint8_t*>(table->elements);
    }
    std::uint64_t open_now() const {
      if (gc_heap) return gc_heap->committed();
      return round_to_pages(memory ? memory->byte_length : table->length * sizeof(void*));
    }
    Result<void> seal_shared() {
      if (bytes == 0) return {};
      pages = CUSP_TRY(WriteSet::create(memory->base, bytes, WriteTracking::Scan));
      const WriteSet::Range range{memory->base, bytes, nullptr, 0};
      return pages->seal({&range, 1});
    }
    Result<void> reset_shared() {
      memory->byte_length = byte_length;
      return pages ? pages->reset() : Result<void>();
    }
  };
  std::vector<Sealed> sealed;
  std::vector<std::pair<std::vector<bool>, std::vector<bool>>> dropped;
  std::uint64_t memory_in_use = 0;
  bool is_sealed = false;

  const SlotLayout::State& map() const { return *layout->state_; }
  std::uint8_t* at(std::uint64_t offset) const { return space.base() + offset; }
};

namespace {

class SlotPlacement final : public Placement {
public:
  SlotPlacement(std::uint8_t* base, std::span<const std::uint64_t> tables, std::span<const std::uint64_t> memories,
                std::uint64_t gc_heap, std::uint64_t gc_space, const StoreLimits& limits,
                const artifact::Artifact& artifact, int image_copy, std::vector<std::shared_ptr<SharedMemory>>& shared)
      : base_(base), tables_(tables), memories_(memories), gc_heap_(gc_heap), gc_space_(gc_space), limits_(limits),
        artifact_(artifact), image_copy_(image_copy), shared_(shared) {}

  Result<abi::MemoryRecord*> memory(std::uint32_t defined, const artifact::MemoryMeta& meta,
                                    abi::MemoryRecord& record) override {
    MemorySpace space = memory_space(meta, limits_);
    std::uint64_t bytes = CUSP_TRY(initial_memory_bytes(meta));
    if (bytes > space.max_bytes || bytes > limits_.memory_bytes)
      return base::fail(ErrorCode::LimitExceeded, fmt::format("a memory of {} bytes is beyond the limit of {}", bytes,
                                                              std::min(space.max_bytes, limits_.memory_bytes)));
    std::uint8_t* at = base_ + memories_[defined];
    CUSP_TRY(open_pages(at, round_to_pages(bytes)));
    if (meta.image_bytes != 0) CUSP_TRY(map_image(meta, at));
    record = {at, bytes, space.max_bytes, std::uint64_t{1} << meta.page_size_log2, nullptr};
    return meta.shared ? share_memory(shared_, record, {}) : &record;
  }

  Result<void> table(std::uint32_t defined, const artifact::TableMeta& meta, abi::TableRecord& record) override {
    std::uint8_t* at = base_ + tables_[defined];
    CUSP_TRY(open_pages(at, round_to_pages(meta.min * sizeof(void*))));
    record = {reinterpret_cast<void**>(at), meta.min, table_capacity(meta, limits_)};
    return {};
  }

  Result<GcHeap*> gc_heap() override { return GcHeap::create(base_ + gc_heap_, gc_space_); }

private:
  Result<void> map_image(const artifact::MemoryMeta& meta, std::uint8_t* at) {
    if (image_copy_ < 0) return map_memory_image(artifact_, meta, at);
    std::uint64_t whole = meta.image_bytes / abi::kHostPageSize * abi::kHostPageSize;
    CUSP_TRY(map_file_pages(at, whole, image_copy_, meta.image_offset));
    std::memcpy(at + whole, artifact_.image().data() + meta.image_offset + whole, meta.image_bytes - whole);
    return {};
  }
  std::uint8_t* base_;
  std::span<const std::uint64_t> tables_, memories_;
  std::uint64_t gc_heap_, gc_space_;
  const StoreLimits& limits_;
  const artifact::Artifact& artifact_;
  int image_copy_;
  std::vector<std::shared_ptr<SharedMemory>>& shared_;
};

} // namespace

Slot::Slot() : slot_state_(std::make_unique<SlotState>()) {}
Slot::~Slot() = default;

Result<std::unique_ptr<Slot>> Slot::create(std::shared_ptr<const SlotLayout> layout) {
  prepare_thread();
  CUSP_TRY(layout->state_->code->check_whole());
  std::unique_ptr<Slot> slot(new Slot);
  SlotState& own = *slot->slot_state_;
  own.layout = std::move(layout);
  const SlotLayout::State& map = own.map();
  own.space = CUSP_TRY(Reservation::create(map.total));
  CUSP_TRY(open_pages(own.at(0), map.control_size));
  CUSP_TRY(open_pages(own.at(map.results), round_to_pages(abi::kResultsAreaSize)));
  CUSP_TRY(open_pages(own.at(map.stack), map.stack_size));
  own.write_set = CUSP_TRY(WriteSet::create(own.at(0), map.total, map.options.tracking));
  slot->limits_ = map.options.limits;
  slot->results_ = own.at(map.results);
  Store::State& state = slot->state();
  state.store_base = reinterpret_cast<std::uint64_t>(own.at(0));
  state.fuel = slot->limits_.fuel;
  state.execution.stacks.set_up({reinterpret_cast<std::byte*>(own.at(map.stack)), map.stack_size}, kStackGuard,
                                slot.get());
  state.execution.write_set = own.write_set.get();
  own.instances.resize(map.cores.size());
  for (const auto& core : map.cores) {
    const artifact::ModuleMeta& meta = map.code->module(core.module);
    for (std::size_t i = 0; i < core.memories.size(); ++i) {
      std::uint8_t* begin = own.at(core.memories[i]);
      std::uint64_t reserve = memory_space(meta.memories[meta.shape.imported_memories + i], map.options.limits).reserve;
      own.guarded.emplace_back(memory_table(), begin, begin + reserve, &map.code->guest());
    }
  }
  return slot;
}

Instance& Slot::core_instance(std::uint32_t index) { return slot_state_->instances[index]; }
std::uint8_t* Slot::owner_area() { return slot_state_->at(slot_state_->map().owner); }
std::uint32_t Slot::learned_pages() const { return slot_state_->write_set->learned_pages(); }

void Slot::set_component(const ComponentRecords& records) { state().component = records; }

Result<bool> Slot::instantiate_core(std::uint32_t index, std::span<const Extern> imports) {
  SlotState& own = *slot_state_;
  const SlotLayout::State& map = own.map();
  const auto& core = map.cores[index];
  const artifact::ModuleMeta& meta = map.code->module(core.module);
  Instance& instance = own.instances[index];
  std::size_t count = meta.func_types.size();
  auto funcrefs = std::make_unique<abi::FuncRef[]>(count + 1);
  Instantiation::prepare(instance, *this, map.code, core.module, reinterpret_cast<abi::VmContext*>(own.at(core.vmctx)));
  Instantiation steps{*this, instance, imports, funcrefs.get()};
  CUSP_TRY(steps.check_imports());
  CUSP_TRY(steps.link());
  instance.vmctx()->funcrefs = own.layout->state_->share(index, funcrefs, count);
  if (instance.vmctx()->funcrefs == funcrefs.get()) own.own_funcrefs.push_back(std::move(funcrefs));
  SlotPlacement placement(own.at(0), core.tables, core.memories, map.gc_heap, map.gc_space, limits_,
                          map.code->artifact(), map.image_copy ? map.image_copy.get() : -1, state().shared_memories);
  CUSP_TRY(steps.define(placement));
  CUSP_TRY(steps.initialise());
  return meta.start.has_value();
}

Result<void> Slot::run_start(std::uint32_t index) {
  Instance& instance = core_instance(index);
  abi::ValRaw none[1];
  return call(*instance.func(*instance.meta().start), none);
}

void* Slot::callee_context(const abi::FuncRef& func) const { return slot_state_->space.base() + func.vmctx_delta; }

Extern Slot::host_func(abi::HostFunc* host, const artifact::FuncTypeMeta& type) {
  auto delta = static_cast<std::int64_t>(reinterpret_cast<std::uint64_t>(host) - state().store_base);
  host->builtins = kBuiltins;
  slot_state_->host_refs.push_back({nullptr, delta, intern_type(type), kHostFuncRef});
  return ExternFunc{&slot_state_->host_refs.back()};
}

Result<void> Slot::seal() {
  SlotState& own = *slot_state_;
  const SlotLayout::State& map = own.map();
  std::vector<WriteSet::Range> ranges;
  ranges.push_back({own.at(0), map.control_size, nullptr, 0});
  const std::uint8_t* image = map.code->artifact().image().data();
  for (std::size_t c = 0; c < map.cores.size(); ++c) {
    Instance& instance = own.instances[c];
    own.dropped.emplace_back(InstanceAccess::dropped_elems(instance), InstanceAccess::dropped_datas(instance));
    if (!instance.vmctx()) continue;
    const artifact::ModuleMeta& meta = instance.meta();
    for (std::uint32_t i = meta.shape.imported_tables; i < meta.tables.size(); ++i) {
      abi::TableRecord* table = instance.table(i);
      std::uint64_t bytes = round_to_pages(table->length * sizeof(void*));
      own.sealed.push_back({.table = table, .bytes = bytes, .pages = {}});
      if (bytes != 0) ranges.push_back({reinterpret_cast<std::uint8_t*>(table->elements), bytes, nullptr, 0});
    }
    for (std::uint32_t i = meta.shape.imported_memories; i < meta.memories.size(); ++i) {
      abi::MemoryRecord* memory = instance.memory(i);
      std::uint64_t bytes = round_to_pages(memory->byte_length);
      own.sealed.push_back({.memory = memory, .bytes = bytes, .byte_length = memory->byte_length, .pages = {}});
      if (memory->shared) {
        CUSP_TRY(own.sealed.back().seal_shared());
        continue;
      }
      std::uint64_t whole = meta.memories[i].image_bytes / abi::kHostPageSize * abi::kHostPageSize;
      if (bytes != 0) ranges.push_back({memory->base, bytes, image + meta.memories[i].image_offset, whole});
    }
  }
  if (GcHeap* heap = state().gc_heap) {
    own.sealed.push_back({.gc_heap = heap, .bytes = heap->committed(), .pages = {}});
    ranges.push_back({heap->base(), heap->committed(), nullptr, 0});
  }
  state().exceptions.seal();
  own.memory_in_use = memory_in_use_;
  state().grown = state().dropped = false;
  CUSP_TRY(own.write_set->seal(ranges));
  own.is_sealed = true;
  return {};
}

// What grew is zero and out of reach again. Most uses grow alike, so what grew becomes a mapping of its own, unlike its
// neighbours in a flag that means nothing here: opening and closing it then neither splits nor merges, which is most of their cost.
Result<void> Slot::take_back_growth() {
  for (SlotState::Sealed& entry : slot_state_->sealed) {
    std::uint8_t* grown = entry.base() + entry.bytes;
    std::uint64_t now = entry.open_now();
    if (now <= entry.bytes) continue;
    CUSP_TRY(slot_state_->write_set->clear_grown(grown, now - entry.bytes));
    CUSP_TRY(close_pages(grown, now - entry.bytes));
    if (now <= entry.fenced) continue;
    entry.fenced = now;
    madvise(grown, now - entry.bytes, MADV_DONTDUMP); // refused: it goes on as it was
  }
  state().grown = false;
  return {};
}

Result<void> Slot::reset() {
  SlotState& own = *slot_state_;
  Store::State& state = this->state();
  if (state.grown) CUSP_TRY(take_back_growth());
  CUSP_TRY(own.write_set->reset());
  for (SlotState::Sealed& entry : own.sealed)
    if (entry.memory && entry.memory->shared) CUSP_TRY(entry.reset_shared());
  if (state.dropped) {
    for (std::size_t c = 0; c < own.instances.size(); ++c) {
      InstanceAccess::dropped_elems(own.instances[c]) = own.dropped[c].first;
      InstanceAccess::dropped_datas(own.instances[c]) = own.dropped[c].second;
    }
    state.dropped = false;
  }
  state.exceptions.reset();
  state.pending = {};
  state.fuel = limits_.fuel;
  state.execution.stacks.trim();
  state.execution.interrupted = 0;
  state.execution.deadline_ns = kNoDeadline;
  memory_in_use_ = own.memory_in_use;
  return own.map().code->check_whole();
}

} // namespace cusp::runtime

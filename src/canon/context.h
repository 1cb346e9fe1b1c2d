// One side of a call: whose memory, whose realloc, whose handles. Lifting reads through it, lowering writes through it,
// and whatever the guest gave is checked here: every pointer, length, alignment, encoding and handle. Failure is
// sticky: the first trap is kept, later operations do nothing and give zeros, and whoever made the context looks once
// at the end. That keeps the generated binding code straight. A memory's base never moves, so a checked host pointer
// stays good over a realloc. Spec: CanonicalABI.md, "Lifting and Lowering Context", "Loading", "Storing".
#pragma once

#include <cstdint>
#include <forward_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "abi/vm.h"
#include "canon/resource.h"
#include "canon/trap.h"
#include "component/link_plan.h"
#include "loop/event_loop.h"

namespace cusp::canon {

class ComponentInstance;
class CopyEnd;
class HostSubtask;
class SharedEnd;
class Subtask;
struct Thread;
struct TypeDesc;

// A core function ready to be called: by its entry trampoline, or one that the canonical ABI made.
struct CoreCallee {
  const void* entry = nullptr;
  abi::VmContext* vmctx = nullptr;
  const void* code = nullptr;
  abi::HostFunc* host = nullptr;
  explicit operator bool() const { return entry || host; }
};

// CanonicalOptions with addresses in place of indices; one per lift and lower of a slot.
struct RuntimeOptions {
  component::StringEncoding string_encoding = component::StringEncoding::Utf8;
  const abi::MemoryRecord* memory = nullptr;
  CoreCallee realloc, post_return;
};

// The threads of a component instance by index. Same rules as for handles: 0 is none, freed indices go last in, first out.
class ThreadTable {
public:
  Thread* get(std::uint32_t index) const { return index < threads_.size() ? threads_[index] : nullptr; }
  std::uint32_t add(Thread* thread) {
    if (free_.empty()) {
      threads_.push_back(thread);
      return static_cast<std::uint32_t>(threads_.size() - 1);
    }
    std::uint32_t index = free_.back();
    free_.pop_back();
    threads_[index] = thread;
    return index;
  }
  void remove(std::uint32_t index) {
    threads_[index] = nullptr;
    free_.push_back(index);
  }
  void clear() {
    threads_.resize(1);
    free_.clear();
  }

private:
  std::vector<Thread*> threads_ = std::vector<Thread*>(1);
  std::vector<std::uint32_t> free_;
};

// The canonical ABI's component instance: one per component of a plan, in a ComponentInstance.
struct InstanceState : abi::InstanceRecord {
  component::ComponentInstanceIndex index{0};
  component::ComponentInstanceIndex parent{0}; // the root's: itself
  ResourceTable handles;                       // also what the record says, once it is at its place
  ThreadTable threads;
  std::uint32_t backpressure = 0;
  std::uint32_t num_waiting_to_enter = 0;
  const Thread* exclusive_thread = nullptr;
};

inline constexpr std::uint32_t kMaxStringByteLength = (1u << 28) - 1;
inline constexpr std::uint32_t kMaxListByteLength = (1u << 28) - 1;

// A list<u8> that was allocated in the guest before its bytes were known, so that they are produced in place. As a
// result it lowers to its address and length. data() must not be given to an operation that outlives the host call, nor
// kept over a suspension.
struct GuestBytes {
  std::uint32_t pointer = 0, length = 0;
  std::uint8_t* host_pointer = nullptr;
  std::span<std::uint8_t> data() const { return {host_pointer, length}; }
};

class LiftLowerContext {
public:
  // `component` is null only in tests, which have no guest: realloc is then a HostFunc.
  LiftLowerContext(ComponentInstance* component, InstanceState& instance, const RuntimeOptions& options, Task* task)
      : component_(component), instance_(instance), options_(options), task_(task) {}
  ~LiftLowerContext() {
    if (lender_count_) release_lenders();
  }
  LiftLowerContext(const LiftLowerContext&) = delete;
  LiftLowerContext& operator=(const LiftLowerContext&) = delete;

  ComponentInstance& component() const { return *component_; }
  InstanceState& instance() const { return instance_; }
  const RuntimeOptions& options() const { return options_; }

  // Ends the call with a trap once the host function returns. Only the first one counts.
  [[gnu::cold]] void trap(std::string message, abi::Trap code = abi::Trap::HostError);
  [[gnu::cold]] void trap(const Trap& trap) { this->trap(trap.message, trap.code); }
  bool trapped() const { return trapped_; }
  const Trap& trap_info() const { return trap_; }

  // A checked address in guest memory, or nullptr after a trap: unaligned first, then out of bounds, as the reference
  // has it.
  std::uint8_t* range(std::uint32_t pointer, std::uint64_t bytes, std::uint32_t alignment,
                      const char* what = "pointer") {
    const abi::MemoryRecord* memory = options_.memory;
    if (!memory || trapped_ || (pointer & (alignment - 1)) || bytes > memory->byte_length ||
        pointer > memory->byte_length - bytes) [[unlikely]]
      return bad_range(pointer, alignment, what);
    return memory->base + pointer;
  }
  // The elements of a list: also bounded by kMaxListByteLength.
  std::uint8_t* list_range(std::uint32_t pointer, std::uint32_t length, std::uint32_t element_size,
                           std::uint32_t alignment);

  // Calls the guest's realloc and checks what it gives. nullptr after a trap.
  std::uint8_t* reallocate(std::uint32_t old, std::uint32_t old_bytes, std::uint32_t alignment, std::uint64_t bytes,
                           std::uint32_t& pointer, const char* what = "list");
  std::uint8_t* allocate(std::uint32_t alignment, std::uint64_t bytes, std::uint32_t& pointer,
                         const char* what = "list") {
    return reallocate(0, 0, alignment, bytes, pointer, what);
  }
  // Runs a core function of the guest. False: it trapped, and so has this context.
  bool call_core(const CoreCallee& callee, abi::ValRaw* values);

  // UTF-8, checked. The view is the guest's memory itself when the guest writes UTF-8, else lives as long as this
  // context.
  std::string_view lift_string(std::uint32_t pointer, std::uint32_t tagged_code_units);
  // `text` must be valid UTF-8 (else: trap; a host never hands a guest a broken string).
  void lower_string(std::string_view text, std::uint32_t& pointer, std::uint32_t& tagged_code_units);
  char32_t lift_char(std::uint32_t code);

  // Handles. Reps are host pointers for host resources.
  std::uint64_t lift_own(std::uint32_t handle, const ResourceType& type);
  std::uint64_t lift_borrow(std::uint32_t handle, const ResourceType& type);
  HandleEntry* resource_entry(std::uint32_t handle, const ResourceType& type); // nullptr after a trap
  std::uint32_t lower_own(std::uint64_t rep, const ResourceType& type);
  std::uint32_t lower_borrow(std::uint64_t rep, const ResourceType& type);
  // Streams and futures: lifting takes the readable end out of the guest's table. `element`: of the values, null for none.
  // Empty, and 0, after a trap.
  SharedEnd lift_copy(std::uint32_t handle, bool is_future, std::optional<component::ValType> element);
  SharedEnd lift_copy(std::uint32_t handle, bool is_future, const TypeDesc* element);
  std::uint32_t lower_copy(SharedEnd end);
  // An error context is shared by those who have a handle of it. nullptr after a trap.
  ErrorContext* lift_error_context(std::uint32_t handle);
  std::uint32_t lower_error_context(ErrorContext& context);
  // What built-ins take. nullptr after a trap.
  Waitable* waitable(std::uint32_t handle);
  WaitableSet* waitable_set(std::uint32_t handle);
  Subtask* subtask(std::uint32_t handle);
  CopyEnd* copy_end(std::uint32_t handle, bool is_future, bool readable);
  std::uint32_t add_handle(const HandleEntry& entry); // 0 after a trap

  // Gives back what lift_borrow lent; done by the destructor at the latest.
  void release_lenders();

private:
  [[gnu::cold, gnu::noinline]] std::uint8_t* bad_range(std::uint32_t pointer, std::uint32_t alignment,
                                                       const char* what);
  bool call_realloc(abi::ValRaw* values);
  const HandleEntry* entry(std::uint32_t handle);
  CopyEnd* liftable_end(std::uint32_t handle, bool is_future);
  SharedEnd take_end(CopyEnd* end, bool is_of_type);

  ComponentInstance* component_;
  InstanceState& instance_;
  const RuntimeOptions& options_;
  Task* task_; // scope of borrows that are lowered; null when calling out
  bool trapped_ = false;
  std::uint32_t lender_count_ = 0;
  std::uint32_t lenders_[6];
  std::vector<std::uint32_t> more_lenders_;
  std::forward_list<std::string> transcoded_;
  Trap trap_;
};

// What a host function gets to see of the call.
class CallContext : public LiftLowerContext {
public:
  using LiftLowerContext::LiftLowerContext;

  // The state that the embedder set for this instance (ComponentInstance::set_host).
  template <class T> T& host() const { return *static_cast<T*>(host_pointer()); }
  loop::Fiber* fiber() const { return loop::Fiber::current(); }

  // --- async host functions: those whose interface type is async run on a fiber of their own, see README.md
  // The caller wants the call to end early, or the instance is ending. Waits of this fiber fail at once from then on; the function
  // should return soon: `return cancelled();`, or what it has.
  bool cancelled() const { return loop::Fiber::current()->cancelled(); }
  // Suspends for a while, or until cancelled: false then. For functions that have nothing else to wait for.
  bool sleep_until(loop::TimePoint deadline) const;

  // For bindings. How the lowered function takes its parameters and gives its result.
  void set_async_lowered() { async_lowered_ = true; }
  bool async_lowered() const { return async_lowered_; }
  std::uint32_t max_flat_params() const {
    return async_lowered_ ? component::kMaxFlatAsyncParams : component::kMaxFlatParams;
  }
  bool result_in_memory(std::uint32_t flat_count) const {
    return async_lowered_ || flat_count > component::kMaxFlatResults;
  }
  // Hands the result to the guest: runs `lower` when that may be done, now or while this fiber is suspended; never, when the
  // instance ends before.
  template <class F> void complete(F&& lower) {
    if (!call_) return lower();
    complete_later([](void* f) { (*static_cast<std::remove_reference_t<F>*>(f))(); }, &lower);
  }

  // Room for a list<u8> result in the guest. After a trap: empty.
  GuestBytes new_bytes(std::uint32_t length);
  // Gives the end back to the guest's allocator (one more call of realloc).
  void shrink(GuestBytes& bytes, std::uint32_t length);

private:
  friend class HostSubtask;
  void* host_pointer() const;
  void complete_later(void (*lower)(void*), void* what);
  HostSubtask* call_ = nullptr; // runs on a fiber of its own
  bool async_lowered_ = false;
};

} // namespace cusp::canon

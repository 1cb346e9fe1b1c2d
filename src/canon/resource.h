// Resources: their types, the host's own objects behind them, and the handle table of a component instance.
// A host resource is a C++ object: its handle-table entry holds the pointer, dropping the last own handle deletes it.
// The type of the resource is the address of a constant made from the C++ type, so checking a handle is one comparison
// and needs no look-up. The table also holds what async brings (waitables, waitable sets, streams …), so its entries
// are a tagged union from the start. Indices are as the reference has them: 0 is never a handle, freed indices are
// reused last in, first out. Spec: CanonicalABI.md, "Table State", "Resource State".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "abi/component.h"
#include "component/link_plan.h"

namespace cusp::canon {

struct Task;
class Waitable;
class WaitableSet;
struct ErrorContext;

// Identity is the address. Host types are constants (kHostResource); a guest's belong to the ComponentCode.
struct ResourceType {
  void (*destroy)(const ResourceType& type, std::uint64_t rep) = nullptr; // host resources; null: nothing to do
  component::ResourceIndex index{};                                       // a guest's: LinkPlan::resources
  component::ComponentInstanceIndex instance{};                           // a guest's: who implements it
  bool is_host = false;
  void* user = nullptr; // dynamic host resources
};

namespace detail {
template <class T> void destroy_host_object(const ResourceType&, std::uint64_t rep) {
  delete reinterpret_cast<T*>(static_cast<std::uintptr_t>(rep));
}
} // namespace detail

// The resource type of the host objects of class T. T must be complete; its destructor must not suspend the fiber.
template <class T> inline constexpr ResourceType kHostResource{&detail::destroy_host_object<T>, {}, {}, true, nullptr};

// An object handed over. As a parameter: the guest gave it up. As a result: the guest gets it.
template <class T> class Own {
public:
  Own() = default;
  Own(std::unique_ptr<T> object) : object_(std::move(object)) {}
  T* operator->() const { return object_.get(); }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  std::unique_ptr<T> take() { return std::move(object_); }

private:
  std::unique_ptr<T> object_;
};

template <class T, class... A> Own<T> make_own(A&&... arguments) {
  return Own<T>(std::make_unique<T>(std::forward<A>(arguments)...));
}

// An object lent for the length of one call. Never keep it.
template <class T> class Borrow {
public:
  Borrow() = default;
  explicit Borrow(T* object) : object_(object) {}
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  T* get() const { return object_; }

private:
  T* object_ = nullptr;
};

// The records are compiled code's too: what `object` is says `kind`, and `type` is a ResourceType.
using abi::HandleEntry;
using abi::HandleKind;
inline const ResourceType& type_of(const HandleEntry& entry) { return *static_cast<const ResourceType*>(entry.type); }
// REQUIRES: of that kind.
inline Waitable* waitable_of(const HandleEntry& entry) { return static_cast<Waitable*>(entry.object); }
inline WaitableSet* waitable_set_of(const HandleEntry& entry) { return static_cast<WaitableSet*>(entry.object); }
inline ErrorContext* error_context_of(const HandleEntry& entry) { return static_cast<ErrorContext*>(entry.object); }

// The handle table of one component instance. Owned by it; one thread. Never shrinks its storage, so a reused instance
// allocates nothing.
class ResourceTable : public abi::HandleTable {
public:
  static constexpr std::uint32_t kMaxLength = (1u << 28) - 1;

  // nullptr: no such handle.
  HandleEntry* get(std::uint32_t index) {
    return index < length && entries[index].kind != HandleKind::Free ? &entries[index] : nullptr;
  }
  // 0: the table is full.
  std::uint32_t add(const HandleEntry& entry);
  // REQUIRES: get(index).
  void remove(std::uint32_t index);
  void set_max_length(std::uint32_t length) { max_length_ = length < kMaxLength ? length : kMaxLength; }
  // Deletes what own handles of host resources hold and what only handles refer to, newest first, and empties the table.
  // Guest destructors do not run.
  void clear();

private:
  void grow();
  std::vector<HandleEntry> storage_; // sized to its capacity; `entries` points at it once there is a handle
  std::uint32_t max_length_ = kMaxLength;
};

} // namespace cusp::canon

// Handles of resources. A resource type is either the host's (its objects are C++ objects: Own and Borrow) or the guest's (its objects
// live in a component instance, the host holds handles: Resource and ResourceRef).
// Thread-safety: handles belong to the thread of the instance that they came from or go to.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include "cusp/error.hpp"

namespace cusp {

namespace detail {

// Identity of a host resource type: its address. One per C++ type.
struct HostResource {
  void (*destroy)(void* object);
};
template <class T> void destroy_host_object(void* object) { delete static_cast<T*>(object); }
template <class T> inline constexpr HostResource kHostResource{&destroy_host_object<T>};

struct HandleSlot {
  void* object = nullptr;
};

struct GuestHandle;    // the library's
struct ResourceAccess; // the library's

} // namespace detail

/// A host object handed over: as a parameter of a host function, the guest gave it up; as a result, the guest gets it. Deletes the
/// object unless it is given on. T's destructor must not call into a guest.
template <class T> class Own : detail::HandleSlot {
public:
  Own() = default;
  Own(std::unique_ptr<T> object) { this->object = object.release(); }
  Own(Own&& other) noexcept { std::swap(object, other.object); }
  Own& operator=(Own&& other) noexcept {
    std::swap(object, other.object);
    return *this;
  }
  ~Own() { delete get(); }

  T* get() const { return static_cast<T*>(object); }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  explicit operator bool() const { return object != nullptr; }
  std::unique_ptr<T> take() { return std::unique_ptr<T>(static_cast<T*>(std::exchange(object, nullptr))); }
};

template <class T, class... A> Own<T> make_own(A&&... arguments) {
  return Own<T>(std::make_unique<T>(std::forward<A>(arguments)...));
}

/// A host object lent for the length of one call. Never keep it.
template <class T> class Borrow : detail::HandleSlot {
public:
  Borrow() = default;
  explicit Borrow(T& object) { this->object = &object; }
  T* get() const { return static_cast<T*>(object); }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
};

/// A resource of a guest's that the host owns: what a constructor or function of the instance returned. Pass it as Resource to give it
/// back, or as ResourceRef to lend it. When it goes while its instance lives, the guest's destructor runs, on this thread; what that
/// says is lost then: drop() tells it.
class Resource {
public:
  Resource() = default;
  Resource(Resource&&) noexcept = default;
  Resource& operator=(Resource&&) noexcept = default;
  Resource(const Resource&) = delete;

  explicit operator bool() const { return handle_ != nullptr; }
  /// Runs the guest's destructor; nothing is held afterwards, whatever comes out. Error: Trap; InvalidArgument on another thread.
  Result<void> drop();

private:
  friend struct detail::ResourceAccess;
  std::shared_ptr<detail::GuestHandle> handle_;
};

/// A guest's resource, lent for the length of one call.
class ResourceRef {
public:
  ResourceRef() = default;
  ResourceRef(const Resource& resource) : resource_(&resource) {}

private:
  friend struct detail::ResourceAccess;
  const Resource* resource_ = nullptr;
};

} // namespace cusp

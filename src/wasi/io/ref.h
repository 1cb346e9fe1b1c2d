// Shared ownership on one thread: a stream, its pollables and the carrier behind it live as long as the last of them. No atomics, one
// allocation. Objects never leave the loop thread that made them.
#pragma once

#include <cstdint>
#include <utility>

namespace cusp::wasi {

class Counted {
public:
  Counted() = default;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  virtual ~Counted() = default;

private:
  template <class T> friend class Ref;
  std::uint32_t references_ = 0;
};

template <class T> class Ref {
public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_) ++object_->references_;
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class U>
    requires std::is_convertible_v<U*, T*>
  Ref(const Ref<U>& other) : Ref(other.get()) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ && --object_->references_ == 0) delete object_;
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

private:
  T* object_ = nullptr;
};

template <class T, class... A> Ref<T> make_ref(A&&... arguments) {
  return Ref<T>(new T(std::forward<A>(arguments)...));
}

} // namespace cusp::wasi

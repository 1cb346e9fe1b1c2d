// The canonical ABI by hand, for guests in C++ that want no generated bindings: imports of WASI 0.2 as core functions, owned memory,
// views. Freestanding but for malloc, realloc, memcpy and strlen of wasi-libc. Names and layouts follow CanonicalABI.md for the
// WIT in wit/ beside this file.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CUSP_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define CUSP_EXPORT(name) __attribute__((export_name(name)))

namespace cusp::guest {

// A view of bytes somewhere in this guest's memory. Does not own.
struct View {
  const char* data = nullptr;
  size_t size = 0;
  constexpr View() = default;
  constexpr View(const char* bytes, size_t length) : data(bytes), size(length) {}
  View(const char* text) : data(text), size(strlen(text)) {}
  bool operator==(View other) const { return size == other.size && (size == 0 || memcmp(data, other.data, size) == 0); }
  bool starts_with(View prefix) const { return size >= prefix.size && memcmp(data, prefix.data, prefix.size) == 0; }
  View after(size_t n) const { return n >= size ? View() : View(data + n, size - n); }
  View before(char separator) const {
    for (size_t i = 0; i < size; ++i)
      if (data[i] == separator) return View(data, i);
    return *this;
  }
};

// Growing text; freed with the instance at the latest.
class Text {
public:
  Text() = default;
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() { free(data_); }
  Text& add(View view) {
    reserve(size_ + view.size);
    if (view.size != 0) memcpy(data_ + size_, view.data, view.size);
    size_ += view.size;
    return *this;
  }
  Text& add_number(uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = static_cast<char>('0' + number % 10);
    while (number /= 10);
    return add(View(digits + at, sizeof digits - at));
  }
  View view() const { return View(data_, size_); }
  operator View() const { return view(); }

private:
  void reserve(size_t size) {
    if (size <= capacity_) return;
    capacity_ = size < 2 * capacity_ ? 2 * capacity_ : size < 64 ? 64 : size;
    data_ = static_cast<char*>(realloc(data_, capacity_));
    if (!data_) __builtin_trap();
  }
  char* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

// What a host function wrote through a return pointer: words of 4 bytes, read by offset.
template <size_t Bytes> struct alignas(8) Returned {
  unsigned char bytes[Bytes];
  uint8_t byte(size_t offset) const { return bytes[offset]; }
  int32_t word(size_t offset) const {
    int32_t value;
    memcpy(&value, bytes + offset, sizeof value);
    return value;
  }
  uint64_t wide(size_t offset) const {
    uint64_t value;
    memcpy(&value, bytes + offset, sizeof value);
    return value;
  }
  View view(size_t offset) const {
    return View(reinterpret_cast<const char*>(word(offset)), static_cast<size_t>(word(offset + 4)));
  }
};

inline uint64_t parse_number(View text, uint64_t otherwise = 0) {
  if (text.size == 0) return otherwise;
  uint64_t value = 0;
  for (size_t i = 0; i < text.size; ++i) {
    if (text.data[i] < '0' || text.data[i] > '9') return otherwise;
    value = value * 10 + static_cast<uint64_t>(text.data[i] - '0');
  }
  return value;
}

// The value of `key` in "a=1&b=2"; empty when absent.
inline View query_value(View query, View key) {
  while (query.size != 0) {
    View pair = query.before('&');
    View name = pair.before('=');
    if (name == key) return pair.after(name.size + 1);
    query = query.after(pair.size + 1);
  }
  return View();
}

} // namespace cusp::guest

// The one function through which the host allocates in this guest. A program defines it once, by CUSP_GUEST_RUNTIME.
#define CUSP_GUEST_RUNTIME                                                                                             \
  extern "C" CUSP_EXPORT("cabi_realloc") void* cusp_guest_realloc(void* old, size_t, size_t alignment, size_t size) {   \
    if (size == 0) return reinterpret_cast<void*>(alignment);                                                          \
    void* memory = realloc(old, size);                                                                                 \
    if (!memory) __builtin_trap();                                                                                     \
    return memory;                                                                                                     \
  }

// A tiny binary archive for metadata that crosses from compile time to run time (module descriptions, link plans).
// A serialised struct names its members once: `template <class A> void fields(A& a) { a(first, second, third); }`,
// used for writing and reading alike. Integers and enums are little-endian at their own width; strings, vectors,
// optionals and variants carry a 32-bit count, flag or alternative. Reading checks every bound: foreign bytes give an Error,
// never undefined behaviour, and no allocation exceeds the size of the input.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/index.h"
#include "base/result.h"

namespace cusp::base {

template <class T> struct IsVector : std::false_type {};
template <class T> struct IsVector<std::vector<T>> : std::true_type {};
template <class T> struct IsOptional : std::false_type {};
template <class T> struct IsOptional<std::optional<T>> : std::true_type {};
template <class T> struct IsVariant : std::false_type {};
template <class... T> struct IsVariant<std::variant<T...>> : std::true_type {};
template <class T> struct IsByteArray : std::false_type {};
template <std::size_t N> struct IsByteArray<std::array<std::uint8_t, N>> : std::true_type {};
template <class T> struct IsIndex : std::false_type {};
template <class T> struct IsIndex<Index<T>> : std::true_type {};

class ArchiveWriter {
public:
  template <class... T> void operator()(T&... members) { (put(members), ...); }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

private:
  template <class T> void put(T& member) {
    if constexpr (std::is_same_v<T, std::string>) {
      put_count(member.size());
      put_raw(member.data(), member.size());
    } else if constexpr (IsVector<T>::value) {
      put_count(member.size());
      using E = typename T::value_type;
      if constexpr (std::is_arithmetic_v<E> && !std::is_same_v<E, bool>)
        put_raw(member.data(), member.size() * sizeof(E));
      else if constexpr (std::is_same_v<E, bool>)
        for (bool bit : member) {
          std::uint8_t byte = bit;
          put(byte);
        }
      else
        for (auto& element : member) put(element);
    } else if constexpr (IsOptional<T>::value) {
      std::uint8_t present = member.has_value();
      put(present);
      if (member) put(*member);
    } else if constexpr (IsVariant<T>::value) {
      std::uint8_t which = static_cast<std::uint8_t>(member.index());
      put(which);
      std::visit([this](auto& alternative) { this->put(alternative); }, member);
    } else if constexpr (IsIndex<T>::value) {
      put(member.value);
    } else if constexpr (std::is_enum_v<T> || std::is_arithmetic_v<T>) {
      put_raw(&member, sizeof member);
    } else if constexpr (IsByteArray<T>::value) {
      put_raw(member.data(), member.size());
    } else if constexpr (std::is_empty_v<T>) {
    } else {
      member.fields(*this);
    }
  }
  void put_count(std::size_t count) {
    std::uint32_t n = static_cast<std::uint32_t>(count);
    put_raw(&n, sizeof n);
  }
  void put_raw(const void* data, std::size_t size) {
    if (size == 0) return;
    std::size_t at = bytes_.size();
    bytes_.resize(at + size);
    std::memcpy(bytes_.data() + at, data, size);
  }
  std::vector<std::uint8_t> bytes_;
};

class ArchiveReader {
public:
  explicit ArchiveReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  template <class... T> void operator()(T&... members) { (get(members), ...); }
  bool ok() const { return ok_; }
  bool at_end() const { return at_ == bytes_.size(); }

private:
  template <class T, std::size_t... I> void get_alternative(T& member, std::uint8_t which, std::index_sequence<I...>) {
    bool known = ((which == I ? (get(member.template emplace<I>()), true) : false) || ...);
    ok_ = ok_ && known;
  }
  template <class T> void get(T& member) {
    if (!ok_) return;
    if constexpr (std::is_same_v<T, std::string>) {
      std::size_t n = get_count(1);
      member.assign(reinterpret_cast<const char*>(bytes_.data() + at_), n);
      at_ += n;
    } else if constexpr (IsVector<T>::value) {
      using E = typename T::value_type;
      if constexpr (std::is_arithmetic_v<E> && !std::is_same_v<E, bool>) {
        std::size_t n = get_count(sizeof(E));
        member.resize(n);
        get_raw(member.data(), n * sizeof(E));
      } else {
        std::size_t n = get_count(1);
        member.clear();
        member.reserve(n < 4096 ? n : 4096);
        for (std::size_t i = 0; i < n && ok_; ++i) {
          E element{};
          get(element);
          member.push_back(std::move(element));
        }
      }
    } else if constexpr (IsOptional<T>::value) {
      std::uint8_t present = 0;
      get(present);
      if (present) get(member.emplace());
    } else if constexpr (IsVariant<T>::value) {
      std::uint8_t which = 0;
      get(which);
      get_alternative(member, which, std::make_index_sequence<std::variant_size_v<T>>());
    } else if constexpr (IsIndex<T>::value) {
      get(member.value);
    } else if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      get_raw(&byte, 1);
      member = byte != 0;
    } else if constexpr (std::is_enum_v<T> || std::is_arithmetic_v<T>) {
      get_raw(&member, sizeof member);
    } else if constexpr (IsByteArray<T>::value) {
      get_raw(member.data(), member.size());
    } else if constexpr (std::is_empty_v<T>) {
    } else {
      member.fields(*this);
    }
  }
  // A count whose elements take at least `element_size` bytes each of what is left.
  std::size_t get_count(std::size_t element_size) {
    std::uint32_t n = 0;
    get_raw(&n, sizeof n);
    if (!ok_ || n > (bytes_.size() - at_) / element_size) {
      ok_ = false;
      return 0;
    }
    return n;
  }
  void get_raw(void* data, std::size_t size) {
    if (size == 0) return;
    if (size > bytes_.size() - at_) {
      ok_ = false;
      return;
    }
    std::memcpy(data, bytes_.data() + at_, size);
    at_ += size;
  }
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

template <class T> std::vector<std::uint8_t> archive_write(T& value) {
  ArchiveWriter writer;
  writer(value);
  return writer.take();
}

// Error: Corrupt when the bytes are short, over-long or name an unknown alternative.
template <class T> Result<T> archive_read(std::span<const std::uint8_t> bytes) {
  ArchiveReader reader(bytes);
  T value{};
  reader(value);
  if (!reader.ok() || !reader.at_end()) return fail(ErrorCode::Corrupt, "the metadata is damaged");
  return value;
}

} // namespace cusp::base

#include "wasi/keyvalue/store.h"

#include <charconv>

#include <fmt/format.h>

namespace cusp::wasi {

template <class Number> StoreResult<Number> increment(KeyValueStore& store, std::string_view key, Number delta) {
  Number sum{};
  auto done = store.update(key, [&](const std::optional<Bytes>& current) -> StoreResult<Bytes> {
    Number before{};
    if (current) {
      const char* first = reinterpret_cast<const char*>(current->data());
      auto [end, error] = std::from_chars(first, first + current->size(), before);
      if (error != std::errc() || end != first + current->size())
        return std::unexpected(
            StoreError{fmt::format("the value of '{}' is not a number that can be incremented", key)});
    }
    if (__builtin_add_overflow(before, delta, &sum))
      return std::unexpected(StoreError{fmt::format("the value of '{}' would be too large", key)});
    const std::string text = std::to_string(sum);
    return Bytes(text.begin(), text.end());
  });
  if (!done) return std::unexpected(std::move(done).error());
  return sum;
}

template StoreResult<std::int64_t> increment(KeyValueStore&, std::string_view, std::int64_t);
template StoreResult<std::uint64_t> increment(KeyValueStore&, std::string_view, std::uint64_t);

} // namespace cusp::wasi

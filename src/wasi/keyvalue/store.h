// What keeps the pairs of a bucket: the seam between wasi:keyvalue and its backends. A store is shared by all requests and threads; its calls
// may block, and then run on the loop's pool (face.cpp).
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cusp::wasi {

using Bytes = std::vector<std::uint8_t>;

// Why it failed, in a sentence. What else may go wrong, a bucket that does not exist, is found before there is a store.
struct StoreError {
  std::string message;
};
template <class T> using StoreResult = std::expected<T, StoreError>;

class KeyValueStore {
public:
  virtual ~KeyValueStore() = default;
  virtual bool blocks() const = 0; // its calls may wait for a disk or a peer

  virtual StoreResult<std::optional<Bytes>> get(std::string_view key) = 0;
  virtual StoreResult<void> set(std::string_view key, std::span<const std::uint8_t> value) = 0;
  virtual StoreResult<void> erase(std::string_view key) = 0;
  // At most `limit` keys in order: those behind `after` (none: from the first), without the first `skip` of them.
  virtual StoreResult<std::vector<std::string>> keys(const std::optional<std::string>& after, std::uint64_t skip,
                                                     std::size_t limit) = 0;
  // Sets the value to what `change` makes of it; nobody else changes it meanwhile. An error of `change` leaves it as it is.
  using Change = std::function<StoreResult<Bytes>(const std::optional<Bytes>& current)>;
  virtual StoreResult<void> update(std::string_view key, const Change& change) = 0;
};

// Lives as long as the process.
std::shared_ptr<KeyValueStore> make_memory_store();
// In a SQLite database, made where there is none. Error: Io, which names the file.
base::Result<std::shared_ptr<KeyValueStore>> open_sqlite_store(const std::string& path);

// Numbers are kept as decimal text. Error: the value is no number, or would be beyond the type.
template <class Number> StoreResult<Number> increment(KeyValueStore& store, std::string_view key, Number delta);
extern template StoreResult<std::int64_t> increment(KeyValueStore&, std::string_view, std::int64_t);
extern template StoreResult<std::uint64_t> increment(KeyValueStore&, std::string_view, std::uint64_t);

} // namespace cusp::wasi

#include <map>
#include <mutex>

#include "wasi/keyvalue/store.h"

namespace cusp::wasi {

namespace {

class MemoryStore final : public KeyValueStore {
public:
  bool blocks() const override { return false; }

  StoreResult<std::optional<Bytes>> get(std::string_view key) override {
    std::lock_guard lock(mutex_);
    auto at = pairs_.find(key);
    if (at == pairs_.end()) return std::nullopt;
    return at->second;
  }
  StoreResult<void> set(std::string_view key, std::span<const std::uint8_t> value) override {
    std::lock_guard lock(mutex_);
    pairs_[std::string(key)].assign(value.begin(), value.end());
    return {};
  }
  StoreResult<void> erase(std::string_view key) override {
    std::lock_guard lock(mutex_);
    if (auto at = pairs_.find(key); at != pairs_.end()) pairs_.erase(at);
    return {};
  }
  StoreResult<std::vector<std::string>> keys(const std::optional<std::string>& after, std::uint64_t skip,
                                             std::size_t limit) override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (auto at = after ? pairs_.upper_bound(*after) : pairs_.begin(); at != pairs_.end() && found.size() < limit;
         ++at) {
      if (skip != 0) --skip;
      else found.push_back(at->first);
    }
    return found;
  }
  StoreResult<void> update(std::string_view key, const Change& change) override {
    std::lock_guard lock(mutex_);
    auto at = pairs_.find(key);
    auto changed = change(at == pairs_.end() ? std::nullopt : std::optional(at->second));
    if (!changed) return std::unexpected(std::move(changed).error());
    pairs_[std::string(key)] = *std::move(changed);
    return {};
  }

private:
  std::mutex mutex_;
  std::map<std::string, Bytes, std::less<>> pairs_;
};

} // namespace

std::shared_ptr<KeyValueStore> make_memory_store() { return std::make_shared<MemoryStore>(); }

} // namespace cusp::wasi

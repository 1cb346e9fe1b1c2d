// The store: $XDG_CACHE_HOME/cusp/default/NAME.cusp, read-only files that appear by rename, NAME a hash over everything that decides what an
// input becomes; beside each, NAME.seal: (inode, size, times) of the file when its contents were last verified as a whole.
// A store file is native code, so nothing in it is believed: its key must be the one that was asked for, and where the seal does not fit,
// every byte is checked again. Whatever is wrong, the answer is to compile again. Private to prepare/.
#pragma once

#include <memory>
#include <string>

#include "prepare/prepare.h"

namespace cusp::prepare {

struct StoreKey {
  std::string directory; // of the store
  std::string name;
  std::string module_hash, settings; // what the artifact must say of itself
};

// Error: NotFound, Corrupt; a file that is not usable is gone afterwards.
Result<std::shared_ptr<const artifact::Artifact>> take_from_store(const StoreKey& key);
// Error: Io (a full disk, no rights).
Result<std::shared_ptr<const artifact::Artifact>> put_into_store(const StoreKey& key,
                                                                 std::span<const std::uint8_t> bytes);

// Held by whoever makes the artifact of a key in the background, so that one does. Gone with its owner.
class StoreLock {
public:
  // Waits for another owner, or gives up where there is one. Error: Io.
  static Result<StoreLock> take(const StoreKey& key, bool wait);
  ~StoreLock();
  StoreLock(StoreLock&&) noexcept = default;
  // False: the store has been removed meanwhile, and nothing may be put there.
  bool is_in_place() const;

private:
  StoreLock(base::UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  base::UniqueFd fd_;
  std::string path_;
};

// Every folder on the way, for this user only.
void make_directories(const std::string& path);

} // namespace cusp::prepare

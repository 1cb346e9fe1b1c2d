#include "prepare/store.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "artifact/compiler_build.h"
#include "artifact/sha256.h"

namespace cusp::prepare {

using artifact::Artifact;
using base::ErrorCode;

namespace {

std::string artifact_path(const StoreKey& key) { return fmt::format("{}/default/{}.cusp", key.directory, key.name); }
std::string seal_path(const StoreKey& key) { return fmt::format("{}/default/{}.seal", key.directory, key.name); }

// Changes with every write to the file, and with every other file in its place.
std::string seal_text(const struct stat& file) {
  return fmt::format("{:x} {:x} {:x} {:x}.{:x} {:x}.{:x}\n", file.st_dev, file.st_ino, file.st_size,
                     file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_ctim.tv_sec, file.st_ctim.tv_nsec);
}

Result<void> check_key(const Artifact& artifact, const StoreKey& key) {
  const artifact::ArtifactKey& own = artifact.key();
  if (artifact::to_hex(own.module_hash) == key.module_hash && own.settings == key.settings &&
      own.compiler_build == artifact::compiler_build())
    return {};
  return base::fail(ErrorCode::Corrupt, artifact.name() + " is an artifact of another module, compiler or setting");
}

Result<std::shared_ptr<const Artifact>> open_stored(const StoreKey& key) {
  std::string path = artifact_path(key);
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!fd || fstat(fd.get(), &status) != 0) return base::fail_errno("open", path, errno);
  std::ifstream in(seal_path(key));
  std::string expected = seal_text(status), seal(std::istreambuf_iterator<char>(in), {});
  bool sealed = seal == expected;
  auto verify = sealed ? Artifact::Verify::Header : Artifact::Verify::Full;
  auto found = CUSP_TRY(Artifact::from_fd(std::move(fd), verify, path));
  CUSP_TRY(check_key(*found, key));
  if (!sealed)
    (void)write_file(seal_path(key), std::span(reinterpret_cast<const std::uint8_t*>(expected.data()), expected.size()),
                     0600);
  return found;
}

} // namespace

std::string store_directory() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return std::string(cache) + "/cusp";
  const char* home = std::getenv("HOME");
  return std::string(home && *home ? home : "/tmp") + "/.cache/cusp";
}

void make_directories(const std::string& path) {
  for (std::size_t at = 1; at != std::string::npos; at = path.find('/', at + 1))
    if (at != 1 || path.size() == 1) mkdir(path.substr(0, at).c_str(), 0700);
  mkdir(path.c_str(), 0700);
}

Result<std::shared_ptr<const Artifact>> take_from_store(const StoreKey& key) {
  auto found = open_stored(key);
  if (!found) unlink(artifact_path(key).c_str());
  return found;
}

Result<std::shared_ptr<const Artifact>> put_into_store(const StoreKey& key, std::span<const std::uint8_t> bytes) {
  make_directories(key.directory + "/default");
  CUSP_TRY(write_file(artifact_path(key), bytes, 0400));
  return open_stored(key); // verified as a whole, once, and sealed
}

Result<StoreLock> StoreLock::take(const StoreKey& key, bool wait) {
  std::string path = fmt::format("{}/default/{}.lock", store_directory(), key.name);
  base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno("open", path, errno);
  while (flock(fd.get(), wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0)
    if (errno != EINTR) return base::fail_errno("lock", path, errno);
  return StoreLock(std::move(fd), std::move(path));
}

StoreLock::~StoreLock() {
  if (fd_) unlink(path_.c_str());
}

bool StoreLock::is_in_place() const {
  struct stat status{};
  return fstat(fd_.get(), &status) == 0 && status.st_nlink != 0;
}

} // namespace cusp::prepare

// An input's way to its artifact. .../index/ID in the store remembers the content hash of an input file by its (device, inode, size, times), so
// that a large component is not hashed at every start.
#include "prepare/prepare.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/vm.h"
#include "artifact/compiler_build.h"
#include "artifact/cpu.h"
#include "artifact/sha256.h"
#include "prepare/group_store.h"
#include "prepare/input.h"

namespace cusp::prepare {

using artifact::Artifact;
using base::ErrorCode;

namespace {

std::string hash_text(std::string_view text) {
  return artifact::to_hex(artifact::sha256(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size())));
}

std::string host_features() {
  std::string text;
  for (const std::string& feature : artifact::host_cpu_features()) text += feature + ",";
  return text;
}

std::string store_of(const PrepareOptions& options) {
  return options.store.empty() ? store_directory() : options.store;
}

StoreKey store_key(const std::string& content_hash, const PrepareOptions& options) {
  std::string settings = artifact::settings_text(options);
  return {
      store_of(options),
      hash_text(fmt::format("{} {} {:x} {:x} {}", content_hash, settings, abi::abi_hash(), artifact::compiler_build(),
                            options.target_cpu == "native" ? host_features() : options.target_cpu)),
      content_hash, settings};
}

std::string index_path(const std::string& store, const struct stat& file) {
  return fmt::format("{}/index/{:x}-{:x}-{:x}-{:x}.{:x}-{:x}.{:x}", store, file.st_dev, file.st_ino, file.st_size,
                     file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_ctim.tv_sec, file.st_ctim.tv_nsec);
}

// The content hash that an earlier start found for this very file; empty when there is none.
std::string remembered_hash(const std::string& store, const struct stat& file) {
  std::ifstream in(index_path(store, file));
  std::string text;
  in >> text;
  return text.size() == 64 ? text : std::string();
}

} // namespace

base::Error named(base::Error error, const std::string& path) {
  if (error.file.empty()) error.file = path;
  return error;
}

Result<Input> look_at(const std::string& path) {
  Input input{.path = path, .status = {}, .bytes = {}};
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || fstat(fd.get(), &input.status) != 0) return base::fail_errno("open", path, errno);
  if (!S_ISREG(input.status.st_mode) && !S_ISFIFO(input.status.st_mode) && !S_ISCHR(input.status.st_mode))
    return base::fail(ErrorCode::InvalidArgument, fmt::format("{} is not a file", path));
  std::uint8_t head[4096];
  ssize_t got = S_ISREG(input.status.st_mode) ? pread(fd.get(), head, sizeof head, 0) : 0;
  input.is_artifact = got > 0 && artifact::looks_like_artifact(std::span(head, static_cast<std::size_t>(got)));
  return input;
}

namespace {

Result<void> check_wasm(const Input& input) {
  constexpr std::uint8_t kMagic[] = {0, 'a', 's', 'm'};
  if (input.bytes.size() >= 4 && std::memcmp(input.bytes.data(), kMagic, 4) == 0) return {};
  base::Error error{.code = ErrorCode::Malformed,
                    .message = "this is neither a WebAssembly module or component nor an artifact of `cusp compile`",
                    .file = input.path};
  if (input.bytes.empty()) error.message = "the file is empty";
  return std::unexpected(error);
}

} // namespace

Result<StoreKey> key_of(Input& input, const PrepareOptions& options) {
  std::string store = store_of(options);
  std::string hash = S_ISREG(input.status.st_mode) ? remembered_hash(store, input.status) : std::string();
  if (hash.empty()) {
    input.bytes = CUSP_TRY(read_file(input.path));
    CUSP_TRY(check_wasm(input));
    hash = artifact::to_hex(artifact::sha256(input.bytes));
    std::string index = index_path(store, input.status);
    make_directories(store + "/index");
    (void)write_file(index, std::span(reinterpret_cast<const std::uint8_t*>(hash.data()), hash.size()), 0400);
  }
  return store_key(hash, options);
}

Result<std::vector<std::uint8_t>> compile_input(Input& input, const PrepareOptions& options) {
  if (input.bytes.empty()) input.bytes = CUSP_TRY(read_file(input.path));
  CUSP_TRY(check_wasm(input));
  PrepareOptions with_groups = options;
  with_groups.cache_groups = !options.no_cache && options.opt_level > 0; // the first tier is as quick as reading them
  auto compiler = CUSP_TRY(CompilerProcess::start(with_groups));
  return compiler->compile_bytes(input.bytes);
}

namespace {

Result<std::shared_ptr<const Artifact>> prepare_keyed(Input& input, const StoreKey& key,
                                                      const PrepareOptions& options) {
  if (auto found = take_from_store(key)) return found;
  make_group_folder();
  std::vector<std::uint8_t> bytes = CUSP_TRY(compile_input(input, options));
  if (auto kept = put_into_store(key, bytes)) return kept;
  return artifact_from_bytes(bytes, input.path); // a store that cannot be written is no reason not to run
}

} // namespace

Result<std::shared_ptr<const Artifact>> prepare_input(Input& input, const PrepareOptions& options) {
  if (input.is_artifact) return Artifact::open(input.path, Artifact::Verify::Full);
  if (options.no_cache) return artifact_from_bytes(CUSP_TRY(compile_input(input, options)), input.path);
  return prepare_keyed(input, CUSP_TRY(key_of(input, options)), options);
}

Result<std::vector<std::uint8_t>> read_file(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("open", path, errno);
  std::vector<std::uint8_t> bytes;
  struct stat status{};
  if (fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode))
    bytes.reserve(static_cast<std::size_t>(status.st_size) + 1);
  for (;;) {
    std::size_t at = bytes.size();
    bytes.resize(std::max(bytes.capacity(), at + 65536));
    ssize_t got = read(fd.get(), bytes.data() + at, bytes.size() - at);
    bytes.resize(at + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno != EINTR) return base::fail_errno("read", path, errno);
    if (got == 0) return bytes;
  }
}

namespace {
Result<void> write_all(int fd, std::span<const std::uint8_t> bytes, const std::string& name) {
  while (!bytes.empty()) {
    ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return base::fail_errno("write", name, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}
} // namespace

Result<std::shared_ptr<const Artifact>> artifact_from_bytes(std::span<const std::uint8_t> bytes,
                                                            const std::string& name) {
  base::UniqueFd fd(memfd_create("cusp-artifact", MFD_CLOEXEC));
  if (!fd) return base::fail_errno("create", "a file in memory", errno);
  CUSP_TRY(write_all(fd.get(), bytes, name));
  return Artifact::from_fd(std::move(fd), Artifact::Verify::Header, name);
}

Result<void> write_file(const std::string& path, std::span<const std::uint8_t> bytes, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  base::UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return base::fail_errno("write", path, errno);
  if (auto written = write_all(fd.get(), bytes, path); !written) {
    unlink(temporary.c_str());
    return written;
  }
  if (fchmod(fd.get(), mode) != 0 || rename(temporary.c_str(), path.c_str()) != 0) {
    int error = errno;
    unlink(temporary.c_str());
    return base::fail_errno("write", path, error);
  }
  return {};
}

Result<std::shared_ptr<const Artifact>> prepare_file(const std::string& path, const PrepareOptions& options) {
  auto input = look_at(path);
  if (!input) return std::unexpected(std::move(input).error());
  auto artifact = prepare_input(*input, options);
  if (!artifact) return std::unexpected(named(std::move(artifact).error(), path));
  return artifact;
}

Result<std::shared_ptr<const Artifact>> prepare_bytes(std::span<const std::uint8_t> wasm, const std::string& name,
                                                      const PrepareOptions& options) {
  Input input{.path = name, .status = {}, .bytes = {wasm.begin(), wasm.end()}};
  auto prepare = [&]() -> Result<std::shared_ptr<const Artifact>> {
    CUSP_TRY(check_wasm(input));
    if (options.no_cache) return artifact_from_bytes(CUSP_TRY(compile_input(input, options)), name);
    return prepare_keyed(input, store_key(artifact::to_hex(artifact::sha256(input.bytes)), options), options);
  };
  auto artifact = prepare();
  if (!artifact) return std::unexpected(named(std::move(artifact).error(), name));
  return artifact;
}

Result<std::vector<std::uint8_t>> compile_file(const std::string& path, const PrepareOptions& options) {
  Input input = CUSP_TRY(look_at(path));
  if (input.is_artifact) return base::fail(ErrorCode::InvalidArgument, fmt::format("{} is an artifact already", path));
  if (!options.no_cache) {
    auto artifact = prepare_input(input, options);
    if (!artifact) return std::unexpected(named(std::move(artifact).error(), path));
    return read_file(fmt::format("/proc/self/fd/{}", (*artifact)->fd()));
  }
  auto bytes = compile_input(input, options);
  if (!bytes) return std::unexpected(named(std::move(bytes).error(), path));
  return bytes;
}

} // namespace cusp::prepare

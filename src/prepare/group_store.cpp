#include "prepare/group_store.h"

#include <algorithm>
#include <cstring>

#include "artifact/checksum.h"
#include "prepare/prepare.h"
#include "prepare/store.h"

namespace cusp::prepare {

namespace {

struct Head {
  artifact::Sha256 key;
  std::uint64_t checksum;
};

std::string folder() { return store_directory() + "/default/groups"; }

} // namespace

void make_group_folder() { make_directories(folder()); }

std::vector<std::uint8_t> find_group(const artifact::Sha256& key) {
  auto file = read_file(folder() + "/" + artifact::to_hex(key));
  Head head;
  if (!file || file->size() <= sizeof head) return {};
  std::memcpy(&head, file->data(), sizeof head);
  std::vector<std::uint8_t> bytes(file->begin() + sizeof head, file->end());
  if (head.key != key || head.checksum != artifact::checksum(bytes)) return {};
  return bytes;
}

void keep_group(const artifact::Sha256& key, std::span<const std::uint8_t> bytes) {
  const Head head{key, artifact::checksum(bytes)};
  std::vector<std::uint8_t> file(sizeof head + bytes.size());
  std::memcpy(file.data(), &head, sizeof head);
  std::ranges::copy(bytes, file.begin() + sizeof head);
  (void)write_file(folder() + "/" + artifact::to_hex(key), file, 0400);
}

} // namespace cusp::prepare

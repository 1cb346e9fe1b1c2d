// The artifact loader and the tables that the runtime reads from an artifact. The checksum of the head is made to fit, or no input
// would come further than to it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "artifact/artifact.h"
#include "artifact/checksum.h"
#include "artifact/elf_layout.h"
#include "artifact/trap_table.h"
#include "artifact/unwind_table.h"

using namespace cusp::artifact;

namespace {

void fit_checksum(std::vector<std::uint8_t>& file) {
  if (file.size() < kPage) return;
  std::memset(file.data() + kSumAt, 0, sizeof(Sums));
  std::uint64_t head = checksum({file.data(), kPage});
  for (Section which : {Key, Meta}) {
    Elf64_Shdr section;
    std::memcpy(&section, file.data() + kSectionHeadersAt + which * sizeof section, sizeof section);
    if (section.sh_offset > file.size() || section.sh_size > file.size() - section.sh_offset) return;
    head = checksum({file.data() + section.sh_offset, section.sh_size}, head);
  }
  Sums sums{};
  sums.head = head;
  std::memcpy(file.data() + kSumAt, &sums, sizeof sums);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> file(data, data + size);
  fit_checksum(file);
  cusp::base::UniqueFd fd(memfd_create("artifact", MFD_CLOEXEC));
  if (fd.get() < 0 || write(fd.get(), file.data(), file.size()) != static_cast<ssize_t>(file.size())) std::abort();
  const auto artifact = Artifact::from_fd(std::move(fd), Artifact::Verify::Header, "fuzz");
  if (!artifact) return 0;
  for (std::uint32_t module = 0; module < 3; ++module)
    for (std::uint32_t func = 0; func < 64; ++func) (void)(*artifact)->function_name(module, func);
  GuestFrame frames[8];
  for (std::uint32_t offset = 0; offset < (*artifact)->text_size(); offset += 1 + (*artifact)->text_size() / 256) {
    (void)lookup_trap_site((*artifact)->trap_table(), offset, frames);
    (void)lookup_frame((*artifact)->unwind_table(), offset);
    (void)lookup_landing_pad((*artifact)->unwind_table(), offset);
  }
  return 0;
}

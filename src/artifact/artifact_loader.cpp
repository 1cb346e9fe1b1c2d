// Opens an artifact: one private mapping of the whole file, text made executable, everything else readable. Nothing is
// relocated or copied but the metadata. Every offset is checked before use, so that a damaged file gives a sentence and
// never a fault; what the checksums cannot know (a file that shrinks after it was mapped) ends in SIGBUS, which the
// runtime handles.
#include "artifact/artifact.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "artifact/checksum.h"
#include "artifact/cpu.h"
#include "artifact/elf_layout.h"
#include "artifact/meta_check.h"

namespace cusp::artifact {

using base::ErrorCode;
using base::fail;
using base::fail_errno;

namespace {

[[gnu::cold, gnu::noinline]] std::unexpected<base::Error> corrupt(std::string_view name, std::string_view what) {
  return fail(ErrorCode::Corrupt, fmt::format("{} is not a usable artifact: {}", name, what));
}

std::uint32_t load32(std::span<const std::uint8_t> bytes, std::uint64_t at) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

} // namespace

class ArtifactLoader {
public:
  ArtifactLoader(Artifact& artifact, Artifact::Verify verify) : out_(artifact), verify_(verify) {}

  Result<void> load() {
    CUSP_TRY(map());
    CUSP_TRY(read_headers());
    CUSP_TRY(check_sums());
    CUSP_TRY(read_key());
    auto meta = base::archive_read<ArtifactMeta>(section(Meta));
    if (!meta) return corrupt(out_.name_, "its metadata is damaged");
    out_.meta_ = std::move(*meta);
    out_.text_size_ = static_cast<std::uint32_t>(sections_[Text].sh_size);
    out_.code_size_ = static_cast<std::uint32_t>(sections_[EhFrame].sh_offset + sections_[EhFrame].sh_size - kPage);
    out_.image_ = section(Image);
    out_.image_file_offset_ = sections_[Image].sh_offset;
    out_.trap_table_ = section(Traps);
    out_.unwind_table_ = section(Unwind);
    out_.names_ = section(Names);
    out_.line_table_ = section(Lines);
    if (auto problem = find_meta_problem(out_.meta_, out_.text_size_, out_.image_.size()); !problem.empty())
      return corrupt(out_.name_, problem);
    return make_executable();
  }

private:
  Result<void> map() {
    struct stat status;
    if (fstat(out_.fd_.get(), &status) != 0) return fail_errno("read", out_.name_, errno);
    if (!S_ISREG(status.st_mode)) return corrupt(out_.name_, "it is not a regular file");
    auto size = static_cast<std::uint64_t>(status.st_size);
    if (size < 2 * kPage) return corrupt(out_.name_, "it is too short");
    if (size > std::uint64_t{1} << 36) return corrupt(out_.name_, "it is too long");
    void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, out_.fd_.get(), 0);
    if (at == MAP_FAILED) return fail_errno("map", out_.name_, errno);
    out_.file_ = {static_cast<const std::uint8_t*>(at), size};
    return {};
  }

  Result<void> read_headers() {
    Elf64_Ehdr header;
    std::memcpy(&header, out_.file_.data(), sizeof header);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return corrupt(out_.name_, "it is not an ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN || header.e_machine != EM_X86_64)
      return corrupt(out_.name_, "it was compiled for another kind of machine");
    if (header.e_shoff != kSectionHeadersAt || header.e_shnum != kSections || header.e_shentsize != sizeof(Elf64_Shdr))
      return corrupt(out_.name_, "it is an ELF file, but not one that cusp wrote");
    std::memcpy(sections_, out_.file_.data() + kSectionHeadersAt, sizeof sections_);
    for (unsigned i = 1; i < kSections; ++i) {
      const Elf64_Shdr& s = sections_[i];
      if (s.sh_offset > out_.file_.size() || s.sh_size > out_.file_.size() - s.sh_offset)
        return corrupt(out_.name_, "it is cut off or its section table is damaged");
      if (s.sh_name >= kShstrtabSize - kSectionNames[i].size() ||
          std::memcmp(out_.file_.data() + kShstrtabAt + s.sh_name, kSectionNames[i].data(), kSectionNames[i].size()) !=
              0)
        return corrupt(out_.name_, "it is an ELF file, but not one that cusp wrote");
    }
    const Elf64_Shdr &text = sections_[Text], &rodata = sections_[Rodata], &eh = sections_[EhFrame];
    bool ordered = text.sh_offset == kPage && text.sh_size <= std::uint64_t{1} << 31 && rodata.sh_offset % kPage == 0 &&
                   rodata.sh_offset >= kPage + text.sh_size && eh.sh_offset >= rodata.sh_offset + rodata.sh_size &&
                   sections_[Image].sh_offset % kPage == 0 && sections_[Image].sh_offset >= eh.sh_offset + eh.sh_size &&
                   sections_[Sum].sh_offset == kSumAt && sections_[Sum].sh_size == sizeof(Sums);
    if (!ordered) return corrupt(out_.name_, "its sections do not lie as they should");
    return {};
  }

  Result<void> check_sums() {
    std::uint8_t page[kPage];
    std::memcpy(page, out_.file_.data(), kPage);
    Sums stored;
    std::memcpy(&stored, page + kSumAt, sizeof stored);
    std::memset(page + kSumAt, 0, sizeof stored);
    std::uint64_t head = checksum(page);
    for (Section part : {Key, Meta}) head = checksum(section(part), head);
    if (head != stored.head) return corrupt(out_.name_, "its header does not match its checksum");
    if (verify_ == Artifact::Verify::Header) return {};
    // Page 0 differs from the file in the sums alone; copying the file to clear sixteen bytes would be dear, so they
    // are taken in two steps.
    if (file_sum(page) != stored.all) return corrupt(out_.name_, "its contents do not match its checksum");
    return {};
  }

  std::uint64_t file_sum(std::span<const std::uint8_t> first_page) const {
    return checksum(out_.file_.subspan(kPage), checksum(first_page));
  }

  Result<void> read_key() {
    auto key = base::archive_read<ArtifactKey>(section(Key));
    if (!key) return corrupt(out_.name_, "its key is damaged");
    out_.key_ = std::move(*key);
    if (out_.key_.abi_hash != abi::abi_hash())
      return corrupt(out_.name_, "it was compiled for another version of cusp; compile it again");
    std::string missing;
    for (const std::string& feature : out_.key_.cpu_features)
      if (!host_has_feature(feature)) missing += (missing.empty() ? "" : ", ") + feature;
    if (!missing.empty())
      return corrupt(out_.name_,
                     fmt::format("it was compiled for {} and needs {}, which this machine's CPU does not have; "
                                 "compile it here or with --target-cpu x86-64-v2",
                                 out_.key_.cpu, missing));
    return {};
  }

  Result<void> make_executable() {
    auto* code = const_cast<std::uint8_t*>(out_.file_.data()) + kPage;
    if (out_.text_size_ != 0 && mprotect(code, out_.text_size_, PROT_READ | PROT_EXEC) != 0)
      return fail_errno("map as executable", out_.name_, errno);
    out_.code_ = code;
    return {};
  }

  std::span<const std::uint8_t> section(Section which) const {
    return out_.file_.subspan(sections_[which].sh_offset, sections_[which].sh_size);
  }

  Artifact& out_;
  Artifact::Verify verify_;
  Elf64_Shdr sections_[kSections] = {};
};

Result<std::shared_ptr<const Artifact>> Artifact::open(const std::string& path, Verify verify) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open", path, errno);
  return from_fd(std::move(fd), verify, path);
}

Result<std::shared_ptr<const Artifact>> Artifact::from_fd(base::UniqueFd fd, Verify verify, std::string name) {
  std::shared_ptr<Artifact> artifact(new Artifact());
  artifact->fd_ = std::move(fd);
  artifact->name_ = std::move(name);
  CUSP_TRY(ArtifactLoader(*artifact, verify).load());
  return artifact;
}

Result<std::shared_ptr<const Artifact>> Artifact::from_bytes(std::span<const std::uint8_t> bytes, std::string name) {
  base::UniqueFd fd(memfd_create("cusp-artifact", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("make memory for", name, errno);
  for (std::size_t at = 0; at < bytes.size();) {
    ssize_t written = ::write(fd.get(), bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("make memory for", name, errno);
    at += static_cast<std::size_t>(written);
  }
  fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return from_fd(std::move(fd), Verify::Full, std::move(name));
}

Artifact::~Artifact() {
  if (!file_.empty()) munmap(const_cast<std::uint8_t*>(file_.data()), file_.size());
}

std::string_view Artifact::function_name(std::uint32_t module, std::uint32_t func) const {
  if (names_.size() < 4 || module >= load32(names_, 0)) return {};
  std::uint64_t entry = 4 + 8 * std::uint64_t{module};
  if (entry + 8 > names_.size()) return {};
  std::uint64_t count = load32(names_, entry), ends = load32(names_, entry + 4);
  if (func >= count || ends + 4 * count > names_.size()) return {};
  std::uint64_t from = func == 0 ? 0 : load32(names_, ends + 4 * (func - 1)), to = load32(names_, ends + 4 * func);
  std::uint64_t text = ends + 4 * count;
  if (from > to || text + to > names_.size()) return {};
  return {reinterpret_cast<const char*>(names_.data()) + text + from, static_cast<std::size_t>(to - from)};
}

bool looks_like_artifact(std::span<const std::uint8_t> head) {
  if (head.size() < kSumAt || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0) return false;
  Elf64_Shdr key;
  std::memcpy(&key, head.data() + kSectionHeadersAt + Key * sizeof key, sizeof key);
  std::string_view name = kSectionNames[Key];
  return key.sh_name < kShstrtabSize - name.size() &&
         std::memcmp(head.data() + kShstrtabAt + key.sh_name, name.data(), name.size()) == 0;
}

} // namespace cusp::artifact

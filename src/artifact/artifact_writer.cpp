// Lays an artifact out in memory. Deterministic: the bytes depend on the parts alone.
#include "artifact/artifact.h"

#include <algorithm>
#include <cstring>

#include "artifact/checksum.h"
#include "artifact/elf_layout.h"

namespace cusp::artifact {

namespace {

using base::ErrorCode;
using base::fail;

class Writer {
public:
  explicit Writer(ArtifactParts& parts) : parts_(parts) {}

  std::vector<std::uint8_t> write() {
    file_.resize(kPage);
    put_code();
    align(kPage);
    put(Image, SHT_PROGBITS, parts_.image, kPage);
    put(Key, SHT_PROGBITS, base::archive_write(parts_.key), 8);
    put(Meta, SHT_PROGBITS, base::archive_write(parts_.meta), 8);
    put(Traps, SHT_PROGBITS, parts_.trap_table, 8);
    put(Unwind, SHT_PROGBITS, parts_.unwind_table, 8);
    put(Names, SHT_PROGBITS, names_section(), 8);
    put(Lines, SHT_PROGBITS, parts_.line_table, 8);
    put_symbols();
    put_headers();
    put_sums();
    return std::move(file_);
  }

private:
  void align(std::uint64_t alignment) { file_.resize((file_.size() + alignment - 1) / alignment * alignment); }

  Elf64_Shdr& put(Section section, std::uint32_t type, const std::vector<std::uint8_t>& bytes,
                  std::uint64_t alignment) {
    align(alignment);
    sections_[section] = {.sh_name = 0,
                          .sh_type = type,
                          .sh_flags = 0,
                          .sh_addr = 0,
                          .sh_offset = file_.size(),
                          .sh_size = bytes.size(),
                          .sh_link = 0,
                          .sh_info = 0,
                          .sh_addralign = alignment,
                          .sh_entsize = 0};
    file_.insert(file_.end(), bytes.begin(), bytes.end());
    return sections_[section];
  }

  void put_code() {
    const std::uint32_t rodata_end =
        parts_.eh_frame_size != 0 ? parts_.eh_frame_offset : static_cast<std::uint32_t>(parts_.code.size());
    file_.insert(file_.end(), parts_.code.begin(), parts_.code.end());
    auto describe = [&](Section section, std::uint64_t from, std::uint64_t size, std::uint64_t flags,
                        std::uint64_t alignment) {
      sections_[section] = {.sh_name = 0,
                            .sh_type = SHT_PROGBITS,
                            .sh_flags = SHF_ALLOC | flags,
                            .sh_addr = kPage + from,
                            .sh_offset = kPage + from,
                            .sh_size = size,
                            .sh_link = 0,
                            .sh_info = 0,
                            .sh_addralign = alignment,
                            .sh_entsize = 0};
    };
    describe(Text, 0, parts_.text_size, SHF_EXECINSTR, kPage);
    describe(Rodata, parts_.rodata_offset, rodata_end - parts_.rodata_offset, 0, 64);
    describe(EhFrame, rodata_end, parts_.eh_frame_size, 0, 8);
  }

  // Modules; per module its number of functions and where its part begins; per module one end offset per function, then
  // the text.
  std::vector<std::uint8_t> names_section() {
    std::vector<std::uint8_t> out;
    auto put32 = [&](std::uint64_t value) {
      for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    };
    std::uint64_t at = 4 + 8 * parts_.function_names.size();
    put32(parts_.function_names.size());
    for (const auto& module : parts_.function_names) {
      put32(module.size()), put32(at);
      at += 4 * module.size();
      for (const std::string& name : module) at += name.size();
    }
    for (const auto& module : parts_.function_names) {
      std::uint64_t end = 0;
      for (const std::string& name : module) put32(end += name.size());
      for (const std::string& name : module) out.insert(out.end(), name.begin(), name.end());
    }
    return out;
  }

  void put_symbols() {
    std::vector<std::uint8_t> strings(1), table(sizeof(Elf64_Sym));
    table.reserve((parts_.symbols.size() + 1) * sizeof(Elf64_Sym));
    for (const Symbol& symbol : parts_.symbols) {
      bool in_text = symbol.offset < parts_.text_size;
      Elf64_Sym entry{.st_name = static_cast<std::uint32_t>(strings.size()),
                      .st_info = static_cast<unsigned char>(ELF64_ST_INFO(STB_LOCAL, in_text ? STT_FUNC : STT_OBJECT)),
                      .st_other = STV_DEFAULT,
                      .st_shndx = static_cast<std::uint16_t>(in_text ? Text : Rodata),
                      .st_value = kPage + symbol.offset,
                      .st_size = symbol.size};
      strings.insert(strings.end(), symbol.name.begin(), symbol.name.end());
      strings.push_back(0);
      const auto* raw = reinterpret_cast<const std::uint8_t*>(&entry);
      table.insert(table.end(), raw, raw + sizeof entry);
    }
    Elf64_Shdr& symtab = put(Symtab, SHT_SYMTAB, table, 8);
    symtab.sh_link = Strtab;
    symtab.sh_info = static_cast<std::uint32_t>(parts_.symbols.size() + 1); // all are local
    symtab.sh_entsize = sizeof(Elf64_Sym);
    put(Strtab, SHT_STRTAB, strings, 1);
  }

  void put_headers() {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64, header.e_ident[EI_DATA] = ELFDATA2LSB,
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN, header.e_machine = EM_X86_64, header.e_version = EV_CURRENT;
    header.e_phoff = sizeof(Elf64_Ehdr), header.e_shoff = kSectionHeadersAt;
    header.e_ehsize = sizeof(Elf64_Ehdr), header.e_phentsize = sizeof(Elf64_Phdr), header.e_phnum = kProgramHeaders;
    header.e_shentsize = sizeof(Elf64_Shdr), header.e_shnum = kSections, header.e_shstrndx = Shstrtab;
    std::memcpy(file_.data(), &header, sizeof header);

    std::uint64_t rodata_at = kPage + parts_.rodata_offset, code_end = kPage + parts_.code.size();
    Elf64_Phdr programs[kProgramHeaders] = {};
    programs[0] = {PT_LOAD, PF_R | PF_X, kPage, kPage, kPage, parts_.text_size, parts_.text_size, kPage};
    programs[1] = {PT_LOAD, PF_R, rodata_at, rodata_at, rodata_at, code_end - rodata_at, code_end - rodata_at, kPage};
    programs[2] = {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16};
    std::memcpy(file_.data() + sizeof header, programs, sizeof programs);

    sections_[Shstrtab] = {.sh_name = 0,
                           .sh_type = SHT_STRTAB,
                           .sh_flags = 0,
                           .sh_addr = 0,
                           .sh_offset = kShstrtabAt,
                           .sh_size = kShstrtabSize,
                           .sh_link = 0,
                           .sh_info = 0,
                           .sh_addralign = 1,
                           .sh_entsize = 0};
    sections_[Sum] = {.sh_name = 0,
                      .sh_type = SHT_PROGBITS,
                      .sh_flags = 0,
                      .sh_addr = 0,
                      .sh_offset = kSumAt,
                      .sh_size = sizeof(Sums),
                      .sh_link = 0,
                      .sh_info = 0,
                      .sh_addralign = 8,
                      .sh_entsize = 0};
    std::uint32_t name_at = 1;
    for (unsigned i = 1; i < kSections; ++i) {
      sections_[i].sh_name = name_at;
      std::memcpy(file_.data() + kShstrtabAt + name_at, kSectionNames[i].data(), kSectionNames[i].size());
      name_at += static_cast<std::uint32_t>(kSectionNames[i].size()) + 1;
    }
    std::memcpy(file_.data() + kSectionHeadersAt, sections_, sizeof sections_);
  }

  void put_sums() {
    std::span<const std::uint8_t> all(file_);
    std::uint64_t head = checksum(all.first(kPage));
    for (Section section : {Key, Meta})
      head = checksum(all.subspan(sections_[section].sh_offset, sections_[section].sh_size), head);
    Sums sums{head, checksum(all.subspan(kPage), checksum(all.first(kPage)))};
    std::memcpy(file_.data() + kSumAt, &sums, sizeof sums);
  }

  ArtifactParts& parts_;
  std::vector<std::uint8_t> file_;
  Elf64_Shdr sections_[kSections] = {};
};

constexpr std::size_t names_length() {
  std::size_t length = 0;
  for (std::string_view name : kSectionNames) length += name.size() + 1;
  return length;
}
static_assert(names_length() <= kShstrtabSize);

} // namespace

Result<std::vector<std::uint8_t>> write_artifact(ArtifactParts parts) {
  const std::uint64_t size = parts.code.size();
  if (size > std::uint64_t{1} << 31) return fail(ErrorCode::LimitExceeded, "the compiled code is larger than 2 GiB");
  bool ordered = parts.text_size <= parts.rodata_offset && parts.rodata_offset <= size &&
                 parts.rodata_offset % kPage == 0 &&
                 (parts.eh_frame_size == 0 || (parts.eh_frame_offset >= parts.rodata_offset &&
                                               std::uint64_t{parts.eh_frame_offset} + parts.eh_frame_size == size));
  if (!ordered) return fail(ErrorCode::Internal, "the linker laid out code and constants wrongly");
  return Writer(parts).write();
}

} // namespace cusp::artifact

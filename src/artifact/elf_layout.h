// Where things stand in an artifact file; shared by writer and loader, private to the room.
//
//   page 0      ELF header, program headers, section headers, section names, .cusp.sum
//   page 1 …    .text, .rodata, .eh_frame: addresses equal file offsets
//   page n …    .cusp.image
//   then        .cusp.key .cusp.meta .cusp.traps .cusp.unwind .cusp.names .cusp.lines .symtab .strtab
#pragma once

#include <array>
#include <cstdint>
#include <elf.h>
#include <string_view>

namespace cusp::artifact {

enum Section : unsigned {
  Null,
  Text,
  Rodata,
  EhFrame,
  Image,
  Key,
  Meta,
  Traps,
  Unwind,
  Names,
  Lines,
  Symtab,
  Strtab,
  Shstrtab,
  Sum,
  kSections
};

inline constexpr std::array<std::string_view, kSections> kSectionNames = {
    "",           ".text",       ".rodata",      ".eh_frame",   ".cusp.image", ".cusp.key",
    ".cusp.meta", ".cusp.traps", ".cusp.unwind", ".cusp.names", ".cusp.lines", ".symtab",
    ".strtab",    ".shstrtab",   ".cusp.sum"};

inline constexpr std::uint64_t kPage = 4096;
inline constexpr unsigned kProgramHeaders = 3; // text, rodata, stack
inline constexpr std::uint64_t kSectionHeadersAt = sizeof(Elf64_Ehdr) + kProgramHeaders * sizeof(Elf64_Phdr);
inline constexpr std::uint64_t kShstrtabAt = kSectionHeadersAt + kSections * sizeof(Elf64_Shdr);
inline constexpr std::uint64_t kShstrtabSize = 192;
inline constexpr std::uint64_t kSumAt = kShstrtabAt + kShstrtabSize;

// .cusp.sum. Both are taken with this section itself as zeros.
struct Sums {
  std::uint64_t head = 0; // page 0, key and meta: checked by every open()
  std::uint64_t all = 0;  // every byte of the file
};
static_assert(kSumAt + sizeof(Sums) <= kPage);

constexpr std::uint64_t round_up_to_page(std::uint64_t at) { return (at + kPage - 1) / kPage * kPage; }

} // namespace cusp::artifact

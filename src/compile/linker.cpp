#include "compile/linker.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <elf.h>

#include <fmt/format.h>

#include "compile/lower/lowering.h"

namespace cusp::compile {

namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

enum class Part : std::uint8_t { None, Text, Rodata, EhFrame };

struct InputSection {
  Elf64_Shdr header{};
  std::string_view name;
  Part part = Part::None;
  std::uint32_t offset = kNowhere; // in the image
};

struct InputObject {
  std::span<const std::uint8_t> bytes;
  std::uint32_t module = 0;
  std::vector<InputSection> sections;
  std::vector<Elf64_Sym> symbols;
  const char* names = "";

  std::string_view own_name(const Elf64_Sym& symbol) const { return names + symbol.st_name; }
  template <class T> std::vector<T> table(const Elf64_Shdr& header) const {
    std::vector<T> rows(header.sh_size / sizeof(T));
    if (!rows.empty()) std::memcpy(rows.data(), bytes.data() + header.sh_offset, rows.size() * sizeof(T));
    return rows;
  }
};

// The module's digits in "f0.12", "e0.3", "h0.3" (lower/lowering.h); empty: a symbol of no module.
std::string_view module_digits(std::string_view symbol) {
  const std::size_t dot = symbol.find('.');
  if (dot == symbol.npos || dot < 2 || std::string_view("feh").find(symbol[0]) == symbol.npos) return {};
  const std::string_view digits = symbol.substr(1, dot - 1);
  return std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }) ? digits : std::string_view();
}

// The objects come from our own code generator, so that one check of every range is enough to trust them.
Result<InputObject> read_object(const LinkInput& input) {
  const std::span<const std::uint8_t> bytes = input.bytes;
  InputObject object{.bytes = bytes, .module = input.module, .sections = {}, .symbols = {}};
  Elf64_Ehdr header;
  auto damaged = [] { return fail(ErrorCode::Internal, "the code generator wrote an object that is not x86-64 ELF"); };
  if (bytes.size() < sizeof header) return damaged();
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_REL || header.e_machine != EM_X86_64)
    return damaged();
  if (header.e_shoff > bytes.size() ||
      std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr) > bytes.size() - header.e_shoff)
    return damaged();
  std::uint32_t count = header.e_shnum, names_index = header.e_shstrndx;
  if (count == 0) return damaged(); // more than 65279 sections: our groups have a handful
  object.sections.resize(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    Elf64_Shdr& s = object.sections[i].header;
    std::memcpy(&s, bytes.data() + header.e_shoff + i * sizeof s, sizeof s);
    if (s.sh_type != SHT_NOBITS && (s.sh_offset > bytes.size() || s.sh_size > bytes.size() - s.sh_offset))
      return damaged();
  }
  if (names_index >= count) return damaged();
  const char* section_names =
      reinterpret_cast<const char*>(bytes.data()) + object.sections[names_index].header.sh_offset;
  for (InputSection& section : object.sections) {
    section.name = section_names + section.header.sh_name;
    if (section.header.sh_type != SHT_SYMTAB || section.header.sh_link >= count) continue;
    object.symbols = object.table<Elf64_Sym>(section.header);
    object.names =
        reinterpret_cast<const char*>(bytes.data()) + object.sections[section.header.sh_link].header.sh_offset;
  }
  return object;
}

class Linker {
public:
  explicit Linker(std::span<const LinkInput> inputs) : inputs_(inputs) {}

  Result<LinkedImage> link() {
    for (const LinkInput& input : inputs_) {
      objects_.push_back(CUSP_TRY(read_object(input)));
      for (InputSection& section : objects_.back().sections) CUSP_TRY(classify(section));
    }
    CUSP_TRY(lay_out());
    CUSP_TRY(define_symbols());
    for (const InputObject& object : objects_) CUSP_TRY(relocate(object));
    return std::move(out_);
  }

private:
  static Result<void> classify(InputSection& section) {
    const Elf64_Shdr& header = section.header;
    if ((header.sh_flags & SHF_ALLOC) == 0 || header.sh_size == 0) return {};
    if (section.name == ".eh_frame") section.part = Part::EhFrame;
    else if ((header.sh_flags & SHF_EXECINSTR) != 0) section.part = Part::Text;
    else if ((header.sh_flags & SHF_WRITE) == 0 && header.sh_type == SHT_PROGBITS) section.part = Part::Rodata;
    else
      return fail(
          ErrorCode::Compile,
          fmt::format("the compiled code has a writable section '{}', which an artifact cannot hold", section.name));
    return {};
  }

  Result<void> lay_out() {
    std::uint64_t at = place(Part::Text, 0);
    out_.text_size = static_cast<std::uint32_t>(at);
    at = (at + kPage - 1) / kPage * kPage;
    out_.rodata_offset = static_cast<std::uint32_t>(at);
    at = place(Part::Rodata, at);
    at = (at + 7) / 8 * 8;
    std::uint64_t eh_frame = at;
    at = place(Part::EhFrame, at);
    if (at != eh_frame) at += 4; // the terminator
    if (at > std::uint64_t{1} << 31) return fail(ErrorCode::LimitExceeded, "the compiled code is larger than 2 GiB");
    out_.eh_frame_offset = static_cast<std::uint32_t>(eh_frame);
    out_.eh_frame_size = static_cast<std::uint32_t>(at - eh_frame);
    out_.code.assign(at, 0);
    std::fill_n(out_.code.begin(), out_.rodata_offset, 0xcc); // int3 between functions and behind the last
    for (const InputObject& object : objects_)
      for (const InputSection& section : object.sections)
        if (section.part != Part::None)
          std::memcpy(out_.code.data() + section.offset, object.bytes.data() + section.header.sh_offset,
                      section.header.sh_size);
    return {};
  }

  std::uint64_t place(Part part, std::uint64_t at) {
    for (InputObject& object : objects_)
      for (InputSection& section : object.sections) {
        if (section.part != part) continue;
        // .eh_frame records follow each other without gaps, or a reader takes the gap for the end.
        std::uint64_t alignment = part == Part::EhFrame ? 1 : std::max<std::uint64_t>(section.header.sh_addralign, 1);
        at = (at + alignment - 1) / alignment * alignment;
        section.offset = static_cast<std::uint32_t>(at);
        at += section.header.sh_size;
      }
    return at;
  }

  // Lives as long as the image.
  std::string_view name(const InputObject& object, const Elf64_Sym& symbol) {
    std::string_view own = object.own_name(symbol);
    if (object.module == 0 || module_digits(own).empty()) return own;
    return out_.names.emplace_back(place_symbol(own, object.module));
  }

  Result<void> define_symbols() {
    for (const InputObject& object : objects_)
      for (const Elf64_Sym& symbol : object.symbols) {
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= object.sections.size()) continue;
        const InputSection& section = object.sections[symbol.st_shndx];
        if (section.part == Part::None) continue;
        LinkedSymbol linked{name(object, symbol), static_cast<std::uint32_t>(section.offset + symbol.st_value),
                            static_cast<std::uint32_t>(symbol.st_size)};
        if (section.part == Part::Text && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC) out_.functions.push_back(linked);
        if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
        if (!out_.addresses.emplace(linked.name, linked.offset).second)
          return fail(ErrorCode::Internal, fmt::format("the compiled code defines '{}' twice", linked.name));
      }
    std::ranges::stable_sort(out_.functions, {}, &LinkedSymbol::offset);
    return {};
  }

  Result<void> relocate(const InputObject& object) {
    std::vector<std::uint64_t> targets(object.symbols.size(), kUnresolved);
    for (const InputSection& section : object.sections) {
      if (section.header.sh_type != SHT_RELA || section.header.sh_info >= object.sections.size()) continue;
      const InputSection& place = object.sections[section.header.sh_info];
      if (place.part == Part::None) continue;
      for (const Elf64_Rela& relocation : object.table<Elf64_Rela>(section.header)) {
        std::uint32_t index = ELF64_R_SYM(relocation.r_info);
        if (index >= targets.size() || relocation.r_offset + 4 > place.header.sh_size)
          return fail(ErrorCode::Internal, "the code generator wrote a relocation out of range");
        if (targets[index] == kUnresolved) targets[index] = CUSP_TRY(resolve(object, object.symbols[index]));
        CUSP_TRY(apply(place, relocation, targets[index]));
      }
    }
    return {};
  }

  Result<std::uint64_t> resolve(const InputObject& object, const Elf64_Sym& symbol) {
    if (symbol.st_shndx != SHN_UNDEF && symbol.st_shndx < object.sections.size() &&
        object.sections[symbol.st_shndx].part != Part::None)
      return object.sections[symbol.st_shndx].offset + symbol.st_value;
    std::string_view wanted = name(object, symbol);
    auto found = out_.addresses.find(wanted);
    if (found == out_.addresses.end())
      return fail(ErrorCode::Compile,
                  fmt::format("the compiled code needs '{}', which has no place inside an artifact", wanted));
    return found->second;
  }

  Result<void> apply(const InputSection& section, const Elf64_Rela& relocation, std::uint64_t target) {
    std::uint64_t at = section.offset + relocation.r_offset;
    auto distance = static_cast<std::int64_t>(target + static_cast<std::uint64_t>(relocation.r_addend) - at);
    std::uint8_t* place = out_.code.data() + at;
    switch (ELF64_R_TYPE(relocation.r_info)) {
    case R_X86_64_PC32:
    case R_X86_64_PLT32: {
      auto narrow = static_cast<std::int32_t>(distance);
      if (narrow != distance)
        return fail(ErrorCode::LimitExceeded, "the compiled code is larger than its branches reach");
      std::memcpy(place, &narrow, sizeof narrow);
      return {};
    }
    case R_X86_64_PC64:
      if (relocation.r_offset + 8 > section.header.sh_size)
        return fail(ErrorCode::Internal, "the code generator wrote a relocation out of range");
      std::memcpy(place, &distance, sizeof distance);
      return {};
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
      // The table of addresses that this wants does not exist; a load from it is the same as taking the address.
      if (relocation.r_offset < 2 || place[-2] != 0x8b) break;
      place[-2] = 0x8d;
      return apply(section, {relocation.r_offset, ELF64_R_INFO(0, R_X86_64_PC32), relocation.r_addend}, target);
    default: break;
    }
    return fail(ErrorCode::Compile,
                fmt::format("the compiled code has a relocation of type {} in '{}', which would need work at load time",
                            ELF64_R_TYPE(relocation.r_info), section.name));
  }

  static constexpr std::uint64_t kUnresolved = ~std::uint64_t{0};
  std::span<const LinkInput> inputs_;
  std::vector<InputObject> objects_;
  LinkedImage out_;
};

} // namespace

std::string place_symbol(std::string_view symbol, std::uint32_t module) {
  const std::string_view digits = module_digits(symbol);
  if (digits.empty()) return std::string(symbol);
  std::uint32_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return fmt::format("{}{}{}", symbol[0], number_in_group(number, module), symbol.substr(1 + digits.size()));
}

Result<LinkedImage> link_objects(std::span<const LinkInput> objects) { return Linker(objects).link(); }

} // namespace cusp::compile

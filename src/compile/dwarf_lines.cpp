// Addresses in a module's debug information count from the start of the code section's content. What the linker
// dropped keeps its line programs, at address 0 or beyond the section; no function lies there. Work and memory are
// bounded by the size of the input. Spec: DWARF 5, 6.2.
#include "compile/dwarf_lines.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "wasm/cursor.h"

namespace cusp::compile {

namespace {

using base::ErrorCode;
using wasm::Cursor;

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxPathsTotal = 16 << 20; // a short program can name one long path again and again

enum StandardOpcode : std::uint8_t {
  kExtended,
  kCopy,
  kAdvancePc,
  kAdvanceLine,
  kSetFile,
  kSetColumn,
  kNegateStmt,
  kSetBasicBlock,
  kConstAddPc,
  kFixedAdvancePc
};
enum ExtendedOpcode : std::uint8_t { kEndSequence = 1, kSetAddress = 2 };
enum ContentType : std::uint8_t { kPath = 1, kDirectoryIndex = 2 };
enum Form : std::uint8_t {
  kData2 = 0x05,
  kData4 = 0x06,
  kData8 = 0x07,
  kString = 0x08,
  kBlock = 0x09,
  kData1 = 0x0b,
  kStrp = 0x0e,
  kUdata = 0x0f,
  kData16 = 0x1e,
  kLineStrp = 0x1f
};

struct Sections {
  std::span<const std::uint8_t> line, line_str, str;
};

struct CodeSection {
  std::uint64_t offset = 0, size = 0; // of its content, in the module
};

std::uint32_t read_u16(Cursor& in) {
  const std::uint32_t low = in.u8();
  return low | std::uint32_t{in.u8()} << 8;
}

std::string_view terminated(std::span<const std::uint8_t> bytes) {
  const void* end = bytes.empty() ? nullptr : std::memchr(bytes.data(), 0, std::min(bytes.size(), kMaxPath));
  if (end == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes.data()),
          static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - bytes.data())};
}

// Up to the terminating NUL, which is taken.
std::string_view read_string(Cursor& in) {
  std::span<const std::uint8_t> rest{in.position(), in.left()};
  std::string_view text = terminated(rest);
  if (text.empty() && (rest.empty() || rest[0] != 0)) in.fail(ErrorCode::Malformed, "a string has no end");
  else in.bytes(text.size() + 1);
  return text;
}

// The files of one module by path, numbered as they are first used.
class Files {
public:
  // nullopt: not a path that can be shown, or one too many.
  std::optional<std::uint32_t> number(std::string path) {
    // No control character may play tricks with a terminal.
    std::ranges::replace_if(path, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    if (path.empty() || path.size() > kMaxPath || !wasm::is_utf8(path)) return std::nullopt;
    if (auto found = numbers_.find(path); found != numbers_.end()) return found->second;
    total_ += path.size();
    if (total_ > kMaxPathsTotal) return std::nullopt;
    const auto number = static_cast<std::uint32_t>(paths_.size());
    numbers_.emplace(path, number);
    paths_.push_back(std::move(path));
    return number;
  }
  std::vector<std::string> take() { return std::move(paths_); }

private:
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<std::string> paths_;
  std::size_t total_ = 0;
};

// One unit: a header with directories and files, then a program whose rows come in sequences of growing addresses.
class Unit {
public:
  // `in`: what follows the unit's length.
  Unit(Cursor in, bool is_64, const Sections& sections, CodeSection code, Files& files)
      : in_(in), is_64_(is_64), sections_(sections), code_(code), files_(files) {}

  // Stops at damage; the sequences before it stay.
  void read(std::vector<artifact::LineRow>& rows) {
    if (!read_header()) return;
    while (in_.ok() && !in_.at_end()) {
      const std::uint8_t opcode = in_.u8();
      if (opcode >= opcode_base_) special(opcode);
      else if (opcode == kExtended) extended(rows);
      else standard(opcode);
    }
  }

private:
  struct Entry {
    std::string_view path;
    std::uint64_t directory = 0;
  };

  std::uint64_t read_offset() { return is_64_ ? in_.fixed64() : in_.fixed32(); }

  bool read_header() {
    version_ = read_u16(in_);
    if (version_ < 2 || version_ > 5) return false;
    if (version_ == 5 && (in_.u8(), in_.u8() != 0)) return false; // no segments
    const std::uint64_t length = read_offset();
    if (!in_.ok() || length > in_.left()) return false;
    Cursor program = in_;
    program.bytes(length);
    min_length_ = in_.u8();
    if (version_ >= 4) in_.u8(); // operations of an instruction
    in_.u8();                    // is_stmt
    line_base_ = static_cast<std::int8_t>(in_.u8());
    line_range_ = in_.u8();
    opcode_base_ = in_.u8();
    if (!in_.ok() || line_range_ == 0 || opcode_base_ == 0) return false;
    auto lengths = in_.bytes(opcode_base_ - 1u);
    operands_.assign(lengths.begin(), lengths.end());
    if (version_ == 5) {
      if (!read_entries(directories_) || !read_entries(paths_)) return false;
    } else {
      read_old_tables();
    }
    if (!in_.ok()) return false;
    in_ = program;
    restart();
    return true;
  }

  // Before DWARF 5 both tables count from 1; directory 0 is the compiler's own.
  void read_old_tables() {
    directories_.emplace_back();
    for (std::string_view path; in_.ok() && !(path = read_string(in_)).empty();) directories_.push_back({path});
    paths_.emplace_back();
    for (std::string_view path; in_.ok() && !(path = read_string(in_)).empty();) {
      const std::uint64_t directory = in_.u64();
      in_.u64(), in_.u64(); // time, size
      paths_.push_back({path, directory});
    }
  }

  bool read_entries(std::vector<Entry>& entries) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> format(in_.u8());
    for (auto& [content, form] : format) content = in_.u64(), form = in_.u64();
    const std::uint64_t count = in_.u64();
    // Every form that is read here takes at least a byte.
    if (!in_.ok() || count > in_.left() || (format.empty() && count != 0)) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      Entry& entry = entries.emplace_back();
      for (auto [content, form] : format) {
        std::string_view text;
        std::uint64_t number = 0;
        if (!read_form(form, text, number)) return false;
        if (content == kPath) entry.path = text;
        if (content == kDirectoryIndex) entry.directory = number;
      }
    }
    return true;
  }

  bool read_form(std::uint64_t form, std::string_view& text, std::uint64_t& number) {
    auto from = [](std::span<const std::uint8_t> section, std::uint64_t offset) {
      return offset < section.size() ? terminated(section.subspan(offset)) : std::string_view();
    };
    switch (form) {
    case kString: text = read_string(in_); break;
    case kLineStrp: text = from(sections_.line_str, read_offset()); break;
    case kStrp: text = from(sections_.str, read_offset()); break;
    case kUdata: number = in_.u64(); break;
    case kData1: number = in_.u8(); break;
    case kData2: number = read_u16(in_); break;
    case kData4: number = in_.fixed32(); break;
    case kData8: number = in_.fixed64(); break;
    case kData16: in_.bytes(16); break;
    case kBlock: in_.bytes(in_.u64()); break;
    default: return false;
    }
    return in_.ok();
  }

  void restart() {
    address_ = 0, file_ = 1, line_ = 1;
    is_sorted_ = true;
    sequence_.clear();
  }

  void advance(std::uint64_t operations) { address_ += operations * min_length_; }

  void special(std::uint8_t opcode) {
    const unsigned adjusted = opcode - opcode_base_;
    advance(adjusted / line_range_);
    line_ += static_cast<std::uint32_t>(line_base_ + static_cast<int>(adjusted % line_range_));
    add_row(line_);
  }

  void standard(std::uint8_t opcode) {
    switch (opcode) {
    case kCopy: add_row(line_); break;
    case kAdvancePc: advance(in_.u64()); break;
    case kAdvanceLine: line_ += static_cast<std::uint32_t>(in_.s64()); break;
    case kSetFile: file_ = in_.u64(); break;
    case kConstAddPc: advance((255u - opcode_base_) / line_range_); break;
    case kFixedAdvancePc: address_ += read_u16(in_); break;
    default:
      for (std::uint8_t i = 0; i < operands_[opcode - 1u]; ++i) in_.u64();
    }
  }

  void extended(std::vector<artifact::LineRow>& rows) {
    const std::uint64_t length = in_.u64();
    if (!in_.ok() || length == 0) return;
    auto bytes = in_.bytes(length);
    if (!in_.ok()) return;
    if (bytes[0] == kSetAddress && (length == 5 || length == 9)) {
      address_ = 0;
      std::memcpy(&address_, bytes.data() + 1, length - 1);
    } else if (bytes[0] == kEndSequence) {
      add_row(0);
      const bool is_in_code = sequence_.front().address != 0 && sequence_.back().address <= code_.size;
      if (is_in_code && is_sorted_)
        for (const Row& row : sequence_)
          rows.push_back({static_cast<std::uint32_t>(code_.offset + row.address), row.file, row.line});
      restart();
    }
  }

  void add_row(std::uint32_t line) {
    if (!sequence_.empty() && address_ < sequence_.back().address) is_sorted_ = false;
    const auto file = line == 0 ? std::nullopt : number_of_file();
    sequence_.push_back({address_, file.value_or(0), file ? line : 0});
  }

  std::optional<std::uint32_t> number_of_file() {
    auto [known, is_new] = numbers_.try_emplace(file_);
    if (is_new && file_ < paths_.size()) {
      const Entry& entry = paths_[file_];
      std::string path(entry.path);
      // Relative to where the compiler ran, if that is what it was told.
      if (!path.starts_with('/') && entry.directory != 0 && entry.directory < directories_.size())
        path = fmt::format("{}/{}", directories_[entry.directory].path, path);
      known->second = files_.number(std::move(path));
    }
    return known->second;
  }

  struct Row {
    std::uint64_t address;
    std::uint32_t file, line;
  };

  Cursor in_;
  bool is_64_;
  const Sections& sections_;
  CodeSection code_;
  Files& files_;
  std::uint32_t version_ = 0;
  std::uint8_t min_length_ = 1, line_range_ = 1, opcode_base_ = 1;
  std::int8_t line_base_ = 0;
  std::vector<std::uint8_t> operands_; // by standard opcode, from 1
  std::vector<Entry> directories_, paths_;
  std::map<std::uint64_t, std::optional<std::uint32_t>> numbers_; // by file_

  std::uint64_t address_ = 0, file_ = 1;
  std::uint32_t line_ = 1;
  bool is_sorted_ = true;
  std::vector<Row> sequence_;
};

CodeSection find_code(const wasm::Module& module) {
  Cursor in(module.bytes, 0);
  in.bytes(8); // magic, version
  while (in.ok() && !in.at_end()) {
    const std::uint8_t id = in.u8();
    const std::uint32_t size = in.u32();
    if (in.ok() && id == 10) return {in.offset(), size};
    in.bytes(size);
  }
  return {};
}

} // namespace

artifact::ModuleLines source_lines(const wasm::Module& module) {
  Sections sections;
  for (const wasm::CustomSection& section : module.custom_sections) {
    if (section.name == ".debug_line") sections.line = section.bytes;
    if (section.name == ".debug_line_str") sections.line_str = section.bytes;
    if (section.name == ".debug_str") sections.str = section.bytes;
  }
  artifact::ModuleLines lines;
  if (sections.line.empty()) return lines;
  const CodeSection code = find_code(module);
  Files files;
  for (Cursor in(sections.line, 0); in.ok() && !in.at_end();) {
    std::uint64_t length = in.fixed32();
    const bool is_64 = length == 0xffff'ffff;
    if (is_64) length = in.fixed64();
    auto content = in.bytes(length);
    if (in.ok()) Unit(Cursor(content, 0), is_64, sections, code, files).read(lines.rows);
  }
  std::ranges::stable_sort(lines.rows, {}, &artifact::LineRow::wasm_offset);
  lines.files = files.take();
  return lines;
}

} // namespace cusp::compile

// Line number programs made by hand: DWARF 4 and 5, dropped functions, damage.
#include "compile/dwarf_lines.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "lower/code_bytes.h"
#include "lower/module_bytes.h"
#include "wasm/reader.h"

namespace cusp::test {
namespace {

using namespace code;

Bytes text(std::string_view value) {
  Bytes out(value.begin(), value.end());
  out.push_back(0);
  return out;
}

Bytes u32(std::uint32_t value) {
  Bytes out;
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  return out;
}

Bytes set_address(std::uint32_t address) { return Bytes{0, 5, 2} + u32(address); }
const Bytes kEndSequence{0, 1, 1};

// Line base -5, range 14, the usual lengths of standard opcodes.
const Bytes kParameters{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1};

Bytes unit(std::uint8_t version, const Bytes& tables, const Bytes& program) {
  const Bytes header = kParameters + tables;
  Bytes content{version, 0};
  if (version == 5) append(content, {4, 0});
  append(content, u32(static_cast<std::uint32_t>(header.size())) + header + program);
  return u32(static_cast<std::uint32_t>(content.size())) + content;
}

const Bytes kTables4 =
    text("src") + Bytes{0} + text("main.c") + Bytes{0, 0, 0} + text("a.h") + Bytes{1, 0, 0} + Bytes{0};
// Paths are offsets into .debug_line_str, a file's directory a byte.
const Bytes kTables5 =
    Bytes{1, 1, 0x1f, 1} + u32(0) + Bytes{2, 1, 0x1f, 2, 0x0b, 2} + u32(6) + Bytes{0} + u32(6) + Bytes{0};
const Bytes kLineStr5 = text("/home") + text("lib.c");
// Line 10 from address 3, line 11 two bytes on, then file 2 at line 12 and the end three bytes on.
Bytes program(std::uint32_t address) {
  return set_address(address) + Bytes{3, 9, 1, 13 + 6 + 2 * 14, 4, 2, 13 + 6 + 1 * 14, 2, 3} + kEndSequence;
}

struct Debugged {
  Bytes bytes;
  wasm::Module module;
  artifact::ModuleLines lines;
  std::vector<std::uint8_t> table;

  explicit Debugged(const Bytes& line, const Bytes& line_str = {}) {
    ModuleBytes m;
    m.func(m.type({}, {}), i32_const(1) + i32_const(2) + i32_const(3) + i32_add() + i32_add() + Bytes{0x1a});
    m.custom(".debug_line", line);
    m.custom(".debug_line_str", line_str);
    bytes = m.bytes();
    module = *wasm::read_module(bytes, wasm::Features{});
    lines = compile::source_lines(module);
    table = artifact::write_line_table(std::span(&lines, 1));
  }
  // By address, which counts from the code section's content: its first byte is the number of functions.
  std::string at(std::uint32_t address) const {
    const auto code = static_cast<std::uint32_t>(module.code[0].offset) - 2 + address;
    artifact::SourceLine found = artifact::find_source_line(table, 0, code);
    return found.line == 0 ? "" : fmt::format("{}:{}", found.file, found.line);
  }
};

TEST(DwarfLines, Version4) {
  Debugged m(unit(4, kTables4, program(3)));
  EXPECT_EQ(m.at(2), "");
  EXPECT_EQ(m.at(3), "main.c:10");
  EXPECT_EQ(m.at(4), "main.c:10");
  EXPECT_EQ(m.at(5), "main.c:11");
  EXPECT_EQ(m.at(6), "src/a.h:12");
  EXPECT_EQ(m.at(8), "src/a.h:12");
  EXPECT_EQ(m.at(9), "");
}

TEST(DwarfLines, Version5NamesFilesElsewhere) {
  Debugged m(unit(5, kTables5, program(3)), kLineStr5);
  EXPECT_EQ(m.at(3), "lib.c:10");
  EXPECT_EQ(m.at(6), "") << "there is no file 2";
  EXPECT_EQ(m.lines.files, std::vector<std::string>{"lib.c"}) << "relative to where the compiler ran";
}

TEST(DwarfLines, UnitsAddUpAndBadOnesAreLeftOut) {
  Bytes bad = unit(4, kTables4, program(3));
  bad[4] = 9; // no such version
  Debugged m(bad + unit(4, kTables4, program(3)));
  EXPECT_EQ(m.at(3), "main.c:10");
}

TEST(DwarfLines, DroppedFunctionsHaveNoLines) {
  for (std::uint32_t address : {0u, 0xffff'ffffu, 1000u}) {
    Debugged m(unit(4, kTables4, program(address)));
    EXPECT_TRUE(m.lines.rows.empty()) << address;
    EXPECT_TRUE(m.table.empty()) << address;
  }
}

TEST(DwarfLines, PathsCannotPlayTricks) {
  Debugged m(unit(4, Bytes{0} + text("a\x1b[1m.c") + Bytes{0, 0, 0, 0}, program(3)));
  EXPECT_EQ(m.at(3), "a?[1m.c:10");
  Debugged bad(unit(4, Bytes{0} + text("a\xff.c") + Bytes{0, 0, 0, 0}, program(3)));
  EXPECT_EQ(bad.at(3), "") << "not UTF-8";
}

TEST(DwarfLines, CountsWithoutEntriesAreRefused) {
  // No format, and as many directories as a number can say.
  const Bytes endless = Bytes{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
  EXPECT_TRUE(Debugged(unit(5, endless, program(3))).lines.rows.empty());
}

TEST(DwarfLines, DamageIsLeftOut) {
  const Bytes four = unit(4, kTables4, program(3)), five = unit(5, kTables5, program(3));
  std::mt19937 random(11);
  for (unsigned round = 0; round < 20'000; ++round) {
    Bytes line = round % 2 == 0 ? four + five : five + four;
    for (unsigned i = 0; i < 1 + round % 4; ++i) line[random() % line.size()] = static_cast<std::uint8_t>(random());
    if (round % 3 == 0) line.resize(random() % line.size());
    Debugged m(line, kLineStr5);
    for (const artifact::LineRow& row : m.lines.rows) {
      ASSERT_LE(row.wasm_offset, m.bytes.size()) << "a sequence may end where the code does";
      ASSERT_TRUE(row.line == 0 || row.file < m.lines.files.size());
    }
  }
}

} // namespace
} // namespace cusp::test

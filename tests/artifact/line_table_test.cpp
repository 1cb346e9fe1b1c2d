#include "artifact/line_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "artifact/artifact.h"
#include "artifact/sample.h"

namespace cusp::artifact {
namespace {

std::string at(std::span<const std::uint8_t> table, std::uint32_t module, std::uint32_t offset) {
  SourceLine found = find_source_line(table, module, offset);
  return found.line == 0 ? "" : fmt::format("{}:{}", found.file, found.line);
}

std::vector<ModuleLines> two_modules() {
  return {{}, {{"a.c", "src/b.c"}, {{10, 0, 3}, {20, 1, 7}, {30, 1, 0}, {40, 0, 2}, {40, 0, 100'000}}}};
}

TEST(LineTable, IsEmptyWithoutRows) {
  EXPECT_TRUE(write_line_table({}).empty());
  EXPECT_TRUE(write_line_table(std::vector<ModuleLines>(3)).empty());
  EXPECT_EQ(find_source_line({}, 0, 0).line, 0u);
}

TEST(LineTable, FindsTheRowThatHolds) {
  auto table = write_line_table(two_modules());
  EXPECT_EQ(at(table, 1, 9), "");
  EXPECT_EQ(at(table, 1, 10), "a.c:3");
  EXPECT_EQ(at(table, 1, 19), "a.c:3");
  EXPECT_EQ(at(table, 1, 20), "src/b.c:7");
  EXPECT_EQ(at(table, 1, 35), "") << "between sequences";
  EXPECT_EQ(at(table, 1, 41), "a.c:100000") << "of two rows at one place the last counts";
  EXPECT_EQ(at(table, 0, 10), "") << "a module without rows";
  EXPECT_EQ(at(table, 2, 10), "") << "no such module";
}

TEST(LineTable, ManyRandomRows) {
  std::mt19937 random(7);
  ModuleLines lines{{"a", "b", "c"}, {}};
  for (std::uint32_t offset = 5; lines.rows.size() < 5000; offset += 1 + random() % 9)
    lines.rows.push_back({offset, static_cast<std::uint32_t>(random() % 3), static_cast<std::uint32_t>(random() % 5)});
  auto table = write_line_table(std::vector{lines});
  for (const LineRow& row : lines.rows)
    ASSERT_EQ(at(table, 0, row.wasm_offset), row.line == 0 ? "" : fmt::format("{}:{}", lines.files[row.file], row.line))
        << row.wasm_offset;
}

TEST(LineTable, DamageNeverCrashes) {
  const auto whole = write_line_table(two_modules());
  std::mt19937 random(3);
  for (unsigned round = 0; round < 20'000; ++round) {
    auto table = whole;
    for (unsigned i = 0; i < 1 + round % 3; ++i) table[random() % table.size()] = static_cast<std::uint8_t>(random());
    table.resize(round % 2 == 0 ? table.size() : random() % table.size());
    for (std::uint32_t offset = 0; offset < 50; offset += 7) at(table, 1, offset);
  }
}

TEST(LineTable, StandsInTheArtifact) {
  ArtifactParts parts = sample_parts();
  parts.line_table = write_line_table(two_modules());
  auto artifact = Artifact::from_bytes(*write_artifact(std::move(parts)), "lines");
  ASSERT_TRUE(artifact) << artifact.error().to_string();
  EXPECT_EQ(at((*artifact)->line_table(), 1, 25), "src/b.c:7");
}

} // namespace
} // namespace cusp::artifact

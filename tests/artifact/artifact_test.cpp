#include "artifact/artifact.h"
#include "artifact/elf_layout.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "artifact/sample.h"

namespace cusp::artifact {
namespace {

std::vector<std::uint8_t> sample_bytes() {
  auto bytes = write_artifact(sample_parts());
  EXPECT_TRUE(bytes.has_value());
  return std::move(*bytes);
}

class TempFile {
public:
  explicit TempFile(std::span<const std::uint8_t> bytes) {
    char pattern[] = "/tmp/cusp-artifact-XXXXXX";
    int fd = mkstemp(pattern);
    path_ = pattern;
    EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(fd);
  }
  ~TempFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

private:
  std::string path_;
};

TEST(Artifact, RoundTripRunsItsCode) {
  TempFile file(sample_bytes());
  auto artifact = Artifact::open(file.path(), Artifact::Verify::Full);
  ASSERT_TRUE(artifact) << artifact.error().to_string();
  const Artifact& a = **artifact;
  EXPECT_EQ(a.key().settings, "O2,guard");
  EXPECT_EQ(a.meta().modules.at(0).exports.at(0).name, "answer");
  EXPECT_EQ(a.function_name(0, 0), "answer");
  EXPECT_EQ(a.function_name(0, 1), "");
  EXPECT_EQ(a.function_name(0, 2), "");
  EXPECT_EQ(a.function_name(1, 0), "");
  EXPECT_EQ(a.image().size(), 5000u);
  EXPECT_EQ(a.image_file_offset() % 4096, 0u);
  EXPECT_EQ(a.code_size(), 4096u + 64);
  GuestFrame frames[4];
  ASSERT_EQ(lookup_trap_site(a.trap_table(), 20, frames), 1u);
  EXPECT_EQ(frames[0].wasm_offset, 0x55u);
  auto answer =
      reinterpret_cast<int (*)()>(reinterpret_cast<std::uintptr_t>(a.code()) + a.meta().modules[0].func_text[0]);
  EXPECT_EQ(answer(), 42);
}

TEST(Artifact, OpensFromMemory) {
  auto artifact = Artifact::from_bytes(sample_bytes(), "memory");
  ASSERT_TRUE(artifact) << artifact.error().to_string();
  EXPECT_EQ((*artifact)->name(), "memory");
}

TEST(Artifact, WritesTheSameBytesTwice) { EXPECT_EQ(sample_bytes(), sample_bytes()); }

TEST(Artifact, TellsArtifactsFromWasm) {
  EXPECT_TRUE(looks_like_artifact(sample_bytes()));
  std::vector<std::uint8_t> wasm(4096);
  wasm[1] = 'a', wasm[2] = 's', wasm[3] = 'm';
  EXPECT_FALSE(looks_like_artifact(wasm));
  EXPECT_FALSE(looks_like_artifact({}));
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::vector<char> head(8192);
  self.read(head.data(), static_cast<std::streamsize>(head.size()));
  EXPECT_FALSE(looks_like_artifact({reinterpret_cast<std::uint8_t*>(head.data()), head.size()}))
      << "an ELF file of another kind";
}

TEST(Artifact, EveryFlippedByteIsFound) {
  std::vector<std::uint8_t> bytes = sample_bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= static_cast<std::uint8_t>(1u << (i % 8));
    auto artifact = Artifact::from_bytes(bytes, "flipped");
    ASSERT_FALSE(artifact) << "byte " << i;
    ASSERT_EQ(artifact.error().code, base::ErrorCode::Corrupt) << "byte " << i << ": " << artifact.error().to_string();
    bytes[i] ^= static_cast<std::uint8_t>(1u << (i % 8));
  }
}

TEST(Artifact, EveryTruncationIsFound) {
  const std::vector<std::uint8_t> bytes = sample_bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    auto artifact = Artifact::from_bytes(std::span(bytes).first(size), "short");
    ASSERT_FALSE(artifact) << size;
    ASSERT_EQ(artifact.error().code, base::ErrorCode::Corrupt) << size;
  }
}

TEST(Artifact, HeaderCheckFindsDamagedMetadataButTrustsCode) {
  std::vector<std::uint8_t> bytes = sample_bytes();
  unsigned opened = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    bytes[i] ^= 0x40;
    TempFile file(bytes);
    auto artifact = Artifact::open(file.path(), Artifact::Verify::Header);
    bytes[i] ^= 0x40;
    if (!artifact) {
      ASSERT_EQ(artifact.error().code, base::ErrorCode::Corrupt);
      continue;
    }
    ++opened;
    // The only bytes of the header page that Verify::Header has no use for.
    constexpr std::size_t kFullSum = kSumAt + offsetof(Sums, all);
    bool in_full_sum = i >= kFullSum && i < kFullSum + sizeof(Sums::all);
    ASSERT_TRUE(i >= 4096 || in_full_sum) << "damage in the header page went unseen: byte " << i;
    GuestFrame frames[4];
    for (std::uint32_t at = 0; at < 64; ++at) lookup_trap_site((*artifact)->trap_table(), at, frames);
    for (std::uint32_t f = 0; f < 4; ++f) (*artifact)->function_name(0, f);
  }
  EXPECT_GT(opened, 0u);
}

TEST(Artifact, RefusesAnotherCpuAndNamesTheFeature) {
  ArtifactParts parts = sample_parts();
  parts.key.cpu = "imaginary";
  parts.key.cpu_features = {"avx1024"};
  auto artifact = Artifact::from_bytes(*write_artifact(std::move(parts)), "foreign");
  ASSERT_FALSE(artifact);
  EXPECT_EQ(artifact.error().code, base::ErrorCode::Corrupt);
  EXPECT_NE(artifact.error().message.find("avx1024"), std::string::npos) << artifact.error().message;
}

TEST(Artifact, RefusesAnotherAbi) {
  ArtifactParts parts = sample_parts();
  parts.key.abi_hash ^= 1;
  auto artifact = Artifact::from_bytes(*write_artifact(std::move(parts)), "old");
  ASSERT_FALSE(artifact);
  EXPECT_NE(artifact.error().message.find("another version"), std::string::npos) << artifact.error().message;
}

GlobalMeta global_of(ConstExpr init) {
  return {.type = wasm::ValType::i32().raw(), .is_mutable = false, .init = std::move(init)};
}

TEST(Artifact, RefusesInconsistentMetadata) {
  using Break = void (*)(ModuleMeta&);
  const Break breaks[] = {
      [](ModuleMeta& m) { m.func_text[0] = 4096; },
      [](ModuleMeta& m) { m.func_types[1] = 1; },
      [](ModuleMeta& m) { m.exports[0].index = 2; },
      [](ModuleMeta& m) { m.start = 9; },
      [](ModuleMeta& m) { m.entries.clear(); },
      [](ModuleMeta& m) { m.shape.defined_memories = 2; },
      [](ModuleMeta& m) { m.memories[0].image_offset = 8192; },
      [](ModuleMeta& m) { m.memories[0].image_bytes = ~std::uint64_t{0}; },
      [](ModuleMeta& m) {
        m.elems = {{.mode = SegmentMode::Active, .table = 0, .offset = {}, .type = 0, .funcs = {}, .expressions = {}}};
      },
      [](ModuleMeta& m) {
        m.datas = {{.mode = SegmentMode::Passive, .memory = 0, .offset = {}, .bytes_offset = 1, .bytes_size = 5000}};
      },
      [](ModuleMeta& m) { m.globals = {global_of({{ConstOp::I32Add}})}, m.shape.defined_globals = 1; },
      [](ModuleMeta& m) { m.globals = {global_of({{ConstOp::StructNew, 0}})}, m.shape.defined_globals = 1; },
      [](ModuleMeta& m) { m.globals = {global_of({{ConstOp::RefI31}})}, m.shape.defined_globals = 1; },
      [](ModuleMeta& m) { // of a type that is not there
        m.globals = {{.type = wasm::ValType::ref(true, wasm::HeapType(wasm::TypeIndex(1))).raw(),
                      .is_mutable = false,
                      .init = {{ConstOp::RefNull}}}};
        m.shape.defined_globals = 1;
      },
      [](ModuleMeta& m) { m.types[0].canonical = 1; },
      [](ModuleMeta& m) { m.types[0].rec_group = 1; },
      [](ModuleMeta& m) { m.types[0].supertype = 0; },
      [](ModuleMeta& m) { m.types[0].kind = abi::TypeKind::Struct; }, // but functions have it
      [](ModuleMeta& m) { m.types[0].kind = abi::TypeKind::Array; },
      [](ModuleMeta& m) { m.types[0].func.params = {0x7f}; },
  };
  for (std::size_t i = 0; i < std::size(breaks); ++i) {
    ArtifactParts parts = sample_parts();
    breaks[i](parts.meta.modules[0]);
    auto artifact = Artifact::from_bytes(*write_artifact(std::move(parts)), "inconsistent");
    ASSERT_FALSE(artifact) << i;
    EXPECT_EQ(artifact.error().code, base::ErrorCode::Corrupt);
  }
}

TEST(Artifact, MissingFileAndDirectory) {
  auto missing = Artifact::open("/nonexistent/cusp", Artifact::Verify::Full);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::ErrorCode::NotFound);
  auto directory = Artifact::open("/tmp", Artifact::Verify::Full);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, base::ErrorCode::Corrupt);
}

TEST(Artifact, ObjdumpShowsGuestSymbols) {
  TempFile file(sample_bytes());
  for (const char* tool : {"objdump", "llvm-objdump-22"}) {
    if (std::system((std::string("command -v ") + tool + " >/dev/null").c_str()) != 0) continue;
    FILE* pipe = popen((std::string(tool) + " -d " + file.path()).c_str(), "r");
    std::string text;
    for (char buffer[4096]; std::size_t n = fread(buffer, 1, sizeof buffer, pipe);) text.append(buffer, n);
    EXPECT_EQ(pclose(pipe), 0);
    EXPECT_NE(text.find("wasm[0]::answer"), std::string::npos) << text.substr(0, 2000);
    return;
  }
  GTEST_SKIP() << "neither objdump nor llvm-objdump-22 is installed";
}

} // namespace
} // namespace cusp::artifact

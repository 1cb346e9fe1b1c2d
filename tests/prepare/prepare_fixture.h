// A folder with an input, a store and a compiler of its own for each test.
#pragma once

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lower/module_bytes.h"
#include "prepare/prepare.h"

namespace cusp::test {

namespace fs = std::filesystem;

inline Bytes module_that_returns(std::uint8_t value) {
  ModuleBytes module;
  module.memory(1, 2);
  module.data(100, Bytes(5000, value));
  const std::uint32_t func = module.func(module.type({}, {kI32}), {0x41, value});
  module.export_func("value", func);
  return module.bytes();
}

inline Bytes read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}
inline void write(const fs::path& path, const Bytes& bytes) {
  fs::remove(path);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

class Prepare : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/cusp-prepare-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    if (const char* compiler = std::getenv("CUSP_COMPILE")) compiler_ = compiler;
    write(input(), module_that_returns(7));
    options_.opt_level = 0;
    options_.threads = 1;
  }
  void TearDown() override {
    unsetenv("XDG_CACHE_HOME");
    use_compiler(compiler_);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  fs::path input() const { return folder_ / "module.wasm"; }
  base::Result<std::shared_ptr<const artifact::Artifact>> prepare() {
    return prepare::prepare_file(input().string(), options_);
  }
  // From here on, whoever starts a compiler fails.
  void forbid_compiling() { use_compiler("/nowhere/cusp-compile"); }
  static void use_compiler(const std::string& path) {
    if (path.empty()) unsetenv("CUSP_COMPILE");
    else setenv("CUSP_COMPILE", path.c_str(), 1);
  }
  void use_script(const std::string& text) {
    const fs::path path = folder_ / "compiler";
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    chmod(path.c_str(), 0700);
    use_compiler(path);
  }
  std::vector<fs::path> stored(const std::string& extension = ".cusp") const {
    std::vector<fs::path> found;
    const fs::path store = folder_ / "cache/cusp/default";
    if (fs::exists(store))
      for (const auto& entry : fs::directory_iterator(store))
        if (entry.is_regular_file() && (extension.empty() || entry.path().extension() == extension))
          found.push_back(entry.path());
    return found;
  }
  // Prepares, and expects an artifact of the input as it is now.
  void expect_good(const char* what) {
    auto artifact = prepare();
    ASSERT_TRUE(artifact.has_value()) << what << ": " << artifact.error().to_string();
    const auto size = (*artifact)->mapping().size();
    auto compiled = prepare::compile_file(input().string(), without_store());
    ASSERT_TRUE(compiled.has_value());
    ASSERT_EQ(size, compiled->size()) << what;
    EXPECT_EQ(std::memcmp((*artifact)->mapping().data(), compiled->data(), size), 0) << what;
  }
  prepare::PrepareOptions without_store() const {
    prepare::PrepareOptions options = options_;
    options.no_cache = true;
    return options;
  }

  fs::path folder_;
  std::string compiler_;
  prepare::PrepareOptions options_;
};

} // namespace cusp::test

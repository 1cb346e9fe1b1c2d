// From files to artifacts: what the store holds is used when it is what it should be, and compiled anew when it is anything else; a
// compiler that fails in any way is an error message.
#include <thread>

#include <fcntl.h>

#include "prepare/prepare_fixture.h"

namespace cusp::test {
namespace {

using base::ErrorCode;
using namespace std::chrono_literals;
using testing::HasSubstr;

TEST_F(Prepare, CompilesOnce) {
  expect_good("first");
  ASSERT_EQ(stored().size(), 1u);
  EXPECT_EQ(fs::status(stored()[0]).permissions(), fs::perms::owner_read);
  EXPECT_EQ(fs::status(folder_ / "cache/cusp").permissions(), fs::perms::owner_all) << "for this user only";
  forbid_compiling();
  EXPECT_TRUE(prepare().has_value());
}

TEST_F(Prepare, EverySettingHasItsOwn) {
  ASSERT_TRUE(prepare().has_value());
  options_.opt_level = 1;
  ASSERT_TRUE(prepare().has_value());
  options_.bounds = artifact::BoundsMode::Explicit;
  ASSERT_TRUE(prepare().has_value());
  options_.target_cpu = "x86-64-v2";
  ASSERT_TRUE(prepare().has_value());
  EXPECT_EQ(stored().size(), 4u);
}

TEST_F(Prepare, AChangedInputIsAnotherModule) {
  expect_good("first");
  write(input(), module_that_returns(8));
  expect_good("changed");
  EXPECT_EQ(stored().size(), 2u);
  forbid_compiling();
  write(input(), module_that_returns(7)); // as before, in another file: known by its contents
  EXPECT_TRUE(prepare().has_value());
}

TEST_F(Prepare, AnIndexThatIsNoHashIsNotBelieved) {
  expect_good("first");
  forbid_compiling();
  for (const auto& entry : fs::directory_iterator(folder_ / "cache/cusp/index")) write(entry.path(), {'n', 'o'});
  EXPECT_TRUE(prepare().has_value());
  fs::remove_all(folder_ / "cache/cusp/index");
  EXPECT_TRUE(prepare().has_value());
}

// Any byte, any length: what is not what was stored is not run.
TEST_F(Prepare, DamageIsFoundAndCompiledAway) {
  expect_good("first");
  const fs::path file = stored().at(0);
  const Bytes whole = read(file);
  const auto artifact = prepare();
  ASSERT_TRUE(artifact.has_value());
  const std::size_t image = (*artifact)->image_file_offset();
  for (std::size_t at : {std::size_t{0}, std::size_t{20}, std::size_t{200}, std::size_t{4096}, std::size_t{4100},
                         image + 200, whole.size() / 2, whole.size() - 1}) {
    Bytes damaged = whole;
    damaged[at] ^= 0x40;
    write(file, damaged);
    expect_good(("byte " + std::to_string(at)).c_str());
    EXPECT_EQ(read(file), whole) << "byte " << at << ": compiled anew and stored";
  }
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, whole.size() / 2, whole.size() - 1}) {
    write(file, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    expect_good(("length " + std::to_string(size)).c_str());
    EXPECT_EQ(read(file), whole);
  }
  Bytes longer = whole;
  longer.resize(whole.size() + 4096);
  write(file, longer);
  expect_good("longer");
}

// In place, as somebody with the rights could: code is changed, the header is not.
TEST_F(Prepare, AChangeInPlaceIsFound) {
  expect_good("first");
  const fs::path file = stored().at(0);
  chmod(file.c_str(), 0600);
  const int fd = open(file.c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(fd, "\xcc", 1, 4096 + 3), 1);
  close(fd);
  expect_good("changed in place");
}

TEST_F(Prepare, AForeignFileIsNotRun) {
  expect_good("first");
  const fs::path file = stored().at(0);
  const Bytes wasm = read(input());
  write(file, wasm);
  expect_good("a wasm file");
  // A whole artifact under another's name.
  write(folder_ / "other.wasm", module_that_returns(9));
  auto other = prepare::compile_file((folder_ / "other.wasm").string(), without_store());
  ASSERT_TRUE(other.has_value());
  write(file, *other);
  expect_good("another module's artifact");
  // Of the same module under another setting.
  prepare::PrepareOptions another = without_store();
  another.bounds = artifact::BoundsMode::Explicit;
  other = prepare::compile_file(input().string(), another);
  ASSERT_TRUE(other.has_value());
  write(file, *other);
  expect_good("another setting's artifact");
}

TEST_F(Prepare, ALostSealCostsACheckOnly) {
  expect_good("first");
  for (const fs::path& seal : stored(".seal")) fs::remove(seal);
  forbid_compiling();
  EXPECT_TRUE(prepare().has_value());
  EXPECT_EQ(stored(".seal").size(), 1u);
}

TEST_F(Prepare, ManyAtOnceAgree) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&] {
      auto artifact = prepare::prepare_file(input().string(), options_);
      good += artifact.has_value();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 6);
  EXPECT_EQ(stored("").size(), 2u) << "an artifact and its seal, and nothing half-written";
  expect_good("afterwards");
}

TEST_F(Prepare, AStoreThatCannotBeWrittenIsNoObstacle) {
  for (const std::string& store : {std::string("/proc/nowhere"), input().string(), std::string("/dev/null")}) {
    setenv("XDG_CACHE_HOME", store.c_str(), 1);
    auto artifact = prepare();
    EXPECT_TRUE(artifact.has_value()) << store << ": " << artifact.error().to_string();
  }
}

TEST_F(Prepare, AnArtifactThatIsNamedIsCheckedWhole) {
  auto bytes = prepare::compile_file(input().string(), options_);
  ASSERT_TRUE(bytes.has_value());
  write(input(), *bytes);
  forbid_compiling();
  EXPECT_TRUE(prepare().has_value());
  (*bytes)[4096] ^= 1; // in the code
  write(input(), *bytes);
  auto artifact = prepare();
  ASSERT_FALSE(artifact.has_value());
  EXPECT_EQ(artifact.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(artifact.error().to_string(), HasSubstr("module.wasm"));
  auto again = prepare::compile_file(input().string(), options_);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::InvalidArgument);
}

TEST_F(Prepare, WhatIsNoModuleIsSaidSo) {
  auto error_of = [&](const Bytes& bytes) {
    write(input(), bytes);
    auto artifact = prepare();
    EXPECT_FALSE(artifact.has_value());
    return artifact ? base::Error{} : artifact.error();
  };
  EXPECT_THAT(error_of({}).message, HasSubstr("empty"));
  EXPECT_EQ(error_of({'h', 'e', 'l', 'l', 'o'}).code, ErrorCode::Malformed);
  const base::Error malformed = error_of({0, 'a', 's', 'm', 1, 0, 0, 0, 1, 99});
  EXPECT_EQ(malformed.code, ErrorCode::Malformed);
  EXPECT_TRUE(malformed.byte_offset.has_value());
  EXPECT_THAT(malformed.file, HasSubstr("module.wasm"));
  EXPECT_TRUE(stored().empty()) << "failures are not kept";
  fs::remove(input());
  EXPECT_THAT(prepare().error().to_string(), HasSubstr("module.wasm"));
  fs::create_directory(input());
  EXPECT_EQ(prepare().error().code, ErrorCode::InvalidArgument);
}

class Compiler : public Prepare {
protected:
  base::Error failure() {
    auto artifact = prepare();
    EXPECT_FALSE(artifact.has_value());
    return artifact ? base::Error{} : artifact.error();
  }
};

TEST_F(Compiler, ThatIsMissing) {
  forbid_compiling();
  const base::Error error = failure();
  EXPECT_EQ(error.code, ErrorCode::NotFound);
  EXPECT_THAT(error.message, HasSubstr("/nowhere/cusp-compile"));
}

TEST_F(Compiler, ThatIsKilled) {
  use_script("kill -9 $$");
  const base::Error error = failure();
  EXPECT_EQ(error.code, ErrorCode::Compile);
  EXPECT_THAT(error.message, HasSubstr("signal 9"));
  EXPECT_THAT(error.file, HasSubstr("module.wasm"));
}

TEST_F(Compiler, ThatIsKilledInTheMiddleOfALargeModule) {
  ModuleBytes module;
  module.memory();
  module.data(std::nullopt, Bytes(4 << 20, 1)); // more than a pipe holds
  write(input(), module.bytes());
  use_script("head -c 100000 >/dev/null; kill -11 $$");
  EXPECT_THAT(failure().message, HasSubstr("signal 11"));
}

TEST_F(Compiler, ThatLeaves) {
  use_script("exit 3");
  EXPECT_THAT(failure().message, HasSubstr("exit code 3"));
}

TEST_F(Compiler, ThatAnswersNonsense) {
  use_script("cat >/dev/null & echo this is not a frame at all, whatever it may be");
  EXPECT_EQ(failure().code, ErrorCode::Compile);
}

TEST_F(Compiler, ThatNeverAnswers) {
  use_script("exec sleep 600");
  options_.time_limit = 200ms;
  base::Error error = failure();
  EXPECT_EQ(error.code, ErrorCode::Timeout);
  EXPECT_THAT(error.message, HasSubstr("0.2 s"));
  ModuleBytes module; // not even the module is taken
  module.memory();
  module.data(std::nullopt, Bytes(4 << 20, 1));
  write(input(), module.bytes());
  EXPECT_EQ(failure().code, ErrorCode::Timeout);
}

TEST_F(Compiler, ServesOneAfterTheOther) {
  auto compiler = prepare::CompilerProcess::start(options_);
  ASSERT_TRUE(compiler.has_value());
  for (std::uint8_t i = 0; i < 3; ++i) {
    EXPECT_TRUE((*compiler)->compile(module_that_returns(i)).has_value());
    auto failed = (*compiler)->compile(Bytes{0, 'a', 's', 'm', 1, 0, 0, 0, 1, 99}); // an error is no end
    EXPECT_EQ(failed.error().code, ErrorCode::Malformed);
  }
}

TEST_F(Compiler, GivesTheSameBytesForTheSameModule) {
  auto first = prepare::compile_file(input().string(), without_store());
  auto second = prepare::compile_file(input().string(), without_store());
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(*first, *second);
}

TEST_F(Prepare, OptionsNameTheStoreAndTheCompiler) {
  options_.store = (folder_ / "own").string();
  ASSERT_TRUE(prepare());
  EXPECT_TRUE(stored().empty());
  EXPECT_FALSE(fs::is_empty(folder_ / "own" / "default"));
  forbid_compiling();
  EXPECT_TRUE(prepare());
  options_.store.clear();
  EXPECT_FALSE(prepare());
  const fs::path script = folder_ / "compiler";
  std::ofstream(script) << "#!/bin/sh\nexit 9\n";
  chmod(script.c_str(), 0700);
  options_.compiler = script.string();
  auto failed = prepare();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("exit code 9"));
}

TEST_F(Prepare, BytesAreCompiledOnceAndAreNeverAnArtifact) {
  const Bytes module = module_that_returns(9);
  ASSERT_TRUE(prepare::prepare_bytes(module, "bytes", options_));
  forbid_compiling();
  auto again = prepare::prepare_bytes(module, "bytes", options_);
  ASSERT_TRUE(again) << again.error().to_string();
  auto artifact = prepare::prepare_bytes(read(stored().at(0)), "artifact", options_);
  ASSERT_FALSE(artifact);
  EXPECT_EQ(artifact.error().code, ErrorCode::Malformed);
  EXPECT_EQ(artifact.error().file, "artifact");
  EXPECT_FALSE(prepare::prepare_bytes({}, "nothing", options_));
}

} // namespace
} // namespace cusp::test

// Code in two tiers: what the store has, the better first; else the quick one now and the better one from a process in the background,
// which may come to any end without harm.
#include <atomic>
#include <csignal>
#include <thread>

#include "prepare/prepare_fixture.h"

namespace cusp::test {
namespace {

using base::ErrorCode;
using prepare::Background;
using prepare::Tier;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

class Tiers : public Prepare {
protected:
  void SetUp() override {
    Prepare::SetUp();
    options_.opt_level = 1;
  }
  base::Result<prepare::Prepared> tiers(Background background = Background::WhileHere, Tier tier = Tier::Auto) {
    return prepare::prepare_tiers(input().string(), options_, tier, background);
  }
  static std::string settings(const base::Result<prepare::Prepared>& prepared) {
    return prepared ? prepared->artifact->key().settings : prepared.error().to_string();
  }
  // The first compilation is as ever; the shell commands take the place of the second.
  void second_compiler(const std::string& commands) {
    std::string real = compiler_;
    if (real.empty()) real = fs::read_symlink("/proc/self/exe").parent_path() / "cusp-compile";
    use_script("if mkdir " + (folder_ / "first").string() + " 2>/dev/null; then exec " + real + " --batch; fi\n" +
               commands + "\nexec " + real + " --batch");
  }
  base::Error failure_of_better() {
    auto prepared = tiers();
    if (!prepared || !prepared->better) {
      ADD_FAILURE() << settings(prepared);
      return {};
    }
    EXPECT_THAT(prepared->artifact->key().settings, StartsWith("O0"));
    auto better = prepared->better->take();
    EXPECT_FALSE(better.has_value());
    return better ? base::Error{} : better.error();
  }
};

TEST_F(Tiers, TheQuickOneNowAndTheBetterOneLater) {
  auto prepared = tiers();
  ASSERT_THAT(settings(prepared), StartsWith("O0"));
  ASSERT_NE(prepared->better, nullptr);
  auto better = prepared->better->take();
  ASSERT_TRUE(better.has_value()) << better.error().to_string();
  EXPECT_THAT((*better)->key().settings, StartsWith("O1"));
  EXPECT_EQ((*better)->key().module_hash, prepared->artifact->key().module_hash);
  EXPECT_EQ(stored().size(), 2u);
  EXPECT_TRUE(stored(".lock").empty());
  forbid_compiling();
  prepared = tiers();
  EXPECT_THAT(settings(prepared), StartsWith("O1")) << "the store has it";
  EXPECT_EQ(prepared->better, nullptr);
}

TEST_F(Tiers, EitherCanBeForced) {
  auto prepared = tiers(Background::WhileHere, Tier::First);
  EXPECT_THAT(settings(prepared), StartsWith("O0"));
  EXPECT_EQ(prepared->better, nullptr);
  prepared = tiers(Background::WhileHere, Tier::Optimising);
  EXPECT_THAT(settings(prepared), StartsWith("O1"));
  EXPECT_EQ(prepared->better, nullptr);
}

TEST_F(Tiers, ADetachedOneIsForTheNextStart) {
  auto prepared = tiers(Background::Detached);
  ASSERT_THAT(settings(prepared), StartsWith("O0"));
  EXPECT_EQ(prepared->better, nullptr);
  for (int i = 0; i < 1000 && (stored().size() < 2 || !stored(".lock").empty()); ++i) std::this_thread::sleep_for(10ms);
  forbid_compiling();
  EXPECT_THAT(settings(tiers(Background::Detached)), StartsWith("O1"));
}

TEST_F(Tiers, NothingIsDetachedWithoutAStore) {
  options_.no_cache = true;
  EXPECT_THAT(settings(tiers(Background::Detached)), StartsWith("O1"));
  auto prepared = tiers();
  ASSERT_THAT(settings(prepared), StartsWith("O0"));
  ASSERT_NE(prepared->better, nullptr);
  EXPECT_TRUE(prepared->better->take().has_value());
  EXPECT_TRUE(stored().empty());
}

TEST_F(Tiers, AStoreThatCannotBeWrittenIsNoObstacle) {
  setenv("XDG_CACHE_HOME", input().c_str(), 1);
  auto prepared = tiers();
  ASSERT_THAT(settings(prepared), StartsWith("O0"));
  ASSERT_NE(prepared->better, nullptr);
  auto better = prepared->better->take();
  ASSERT_TRUE(better.has_value()) << better.error().to_string();
  EXPECT_THAT((*better)->key().settings, StartsWith("O1"));
}

TEST_F(Tiers, AStoreThatIsRemovedMeanwhileStaysSo) {
  second_compiler("rm -rf " + (folder_ / "cache").string());
  auto prepared = tiers();
  ASSERT_THAT(settings(prepared), StartsWith("O0"));
  EXPECT_TRUE(prepared->better->take().has_value());
  EXPECT_FALSE(fs::exists(folder_ / "cache"));
}

TEST_F(Tiers, ACompilerThatIsKilledIsSaidSo) {
  second_compiler("kill -9 $$");
  const base::Error error = failure_of_better();
  EXPECT_EQ(error.code, ErrorCode::Compile);
  EXPECT_THAT(error.message, HasSubstr("signal 9"));
}

TEST_F(Tiers, AProcessThatIsKilledIsSaidSo) {
  second_compiler("kill -9 $PPID");
  const base::Error error = failure_of_better();
  EXPECT_EQ(error.code, ErrorCode::Compile);
  EXPECT_THAT(error.message, HasSubstr("without an answer"));
}

TEST_F(Tiers, NobodyStaysBehind) {
  second_compiler("echo $$ $PPID > " + (folder_ / "pids.new").string() + "; mv " + (folder_ / "pids.new").string() +
                  " " + (folder_ / "pids").string() + "; exec sleep 600");
  auto prepared = tiers();
  ASSERT_THAT(settings(prepared), StartsWith("O0"));
  for (int i = 0; i < 1000 && !fs::exists(folder_ / "pids"); ++i) std::this_thread::sleep_for(10ms);
  pid_t process = 0, background = 0;
  std::ifstream(folder_ / "pids") >> process >> background;
  ASSERT_GT(background, 1);
  prepared->better.reset();
  EXPECT_NE(kill(background, 0), 0);
  if (process > 1) kill(process, SIGKILL); // a script, unlike cusp-compile, does not end with its client
}

} // namespace
} // namespace cusp::test

// New instances move to better code while requests go on: none waits for it, none is lost.
#include <atomic>
#include <fstream>
#include <thread>

#include "app/served.h"

namespace cusp::test {
namespace {

prepare::Prepared in_two_tiers() {
  prepare::PrepareOptions options;
  options.no_cache = true;
  options.opt_level = 1;
  auto prepared =
      prepare::prepare_tiers(guest_path("http-kit"), options, prepare::Tier::Auto, prepare::Background::WhileHere);
  if (!prepared) _exit(98);
  return *std::move(prepared);
}

// Executable mappings of artifacts.
int mapped_programs(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/maps");
  int count = 0;
  for (std::string line; std::getline(in, line);)
    count += line.find(" r-xp ") != line.npos && line.find("cusp-artifact") != line.npos;
  return count;
}

TEST(Tiers, NewInstancesMoveWhileRequestsGoOn) {
  Served served([](app::ServeOptions& options) { options.workers = 2; }, in_two_tiers);
  const int at_first = mapped_programs(served.pid());       // this process's own are inherited
  const base::UniqueFd slow = served.ask("/sleep?ms=3000"); // begins on the quick code
  std::atomic<bool> stop = false;
  std::atomic<int> good = 0, bad = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i)
    clients.emplace_back([&] {
      while (!stop) ++(served.get("/hello").status == 200 ? good : bad);
    });
  EXPECT_TRUE(served.becomes("cusp_code_moves_total", 2)) << served.log();
  const int before = good;
  for (int i = 0; i < 500 && good < before + 20; ++i) Served::pause_ms(10);
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(bad, 0);
  EXPECT_GE(good, before + 20);
  EXPECT_EQ(Served::receive(slow).status, 200);
  for (int i = 0; i < 500 && mapped_programs(served.pid()) > at_first; ++i) Served::pause_ms(10);
  EXPECT_EQ(mapped_programs(served.pid()), at_first) << "the old code is unmapped";
  served.signal(SIGTERM);
  EXPECT_EQ(served.wait(), 0);
}

TEST(Tiers, AServerThatEndsFirstEndsCleanly) {
  Served served([](app::ServeOptions&) {}, in_two_tiers);
  EXPECT_EQ(served.get("/hello").status, 200);
  served.signal(SIGTERM);
  EXPECT_EQ(served.wait(), 0);
}

} // namespace
} // namespace cusp::test

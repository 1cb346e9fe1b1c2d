// A folder of one's own, and what tests do with it from the host's side.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "loop/event_loop.h"
#include "wasi/filesystem/descriptor.h"

namespace cusp::wasi {

struct Scratch {
  Scratch() {
    char name[] = "/tmp/cusp-wasi-XXXXXX";
    path = mkdtemp(name);
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;

  void write(const std::string& name, std::string_view text) const { std::ofstream(path / name) << text; }
  std::string read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(path / name).rdbuf();
    return text.str();
  }
  std::shared_ptr<const OpenFile> root() const { return *Descriptor::open_root(path); }

  std::filesystem::path path;
};

// On a fiber of a loop: where everything of WASI runs.
inline void on_loop(std::function<void()> body) {
  auto ran = loop::EventLoop::run_one(std::move(body));
  ASSERT_TRUE(ran) << ran.error().to_string();
}

} // namespace cusp::wasi

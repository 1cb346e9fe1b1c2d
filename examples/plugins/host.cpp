// A text tool whose filters are plug-ins: components from a folder, in any language, each with no more rights than the two functions below.
//   plugins FOLDER TEXT
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <cusp/cusp.hpp>

namespace {

constexpr const char* kHost = "acme:text/host@1.0.0";
constexpr const char* kFilter = "acme:text/filter@1.0.0";
using Filtered = std::expected<std::string, std::string>;

struct Plugin {
  std::string name;
  cusp::Instance instance;
  cusp::Func<Filtered(std::string_view)> apply;
};

// A plug-in that spins or hoards is stopped, and does not take the program along.
constexpr cusp::Limits kLimits{.memory_bytes = 64 << 20, .call_time = std::chrono::seconds(1)};

cusp::Result<Plugin> load(const cusp::Engine& engine, const std::filesystem::path& path) {
  std::string name = path.stem().string();
  cusp::Linker linker(engine);
  linker.instance(kHost)
      .func("log",
            [name](std::string_view text) {
              std::printf("  [%s] %.*s\n", name.c_str(), static_cast<int>(text.size()), text.data());
            })
      .func("setting", [](std::string_view key) -> std::optional<std::string> {
        return key == "marks" ? std::optional<std::string>("!!!") : std::nullopt;
      });
  auto component = cusp::Component::load(engine, path);
  if (!component) return std::unexpected(component.error());
  auto instance = linker.instantiate(*component, kLimits);
  if (!instance) return std::unexpected(instance.error());
  auto describe = instance->func<std::string()>(kFilter, "describe");
  auto apply = instance->func<Filtered(std::string_view)>(kFilter, "apply");
  if (!describe || !apply) return std::unexpected(describe ? apply.error() : describe.error());
  auto text = (*describe)();
  if (!text) return std::unexpected(text.error());
  std::printf("%s %s\n", name.c_str(), text->c_str());
  return Plugin{name, *std::move(instance), *std::move(apply)};
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: plugins FOLDER TEXT\n"), 2;
  auto engine = cusp::Engine::create();
  if (!engine) return std::fprintf(stderr, "%s\n", engine.error().to_string().c_str()), 1;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    if (entry.path().extension() == ".wasm") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::string text = argv[2];
  for (const auto& file : files) {
    auto plugin = load(*engine, file);
    if (!plugin) {
      std::fprintf(stderr, "%s\n", plugin.error().to_string().c_str());
      continue;
    }
    auto filtered = plugin->apply(text);
    if (!filtered) std::fprintf(stderr, "%s\n", filtered.error().to_string().c_str());
    else if (!*filtered) std::printf("  refused: %s\n", filtered->error().c_str());
    else std::printf("  %s\n", (text = **filtered).c_str());
  }
}

#include "cli/wast_script.h"

#include <algorithm>
#include <cerrno>
#include <fstream>

#include <fmt/format.h>

namespace cusp::cli {

using base::ErrorCode;
using nlohmann::json;
namespace fs = std::filesystem;

base::Result<std::vector<std::uint8_t>> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return base::fail_errno("open", path.string(), errno);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(file.tellg()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) return base::fail_errno("read", path.string(), errno);
  return bytes;
}

namespace {

std::optional<std::string> optional_string(const json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return std::nullopt;
  return it->get<std::string>();
}

// The load rule: binary text is taken as it stands; text only where it has been encoded.
std::string binary_of(const json& object, const fs::path& folder) {
  std::string file = object.value("filename", "");
  if (object.value("module_type", "binary") == "text") file = object.value("binary_filename", "");
  return file.empty() ? file : (folder / file).string();
}

WastCommand command_of(const json& object, const fs::path& folder) {
  WastCommand command;
  command.type = object.at("type").get<std::string>();
  command.line = object.value("line", 0u);
  command.name = optional_string(object, "name");
  command.as = object.value("as", "");
  command.instance = optional_string(object, "instance");
  if (auto module = object.find("module"); module != object.end() && module->is_string()) command.module = *module;
  command.text = object.value("text", "");
  command.binary = binary_of(object, folder);
  if (auto action = object.find("action"); action != object.end()) {
    command.action.is_get = action->at("type") == "get";
    command.action.module = optional_string(*action, "module");
    command.action.field = action->at("field").get<std::string>();
    if (auto args = action->find("args"); args != action->end()) command.action.args = *args;
  }
  if (auto expected = object.find("expected"); expected != object.end()) command.expected = *expected;
  command.shared_module = object.value("shared_module", "");
  command.thread = object.value("thread", "");
  if (auto nested = object.find("commands"); nested != object.end())
    for (const json& inner : *nested) command.commands.push_back(command_of(inner, folder));
  return command;
}

bool is_script(const fs::path& path) {
  if (path.extension() != ".json") return false;
  std::ifstream file(path, std::ios::binary);
  std::string head(64, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  return head.find("\"source_filename\"") != std::string::npos;
}

} // namespace

base::Result<WastScript> read_wast_script(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::fail_errno("open", path.string(), errno);
  WastScript script{.path = path, .source = {}, .commands = {}};
  try {
    json document = json::parse(file);
    script.source = document.at("source_filename").get<std::string>();
    for (const json& command : document.at("commands"))
      script.commands.push_back(command_of(command, path.parent_path()));
  } catch (const json::exception& error) {
    auto failure = base::fail(ErrorCode::Malformed, fmt::format("not a converted .wast script: {}", error.what()));
    failure.error().file = path.string();
    return failure;
  }
  return script;
}

base::Result<std::vector<fs::path>> find_wast_scripts(const fs::path& path) {
  std::error_code error;
  fs::file_status status = fs::status(path, error);
  if (error || !fs::exists(status)) return base::fail_errno("open", path.string(), ENOENT);
  std::vector<fs::path> scripts;
  if (!fs::is_directory(status)) {
    scripts.push_back(path);
    return scripts;
  }
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file() && is_script(it->path())) scripts.push_back(it->path());
  if (error) return base::fail_errno("read", path.string(), error.value());
  std::sort(scripts.begin(), scripts.end());
  return scripts;
}

} // namespace cusp::cli

// Reads composition files. The keys are few on purpose: a composition is data, not a program.
#include <sstream>

#include <fmt/format.h>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "compose/composition.h"

namespace cusp::compose {

using base::ErrorCode;
using base::Result;

namespace {

class Reader {
public:
  explicit Reader(std::string path) { file_.path = std::move(path); }

  Result<CompositionFile> run(const std::string& text) {
    toml::parse_result parsed = toml::parse(text, file_.path);
    if (!parsed) return fail(parsed.error().source(), std::string(parsed.error().description()));
    const toml::table& table = parsed.table();
    for (const auto& [key, node] : table) {
      if (key == "components") CUSP_TRY(components(node));
      else if (key == "instances") CUSP_TRY(instances(node));
      else if (key == "exports") CUSP_TRY(exports(node));
      else if (key == "export") CUSP_TRY(strings(node, file_.export_all, "the names of instances"));
      else
        return fail(
            key.source(),
            fmt::format("there is no key `{}` here; there are components, instances, exports and export", key.str()));
    }
    if (file_.components.empty()) return fail(table.source(), "there is no [components] with names and files");
    for (const auto& [name, _] : file_.components) { // a component without an instance of its own is instantiated once
      bool used = false;
      for (const auto& [__, instance] : file_.instances) used = used || instance.component == name;
      if (!used) file_.instances.push_back({name, {name, {}, {}, 0}});
    }
    return std::move(file_);
  }

private:
  std::unexpected<base::Error> fail(const toml::source_region& place, std::string message) const {
    base::Error error{.code = ErrorCode::InvalidArgument, .message = std::move(message), .file = file_.path};
    if (place.begin.line != 0) error.line = place.begin.line, error.column = place.begin.column;
    return std::unexpected(std::move(error));
  }

  Result<const toml::table*> table(const toml::node& node, std::string_view what) const {
    if (const toml::table* found = node.as_table()) return found;
    return fail(node.source(), fmt::format("{} is a table", what));
  }
  Result<std::string> string(const toml::node& node, std::string_view what) const {
    if (const auto* found = node.as_string()) return found->get();
    return fail(node.source(), fmt::format("{} is a string", what));
  }
  Result<void> strings(const toml::node& node, std::vector<std::string>& out, std::string_view what) const {
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& element : *list) out.push_back(CUSP_TRY(string(element, what)));
      return {};
    }
    out.push_back(CUSP_TRY(string(node, what)));
    return {};
  }

  Result<void> components(const toml::node& node) {
    for (const auto& [name, file] : *CUSP_TRY(table(node, "components")))
      file_.components[std::string(name.str())] = CUSP_TRY(string(file, "a component's file"));
    return {};
  }

  // "instance", { instance = …, export = … }, or, where `import` may be, { import = … }.
  Result<std::pair<std::string, std::string>> source(const toml::node& node, bool may_import) const {
    if (const auto* name = node.as_string()) return std::pair{name->get(), std::string()};
    const toml::table* fields = CUSP_TRY(table(node, "where it comes from"));
    std::pair<std::string, std::string> result;
    bool import = false;
    for (const auto& [key, value] : *fields) {
      std::string text = CUSP_TRY(string(value, key.str()));
      if (key == "instance") result.first = text;
      else if (key == "export") result.second = text;
      else if (key == "import" && may_import) import = true, result.second = text;
      else
        return fail(key.source(), fmt::format("there is no key `{}` here; there are instance, export{}", key.str(),
                                              may_import ? " and import" : ""));
    }
    if (import != result.first.empty())
      return fail(node.source(), may_import ? "say either `instance` or `import`" : "say `instance`");
    return result;
  }

  Result<void> instances(const toml::node& node) {
    for (const auto& [name, body] : *CUSP_TRY(table(node, "instances"))) {
      FileInstance instance;
      instance.component = name.str();
      instance.line = name.source().begin.line;
      for (const auto& [key, value] : *CUSP_TRY(table(body, "an instance"))) {
        if (key == "component") {
          instance.component = CUSP_TRY(string(value, "component"));
        } else if (key == "plug") {
          CUSP_TRY(strings(value, instance.plug, "plug"));
        } else if (key == "imports") {
          for (const auto& [import, from] : *CUSP_TRY(table(value, "imports")))
            instance.imports[std::string(import.str())] = CUSP_TRY(source(from, true));
        } else {
          return fail(key.source(),
                      fmt::format("there is no key `{}` here; there are component, plug and imports", key.str()));
        }
      }
      file_.instances.push_back({std::string(name.str()), std::move(instance)});
    }
    return {};
  }

  Result<void> exports(const toml::node& node) {
    for (const auto& [name, from] : *CUSP_TRY(table(node, "exports")))
      file_.exports.push_back({std::string(name.str()), CUSP_TRY(source(from, false))});
    return {};
  }

  CompositionFile file_;
};

} // namespace

Result<CompositionFile> read_composition(const std::string& path, const std::string& text) {
  return Reader(path).run(text);
}

} // namespace cusp::compose

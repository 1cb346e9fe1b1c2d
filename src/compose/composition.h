// What is to be composed: components, instances of them, and for every import where it comes from. Made from a command line (plan_plugs) or from
// a file (read_composition); checked and written by link.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wit/graph.h"

namespace cusp::compose {

// A component as it was read. Its world is the only one of its graph.
struct Part {
  std::string file; // as the user wrote it
  std::vector<std::uint8_t> bytes;
  wit::Graph graph;

  const wit::World& world() const { return graph.worlds.front(); }
  // By exact name, or by a compatible one: an export that is at least as new comes first.
  const wit::WorldItem* find_export(std::string_view name) const;
  const wit::WorldItem* find_import(std::string_view name) const;
};

// Error: as component_to_wit's, with the file.
base::Result<Part> make_part(std::string file, std::vector<std::uint8_t> bytes);

// Where an import of an instance comes from.
struct Source {
  std::optional<std::size_t> instance; // absent: it stays an import of the whole
  std::string name;                    // of that instance's export, or of the import
  bool operator==(const Source&) const = default;
};

struct PartInstance {
  std::string name;
  std::size_t part = 0;
  std::map<std::string, Source> imports; // by the part's own names; one that is not here stays an import under its name
  std::uint32_t line = 0;                // in the file that says so
};

struct ComposedExport {
  std::string name; // of the whole
  std::size_t instance = 0;
  std::string of; // the instance's own name for it
};

struct Composition {
  std::vector<Part> parts;
  std::vector<PartInstance> instances;
  std::vector<ComposedExport> exports;

  const Part& part_of(std::size_t instance) const { return parts[instances[instance].part]; }
  Source source(std::size_t instance, const std::string& import) const;
};

// `front` with what the plugs export plugged into imports of the same name or a compatible one. A component takes from the first plug after it on the
// command line, else from the first before it, so that plugs form chains. The exports of `front` are exported.
// Error: InvalidArgument for a plug that nothing makes use of, Unlinkable for a circle.
base::Result<Composition> plan_plugs(std::vector<Part> parts);

// What a composition file says. Spec: docs/compose.md.
struct FileInstance {
  std::string component;
  std::vector<std::string> plug;
  std::map<std::string, std::pair<std::string, std::string>>
      imports; // import: instance, export; no instance: a new name
  std::uint32_t line = 0;
};
struct CompositionFile {
  std::string path;
  std::map<std::string, std::string> components;               // name: file, relative to the composition file
  std::vector<std::pair<std::string, FileInstance>> instances; // in the order of the file
  std::vector<std::pair<std::string, std::pair<std::string, std::string>>> exports; // name: instance, export
  std::vector<std::string> export_all; // instances whose every export is exported
};

// Error: InvalidArgument with file and line.
base::Result<CompositionFile> read_composition(const std::string& path, const std::string& text);
// `parts` are the components of the file in the order of their names.
base::Result<Composition> plan_file(const CompositionFile& file, std::vector<Part> parts);

} // namespace cusp::compose
